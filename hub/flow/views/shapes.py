"""What the HTTP API and the stream carry, as types.

Every answer and every stream change is made of these Structs, and the OpenAPI document is made
from them. Ids are opaque strings; times are RFC 3339 in UTC (``datetime`` here, always with a
zone). A client replaces what it has with what it is given: rows and entries come whole.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

ThreadStatus = Literal["open", "closed", "outbound_only"]
"""``outbound_only``: the contact has never written. ``open``: they have, and it is not closed."""

EntryStatus = Literal[
    "pending",
    "pending_approval",
    "scheduled",
    "queued",
    "sent",
    "delivered",
    "read",
    "failed",
    "unknown",
    "canceled",
]
"""What became of an outgoing entry, derived from its transmissions.

``pending``: not handed over yet. ``queued``: the provider has it. ``unknown``: it may or may not
have gone out; a person decides.
"""

Group = Literal["texts", "emails", "calls", "notes", "system"]
"""The timeline filter an entry falls under; a channel's plugin names its own."""


class MemberOut(Struct, kw_only=True):
    """A user in an organisation."""

    id: str
    name: str
    email: str
    active: bool = True


class OrganisationOut(Struct, kw_only=True):
    """An organisation the signed-in user belongs to, and what they may do in it."""

    id: str
    slug: str
    """What stands in URLs as ``{org}``."""
    name: str
    time_zone: str
    member_id: str
    role: str
    capabilities: list[str]


class Me(Struct, kw_only=True):
    """Who is signed in."""

    user_id: str
    name: str
    email: str
    must_change_password: bool
    organisations: list[OrganisationOut]
    csrf_token: str | None = None
    """Sent back as ``X-CSRF-Token`` on every change; absent for bearer tokens."""


class SignIn(Struct, kw_only=True, forbid_unknown_fields=True):
    email: str
    password: str


class ChangePassword(Struct, kw_only=True, forbid_unknown_fields=True):
    current_password: str
    new_password: str


class AddressOut(Struct, kw_only=True):
    """One way to reach a contact."""

    id: str
    scheme: str
    """``phone``, ``email`` or a plugin's own."""
    value: str
    """Normalised: E.164 for phones, lower case for email."""
    display: str
    verified: bool


class ContactOut(Struct, kw_only=True):
    id: str
    name: str | None
    display: str
    """The name, or the most telling address, or "Withheld number"."""
    addresses: list[AddressOut]
    created_at: datetime


class ContactBrief(Struct, kw_only=True):
    """A contact as a list row needs it."""

    id: str
    name: str | None
    display: str


class Preview(Struct, kw_only=True):
    """The last activity of a thread in one line."""

    text: str
    direction: Literal["in", "out", "internal"]
    channel_id: str | None
    status: EntryStatus | None = None
    """Of the last outgoing message, when the last activity is one."""


class SearchMatch(Struct, kw_only=True):
    """Why a search found a conversation: by who the contact is, or by an entry, the newest that
    matches."""

    kind: Literal["contact", "entry"]
    entry_id: str | None
    text: str
    """Of the contact a name or an address, of an entry an excerpt on one line."""
    ranges: list[tuple[int, int]]
    """Where in ``text`` that was found, from and to, in UTF-16 units as JavaScript counts."""


class ThreadRow(Struct, kw_only=True):
    """A conversation as the list shows it."""

    id: str
    contact: ContactBrief
    status: ThreadStatus
    needs_response: bool
    unread: int
    """Inbound messages nobody of the team has seen."""
    assignee: MemberOut | None
    preview: Preview | None
    channel_id: str | None
    """The channel the customer used last; for ``outbound_only`` the one last sent on."""
    channel_ids: list[str]
    """Every channel this conversation has entries of, as far as the reader may see them."""
    sort_at: datetime
    """Orders the list: the last message, call or note."""
    active_at: datetime
    """The last activity of any kind; what date ranges look at."""
    created_at: datetime
    match: SearchMatch | UnsetType = UNSET
    """In the answer to a search alone."""


class ConsentOut(Struct, kw_only=True):
    channel_id: str
    scheme: str
    value: str
    state: Literal["in", "out"]
    at: datetime
    how: str
    by: str | None


class ComposeAddress(Struct, kw_only=True):
    value: str
    display: str


