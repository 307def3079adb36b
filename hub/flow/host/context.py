"""``ctx`` as plugins get it: the promise of ``hub.plugin.context``, kept with the hub's parts.

Plugins run on their channel's own loop; what needs the database hops to the main loop.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, NoReturn, Protocol, TypeVar, cast

import structlog

from hub.plugin import (
    CallTask,
    Delivery,
    Event,
    KvEntry,
    SafeHtml,
    Unverified,
    Verification,
)
from hub.plugin.context import Clock, Http, Kv, Log, Media, Verify
from hub.plugin.kit import html
from hub.plugin.kit.answers import checked
from hub.plugin.kit.http import PluginHttp
from hub.plugin.kit.secrets import redact

T = TypeVar("T")


class Services(Protocol):
    """What the hub does for plugins, on the main loop."""

    main: asyncio.AbstractEventLoop

    async def kv_get(self, channel: tuple[int, str], key: str) -> KvEntry | None:
        """A stored value."""
        ...

    async def kv_put(
        self,
        channel: tuple[int, str],
        key: str,
        value: str,
        version: int | None,
        expires_in: float | None,
    ) -> bool:
        """Store a value for so many seconds, if ``version`` is still the stored one."""
        ...

    async def kv_delete(self, channel: tuple[int, str], key: str) -> None:
        """Forget a value."""
        ...

    async def media_open(self, channel: tuple[int, str], attachment_id: str) -> bytes:
        """The bytes of one of the channel's files."""
        ...

    def media_url(self, channel: tuple[int, str], attachment_id: str, seconds: float) -> str:
        """A public address of one of the channel's files for a time."""
        ...

    async def emitted(self, channel: tuple[int, str], delivery: Delivery) -> None:
        """Something a plugin brought in by itself."""
        ...

    async def ask(self, channel: tuple[int, str], task: CallTask) -> tuple[Event, ...]:
        """What the channel's assistant says."""
        ...

    def public_url(self, channel: tuple[int, str], path: str) -> str:
        """The channel's public address."""
        ...


class SystemClock:
    """The time of day."""

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)


class StoredClock:
    """The time a delivery came, while it is replayed."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """The time of receipt."""
        return self._at


class NoDelivery:
    """``ctx.verify`` where there is nothing to verify."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        def refuse(**_: Any) -> NoReturn:
            raise Unverified(f"ctx.verify.{name} works on a delivery, inside ingest only")

        return refuse


