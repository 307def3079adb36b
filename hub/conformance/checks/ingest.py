"""Ingest: what a provider sends is understood as it was meant, and the same every time.

Each case is judged once: by what it expects it belongs to one of these checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal, cast, get_args, get_origin

import msgspec
from msgspec.structs import replace

from hub.conformance.cases import IngestCase
from hub.conformance.check import Failed, NeedsCase, NotApplicable, check
from hub.conformance.matching import as_expected, expect_case
from hub.conformance.payload import Path, Payload, vary
from hub.conformance.settings import with_other_secrets
from hub.conformance.stage import Instance, Outcome, Stage
from hub.plugin import Event, IngestResult, Verification
from hub.plugin.kit.answers import checked
from hub.plugin.kit.verify import Replayed

Group = Literal["ignored", "handshake", "echo", "media only", "several", "one"]

ODD_TEXTS = {
    "emoji": "Danke 👩‍👩‍👧‍👦🏳️‍🌈 👍🏽",
    "right to left": "\u05e9\u05dc\u05d5\u05dd \u2067\u0645\u0631\u062d\u0628\u0627\u2069",
    "combining": "Z\u0351\u036b\u0343a\u0308 e\u0301",
    "a NUL": "before\x00after",
    "spaces": "  two at the front, one behind \n",
    "64 KB": "All work and no play. " * 2979,
}


def group_of(case: IngestCase) -> Group:
    """Which check judges a case."""
    if "ignored" in case.expect:
        return "ignored"
    if not case.events:
        return "handshake" if "reply" in case.expect else "one"
    if any(event.get("echo") for event in case.events):
        return "echo"
    first = case.events[0]
    if first.get("type") == "message" and first.get("media") and first.get("text") == "":
        return "media only"
    return "several" if len(case.events) > 1 else "one"


async def _judge(stage: Stage, group: Group, code: str) -> int:
    """How many cases of the group there are; each has to be read as it expects."""
    cases = [case for case in stage.ingest_cases() if group_of(case) == group]
    for case in cases:
        async with stage.running() as one:
            expect_case(case, await one.ingest(stage.delivery(case)), code)
    return len(cases)


async def _fine(one: Instance, stage: Stage, case: IngestCase) -> Outcome | None:
    """A case read; ``None`` if it is not as it expects, which is no matter of who asks."""
    outcome = await one.ingest(stage.delivery(case))
    return outcome if as_expected(case, outcome) else None


@check("ING-01", "Each case gives the expected events", why="It is the channel.", on="inbound")
async def cases_are_read(stage: Stage) -> None:
    """Every field that the case names."""
    if not await _judge(stage, "one", "other_events"):
        raise NeedsCase("no case in ingest/ gives one event")


@check("ING-02", "Changed values come out changed", why="A plugin may know its cases by heart.",
       on="inbound")  # fmt: skip
async def changed_values_come_out(stage: Stage) -> None:
    """Every expected value that stands in the payload is replaced there, and has to come out."""
    tried = 0
    for case in stage.with_events():
        payload = Payload.of(case.delivery)
        wanted = dict(_replaced(case, payload, stage.random.randrange(1000, 9000)))
        if not wanted or case.signed:
            continue
        tried += 1
        values = dict(wanted.values())
        for path, value in list(payload.leaves()):
            if isinstance(value, str) and value in values:
                payload = payload.put(path, values[value])
        async with stage.running() as one:
            outcome = await one.ingest(stage.signed(payload.make()))
        events: Any = outcome.events
        for place, (old, new) in wanted.items():
            got = _at(events, place)
            told = not events or cast("int", place[0]) < len(events)
            if got != new and told:
                raise Failed(
                    "other_value",
                    done=f"replaced {old!r} in the case {case.name} by {new!r}",
                    expected=f"{new!r} in event {'.'.join(map(str, place))}",
                    got=repr(got) if outcome.events else str(outcome),
                )
    if not tried:
        raise NeedsCase("no value of an expected event stands in its payload as it is")


def _replaced(
    case: IngestCase, payload: Payload, number: int
) -> Iterator[tuple[Path, tuple[str, str]]]:
    """Where in the expected events values stand that are found in the payload, with others.

    Not those out of a closed list, nor those whose meaning shows elsewhere in the events (a text
    that is a STOP)."""
    inside = {value for _, value in payload.leaves() if isinstance(value, str)}
    expected = [*_strings(case.events, ())]
    derived = [value for _, value in expected if value not in inside]
    for place, value in expected:
        means_more = any(value.strip() in each for each in derived if value.strip())
        other = vary(value, number)
        if value in inside and place[-1] not in CLOSED and not means_more and other != value:
            yield place, (value, other)


def _strings(value: Any, at: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for name, each in cast("dict[str, Any]", value).items():
            yield from _strings(each, (*at, name))
    elif isinstance(value, list):
        for number, each in enumerate(cast("list[Any]", value)):
            yield from _strings(each, (*at, number))
    elif isinstance(value, str):
        yield at, value


def _at(value: Any, place: Path) -> Any:
    for step in place:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _closed() -> Iterator[str]:
    """Fields whose values come out of a list, or are written in a way of their own."""
    yield from ("type", "scheme", "content_type", "occurred_at", "due_at", "display")
    for event in get_args(Event):
        for field in msgspec.structs.fields(event):
            kinds = [field.type, *get_args(field.type)]
            if any(get_origin(kind) is Literal for kind in kinds):
                yield field.name


CLOSED = frozenset(_closed())


@check("ING-03", "The same bytes give the same events", why="Any delivery may be read again.",
       on="inbound")  # fmt: skip
async def it_is_repeatable(stage: Stage) -> None:
    """Twice by one instance, once by another."""
    for case in stage.ingest_cases():
        seen: list[Any] = []
        for times in (2, 1):
            async with stage.running() as one:
                for _ in range(times):
                    outcome = await one.ingest(stage.delivery(case))
                    seen.append((outcome.events, outcome.name))
        if any(each != seen[0] for each in seen):
            raise Failed(
                "not_repeatable",
                done=f"ingested the case {case.name} three times",
                expected="the same result each time",
                got=" / ".join(map(str, seen))[:500],
            )


@check("ING-04", "Events are declared and of their types", why="The hub refuses all others.",
       on="inbound")  # fmt: skip
async def events_are_declared(stage: Stage) -> None:
    """Tags are in ``INFO.emits``; a Struct does not look at its types, the hub does."""
    for case in stage.ingest_cases():
        async with stage.running() as one:
            outcome = await one.ingest(stage.delivery(case))
        if not isinstance(outcome.value, IngestResult):
            continue
        done = f"ingested the case {case.name}"
        try:
            checked(outcome.value, IngestResult)
        except (TypeError, ValueError) as error:
            raise Failed(
                "wrong_type", done=done, expected="values of the declared types", got=str(error)
            ) from error
        for event in outcome.value.events:
            tag = str(event.__struct_config__.tag)
            if tag not in stage.info.emits:
                expected = f"events of INFO.emits: {', '.join(sorted(stage.info.emits))}"
                raise Failed("undeclared", done=done, expected=expected, got=tag)


@check("ING-05", "What means nothing here is ignored", why="Providers add types without notice.",
       on="inbound")  # fmt: skip
async def unknown_is_ignored(stage: Stage) -> None:
    """Cases that expect ``ignored``, with a reason and without an event."""
    if not await _judge(stage, "ignored", "not_ignored"):
        raise NotApplicable("no case in ingest/ expects to be ignored")


@check("ING-06", "Fields that are not known are passed over", why="Providers add fields, too.",
       on="inbound")  # fmt: skip
async def extra_fields_are_tolerated(stage: Stage) -> None:
    """One more in every object changes nothing."""
    await _unmoved_by(stage, {"ZzAddedTomorrow": "something new"}, "strict")


async def _unmoved_by(stage: Stage, fields: dict[str, str], code: str) -> None:
    tried = 0
    for case in stage.with_events():
        payload = Payload.of(case.delivery)
        if payload.kind == "other" or case.signed:
            continue
        tried += 1
        for name, value in fields.items():
            payload = payload.add(name, value)
        async with stage.running() as one:
            before = await _fine(one, stage, case)
            after = await one.ingest(stage.signed(payload.make()))
        if before is not None and not as_expected(case, after):
            raise Failed(
                code,
                done=f"added {', '.join(fields)} to the case {case.name}",
                expected=str(before),
                got=str(after),
            )
    if not tried:
        raise NotApplicable("no case is JSON or a form")


@check("ING-07", "A field that is left out or null breaks nothing", why="Optional fields are.",
       on="inbound")  # fmt: skip
async def fields_may_be_missing(stage: Stage) -> None:
    """Each in turn: events, ``ignored`` or ``Malformed``."""
    tried = 0
    async with stage.running() as one:
        for case in stage.with_events():
            payload = Payload.of(case.delivery)
            for path in payload.fields():
                tried += 1
                gone = [("left out", payload.without(path))]
                if payload.kind == "json":
                    gone.append(("null", payload.put(path, None)))
                for how, changed in gone:
                    await _no_crash(stage, one, changed, f"{case.name}, {payload.name(path)} {how}")
    if not tried:
        raise NotApplicable("no case is JSON or a form")


async def _no_crash(stage: Stage, one: Instance, changed: Payload, what: str) -> None:
    outcome = await one.ingest(stage.signed(changed.make()))
    if not outcome.declared:
        raise Failed(
            "crash",
            done=f"ingested {what}",
            expected="events, ignored, or Malformed",
            got=str(outcome),
        )


@check("ING-08", "Times have a zone and are the provider's", why="Entries stand in their order.",
       on="inbound")  # fmt: skip
async def times_are_the_providers(stage: Stage) -> None:
    """A delivery that is received later tells of the same time."""
    for case in stage.with_events():
        async with stage.running() as one:
            delivery = stage.delivery(case)
            first = await one.ingest(delivery)
            received = delivery.received_at + timedelta(seconds=1)
            second = await one.ingest(replace(delivery, received_at=received))
        done = f"ingested the case {case.name}"
        for event in first.value.events if isinstance(first.value, IngestResult) else ():
            at = getattr(event, "occurred_at", None)
            if at is not None and at.tzinfo is None:
                raise Failed("naive", done=done, expected="a time with a zone", got=str(at))
        times = [each.get("occurred_at") for each in first.events]
        again = [each.get("occurred_at") for each in second.events]
        if second.events and times != again:
            raise Failed(
                "clock",
                done=f"{done}, once received a second later",
                expected=f"{times}",
                got=f"{again}: the clock's time, not the provider's",
            )


@check("ING-09", "Several events of one delivery are all there", why="Providers send batches.",
       on="inbound")  # fmt: skip
async def several_are_all_there(stage: Stage) -> None:
    """In their order."""
    if not await _judge(stage, "several", "not_all"):
        raise NotApplicable("no case in ingest/ gives several events")


@check("ING-10", "Nothing is fetched during ingest", why="The provider waits, and it is replayed.",
       on="inbound")  # fmt: skip
async def nothing_is_fetched(stage: Stage) -> None:
    """Files are named; the hub fetches them later."""
    async with stage.running() as one:
        for case in stage.ingest_cases():
            outcome = await one.ingest(stage.delivery(case))
            if outcome.calls:
                raise Failed(
                    "fetched",
                    done=f"ingested the case {case.name}",
                    expected="no request",
                    got=f"{outcome.calls[0].method} {outcome.calls[0].url}",
                )


@check("ING-11", "A message of files alone has an empty text", why="People send pictures.",
       on="media_in")  # fmt: skip
async def files_alone(stage: Stage) -> None:
    """It is neither dropped nor given words."""
    if "message" not in stage.info.emits:
        raise NotApplicable("it tells of no messages")
    if not await _judge(stage, "media only", "not_as_sent"):
        raise NeedsCase('no case in ingest/ expects a message with media and the text ""')


@check("ING-12", "What the business wrote itself is an echo", why="It is no customer's message.",
       on="inbound")  # fmt: skip
async def echoes_are_echoes(stage: Stage) -> None:
    """Cases that expect ``echo``."""
    if not await _judge(stage, "echo", "not_an_echo"):
        raise NotApplicable("no case in ingest/ expects an echo")


@check("ING-13", "Texts survive as they are", why="People write in every script.", on="inbound")
async def texts_survive(stage: Stage) -> None:
    """Emoji, right to left, combining marks, NUL, spaces, 64 KB."""
    for case in stage.with_events():
        payload = Payload.of(case.delivery)
        text = case.events[0].get("text")
        places = [path for path, value in payload.leaves() if value == text and text]
        if not places or len(case.events) > 1 or case.signed:
            continue
        async with stage.running() as one:
            for name, odd in ODD_TEXTS.items():
                changed = payload
                for place in places:
                    changed = changed.put(place, odd)
                outcome = await one.ingest(stage.signed(changed.make()))
                got = outcome.events[0].get("text") if outcome.events else None
                if got != odd:
                    raise Failed(
                        "other_text",
                        done=f"ingested the case {case.name} with a text of {name}",
                        expected=repr(odd)[:200],
                        got=repr(got)[:200] if outcome.events else str(outcome)[:200],
                    )
        return
    raise NeedsCase("no case in ingest/ expects a message whose text stands in the payload")


@check("ING-14", "A handshake is answered", why="The provider switches the webhook off.",
       on="inbound")  # fmt: skip
async def handshake_is_answered(stage: Stage) -> None:
    """Cases that expect a ``reply`` and no event."""
    if not await _judge(stage, "handshake", "not_answered"):
        raise NotApplicable("no case in ingest/ expects a reply alone")


@check("ING-16", "A stored delivery is read again", why="hub replay, long after, secrets changed.",
       on="inbound")  # fmt: skip
async def it_can_be_replayed(stage: Stage) -> None:
    """With the proof that was stored, the time of receipt, and other secrets since."""
    for case in stage.with_events():
        async with stage.running() as one:
            delivery = stage.delivery(case)
            first = await _fine(one, stage, case)
        if first is None:
            continue
        proof = first.proof or Verification.custom("the channel verifies nothing")
        settings = with_other_secrets(stage.settings(), "-rotated")
        async with stage.running(settings) as other:
            source = "fetch" if delivery.source == "fetch" else "replay"
            again = await other.ingest(replace(delivery, source=source), Replayed(proof))
        if not as_expected(case, again):
            raise Failed(
                "not_replayed",
                done=f"ingested the case {case.name} again with its proof, the secrets rotated",
                expected=str(first),
                got=str(again),
            )
