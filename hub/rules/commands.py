"""The commands: whatever changes a conversation is one of these.

A command carries the ids and times it needs, made beforehand, so that carrying it out reads no
clock. ``hub.flow.record`` turns commands into rows.
"""

from __future__ import annotations

from msgspec import Struct

from hub.plugin.types import MediaRef
from hub.rules.content import Content


class Command(Struct, kw_only=True, frozen=True):
    """``at``: milliseconds, when it was asked."""

    organisation_id: int
    at: int


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
    """A contact wrote. A second one with the same external id changes nothing."""

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
    delivery_id: int | None = None


class ReceiveReceipt(Command, kw_only=True, frozen=True):
    """A provider says what became of a message."""

    channel_id: str
    status: str
    external_id: str | None = None
    transmission_id: int | None = None
    reason: str | None = None
    detail: str | None = None
    provider_code: str | None = None
    occurred_at: int | None = None


class ChangeConsent(Command, kw_only=True, frozen=True):
    """An address takes messages, or no more. ``entry_id`` is for the line in the thread."""

    entry_id: int
    channel_id: str
    address: AddressOf
    own_address: str
    state: str
    how: str
    by_member_id: int | None = None


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


class SendMessage(Command, kw_only=True, frozen=True):
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
    attachment_ids: tuple[int, ...] = ()
    by_member_id: int | None = None
    author_kind: str = "member"
    answers: bool = True
    due_at: int
    deadline: int
    idempotency_key: str | None = None
    request: str = ""
    """Digest of what was asked, to tell a repeated request from another under the same key."""


class AddNote(Command, kw_only=True, frozen=True):
    """A note for the team."""

    entry_id: int
    thread_id: int
    content: Content
    preview: str
    by_member_id: int
    idempotency_key: str | None = None
    request: str = ""


class ChangeThread(Command, kw_only=True, frozen=True):
    """Assign, close or reopen, say whether a response is needed. What is ``None`` stays;
    ``assign`` tells whether ``assignee_id`` counts. ``entry_ids`` are for the lines in the
    thread, one for each of the three."""

    entry_ids: tuple[int, int, int]
    thread_id: int
    by_member_id: int | None
    assign: bool = False
    assignee_id: int | None = None
    status: str | None = None
    needs_response: bool | None = None


class ReadThread(Command, kw_only=True, frozen=True):
    """The team has seen the thread up to an entry."""

    thread_id: int
    up_to: int


class UnreadThread(Command, kw_only=True, frozen=True):
    """The last inbound message is to count as unread again."""

    thread_id: int


class CancelEntry(Command, kw_only=True, frozen=True):
    """Take back a message that was not picked up yet."""

    entry_id: int


class RetryEntry(Command, kw_only=True, frozen=True):
    """Try a failed message again."""

    entry_id: int
    deadline: int


class ResolveEntry(Command, kw_only=True, frozen=True):
    """Say what became of a message of unknown outcome: ``sent`` or ``failed``."""

    entry_id: int
    outcome: str


# ------------------------------------------------------------------ the outbox


class Step(Command, kw_only=True, frozen=True):
    """A step of the outbox with one transmission, under its lease."""

    transmission_id: int
    token: str


class StartSending(Step, kw_only=True, frozen=True):
    """The provider is about to be asked."""


class SendAccepted(Step, kw_only=True, frozen=True):
    """The provider has it."""

    external_ids: tuple[str, ...]
    status: str


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
