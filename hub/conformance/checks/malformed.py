"""Malformed: whatever arrives is understood, ignored or refused, and nothing breaks."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Iterator

from msgspec.structs import replace

from hub.conformance.calibration import slowness
from hub.conformance.cases import IngestCase
from hub.conformance.check import Failed, NeedsCase, NotApplicable, check
from hub.conformance.payload import Path, Payload, vary
from hub.conformance.stage import Instance, Outcome, Stage
from hub.plugin import Delivery

POINTS = 20
DEPTH = 200_000
LARGE = 5_000_000
LARGE_SECONDS = 1.0
LARGE_MEMORY = 30
"""Times the body's length."""
RETYPED = (7, -1.5, True, "text", list[str](), ["a", "list"], {"an": "object"})


def attempt_to_sign(stage: Stage, delivery: Delivery) -> Delivery | None:
    """Signed; ``None`` where the provider itself could not sign such a thing."""
    try:
        return stage.signed(delivery)
    except NeedsCase:
        raise
    except Exception:  # noqa: BLE001 — the author's signer, on what is no delivery
        return None


async def _survives(stage: Stage, one: Instance, delivery: Delivery, what: str) -> Outcome | None:
    """Events, ``ignored``, or an error of the API."""
    signed = attempt_to_sign(stage, delivery)
    if signed is None:
        return None
    outcome = await one.ingest(signed)
    if not outcome.declared:
        raise Failed(
            "crash",
            done=f"ingested {what}",
            expected="events, ignored, or Malformed",
            got=str(outcome),
        )
    return outcome


def of_each_type(stage: Stage) -> list[IngestCase]:
    """A case of each method and content type."""
    found: dict[str, IngestCase] = {}
    for case in stage.with_events():
        found.setdefault(f"{case.delivery.method} {case.delivery.header('content-type')}", case)
    return list(found.values())


@check("BAD-01", "Half a body breaks nothing", why="Connections break.", on="inbound")
async def half_a_body(stage: Stage) -> None:
    """Empty, of another content type, cut at 20 points."""
    for case in stage.with_events():
        delivery, body = case.delivery, case.delivery.body
        other = tuple(
            (name, "application/x-unheard-of" if name.lower() == "content-type" else value)
            for name, value in delivery.headers
        )
        async with stage.running() as one:
            await _survives(stage, one, replace(delivery, body=b""), f"{case.name}, empty")
            await _survives(
                stage, one, replace(delivery, headers=other), f"{case.name}, of another type"
            )
            for point in range(1, POINTS):
                at = len(body) * point // POINTS
                cut = replace(delivery, body=body[:at])
                await _survives(stage, one, cut, f"{case.name}, cut after {at} bytes")


@check("BAD-02", "Deep nesting breaks nothing", why="It exhausts the stack.", on="inbound")
async def deep_nesting(stage: Stage) -> None:
    """200,000 levels, of lists and of objects."""
    tried = 0
    async with stage.running() as one:
        for case in of_each_type(stage):
            if Payload.of(case.delivery).kind != "json":
                continue
            tried += 1
            for start in (b"[", b'{"a":'):
                deep = replace(case.delivery, body=start * DEPTH)
                await _survives(stage, one, deep, f"{DEPTH:,} times {start.decode()!r}")
    if not tried:
        raise NotApplicable("no case is JSON")


def _texts(case: IngestCase, payload: Payload) -> list[Path]:
    text = case.events[0].get("text")
    return [path for path, value in payload.leaves() if text and value == text]


def _with_text(stage: Stage) -> Iterator[tuple[IngestCase, Payload, list[Path]]]:
    """Cases whose text stands in the payload."""
    for case in stage.with_events():
        payload = Payload.of(case.delivery)
        places = _texts(case, payload)
        if places and not case.signed:
            yield case, payload, places


@check("BAD-03", "A large body costs time and memory in proportion", why="It may be an attack.",
       on="inbound")  # fmt: skip
