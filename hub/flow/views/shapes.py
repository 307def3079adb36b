"""What the HTTP API and the stream carry, as types.

Every answer and every stream change is made of these Structs, and the OpenAPI document is made
from them. Ids are opaque strings; times are RFC 3339 in UTC (``datetime`` here, always with a
zone). A client replaces what it has with what it is given: rows and entries come whole.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from hub.rules.alerts import AlertChoices, AlertKind

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
    "rejected",
]
"""What became of an outgoing entry, derived from its transmissions.

``pending_approval``: nothing goes out before somebody approves it; ``rejected``: they did not.
``pending``: not handed over yet. ``queued``: the provider has it. ``unknown``: it may or may not
have gone out; a person decides.
"""

Group = Literal["texts", "emails", "calls", "notes", "system"]
"""The timeline filter an entry falls under; a channel's plugin names its own."""


class RoleNamed(Struct, kw_only=True):
    """A role by its name."""

    id: str
    name: str


class OwnAddress(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """One of the organisation's own addresses on a channel, such as a number."""

    channel_id: str
    address: str


class RoleOut(Struct, kw_only=True):
    """A role: what its members may do, and on which channels and numbers."""

    id: str
    name: str
    ready: str | None
    """Which of the ready-made roles it is, by the name it was made with; absent for an own one."""
    capabilities: list[str]
    channels: list[str] | None
    """The channels its members see whole; absent: all of them."""
    own_addresses: list[OwnAddress]
    """Besides: single numbers of other channels. Its members see the entries at these, and write
    from these alone."""
    members: int
    """How many active members have it."""
    deletable: bool


class MakeRole(Struct, kw_only=True, forbid_unknown_fields=True):
    """A new role. Without ``channels`` it sees all of them; with them, these whole, and of others
    the ``own_addresses``."""

    name: str
    capabilities: list[str]
    channels: list[str] | None = None
    own_addresses: list[OwnAddress] = []


class RolePatch(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change; a field left out stays."""

    name: str | UnsetType = UNSET
    capabilities: list[str] | UnsetType = UNSET
    channels: list[str] | UnsetType | None = UNSET
    own_addresses: list[OwnAddress] | UnsetType = UNSET


class MemberPatch(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change; a field left out stays. ``available``: see ``MemberListed``."""

    role_id: str | UnsetType = UNSET
    available: bool | UnsetType = UNSET


class MakeToken(Struct, kw_only=True, forbid_unknown_fields=True):
    """A new token; without ``expires_at`` it is good until it is revoked."""

    name: str
    capabilities: list[str]
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class TokenOut(Struct, kw_only=True):
    """An API token, without the token itself."""

    id: str
    name: str
    member_id: str
    member_name: str
    capabilities: list[str]
    """What was chosen; it may do what of this its member still may."""
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    """To the minute."""


class TokenMade(TokenOut, kw_only=True):
    """A token that was just made."""

    token: str
    """Sent as ``Authorization: Bearer``. It is shown this once."""


class MemberOut(Struct, kw_only=True):
    """A user in an organisation."""

    id: str
    name: str
    email: str
    active: bool = True


class MemberListed(MemberOut, kw_only=True):
    """A member with what they are in the organisation."""

    role: RoleNamed | None
    """Absent for who has left and whose role was deleted since."""
    super_user: bool
    second_factor: bool | None = None
    """Whether more than the password is asked for when they sign in; for who may manage members."""
    last_seen_at: datetime | None = None
    """To five minutes; for who may manage members. Absent: never."""
    available: bool = False
    """Whether conversations may be assigned to them by themselves. They say so, or who manages
    members does."""
    available_since: datetime | None = None
    """When that was said last, whether they are available or not."""


class OwnMembership(Struct, kw_only=True):
    """What a member has chosen for themselves in an organisation."""

    available: bool
    available_since: datetime | None
    assignment_mail: bool
    """Whether they get a mail when somebody else, or the hub by itself, assigns them a
    conversation."""
    mails: bool
    """Whether this hub can send mails."""
    signature: str
    """What stands below their letters, above that of the organisation; empty: nothing."""
    alerts: AlertChoices
    """What they are alerted of, and how."""


class OwnMembershipPatch(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change; a field left out stays."""

    available: bool | UnsetType = UNSET
    assignment_mail: bool | UnsetType = UNSET
    signature: Annotated[str, Meta(max_length=2_000)] | UnsetType = UNSET
    alerts: AlertChoices | UnsetType = UNSET


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
    channels: list[str] | None
    """The channels they see whole; absent: all of them."""
    own_addresses: list[OwnAddress]
    """What they see of other channels."""


class Me(Struct, kw_only=True):
    """Who is signed in."""

    user_id: str
    name: str
    email: str
    must_change_password: bool
    phone: str | None
    """Where they are rung when they call a contact, in E.164."""
    organisations: list[OrganisationOut]
    super_user: bool = False
    """Whether they may do everything, in every organisation."""
    single_keys: bool = True
    """Whether keys that type a character are commands where nothing is typed."""
    toured: bool = False
    """Whether they have been shown around the pages."""
    second_factor: bool = False
    """Whether more than the password is asked for when they sign in."""
    needs_second_factor: bool = False
    """Whether they can do nothing in an organisation of theirs until they have set one up."""
    range_noted: bool = False
    """Whether they know that the list begins with the last 30 days."""
    csrf_token: str | None = None
    """Sent back as ``X-CSRF-Token`` on every change; absent for bearer tokens."""


class SignIn(Struct, kw_only=True, forbid_unknown_fields=True):
    email: str
    password: str


class MePatch(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change; a field left out stays."""

    phone: str | UnsetType | None = UNSET
    """A number with its country code, in any form; ``null`` or empty for none."""
    range_noted: bool | UnsetType = UNSET
    single_keys: bool | UnsetType = UNSET
    toured: bool | UnsetType = UNSET


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
    property_address: str | None = None
    """Where the work is done."""
    account: str | None = None
    """The account's name."""
    lead_id: str | None = None
    """What the organisation's other programs know the lead or prospect by."""
    created_at: datetime


Fact = Annotated[str, Meta(max_length=500)] | None


class ContactPatch(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is given is set, without spaces around it; ``null`` or nothing but spaces takes it
    away."""

    name: Fact | UnsetType = UNSET
    property_address: Fact | UnsetType = UNSET
    account: Fact | UnsetType = UNSET
    lead_id: Fact | UnsetType = UNSET


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
    author: MemberOut | None = None
    """The member who wrote it."""


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
    """Inbound messages nobody of the team has seen, and calls that are unresolved."""
    unresolved: int
    """The calls among them: reading does not clear them, resolving does."""
    assignee: MemberOut | None
    preview: Preview | None
    """``None`` where nothing is left because the only call was moved away: no list, count or search
    of conversations has it until there is something again."""
    channel_id: str | None
    """The channel the customer used last; for ``outbound_only`` the one last sent on."""
    channel_ids: list[str]
    """Every channel this conversation has entries of, as far as the reader may see them."""
    sort_at: datetime
    """Orders the list: the last message, call or note."""
    active_at: datetime
    """The last activity of any kind; what date ranges look at."""
    created_at: datetime
    reply_due_at: datetime | None = None
    """When somebody is to have answered, by the organisation's reply-time target; ``None`` without
    one, and where no response is needed."""
    match: SearchMatch | UnsetType = UNSET
    """In the answer to a search alone."""


class ConsentOut(Struct, kw_only=True):
    """Whether an address of a contact takes messages on a channel. All but the first four is
    ``None`` where nothing was said: it may be written to until they opt out."""

    channel_id: str
    scheme: str
    value: str
    display: str
    state: Literal["in", "out"] | None = None
    at: datetime | None = None
    how: str | None = None
    by: str | None = None
    """Which member; ``None``: they themselves, or the provider."""


class ChangeConsent(Struct, kw_only=True, forbid_unknown_fields=True):
    """A contact opts in or out by a member's hand: ``how`` they said so, which is needed where they
    have opted out themselves. Without an ``address`` all that the channel reaches."""

    channel_id: str
    address: str | None = None
    state: Literal["in", "out"]
    how: str = ""


class ConsentList(Struct, kw_only=True):
    items: list[ConsentOut]


class ConsentEvent(Struct, kw_only=True):
    """Something that was said of a contact's consent. ``own_address``: of ours alone; empty: of all
    of them."""

    id: str
    channel_id: str
    scheme: str
    value: str
    display: str
    own_address: str
    state: Literal["in", "out"]
    at: datetime
    how: str
    by: str | None


class ConsentHistory(Struct, kw_only=True):
    """The newest first. ``next_cursor`` asks for older ones."""

    items: list[ConsentEvent]
    next_cursor: str | None = None


class ComposeAddress(Struct, kw_only=True):
    value: str
    display: str


class ComposeMode(Struct, kw_only=True):
    """One channel as the composer of a thread offers it."""

    channel_id: str
    can_send: bool
    """Whether free text may be written now."""
    reason: str | None
    """Why it cannot be sent on, in words for the person, when ``can_send`` is false."""
    may: Literal["free", "template", "closed"]
    """What may be written now: anything, only a template, or nothing."""
    until: datetime | None
    """Until when that is so, if the channel says it."""
    templates: bool
    """Whether there are templates to choose from (``/channels/{id}/templates``)."""
    replies: bool
    """Whether a message may name the one that it answers (``reply_to``)."""
    to: list[ComposeAddress]
    """Addresses of the contact this channel can reach, the one last used first."""
    own: list[ComposeAddress]
    """The organisation's own addresses on it, the one the customer last wrote to first."""
    max_length: int | None = None
    """Characters one message may hold."""
    counter: Literal["sms"] | None = None
    """How to count: ``sms`` shows character set, segments and what is left."""
    subject: bool = False
    """Whether a message has a subject."""
    subject_default: str | None = None
    """The one it gets where none is given and no message is named that it answers."""
    copies: bool = False
    """Whether a message may go to further people in copy (``cc``, ``bcc``)."""
    in_copy: list[ComposeAddress] = field(default_factory=list[ComposeAddress])
    """Who else the last message on it went to: an answer to all goes to them, too."""
    signature: str | None = None
    """What is put below a message."""
    quotes: bool = False
    """Whether the message that is answered is put below, as quoted history."""


class CallMode(Struct, kw_only=True):
    """One channel as the call button of a thread offers it."""

    channel_id: str
    can_call: bool
    reason: str | None
    """Why nobody can be called on it, in words for the person, when ``can_call`` is false."""
    to: list[ComposeAddress]
    """Addresses of the contact this channel can ring, the one last used first."""
    own: list[ComposeAddress]
    """The organisation's own addresses on it, the one the customer last called first."""


class ThreadDetail(ThreadRow, kw_only=True):
    """A conversation as its page shows it."""

    details: ContactOut
    consents: list[ConsentOut]
    compose: list[ComposeMode]
    calls: list[CallMode]
    """Every channel on which contacts are called."""
    default_channel_id: str | None
    """The channel the composer opens with: the one the customer used last, if it can be used."""
    read_up_to: str | None
    """The last entry seen by the team before this reading; places "unread from here"."""


class ThreadPage(Struct, kw_only=True):
    items: list[ThreadRow]
    next_cursor: str | None
    new_number: ComposeAddress | None = None
    """Where a search found nothing: the phone number that was typed, if it is a whole and valid
    one, to begin a conversation with."""


class ThreadCounts(Struct, kw_only=True):
    """How many conversations each filter and each status holds in the scope asked for."""

    filter: dict[str, int]
    """all, unread, unassigned, mine, needs_response; and late, where answers have a target"""
    status: dict[str, int]
    """open, unread, closed, all"""
    unread_total: int
    """Conversations with unread messages whatever the scope: the badge on Messages."""
    approvals: int = 0
    """Messages that wait for the reader's approval, not their own: the badge on Approvals. Always 0
    for who may not approve."""


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
    kind: Literal["contact", "member", "automation", "assistant", "system", "api", "elsewhere"]
    """``elsewhere``: the organisation itself, on a phone or at the provider."""
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
    mismatched: bool
    """Whether its bytes are something else than its name says: no page shows it."""
    width: int | None = None
    height: int | None = None
    content_id: str | None = None
    """What the HTML of its message calls it by ``cid:``, where it stands in the text."""


class QuotedOut(Struct, kw_only=True):
    """The entry that another one answers."""

    entry_id: str
    text: str
    """In one line."""
    direction: Literal["in", "out", "internal"]


class WordingOut(Struct, kw_only=True):
    """What a message said from ``at`` on."""

    text: str
    at: datetime


class ReactionOut(Struct, kw_only=True):
    emoji: str
    by: str
    """The address of who reacted, as people read it."""
    at: datetime


class TimesOut(Struct, kw_only=True):
    """How often something happened, and when first and last."""

    count: int
    first_at: datetime
    last_at: datetime


class EngagementOut(Struct, kw_only=True):
    """What was seen of an outgoing message. Machines open messages and follow links too."""

    opened: TimesOut | None
    clicked: TimesOut | None
    clicked_url: str | None
    """The link that was followed last."""


class CallLine(Struct, kw_only=True):
    """Something said in a call."""

    at: float | None
    """Seconds from the start."""
    speaker: str
    text: str


class CallOut(Struct, kw_only=True):
    """A call, as far as it was told. Recordings and voicemails are attachments of its entry."""

    outcome: (
        Literal["answered", "missed", "busy", "failed", "voicemail", "canceled", "unknown"] | None
    )
    """``None`` while it lasts; ``unknown``: nothing was told of it for four hours, so that nobody
    knows how it ended. What is told of its end later replaces that."""
    duration: float | None
    """Seconds of talk, or of the voicemail."""
    ended_at: datetime | None
    lines: list[CallLine]
    """The transcript, or what was heard so far."""
    voicemail: str | None
    """The words of the voicemail."""
    summary: str | None
    """What the provider's own agent says of the call it handled, as the four that follow."""
    facts: list[tuple[str, str]]
    result: str | None
    follow_up: str | None
    due_at: datetime | None
    """By when the follow-up is promised."""
    follow_up_done_at: datetime | None
    handed_over: bool
    """The agent left it to a person."""
    unresolved: bool
    """It counts as unread until somebody resolves it (``/resolve``): missed, on the voicemail,
    failed, of unknown end, or handed over."""
    resolved_at: datetime | None
    resolved_by: str | None
    """A member's name."""
    member: str | None
    """Who called, if it was made from here."""
    live: bool
    """Whether it lasts."""


class TemplateNamed(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which template; ``name`` and ``language`` name it together."""

    name: str
    language: str


ApprovalState = Literal["waiting", "approved", "rejected", "withdrawn"]


class ApprovalOut(Struct, kw_only=True):
    """That a message had to be approved, and what became of that."""

    state: ApprovalState
    member_id: str | None
    """Its author, if that is a member: they may withdraw it, and not approve it."""
    submitted_at: datetime
    original_text: str | None
    """What the author wrote, if the approver changed it."""
    original_subject: str | None
    decided_by: str | None
    """A name."""
    decided_by_id: str | None
    decided_at: datetime | None
    reason: str | None
    """Why it was rejected."""


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
    """For ``system``: ``{"type": "assigned" | "assigned_automatically" | "unassigned" | "closed" |
    "reopened" | "needs_response_set" | "needs_response_cleared" | "opted_out" | "opted_in" |
    "taken_back" | "reached_at" | "moved_away" | "call_moved_away" | "call_moved_here", ...}`` with
    what the line needs (``assignee``: a name, ``assignee_id``, ``by``: a name or null, ``address``,
    ``how``; ``entry_id``: of the message taken back or the call moved; ``thread_id``: the other
    conversation, where an address has changed its owner)."""
    status: EntryStatus | None
    """For ``out`` messages only, and for calls made from here."""
    status_reason: str | None
    """Why it failed, is unknown, was rejected, or could not be sent when it was approved, in words
    for the person."""
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
    template: TemplateNamed | None
    """The template that it was made of."""
    answers: QuotedOut | None
    """The entry of this conversation that it answers."""
    edited_at: datetime | None
    """When its sender changed it last; ``text`` and ``blocks`` are the newest."""
    wordings: list[WordingOut]
    """What it said before it was edited, the oldest first."""
    deleted_at: datetime | None
    """When its sender took it back. What it said is kept."""
    reactions: list[ReactionOut]
    engagement: EngagementOut | None
    call: CallOut | None
    """Of kind ``call``."""
    approval: ApprovalOut | None
    """Of a message that has waited for approval, or does."""
    mentions: list[MentionOut]
    """The colleagues whom a note names; they are told."""
    cc: list[str] = field(default_factory=list[str])
    """Who else it came or went to, as people read it."""
    bcc: list[str] = field(default_factory=list[str])
    """Who got it unseen by everybody else."""


class MentionOut(Struct, kw_only=True):
    """Somebody named in a note: "@" and ``name`` stand in its text."""

    member_id: str
    name: str


class EntryPage(Struct, kw_only=True):
    """Entries in time order."""

    items: list[Entry]
    earlier_cursor: str | None
    later_cursor: str | None


class SendMessage(Struct, kw_only=True, forbid_unknown_fields=True):
    channel_id: str
    contact_id: str
    """Must be this thread's: a draft can never reach somebody else."""
    body: str = ""
    """Empty for a template, which has its own text."""
    to: str | None = None
    own_address: str | None = field(default=None, name="from")
    attachment_ids: list[str] = field(default_factory=list[str])
    subject: str | None = None
    """Left out on a channel with subjects: "Re: ..." of what the conversation was last about."""
    reply_to: str | None = None
    """The id of the entry it answers: of this conversation, on this channel."""
    template: TemplateNamed | None = None
    variables: dict[str, str] = field(default_factory=dict[str, str])
    """A value for each parameter of the template, by its name."""
    cc: list[str] = field(default_factory=list[str])
    """Who gets it in copy, for everybody to see. The conversation stays the contact's."""
    bcc: list[str] = field(default_factory=list[str])
    """Who gets it in copy, unseen by everybody else."""


class StartConversation(Struct, kw_only=True, forbid_unknown_fields=True):
    """The first message to an address; an existing conversation is used if there is one."""

    channel_id: str
    to: str
    body: str = ""
    own_address: str | None = field(default=None, name="from")
    attachment_ids: list[str] = field(default_factory=list[str])
    subject: str | None = None
    template: TemplateNamed | None = None
    variables: dict[str, str] = field(default_factory=dict[str, str])
    cc: list[str] = field(default_factory=list[str])
    bcc: list[str] = field(default_factory=list[str])


class PreviewMessage(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is being written, as for ``SendMessage``; values of a template may still be missing."""

    channel_id: str
    contact_id: str
    body: str = ""
    to: str | None = None
    own_address: str | None = field(default=None, name="from")
    attachment_ids: list[str] = field(default_factory=list[str])
    subject: str | None = None
    template: TemplateNamed | None = None
    variables: dict[str, str] = field(default_factory=dict[str, str])
    reply_to: str | None = None
    cc: list[str] = field(default_factory=list[str])
    bcc: list[str] = field(default_factory=list[str])


class MessagePreview(Struct, kw_only=True):
    """What the recipient would get."""

    blocks: list[Block]
    preview: str
    """In one line."""
    warnings: list[str]
    """What to know before it is sent ("3 segments", values that are missing)."""


class StartPreview(MessagePreview, kw_only=True):
    """What is known of the first message to an address, before it is sent."""

    to: ComposeAddress
    """The address as the channel knows it, and as people read it."""
    may: Literal["free", "template", "closed"]
    """As of ``ComposeMode``."""
    reason: str | None
    """Why not everything may be written."""
    thread_id: str | None
    """The conversation that there is already with whoever has the address."""
    display: str | None
    """Who that is."""


class ApprovalProblem(Struct, kw_only=True):
    """Why a message could not be sent if it were approved now, or when somebody tried."""

    code: str
    """``opted_out``, ``window_closed``, ``no_channel``, …"""
    detail: str


class QueuedApproval(Struct, kw_only=True):
    """A message of the approval queue."""

    id: str
    """The id of its entry."""
    state: ApprovalState
    entry: Entry
    thread: ThreadRow
    contact: ContactBrief
    author: Author
    author_active: bool
    """Whether its author is still a member; it may be approved all the same."""
    waiting_since: datetime
    text: str
    """What would be sent, or was."""
    subject: str | None
    original_text: str | None
    """What the author wrote, if the approver changed it."""
    original_subject: str | None
    can_edit: bool
    """Its words may be changed: a template's may not."""
    problems: list[ApprovalProblem]
    """Of one that waits."""


class ApprovalPage(Struct, kw_only=True):
    items: list[QueuedApproval]
    next_cursor: str | None


class Approve(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is sent instead of the author's words; what is left out stays as it is."""

    text: str | None = None
    subject: str | None = None


class Reject(Struct, kw_only=True, forbid_unknown_fields=True):
    reason: str
    """For the author; 500 characters at most."""


class Decision(Struct, kw_only=True):
    """What somebody has decided before."""

    state: ApprovalState
    by: str | None
    """A name."""
    at: datetime | None


class AddNote(Struct, kw_only=True, forbid_unknown_fields=True):
    body: str


class CorrectNote(Struct, kw_only=True, forbid_unknown_fields=True):
    body: str


class ResolveEntry(Struct, kw_only=True, forbid_unknown_fields=True):
    outcome: Literal["sent", "failed", "resolved"]
    """What a person found out about an unconfirmed message (``sent``, ``failed``), or that an
    unresolved call needs nothing more (``resolved``)."""


class FollowUp(Struct, kw_only=True, forbid_unknown_fields=True):
    done: bool
    """Whether what was promised in a call is done."""


class ReassignCall(Struct, kw_only=True, forbid_unknown_fields=True):
    contact_id: str | None
    """Whose conversation it belongs to; ``null``: to nobody's, it stands alone."""
    reason: str | None = None
    """For the audit."""


class PlaceCall(Struct, kw_only=True, forbid_unknown_fields=True):
    """The provider rings the member's phone, then the contact."""

    channel_id: str
    contact_id: str
    """Must be this thread's."""
    to: str | None = None
    own_address: str | None = field(default=None, name="from")


class ContactAddress(Struct, kw_only=True):
    scheme: str
    value: str
    display: str


class ContactFound(Struct, kw_only=True):
    """A contact, as somebody who looks for one needs it."""

    id: str
    name: str | None
    display: str
    addresses: list[ContactAddress]
    thread_id: str | None


class ContactPage(Struct, kw_only=True):
    items: list[ContactFound]


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
    subject: bool
    """Whether its messages have a subject."""
    copies: bool
    """Whether its messages may go to people in copy."""
    media_out: bool
    media_max_bytes: int | None
    media_max_count: int | None
    media_max_total: int | None
    """Bytes of all files of a message together, where that is less than each may have."""
    media_types: list[str]
    """Accepted content types, ``image/*`` patterns allowed; empty: any."""
    verified: bool
    """Whether it checks who its deliveries come from."""
    real: bool
    """Whether it reaches people; a simulator does not."""
    page_url: str | None
    """A page of its own that the plugin brings (the simulator's phone)."""
    page_label: str | None
    running: bool
    """Whether it could be loaded: one that could not has nothing to pause or to ask."""
    version: str | None
    """Of its plugin."""
    templates: bool
    """Whether its provider approves texts beforehand."""


class TemplateParameter(Struct, kw_only=True):
    name: str
    example: str | None


class TemplateOut(Struct, kw_only=True):
    """A text that the provider approves beforehand. ``name`` and ``language`` name it together."""

    name: str
    language: str
    body: str
    """Its text, with the provider's own marks for ``parameters``."""
    parameters: list[TemplateParameter]
    header: str | None
    footer: str | None
    buttons: list[str]
    state: Literal["approved", "pending", "rejected", "paused"]
    """Only one that is approved can be sent."""
    reason: str | None
    """Why it cannot."""


class TemplateList(Struct, kw_only=True):
    items: list[TemplateOut]


class StreamChange(Struct, kw_only=True, omit_defaults=True):
    """One change. ``thread.changed`` carries ``thread``, or only ``thread_id`` of one that its
    reader does not see any more, ``entry.added`` and ``entry.changed`` carry ``entry``,
    ``entry.removed`` its ids, ``channel.changed`` carries ``channel``, ``settings.changed``
    and ``members.changed`` (also of roles, invitations and tokens) nothing: read them anew.
    ``approval.changed`` carries ``approval``, and comes to those alone who
    may approve."""

    type: Literal[
        "thread.changed",
        "entry.added",
        "entry.changed",
        "entry.removed",
        "channel.changed",
        "settings.changed",
        "members.changed",
        "approval.changed",
    ]
    """``entry.removed``: it is in this thread no more: it turned out to be the same as another one,
    which stays, or it was moved."""
    position: int
    entry_id: str | None = None
    thread_id: str | None = None
    thread: ThreadRow | None = None
    entry: Entry | None = None
    channel: ChannelOut | None = None
    approval: QueuedApproval | None = None
    alert: AlertKind | None = None
    """Of an entry that people are told of now, wherever they look."""


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
    """Absolute counts for the scope the client shows, true at ``position``: those that were asked
    for may be newer."""

    type: Literal["counts"] = "counts"
    counts: ThreadCounts
    position: int


class PersonThere(Struct, kw_only=True):
    """A colleague who looks at a conversation."""

    member_id: str
    name: str
    typing: bool
    """Writes an answer."""


class PresenceMessage(Struct, kw_only=True):
    """Who else is in the conversation that the client shows; carries no position."""

    type: Literal["presence"] = "presence"
    thread_id: str
    people: list[PersonThere]


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
    decision: Decision | None = None
    """With the code ``already_decided``: who was faster, and when."""
