"""A channel that behaves. It claims everything the suite can check now; its provider is made up.

The provider signs ``url``, a line end and the body by HMAC-SHA256, posts JSON, and takes messages
by JSON with a bearer token.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal, NoReturn
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct, field

from hub.plugin import (
    Accepted,
    Address,
    BadAddress,
    CallFacts,
    CallStarted,
    CallTask,
    Capabilities,
    ComposeFacts,
    ComposeRules,
    Context,
    CredentialsInvalid,
    Deleted,
    Delivery,
    Edited,
    Event,
    FailureReason,
    FetchedMedia,
    FetchRef,
    Fields,
    File,
    Health,
    HookError,
    HttpResponse,
    Info,
    IngestResult,
    Item,
    Malformed,
    MediaLimits,
    MediaRef,
    Message,
    OptOut,
    Outbound,
    OutcomeUnknown,
    Permanent,
    PollResult,
    Reaction,
    Receipt,
    Reconciled,
    Rendered,
    Reply,
    Route,
    RouteReply,
    RouteRequest,
    Secret,
    Socket,
    Speak,
    Surface,
    TemplateInfo,
    TemplateUse,
    Temporary,
    Text,
    Unsupported,
    Unverified,
    WirePart,
    hookimpl,
)

API = "https://api.reference.example/v1"
ACCOUNT = f"{API}/account"
SCHEME = "reference:user"
SIGNATURE = "X-Reference-Signature"
SIGNED_AT = "X-Reference-Time"
REPLAY_WINDOW = 300.0
"""Seconds for which a signed delivery is taken."""
MAX_LENGTH = 500
MAX_PART = 200
"""Characters after which a long text goes on in another message, at a space."""
WINDOW = 7200.0
"""Seconds after a customer's message in which the desk may write."""
MAX_NAME = 40
USER = re.compile(r"[a-z0-9-]{2,40}")
MARK = re.compile(r"<([a-z]+)>")
ERRORS: dict[str, FailureReason] = {
    "unknown_recipient": "bad_address",
    "opted_out": "opted_out",
    "too_long": "too_large",
    "too_late": "window_closed",
}


class Retention(Struct, frozen=True, forbid_unknown_fields=True):
    """A table within the settings."""

    days: int = 30


class Settings(Struct, kw_only=True, forbid_unknown_fields=True):
    """Not frozen, so that a channel that writes to it can be told from one that does not."""

    desk: Annotated[str, Meta(pattern="^[a-z0-9-]{2,40}$")]
    key: Secret
    old_keys: tuple[Secret, ...] = ()
    region: str = "eu"
    retention: Retention = field(default_factory=Retention)


Id = Annotated[str, Meta(min_length=1, max_length=200)]
Name = Annotated[str, Meta(min_length=1)]


class MediaIn(Struct, frozen=True):
    """A file of a message."""

    id: Id
    name: str | None = None
    type: str | None = None


class MessageIn(Struct, frozen=True, tag="message"):
    """A customer wrote; or the desk itself, elsewhere."""

    id: Id
    sender: Name = field(name="from")
    to: str = ""
    text: str | None = None
    at: datetime | None = None
    media: tuple[MediaIn, ...] | None = None
    echo: bool | None = None
    answers: str | None = None


class ReceiptIn(Struct, frozen=True, tag="receipt"):
    """What became of a message."""

    id: Id
    status: Literal["sent", "delivered", "failed"]
    at: datetime | None = None
    error: str | None = None


class StopIn(Struct, frozen=True, tag="stop"):
    """A customer wants no more messages."""

    sender: Name = field(name="from")
    at: datetime | None = None


class EditIn(Struct, frozen=True, tag="edit"):
    """A message reads otherwise now."""

    id: Id
    text: str = ""
    at: datetime | None = None


class DeleteIn(Struct, frozen=True, tag="delete"):
    """A message was taken back."""

    id: Id
    at: datetime | None = None


