"""The commands: whatever changes a conversation is one of these.

A command carries the ids and times it needs, made beforehand, so that carrying it out reads no
clock. ``hub.flow.record`` turns commands into rows.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from hub.plugin.types import MediaRef
from hub.rules.content import Content
from hub.rules.news import News
from hub.rules.rights import SYSTEM, Actor
from hub.rules.sight import Places


class Command(Struct, kw_only=True, frozen=True):
    """``at``: milliseconds, when it was asked."""

    organisation_id: int
    at: int


class ByMember(Command, kw_only=True, frozen=True):
    """Something a member does, or the hub by itself (``None``). ``actor``: who asked for it, and
    from where, if more is known than the member."""

    by_member_id: int | None
    actor: Actor | None = None

    @property
    def by(self) -> Actor:
        """Who did it, for the audit."""
        if self.actor is not None:
            return self.actor
        return SYSTEM if self.by_member_id is None else Actor("member", self.by_member_id)


class AddressOf(Struct, kw_only=True, frozen=True):
    """An address, normalised."""

    scheme: str
    value: str
    display: str | None = None
    verified: bool = False


# ------------------------------------------------------------------ what arrives


class KeepDelivery(Command, kw_only=True, frozen=True):
    """Keep what arrived, and what became of it. Again with the same id: the outcome changes."""

    id: int
    channel_id: str
    state: str
    reason: str | None
    source: str
    method: str
    url: str
    headers: str
    body: bytes | None
    body_blob: str | None
    size: int
    remote: str | None
    proof: str | None
    attempts: int = 1
    due_at: int | None = None
    """When it is to be read again by itself; ``None``: when a person says so."""


class ReceiveMessage(Command, kw_only=True, frozen=True):
    """A contact wrote, or, as an ``echo``, the organisation itself wrote to a contact elsewhere: on
    a phone, at the provider. ``sender``: the contact's addresses, also of an echo; ``sender_name``
    what the writer calls themselves. A second one with the same external id changes nothing, unless
    both have a ``fingerprint`` and these differ."""

    entry_id: int
    channel_id: str
    grouping: str
    external_id: str
    sender: tuple[AddressOf, ...]
    sender_name: str | None
    own_address: str
    content: Content
    preview: str
    media: tuple[tuple[int, MediaRef], ...] = ()
    """Attachment ids and where each file lies."""
    occurred_at: int | None = None
    asks: bool = True
    echo: bool = False
    threads: bool = False
    """Whether messages of the channel name those that they answer."""
    assigns: bool = False
    """Whether a conversation that is nobody's may be assigned by itself."""
    delivery_id: int | None = None
    fingerprint: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be known by: its external id, and, where that is another message's, the same
        with its fingerprint. No provider's id is like that: none holds a line feed."""
        if self.fingerprint is None:
            return (self.external_id,)
        return self.external_id, f"{self.external_id}\n{self.fingerprint}"


class ReceiveCall(Command, kw_only=True, frozen=True):
    """A call with a contact, from them or to them; ``caller``: their addresses, none if the
    number is withheld. A second one with the same external id changes nothing."""

    entry_id: int
    channel_id: str
    external_id: str
    direction: str
    caller: tuple[AddressOf, ...]
    caller_name: str | None
    own_address: str
    occurred_at: int | None = None
    assigns: bool = False
    """As of ``ReceiveMessage``."""
    delivery_id: int | None = None


class ReceiveNews(Command, kw_only=True, frozen=True):
    """A provider tells something of a message. A second one with the same ``key`` changes nothing;
    one of a message that is not there yet waits for it."""

    channel_id: str
    external_id: str
    key: str
    news: News


class GiveUpCall(Command, kw_only=True, frozen=True):
    """Nothing was told of a call for so long that it must be over; nothing changes if its end was
    told after all."""

    entry_id: int


class ReceiveReceipt(Command, kw_only=True, frozen=True):
    """A provider says what became of a message. ``threads``: as of ``ReceiveMessage``."""

    channel_id: str
    status: str
    external_id: str | None = None
    transmission_id: int | None = None
    reason: str | None = None
    detail: str | None = None
    provider_code: str | None = None
    occurred_at: int | None = None
    threads: bool = False


