"""What any other voice agent reports of a call, as JSON at the channel's address with ``/agent``.

Everything but the call's id may be missing, and several reports of one call add up.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from hub.plugin import (
    CallEnded,
    CallOutcome,
    CallStarted,
    Context,
    Delivery,
    Event,
    IngestResult,
    MediaRef,
    Recording,
    Transcript,
    Verification,
)
from hub.plugin.reading import Id, read_json
from hub_voice_twilio import numbers
from hub_voice_twilio.settings import Reports

PATH = "/agent"
Time = Annotated[datetime, Meta(tz=True)]
Seconds = Annotated[float, Meta(ge=0, le=1_000_000)]
Text = Annotated[str, Meta(max_length=100_000)]
Label = Annotated[str, Meta(max_length=200)]


class Turn(Struct, frozen=True):
    """Something that was said: by whom, and how many seconds after the beginning."""

    speaker: Label
    text: Text
    at: Seconds | None = None


class Report(Struct, frozen=True):
    """A report; README has an example. ``from`` and ``direction`` make the entry where Twilio has
    told nothing of the call; ``result`` says how it ended."""

    call: Id
    direction: Literal["in", "out"] = "in"
    from_: Label | None = field(default=None, name="from")
    to: Label | None = None
    started_at: Time | None = None
    ended_at: Time | None = None
    duration: Seconds | None = None
    result: Literal["answered", "missed", "busy", "failed", "voicemail", "canceled"] | None = None
    summary: Text = ""
    facts: Annotated[dict[Label, Text], Meta(max_length=100)] = field(
        default_factory=dict[str, str]
    )
    outcome: Text | None = None
    follow_up: Text | None = None
    due_at: Time | None = None
    handed_over: bool = False
    transcript: Annotated[tuple[Turn, ...], Meta(max_length=10_000)] = ()
    recording: Annotated[str, Meta(max_length=2000)] | None = None


def is_report(delivery: Delivery) -> bool:
    """Whether it came to the address of reports."""
    return urlsplit(delivery.url).path.endswith(PATH)


def proof(ctx: Context, reports: Reports) -> Verification:
    """That it comes from who has the key."""
    if reports.proof == "token":
        return ctx.verify.token(keys=reports.keys, header=reports.header, prefix=reports.prefix)
    return ctx.verify.hmac(keys=reports.keys, header=reports.header, prefix=reports.prefix)


def read(delivery: Delivery) -> IngestResult:
    """What a verified report tells. Raises ``Malformed``."""
    report = read_json(delivery, Report)
    events = tuple(_events(report))
    if not events:
        return IngestResult(ignored="the report says nothing of the call")
    return IngestResult(events=events)


def _events(report: Report) -> list[Event]:
    call = report.call
    events: list[Event] = []
    if report.from_ is not None or report.to is not None:
        customer, own = report.from_ or "", report.to or ""
        if report.direction == "out":
            customer, own = own, customer
        events.append(
            CallStarted(
                external_id=call,
                direction=report.direction,
                caller=numbers.caller(customer),
                own_address=numbers.own(own),
                occurred_at=report.started_at,
            )
        )
    if report.result is not None:
        events.append(
            CallEnded(
                external_id=call,
                outcome=report.result,
                duration=report.duration,
                occurred_at=report.ended_at,
            )
        )
    if any(
        (report.summary.strip(), report.facts, report.outcome, report.follow_up, report.handed_over)
    ):
        events.append(
            CallOutcome(
                external_id=call,
                summary=report.summary,
                facts=report.facts,
                outcome=report.outcome,
                follow_up=report.follow_up,
                due_at=report.due_at,
                handed_over=report.handed_over,
            )
        )
    if report.transcript:
        turns = tuple((one.at, one.speaker, one.text) for one in report.transcript)
        events.append(Transcript(external_id=call, turns=turns))
    if report.recording:
        sound = MediaRef(url=report.recording, name="Recording")
        events.append(Recording(external_id=call, media=sound, duration=report.duration))
    return events