class ReactionIn(Struct, frozen=True, tag="reaction"):
    """Somebody put an emoji on a message, or took it back."""

    id: Id
    on: Id
    sender: Name = field(name="from")
    emoji: str | None = None
    at: datetime | None = None


class TemplateOut(Struct, frozen=True):
    """A text that the provider has looked at; ``<day>`` marks a parameter."""

    name: str
    language: str
    text: str
    examples: tuple[str, ...] = ()
    usable: bool = True
    why: str | None = None


class CallIn(Struct, frozen=True, tag="call"):
    """A customer calls, and waits for what is said."""

    id: Id
    sender: Name = field(name="from")
    to: str = ""
    at: datetime | None = None


Thing = MessageIn | ReceiptIn | StopIn | CallIn | EditIn | DeleteIn | ReactionIn
TYPES = frozenset({"message", "receipt", "stop", "call", "edit", "delete", "reaction", "batch"})


class Envelope(Struct, frozen=True):
    """What a delivery is about."""

    type: str
    items: tuple[msgspec.Raw, ...] = ()


class Reference:
    """A made-up provider's messages."""

    INFO: ClassVar[Info] = Info(
        name="reference",
        role="channel",
        api="1.0",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"http", "poll", "listen"}),
            outbound=True,
            verifies="signature",
            replay_window=REPLAY_WINDOW,
            receipts=frozenset({"sent", "delivered", "failed"}),
            media_in=True,
            media_out=MediaLimits(max_bytes=1_000_000, max_count=3),
            threading=True,
            splits=True,
            edits=True,
            deletes=True,
            reactions=True,
            provider_idempotency=True,
            reconciles=True,
            opt_out=True,
            reply_window=WINDOW,
            routes=True,
            templates=True,
            calls=True,
        ),
        emits=frozenset(
            {"message", "receipt", "opt_out", "call_started", "edited", "deleted", "reaction"}
        ),
        label="Reference",
        address_scheme=SCHEME,
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    # ---- in

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        """Verify, then read."""
        signed = head(delivery) + delivery.body
        keys = (self.settings.key, *self.settings.old_keys)
        proof = ctx.verify.hmac(keys=keys, header=SIGNATURE, signed=signed)
        self.check_time(ctx, delivery)
        challenge = dict(delivery.query()).get("challenge")
        if delivery.method == "GET" and challenge is not None:
            return IngestResult(verification=proof, reply=Reply(body=challenge.encode()))
        result = self.read(self.body(delivery))
        return msgspec.structs.replace(result, verification=proof)

    def check_time(self, ctx: Context, delivery: Delivery) -> None:
        """Raises ``Unverified`` for what was signed too long ago."""
        given = delivery.header(SIGNED_AT) or ""
        if not (given.isascii() and given.isdigit() and len(given) <= 12):
            raise Unverified("it does not say when it was signed")
        if ctx.clock.now().timestamp() - int(given) > REPLAY_WINDOW:
            raise Unverified("it was signed too long ago")

    def body(self, delivery: Delivery) -> bytes:
        """JSON; the provider's old webhooks post a message as a form."""
        if "urlencoded" not in (delivery.header("content-type") or ""):
            return delivery.body
        return msgspec.json.encode({"type": "message", **self.fields(delivery.form())})

    def fields(self, pairs: list[tuple[str, str]]) -> dict[str, str]:
        """Of a form, no name twice."""
        fields = dict(pairs)
        if len(fields) < len(pairs):
            raise Malformed("a field is there twice")
        return fields

    def read(self, body: bytes) -> IngestResult:
        """What a body tells. Raises ``Malformed``."""
        try:
            envelope = msgspec.json.decode(body, type=Envelope)
            if envelope.type not in TYPES:
                return IngestResult(ignored=f"the type {envelope.type[:40]!r} is not known")
            parts = envelope.items if envelope.type == "batch" else (msgspec.Raw(body),)
            things = [msgspec.json.decode(part, type=Thing) for part in parts]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Malformed(f"not a delivery of the provider's: {error}") from error
        events = tuple(self.event(thing) for thing in things)
        call = next((thing.id for thing in things if isinstance(thing, CallIn)), None)
        ignored = None if events else "there is nothing in it"
        return IngestResult(events=events, ignored=ignored, answer=call)

    def event(self, thing: Thing) -> Event:
        """One thing that happened."""
        match thing:
            case MessageIn():
                return self.message(thing)
            case ReceiptIn():
                reason = ERRORS.get(thing.error or "") if thing.status == "failed" else None
                return Receipt(
                    status=thing.status, external_id=thing.id, occurred_at=thing.at, reason=reason
                )
            case StopIn():
                sender = address(thing.sender)
                return OptOut(address=sender, how="told the provider", occurred_at=thing.at)
            case CallIn():
                return CallStarted(
                    external_id=thing.id,
                    direction="in",
                    caller=(address(thing.sender),),
                    own_address=thing.to,
                    occurred_at=timely(thing.at),
                )
            case EditIn():
                return Edited(external_id=thing.id, text=thing.text, occurred_at=timely(thing.at))
            case DeleteIn():
                return Deleted(external_id=thing.id, occurred_at=timely(thing.at))
            case ReactionIn():
                return Reaction(
                    external_id=thing.id,
                    to=thing.on,
                    sender=(address(thing.sender),),
                    emoji=thing.emoji,
                    occurred_at=timely(thing.at),
                )

    def message(self, thing: MessageIn) -> Message:
        """Words, files, or both."""
        who = address(thing.sender)
        return Message(
            external_id=thing.id,
            sender=() if thing.echo else (who,),
            recipient=address(thing.to) if thing.echo else None,
            echo=bool(thing.echo),
            own_address="" if thing.echo else thing.to,
            text=thing.text or "",
            occurred_at=timely(thing.at),
            reply_to=thing.answers,
            media=tuple(
                MediaRef(provider_id=each.id, name=each.name, content_type=each.type)
                for each in thing.media or ()
            ),
        )

    @hookimpl
    async def answer(self, ctx: Context, facts: CallFacts) -> Reply:
        """What a caller hears: the assistant, where it may, and somebody on duty otherwise."""
        if facts.assistant:
            with suppress(Temporary, Unsupported):
                events = await ctx.ask(CallTask(external_id=facts.external_id))
                words = [event.text for event in events if isinstance(event, Speak)]
                return Reply(body=f"say {' '.join(words)}".encode())
        if not facts.in_hours or not facts.on_duty:
            return Reply(body=b"record")
        return Reply(body=f"ring {facts.on_duty[0].value}".encode())

    @hookimpl
    async def poll(self, ctx: Context, cursor: str | None) -> PollResult:
        """What has not been posted."""
        response = await self.ask(ctx, "GET", f"{API}/missed?after={cursor or ''}")
        if response.status != 200:
            self.refuse(ctx, response)
        missed = msgspec.json.decode(response.body, type=list[msgspec.Raw])
        found = tuple(Delivery(body=bytes(one), received_at=ctx.clock.now()) for one in missed)
        return PollResult(deliveries=found, cursor=response.headers.get("x-next") or cursor)

    @hookimpl
    async def listen(self, ctx: Context) -> None:
        """What is told at once."""
        while True:
            response = await self.ask(ctx, "GET", f"{API}/live")
            if response.status != 200:
                self.refuse(ctx, response)
            now = ctx.clock.now()
            await ctx.emit(Delivery(body=response.body, source="listen", received_at=now))

    @hookimpl
    async def fetch(self, ctx: Context, ref: FetchRef) -> Delivery:
        """A body that was only named."""
        response = await self.ask(ctx, "GET", f"{API}/bodies/{ref.id}")
        if response.status == 404:
            raise Permanent("other", "it is not there any more")
        if response.status != 200:
            self.refuse(ctx, response)
        return Delivery(body=response.body, received_at=ctx.clock.now())

    @hookimpl
    async def fetch_media(self, ctx: Context, ref: MediaRef) -> FetchedMedia:
        """A file that came in, from the provider and from nowhere else."""
        url = ref.url or f"{API}/files/{ref.provider_id}"
        if urlsplit(url).hostname != urlsplit(API).hostname:
            raise Permanent("policy", "the file is not at the provider's")
        response = await self.ask(ctx, "GET", url)
        if response.status != 200:
            raise Temporary(f"there is no file yet (HTTP {response.status})")
        given = response.headers.get("content-disposition", "").rpartition("filename=")[2]
        name = PurePosixPath(given.strip('"').replace("\\", "/")).name or None
        return FetchedMedia(body=response.body, name=name)

    # ---- out

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        """One request, or one for each part of a long text."""
        if message.kind not in {"message", "template"}:
            raise Unsupported(f"there is no {message.kind} here")
        if ctx.clock.now() >= message.deadline:
            raise Temporary("the deadline has passed")
        if not USER.fullmatch(message.address.value):
            raise Permanent("bad_address", "that is no user")
        if sum(len(part.text) for part in message.wire) > MAX_LENGTH:
            raise Permanent("too_large", "the text is too long")
        if len(message.wire) == 1:
            return Accepted(external_id=await self.put(ctx, message, message.wire[0], message.id))
        return await self.put_each(ctx, message)

    async def put_each(self, ctx: Context, message: Outbound) -> Accepted:
        """Each part once, however often the whole is attempted."""
        kept = await ctx.kv.get(f"out/{message.id}")
        ids: list[str] = [] if kept is None else msgspec.json.decode(kept.value)
        for number, part in enumerate(message.wire[len(ids) :], len(ids) + 1):
            try:
                ids.append(await self.put(ctx, message, part, f"{message.id}/{number}"))
            except HookError as error:
                error.accepted = tuple(ids)
                raise
            await ctx.kv.put(f"out/{message.id}", msgspec.json.encode(ids).decode())
        return Accepted(external_id=ids[0], parts=tuple(ids))

    async def put(self, ctx: Context, message: Outbound, part: WirePart, ref: str) -> str:
        """Give the provider one message, named by ``ref``; its id there."""
        wanted: dict[str, Any] = {"ref": ref, "to": message.address.value, **part.data}
        if message.kind == "message":
            files = [ctx.media.signed_url(each) for each in part.attachment_ids]
            wanted |= {"text": part.text, "files": files}
        if message.reply_to is not None:
            wanted["answers"] = message.reply_to
        response = await self.ask(ctx, "POST", f"{API}/messages", wanted)
        if response.status != 201:
            self.refuse(ctx, response)
        return self.external_id(response)

    @hookimpl
    async def templates(self, ctx: Context) -> tuple[TemplateInfo, ...]:
        """As the provider has them."""
        response = await self.ask(ctx, "GET", f"{API}/templates")
        if response.status != 200:
            self.refuse(ctx, response)
        try:
            found = msgspec.json.decode(response.body, type=list[TemplateOut])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Temporary("the provider's list of templates cannot be read") from error
        return tuple(self.template(one) for one in found)

    def template(self, one: TemplateOut) -> TemplateInfo:
        """One of them."""
        return TemplateInfo(
            name=one.name,
            language=one.language,
            body=one.text,
            parameters=tuple(dict.fromkeys(MARK.findall(one.text))),
            examples=tuple(one.examples),
            state="approved" if one.usable else "rejected",
            reason=None if one.usable else one.why,
        )

    async def ask(self, ctx: Context, method: str, url: str, wanted: Any = None) -> HttpResponse:
        """A request with the channel's key; one that names itself is carried out once."""
        headers = {"Authorization": f"Bearer {self.settings.key.reveal()}", **key_of(wanted)}
        return await ctx.http.request(method, url, json=wanted, headers=headers)

    def refuse(self, ctx: Context, response: HttpResponse) -> NoReturn:
        """What an answer means that is no success."""
        status = response.status
        if status == 401:
            raise CredentialsInvalid("the provider refuses the key")
        if status == 429:
            raise Temporary("the provider is busy", retry_after=wait(ctx, response))
        if status >= 500:
            raise Temporary(f"the provider failed (HTTP {status})")
        if 300 <= status < 400 or status < 200:
            raise OutcomeUnknown(f"the provider's answer tells nothing (HTTP {status})")
        code = str(read_object(response).get("error", ""))
        raise Permanent(ERRORS.get(code, "other"), "the provider refuses it", provider_code=code)

    def external_id(self, response: HttpResponse) -> str:
        """The provider's id, if it gave one."""
        given = read_object(response).get("id")
        if not isinstance(given, str) or not given:
            raise OutcomeUnknown("the provider answered without an id")
        return given

    @hookimpl
    async def reconcile(self, ctx: Context, message: Outbound) -> Reconciled:
        """Look for it by our id."""
        response = await self.ask(ctx, "GET", f"{API}/messages/by-ref/{message.id}")
        if response.status == 404:
            return Reconciled(outcome="absent")
        if response.status != 200:
            return Reconciled(outcome="unknown")
        return Reconciled(outcome="found", external_id=self.external_id(response))

    # ---- how it looks

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:  # noqa: ARG002
        """Text and files as they are; a template with its values."""
        data: dict[str, Any] = {}
        if item.template is not None:
            data = self.data(item.template)
            item = msgspec.structs.replace(item, text=self.filled(item.template))
        line = " ".join(item.text.split()) or ("File" if item.attachments else "")
        if surface == "notification":
            return Rendered(preview=line if len(line) <= 140 else f"{line[:139]}…")
        blocks = [
            *([Text(text=item.text)] if item.text else []),
            *(File(attachment_id=each.id) for each in item.attachments),
            *([Fields(fields=tuple(item.facts.items()))] if item.facts else []),
        ]
        files = tuple(each.id for each in item.attachments)
        first, *more = split(item.text) if item.template is None else [item.text]
        parts = (
            WirePart(text=first, attachment_ids=files, data=data),
            *(WirePart(text=each) for each in more),
        )
        return Rendered(
            blocks=tuple(blocks),
            preview=line,
            warnings=self.warnings(item) if surface in {"composer", "wire"} else (),
            wire=parts if surface == "wire" else (),
        )

    def data(self, use: TemplateUse) -> dict[str, Any]:
        """What the provider is told of a template."""
        return {"template": use.template.name, "values": dict(use.values)}

    def filled(self, use: TemplateUse) -> str:
        """What the recipient reads."""
        missing = [name for name in use.template.parameters if name not in use.values]
        if missing:
            raise Unsupported(f"there is no value for {missing[0]}")
        return MARK.sub(lambda found: use.values[found[1]], use.template.body)

    def warnings(self, item: Item) -> tuple[str, ...]:
        """What a person should know before it goes out."""
        found = {
            "Too long": len(item.text) > MAX_LENGTH,
            "The subject will be left out": bool(item.subject),
            "The formatting will be left out": item.html is not None,
        }
        return tuple(words for words, holds in found.items() if holds)

    @hookimpl
    def compose_rules(self, ctx: Context, facts: ComposeFacts) -> ComposeRules:  # noqa: ARG002
        """For a while after their last message, within the length."""
        last = facts.last_inbound_at
        until = None if last is None else last + timedelta(seconds=WINDOW)
        if until is None or facts.now >= until:
            return ComposeRules(may="closed", why="They have to write first", max_length=MAX_LENGTH)
        return ComposeRules(until=until, max_length=MAX_LENGTH)

    @hookimpl
    def normalise_address(self, ctx: Context, text: str) -> Address:  # noqa: ARG002
        """A user's name."""
        name = text.strip().lower()
        if not USER.fullmatch(name):
            raise BadAddress("letters, digits and hyphens")
        return Address(scheme=SCHEME, value=name)

    @hookimpl
    def own_addresses(self, ctx: Context) -> tuple[Address, ...]:  # noqa: ARG002
        """The desk."""
        return (Address(scheme=SCHEME, value=self.settings.desk),)

    # ---- its life

    @hookimpl
    async def startup(self, ctx: Context) -> None:
        """It looks whether it has been here before."""
        await ctx.kv.get("started")

    @hookimpl
    async def health(self, ctx: Context) -> Health:
        """Whether the provider takes the key."""
        response = await self.ask(ctx, "GET", ACCOUNT)
        if response.status != 200:
            self.refuse(ctx, response)
        return Health()

    @hookimpl
    async def shutdown(self, ctx: Context) -> None:
        """It holds nothing."""

    @hookimpl
    def routes(self, ctx: Context) -> tuple[Route, ...]:  # noqa: ARG002
        """A page for staff, and an inbox for the provider."""
        return (
            Route(method="GET", path="about", auth="member", handler=self.about),
            Route(method="POST", path="inbox", auth="public", handler=self.inbox),
            Route(method="WS", path="live", auth="public", handler=self.live),
        )

    async def about(self, ctx: Context, request: RouteRequest) -> RouteReply:  # noqa: ARG002
        """Who we are."""
        return RouteReply.of({"desk": self.settings.desk})

    async def inbox(self, ctx: Context, request: RouteRequest) -> RouteReply:  # noqa: ARG002
        """Only with the key."""
        if request.headers.get("authorization") != f"Bearer {self.settings.key.reveal()}":
            raise Unverified("the key is missing")
        return RouteReply.of({})

    async def live(self, ctx: Context, socket: Socket) -> None:
        """Only with the key; what is said is stored."""
        ctx.verify.token(keys=[self.settings.key], header="X-Key")
        while (said := await socket.receive()) is not None:
            body = said if isinstance(said, bytes) else said.encode()
            now = ctx.clock.now()
            await ctx.emit(Delivery(body=body, source="listen", received_at=now))

    @staticmethod
    @hookimpl
    def migrate_settings(settings: dict[str, Any], from_api: str) -> dict[str, Any]:
        """The desk was called a station."""
        if from_api != "0.8":
            return settings
        rest = {name: value for name, value in settings.items() if name != "station"}
        return {"desk": settings["station"], **rest}


