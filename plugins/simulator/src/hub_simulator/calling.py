"""Calls as a simulated telephone company speaks of them: the JSON it delivers, and its meaning."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec import Struct

from hub.plugin import (
    Address,
    CallEnded,
    CallOutcome,
    CallStarted,
    Event,
    IngestResult,
    Malformed,
    MediaRef,
    Recording,
    Transcript,
    Voicemail,
)
from hub_simulator.numbers import display
from hub_simulator.phone import CallEnding, PhoneMessage, Step
from hub_simulator.settings import PhoneNumber
from hub_simulator.sms import Id, MediaItem

TYPES = (
    "call.started",
    "call.ended",
    "call.recording",
    "call.transcript",
    "call.voicemail",
    "call.report",
)


class Started(Struct, frozen=True, kw_only=True, tag_field="type", tag="call.started"):
    """A call rings. ``customer`` is missing where the number is withheld. ``caller_name`` is what
    the customer's network says of a customer who calls, if it says anything."""

    id: Id
    direction: Literal["in", "out"]
    business: PhoneNumber
    customer: PhoneNumber | None = None
    caller_name: str | None = None
    occurred_at: datetime | None = None


class Ended(Struct, frozen=True, kw_only=True, tag_field="type", tag="call.ended"):
    """A call is over; ``duration`` in seconds of talk."""

    id: Id
    outcome: CallEnding
    duration: float | None = None
    occurred_at: datetime | None = None


class Recorded(Struct, frozen=True, kw_only=True, tag_field="type", tag="call.recording"):
    """The recording of a call is there."""

    id: Id
    media: MediaItem
    duration: float | None = None


class Transcribed(Struct, frozen=True, kw_only=True, tag_field="type", tag="call.transcript"):
    """What was said: (seconds from the start, speaker, words) each."""

    id: Id
    turns: tuple[tuple[float | None, str, str], ...]


class LeftVoicemail(Struct, frozen=True, kw_only=True, tag_field="type", tag="call.voicemail"):
    """The caller left a message."""

    id: Id
    media: MediaItem | None = None
    duration: float | None = None
    text: str | None = None


class Reported(Struct, frozen=True, kw_only=True, tag_field="type", tag="call.report"):
    """What the company's own voice agent says of a call that it took."""

    id: Id
    summary: str
    facts: dict[str, str] = {}
    outcome: str | None = None
    follow_up: str | None = None
    due_at: datetime | None = None
    handed_over: bool = False


Told = Started | Ended | Recorded | Transcribed | LeftVoicemail | Reported


class _Envelope(Struct, frozen=True):
    type: str


def step(words: str, told: Told, at: datetime, ends: CallEnding | None = None) -> Step:
    """Tell the hub of ``told`` at that time; what ``ends`` the call there is its outcome."""
    body = msgspec.json.encode(told).decode()
    return Step(kind="event", at=at, words=words, body=body, ends=ends)


def body_of(number: str, message: PhoneMessage, step: Step) -> bytes:  # noqa: ARG001
    """Every step of a call brings its delivery."""
    return step.body.encode()


def read(body: bytes) -> IngestResult:
    """What a delivery says. Raises ``Malformed``."""
    try:
        kind = msgspec.json.decode(body, type=_Envelope).type
        if kind not in TYPES:
            return IngestResult(ignored=f"deliveries of type {kind[:80]!r} mean nothing here")
        told: Told = msgspec.json.decode(body, type=Told)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"not a delivery of the simulated provider: {error}") from error
    return IngestResult(events=(_event(told),))


def _event(told: Told) -> Event:
    match told:
        case Started():
            # Nobody is named who does not show their number, and a business that calls is known.
            names = told.direction == "in" and told.customer is not None
            return CallStarted(
                external_id=told.id,
                direction=told.direction,
                caller=() if told.customer is None else (_person(told.customer),),
                own_address=told.business,
                caller_name=(told.caller_name or None) if names else None,
                occurred_at=_zoned(told.occurred_at),
            )
        case Ended():
            return CallEnded(
                external_id=told.id,
                outcome=told.outcome,
                duration=told.duration,
                occurred_at=_zoned(told.occurred_at),
            )
        case Recorded():
            return Recording(external_id=told.id, media=_ref(told.media), duration=told.duration)
        case Transcribed():
            return Transcript(external_id=told.id, turns=told.turns)
        case LeftVoicemail():
            return Voicemail(
                external_id=told.id,
                media=None if told.media is None else _ref(told.media),
                duration=told.duration,
                text=told.text,
            )
        case Reported():
            return CallOutcome(
                external_id=told.id,
                summary=told.summary,
                facts=told.facts,
                outcome=told.outcome,
                follow_up=told.follow_up,
                due_at=_zoned(told.due_at),
                handed_over=told.handed_over,
            )


def _ref(item: MediaItem) -> MediaRef:
    return MediaRef(
        provider_id=item.id, name=item.name, content_type=item.content_type, size=item.size
    )


def _person(number: str) -> Address:
    return Address(scheme="phone", value=number, display=display(number), verified=True)


def _zoned(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
