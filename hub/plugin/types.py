"""What travels between the hub and a plugin.

All are frozen msgspec Structs. New facts become fields with defaults; hook arguments never
change. Times are ``datetime`` with a zone, durations are seconds, sizes are bytes.

Names that mean the same wherever they stand:

- ``external_id``: the provider's id of the message or call that something is about
- ``occurred_at``: when it happened, as the provider says; ``None``: when it arrived
- ``own_address``: the organisation's address it came to or goes out from, as ``Address.value``
- ``text``: plain text, as it was written
- ``subject``: the subject line, on channels that have one
- ``body``: bytes, as they came or are to be sent
- ``name``: of a file, as its sender called it
- ``content_type``: of a body or file, as in HTTP
- ``size``: bytes
- ``duration``: seconds
- ``attachment_id``: ``Attachment.id`` of a file the hub has
- ``attachment_ids``: of several
- ``request_id``: ``Outbound.id`` of the request that an assistant answers
- ``due_at``: by when it is to be done
- ``detail``: one line for staff, without secrets or message text
- ``provider_code``: the provider's own code of an error
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, Protocol, final
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct, field

from hub.plugin.errors import FailureReason, Malformed

API_VERSION = "1.1"
"""The version of this promise. Within a major version there are only additions, apart from what is
marked provisional."""

# --------------------------------------------------------------------------- what a plugin is

Role = Literal["channel", "assistant", "extension"]
Group = Literal["texts", "emails", "calls", "notes", "system"]
"""Which filter of the timeline a channel's entries fall under."""
Tone = Literal["gray", "blue", "green", "purple", "teal", "amber", "red", "pink"]
"""The colour of a channel's icon, from the pages' own palette."""
ReceiptStatus = Literal["queued", "sent", "delivered", "read", "failed"]
"""What a provider says became of a message. ``queued``: the provider has it; ``sent``: it left
the provider; ``delivered``: it is on the device; ``read``: the person has seen it."""


class Icon(Struct, frozen=True, kw_only=True):
    """A channel's icon: ``name`` from the pages' sprite (Lucide names), or ``path``: SVG path
    data on a 24 x 24 grid, drawn as a line of 1.75."""

    name: str | None = None
    path: str | None = None


class MediaLimits(Struct, frozen=True, kw_only=True):
    """What files a channel carries. ``types`` are content types, ``image/*`` patterns allowed;
    empty means any."""

    max_bytes: int
    """Of each file."""
    max_count: int
    """Files of a message."""
    types: tuple[str, ...] = ()
    max_total: int | None = None
    """Bytes of all files of a message together, where that is less than each may have."""


class Capabilities(Struct, frozen=True, kw_only=True):
    """What a plugin can do. Everything not claimed is "no": the hub never asks for it, and an
    event that needs it is refused."""

    inbound: frozenset[Literal["http", "poll", "listen"]] = frozenset()
    """How things arrive: webhooks, ``poll``, or ``listen`` (and ``ctx.emit`` from routes)."""
    outbound: bool = False
    """The channel sends: it has the hook ``send``."""
    verifies: Literal["signature", "basic", "token", "none"] = "none"
    """How webhooks prove where they come from. ``none`` marks the channel unverified for all
    to see."""
    replay_window: float | None = None
    """Seconds after which a signed webhook is too old, where the provider signs a time."""
    receipts: frozenset[ReceiptStatus] = frozenset()
    """What ``ingest`` may report of a message that went out."""
    media_in: bool = False
    """Messages bring files."""
    media_out: MediaLimits | None = None
    """The files a message may carry; ``None``: none."""
    formats: frozenset[Literal["text", "html", "markdown"]] = frozenset({"text"})
    """How a message may be written."""
    subject: bool = False
    """Messages have a subject line."""
    threading: bool = False
    """Replies name the message they answer."""
    copies: bool = False
    """A message may go to further people in copy: ``Message.cc`` in, ``Outbound.cc`` and ``bcc``
    out. Since 1.1."""
    splits: bool = False
    """A long text goes out in several provider messages."""
    templates: bool = False
    """The provider approves texts beforehand (the hook ``templates``)."""
    reply_window: float | None = None
    """Seconds after the customer's last message in which free text is allowed."""
    edits: bool = False
    """People edit messages after they sent them: ``ingest`` may report ``edited``. Nothing is said
    of messages that the hub sends."""
    deletes: bool = False
    """People take messages back after they sent them: ``ingest`` may report ``deleted``. Nothing is
    said of messages that the hub sends."""
    reactions: bool = False
    """People put an emoji on a message: ``ingest`` may report ``reaction``. Nothing is said of
    reactions that the hub sends."""
    provider_idempotency: bool = False
    """The provider sends once however often the same ``Outbound.id`` is given to it."""
    reconciles: bool = False
    """``reconcile`` can find out whether a message went out."""
    calls: bool = False
    """The channel carries calls."""
    opt_out: bool = False
    """The provider reports STOP and START, or refuses who has opted out."""
    keywords: Literal["hub", "provider"] | None = None
    """STOP, START and HELP in the place of a whole message mean something here, and who answers
    them: the provider, or else the hub, which knows them in more languages. ``None``: a message is
    only what it says."""
    streaming: bool = False
    """Provisional. Assistants: partial text while the answer is made."""
    routes: bool = False
    """The channel has pages or endpoints of its own (the hook ``routes``)."""


