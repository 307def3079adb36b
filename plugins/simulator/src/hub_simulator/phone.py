"""A customer's phone as the network knows it: its messages, what is still to come, what happened.

A ``Phone`` is a value. Every function here is pure: it takes a phone and gives the next one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from hub.plugin import FailureReason, ReceiptStatus, Temporary
from hub_simulator.behaviour import Behaviour
from hub_simulator.settings import EmailAddress

MAX_MESSAGES = 60
MAX_LOG_LINES = 60
MAX_BYTES = 60_000
"""The hub stores values of up to 64 kB; a phone is one value."""
LOGGED_BODY = 1_000
"""Characters of a delivery's body that the log keeps."""

Author = Literal["customer", "business", "network"]
StepKind = Literal["text", "queued", "sent", "delivered", "read", "failed", "event"]
"""Something the hub is yet to be told: the customer's text, a receipt, or another event."""
Keyword = Literal["STOP", "START", "HELP"]
"""What the network understood a text of the customer's to ask for."""
Direction = Literal["to_hub", "from_hub", "on_phone"]
CallEnding = Literal["answered", "missed", "busy", "failed", "voicemail", "canceled"]
"""What came of a call."""
Words = Annotated[str, Meta(max_length=200)]


class Step(Struct, frozen=True, kw_only=True):
    """Tell the hub ``kind``, not before ``at``. An ``event`` brings its ``body``, and ``words`` for
    the log."""

    kind: StepKind
    at: datetime
    words: str = ""
    body: str = ""
    ends: CallEnding | None = None
    """The call that it is a step of is over with it, and came to this."""


class Picture(Struct, frozen=True, kw_only=True):
    """A file of a message. ``held`` says who has its bytes: the phone, or the hub."""

    id: str
    name: str
    content_type: str
    size: int
    held: Literal["phone", "hub"]


class Place(Struct, frozen=True, kw_only=True, tag_field="what", tag="place"):
    """A spot on the map."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    name: Words = ""
    address: Words = ""


class Card(Struct, frozen=True, kw_only=True, tag_field="what", tag="card"):
    """A contact card: somebody's name and number."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    phone: Words = ""


class Pressed(Struct, frozen=True, kw_only=True, tag_field="what", tag="pressed"):
    """The customer has pressed the button ``label`` of the message that is answered."""

    label: Annotated[str, Meta(min_length=1, max_length=200)]


class Odd(Struct, frozen=True, kw_only=True, tag_field="what", tag="odd"):
    """Something that the provider does not pass on: it only says what ``kind`` it was."""

    kind: Annotated[str, Meta(min_length=1, max_length=40)]


class Filled(Struct, frozen=True, kw_only=True, tag_field="what", tag="template"):
    """A template as it reached the phone; its words are the message's."""

    name: str
    buttons: tuple[str, ...] = ()


class Talk(Struct, frozen=True, kw_only=True, tag_field="what", tag="call"):
    """A call: ``direction`` as the business sees it; ``member`` is who was rung first."""

    direction: Literal["in", "out"]
    state: Literal["ringing", "talking", "ended"] = "ringing"
    withheld: bool = False
    member: str = ""
    answered_at: datetime | None = None
    outcome: CallEnding | None = None


class Mail(Struct, frozen=True, kw_only=True, tag_field="what", tag="mail"):
    """What makes a message a mail; ``earlier`` are the mails that it names as those before it,
    ``cc`` who else it went to, for everybody to see."""

    subject: Annotated[str, Meta(max_length=998)] = ""
    cc: Annotated[tuple[EmailAddress, ...], Meta(max_length=50)] = ()
    automatic: bool = False
    earlier: tuple[str, ...] = ()
    opened: bool = False


Content = Place | Card | Pressed | Odd | Filled | Talk | Mail
"""What a message holds besides words and files."""


class PhoneMessage(Struct, frozen=True, kw_only=True):
    """One message. ``id`` is the provider's; ``transmission`` the hub's, for what the hub sent.

    ``arrived``: whether it got through the network; one that did not is kept, out of sight, so
    that ``reconcile`` can say so. ``told`` are the steps the hub has been told, in that order.
    """

    id: str
    author: Author
    own_number: str
    at: datetime
    name: str = ""
    """What the customer called themselves when they made it; only of the customer's messages, and
    where the medium tells it."""
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    transmission: str = ""
    arrived: bool = True
    reads: bool = False
    """Whether showing it to the customer makes a receipt."""
    reason: FailureReason | None = None
    keyword: Keyword | None = None
    quoted: str = ""
    """The provider's id of the message that this one answers."""
    content: Content | None = None
    reaction: str = ""
    """The emoji that the customer has put on it."""
    told: tuple[StepKind, ...] = ()
    due: tuple[Step, ...] = ()


class LogLine(Struct, frozen=True, kw_only=True):
    """Something that happened between the phone, the network and the hub."""

    number: int
    at: datetime
    direction: Direction
    text: str
    body: str = ""


