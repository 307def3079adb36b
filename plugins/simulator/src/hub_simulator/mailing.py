"""Mail as a simulated mail service speaks of it: the JSON it delivers, and its meaning.

Fields that are not known are passed over, as a provider adds some.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec import Struct

from hub.plugin import (
    Address,
    Clicked,
    Event,
    IngestResult,
    Malformed,
    MediaRef,
    Message,
    Opened,
    OptIn,
    OptOut,
)
from hub_simulator.phone import Mail, PhoneMessage, Step
from hub_simulator.settings import EmailAddress
from hub_simulator.sms import Id, MediaItem, SmsStatus, receipt

TYPES = ("mail.received", "mail.status", "mail.opened", "mail.clicked", "mail.subscription")


class Received(Struct, frozen=True, kw_only=True, tag_field="type", tag="mail.received"):
    """The customer wrote; ``automatic``: their machine did. ``from_name`` is the name beside the
    address in ``From``, if there is one."""

    id: Id
    sender: EmailAddress = msgspec.field(name="from")
    recipient: EmailAddress = msgspec.field(name="to")
    from_name: str | None = None
    cc: tuple[EmailAddress, ...] | None = None
    subject: str | None = None
    text: str | None = None
    media: tuple[MediaItem, ...] | None = None
    in_reply_to: Id | None = None
    automatic: bool = False
    occurred_at: datetime | None = None


class Status(SmsStatus, frozen=True, kw_only=True, tag_field="type", tag="mail.status"):
    """What became of a mail; ``failed``: it came back."""

    status: Literal["queued", "sent", "delivered", "failed"]


class WasOpened(Struct, frozen=True, kw_only=True, tag_field="type", tag="mail.opened"):
    """A mail was opened."""

    message_id: Id
    occurred_at: datetime | None = None


class WasClicked(Struct, frozen=True, kw_only=True, tag_field="type", tag="mail.clicked"):
    """A link of a mail was followed."""

    message_id: Id
    url: str
    occurred_at: datetime | None = None


class Subscription(Struct, frozen=True, kw_only=True, tag_field="type", tag="mail.subscription"):
    """The customer wants no more mail from one of the business's addresses, or again."""

    sender: EmailAddress = msgspec.field(name="from")
    recipient: EmailAddress = msgspec.field(name="to")
    wanted: bool
    occurred_at: datetime | None = None


Told = Received | Status | WasOpened | WasClicked | Subscription


class _Envelope(Struct, frozen=True):
    type: str


def step(words: str, told: Told, at: datetime) -> Step:
    """Tell the hub of ``told`` at that time."""
    return Step(kind="event", at=at, words=words, body=msgspec.json.encode(told).decode())


def body_of(number: str, message: PhoneMessage, step: Step) -> bytes:
    """The delivery that tells the hub of ``step``; the same bytes however often it is made."""
    if step.kind == "text":
        mail = message.content if isinstance(message.content, Mail) else Mail()
        return msgspec.json.encode(
            Received(
                id=message.id,
                sender=number,
                recipient=message.own_number,
                from_name=message.name or None,
                cc=mail.cc or None,
                subject=mail.subject,
                text=message.text,
                media=tuple(
                    MediaItem(id=p.id, name=p.name, content_type=p.content_type, size=p.size)
                    for p in message.pictures
                ),
                in_reply_to=message.quoted or None,
                automatic=mail.automatic,
                occurred_at=message.at,
            )
        )
    if step.kind in ("event", "read"):
        return step.body.encode()
    failed = step.kind == "failed"
    return msgspec.json.encode(
        Status(
            message_id=message.id,
            status=step.kind,
            reason=message.reason if failed else None,
            detail="The simulated mail came back" if failed else None,
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
        told: Told = msgspec.json.decode(body, type=Told)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"not a delivery of the simulated provider: {error}") from error
    return IngestResult(events=(_event(told),))


def _event(told: Told) -> Event:
    match told:
        case Received():
            return _message(told)
        case Status():
            return receipt(told)
        case WasOpened():
            return Opened(external_id=told.message_id, occurred_at=_zoned(told.occurred_at))
        case WasClicked():
            at = _zoned(told.occurred_at)
            return Clicked(external_id=told.message_id, url=told.url, occurred_at=at)
        case Subscription():
            kind, how = (OptIn, "subscribed again") if told.wanted else (OptOut, "unsubscribed")
            return kind(
                address=_person(told.sender),
                how=how,
                own_address=told.recipient,
                occurred_at=_zoned(told.occurred_at),
            )


def _message(told: Received) -> Message:
    return Message(
        external_id=told.id,
        sender=(_person(told.sender),),
        sender_name=told.from_name or None,
        own_address=told.recipient,
        cc=tuple(_person(each, verified=False) for each in told.cc or ()),
        subject=told.subject or None,
        text=told.text or "",
        media=tuple(
            MediaRef(provider_id=m.id, name=m.name, content_type=m.content_type, size=m.size)
            for m in told.media or ()
        ),
        reply_to=told.in_reply_to,
        automatic=told.automatic,
        occurred_at=_zoned(told.occurred_at),
    )


def _person(address: str, *, verified: bool = True) -> Address:
    return Address(scheme="email", value=address, verified=verified)


def _zoned(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