class Info(Struct, frozen=True, kw_only=True):
    """What a plugin is; the class attribute ``INFO``. Where its settings decide what it can, an
    instance has an attribute ``info``: the same with a ``can`` that claims less."""

    name: str
    """As in ``hub.toml``: ``plugin = "sms-twilio"``; also the entry point's name."""
    role: Role
    """Which hooks it has to have, and what it may emit. Provisional: ``assistant``,
    ``extension``."""
    api: str
    """The plugin API it was written for: ``"1.0"``."""
    settings: type[Struct]
    """A Struct with ``forbid_unknown_fields=True``."""
    can: Capabilities = Capabilities()
    """What it can do."""
    emits: frozenset[str] = frozenset()
    """Tags of the events ``ingest`` may return."""
    label: str
    """What people call it: "Text message"."""
    group: Group = "texts"
    """The filter of the timeline that shows its entries."""
    icon: Icon = Icon(name="message-circle")
    """Beside each of its entries."""
    tone: Tone = "gray"
    """The icon's colour."""
    address_scheme: str = ""
    """The scheme of the customer's addresses: ``phone``, ``email``, or the plugin's own,
    namespaced by its name (``acme:user``)."""
    further_schemes: frozenset[str] = frozenset()
    """Further schemes of addresses that it reaches: of customers who have none of
    ``address_scheme``, such as those with a user name in place of a number."""
    counter: Literal["sms"] | None = None
    """How the composer counts what is typed; ``sms``: GSM-7/UCS-2 segments."""
    real: bool = True
    """Whether it reaches people. A simulator does not; beside real channels it is marked."""
    page: str | None = None
    """Path of one of its routes that is a page for staff."""
    page_label: str | None = None
    """What the link to ``page`` says."""


# --------------------------------------------------------------------------- addresses, media


class Address(Struct, frozen=True, kw_only=True):
    """One way to reach somebody. ``scheme``: ``phone``, ``email``, or a plugin's own, as
    ``Info.address_scheme``; ``value`` is normalised (E.164 for ``phone``, lower case for
    ``email``); ``display`` is what people read, when it differs. ``verified``: the provider
    vouches for it."""

    scheme: str
    value: str
    display: str | None = None
    verified: bool = False


class MediaRef(Struct, frozen=True, kw_only=True):
    """Where a file of an inbound message lies; never its bytes. Exactly one of ``url``,
    ``provider_id`` and ``part`` (index of a part of this delivery's body) is set. The hub fetches
    it later, by ``fetch_media`` if the plugin has it. ``content_type`` and ``name`` are what the
    provider claims; the hub looks at the bytes. ``delivery``: for a ``part``, what it is a part of;
    the hub sets it when it asks ``fetch_media``."""

    url: str | None = None
    provider_id: str | None = None
    part: int | None = None
    name: str | None = None
    content_type: str | None = None
    size: int | None = None
    delivery: Delivery | None = None
    content_id: str | None = None
    """What the HTML of the same message calls it by ``cid:``, without angle brackets: a picture
    that stands in the text. ``None``: nothing calls it."""


class FetchedMedia(Struct, frozen=True, kw_only=True):
    """What ``fetch_media`` brings. ``name`` and ``content_type`` only where the provider says
    another than in ``MediaRef``."""

    body: bytes
    name: str | None = None
    content_type: str | None = None


class Attachment(Struct, frozen=True, kw_only=True):
    """A file the hub has. ``id`` names it; ``content_type`` is as found in the bytes. Open it by
    ``ctx.media.open(id)``, or hand the provider ``ctx.media.signed_url(id)``."""

    id: str
    name: str
    content_type: str
    size: int


