"""A channel that behaves. It claims everything the suite can check now; its provider is made up.

The provider signs ``url``, a line end and the body by HMAC-SHA256, posts JSON, and takes messages
by JSON with a bearer token.
"""

from __future__ import annotations

import re
from datetime import datetime
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
    Capabilities,
    ComposeFacts,
    ComposeRules,
    Context,
    CredentialsInvalid,
    Delivery,
    Event,
    FailureReason,
    FetchedMedia,
    Fields,
    File,
    Health,
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
    Receipt,
    Reconciled,
    Rendered,
    Reply,
    Route,
    RouteReply,
    RouteRequest,
    Secret,
    Surface,
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
MAX_LENGTH = 500
MAX_NAME = 40
USER = re.compile(r"[a-z0-9-]{2,40}")
ERRORS: dict[str, FailureReason] = {
    "unknown_recipient": "bad_address",
    "opted_out": "opted_out",
    "too_long": "too_large",
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


class ReceiptIn(Struct, frozen=True, tag="receipt"):
    """What became of a message."""

    id: Id
    status: Literal["sent", "delivered", "failed"]
    at: datetime | None = None


class StopIn(Struct, frozen=True, tag="stop"):
    """A customer wants no more messages."""

    sender: Name = field(name="from")
    at: datetime | None = None


Thing = MessageIn | ReceiptIn | StopIn


class Envelope(Struct, frozen=True):
    """What a delivery is about."""

    type: str
    items: tuple[msgspec.Raw, ...] = ()


class Reference:
    """A made-up provider's messages."""

    INFO: ClassVar[Info] = Info(
        name="reference",
        role="channel",
        api="0.9",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"http"}),
            outbound=True,
            verifies="signature",
            receipts=frozenset({"sent", "delivered", "failed"}),
            media_in=True,
            media_out=MediaLimits(max_bytes=1_000_000, max_count=3),
            reconciles=True,
            opt_out=True,
            routes=True,
        ),
        emits=frozenset({"message", "receipt", "opt_out"}),
        label="Reference",
        address_scheme=SCHEME,
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    # ---- in

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        """Verify, then read."""
        signed = delivery.url.encode() + b"\n" + delivery.body
        keys = (self.settings.key, *self.settings.old_keys)
        proof = ctx.verify.hmac(keys=keys, header=SIGNATURE, signed=signed)
        challenge = dict(delivery.query()).get("challenge")
        if delivery.method == "GET" and challenge is not None:
            return IngestResult(verification=proof, reply=Reply(body=challenge.encode()))
        result = self.read(self.body(delivery))
        return msgspec.structs.replace(result, verification=proof)

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
            if envelope.type not in {"message", "receipt", "stop", "batch"}:
                return IngestResult(ignored=f"the type {envelope.type[:40]!r} is not known")
            parts = envelope.items if envelope.type == "batch" else (msgspec.Raw(body),)
            things = [msgspec.json.decode(part, type=Thing) for part in parts]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Malformed(f"not a delivery of the provider's: {error}") from error
        events = tuple(self.event(thing) for thing in things)
        return IngestResult(events=events, ignored=None if events else "there is nothing in it")

    def event(self, thing: Thing) -> Event:
        """One thing that happened."""
        match thing:
            case MessageIn():
                return self.message(thing)
            case ReceiptIn():
                return Receipt(status=thing.status, external_id=thing.id, occurred_at=thing.at)
            case StopIn():
                sender = address(thing.sender)
                return OptOut(address=sender, how="told the provider", occurred_at=thing.at)

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
            occurred_at=thing.at if thing.at is None or thing.at.tzinfo else None,
            media=tuple(
                MediaRef(provider_id=each.id, name=each.name, content_type=each.type)
                for each in thing.media or ()
            ),
        )

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
        """One request."""
        if message.kind != "message":
            raise Unsupported(f"there is no {message.kind} here")
        if ctx.clock.now() >= message.deadline:
            raise Temporary("the deadline has passed")
        if not USER.fullmatch(message.address.value):
            raise Permanent("bad_address", "that is no user")
        (part,) = message.wire
        if len(part.text) > MAX_LENGTH:
            raise Permanent("too_large", "the text is too long")
        files = [ctx.media.signed_url(each) for each in part.attachment_ids]
        wanted = {"ref": message.id, "to": message.address.value, "text": part.text, "files": files}
        response = await self.ask(ctx, "POST", f"{API}/messages", wanted)
        if response.status != 201:
            self.refuse(ctx, response)
        return Accepted(external_id=self.external_id(response))

    async def ask(self, ctx: Context, method: str, url: str, wanted: Any = None) -> HttpResponse:
        """A request with the channel's key."""
        headers = {"Authorization": f"Bearer {self.settings.key.reveal()}"}
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
        """Text and files as they are."""
        line = " ".join(item.text.split()) or ("File" if item.attachments else "")
        if surface == "notification":
            return Rendered(preview=line if len(line) <= 140 else f"{line[:139]}…")
        blocks = [
            *([Text(text=item.text)] if item.text else []),
            *(File(attachment_id=each.id) for each in item.attachments),
            *([Fields(fields=tuple(item.facts.items()))] if item.facts else []),
        ]
        part = WirePart(text=item.text, attachment_ids=tuple(each.id for each in item.attachments))
        return Rendered(
            blocks=tuple(blocks),
            preview=line,
            warnings=self.warnings(item) if surface in {"composer", "wire"} else (),
            wire=(part,) if surface == "wire" else (),
        )

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
        """Always, within the length."""
        return ComposeRules(max_length=MAX_LENGTH)

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
        )

    async def about(self, ctx: Context, request: RouteRequest) -> RouteReply:  # noqa: ARG002
        """Who we are."""
        return RouteReply.of({"desk": self.settings.desk})

    async def inbox(self, ctx: Context, request: RouteRequest) -> RouteReply:  # noqa: ARG002
        """Only with the key."""
        if request.headers.get("authorization") != f"Bearer {self.settings.key.reveal()}":
            raise Unverified("the key is missing")
        return RouteReply.of({})


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
