"""A channel: one configured plugin, its loop, its health, and every call of its hooks.

Every answer of a plugin is checked here, once: what a hook raises becomes an error the hub knows,
what it returns has the right type, and nothing it says carries a secret. Several faults in a row
open the breaker: the channel is left alone for a while, then tried again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

import pluggy
import structlog
from msgspec import Struct

from hub.flow.host.context import ChannelContext, StoredClock, redact
from hub.flow.host.loops import ChannelLoop, HookTimeout, LoopsExhausted
from hub.plugin import (
    Accepted,
    Address,
    ComposeFacts,
    ComposeRules,
    Delivery,
    FetchedMedia,
    Health,
    HookError,
    Info,
    IngestResult,
    Item,
    MediaRef,
    Outbound,
    Reconciled,
    Rendered,
    Route,
    RouteReply,
    RouteRequest,
    Surface,
    Verification,
)
from hub.plugin.context import Verify
from hub.plugin.kit.verify import Replayed, Verifier

T = TypeVar("T")
log = structlog.get_logger()


class Limits(Struct, frozen=True, kw_only=True):
    """Seconds each hook may take."""

    ingest: float = 10.0
    send: float = 30.0
    reconcile: float = 30.0
    fetch_media: float = 60.0
    startup: float = 15.0
    health: float = 15.0
    route: float = 60.0


LIMITS = Limits()
FAULTS = 5
"""Faults in a row that open the breaker."""
REST = 30.0
"""Seconds the breaker stays open before the plugin is tried again."""


class PluginFault(Exception):
    """A plugin broke its promise: raised what is no error of the API, or returned nonsense."""


class ChannelResting(Exception):
    """The breaker is open."""


class Ingested(Struct, frozen=True):
    """What ``ingest`` made of a delivery, or what went wrong; the proof it had by then."""

    result: IngestResult | None
    error: Exception | None
    proof: Verification | None


class Channel:
    """A plugin switched on for an organisation. Use from the main loop."""

    def __init__(  # noqa: PLR0913 — it is put together in one place
        self,
        *,
        organisation_id: int,
        organisation: str,
        id: str,  # noqa: A002 — the field's own word
        name: str,
        info: Info,
        manager: pluggy.PluginManager,
        context: ChannelContext,
        secrets: tuple[str, ...],
        limits: Limits = LIMITS,
    ) -> None:
        self.organisation_id = organisation_id
        self.organisation = organisation
        self.id = id
        self.name = name
        self.info = info
        self.paused_reason: str | None = None
        """Why the channel does not send; it still takes in."""
        self.changed: Callable[[Channel], None] = lambda _channel: None
        self._hooks = manager.hook
        self._context = context
        self._secrets = secrets
        self._limits = limits
        self._loop = ChannelLoop(f"{organisation}/{id}")
        self._loop.on_replaced = self._after_stuck_loop
        self._health = Health()
        self._faults = 0
        self._resting_until = 0.0
        self._routes: tuple[Route, ...] | None = None

    @property
    def key(self) -> tuple[int, str]:
        """What names the channel: its organisation's id and its own."""
        return self.organisation_id, self.id

    def has(self, hook: str) -> bool:
        """Whether the plugin implements an optional hook."""
        return bool(getattr(self._hooks, hook).get_hookimpls())

    # ------------------------------------------------------------------ health

    @property
    def health(self) -> Health:
        """How the channel is, as staff see it."""
        if self.paused_reason is not None:
            return Health(state="needs_attention", reason=self.paused_reason)
        return self._health

    @property
    def can_send(self) -> bool:
        """Whether the outbox may hand it messages now."""
        return (
            self.info.can.outbound
            and self.paused_reason is None
            and self._health.state != "off"
            and time.monotonic() >= self._resting_until
        )

    def set_health(self, health: Health) -> None:
        """Say how the channel is; the pages are told when that is new."""
        if health != self._health:
            self._health = health
            self.changed(self)

    def pause(self, reason: str | None) -> None:
        """Stop sending (or go on, with ``None``)."""
        if reason != self.paused_reason:
            self.paused_reason = reason
            self.changed(self)

    def _fault(self, hook: str, error: Exception) -> PluginFault:
        """A promise broken: logged, counted, and perhaps the breaker opens."""
        what = redact(f"{type(error).__name__}: {error}", self._secrets)[:300]
        log.error(
            "plugin.fault",
            plugin=self.info.name,
            hook=hook,
            channel=self.id,
            organisation=self.organisation,
            error=what,
        )
        self._faults += 1
        if self._faults >= FAULTS:
            self._resting_until = time.monotonic() + REST
            self.set_health(
                Health(
                    state="degraded",
                    reason=f"{hook} failed {self._faults} times in a row ({what}); "
                    f"tried again every {REST:g} seconds",
                )
            )
        return PluginFault(f"{hook}: {what}")

    def _worked(self) -> None:
        if self._faults:
            self._faults = 0
            self._resting_until = 0.0
            if self._health.state == "degraded":
                self.set_health(Health())

    def _after_stuck_loop(self) -> None:
        try:
            _ = self._loop.loop
        except LoopsExhausted:
            self.set_health(
                Health(
                    state="off",
                    reason="the plugin blocked its thread again and again; restart the hub once "
                    "it is mended",
                )
            )
            return
        self._context.renew_http()
        if self.has("startup"):
            self._loop.spawn(self._hooks.startup(ctx=self._context))

    # ------------------------------------------------------------------ calling hooks

    async def _call(
        self,
        hook: str,
        limit: float,
        kind: type[T],
        context: ChannelContext | None = None,
        **arguments: Any,
    ) -> T:
        """Call an asynchronous hook on the channel's loop.

        Raises a ``HookError`` of the API (with secrets taken out), ``HookTimeout``,
        ``PluginFault`` or ``ChannelResting``.
        """
        if time.monotonic() < self._resting_until:
            raise ChannelResting(self._health.reason or "")
        caller = getattr(self._hooks, hook)
        ctx = context or self._context

        def make() -> Coroutine[Any, Any, Any]:
            return caller(ctx=ctx, **arguments)

        try:
            answer = await self._loop.run(make, limit)
        except HookError as error:
            self._worked()
            raise self._cleaned(error) from None
        except HookTimeout as error:
            self._fault(hook, error)
            raise
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            raise self._fault(hook, RuntimeError("it cancelled itself")) from None
        except Exception as error:
            raise self._fault(hook, error) from error
        if not isinstance(answer, kind):
            error = TypeError(f"returned {type(answer).__name__}, expected {kind.__name__}")
            raise self._fault(hook, error)
        self._worked()
        return answer

    def _call_pure(self, hook: str, kind: type[T], **arguments: Any) -> T:
        """Call a synchronous hook where we are."""
        try:
            answer = getattr(self._hooks, hook)(ctx=self._context, **arguments)
        except HookError as error:
            raise self._cleaned(error) from None
        except Exception as error:
            raise self._fault(hook, error) from error
        if not isinstance(answer, kind):
            error = TypeError(f"returned {type(answer).__name__}, expected {kind.__name__}")
            raise self._fault(hook, error)
        return answer

    def _cleaned(self, error: HookError) -> HookError:
        error.detail = redact(error.detail, self._secrets)[:300]
        error.args = (error.detail,)
        return error

    # ------------------------------------------------------------------ the hooks

    async def startup(self) -> None:
        """Get ready; a channel that cannot says so and is tried again with its first use."""
        if not self.has("startup"):
            return
        try:
            await self._call("startup", self._limits.startup, type(None))
        except HookError as error:
            self.set_health(Health(state="needs_attention", reason=error.detail))
        except (PluginFault, HookTimeout, ChannelResting) as error:
            self.set_health(Health(state="degraded", reason=f"could not start: {error}"))

    async def shutdown(self) -> None:
        """Let go of everything."""
        if self.has("shutdown"):
            try:
                await self._call("shutdown", self._limits.startup, type(None))
            except (HookError, PluginFault, HookTimeout, ChannelResting, LoopsExhausted) as error:
                log.warning("channel.shutdown_failed", channel=self.id, error=str(error))
        await self._loop.stop()

    async def ingest(self, delivery: Delivery, proof: Verification | None = None) -> Ingested:
        """Have the plugin read a delivery. ``proof``: of an earlier reading, for a replay, where
        the clock stands at the time of receipt. Never raises: the proof matters in any case."""
        clock = StoredClock(delivery.received_at)
        verify: Verify = Verifier(delivery, clock) if proof is None else Replayed(proof)
        context = self._context.about(verify, clock)
        result: IngestResult | None = None
        error: Exception | None = None
        try:
            result = await self._call(
                "ingest", self._limits.ingest, IngestResult, context, delivery=delivery
            )
        except (HookError, PluginFault, HookTimeout, ChannelResting, LoopsExhausted) as caught:
            error = caught
        found = verify.proof if isinstance(verify, Verifier) else proof
        if result is not None and result.verification is not None:
            found = result.verification
        return Ingested(result, error, found)

    async def send(self, message: Outbound) -> Accepted:
        """One attempt."""
        return await self._call("send", self._limits.send, Accepted, message=message)

    async def reconcile(self, message: Outbound) -> Reconciled:
        """Did it go out?"""
        return await self._call("reconcile", self._limits.reconcile, Reconciled, message=message)

    async def fetch_media(self, ref: MediaRef) -> FetchedMedia:
        """Get a file, by the plugin's own way or plainly by its address."""
        if self.has("fetch_media"):
            return await self._call("fetch_media", self._limits.fetch_media, FetchedMedia, ref=ref)
        return await self._loop.run(lambda: self._fetch_plainly(ref), self._limits.fetch_media)

    async def _fetch_plainly(self, ref: MediaRef) -> FetchedMedia:
        from hub.plugin import Permanent, Temporary  # noqa: PLC0415 — rare

        if ref.url is None:
            raise Permanent("other", "the channel cannot fetch this file")
        response = await self._context.http.request("GET", ref.url, redirects=3, timeout=50)
        if response.status != 200:
            if response.status >= 500 or response.status == 429:
                raise Temporary(f"the file's server answered {response.status}")
            raise Permanent("other", f"the file's server answered {response.status}")
        return FetchedMedia(body=response.body, content_type=response.headers.get("content-type"))

    async def check_health(self) -> Health:
        """Ask the provider."""
        return await self._call("health", self._limits.health, Health)

    def render(self, item: Item, surface: Surface) -> Rendered:
        """How something looks."""
        return self._call_pure("render", Rendered, item=item, surface=surface)

    def normalise(self, text: str) -> Address:
        """What a person typed, as an address. Raises ``BadAddress``."""
        return self._call_pure("normalise_address", Address, text=text)

    def compose_rules(self, facts: ComposeFacts) -> ComposeRules:
        """May one write now?"""
        if not self.has("compose_rules"):
            return ComposeRules()
        return self._call_pure("compose_rules", ComposeRules, facts=facts)

    def own_addresses(self) -> tuple[Address, ...]:
        """The organisation's own addresses."""
        if not self.has("own_addresses"):
            return ()
        return cast("tuple[Address, ...]", self._call_pure("own_addresses", tuple))

    def route(self, method: str, path: str) -> Route | None:
        """The channel's own route for a request, if it has one."""
        if not self.info.can.routes:
            return None
        if self._routes is None:
            self._routes = cast("tuple[Route, ...]", self._call_pure("routes", tuple))
        return next(
            (route for route in self._routes if route.method == method and route.path == path),
            None,
        )

    async def answer_route(self, route: Route, request: RouteRequest) -> RouteReply:
        """Let the plugin answer a request to its own route."""
        context = self._context

        async def answer() -> RouteReply:
            return await route.handler(context, request)

        try:
            reply = await self._loop.run(answer, self._limits.route)
        except HookError as error:
            raise self._cleaned(error) from None
        except HookTimeout:
            raise
        except Exception as error:
            raise self._fault(f"route {route.path}", error) from error
        if not isinstance(reply, RouteReply):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise self._fault(f"route {route.path}", TypeError("no RouteReply was returned"))
        return reply