def head(delivery: Delivery) -> bytes:
    """What is signed before the body: where to, and when."""
    return f"{delivery.url}\n{delivery.header(SIGNED_AT) or ''}\n".encode()


def key_of(wanted: Any) -> dict[str, str]:
    """The header by which the provider knows a request again."""
    return {"Idempotency-Key": wanted["ref"]} if isinstance(wanted, dict) else {}


def split(text: str) -> list[str]:
    """A long text in several, each cut at a space; a word is never cut."""
    parts: list[str] = []
    while len(text) > MAX_PART and (at := text.rfind(" ", 1, MAX_PART + 1)) > 0:
        parts.append(text[:at])
        text = text[at + 1 :]
    return [*parts, text]


def timely(at: datetime | None) -> datetime | None:
    """A time that says where."""
    return at if at is None or at.tzinfo else None


def address(name: str) -> Address:
    """A user, normalised. Raises ``Malformed``."""
    name = name.strip().lower()
    if not USER.fullmatch(name):
        raise Malformed("that is no user")
    return Address(scheme=SCHEME, value=name, verified=True)


def read_object(response: HttpResponse) -> dict[str, Any]:
    """An answer's JSON object; of anything else nothing."""
    try:
        return msgspec.json.decode(response.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def wait(ctx: Context, response: HttpResponse) -> float | None:
    """Seconds, or a date."""
    given = response.headers.get("retry-after", "")
    if given.isdecimal():
        return float(given)
    try:
        return (parsedate_to_datetime(given) - ctx.clock.now()).total_seconds()
    except (ValueError, TypeError):
        return None