@final
class SafeHtml:
    """HTML that the hub has cleaned: only ``ctx.clean_html`` makes one."""

    __slots__ = ("html",)

    def __init__(self, html: str, *, _seal: object = None) -> None:
        if _seal is not _SEAL:
            raise TypeError("SafeHtml is made by ctx.clean_html(html), never by a plugin")
        self.html = html

    def __repr__(self) -> str:
        return f"SafeHtml({len(self.html)} characters)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SafeHtml) and self.html == other.html

    def __hash__(self) -> int:
        return hash(self.html)


# --------------------------------------------------------------------------- what arrives

Source = Literal["http", "poll", "listen", "fetch", "inline", "replay"]


_SMALL_FORM = 4096


def _form(body: bytes) -> tuple[tuple[str, str], ...]:
    text = body.decode("ascii")
    pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=1000)
    return tuple(pairs)


# Verified first and then understood, a form is asked for at least twice.
_recent_form = lru_cache(maxsize=16)(_form)


class Delivery(Struct, frozen=True, kw_only=True):
    """One thing that arrived, untouched.

    ``url`` is the public address it was sent to (from the configuration, never from the request:
    signatures fail behind proxies otherwise), with the raw query. ``headers`` keep their order
    and repeats, names as sent. ``source``: how it came; ``fetch``: the hook ``fetch`` brought it;
    ``inline``: it stood in ``Accepted.answers``; ``replay``: it was handed in again from outside.
    ``method``: of HTTP. ``remote``: the sender's address, where there is one. ``received_at``: when
    the hub got it. ``id``: the hub's, the same on every replay; the hub sets it.
    """

    body: bytes = b""
    source: Source = "http"
    method: str = "POST"
    url: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    remote: str | None = None
    received_at: datetime
    id: str = ""

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def query(self) -> list[tuple[str, str]]:
        """The URL's query in order, blanks kept."""
        return parse_qsl(urlsplit(self.url).query, keep_blank_values=True)

    def form(self) -> list[tuple[str, str]]:
        """The body as ``application/x-www-form-urlencoded``, in order, blanks and repeats kept.
        For GET the query. Raises ``Malformed`` for anything else."""
        if self.method == "GET":
            return self.query()
        kind = (self.header("content-type") or "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise Malformed(f"expected a form, got content type {kind[:80] or 'none'!r}")
        try:
            small = len(self.body) <= _SMALL_FORM
            return list(_recent_form(self.body) if small else _form(self.body))
        except ValueError as error:
            raise Malformed("the form is not valid UTF-8 or has too many fields") from error

    def json(self) -> Any:
        """The body as JSON. Raises ``Malformed``."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Malformed("the body is not valid JSON") from error


@final
class Verification:
    """Proof that a delivery comes from who it claims; stored with it.

    Made by ``ctx.verify.*``, or by ``Verification.custom(why)`` where the plugin has checked in a
    way the hub does not offer (say how). A plugin cannot forget the signature: events of an
    ``http`` delivery without a proof are refused unless the channel declares that it verifies
    nothing.
    """

    __slots__ = ("detail", "method")

    def __init__(self, method: str, detail: str = "", *, _seal: object = None) -> None:
        if _seal is not _SEAL:
            raise TypeError("a Verification is made by ctx.verify, or by Verification.custom(why)")
        self.method = method
        self.detail = detail

    @classmethod
    def custom(cls, why: str) -> Verification:
        """The plugin has checked by itself; ``why`` says how and is kept."""
        if not why.strip():
            raise ValueError("Verification.custom(why): say how the delivery was checked")
        return cls("custom", why, _seal=_SEAL)

    def __repr__(self) -> str:
        return f"Verification({self.method!r}, {self.detail!r})"


_SEAL = object()  # held by the hub's own makers in hub.plugin.kit; not exported


class Reply(Struct, frozen=True, kw_only=True):
    """What the provider is answered: a challenge, or a fixed body. ``status``: of HTTP, 200 to
    599."""

    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    body: bytes = b""


class FetchRef(Struct, frozen=True, kw_only=True):
    """Something the hub is to fetch durably by the hook ``fetch`` and feed back to ``ingest`` as
    a delivery of source ``fetch`` (a body by its id, a stored mail). ``id``: the provider's, the
    same however often it is named; ``data``: what else ``fetch`` needs."""

    id: str
    data: dict[str, str] = field(default_factory=dict[str, str])


# events: frozen, tagged; ``tag`` is the name in ``Info.emits``


class Message(Struct, frozen=True, kw_only=True, tag="message"):
    """Somebody wrote. ``external_id`` is the provider's id, the same however often it is
    delivered. ``sender`` holds every identity of the one sender, strongest first; empty only for
    ``echo``. ``own_address`` is the organisation's address it came to. ``echo``: the business
    itself wrote, on another device; ``recipient`` is then the customer. ``automatic``: an
    auto-reply, which is no customer's answer. ``sender_name``: what the sender calls themselves.
    ``media``: its files; ``html``: what it says, where the provider has it formatted."""

    external_id: str
    sender: tuple[Address, ...] = ()
    own_address: str = ""
    text: str = ""
    subject: str | None = None
    html: SafeHtml | None = None
    media: tuple[MediaRef, ...] = ()
    occurred_at: datetime | None = None
    sender_name: str | None = None
    reply_to: str | None = None
    """External id of the message it answers."""
    facts: dict[str, str] = field(default_factory=dict[str, str])
    """What else is worth showing: a location, a button pressed."""
    recipient: Address | None = None
    echo: bool = False
    automatic: bool = False
    fingerprint: str | None = None
    """For channels whose senders make the ids, and may use one twice: the same for every copy of
    this message, and another for another message. One with the id of an earlier message and another
    fingerprint is a message of its own. ``None``: the id alone tells."""
    cc: tuple[Address, ...] = ()
    """Who else it went to, in copy or beside the own address: neither the sender nor an own
    address. Since 1.1."""


class Receipt(Struct, frozen=True, kw_only=True, tag="receipt"):
    """What became of a message that went out, named by the provider's id (``external_id``) or by
    ours (``transmission_id``: ``Outbound.id``). May come early, late, twice and in any order.
    ``status``: what became of it; ``reason``: why it failed."""

    status: ReceiptStatus
    external_id: str | None = None
    transmission_id: str | None = None
    occurred_at: datetime | None = None
    reason: FailureReason | None = None
    detail: str | None = None
    provider_code: str | None = None


class Edited(Struct, frozen=True, kw_only=True, tag="edited"):
    """A message (``external_id``) now reads ``text``."""

    external_id: str
    text: str
    html: SafeHtml | None = None
    occurred_at: datetime | None = None


class Deleted(Struct, frozen=True, kw_only=True, tag="deleted"):
    """The sender took a message back."""

    external_id: str
    occurred_at: datetime | None = None


class Reaction(Struct, frozen=True, kw_only=True, tag="reaction"):
    """``emoji`` on a message; ``None`` takes it back. ``external_id`` is the reaction's own, ``to``
    the message's, ``sender`` whose it is."""

    external_id: str
    to: str
    sender: tuple[Address, ...]
    emoji: str | None
    occurred_at: datetime | None = None


class CallStarted(Struct, frozen=True, kw_only=True, tag="call_started"):
    """A call rings. ``caller`` is empty for a withheld number: such calls are never joined.
    ``direction``: who called whom, seen from the organisation. ``caller_name``: what the caller's
    network says."""

    external_id: str
    direction: Literal["in", "out"]
    caller: tuple[Address, ...]
    own_address: str
    occurred_at: datetime | None = None
    caller_name: str | None = None


class CallTurn(Struct, frozen=True, kw_only=True, tag="call_turn"):
    """Something said while a call lasts. ``number`` counts a call's turns from 1; ``speaker``:
    whose words they are."""

    external_id: str
    number: int
    speaker: Literal["customer", "member", "assistant"]
    text: str
    occurred_at: datetime | None = None


class CallEnded(Struct, frozen=True, kw_only=True, tag="call_ended"):
    """A call is over. ``outcome``: how it went; ``duration`` in seconds of talk."""

    external_id: str
    outcome: Literal["answered", "missed", "busy", "failed", "voicemail", "canceled"]
    duration: float | None = None
    occurred_at: datetime | None = None


class Recording(Struct, frozen=True, kw_only=True, tag="recording"):
    """A recording of a call is there."""

    external_id: str
    media: MediaRef
    duration: float | None = None


class Transcript(Struct, frozen=True, kw_only=True, tag="transcript"):
    """A call's words. ``turns``: (seconds from the start, speaker, text) each. Written by the
    caller's mouth: untrusted."""

    external_id: str
    turns: tuple[tuple[float | None, str, str], ...]


class Voicemail(Struct, frozen=True, kw_only=True, tag="voicemail"):
    """The caller left a message."""

    external_id: str
    media: MediaRef | None
    duration: float | None = None
    text: str | None = None


class CallOutcome(Struct, frozen=True, kw_only=True, tag="call_outcome"):
    """What a provider's own voice agent reports of a call it handled: a ``summary``, ``facts`` by
    label ("Address": "12 High Street"), the ``outcome`` in the agent's words, and the ``follow_up``
    it promised. ``handed_over``: it could not settle the matter, and left it to a person."""

    external_id: str
    summary: str
    facts: dict[str, str] = field(default_factory=dict[str, str])
    outcome: str | None = None
    follow_up: str | None = None
    due_at: datetime | None = None
    handed_over: bool = False


class Opened(Struct, frozen=True, kw_only=True, tag="opened"):
    """A message was opened; machines open too: shown, never acted on."""

    external_id: str
    occurred_at: datetime | None = None


class Clicked(Struct, frozen=True, kw_only=True, tag="clicked"):
    """A link of a message was followed: its ``url``."""

    external_id: str
    url: str
    occurred_at: datetime | None = None


class OptOut(Struct, frozen=True, kw_only=True, tag="opt_out"):
    """This address takes no more messages. ``own_address``: from this sender only, where the
    provider keeps it so. ``how`` in words: "replied STOP"."""

    address: Address
    how: str
    own_address: str | None = None
    occurred_at: datetime | None = None


class OptIn(Struct, frozen=True, kw_only=True, tag="opt_in"):
    """This address takes messages again. ``how``: as in ``OptOut``."""

    address: Address
    how: str
    own_address: str | None = None
    occurred_at: datetime | None = None


class ContactChanged(Struct, frozen=True, kw_only=True, tag="contact_changed"):
    """An identity rotated: who was ``old`` is now ``new``."""

    old: Address
    new: Address
    occurred_at: datetime | None = None


class TemplateChanged(Struct, frozen=True, kw_only=True, tag="template_changed"):
    """The approval of the template ``name`` changed at the provider. ``state``: the provider's own
    word; ``reason``: why it was refused."""

    name: str
    state: str
    reason: str | None = None


class ChannelNotice(Struct, frozen=True, kw_only=True, tag="channel_notice"):
    """The provider says something about the channel itself; ``state`` becomes its health."""

    text: str
    state: Literal["ok", "degraded", "transient", "needs_attention"] | None = None


# for assistants


class Draft(Struct, frozen=True, kw_only=True, tag="draft"):
    """Provisional. A text for a person, or policy, to send."""

    request_id: str
    text: str


class Summary(Struct, frozen=True, kw_only=True, tag="summary"):
    """Provisional. What a conversation or call was about."""

    request_id: str
    text: str


class Suggestion(Struct, frozen=True, kw_only=True, tag="suggestion"):
    """Provisional. Something a person might do: its ``title``, and more in ``text``."""

    request_id: str
    title: str
    text: str = ""


class Speak(Struct, frozen=True, kw_only=True, tag="speak"):
    """Provisional. What to say in a live call. ``last``: nothing follows in this turn."""

    request_id: str
    text: str
    last: bool = True


class Handoff(Struct, frozen=True, kw_only=True, tag="handoff"):
    """Provisional. A person should take over; ``reason``: why."""

    request_id: str
    reason: str


class Task(Struct, frozen=True, kw_only=True, tag="task"):
    """Provisional. Something to be done by somebody: its ``title``."""

    request_id: str
    title: str
    due_at: datetime | None = None


Event = (
    Message
    | Receipt
    | Edited
    | Deleted
    | Reaction
    | CallStarted
    | CallTurn
    | CallEnded
    | Recording
    | Transcript
    | Voicemail
    | CallOutcome
    | Opened
    | Clicked
    | OptOut
    | OptIn
    | ContactChanged
    | TemplateChanged
    | ChannelNotice
    | Draft
    | Summary
    | Suggestion
    | Speak
    | Handoff
    | Task
)
"""Everything ``ingest`` may return. ``Info.emits`` names by their tags those that it does."""


class IngestResult(Struct, frozen=True, kw_only=True):
    """What ``ingest`` made of a delivery: ``events``, or why there are none (``ignored``)."""

    verification: Verification | None = None
    """The proof; what ``ctx.verify`` has proven counts also when it is left out."""
    events: tuple[Event, ...] = ()
    ignored: str | None = None
    reply: Reply | None = None
    """What the provider expects to hear; ``None``: 200 and an empty body."""
    fetch: tuple[FetchRef, ...] = ()
    """What else the hub is to fetch, by the hook ``fetch``."""
    answer: str | None = None
    """Who delivered this waits for words that only the hook ``answer`` can find. The hub asks it
    after everything is stored. The text names the question (a call's id and its turn), the same
    when the provider asks again. ``reply`` then counts only if there is no answer."""


# --------------------------------------------------------------------------- what goes out

Kind = Literal["message", "template", "call", "assist"]


class CallTask(Struct, frozen=True, kw_only=True):
    """Provisional. What an assistant is asked about a call (``external_id``): by ``wanted`` what to
    say next (``turn``: ``Speak`` or ``Handoff``), or what it was about (``summary``). ``turns``:
    the words said so far, (speaker, text) each, the oldest first; the speaker as in ``CallTurn``.
    Written by the caller's mouth: untrusted."""

    external_id: str
    turns: tuple[tuple[str, str], ...] = ()
    wanted: Literal["turn", "summary"] = "turn"


class WirePart(Struct, frozen=True, kw_only=True):
    """One provider message, ready to go: made by ``render(item, "wire")`` once before the first
    attempt, and stored. ``html``: the formatted text; ``data`` is the plugin's own (JSON
    values)."""

    text: str = ""
    subject: str | None = None
    html: str | None = None
    attachment_ids: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict[str, Any])


