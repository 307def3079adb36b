"""Where checks are carried out: instances of the plugin, each with a ``ctx`` of its own on which
nothing reaches the network and the clock stands."""

from __future__ import annotations

import asyncio
import random
import time
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
import pluggy
from msgspec import Struct

from hub.conformance.cases import PUBLIC, Cases, IngestCase, SendCase, changed
from hub.conformance.check import Failed, NeedsCase, NotApplicable
from hub.conformance.guard import Guard
from hub.conformance.settings import settings_of
from hub.conformance.subject import Subject
from hub.plugin import (
    Address,
    Capabilities,
    Delivery,
    HookError,
    Info,
    IngestResult,
    Item,
    MediaRef,
    Outbound,
    Rendered,
    SafeHtml,
    Surface,
    Verification,
    Verify,
)
from hub.plugin.kit import checks
from hub.plugin.kit.recorded import Answering, Call, MemoryKv, RecordedContext, SetClock, nobody
from hub.plugin.kit.secrets import secrets_in

PATIENCE = 3.0
"""Seconds a hook may take here, where nothing it waits for takes any time."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of a hook: an answer, an error of the API, or a fault (anything else)."""

    value: Any = None
    error: HookError | None = None
    fault: BaseException | None = None
    calls: tuple[Call, ...] = ()
    proof: Verification | None = None

    @property
    def name(self) -> str:
        """In a word: ``answered``, ``malformed``, ``outcome_unknown``, or the fault's type."""
        if self.fault is not None:
            return type(self.fault).__name__
        return "answered" if self.error is None else snake(type(self.error).__name__)

    @property
    def declared(self) -> bool:
        """Whether it is something that the API knows."""
        return self.fault is None

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of an ``ingest``, as cases write them."""
        return plain(self.value)["events"] if isinstance(self.value, IngestResult) else []

    def __str__(self) -> str:
        if self.fault is not None:
            return f"{type(self.fault).__name__}: {self.fault}"[:400]
        if self.error is not None:
            facts = {name: value for name, value in vars(self.error).items() if value}
            return f"{type(self.error).__name__} {facts}"[:400]
        return str(plain(self.value))[:400]


def plain(value: Any) -> Any:
    """As JSON has it, and as cases write it."""
    return msgspec.to_builtins(value, enc_hook=_plainly)


def _plainly(value: object) -> Any:
    if isinstance(value, SafeHtml):
        return value.html
    if isinstance(value, Verification):
        return {"method": value.method, "detail": value.detail}
    return repr(value)


def snake(name: str) -> str:
    """``OutcomeUnknown`` as cases write it."""
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")


class Instance:
    """One plugin with its settings, its context, and every call of its hooks."""

    def __init__(
        self, stage: Stage, settings: Any, context: RecordedContext, manager: pluggy.PluginManager
    ) -> None:
        self.stage = stage
        self.settings = settings
        self.ctx = context
        self._manager = manager

    def before(self, case: SendCase, answering: Answering) -> None:
        """What there is before a case: ``answering`` for the provider, what is kept, its files."""
        self.ctx.network.answering = answering
        self.ctx.memory.entries |= MemoryKv(case.kv).entries
        self.ctx.files.bodies |= case.files
        self.ctx.conversations[:] = case.conversations

    @property
    def plugin(self) -> Any:
        """The instance itself."""
        (plugin,) = self._manager.get_plugins()
        return plugin

    def has(self, hook: str) -> bool:
        """Whether the plugin implements it."""
        return bool(getattr(self._manager.hook, hook).get_hookimpls())

    def begin(self, hook: str, **given: Any) -> Coroutine[Any, Any, Any]:
        """An asynchronous hook as it is, for who cancels it."""
        return getattr(self._manager.hook, hook)(ctx=self.ctx, **given)

    async def call(
        self, hook: str, context: RecordedContext | None = None, **given: Any
    ) -> Outcome:
        """An asynchronous hook, within the time that it may take."""
        before = len(self.ctx.network.calls)
        value, error, fault = None, None, None
        self.stage.guard.during = hook
        try:
            made = getattr(self._manager.hook, hook)(ctx=context or self.ctx, **given)
            value = await asyncio.wait_for(made, PATIENCE)
        except HookError as raised:
            error = raised
        except TimeoutError:
            fault = TimeoutError(f"{hook} did not end within {PATIENCE:g} s")
        except asyncio.CancelledError as raised:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            fault = raised
        except (Exception, SystemExit) as raised:  # noqa: BLE001 — a fault of the plugin's
            fault = raised
        finally:
            self.stage.guard.during = ""
        calls = tuple(self.ctx.network.calls[before:])
        return Outcome(value=value, error=error, fault=fault, calls=calls)

    def pure(self, hook: str, **given: Any) -> Outcome:
        """A synchronous hook."""
        self.stage.guard.during = hook
        try:
            return Outcome(value=getattr(self._manager.hook, hook)(ctx=self.ctx, **given))
        except HookError as raised:
            return Outcome(error=raised)
        except (Exception, SystemExit) as raised:  # noqa: BLE001
            return Outcome(fault=raised)
        finally:
            self.stage.guard.during = ""

    async def ingest(self, delivery: Delivery, verify: Verify | None = None) -> Outcome:
        """Have it read a delivery."""
        context = self.ctx.at(delivery, verify)
        outcome = await self.call("ingest", context, delivery=delivery)
        proof = getattr(context.verify, "proof", None)
        if isinstance(outcome.value, IngestResult):
            proof = outcome.value.verification or proof
        elif outcome.declared and outcome.error is None:
            wrong = TypeError(f"ingest returned {type(outcome.value).__name__}")
            return msgspec.structs.replace(outcome, fault=wrong)
        return msgspec.structs.replace(outcome, proof=proof)

    async def send(self, message: Outbound) -> Outcome:
        """One attempt."""
        return await self.call("send", message=message)

    async def fetch_media(self, ref: MediaRef) -> Outcome:
        """Get a file."""
        return await self.call("fetch_media", ref=ref)

    def render(self, item: Item, surface: Surface) -> Outcome:
        """How it looks."""
        outcome = self.pure("render", item=item, surface=surface)
        if outcome.declared and not isinstance(outcome.value, Rendered):
            wrong = TypeError(f"render returned {type(outcome.value).__name__}")
            return msgspec.structs.replace(outcome, fault=wrong)
        return outcome

    def normalise(self, text: str) -> Outcome:
        """What a person typed."""
        outcome = self.pure("normalise_address", text=text)
        if (
            outcome.error is None
            and outcome.fault is None
            and not isinstance(outcome.value, Address)
        ):
            wrong = TypeError(f"normalise_address returned {type(outcome.value).__name__}")
            return msgspec.structs.replace(outcome, fault=wrong)
        return outcome

    def secrets(self) -> tuple[str, ...]:
        """What must not be seen anywhere; a word too short would be found by chance."""
        return tuple(secret for secret in secrets_in(self.settings) if len(secret) >= 8)


class Stage:
    """For one check of one plugin."""

    def __init__(
        self, subject: Subject, cases: Cases, seed: str, guard: Guard, mutations: int
    ) -> None:
        self.mutations = mutations
        """Random changes of each case."""
        self.subject = subject
        self.cases = cases
        self.guard = guard
        self._broken = checks.check_class(subject.cls)
        self.random = random.Random(seed)  # noqa: S311 — to be repeated, not to be kept secret

    @property
    def info(self) -> Info:
        """What the plugin says it is."""
        return self.subject.info

    @property
    def can(self) -> Capabilities:
        """What it claims."""
        return self.info.can

    # ---- settings and instances

    def raw_settings(self, **change: Any) -> dict[str, Any]:
        """The example of valid settings, with changes."""
        return changed(self.cases.conformance.settings.valid, change)

    def settings(self, **change: Any) -> Any:
        """The same as the plugin is given them."""
        try:
            return settings_of(self.info.settings, self.raw_settings(**change))
        except msgspec.ValidationError as error:
            if not self.cases.conformance.settings.valid:
                words = "conformance.toml has no example of valid settings ([settings.valid])"
                raise NeedsCase(words) from error
            raise NotApplicable(f"the example of valid settings is refused: {error}") from error

    def make(self, settings: Any, context: RecordedContext) -> Instance:
        """An instance that was not started."""
        if self._broken:
            raise NotApplicable("the hub would not load the class: see the LOD checks")
        self.guard.during = "construction"
        try:
            manager = checks.manage(self.subject.cls, settings)
        except checks.LoadFailed as error:
            raise Failed(
                "construction_failed",
                done="made an instance with valid settings",
                expected="an instance",
                got=str(error),
            ) from error
        finally:
            self.guard.during = ""
        return Instance(self, settings, context, manager)

    @asynccontextmanager
    async def running(
        self,
        settings: Any = None,
        answering: Answering = nobody,
        case: SendCase | None = None,
        clock: SetClock | None = None,
    ) -> AsyncGenerator[Instance]:
        """An instance between start-up and shutdown; with what there is before ``case``."""
        public = f"{PUBLIC}/hooks/main/{self.info.name}"
        context = RecordedContext(
            answering=answering, clock=clock, public=public, documents=self.cases.documents
        )
        one = self.make(self.settings() if settings is None else settings, context)
        if case is not None:
            one.before(case, answering)
        await self.start(one)
        try:
            yield one
        finally:
            if one.has("shutdown"):
                await one.call("shutdown")

    async def start(self, one: Instance) -> None:
        """Start-up has to work on a context on which everything works."""
        outcome = await one.call("startup") if one.has("startup") else Outcome()
        if outcome.error is not None or outcome.fault is not None:
            raise Failed(
                "startup_failed", done="called startup", expected="no error", got=str(outcome)
            )

    # ---- deliveries

    def signed(self, delivery: Delivery, settings: Any = None) -> Delivery:
        """The delivery as the provider would sign it. ``verifies = "none"``, and what was fetched:
        as it is."""
        if self.can.verifies == "none" or delivery.source == "fetch":
            return delivery
        if self.cases.sign is None:
            raise NeedsCase("without sign.py no delivery can be signed")
        return self.cases.sign(delivery, self.settings() if settings is None else settings)

    def delivery(self, case: IngestCase) -> Delivery:
        """A case's, signed unless it carries a signature of the provider's own."""
        return case.delivery if case.signed else self.signed(case.delivery)

    def ingest_cases(self, wanted: Callable[[IngestCase], bool] | None = None) -> list[IngestCase]:
        """The recorded deliveries. Raises ``NeedsCase`` when there is none."""
        found = [case for case in self.cases.ingest if wanted is None or wanted(case)]
        if not found:
            raise NeedsCase("there is no such case in ingest/")
        return found

    def with_events(self) -> list[IngestCase]:
        """Those that tell of something."""
        return self.ingest_cases(lambda case: bool(case.events))

    def posted(self) -> list[IngestCase]:
        """Those of them that the provider posted itself."""
        found = [case for case in self.with_events() if case.delivery.source != "fetch"]
        if not found:
            raise NeedsCase("no case in ingest/ was posted and tells of something")
        return found

    # ---- messages

    def send_cases(self, wanted: Callable[[SendCase], bool]) -> list[SendCase]:
        """The recorded sends. Raises ``NeedsCase`` when there is none."""
        found = [case for case in self.cases.send if wanted(case)]
        if not found:
            raise NeedsCase("there is no such case in send/")
        return found

    def accepted(self) -> SendCase:
        """A text that goes out, or, where none does, a call; with a request to the provider, if any
        has one."""
        found = self.send_cases(
            lambda case: (
                "accepted" in case.expect
                and case.message.kind != "template"
                and (has_text(case) or is_call(case))
            )
        )
        found.sort(key=is_call)
        return next((case for case in found if case.exchanges), found[0])

    def over_http(self) -> SendCase:
        """The same; not applicable to a plugin that reaches its provider in another way."""
        case = self.accepted()
        if not case.exchanges:
            raise NotApplicable("its sends make no request by ctx.http")
        return case

    def message(self, case: SendCase, **change: Any) -> Outbound:
        """A case's message, with its deadline ahead of the clock."""
        change.setdefault("deadline", later(300))
        return msgspec.structs.replace(case.message, **change)


