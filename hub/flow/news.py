"""From events about a message or call that is named by its provider's id to what the rules take."""

from __future__ import annotations

import hashlib
import math
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hub.plugin import (
    CallEnded,
    CallOutcome,
    CallTurn,
    Clicked,
    Deleted,
    Delivery,
    Edited,
    Malformed,
    MediaRef,
    Opened,
    Reaction,
    Recording,
    Transcript,
    Voicemail,
)
from hub.plugin.types import Address
from hub.rules import commands as c
from hub.rules import news
from hub.rules.addresses import canonical
from hub.rules.content import storable
from hub.store.ids import Ids

Telling = (
    Edited
    | Deleted
    | Reaction
    | Opened
    | Clicked
    | CallTurn
    | CallEnded
    | Recording
    | Transcript
    | Voicemail
    | CallOutcome
)
"""The events that tell something of a message or call."""

_LARGEST = 1 << 31
_encode = msgspec.json.Encoder(order="deterministic").encode


class Tells(Struct, frozen=True):
    """What an event tells of what (``external_id``), and the ``key`` by which it is known when it
    is told again."""

    external_id: str
    key: str
    news: news.News


def of_event(event: Telling, delivery: Delivery, ids: Ids) -> Tells:
    """Read an event of a delivery. Raises ``Malformed``."""
    about = event.to if isinstance(event, Reaction) else event.external_id
    if not about:
        raise Malformed("news of a message or call that name none")
    occurred = milliseconds(getattr(event, "occurred_at", None))
    at = int(delivery.received_at.timestamp() * 1000) if occurred is None else occurred
    match event:
        case Edited() | Deleted() | Reaction() | Opened() | Clicked():
            told: news.News = _of_message(event, at)
            known_by = told
        case _:
            told = _of_call(event, at, ids, delivery)
            # Without a time of its own the same thing said of a call is the same thing.
            known_by = replace(told, at=at if occurred is not None else 0)
    if isinstance(known_by, news.Recorded | news.VoicemailLeft):
        ref = known_by.media  # the same part is told again in another delivery
        known_by = replace(known_by, attachment_id=0, media=ref and replace(ref, delivery=None))
    key = hashlib.sha256(_encode(known_by)).hexdigest()[:32]
    return Tells(storable(about), key, told)


def _of_message(event: Edited | Deleted | Reaction | Opened | Clicked, at: int) -> news.MessageNews:
    match event:
        case Edited():
            html = None if event.html is None else storable(event.html.html)
            return news.Edit(at=at, text=storable(event.text), html=html)
        case Deleted():
            return news.Deletion(at=at)
        case Reaction(sender=[first, *_]):
            who = address(first)
            emoji = storable(event.emoji) if event.emoji else None
            return news.Reaction(
                at=at, scheme=who.scheme, value=who.value, display=who.display, emoji=emoji
            )
        case Reaction():
            raise Malformed("a reaction of nobody")
        case Opened():
            return news.Open(at=at)
        case Clicked():
            return news.Click(at=at, url=storable(event.url))


def _of_call(
    event: CallTurn | CallEnded | Recording | Transcript | Voicemail | CallOutcome,
    at: int,
    ids: Ids,
    delivery: Delivery,
) -> news.CallNews:
    match event:
        case CallTurn():
            if not 0 <= event.number < _LARGEST:
                raise Malformed("a turn of a call with a number that counts nothing")
            return news.Said(
                at=at, number=event.number, speaker=event.speaker, text=storable(event.text)
            )
        case CallEnded():
            return news.CallEnd(at=at, outcome=event.outcome, duration=_seconds(event.duration))
        case Recording():
            return news.Recorded(at=at, attachment_id=ids.new(), media=media(event.media, delivery))
        case Transcript():
            return news.Transcribed(
                at=at,
                turns=tuple(
                    (_seconds(second), storable(speaker), storable(text))
                    for second, speaker, text in event.turns
                ),
            )
        case Voicemail():
            return news.VoicemailLeft(
                at=at,
                attachment_id=ids.new(),
                media=None if event.media is None else media(event.media, delivery),
                duration=_seconds(event.duration),
                text=storable(event.text) if event.text else None,
            )
        case CallOutcome():
            return news.CallReport(
                at=at,
                summary=storable(event.summary),
                facts={storable(key): storable(value) for key, value in event.facts.items()},
                outcome=_text(event.outcome),
                follow_up=_text(event.follow_up),
                due_at=milliseconds(event.due_at),
                handed_over=event.handed_over,
            )


def _text(text: str | None) -> str | None:
    return storable(text) if text else None


def _seconds(seconds: float | None) -> float | None:
    """A length of time, or a place in it; nothing if it is none."""
    if seconds is None or not math.isfinite(seconds) or not 0 <= seconds < _LARGEST:
        return None
    return float(seconds)


def address(one: Address) -> c.AddressOf:
    """An address as commands carry it. Raises ``Malformed`` for an empty one."""
    value = storable(one.value)
    if not value.strip():
        raise Malformed("an empty address")
    scheme = storable(one.scheme)
    return c.AddressOf(
        scheme=scheme,
        value=canonical(scheme, value),
        display=None if one.display is None else storable(one.display),
        verified=one.verified,
    )


_MEDIA_TEXTS = ("url", "provider_id", "name", "content_type", "content_id")


def media(ref: MediaRef, delivery: Delivery) -> MediaRef:
    """Where a file lies, as it can be stored. Of what it is a part of (``delivery``) only the name
    is kept with it: that is stored whole."""
    texts = {name: getattr(ref, name) for name in _MEDIA_TEXTS}
    cleaned: dict[str, Any] = {
        name: storable(text) for name, text in texts.items() if text is not None
    }
    whole = None
    if ref.part is not None:
        whole = Delivery(id=delivery.id, received_at=delivery.received_at)
    return replace(ref, delivery=whole, **cleaned)


def milliseconds(at: datetime | None) -> int | None:
    """A provider's time. Raises ``Malformed`` for one without a zone."""
    if at is None:
        return None
    if at.tzinfo is None:
        raise Malformed("a time without a zone")
    return int(at.timestamp() * 1000)
