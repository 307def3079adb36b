"""Text messages as the simulated provider speaks of them: the JSON it delivers, and its meaning.

Two types, told apart by ``type``: ``sms.received`` (the customer wrote) and ``sms.status`` (what
became of a message of ours). Fields that are not known are passed over, as a provider adds some.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from hub.plugin import (
    Address,
    FailureReason,
    IngestResult,
    Malformed,
    MediaRef,
    Message,
    OptIn,
    OptOut,
    Receipt,
    ReceiptStatus,
)
from hub_simulator.numbers import display
from hub_simulator.phone import Keyword, PhoneMessage, Step
from hub_simulator.settings import PhoneNumber

MAX_LENGTH = 1600
"""Characters of one message, as with most providers of concatenated SMS."""

_STOP = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}
_START = {"START", "UNSTOP"}
_HELP = {"HELP", "INFO"}

KEYWORD_ANSWERS: dict[Keyword, str] = {
    "STOP": "You have been unsubscribed and will get no more messages. Reply START to resubscribe.",
    "START": "You are subscribed again. Reply HELP for help, STOP to unsubscribe.",
    "HELP": "Reply STOP to unsubscribe. Message and data rates may apply.",
}
"""What the network itself answers, without asking the hub; as carriers' gateways do."""

Id = Annotated[str, Meta(min_length=1, max_length=200)]


class MediaItem(Struct, frozen=True, kw_only=True):
    """A picture that came with a text; its bytes are asked for by ``id``."""

    id: Id
    name: str | None = None
    content_type: str | None = None
    size: int | None = None


class SmsReceived(Struct, frozen=True, kw_only=True, tag_field="type", tag="sms.received"):
    """The customer wrote."""

    id: Id
    sender: PhoneNumber = msgspec.field(name="from")
    recipient: PhoneNumber = msgspec.field(name="to")
    text: str | None = None
    media: tuple[MediaItem, ...] | None = None
    keyword: str | None = None
    """``STOP``, ``START`` or ``HELP`` when the network has acted on the text."""
    occurred_at: datetime | None = None


class SmsStatus(Struct, frozen=True, kw_only=True, tag_field="type", tag="sms.status"):
    """What became of a message."""

    message_id: Id
    status: ReceiptStatus
    reason: FailureReason | None = None
    detail: str | None = None
    code: str | None = None
    occurred_at: datetime | None = None


class _Envelope(Struct, frozen=True):
    type: str


def keyword_of(text: str, *, opted_out: bool) -> Keyword | None:
    """What a text means to the network; only a text that is nothing but the word counts.

    YES opts in again, yet only who has opted out: to everybody else it is an answer.
    """
    word = text.strip().upper()
    if word in _STOP:
        return "STOP"
    if word in _START or (word == "YES" and opted_out):
        return "START"
    return "HELP" if word in _HELP else None


def body_of(number: str, message: PhoneMessage, step: Step) -> bytes:
    """The delivery that tells the hub of ``step``; the same bytes however often it is made."""
    if step.kind == "text":
        return msgspec.json.encode(
            SmsReceived(
                id=message.id,
                sender=number,
                recipient=message.own_number,
                text=message.text,
                media=tuple(
                    MediaItem(id=p.id, name=p.name, content_type=p.content_type, size=p.size)
                    for p in message.pictures
                ),
                keyword=message.keyword,
                occurred_at=message.at,
            )
        )
    if step.kind == "event":
        return step.body.encode()
    failed = step.kind == "failed"
    return msgspec.json.encode(
        SmsStatus(
            message_id=message.id,
            status=step.kind,
            reason=message.reason if failed else None,
            detail="The simulated network did not deliver it" if failed else None,
            code=f"sim-{message.reason}" if failed else None,
            occurred_at=step.at,
        )
    )


def read(body: bytes) -> IngestResult:
    """What a delivery says. Raises ``Malformed``."""
    try:
        kind = msgspec.json.decode(body, type=_Envelope).type
        if kind not in ("sms.received", "sms.status"):
            return IngestResult(ignored=f"deliveries of type {kind[:80]!r} mean nothing here")
        event = msgspec.json.decode(body, type=SmsReceived | SmsStatus)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"not a delivery of the simulated provider: {error}") from error
    events = _received(event) if isinstance(event, SmsReceived) else (receipt(event),)
    return IngestResult(events=events)


def _received(event: SmsReceived) -> tuple[Message | OptOut | OptIn, ...]:
    sender = Address(
        scheme="phone", value=event.sender, display=display(event.sender), verified=True
    )
    at = _zoned(event.occurred_at)
    message = Message(
        external_id=event.id,
        sender=(sender,),
        own_address=event.recipient,
        text=event.text or "",
        media=tuple(
            MediaRef(provider_id=m.id, name=m.name, content_type=m.content_type, size=m.size)
            for m in event.media or ()
        ),
        occurred_at=at,
    )
    words = f"replied {(event.text or '').strip()[:40]}"
    if event.keyword == "STOP":
        out = OptOut(address=sender, how=words, own_address=event.recipient, occurred_at=at)
        return message, out
    if event.keyword == "START":
        back = OptIn(address=sender, how=words, own_address=event.recipient, occurred_at=at)
        return message, back
    return (message,)


def receipt(event: SmsStatus) -> Receipt:
    """What became of a message."""
    return Receipt(
        status=event.status,
        external_id=event.message_id,
        occurred_at=_zoned(event.occurred_at),
        reason=event.reason,
        detail=event.detail,
        provider_code=event.code,
    )


def _zoned(moment: datetime | None) -> datetime | None:
    """The provider speaks UTC; a time without a zone is one."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
