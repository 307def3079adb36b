"""A channel: one configured plugin, its loop, its health, and every call of its hooks.

Every answer of a plugin is checked here, once: what a hook raises becomes an error the hub knows,
what it returns has the right type, and nothing it says carries a secret. Several faults of a hook
in a row open its breaker: the hook is left alone for a while, then tried again. Another one that
works is not held up by it: a channel that cannot send still takes in.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal, TypeVar, cast

import msgspec
import pluggy
import structlog
from msgspec import Struct

from hub.flow.host.context import ChannelContext, StoredClock
from hub.flow.host.documents import LARGEST, Documents
from hub.flow.host.loops import (
    GRACE,
    ChannelLoop,
    HookTimeout,
    LoopsExhausted,
    Waits,
    run_here,
)
from hub.flow.host.sockets import (
    MOST,
    RESTART,
    Allowed,
    HeldSocket,
    PluginSocket,
    Refused,
    Wire,
)
from hub.flow.waiting import woken
from hub.plugin import (
    Accepted,
    Address,
    CallFacts,
    ComposeFacts,
    ComposeRules,
    CredentialsInvalid,
    Delivery,
    FetchedMedia,
    FetchRef,
    Finding,
    Health,
    HookError,
    HttpResponse,
    Info,
    IngestResult,
    Item,
    MediaRef,
    Outbound,
    Permanent,
    PollResult,
    Reconciled,
    Rendered,
    Reply,
    Route,
    RouteHandler,
    RouteReply,
    RouteRequest,
    SocketHandler,
    Surface,
    TemplateInfo,
    Temporary,
    Verification,
)
from hub.plugin.context import Verify
from hub.plugin.kit.answers import ANYTHING, LONGEST_DETAIL, checked, cleaned
from hub.plugin.kit.secrets import redact
from hub.plugin.kit.verify import Missing, Replayed, Verifier

T = TypeVar("T")
log = structlog.get_logger()


class Limits(Struct, frozen=True, kw_only=True):
    """Seconds each hook may take."""

    ingest: float = 10.0
    document: float = 5.0
    send: float = 30.0
    reconcile: float = 30.0
    fetch_media: float = 60.0
    poll: float = 60.0
    fetch: float = 60.0
    answer: float = 10.0
    templates: float = 30.0
    startup: float = 15.0
    health: float = 15.0
    check: float = 60.0
    route: float = 60.0
    handshake: float = 10.0
    """Until a WebSocket is accepted."""
    silence: float = 600.0
    """For which nobody says anything on a WebSocket."""
    farewell: float = 5.0
    """Which the handler of a WebSocket gets when the hub ends it."""


LIMITS = Limits()
State = Literal["ok", "degraded", "transient", "needs_attention", "off"]
WORSE: tuple[State, ...] = ("ok", "transient", "degraded", "needs_attention", "off")
"""From the best state to the worst."""
FAULTS = 5
"""Faults of a hook in a row that open its breaker."""
REST = 30.0
"""Seconds a breaker stays open before the hook is tried again."""
MOST_DOCUMENTS = 3
"""How often a delivery is read because something that verifies it was missing."""
TEMPLATES = 60.0
"""Seconds for which a provider's templates are taken to be as they were."""
LONGEST_FINDING = 1000
"""Characters of what a plugin says of its provider's settings."""
STEADY = 10.0
"""Seconds after which a hook that listens counts as one that works."""
INLINE_BODY = 64 * 1024
"""Bytes of the largest delivery that is read on the main loop."""
SLOW = 0.25
"""Seconds after which reading a delivery counts as too slow for the main loop."""
DRY_RUN = ", dry run"
"""After the name of a hook that a person tries: its faults are told, and no more."""


class PluginFault(Exception):
    """A plugin broke its promise: raised what is no error of the API, or returned nonsense."""


class ChannelResting(Exception):
    """The hook's breaker is open."""


