"""Concurrency and instances: many at once, and several of one plugin, stay apart."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from hub.conformance.cases import SendCase
from hub.conformance.check import Failed, NotApplicable, check
from hub.conformance.payload import Payload, renamed, vary
from hub.conformance.settings import with_other_secrets
from hub.conformance.stage import PATIENCE, Instance, Outcome, Stage, all_of, is_call
from hub.plugin import Delivery, Outbound, Temporary
from hub.plugin.kit.recorded import NOW, Answer, Answering, Call, RecordedContext, nobody

AT_ONCE = 50
CANCELLED = 20


class Provider:
    """Answers each send with an id of its own, as recorded otherwise; without ``renaming`` with
    the recorded one."""

    def __init__(self, case: SendCase, *, renaming: bool = True) -> None:
        self._case = case
        self._renaming = renaming
        self.taken: dict[str, Call] = {}
        """The id that was given to each request."""
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> Answer:
        if not self._renaming:
            at = min(len(self.calls), len(self._case.exchanges) - 1)
            self.calls.append(call)
            return self._case.exchanges[at].response.answer()
        recorded = self._case.exchanges[-1].response.answer()
        known = str(self._case.expect["accepted"]["external_id"])
        name, body = _renamed(recorded.body, known, 1000 + len(self.calls))
        self.taken[name] = call
        self.calls.append(call)
        for _ in range(len(self.calls) % 3):
            await asyncio.sleep(0)
        return replace(recorded, body=body)


def _renamed(body: bytes, known: str, number: int) -> tuple[str, bytes]:
    """Another id than ``known``, and the provider's answer with that one."""
    if known.encode() in body:
        name = vary(known, number)
        return name, body.replace(known.encode(), name.encode())
    answer = Payload.of(Delivery(body=body, received_at=NOW))
    name, changed = renamed(answer, known, number) or (known, answer)
    return name, changed.make().body


def _answering(case: SendCase) -> Answering:
    return Provider(case) if case.exchanges else nobody


def _messages(stage: Stage, case: SendCase, count: int) -> list[tuple[Outbound, str]]:
    """The same message many times, each with an id and words of its own, which are beside it; a
    call, which has no words, with an address of its own."""
    made: list[tuple[Outbound, str]] = []
    for number in range(count):
        known = f"t-{number}"
        if is_call(case):
            address = case.message.address
            own = f"{address.value[:-4]}{1000 + number}"
            message = stage.message(case, id=known, address=replace(address, value=own))
        else:
            own = f"no. {number};"
            (part,) = case.message.wire[:1]
            message = stage.message(case, id=known, wire=(replace(part, text=own),))
        made.append((message, own))
    return made


def holds(call: Call, text: str) -> bool:
    """Whether a request carries a text, however it is written."""
    spoken = call.body.decode("utf-8", "replace")
    ways = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return any(way in spoken for way in ways) or any(text in value for _, value in call.form())


@check("CON-01", "Many sends at once stay apart", why="Sixteen may be under way.",
       on="outbound")  # fmt: skip
async def many_at_once(stage: Stage) -> None:
    """Fifty: each has an id of its own, and the request of that id has its words."""
    case = stage.accepted()
    if case.conversations:
        raise NotApplicable("a recorded connection carries one message")
    provider = _answering(case)
    messages = _messages(stage, case, AT_ONCE)
    async with stage.running(answering=provider, case=case) as one:
        outcomes: list[Outcome] = await all_of(one.send(message) for message, _ in messages)
    done = f"sent {AT_ONCE} messages at once"
    names = [getattr(outcome.value, "external_id", None) for outcome in outcomes]
    if None in names or len(set(names)) < AT_ONCE:
        wrong = next((outcome for outcome in outcomes if outcome.name != "answered"), names)
        raise Failed("crossed", done=done, expected=f"{AT_ONCE} ids", got=str(wrong)[:300])
    if not isinstance(provider, Provider):
        return
    for (_, text), name in zip(messages, names, strict=True):
        call = _request_of(provider, str(name))
        if call is None or not holds(call, text):
            raise Failed(
                "crossed",
                done=done,
                expected=f"the request answered with {name} to carry {text!r}",
                got=call.text()[-300:] if call else "no request of that name",
            )


def _request_of(provider: Provider, name: str) -> Call | None:
    """The request that was answered with ``name``; where the channel names messages itself (a
    Message-ID), the one that says so."""
    if len(provider.taken) == len(provider.calls) and name in provider.taken:
        return provider.taken[name]
    return next((call for call in provider.calls if holds(call, name)), None)


@check("CON-02", "Two instances share nothing", why="Two organisations may use one plugin.")
async def instances_share_nothing(stage: Stage) -> None:
    """With other secrets: each takes what is signed for it and sends with its own."""
    settings = stage.settings()
    others = with_other_secrets(settings, "-theirs")
    async with stage.running(settings) as one, stage.running(others) as other:
        if stage.can.verifies != "none" and stage.cases.sign is not None:
            await _keys_stay_apart(stage, one, other)
        if stage.can.outbound and any("accepted" in case.expect for case in stage.cases.send):
            await _sends_stay_apart(stage, one, other)