class _Hop:
    """Calls of the main loop from a channel's loop."""

    def __init__(self, services: Services, channel: tuple[int, str]) -> None:
        self.services = services
        self.channel = channel

    async def main(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run on the main loop, wait on this one."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self.services.main)
        return await asyncio.wrap_future(future)


class _Kv(_Hop):
    async def get(self, key: str) -> KvEntry | None:
        return await self.main(self.services.kv_get(self.channel, key))

    async def put(
        self,
        key: str,
        value: str,
        *,
        version: int | None = None,
        expires_in: float | None = None,
    ) -> bool:
        return await self.main(self.services.kv_put(self.channel, key, value, version, expires_in))

    async def delete(self, key: str) -> None:
        await self.main(self.services.kv_delete(self.channel, key))


class _KvAside:
    """What is stored can be read; what is written is gone with the reading of one delivery."""

    def __init__(self, kv: Kv) -> None:
        self._kv = kv
        self._own: dict[str, KvEntry | None] = {}

    async def get(self, key: str) -> KvEntry | None:
        return self._own[key] if key in self._own else await self._kv.get(key)

    async def put(
        self,
        key: str,
        value: str,
        *,
        version: int | None = None,
        expires_in: float | None = None,  # noqa: ARG002 — nothing outlives the delivery
    ) -> bool:
        before = await self.get(key)
        at = 0 if before is None else before.version
        if version is not None and version != at:
            return False
        self._own[key] = KvEntry(value=value, version=at + 1)
        return True

    async def delete(self, key: str) -> None:
        self._own[key] = None


class _Media(_Hop):
    async def open(self, attachment_id: str) -> bytes:
        return await self.main(self.services.media_open(self.channel, attachment_id))

    def signed_url(self, attachment_id: str, *, seconds: float = 3600.0) -> str:
        return self.services.media_url(self.channel, attachment_id, seconds)


class _Log:
    """Log lines of one channel, with its secrets taken out of every value."""

    def __init__(self, channel_id: str, secrets: tuple[str, ...]) -> None:
        self._log = structlog.get_logger().bind(channel=channel_id)
        self._secrets = secrets

    def _clean(self, value: Any) -> Any:
        text = value if isinstance(value, str) else repr(value)
        cleaned = redact(text, self._secrets)
        return value if cleaned == text and not isinstance(value, str) else cleaned

    def info(self, event: str, **facts: Any) -> None:
        self._log.info(self._clean(event), **{k: self._clean(v) for k, v in facts.items()})

    def warning(self, event: str, **facts: Any) -> None:
        self._log.warning(self._clean(event), **{k: self._clean(v) for k, v in facts.items()})

    def error(self, event: str, **facts: Any) -> None:
        self._log.error(self._clean(event), **{k: self._clean(v) for k, v in facts.items()})


class ChannelContext:
    """One channel's ``ctx``."""

    def __init__(
        self,
        services: Services,
        channel: tuple[int, str],
        organisation: str,
        make_http: Callable[[], PluginHttp],
        secrets: tuple[str, ...],
    ) -> None:
        self._hop = _Hop(services, channel)
        self._make_http = make_http
        self._http = make_http()
        self.channel_id = channel[1]
        self.organisation = organisation
        self.http: Http = self._http
        self.verify: Verify = cast("Verify", NoDelivery())
        self.clock: Clock = SystemClock()
        self.kv: Kv = _Kv(services, channel)
        self.media: Media = _Media(services, channel)
        self.log: Log = _Log(channel[1], secrets)
        self.keeps = True
        """Whether what the plugin stores and brings in is kept."""

    def about(self, verify: Verify, clock: Clock) -> ChannelContext:
        """The same, for one delivery."""
        view = object.__new__(ChannelContext)
        view.__dict__.update(self.__dict__)
        view.verify = verify
        view.clock = clock
        return view

    def aside(self, verify: Verify, clock: Clock) -> ChannelContext:
        """The same, for a delivery that is read to see what would come of it: nothing the plugin
        stores or brings in is kept."""
        view = self.about(verify, clock)
        view.kv = _KvAside(self.kv)
        view.keeps = False
        return view

    def renew_http(self) -> None:
        """New connections, for a new loop: the old ones belong to the one that is stuck."""
        self._http = self.http = self._make_http()

    async def connect(
        self,
        host: str,
        port: int,
        *,
        tls: bool = True,
        timeout: float = 15.0,  # noqa: ASYNC109 — the promise's own argument
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """See ``hub.plugin.Context``."""
        return await self._http.connect(host, port, tls=tls, timeout=timeout)

    async def start_tls(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        host: str,
        *,
        timeout: float = 15.0,  # noqa: ASYNC109 — the promise's own argument
    ) -> None:
        """See ``hub.plugin.Context``."""
        await self._http.start_tls(reader, writer, host, timeout=timeout)

    async def emit(self, delivery: Delivery) -> None:
        """See ``hub.plugin.Context``."""
        delivery = checked(delivery, Delivery)
        if delivery.received_at.tzinfo is None:
            raise ValueError("ctx.emit: received_at has no zone; take ctx.clock.now()")
        if not self.keeps:
            return
        services = self._hop.services
        await self._hop.main(services.emitted(self._hop.channel, delivery))

    async def ask(self, task: CallTask) -> tuple[Event, ...]:
        """See ``hub.plugin.Context``."""
        task = checked(task, CallTask)
        return await self._hop.main(self._hop.services.ask(self._hop.channel, task))

    async def run_blocking(self, function: Callable[..., T], *args: Any) -> T:
        """See ``hub.plugin.Context``."""
        return await _in_a_thread(lambda: function(*args))

    def clean_html(self, html_: str) -> SafeHtml:
        """See ``hub.plugin.Context``."""
        return html.clean(html_)

    def public_url(self, path: str = "") -> str:
        """See ``hub.plugin.Context``."""
        return self._hop.services.public_url(self._hop.channel, path)


async def _in_a_thread(function: Callable[[], T]) -> T:
    """A daemon, unlike the threads of a loop's executor: a call that never comes back must not
    keep the hub from ending."""
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()

    def work() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:  # noqa: BLE001 — the caller's to deal with
            outcome.set_exception(error)

    threading.Thread(target=work, name="run_blocking", daemon=True).start()
    return await asyncio.wrap_future(outcome)


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


__all__ = [
    "ChannelContext",
    "Services",
    "StoredClock",
    "SystemClock",
    "Verification",
    "now_ms",
]
