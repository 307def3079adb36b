"""A small ``ctx`` for tests of plugins: the kit's real network and verifiers, no hub around."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from hub.plugin import (
    Clock,
    Delivery,
    Http,
    Kv,
    KvEntry,
    Log,
    Media,
    Permanent,
    SafeHtml,
    Verify,
)
from hub.plugin.kit.html import clean
from hub.plugin.kit.http import PluginHttp
from hub.plugin.kit.verify import Verifier

T = TypeVar("T")


class SetClock:
    """Stands until it is moved."""

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)

    def now(self) -> datetime:
        return self._now

    def pass_by(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class MemoryKv:
    """Versioned values in memory."""

    def __init__(self) -> None:
        self._entries: dict[str, KvEntry] = {}

    async def get(self, key: str) -> KvEntry | None:
        return self._entries.get(key)

    async def put(self, key: str, value: str, *, version: int | None = None) -> bool:
        current = self._entries.get(key)
        stored = current.version if current else 0
        if version is not None and version != stored:
            return False
        self._entries[key] = KvEntry(value=value, version=stored + 1)
        return True

    async def delete(self, key: str) -> None:
        self._entries.pop(key, None)


class Files:
    """The files of a channel; ``base`` is where a server of the test offers them."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.bodies: dict[str, bytes] = {}

    async def open(self, attachment_id: str) -> bytes:
        try:
            return self.bodies[attachment_id]
        except KeyError:
            raise Permanent("other", "there is no such file") from None

    def signed_url(self, attachment_id: str, *, seconds: float = 3600.0) -> str:
        return f"{self.base}/{attachment_id}?seconds={seconds:g}"


class Lines:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def info(self, event: str, **facts: Any) -> None:
        self.lines.append(("info", event, facts))

    def warning(self, event: str, **facts: Any) -> None:
        self.lines.append(("warning", event, facts))

    def error(self, event: str, **facts: Any) -> None:
        self.lines.append(("error", event, facts))


class SmallContext:
    """Implements ``hub.plugin.Context`` for one channel. ``at`` gives one bound to a delivery."""

    channel_id: str = "under-test"
    organisation: str = "main"

    def __init__(
        self,
        *,
        public: str = "https://hub.example/hooks/main/under-test",
        routes: Mapping[str, str] | None = None,
        allowed_hosts: Collection[str] = (),
        files: str = "https://hub.example/media",
        clock: SetClock | None = None,
    ) -> None:
        self.network = PluginHttp(routes=routes, allowed_hosts=allowed_hosts)
        self.time = clock or SetClock()
        self.files = Files(files)
        self.lines = Lines()
        self.http: Http = self.network
        self.clock: Clock = self.time
        self.kv: Kv = MemoryKv()
        self.media: Media = self.files
        self.log: Log = self.lines
        self.emitted: list[Delivery] = []
        self.verify: Verify = Verifier(Delivery(received_at=self.clock.now()), self.clock)
        self._public = public

    def at(self, delivery: Delivery, verify: Verify | None = None) -> SmallContext:
        """The context that ``ingest`` of this delivery is given."""
        bound = object.__new__(SmallContext)
        bound.__dict__ |= self.__dict__
        bound.verify = verify or Verifier(delivery, self.clock)
        return bound

    async def connect(
        self,
        host: str,
        port: int,
        *,
        tls: bool = True,
        timeout: float = 15.0,  # noqa: ASYNC109
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await self.network.connect(host, port, tls=tls, timeout=timeout)

    async def aclose(self) -> None:
        await self.network.aclose()

    async def emit(self, delivery: Delivery) -> None:
        self.emitted.append(delivery)

    async def run_blocking(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.to_thread(function, *args)

    def clean_html(self, html: str) -> SafeHtml:
        return clean(html)

    def public_url(self, path: str = "") -> str:
        return self._public + path