class ComposeMode(Struct, kw_only=True):
    """One channel as the composer of a thread offers it."""

    channel_id: str
    can_send: bool
    reason: str | None
    """Why it cannot be sent on, in words for the person, when ``can_send`` is false."""
    to: list[ComposeAddress]
    """Addresses of the contact this channel can reach, the one last used first."""
    own: list[ComposeAddress]
    """The organisation's own addresses on it, the one the customer last wrote to first."""
    max_length: int | None = None
    """Characters one message may hold."""
    counter: Literal["sms"] | None = None
    """How to count: ``sms`` shows character set, segments and what is left."""
    subject: bool = False


class ThreadDetail(ThreadRow, kw_only=True):
    """A conversation as its page shows it."""

    details: ContactOut
    consents: list[ConsentOut]
    compose: list[ComposeMode]
    default_channel_id: str | None
    """The channel the composer opens with: the one the customer used last, if it can be used."""
    read_up_to: str | None
    """The last entry seen by the team before this reading; places "unread from here"."""


class ThreadPage(Struct, kw_only=True):
    items: list[ThreadRow]
    next_cursor: str | None


class ThreadCounts(Struct, kw_only=True):
    """How many conversations each filter and each status holds in the scope asked for."""

    filter: dict[str, int]
    """all, unread, unassigned, mine, needs_response"""
    status: dict[str, int]
    """open, unread, closed, all"""
    unread_total: int
    """Conversations with unread messages whatever the scope: the badge on Messages."""


