"""Messages as a simulated WhatsApp speaks of them: the JSON it delivers, and its meaning.

Three types, told apart by ``type``: ``whatsapp.received`` (the customer wrote),
``whatsapp.reaction`` and ``whatsapp.status`` (what became of a message of ours). Fields that are
not known are passed over, as a provider adds some.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from hub.plugin import Address, IngestResult, Malformed, MediaRef, Message, Reaction
from hub_simulator.numbers import display
from hub_simulator.phone import Card, Content, Odd, PhoneMessage, Place, Pressed, Step
from hub_simulator.settings import PhoneNumber
from hub_simulator.sms import Id, MediaItem, SmsStatus, receipt

MAX_LENGTH = 4096
"""Characters of one message."""
TYPES = ("whatsapp.received", "whatsapp.reaction", "whatsapp.status")


class Received(Struct, frozen=True, kw_only=True, tag_field="type", tag="whatsapp.received"):
    """The customer wrote: words, pictures, or ``content``; ``context`` is the message answered,
    ``profile_name`` the name in their profile, if there is one."""

    id: Id
    sender: PhoneNumber = msgspec.field(name="from")
    recipient: PhoneNumber = msgspec.field(name="to")
    profile_name: str | None = None
    text: str | None = None
    media: tuple[MediaItem, ...] | None = None
    content: Place | Card | Pressed | Odd | None = None
    context: Id | None = None
    occurred_at: datetime | None = None


class Reacted(Struct, frozen=True, kw_only=True, tag_field="type", tag="whatsapp.reaction"):
    """The customer has put an emoji on a message; without one, taken it back."""

    id: Id
    message_id: Id
    sender: PhoneNumber = msgspec.field(name="from")
    emoji: str | None = None
    occurred_at: datetime | None = None


class Status(SmsStatus, frozen=True, kw_only=True, tag_field="type", tag="whatsapp.status"):
    """What became of a message."""


class _Envelope(Struct, frozen=True):
    type: str


def body_of(number: str, message: PhoneMessage, step: Step) -> bytes:
    """The delivery that tells the hub of ``step``; the same bytes however often it is made."""
    if step.kind == "text":
        told = message.content
        return msgspec.json.encode(
            Received(
                id=message.id,
                sender=number,
                recipient=message.own_number,
                profile_name=message.name or None,
                text=message.text,
                media=tuple(
                    MediaItem(id=p.id, name=p.name, content_type=p.content_type, size=p.size)
                    for p in message.pictures
                ),
                content=told if isinstance(told, Place | Card | Pressed | Odd) else None,
                context=message.quoted or None,
                occurred_at=message.at,
            )
        )
    if step.kind == "event":
        return step.body.encode()
    failed = step.kind == "failed"
    return msgspec.json.encode(
        Status(
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
        if kind not in TYPES:
            return IngestResult(ignored=f"deliveries of type {kind[:80]!r} mean nothing here")
        event = msgspec.json.decode(body, type=Received | Reacted | Status)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"not a delivery of the simulated provider: {error}") from error
    if isinstance(event, Received):
        return IngestResult(events=(_message(event),))
    if isinstance(event, Reacted):
        return IngestResult(events=(_reaction(event),))
    return IngestResult(events=(receipt(event),))


def facts_of(content: Content | None) -> dict[str, str]:
    """What a message holds besides words and pictures, by label."""
    match content:
        case Place():
            spot = f"{content.latitude:g}, {content.longitude:g}"
            facts = {"Place": content.name, "Address": content.address, "Location": spot}
        case Card():
            facts = {"Contact": " ".join(f"{content.name} {content.phone}".split())}
        case Pressed():
            facts = {"Button": content.label}
        case Odd():
            facts = {"Unsupported": content.kind}
        case _:
            facts = {}
    return {label: value for label, value in facts.items() if value}


def _message(event: Received) -> Message:
    words = event.content.label if isinstance(event.content, Pressed) else event.text or ""
    return Message(
        external_id=event.id,
        sender=(_person(event.sender),),
        sender_name=event.profile_name or None,
        own_address=event.recipient,
        text=words,
        media=tuple(
            MediaRef(provider_id=m.id, name=m.name, content_type=m.content_type, size=m.size)
            for m in event.media or ()
        ),
        facts=facts_of(event.content),
        reply_to=event.context,
        occurred_at=_zoned(event.occurred_at),
    )


def _reaction(event: Reacted) -> Reaction:
    return Reaction(
        external_id=event.id,
        to=event.message_id,
        sender=(_person(event.sender),),
        emoji=event.emoji or None,
        occurred_at=_zoned(event.occurred_at),
    )


def _person(number: str) -> Address:
    return Address(scheme="phone", value=number, display=display(number), verified=True)


def _zoned(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