class Phone(Struct, frozen=True, kw_only=True):
    """Everything about one number; never more than ``MAX_BYTES`` when encoded."""

    number: str
    name: str = ""
    """What its owner is called, which goes with each message and call from then on."""
    behaviour: Behaviour = Behaviour()
    opted_out: tuple[str, ...] = ()
    """The business's numbers that this phone has answered STOP to."""
    wrote: dict[str, datetime] = {}
    """When it last wrote to each of the business's numbers."""
    messages: tuple[PhoneMessage, ...] = ()
    log: tuple[LogLine, ...] = ()
    logged: int = 0
    """How many log lines there ever were: the next one's number."""

    def message(self, message_id: str) -> PhoneMessage | None:
        """The message with the provider's id."""
        return next((each for each in self.messages if each.id == message_id), None)

    def transmission(self, transmission_id: str) -> PhoneMessage | None:
        """The message with the hub's id."""
        return next((each for each in self.messages if each.transmission == transmission_id), None)


def with_message(phone: Phone, message: PhoneMessage) -> Phone:
    """``message`` added at the end, or in the place of the one with its id."""
    if phone.message(message.id) is None:
        return replace(phone, messages=(*phone.messages, message))
    return replace(
        phone,
        messages=tuple(message if each.id == message.id else each for each in phone.messages),
    )


def with_step(phone: Phone, message: PhoneMessage, step: Step) -> Phone:
    """``message`` with one more thing that the hub is to be told of it."""
    return with_message(phone, replace(message, due=(*message.due, step)))


def with_log(phone: Phone, at: datetime, direction: Direction, text: str, body: str = "") -> Phone:
    """One more log line."""
    kept = body if len(body) <= LOGGED_BODY else f"{body[:LOGGED_BODY]}…"
    line = LogLine(number=phone.logged, at=at, direction=direction, text=text, body=kept)
    return replace(phone, log=(*phone.log, line), logged=phone.logged + 1)


def with_name(phone: Phone, name: str, at: datetime) -> Phone:
    """Its owner is called ``name`` from now on; what was made before keeps the name it has."""
    if name == phone.name:
        return phone
    words = f"The customer is now called {name}" if name else "The customer has no name any more"
    return with_log(replace(phone, name=name), at, "on_phone", words)


def with_step_done(phone: Phone, message_id: str, step: Step) -> Phone:
    """The hub has been told; a message that is gone meanwhile stays gone."""
    message = phone.message(message_id)
    if message is None or step not in message.due:
        return phone
    due = tuple(each for each in message.due if each != step)
    if step.ends is not None and isinstance(message.content, Talk):
        over = replace(message.content, state="ended", outcome=step.ends)
        message = replace(message, content=over)
    return with_message(phone, replace(message, due=due, told=(*message.told, step.kind)))


def with_seen(phone: Phone, message_ids: frozenset[str], at: datetime) -> Phone:
    """The customer has looked at these: ``read`` is due for those on the phone."""
    for message in phone.messages:
        waits = message.reads and "delivered" in message.told and "read" not in message.told
        if message.id in message_ids and waits and all(s.kind != "read" for s in message.due):
            step = Step(kind="read", at=at)
            phone = with_message(phone, replace(message, due=(*message.due, step)))
            phone = with_log(phone, at, "on_phone", "The customer has seen the message")
    return phone


def next_step(phone: Phone, message_id: str) -> Step | None:
    """What the hub is to be told next of a message. Among equals the first planned."""
    message = phone.message(message_id)
    return min(message.due, key=lambda step: step.at, default=None) if message else None


def encode(phone: Phone) -> str:
    """The phone as JSON, without what it is too small to remember.

    The oldest log lines and messages are forgotten first, never a message of which the hub is
    still to be told something. Raises ``Temporary`` when those alone fill the phone.
    """
    phone = replace(phone, log=phone.log[-MAX_LOG_LINES:])
    while len(phone.messages) > MAX_MESSAGES and (settled := _oldest_settled(phone)):
        phone = _without(phone, settled)
    encoded = msgspec.json.encode(phone)
    while len(encoded) > MAX_BYTES:
        phone = _smaller(phone)
        encoded = msgspec.json.encode(phone)
    return encoded.decode()


def decode(value: str) -> Phone:
    """What ``encode`` made. Raises ``msgspec.ValidationError`` or ``msgspec.DecodeError``."""
    return msgspec.json.decode(value, type=Phone)


def latest_receipt(message: PhoneMessage) -> ReceiptStatus:
    """The furthest that the hub has been told of a message it sent."""
    ranks: tuple[ReceiptStatus, ...] = ("read", "failed", "delivered", "sent")
    for status in ranks:
        if status in message.told:
            return status
    return "queued"


def _oldest_settled(phone: Phone) -> PhoneMessage | None:
    return next((each for each in phone.messages if not each.due), None)


def _without(phone: Phone, message: PhoneMessage) -> Phone:
    return replace(phone, messages=tuple(each for each in phone.messages if each is not message))


def _smaller(phone: Phone) -> Phone:
    if len(phone.log) > 10:
        return replace(phone, log=phone.log[len(phone.log) // 4 + 1 :])
    settled = _oldest_settled(phone)
    # The newest message is what this change is about; forgetting it would lose it.
    if settled is not None and settled is not phone.messages[-1]:
        return _without(phone, settled)
    if phone.log:
        return replace(phone, log=phone.log[1:])
    raise Temporary("the simulated phone holds too many messages on their way", retry_after=5.0)