async def large_body(stage: Stage) -> None:
    """Five megabytes of text."""
    for case, payload, places in _with_text(stage):
        changed = payload
        for place in places:
            changed = changed.put(place, "all work and no play " * (LARGE // 21))
        delivery = stage.signed(changed.make())
        async with stage.running() as one:
            begun = time.thread_time()
            await one.ingest(delivery)
            seconds = (time.thread_time() - begun) / slowness()
            tracemalloc.start()
            await one.ingest(delivery)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        done = f"ingested the case {case.name} with a text of 5 MB"
        if seconds > LARGE_SECONDS:
            got = f"{seconds:.1f} s"
            raise Failed("slow", done=done, expected=f"at most {LARGE_SECONDS:g} s", got=got)
        if peak > LARGE_MEMORY * len(delivery.body):
            got = f"{peak / len(delivery.body):.0f} times"
            expected = f"at most {LARGE_MEMORY} times the body's length in memory"
            raise Failed("memory", done=done, expected=expected, got=got)
        return
    raise NeedsCase("no case expects a message whose text stands in the payload")


@check("BAD-04", "Broken text breaks nothing", why="It cannot be stored.", on="inbound")
async def broken_text(stage: Stage) -> None:
    """Bytes that are no UTF-8, halves of surrogate pairs; told events can be written."""
    tried = 0
    for case, payload, places in _with_text(stage):
        tried += 1
        marked = payload
        for place in places:
            marked = marked.put(place, "ZqMark")
        body = marked.make().body
        broken = [b"\xff\xfe", b"\xc3", b"\xed\xa0\x80"]
        broken.append(b"\\ud800 half" if payload.kind == "json" else b"%ED%A0%80 half")
        async with stage.running() as one:
            for bad in broken:
                delivery = replace(marked.make(), body=body.replace(b"ZqMark", bad))
                what = f"{case.name} with the text {bad!r}"
                outcome = await _survives(stage, one, delivery, what)
                told = json.dumps(outcome.events, ensure_ascii=False) if outcome else ""
                if any("\ud800" <= char <= "\udfff" for char in told):
                    raise Failed(
                        "surrogate",
                        done=f"ingested {what}",
                        expected="Malformed, or a text that can be written",
                        got=repr(told)[:300],
                    )
    if not tried:
        raise NeedsCase("no case expects a message whose text stands in the payload")


def _mutation(stage: Stage, payload: Payload) -> Payload:
    """One field dropped, of another type, swapped with another, or repeated."""
    chance = stage.random
    how = chance.choice(("drop", "retype", "swap", "repeat"))
    fields = [*payload.fields()] if how in {"drop", "repeat"} else []
    leaves = [] if fields else [path for path, _ in payload.leaves()]
    if how == "drop" and fields:
        return payload.without(chance.choice(fields))
    if how == "swap" and len(leaves) > 1:
        one, other = chance.sample(leaves, 2)
        first, second = payload.get(one), payload.get(other)
        return payload.put(one, second).put(other, first)
    if how == "repeat" and fields:
        at = chance.choice(fields)
        parent = payload.get(at[:-1])
        if isinstance(parent, list):
            return payload.put(at[:-1], [*parent, payload.get(at)])
        return payload.put(at, [payload.get(at), payload.get(at)])
    if not leaves:
        return payload
    other = chance.choice(RETYPED)
    return payload.put(chance.choice(leaves), other if payload.kind == "json" else str(other))


@check("BAD-05", "Changed fields break nothing", why="Providers change, and attackers try.",
       on="inbound")  # fmt: skip
async def changed_fields(stage: Stage) -> None:
    """Random changes of each case, from the seed."""
    tried = 0
    for case in stage.with_events():
        payload = Payload.of(case.delivery)
        if payload.kind == "other":
            continue
        async with stage.running() as one:
            for _ in range(stage.mutations):
                tried += 1
                changed = _mutation(stage, payload)
                for _ in range(stage.random.randrange(2)):
                    changed = _mutation(stage, changed)
                what = f"{case.name} changed to {changed.tree}"[:600]
                await _survives(stage, one, changed.make(), what)
    if not tried:
        raise NotApplicable("no case is JSON or a form")


@check("BAD-06", "A field that comes twice is not guessed at", why="Two readers take two values.",
       on="inbound")  # fmt: skip
async def repeated_fields(stage: Stage) -> None:
    """In a form: a second value for an id, a sender or a text is not told."""
    tried = 0
    for case in stage.with_events():
        payload = Payload.of(case.delivery)
        if payload.kind != "form" or case.signed:
            continue
        async with stage.running() as one:
            for name, value in list(payload.tree["body"]):
                if len(value) < 4:
                    continue
                tried += 1
                other = vary(value, stage.random.randrange(1000, 9000))
                twice = payload.add(name, other).make()
                outcome = await _survives(stage, one, twice, f"{case.name}, {name} twice")
                if outcome is not None and repr(other) in str(outcome.events):
                    raise Failed(
                        "guessed",
                        done=f"ingested {case.name} with a second value of {name}",
                        expected="Malformed, ignored, or the first",
                        got=str(outcome),
                    )
    if not tried:
        raise NotApplicable("no case is a form")


@check("BAD-07", "Strange numbers break nothing", why="JSON sets no bounds.", on="inbound")
async def strange_numbers(stage: Stage) -> None:
    """Huge ones, NaN, and numbers that are texts, in place of each value."""
    tried = 0
    async with stage.running() as one:
        for case in stage.with_events():
            payload = Payload.of(case.delivery)
            for path, _ in payload.leaves():
                if payload.kind == "other" or path[0] == "query":
                    continue
                for strange in (10**400, -(10**25), float("nan"), float("inf"), "1e999", "-0"):
                    tried += 1
                    value = strange if payload.kind == "json" else str(strange)
                    what = f"{case.name}, {payload.name(path)} = {str(strange)[:12]}"
                    await _survives(stage, one, payload.put(path, value).make(), what)
    if not tried:
        raise NotApplicable("no case is JSON or a form")


@check("BAD-08", "Nobody is no sender", why="All of them would be one contact.", on="inbound")
async def nobody_is_no_sender(stage: Stage) -> None:
    """A sender that is missing, empty or blank is no address."""
    tried = 0
    for case in stage.with_events():
        payload = Payload.of(case.delivery)
        async with stage.running() as one:
            outcome = await one.ingest(stage.delivery(case))
            told = [a["value"] for event in outcome.events for a in event.get("sender") or ()]
            for path, value in payload.leaves():
                if not isinstance(value, str) or value.strip().lower() not in told or case.signed:
                    continue
                for nobody in ("", "  "):
                    tried += 1
                    what = f"{case.name} with the sender {nobody!r}"
                    changed = payload.put(path, nobody).make()
                    found = await _survives(stage, one, changed, what)
                    for event in found.events if found else ():
                        empty = any(not a["value"].strip() for a in event.get("sender") or ())
                        if empty:
                            raise Failed(
                                "empty_sender",
                                done=f"ingested {what}",
                                expected="Malformed, or no sender at all",
                                got=str(found),
                            )
    if not tried:
        raise NotApplicable("no sender stands in a payload as it is told")