class Outbound(Struct, frozen=True, kw_only=True):
    """One transmission to make. ``id`` is the same on every attempt: the idempotency key.
    ``attempt`` counts from 1. Nothing may be done after ``deadline``. ``kind``: what is to be done;
    ``wire``: with what, as ``render`` made it."""

    id: str
    address: Address
    own_address: str
    deadline: datetime
    attempt: int = 1
    kind: Kind = "message"
    """Asked for only where ``Info.can`` claims it. Later versions may add kinds: ``send`` raises
    ``Unsupported`` for each that it does not know, before anything touches the network.
    Provisional: ``assist``."""
    wire: tuple[WirePart, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    reply_to: str | None = None
    """External id of the message it answers, where the channel threads and whoever wrote it has
    named one."""
    earlier: tuple[str, ...] = ()
    """External ids of the conversation's last messages on this channel, at most 20, the oldest
    first, where the channel threads: what mail names in ``References``."""
    cc: tuple[Address, ...] = ()
    """Who gets it in copy, for everybody to see, where the channel has copies. Since 1.1."""
    bcc: tuple[Address, ...] = ()
    """Who gets it in copy, unseen by everybody else, where the channel has copies. Since 1.1."""
    automatic: bool = False
    """No person has written it: mail says so in its headers, so that no machine answers."""
    member_address: Address | None = None
    """Of a call: where the member who makes it is rung first."""
    task: CallTask | None = None
    """Provisional. Of ``assist``: what the assistant is asked. What the model says goes into
    ``Accepted.answers``, and through ``ingest``."""
    started_at: datetime | None = None
    """When the attempt began. ``reconcile`` looks from there on: the same words, sent to the same
    person the day before, are another message."""


class Accepted(Struct, frozen=True, kw_only=True):
    """The provider has it. ``external_id`` is never empty; ``parts`` are the ids when it went
    out as several. ``status``: how far it is already; ``answers``: what the provider said at once
    that ``ingest`` should read."""

    external_id: str
    parts: tuple[str, ...] = ()
    status: ReceiptStatus = "queued"
    answers: tuple[Delivery, ...] = ()


# --------------------------------------------------------------------------- how it looks

Surface = Literal["timeline", "preview", "composer", "wire", "notification"]
"""Where something is shown: the conversation, a row of the list, below what is being written, at
the provider, a notification."""


class Item(Struct, frozen=True, kw_only=True):
    """What ``render`` shows: an entry, or a message being written (surfaces ``composer`` and
    ``wire``). ``direction``: in from a customer, or out; ``facts``: as in ``Message``."""

    kind: Literal["message", "call", "draft", "summary", "suggestion"] = "message"
    """What is shown. Provisional: ``draft``, ``summary``, ``suggestion``."""
    direction: Literal["in", "out"]
    text: str = ""
    subject: str | None = None
    html: SafeHtml | None = None
    attachments: tuple[Attachment, ...] = ()
    facts: dict[str, str] = field(default_factory=dict[str, str])
    address: Address | None = None
    own_address: str | None = None
    template: TemplateUse | None = None
    """In place of ``text``: a template that goes out. ``wire`` has what the recipient reads as
    ``WirePart.text``."""


class Text(Struct, frozen=True, kw_only=True, tag="text"):
    """Plain text; links in it are found by the page."""

    text: str


class Quote(Struct, frozen=True, kw_only=True, tag="quote"):
    """Words of somebody else, quoted."""

    text: str


class File(Struct, frozen=True, kw_only=True, tag="file"):
    """An attachment; the page decides from its type how it is shown."""

    attachment_id: str


class Fields(Struct, frozen=True, kw_only=True, tag="fields"):
    """Labels and values: ``fields``, in order."""

    fields: tuple[tuple[str, str], ...]


class Buttons(Struct, frozen=True, kw_only=True, tag="buttons"):
    """Buttons the customer was offered, by ``labels``; shown, not pressable."""

    labels: tuple[str, ...]


class Html(Struct, frozen=True, kw_only=True, tag="html"):
    """Cleaned HTML, shown in a frame of its own."""

    html: SafeHtml


Block = Text | Quote | File | Fields | Buttons | Html
"""A piece of what is shown; the pages know how each looks."""


class Rendered(Struct, frozen=True, kw_only=True):
    """An item on a surface: its ``blocks``. ``preview``: one line. ``warnings``: what the person
    should know before sending ("3 segments", "the image will be left out"). ``wire``: for ``wire``
    only."""

    blocks: tuple[Block, ...] = ()
    preview: str = ""
    warnings: tuple[str, ...] = ()
    wire: tuple[WirePart, ...] = ()


# --------------------------------------------------------------------------- rules and health


class ComposeFacts(Struct, frozen=True, kw_only=True):
    """What the hub knows when it asks whether one may write ``now``."""

    address: Address
    own_address: str
    now: datetime
    last_inbound_at: datetime | None
    """When this contact last wrote on this channel: by the provider's time, where it is before the
    arrival."""


class ComposeRules(Struct, frozen=True, kw_only=True):
    """``may`` one write now? ``free``; ``template`` only; or ``closed``. ``until`` when that is so;
    ``why``, for the person."""

    may: Literal["free", "template", "closed"] = "free"
    until: datetime | None = None
    why: str | None = None
    max_length: int | None = None
    """Characters one message may hold."""


class Health(Struct, frozen=True, kw_only=True):
    """How a channel is, its ``state``. ``transient`` mends itself; ``needs_attention`` asks for a
    person. ``reason``: why, in a line for staff."""

    state: Literal["ok", "degraded", "transient", "needs_attention", "off"] = "ok"
    reason: str | None = None


class Reconciled(Struct, frozen=True, kw_only=True):
    """Whether a message of unknown outcome went out, as ``outcome``. ``found`` names it
    (``external_id``) and says how far it is (``status``); ``absent``: it surely did not;
    ``unknown``: the provider cannot say (yet)."""

    outcome: Literal["found", "absent", "unknown"]
    external_id: str | None = None
    status: ReceiptStatus = "sent"


class TemplateInfo(Struct, frozen=True, kw_only=True):
    """A template the provider has approved, or not. ``name`` and ``language`` name it together;
    ``body`` is its text with the provider's marks for ``parameters``, which ``examples`` explain in
    the same order; ``header`` and ``footer`` stand above and below it, ``buttons`` are labels;
    ``state``: whether it may be used, and where not, ``reason`` says why. ``data`` is the plugin's
    own (JSON values)."""

    name: str
    language: str
    body: str
    parameters: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    header: str | None = None
    footer: str | None = None
    buttons: tuple[str, ...] = ()
    state: Literal["approved", "pending", "rejected", "paused"] = "approved"
    reason: str | None = None
    data: dict[str, Any] = field(default_factory=dict[str, Any])


class TemplateUse(Struct, frozen=True, kw_only=True):
    """A ``template`` with ``values`` for its parameters. The hub has seen to it that there is one
    for each and for nothing else."""

    template: TemplateInfo
    values: dict[str, str] = field(default_factory=dict[str, str])


class Finding(Struct, frozen=True, kw_only=True):
    """Something looked at with the provider: ``about`` what ("credentials", "webhook address",
    "sender +4930…"), whether it is right (``state``), what was found (``detail``), and what to
    change (``advice``)."""

    about: str
    state: Literal["ok", "wrong", "unknown"] = "ok"
    detail: str = ""
    advice: str | None = None


class CallFacts(Struct, frozen=True, kw_only=True):
    """What the hub knows when a provider waits for an answer to a call."""

    external_id: str
    """The question, as ``IngestResult.answer`` names it."""
    in_hours: bool
    """Whether the organisation is open now; one that keeps no hours always is."""
    on_duty: tuple[Address, ...]
    """Where those who take calls now are reached; empty when nobody is known to."""
    assistant: bool
    """Provisional. Whether the channel names an assistant, and that is there to be asked."""
    events: tuple[Event, ...] = ()
    """What ``ingest`` has understood of the delivery that waits."""


class PollResult(Struct, frozen=True, kw_only=True):
    """What ``poll`` brought, as ``deliveries``, the oldest first. ``source``, ``received_at`` and
    ``id`` of each are set by the hub."""

    deliveries: tuple[Delivery, ...] = ()
    cursor: str | None = None
    """Where to go on. It is saved in the same transaction as what came of the deliveries, so that
    a crash between the two loses nothing; ``None``: it stays as it was."""
    more: bool = False
    """There is more: the hub asks again at once."""
    next_in: float | None = None
    """Seconds until the hub asks again, between 1 and 3,600; ``None``: 30."""


class Change(Struct, frozen=True, kw_only=True):
    """Provisional. One committed change of the journal, for extensions: its ``position`` in the
    organisation's journal, its ``type`` (``entry.added``), the ``thread_id`` and ``entry_id`` it is
    about, and further ``data``."""

    position: int
    type: str
    thread_id: str | None = None
    entry_id: str | None = None
    data: dict[str, Any] = field(default_factory=dict[str, Any])


class CrmFacts(Struct, frozen=True, kw_only=True):
    """Provisional. What a CRM knows of a contact: its name (``source``), labels and values in order
    (``fields``), and a ``link`` to the contact there."""

    source: str
    fields: tuple[tuple[str, str], ...] = ()
    link: str | None = None


class RecordRef(Struct, frozen=True, kw_only=True):
    """Provisional. A record of another system: its ``kind`` (an estimate, a work order), the
    ``external_id`` there, the ``number`` people know it by, ``status``, ``title``, ``link``."""

    kind: str
    external_id: str
    number: str
    status: str
    title: str = ""
    link: str | None = None


# --------------------------------------------------------------------------- routes


class RouteRequest(Struct, frozen=True, kw_only=True):
    """A request to one of the channel's own routes. ``method``, ``query`` (the last of a repeated
    name) and ``headers`` (names in lower case, no cookies) are HTTP's. ``path`` is what follows the
    channel's address; ``member_id`` and ``member_name`` are set for ``auth="member"``."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    member_id: str | None = None
    member_name: str | None = None

    def json(self) -> Any:
        """The body as JSON. Raises ``Malformed``, which the caller is told as 400."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Malformed("the body is not valid JSON") from error


class RouteReply(Struct, frozen=True, kw_only=True):
    """The answer of a route: ``status`` and ``headers`` of HTTP."""

    status: int = 200
    content_type: str = "application/json"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, value: Any, status: int = 200) -> RouteReply:
        """``value`` as JSON."""
        return cls(status=status, body=json.dumps(value, ensure_ascii=False).encode())