class ThreadPatch(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change; a field left out stays. ``assignee_id: null`` unassigns."""

    assignee_id: str | UnsetType | None = UNSET
    """A member's id, ``null`` for nobody, or left out."""
    status: Literal["open", "closed"] | None = None
    needs_response: bool | None = None


class ReadUpTo(Struct, kw_only=True, forbid_unknown_fields=True):
    up_to: str
    """The id of the last entry that was shown."""


class Author(Struct, kw_only=True):
    kind: Literal["contact", "member", "automation", "assistant", "system", "api"]
    id: str | None
    name: str | None


class Block(Struct, kw_only=True, omit_defaults=True):
    """One piece of an entry, as its channel's plugin renders it.

    ``type`` says which fields are set: ``text`` (text), ``quote`` (text), ``fields`` (fields),
    ``html`` (html: already sanitised, show in a frame only), ``buttons`` (labels),
    ``attachment`` (attachment_id).
    """

    type: Literal["text", "quote", "fields", "html", "buttons", "attachment"]
    text: str | None = None
    html: str | None = None
    fields: list[tuple[str, str]] | None = None
    labels: list[str] | None = None
    attachment_id: str | None = None


class AttachmentOut(Struct, kw_only=True):
    id: str
    name: str
    content_type: str
    """As found in the bytes, never as declared."""
    size: int | None
    state: Literal["pending", "ready", "failed"]
    reason: str | None
    """Why it failed."""
    url: str | None
    """Where to get the bytes, once ``ready``."""
    inline: bool
    """Whether a page may show it (an image, audio or video whose type matches its bytes)."""
    width: int | None = None
    height: int | None = None


class Entry(Struct, kw_only=True):
    """One thing in a conversation's timeline."""

    id: str
    thread_id: str
    kind: Literal["message", "note", "call", "system"]
    group: Group
    direction: Literal["in", "out", "internal"]
    author: Author
    channel_id: str | None
    address: str | None
    """The contact's address it came from or went to, as people read it."""
    own_address: str | None
    text: str
    """Plain text: the body of a message or note."""
    subject: str | None
    blocks: list[Block]
    attachments: list[AttachmentOut]
    event: dict[str, Any] | None
    """For ``system``: ``{"type": "assigned" | "unassigned" | "closed" | "reopened" |
    "needs_response_set" | "needs_response_cleared" | "opted_out" | "opted_in", ...}`` with what
    the line needs (``assignee``: a name, ``by``: a name or null, ``address``, ``how``)."""
    status: EntryStatus | None
    """For ``out`` messages only."""
    status_reason: str | None
    """Why it failed or is unknown, in words for the person."""
    status_at: datetime | None
    can_cancel: bool
    can_retry: bool
    can_resolve: bool
    """Outcome unknown: a person may say whether it went out (``/resolve``)."""
    occurred_at: datetime
    """As shown."""
    sort_at: datetime
    """Orders the timeline, ties by id."""
    idempotency_key: str | None
    """The sender's ``Idempotency-Key``: an optimistic entry finds its own by it."""
    warnings: list[str]
    """What the channel says about it ("3 segments")."""


class EntryPage(Struct, kw_only=True):
    """Entries in time order."""

    items: list[Entry]
    earlier_cursor: str | None
    later_cursor: str | None


class SendMessage(Struct, kw_only=True, forbid_unknown_fields=True):
    channel_id: str
    contact_id: str
    """Must be this thread's: a draft can never reach somebody else."""
    body: str
    to: str | None = None
    own_address: str | None = field(default=None, name="from")
    attachment_ids: list[str] = field(default_factory=list[str])
    subject: str | None = None


class StartConversation(Struct, kw_only=True, forbid_unknown_fields=True):
    """The first message to an address; an existing conversation is used if there is one."""

    channel_id: str
    to: str
    body: str
    own_address: str | None = field(default=None, name="from")
    attachment_ids: list[str] = field(default_factory=list[str])
    subject: str | None = None


class AddNote(Struct, kw_only=True, forbid_unknown_fields=True):
    body: str


class ResolveEntry(Struct, kw_only=True, forbid_unknown_fields=True):
    outcome: Literal["sent", "failed"]
    """What a person found out about an unconfirmed message."""


class Icon(Struct, kw_only=True):
    """An icon of the sprite by name, or path data on a 24 x 24 grid."""

    name: str | None = None
    path: str | None = None


class ChannelOut(Struct, kw_only=True):
    """A channel as a page needs it to show its entries and offer it in a composer."""

    id: str
    plugin: str
    name: str
    """What people call it: "Text message"."""
    group: Group
    icon: Icon
    tone: Literal["gray", "blue", "green", "purple", "teal", "amber", "red", "pink"]
    state: Literal["ok", "degraded", "transient", "needs_attention", "off"]
    reason: str | None
    paused: bool
    outbound: bool
    own_addresses: list[ComposeAddress]
    address_scheme: str
    """What a new conversation on it is addressed to: ``phone``, ``email``, …"""
    media_out: bool
    media_max_bytes: int | None
    media_max_count: int | None
    media_types: list[str]
    """Accepted content types, ``image/*`` patterns allowed; empty: any."""
    verified: bool
    """Whether it checks who its deliveries come from."""
    real: bool
    """Whether it reaches people; a simulator does not."""
    page_url: str | None
    """A page of its own that the plugin brings (the simulator's phone)."""
    page_label: str | None


class TemplateOut(Struct, kw_only=True):
    """A text that the provider approves beforehand. ``name`` and ``language`` name it together."""

    name: str
    language: str
    body: str
    """Its text, with the provider's own marks for ``parameters``."""
    parameters: list[str]
    state: Literal["approved", "pending", "rejected", "paused"]
    """Only one that is approved can be sent."""


class StreamChange(Struct, kw_only=True, omit_defaults=True):
    """One change. ``thread.changed`` carries ``thread``, ``entry.*`` carry ``entry``,
    ``channel.changed`` carries ``channel``."""

    type: Literal["thread.changed", "entry.added", "entry.changed", "channel.changed"]
    position: int
    thread: ThreadRow | None = None
    entry: Entry | None = None
    channel: ChannelOut | None = None


class StreamFrame(Struct, kw_only=True, rename={"from_": "from"}):
    """Changes after position ``from`` up to ``to``; a client whose last ``to`` is not this
    ``from`` has missed something and asks ``changes?since=``."""

    from_: int
    to: int
    changes: list[StreamChange]


class Hello(Struct, kw_only=True):
    type: Literal["hello"] = "hello"
    position: int


class Reload(Struct, kw_only=True):
    """``since`` is too far back: read everything again."""

    type: Literal["reload"] = "reload"
    position: int


class CountsMessage(Struct, kw_only=True):
    """Absolute counts for the scope the client shows; carries no position."""

    type: Literal["counts"] = "counts"
    counts: ThreadCounts


class JobOut(Struct, kw_only=True):
    """Long work that a member has started."""

    id: str
    kind: str
    state: Literal["waiting", "running", "done", "failed", "canceled"]
    done: int
    """How much of ``total`` is done, in whatever the kind counts."""
    total: int | None
    """``None`` while nobody knows."""
    result: dict[str, Any] | None
    """What came of it, by kind, when it is done."""
    reason: str | None
    """Why it failed, or why its next step waits."""
    canceling: bool
    """It ends before its next step."""
    version: int
    """Grows with every change: of two, the greater is the later."""
    created_at: datetime
    finished_at: datetime | None


class JobPage(Struct, kw_only=True):
    items: list[JobOut]
    next_cursor: str | None


class JobChanged(Struct, kw_only=True):
    """To who started it alone; carries no position, and is not among what was missed."""

    type: Literal["job.changed"] = "job.changed"
    job: JobOut


DeliveryState = Literal["done", "ignored", "quarantined", "unverified", "refused"]
"""What became of what arrived. ``done``: understood. ``ignored``: nothing to keep in it.
``quarantined``: from who it claims, and not understood. ``unverified``: kept before anybody could
tell whom it is from. ``refused``: kept so, and from nobody.
"""


class DeliveryOut(Struct, kw_only=True):
    """Something that arrived for a channel, as the list shows it."""

    id: str
    channel_id: str
    state: DeliveryState
    reason: str | None
    """Why it was not understood, or ignored."""
    source: str
    """How it came: ``http``, or what the plugin brought by itself."""
    method: str
    size: int
    """Bytes of the body."""
    attempts: int
    """How often it was read."""
    due_at: datetime | None
    """When it is read again by itself."""
    received_at: datetime


class DeliveryPage(Struct, kw_only=True):
    """A page may hold fewer than were asked for, or none, and go on: only without a
    ``next_cursor`` it is the last."""

    items: list[DeliveryOut]
    next_cursor: str | None


class DeliveryCounts(Struct, kw_only=True):
    """How many deliveries of a channel wait to be read again; 1001 stands for more than 1000."""

    quarantined: int
    unverified: int


class DeliveryHeader(Struct, kw_only=True):
    name: str
    value: str
    hidden: bool
    """Whether the value, or a part of it, was taken out: who has it could forge a delivery."""


class DeliveryProof(Struct, kw_only=True):
    """How it was found out whom a delivery is from."""

    method: str
    detail: str


class DeliveryBody(Struct, kw_only=True):
    """What a delivery carried, without the channel's secrets: text where it is one, else base64."""

    content_type: str | None
    """What the sender called it."""
    text: str | None
    base64: str | None
    cut: bool
    """Only its beginning is here; the rest can be downloaded."""
    withheld: str | None
    """Why none of it is here."""


class DeliveryEntry(Struct, kw_only=True):
    """An entry that came of a delivery."""

    id: str
    thread_id: str
    kind: Literal["message", "note", "call", "system"]
    direction: Literal["in", "out", "internal"]
    preview: str
    status: str | None
    at: datetime


class DeliveryDetail(DeliveryOut, kw_only=True):
    """One in full. What a sender wrote is hostile: show it as text, never as HTML."""

    url: str
    headers: list[DeliveryHeader]
    remote: str | None
    proof: DeliveryProof | None
    body: DeliveryBody
    entries: list[DeliveryEntry]
    """What it added to conversations."""


class Rendering(Struct, kw_only=True):
    """What a channel's ``render`` gives for a message on one surface, without secrets; long texts
    are cut."""

    surface: Literal["timeline", "preview", "composer", "wire", "notification"]
    direction: Literal["in", "out"]
    """``composer`` and ``wire``: as if the organisation sent the same."""
    blocks: list[dict[str, Any]]
    """As the plugin gave them: each has a ``type``."""
    preview: str
    warnings: list[str]
    wire: list[dict[str, Any]]
    """The parts that would go to the provider."""
    fault: str | None
    """Why there is nothing to see: what ``render`` raised, or how it broke its promise."""


class DeliveryEvent(Struct, kw_only=True):
    """What a channel understood, one thing of it."""

    type: str
    facts: dict[str, Any]
    """As the plugin gave it, without secrets; long texts are cut."""
    entry_id: str | None
    """The entry that it names, if the hub has it."""
    thread_id: str | None
    renderings: list[Rendering]
    """How it looks on each surface, if it is a message among the first twenty events."""


class DeliveryReply(Struct, kw_only=True):
    """What the sender would be answered."""

    status: int
    content_type: str
    text: str


class DeliveryDryRun(Struct, kw_only=True):
    """What would become of a delivery if it were read again now."""

    state: DeliveryState
    reason: str | None
    proof: DeliveryProof | None
    events: list[DeliveryEvent]
    more_events: int
    """How many are not shown."""
    reply: DeliveryReply | None


class DeliveryReplayed(Struct, kw_only=True):
    """What became of a delivery that was read again."""

    before: DeliveryState
    delivery: DeliveryDetail


class FieldError(Struct, kw_only=True):
    field: str
    message: str


class Problem(Struct, kw_only=True, omit_defaults=True):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    code: str | None = None
    """Machine-readable, for 422: ``opted_out``, ``window_closed``, ``contact_mismatch``, …"""
    errors: list[FieldError] | None = None