class ChannelGone(ChannelResting):
    """The channel was taken out of the configuration."""


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
        inline: bool = False,
        version: str | None = None,
    ) -> None:
        self.organisation_id = organisation_id
        self.organisation = organisation
        self.id = id
        self.name = name
        self.info = info
        self.version = version
        """Of the plugin's distribution."""
        self.paused_reason: str | None = None
        """Why the channel does not send; it still takes in."""
        self.changed: Callable[[Channel], None] = lambda _channel: None
        self._hooks = manager.hook
        self._context = context
        self.secrets = secrets
        self._limits = limits
        self.inline = inline
        """Whether ``ingest`` runs where it is called: it is known to compute, and never to wait."""
        self._loop = ChannelLoop(f"{organisation}/{id}")
        self._loop.on_replaced = self._after_stuck_loop
        self._loop.on_stray = self._stray
        self._documents = Documents(self._document)
        self._asking = asyncio.Lock()
        self._templates: tuple[float, tuple[TemplateInfo, ...]] | None = None
        self._template_changes = 0
        """How often the provider has said that one has changed."""
        self._said = Health()
        """What the provider has said of the channel."""
        self._found = Health()
        """What the plugin has found when it was asked last."""
        self._unready: Health | None = None
        """Why the plugin could not start."""
        self._brings: dict[str, Health] = {}
        """What keeps ``poll`` or ``listen`` from bringing anything in."""
        self._off: str | None = None
        self._faults: Counter[str] = Counter()
        self._broken: dict[str, str] = {}
        """Hooks whose breaker has opened, and why, until they work again."""
        self._resting_until: dict[str, float] = {}
        self._told = Health()
        self._starting: asyncio.Task[None] | None = None
        self._routes: tuple[Route, ...] | None = None
        self._sockets: dict[HeldSocket, asyncio.Task[Any] | None] = {}
        self._under_way = 0
        self._leaving: asyncio.Event | None = None
        """Set once nothing is under way any more; there is one when the channel gives way."""
        self._successor: Channel | None = None

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
        if self._off is not None:
            return Health(state="off", reason=self._off)
        if self._broken:
            return Health(state="degraded", reason="; ".join(self._broken.values()))
        if self._unready is not None:
            return self._unready
        told = (self._said, self._found, *self._brings.values())
        return max(told, key=lambda one: WORSE.index(one.state))

    @property
    def lost(self) -> bool:
        """Whether it is off for good: only another instance may work again."""
        return self._off is not None

    @property
    def ready(self) -> bool:
        """Whether the plugin has started."""
        return self._unready is None

    @property
    def can_send(self) -> bool:
        """Whether the outbox may hand it messages now."""
        return (
            self.info.can.outbound
            and self.paused_reason is None
            and self._off is None
            and not self._rests("send")
        )

    def say(self, health: Health) -> None:
        """Show what was said of the channel; a fault of the plugin's is shown above it."""
        self._said = self._shown(health.state, health.reason)
        self._tell()

    def brings(self, hook: str, error: Exception | None) -> None:
        """Whether ``poll`` or ``listen`` works, by what it raised last."""
        if error is None:
            if self._brings.pop(hook, None) is None:
                return
        elif isinstance(error, CredentialsInvalid):
            reason = error.detail or "The provider refuses the channel's credentials."
            self._brings[hook] = self._shown("needs_attention", reason)
        else:
            passing = isinstance(error, Temporary)
            what = str(error) or type(error).__name__
            self._brings[hook] = self._shown(
                "transient" if passing else "degraded", f"{hook} failed: {what}"
            )
        self._tell()

    def _shown(self, state: State, reason: str | None) -> Health:
        """What may be shown to staff."""
        if reason is not None:
            reason = redact(reason, self.secrets)[:LONGEST_DETAIL]
        return Health(state=state, reason=reason or None)

    def pause(self, reason: str | None) -> None:
        """Stop sending (or go on, with ``None``)."""
        if self.current is not self:
            self.current.pause(reason)
            return
        self.paused_reason = reason
        self._tell()

    def _tell(self) -> None:
        """The pages are told when the channel's health is another."""
        if self._told != (health := self.health):
            self._told = health
            self.changed(self)

    def _rests(self, hook: str) -> bool:
        return time.monotonic() < self._resting_until.get(hook, 0.0)

    def _fault(self, hook: str, error: BaseException) -> PluginFault:
        """A promise broken: logged, counted, and perhaps the hook's breaker opens."""
        what = redact(f"{type(error).__name__}: {error}", self.secrets)[:LONGEST_DETAIL]
        self._log_fault("plugin.fault", hook=hook, error=what)
        if hook.endswith(DRY_RUN):
            return PluginFault(f"{hook.removesuffix(DRY_RUN)}: {what}")
        self._faults[hook] += 1
        if self._faults[hook] >= FAULTS:
            self._resting_until[hook] = time.monotonic() + REST
            self._broken[hook] = f"{hook} failed {self._faults[hook]} times in a row ({what})"
            self._tell()
        return PluginFault(f"{hook}: {what}")

    def _stray(self, what: str) -> None:
        """Something of the plugin's failed where nobody waited for it. From the channel's loop."""
        self._log_fault("plugin.stray", error=redact(what, self.secrets)[:LONGEST_DETAIL])

    def _log_fault(self, event: str, **facts: str) -> None:
        log.error(
            event,
            plugin=self.info.name,
            channel=self.id,
            organisation=self.organisation,
            **facts,
        )

    def _worked(self, hook: str) -> None:
        if self._faults.pop(hook, 0):
            self._resting_until.pop(hook, None)
            self._broken.pop(hook, None)
            self._tell()

    def _after_stuck_loop(self) -> None:
        try:
            _ = self._loop.bridge
        except LoopsExhausted:
            self._off = (
                "the plugin blocked its thread again and again; hub reload tries it again; restart "
                "the hub once its code is mended"
            )
            self._tell()
            return
        self._context.renew_http()
        self._starting = asyncio.create_task(self.startup())

    # ------------------------------------------------------------------ giving way

    def give_way(self, successor: Channel | None) -> None:
        """From now on another instance is the channel, or none is. What is under way is finished
        here; what comes later from somebody who still holds this one goes to the successor."""
        self._successor = successor
        self._leaving = asyncio.Event()
        self.end_sockets()
        self.changed = lambda _channel: None
        if successor is None:
            self._off = "It was taken out of the configuration."
        if not self._under_way:
            self._leaving.set()

    def end_sockets(self) -> None:
        """End every WebSocket: the channel gives way, or the hub stops."""
        for held in self._sockets:
            held.end(RESTART, "The channel begins anew, or stops.")

    async def leave(self) -> None:
        """Finish what is under way, then let go of everything."""
        if self._leaving is not None:
            await self._leaving.wait()
        await self.shutdown()

    @property
    def gone(self) -> bool:
        """Whether this instance has given way and finished what it did."""
        return self._leaving is not None and self._leaving.is_set()

    @property
    def current(self) -> Channel:
        """The instance that does the work: this one, or who has followed it."""
        return self._successor.current if self.gone and self._successor is not None else self

    # ------------------------------------------------------------------ calling hooks

    async def _call(
        self,
        hook: str,
        limit: float,
        kind: type[T],
        context: ChannelContext | None = None,
        *,
        inline: bool = False,
        **arguments: Any,
    ) -> T:
        """Call an asynchronous hook on the channel's loop, or ``inline`` where we are.

        Raises a ``HookError`` of the API (with secrets taken out), ``HookTimeout``,
        ``PluginFault``, ``ChannelResting`` or ``LoopsExhausted``.
        """
        if self._rests(hook):
            raise ChannelResting(self._broken.get(hook, ""))
        caller = getattr(self._hooks, hook)
        ctx = context or self._context

        def make() -> Coroutine[Any, Any, Any]:
            return caller(ctx=ctx, **arguments)

        return await self._watched(hook, make, limit, kind, inline=inline)

    async def _watched(
        self,
        hook: str,
        make: Callable[[], Coroutine[Any, Any, Any]],
        limit: float | None,
        kind: type[T],
        *,
        inline: bool = False,
    ) -> T:
        """Run something of the plugin's, and look at what comes of it."""
        if self.gone and hook != "shutdown":
            raise ChannelGone("the channel was taken out of the configuration")
        self._under_way += 1
        try:
            if inline:
                answer = await self._run_inline(hook, make, limit)
            else:
                answer = await self._loop.run(make, limit)
        except HookError as error:
            raise self._known(hook, error) from None
        except HookTimeout as error:
            self._fault(hook, error)
            raise
        except LoopsExhausted:
            raise
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            raise self._fault(hook, RuntimeError("it cancelled itself")) from None
        except Exception as error:
            raise self._fault(hook, error) from error
        finally:
            self._ended_one()
        return self._checked(hook, answer, kind)

    async def _for_long(self, hook: str, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run something of the plugin's that may take as long as it likes. When this is cancelled,
        it is waited for, but not for ever."""
        main = asyncio.get_running_loop()
        ended = asyncio.Event()

        async def work() -> None:
            try:
                await make()
            finally:
                main.call_soon_threadsafe(ended.set)

        self._under_way += 1
        try:
            await self._watched(hook, work, None, type(None))
        except asyncio.CancelledError:
            await woken(ended, GRACE)
            raise
        finally:
            self._ended_one()

    def _ended_one(self) -> None:
        self._under_way -= 1
        if self._leaving is not None and not self._under_way:
            self._leaving.set()

    async def _run_inline(
        self, hook: str, make: Callable[[], Coroutine[Any, Any, T]], limit: float | None
    ) -> T:
        """Run it where we are: to go over to another thread and back takes longer than it does. Was
        it not as quick as it should be, it is not run here again."""
        began = time.perf_counter()
        try:
            return run_here(make)
        except Waits:
            self.inline = False
        finally:
            if (took := time.perf_counter() - began) > SLOW:
                self.inline = False
                self._log_fault("plugin.slow", hook=hook, error=f"took {took:.3f} s")
        return await self._loop.run(make, limit)

    def _call_pure(self, hook: str, kind: type[T], *, dry_run: bool = False, **arguments: Any) -> T:
        """Call a synchronous hook where we are."""
        called = f"{hook}{DRY_RUN}" if dry_run else hook
        try:
            answer = getattr(self._hooks, hook)(ctx=self._context, **arguments)
        except HookError as error:
            raise self._known(called, error) from None
        except ANYTHING as error:
            raise self._fault(called, error) from error
        return self._checked(called, answer, kind)

    def _checked(self, hook: str, answer: object, kind: type[T]) -> T:
        try:
            right = checked(answer, kind)
        except Exception as error:
            raise self._fault(hook, error) from error
        self._worked(hook)
        return right

    def _known(self, hook: str, error: HookError) -> Exception:
        """An error of the API is an answer like any other."""
        try:
            known = cleaned(error, self.secrets)
        except TypeError as wrong:
            return self._fault(hook, wrong)
        self._worked(hook)
        return known

    # ------------------------------------------------------------------ the hooks

    async def startup(self) -> None:
        """Get ready. A channel that cannot says so, and is used all the same; it may be asked
        again."""
        if not self.has("startup"):
            return
        unready: Health | None = None
        try:
            await self._call("startup", self._limits.startup, type(None))
        except Temporary as error:
            unready = self._shown("transient", f"could not start: {error.detail}")
        except HookError as error:
            unready = self._shown("needs_attention", f"could not start: {error.detail}")
        except (PluginFault, HookTimeout, ChannelResting, LoopsExhausted) as error:
            unready = self._shown("degraded", f"could not start: {error}")
        self._unready = unready
        self._tell()

    async def shutdown(self) -> None:
        """Let go of everything."""
        self.end_sockets()
        if holding := {task for task in self._sockets.values() if task is not None}:
            await asyncio.wait(holding, timeout=self._limits.farewell + 2 * GRACE)
        if self.has("shutdown"):
            try:
                await self._call("shutdown", self._limits.startup, type(None))
            except (HookError, PluginFault, HookTimeout, ChannelResting, LoopsExhausted) as error:
                log.warning("channel.shutdown_failed", channel=self.id, error=str(error))
        await self._loop.stop()

    async def ingest(
        self, delivery: Delivery, proof: Verification | None = None, *, dry_run: bool = False
    ) -> Ingested:
        """Have the plugin read a delivery. ``proof``: of an earlier reading, for a replay, where
        the clock stands at the time of receipt. Never raises: the proof matters in any case.

        ``dry_run``: nothing that the plugin stores is kept, and nothing that goes wrong counts
        against the channel; nor does it wait for a breaker."""
        if self.current is not self:
            return await self.current.ingest(delivery, proof, dry_run=dry_run)
        ingested = await self._ingest(delivery, proof, dry_run=dry_run)
        tries = 0
        while isinstance(ingested.error, Missing) and tries < MOST_DOCUMENTS:
            tries += 1
            try:
                await self._documents.bring(ingested.error)
            except (HookError, PluginFault, HookTimeout, ChannelResting, LoopsExhausted) as error:
                return Ingested(None, error, None)
            ingested = await self._ingest(delivery, proof, dry_run=dry_run)
        return ingested

    async def _document(self, url: str) -> HttpResponse:
        limit = self._limits.document
        http = self._context.http
        return await self._watched(
            "verify",
            lambda: http.request("GET", url, timeout=limit, max_bytes=LARGEST),
            2 * limit,
            HttpResponse,
        )

    async def _ingest(
        self, delivery: Delivery, proof: Verification | None, *, dry_run: bool
    ) -> Ingested:
        clock = StoredClock(delivery.received_at)
        verify: Verify = (
            Verifier(delivery, clock, self._documents.bodies) if proof is None else Replayed(proof)
        )
        context = (self._context.aside if dry_run else self._context.about)(verify, clock)
        result: IngestResult | None = None
        error: Exception | None = None
        try:
            limit = self._limits.ingest
            if dry_run:
                result = await self._watched(
                    f"ingest{DRY_RUN}",
                    lambda: self._hooks.ingest(ctx=context, delivery=delivery),
                    limit,
                    IngestResult,
                )
            else:
                inline = self.inline and len(delivery.body) <= INLINE_BODY
                result = await self._call(
                    "ingest", limit, IngestResult, context, inline=inline, delivery=delivery
                )
        except (HookError, PluginFault, HookTimeout, ChannelResting, LoopsExhausted) as caught:
            error = caught
        found = verify.proof if isinstance(verify, Verifier) else proof
        if result is not None:
            found = result.verification or found
            if result.ignored is not None:
                ignored = redact(result.ignored, self.secrets)
                result = msgspec.structs.replace(result, ignored=ignored)
        return Ingested(result, error, found)

    async def send(self, message: Outbound, within: float | None = None) -> Accepted:
        """One attempt; ``within``: seconds, where it may not take as long as others."""
        if self.current is not self:
            return await self.current.send(message, within)
        return await self._call("send", within or self._limits.send, Accepted, message=message)

    async def reconcile(self, message: Outbound) -> Reconciled:
        """Did it go out?"""
        if self.current is not self:
            return await self.current.reconcile(message)
        return await self._call("reconcile", self._limits.reconcile, Reconciled, message=message)

    async def poll(self, cursor: str | None) -> PollResult:
        """What has arrived since."""
        return await self._call("poll", self._limits.poll, PollResult, cursor=cursor)

    async def listen(self) -> None:
        """Let the plugin hold its connection, until it ends or this is cancelled; then it is
        waited for, but not for ever."""
        if self._rests("listen"):
            raise ChannelResting(self._broken.get("listen", ""))
        steady = asyncio.get_running_loop().call_later(STEADY, self._steady, "listen")
        try:
            await self._for_long("listen", lambda: self._hooks.listen(ctx=self._context))
        finally:
            steady.cancel()

    def _steady(self, hook: str) -> None:
        self._worked(hook)
        self.brings(hook, None)

    async def fetch(self, ref: FetchRef) -> Delivery:
        """Get what ``ingest`` has named."""
        if self.current is not self:
            return await self.current.fetch(ref)
        return await self._call("fetch", self._limits.fetch, Delivery, ref=ref)

    async def answer(self, facts: CallFacts) -> Reply:
        """What to say to a provider that waits."""
        if self.current is not self:
            return await self.current.answer(facts)
        return await self._call("answer", self._limits.answer, Reply, facts=facts)

    async def templates(self) -> tuple[TemplateInfo, ...]:
        """The provider's templates, as they were a minute ago at the most."""
        if self.current is not self:
            return await self.current.templates()
        if not self.has("templates"):
            return ()
        async with self._asking:  # who opens a page while it is asked waits for the same answer
            now = time.monotonic()
            if self._templates is not None and now - self._templates[0] <= TEMPLATES:
                return self._templates[1]
            changes = self._template_changes
            found = await self._call("templates", self._limits.templates, tuple[TemplateInfo, ...])
            if changes == self._template_changes:  # else it was asked before the change
                self._templates = (now, found)
            return found

    def forget_templates(self) -> None:
        """The provider says that one of them has changed."""
        if self.current is not self:
            self.current.forget_templates()
            return
        self._templates = None
        self._template_changes += 1

    async def fetch_media(self, ref: MediaRef) -> FetchedMedia:
        """Get a file, by the plugin's own way or plainly by its address."""
        if self.current is not self:
            return await self.current.fetch_media(ref)
        if self.has("fetch_media"):
            return await self._call("fetch_media", self._limits.fetch_media, FetchedMedia, ref=ref)
        return await self._watched(
            "fetch_media", lambda: self._fetch_plainly(ref), self._limits.fetch_media, FetchedMedia
        )

    async def _fetch_plainly(self, ref: MediaRef) -> FetchedMedia:
        if ref.url is None:
            raise Permanent("other", "the channel cannot fetch this file")
        response = await self._context.http.request("GET", ref.url, redirects=3, timeout=50)
        if response.status != 200:
            if response.status >= 500 or response.status == 429:
                raise Temporary(f"the file's server answered {response.status}")
            raise Permanent("other", f"the file's server answered {response.status}")
        return FetchedMedia(body=response.body, content_type=response.headers.get("content-type"))

    async def check_health(self) -> Health:
        """Ask the plugin how the channel is, after it could start at last; how it is then. Never
        raises."""
        if self.current is not self:
            return await self.current.check_health()
        if not self.ready:
            await self.startup()
        if self.ready and self.has("health"):
            await self._ask_health()
        return self.health

    async def _ask_health(self) -> None:
        try:
            found = await self._call("health", self._limits.health, Health)
            self._found = self._shown(found.state, found.reason)
        except CredentialsInvalid as error:
            reason = error.detail or "The provider refuses the channel's credentials."
            self._found = self._shown("needs_attention", reason)
        except HookError as error:
            self._found = self._shown("transient", f"could not be checked: {error.detail}")
        except (PluginFault, HookTimeout, LoopsExhausted) as error:
            self._found = self._shown("degraded", f"could not be checked: {error}")
        except ChannelResting:
            return  # that is shown already
        self._tell()

    async def check(self) -> tuple[Finding, ...]:
        """What the provider says of the channel's settings; of a plugin that cannot ask for it, how
        the channel is. Never raises."""
        if not self.has("check"):
            if not self.has("health"):
                return (Finding(about="provider", state="unknown", detail="It cannot be asked."),)
            await self._ask_health()
            well = self._found.state == "ok"
            wrong: Literal["wrong", "unknown"] = (
                "wrong" if self._found.state == "needs_attention" else "unknown"
            )
            found = Finding(
                about="provider",
                state="ok" if well else wrong,
                detail=self._found.reason or "",
            )
            return (found,)
        try:
            findings = await self._call("check", self._limits.check, tuple[Finding, ...])
        except CredentialsInvalid as error:
            detail = error.detail or "The provider refuses them."
            return (Finding(about="credentials", state="wrong", detail=detail),)
        except Permanent as error:
            return (Finding(about="provider", state="wrong", detail=error.detail),)
        except (HookError, PluginFault, HookTimeout, ChannelResting, LoopsExhausted) as error:
            detail = f"It could not be asked: {error}"
            return (Finding(about="provider", state="unknown", detail=detail),)
        return tuple(self._finding(finding) for finding in findings)

    def _finding(self, finding: Finding) -> Finding:
        """What may be shown of it."""

        def line(text: str) -> str:
            return " ".join(redact(text, self.secrets).split())[:LONGEST_FINDING]

        return Finding(
            about=line(finding.about),
            state=finding.state,
            detail=line(finding.detail),
            advice=None if finding.advice is None else line(finding.advice),
        )

    def render(self, item: Item, surface: Surface, *, dry_run: bool = False) -> Rendered:
        """How something looks. ``dry_run``: nothing that goes wrong counts against the channel."""
        return self._call_pure("render", Rendered, dry_run=dry_run, item=item, surface=surface)

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
        return self._call_pure("own_addresses", tuple[Address, ...])

    def route(self, method: str, path: str) -> Route | None:
        """The channel's own route for a request, if it has one."""
        if not self.info.can.routes:
            return None
        if self._routes is None:
            self._routes = self._own_routes()
        return next(
            (route for route in self._routes if route.method == method and route.path == path),
            None,
        )

    def _own_routes(self) -> tuple[Route, ...]:
        """A channel whose routes cannot be had goes without: what is posted to it is taken in."""
        try:
            routes: tuple[Any, ...] = tuple(self._hooks.routes(ctx=self._context))
        except ANYTHING as error:
            self._fault("routes", error)
            return ()
        found = tuple(route for route in routes if isinstance(route, Route))
        if len(found) < len(routes):
            self._fault("routes", TypeError("returned something that is no Route"))
        return found

    async def answer_route(
        self, route: Route, request: RouteRequest, arrived: Delivery
    ) -> RouteReply:
        """Let the plugin answer a request to its own route; ``arrived``: the same as it came, for
        ``ctx.verify``. Raises ``ChannelGone`` if it has no such route any more."""
        if self.gone:
            route = self._same_route(self.current, route)
            return await self.current.answer_route(route, request, arrived)
        handler = cast("RouteHandler", route.handler)

        async def answer() -> RouteReply:
            return await handler(self._for_route(route, arrived), request)

        async def answered() -> RouteReply:
            limit = self._limits.route
            return await self._watched(f"route {route.path}", answer, limit, RouteReply)

        return await self._proving(answered)

    async def hold_socket(
        self,
        route: Route,
        request: RouteRequest,
        arrived: Delivery,
        wire: Wire,
        allowed: Allowed | None = None,
    ) -> None:
        """Let the plugin hold a WebSocket at its own route, until it is over, or ``allowed`` says
        that the client may no more. Raises ``Refused``, or what the plugin raises, if the socket
        was not opened; then nothing was answered yet."""
        if self._leaving is not None:
            successor = self._successor or self
            route = self._same_route(successor, route)
            return await successor.hold_socket(route, request, arrived, wire, allowed)
        if len(self._sockets) >= MOST:
            raise Refused(503, f"The channel holds {MOST} sockets, and takes no more.")
        limits = self._limits
        held = HeldSocket(
            wire,
            handshake=limits.handshake,
            silence=limits.silence,
            grace=limits.farewell,
        )
        handler = cast("SocketHandler", route.handler)
        main = asyncio.get_running_loop()

        async def hold() -> None:
            near = PluginSocket(held, main, request)
            try:
                await handler(self._for_route(route, arrived), near)
            except ConnectionResetError:
                if not near.over:
                    raise

        async def holding() -> None:
            await self._proving(
                lambda: self._for_long(f"route {route.path}", hold), lambda: not held.accepted
            )

        self._sockets[held] = asyncio.current_task()
        try:
            await held.hold(holding(), allowed)
        finally:
            del self._sockets[held]

    def _same_route(self, successor: Channel, route: Route) -> Route:
        """The route of who has followed this instance, if it is for the same people."""
        now = successor.route(route.method, route.path)
        allowed = (route.auth, route.capability)
        if successor is self or now is None or (now.auth, now.capability) != allowed:
            raise ChannelGone("the channel has no such route any more")
        return now

    def _for_route(self, route: Route, arrived: Delivery) -> ChannelContext:
        if route.auth == "member":
            return self._context
        clock = self._context.clock
        return self._context.about(Verifier(arrived, clock, self._documents.bodies), clock)

    async def _proving(
        self, make: Callable[[], Awaitable[T]], again: Callable[[], bool] = lambda: True
    ) -> T:
        """What ``make`` gives; once more, if something that verifies was missing."""
        for _ in range(MOST_DOCUMENTS):
            try:
                return await make()
            except Missing as missing:
                if not again():
                    raise
                await self._documents.bring(missing)
        return await make()