class ChangeConsent(ByMember, kw_only=True, frozen=True):
    """An address takes messages, or no more. ``entry_id`` is for the line in the thread; ``how`` is
    empty where a member gives no reason. ``said_in``: the external id and the entry of the message
    that says so; nothing changes if that had come before. ``if_out``: nothing changes unless they
    have opted out. ``answer`` is sent if anything changes."""

    entry_id: int
    channel_id: str
    address: AddressOf
    own_address: str
    state: str
    how: str
    by_member_id: int | None = None
    said_in: tuple[str, int] | None = None
    if_out: bool = False
    answer: SendMessage | None = None


class ChangeIdentity(Command, kw_only=True, frozen=True):
    """Who was reached at ``old`` is reached at ``new`` on a channel; both lead to them."""

    channel_id: str
    old: AddressOf
    new: AddressOf


class MediaFetched(Command, kw_only=True, frozen=True):
    """A file of a message is there."""

    attachment_id: int
    name: str
    content_type: str
    size: int
    sha256: str
    width: int | None
    height: int | None


class MediaFailed(Command, kw_only=True, frozen=True):
    """A file could not be fetched; ``due_at``: again then, ``None``: never."""

    attachment_id: int
    reason: str
    due_at: int | None


# ------------------------------------------------------------------ what members do


class SendMessage(ByMember, kw_only=True, frozen=True):
    """Write to a contact. ``thread_id`` and ``contact_id`` are ``None`` for the first message to
    an address; ``contact_id`` must be the thread's."""

    entry_id: int
    transmission_id: int
    thread_id: int | None
    contact_id: int | None
    channel_id: str
    grouping: str
    address: AddressOf
    own_address: str
    content: Content
    preview: str
    wire: str
    kind: str = "message"
    """``Outbound.kind``."""
    attachment_ids: tuple[int, ...] = ()
    by_member_id: int | None = None
    author_kind: str = "member"
    answers: bool = True
    due_at: int
    deadline: int
    idempotency_key: str | None = None
    request: str = ""
    """Digest of what was asked, to tell a repeated request from another under the same key."""
    confirms: bool = False
    """Of an opt-out: it alone goes to who has opted out."""
    said_in: tuple[str, int] | None = None
    """As of ``ChangeConsent``: what it answers."""
    proposal: str | None = None
    """As of ``Approval``: it is not sent, and waits for somebody's approval."""


class AddNote(ByMember, kw_only=True, frozen=True):
    """A note for the team. ``mentioned``: members named in it."""

    entry_id: int
    thread_id: int
    content: Content
    preview: str
    by_member_id: int
    idempotency_key: str | None = None
    request: str = ""
    mentioned: tuple[int, ...] = ()


class CorrectNote(ByMember, kw_only=True, frozen=True):
    """Its author words a note otherwise; what it said stays readable. ``mentioned``: as of
    ``AddNote``."""

    entry_id: int
    text: str
    by_member_id: int
    mentioned: tuple[int, ...] = ()


class ChangeContact(ByMember, kw_only=True, frozen=True):
    """Say who a contact is. What is ``UNSET`` stays, what is ``None`` is not known any more."""

    contact_id: int
    name: str | UnsetType | None = UNSET
    property_address: str | UnsetType | None = UNSET
    account: str | UnsetType | None = UNSET
    lead_id: str | UnsetType | None = UNSET


class ChangeThread(ByMember, kw_only=True, frozen=True):
    """Assign, close or reopen, say whether a response is needed. What is ``None`` stays;
    ``assign`` tells whether ``assignee_id`` counts; with ``assigned_to`` only while the thread is
    assigned to that member. ``entry_ids`` are for the lines in the thread, one for each of the
    three."""

    entry_ids: tuple[int, int, int]
    thread_id: int
    assign: bool = False
    assignee_id: int | None = None
    assigned_to: int | None = None
    status: str | None = None
    needs_response: bool | None = None


class ReadThread(Command, kw_only=True, frozen=True):
    """The team has seen the thread up to an entry."""

    thread_id: int
    up_to: int


class UnreadThread(Command, kw_only=True, frozen=True):
    """The last inbound message is to count as unread again: of those that whoever asks sees
    (``hub.rules.sight``; ``None``: of all)."""

    thread_id: int
    places: Places | None = None


