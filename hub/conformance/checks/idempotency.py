"""Idempotency: the same thing has the same id however it comes, and no other thing has it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from hub.conformance.check import Failed, NeedsCase, NotApplicable, check
from hub.conformance.matching import as_expected
from hub.conformance.payload import Payload, renamed
from hub.conformance.stage import Outcome, Stage
from hub.plugin import Delivery

TRANSPORT = (
    ("Date", "Mon, 02 Mar 2026 11:00:00 GMT"),
    ("X-Request-Id", "77c1f0b2-0000-4000-8000-000000000002"),
    ("User-Agent", "another/2.0"),
)
RETRIES = (
    *(("X-Retry-Count", "1"), ("X-Attempt", "2"), ("X-Delivery-Attempt", "2")),
    *(("X-Slack-Retry-Num", "1"), ("Retry-Count", "1")),
)
"""How providers mark a delivery that comes again."""
NAMED = frozenset({"message", "call_started"})
"""What the hub makes an entry of, by its id."""


def ids(outcome: Outcome) -> list[Any]:
    """The ids that the events have of their own."""
    return [event.get("external_id") for event in outcome.events]


def _with(delivery: Delivery, headers: tuple[tuple[str, str], ...]) -> Delivery:
    names = {name.lower() for name, _ in headers}
    kept = (header for header in delivery.headers if header[0].lower() not in names)
    return replace(delivery, headers=(*kept, *headers))


@check("IDM-01", "A redelivery has the same ids", why="Or the message is there twice.",
       on="inbound")  # fmt: skip
async def redelivery_has_the_same_ids(stage: Stage) -> None:
    """The same body in another request."""
    for case in stage.with_events():
        async with stage.running() as one:
            first = await one.ingest(stage.delivery(case))
            again = await one.ingest(stage.signed(_with(case.delivery, TRANSPORT)))
        if ids(first) != ids(again):
            raise Failed(
                "other_id",
                done=f"ingested the case {case.name} again with other headers of the request",
                expected=str(ids(first)),
                got=str(ids(again)),
            )


@check("IDM-02", "Two messages never have one id", why="The second would be taken for the first.",
       on="inbound")  # fmt: skip
async def no_id_is_shared(stage: Stage) -> None:
    """All messages of all cases."""
    known: dict[str, str] = {}
    for case in stage.with_events():
        async with stage.running() as one:
            outcome = await one.ingest(stage.delivery(case))
        for event in outcome.events:
            if event["type"] != "message":
                continue
            before = known.setdefault(event["external_id"], case.name)
            if before != case.name:
                raise Failed(
                    "shared_id",
                    done=f"ingested the cases {before} and {case.name}",
                    expected="two ids",
                    got=f"{event['external_id']!r} for both",
                )


@check("IDM-03", "The same words twice are two messages", why="People repeat themselves.",
       on="inbound")  # fmt: skip
async def same_words_are_two_messages(stage: Stage) -> None:
    """A case again, with another id of the provider's and nothing else changed; calls likewise."""
    tried = 0
    for case in stage.with_events():
        payload, wanted = Payload.of(case.delivery), case.events[0].get("external_id")
        if case.events[0].get("type") not in NAMED or not wanted or case.signed:
            continue
        changed = renamed(payload, wanted, stage.random.randrange(1000, 9000))
        if changed is None:
            continue
        tried += 1
        async with stage.running() as one:
            first = await one.ingest(stage.delivery(case))
            second = await one.ingest(stage.signed(changed[1].make()))
        if ids(first) == ids(second) and second.events:
            raise Failed(
                "same_id",
                done=f"ingested the case {case.name}, and again with another id",
                expected="two ids",
                got=f"{ids(first)} for both",
            )
    if not tried:
        raise NeedsCase("no case expects a message or call whose external_id stands in the payload")


@check("IDM-04", "What comes again is taken in", why="The first may never have arrived.",
       on="inbound")  # fmt: skip
async def retries_are_taken_in(stage: Stage) -> None:
    """Deliveries that are marked as repeated."""
    for case in stage.with_events():
        async with stage.running() as one:
            first = await one.ingest(stage.delivery(case))
            again = await one.ingest(stage.signed(_with(case.delivery, RETRIES)))
        if as_expected(case, first) and not as_expected(case, again):
            raise Failed(
                "retry_dropped",
                done=f"ingested the case {case.name} marked as repeated",
                expected=str(first),
                got=str(again),
            )


@check("IDM-05", "A receipt names what send returned", why="Or nobody knows whose it is.",
       on="receipts")  # fmt: skip
async def receipts_name_what_was_sent(stage: Stage) -> None:
    """The ids of the accepted cases, put into the receipts."""
    accepted = stage.send_cases(lambda case: "accepted" in case.expect)
    tried = 0
    for case in stage.with_events():
        payload, wanted = Payload.of(case.delivery), case.events[0].get("external_id")
        places = [path for path, value in payload.leaves() if value == wanted]
        if case.events[0].get("type") != "receipt" or not wanted or not places or case.signed:
            continue
        for sent in accepted:
            tried += 1
            name = sent.expect["accepted"].get("external_id", wanted)
            changed = payload
            for place in places:
                changed = changed.put(place, name)
            async with stage.running() as one:
                outcome = await one.ingest(stage.signed(changed.make()))
            if not outcome.events or ids(outcome)[0] != name:
                raise Failed(
                    "other_name",
                    done=f"put the id of {sent.name} into the receipt {case.name}",
                    expected=name,
                    got=str(ids(outcome)) if outcome.events else str(outcome),
                )
    if not tried:
        raise NeedsCase("no case expects a receipt whose external_id stands in the payload")


@check("IDM-06", "Receipts mean the same in any order", why="They overtake one another.",
       on="receipts")  # fmt: skip
async def receipts_come_in_any_order(stage: Stage) -> None:
    """One instance, forwards, backwards, repeated."""
    cases = [
        case for case in stage.with_events() if any(e["type"] == "receipt" for e in case.events)
    ]
    if len(cases) < 2:
        raise NotApplicable("fewer than two cases expect receipts")
    alone: dict[str, Any] = {}
    for case in cases:
        async with stage.running() as one:
            alone[case.name] = (await one.ingest(stage.delivery(case))).events
    async with stage.running() as one:
        for case in (*cases, *reversed(cases), *cases):
            outcome = await one.ingest(stage.delivery(case))
            if outcome.events != alone[case.name]:
                raise Failed(
                    "stateful",
                    done=f"ingested {case.name} after other receipts",
                    expected=str(alone[case.name])[:300],
                    got=str(outcome),
                )