def has_text(case: SendCase) -> bool:
    """Whether words go out."""
    return any(part.text.strip() for part in case.message.wire)


def is_call(case: SendCase) -> bool:
    """Whether somebody is called."""
    return case.message.kind == "call"


def later(seconds: float) -> datetime:
    """A time by the clock of the stage."""
    return SetClock().now() + timedelta(seconds=seconds)


class Watch:
    """How long the loop was held, at most, by one step of a task."""

    def __init__(self) -> None:
        self.longest = 0.0

    def factory(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **more: Any,
    ) -> asyncio.Task[Any]:
        """A task factory that measures every step."""
        timed = cast("Coroutine[Any, Any, Any]", self._steps(coroutine))
        return asyncio.Task(timed, loop=loop, **more)

    @types.coroutine
    def _steps(
        self, coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any]
    ) -> Generator[Any, Any, Any]:
        value: Any = None
        error: BaseException | None = None
        while True:
            begun = time.perf_counter()
            try:
                thrown, error = error, None
                waits = coroutine.send(value) if thrown is None else coroutine.throw(thrown)
            except StopIteration as stop:
                return stop.value
            finally:
                self.longest = max(self.longest, time.perf_counter() - begun)
            try:
                value = yield waits
            except BaseException as raised:  # noqa: BLE001 — it is the coroutine's
                error = raised


async def all_of(awaitables: Iterable[Awaitable[Any]]) -> list[Any]:
    """All at once."""
    return list(await asyncio.gather(*awaitables))