class UponMessage(Command, kw_only=True, frozen=True):
    """Something done to a message that goes out; ``by``: for the audit."""

    entry_id: int
    by: Actor = SYSTEM


class CancelEntry(UponMessage, kw_only=True, frozen=True):
    """Take back a message that was not picked up yet."""


class RetryEntry(UponMessage, kw_only=True, frozen=True):
    """Try a failed message again."""

    deadline: int


class ResolveEntry(UponMessage, kw_only=True, frozen=True):
    """Say what became of a message of unknown outcome: ``sent`` or ``failed``."""

    outcome: str


class ResolveCall(ByMember, kw_only=True, frozen=True):
    """An unresolved call needs nothing more."""

    entry_id: int
    by_member_id: int


class FollowUpCall(ByMember, kw_only=True, frozen=True):
    """What was promised in a call is ``done``, or is not."""

    entry_id: int
    done: bool
    by_member_id: int


class ReassignCall(ByMember, kw_only=True, frozen=True):
    """A call belongs to another contact's conversation, or, with none, to one of its own.
    ``reason`` is for the audit."""

    entry_id: int
    contact_id: int | None
    reason: str
    by_member_id: int


class PlaceCall(ByMember, kw_only=True, frozen=True):
    """Call the contact of a conversation: ``member_address`` is rung first."""

    entry_id: int
    transmission_id: int
    thread_id: int
    contact_id: int
    channel_id: str
    address: AddressOf
    own_address: str
    member_address: str
    by_member_id: int
    deadline: int
    idempotency_key: str | None = None
    request: str = ""


class ApproveMessage(ByMember, kw_only=True, frozen=True):
    """Send what waits for approval. ``message`` is made anew of its proposal, or of what the
    approver made of it; its ids are not the entry's."""

    entry_id: int
    by_member_id: int
    message: SendMessage


class HoldMessage(Command, kw_only=True, frozen=True):
    """What waits for approval could not be sent; it waits on. ``problem`` is a refusal's code."""

    entry_id: int
    problem: str
    detail: str


class RejectMessage(ByMember, kw_only=True, frozen=True):
    """Do not send what waits for approval."""

    entry_id: int
    by_member_id: int
    reason: str


class WithdrawMessage(ByMember, kw_only=True, frozen=True):
    """Its author takes back what waits for approval."""

    entry_id: int
    by_member_id: int


# ------------------------------------------------------------------ the outbox


class Step(Command, kw_only=True, frozen=True):
    """A step of the outbox with one transmission, under its lease."""

    transmission_id: int
    token: str


class StartSending(Step, kw_only=True, frozen=True):
    """The provider is about to be asked. ``copies``: who else gets it, of the same scheme."""

    copies: tuple[str, ...] = ()


class SendAgain(Step, kw_only=True, frozen=True):
    """The provider is about to be given a message of unknown outcome again, which it sends once
    however often it is given it; until ``lease_until`` nobody else does."""

    lease_until: int


class SendAccepted(Step, kw_only=True, frozen=True):
    """The provider has it. ``threads``: as of ``ReceiveMessage``."""

    external_ids: tuple[str, ...]
    status: str
    threads: bool = False


class SendFailed(Step, kw_only=True, frozen=True):
    """It can never go out as it is."""

    reason: str
    detail: str
    provider_code: str | None


class SendDeferred(Step, kw_only=True, frozen=True):
    """Not now; again at ``due_at``."""

    due_at: int
    detail: str


class SendReleased(Step, kw_only=True, frozen=True):
    """Not sent: the channel cannot send now."""

    due_at: int


class SendHeld(Step, kw_only=True, frozen=True):
    """Not sent: it goes out by itself, and may not before ``due_at``."""

    due_at: int


class SendUnknown(Command, kw_only=True, frozen=True):
    """Nobody knows whether it went out. ``token`` is ``None`` when the lease ran out, or when
    the provider was asked and cannot say yet; ``due_at``: when to ask it (again)."""

    transmission_id: int
    token: str | None
    detail: str
    due_at: int


class SendAbsent(Command, kw_only=True, frozen=True):
    """The provider says that a message of unknown outcome did not go out: it waits again.
    ``attempt``: which one the provider was asked about."""

    transmission_id: int
    attempt: int