async def _keys_stay_apart(stage: Stage, one: Instance, other: Instance) -> None:
    for case in stage.posted()[:2]:
        for mine in (one, other, one):
            theirs = other if mine is one else one
            good = await mine.ingest(stage.signed(case.delivery, mine.settings))
            bad = await mine.ingest(stage.signed(case.delivery, theirs.settings))
            if good.name == "unverified" or bad.name != "unverified":
                raise Failed(
                    "shared",
                    done=f"gave two instances {case.name}, signed for each",
                    expected="each takes what is signed for it, and nothing else",
                    got=f"its own: {good}; the other's: {bad}",
                )


async def _sends_stay_apart(stage: Stage, one: Instance, other: Instance) -> None:
    case = stage.accepted()
    for each in (one, other):
        each.before(case, _answering(case))
    await all_of(each.send(stage.message(case)) for each in (one, other, one))
    for mine, theirs in ((one, other), (other, one)):
        foreign = set(theirs.secrets()) - set(mine.secrets())
        for call in mine.ctx.network.calls:
            if any(_whole(secret, call.text()) for secret in foreign):
                raise Failed(
                    "shared",
                    done="sent by two instances with other secrets",
                    expected="each to use its own",
                    got=f"{call.method} {call.url} with the other's secret",
                )


def _whole(secret: str, text: str) -> bool:
    """The secret itself, not the beginning of a longer one."""
    return secret in text.replace(f"{secret}-theirs", "")


async def _works(stage: Stage, one: Instance, code: str, done: str) -> None:
    """A delivery and a message, as far as it takes them."""
    outcomes: list[Outcome] = []
    if stage.can.inbound and stage.cases.ingest:
        case = stage.with_events()[0]
        outcomes.append(await one.ingest(stage.signed(case.delivery, one.settings)))
    if stage.can.outbound and any("accepted" in case.expect for case in stage.cases.send):
        sent = stage.accepted()
        one.before(sent, _answering(sent))
        outcomes.append(await one.send(stage.message(sent)))
    for outcome in outcomes:
        if outcome.name != "answered":
            raise Failed(code, done=done, expected="it works as before", got=str(outcome))


@check("CON-03", "One that stops leaves the other alone", why="A channel is taken out by itself.")
async def stopping_is_its_own(stage: Stage) -> None:
    """Two start, one stops, the other works."""
    async with stage.running() as other:
        async with stage.running() as one:
            await _works(stage, one, "not_working", "used the first of two instances")
        await _works(stage, other, "stopped_too", "stopped one of two instances, used the other")


@check("CON-04", "Reading at once is reading", why="A provider repeats itself while it waits.",
       on="inbound")  # fmt: skip
async def reading_at_once(stage: Stage) -> None:
    """Twenty times the same delivery, side by side with another."""
    cases = stage.with_events()
    for case, beside in zip(cases, [*cases[1:], cases[0]], strict=True):
        async with stage.running() as one:
            alone = await one.ingest(stage.delivery(case))
        async with stage.running() as one:
            mixed = [stage.delivery(each) for each in (case, beside) * 20]
            outcomes: list[Outcome] = await all_of(one.ingest(each) for each in mixed)
        for outcome in outcomes[::2]:
            if _names(outcome) != _names(alone):
                raise Failed(
                    "mixed_up",
                    done=f"ingested {case.name} and {beside.name} side by side",
                    expected=str(alone),
                    got=str(outcome),
                )


def _names(outcome: Outcome) -> list[Any]:
    return [(each["type"], each.get("external_id"), each.get("sender")) for each in outcome.events]


@check("CON-05", "Cancelled calls leave it usable", why="The hub gives up what takes too long.")
async def cancelled_calls(stage: Stage) -> None:
    """Twenty sends or deliveries, each cancelled after some steps."""
    async with stage.running() as one:
        for number in range(CANCELLED):
            task = asyncio.ensure_future(_something(stage, one))
            for _ in range(number % 7):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await asyncio.wait({task}, timeout=PATIENCE)
                task.exception()
        await _works(stage, one, "stuck", f"cancelled {CANCELLED} calls, and used it again")


async def _something(stage: Stage, one: Instance) -> None:
    if stage.can.outbound and any("accepted" in case.expect for case in stage.cases.send):
        case = stage.accepted()
        one.before(case, _answering(case))
        await one.begin("send", message=stage.message(case))
    elif stage.can.inbound and stage.cases.ingest:
        await one.ingest(stage.delivery(stage.cases.ingest[0]))


class _Broken(RecordedContext):
    """A context on which nothing works."""

    def __init__(self) -> None:
        super().__init__()
        self.kv = self  # type: ignore[assignment]

    async def get(self, key: str) -> Any:
        """Fails."""
        raise Temporary(f"{key} cannot be read")

    async def put(self, key: str, value: str, *, version: int | None = None) -> bool:  # noqa: ARG002
        """Fails."""
        raise Temporary(f"{key} cannot be written")

    async def delete(self, key: str) -> None:
        """Fails."""
        raise Temporary(f"{key} cannot be deleted")


@check("CON-06", "One that cannot start leaves the other alone", why="Its trouble is its own.")
async def failing_is_its_own(stage: Stage) -> None:
    """The start-up of one fails on a context on which nothing works."""
    async with stage.running() as other:
        broken = stage.make(stage.settings(), _Broken())
        if not broken.has("startup"):
            raise NotApplicable("it has no startup")
        await broken.call("startup")
        await _works(
            stage, other, "failed_too", "had another instance fail to start, used this one"
        )
        if broken.has("shutdown"):
            await broken.call("shutdown")