class RouteHandler(Protocol):
    """What answers a route; runs on the channel's own loop."""

    def __call__(self, ctx: Any, request: RouteRequest, /) -> Awaitable[RouteReply]: ...


class Socket(Protocol):
    """A WebSocket at one of the channel's routes, held by its ``SocketHandler``.

    The first ``receive`` or ``send`` accepts it, within ten seconds; a handler that returns, raises
    or closes it before has refused it. When the handler ends, so does the socket. A message has a
    megabyte at most, either way; a channel holds 200 sockets. The hub asks the client every 25
    seconds whether it is still there, and ends a socket on which nobody says anything for ten
    minutes."""

    request: RouteRequest
    """The handshake: a GET without a body."""

    async def receive(self) -> str | bytes | None:
        """The next message, text or bytes as it was sent; ``None`` when it is over: the client has
        gone, or the hub stops or has new settings for the channel. The handler is to end then. A
        ``receive`` that is cancelled loses nothing."""
        ...

    async def send(self, message: str | bytes) -> None:
        """Send text or bytes; returns when there is room for more. Raises ``ConnectionResetError``
        when it is over, which a handler may let pass."""
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End it; ``code`` as in RFC 6455, ``reason`` at most 123 bytes. What the client has said
        before can still be received."""
        ...


class SocketHandler(Protocol):
    """What holds a WebSocket; runs on the channel's own loop, once for each."""

    def __call__(self, ctx: Any, socket: Socket, /) -> Awaitable[None]: ...


class Route(Struct, frozen=True, kw_only=True):
    """A path under the channel's own address, ``/hooks/{organisation}/{channel_id}/{path}``.

    ``auth`` has no default: ``member`` (a signed-in member with the right ``capability``),
    ``public`` (anybody: the handler must verify, by ``ctx.verify`` or otherwise). ``method`` and
    ``path`` say which requests the ``handler`` answers: a ``RouteHandler``, or for ``WS``, which is
    a WebSocket, a ``SocketHandler``. To ``ctx.verify`` the address of one begins with ``wss``.
    """

    method: Literal["GET", "POST", "DELETE", "WS"]
    path: str
    auth: Literal["member", "public"]
    handler: RouteHandler | SocketHandler
    capability: str = "messages.view"
