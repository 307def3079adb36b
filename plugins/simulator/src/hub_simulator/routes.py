"""The page, and what it asks of the hub. Every route is for signed-in members only."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Annotated, Protocol, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from hub.plugin import (
    BadAddress,
    Context,
    HookError,
    Malformed,
    Permanent,
    Route,
    RouteReply,
    RouteRequest,
)
from hub_simulator import pictures
from hub_simulator.behaviour import Behaviour
from hub_simulator.demo import played, scenes
from hub_simulator.medium import Medium
from hub_simulator.network import Network
from hub_simulator.people import People
from hub_simulator.phone import (
    Card,
    Content,
    Mail,
    Odd,
    Phone,
    PhoneMessage,
    Place,
    Pressed,
    Words,
    with_log,
    with_name,
    with_seen,
)
from hub_simulator.reacting import react
from hub_simulator.reading_mail import MailAct, done
from hub_simulator.store import PhoneStore
from hub_simulator.talking import Act, acted, called
from hub_simulator.texting import text

POLL_SECONDS = 20.0
"""How long a page waits for news before it asks again."""
MAX_PICTURES = 10
MAX_LENGTH = 100_000
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Types that a browser draws and that cannot hold a script; all others are downloads."""

PAGE_FILES = {
    "phone": ("phone.html", "text/html; charset=utf-8"),
    "phone.svg": ("phone.svg", "image/svg+xml"),
    "phone.css": ("phone.css", "text/css; charset=utf-8"),
    "phone.js": ("phone.js", "text/javascript; charset=utf-8"),
    "mailbox.js": ("mailbox.js", "text/javascript; charset=utf-8"),
    "telephone.js": ("telephone.js", "text/javascript; charset=utf-8"),
    "naming.js": ("naming.js", "text/javascript; charset=utf-8"),
    "messenger.js": ("messenger.js", "text/javascript; charset=utf-8"),
    "hub.js": ("hub.js", "text/javascript; charset=utf-8"),
    "draw.js": ("draw.js", "text/javascript; charset=utf-8"),
    "pictures.js": ("pictures.js", "text/javascript; charset=utf-8"),
}
"""Path: file of the package, and its type."""

T = TypeVar("T")


class _Wanted(Protocol):
    @property
    def number(self) -> str: ...


W = TypeVar("W", bound=_Wanted)

Handler = Callable[[Context, RouteRequest], Awaitable[RouteReply]]
MessageId = Annotated[str, Meta(min_length=1, max_length=200)]
Who = Annotated[str, Meta(min_length=1, max_length=320)]
"""A customer's address, or one of the business's."""


class TextIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The customer sends ``text``, pictures, or both, to one of the business's numbers; where the
    medium has it, as an answer to a message, or something else in place of words."""

    number: Who
    own_number: Who
    text: Annotated[str, Meta(max_length=MAX_LENGTH)] = ""
    pictures: Annotated[tuple[MessageId, ...], Meta(max_length=MAX_PICTURES)] = ()
    reply_to: MessageId | None = None
    content: Place | Card | Pressed | Odd | Mail | None = None


class NameIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The customer is called ``name`` from now on; of blanks only: they have no name."""

    number: Who
    name: Words


class ReactionIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The customer puts ``emoji`` on a message; ``None`` takes it back."""

    number: Who
    message: MessageId
    emoji: Annotated[str, Meta(min_length=1, max_length=16)] | None


class CallIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The customer calls the business; ``withheld``: without showing the number."""

    number: Who
    own_number: Who
    withheld: bool = False


class CallActIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something happens in a ``call``; ``said`` is what the customer says in it."""

    number: Who
    call: MessageId
    act: Act
    said: Annotated[str, Meta(max_length=1_000)] = ""


class MailActIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The customer does something with a mail; ``url``: of the link that is followed."""

    number: Who
    message: MessageId
    act: MailAct
    url: Annotated[str, Meta(max_length=2_000)] = ""


class SeenIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The page has shown these messages while somebody could look at it."""

    number: Who
    messages: Annotated[tuple[MessageId, ...], Meta(max_length=100)]


class BehaviourIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From now on the network treats this phone so."""

    number: Who
    behaviour: Behaviour


class Page:
    """The handlers. ``live`` gives what runs now: a channel may be stopped and started again."""

    def __init__(
        self, medium: Medium, people: People, live: Callable[[], tuple[PhoneStore, Network]]
    ) -> None:
        self._medium = medium
        self._people = people
        self._live = live

    def routes(self) -> tuple[Route, ...]:
        """Everything under the channel's address."""
        files = tuple(
            Route(method="GET", path=path, auth="member", handler=_file(*file))
            for path, file in PAGE_FILES.items()
        )
        looks = tuple(
            Route(method="GET", path=path, auth="member", handler=handler)
            for path, handler in {
                "setup": self.setup,
                "events": self.events,
                "picture": self.picture,
                "attachment": self.attachment,
            }.items()
        )
        acts = tuple(
            Route(
                method="POST",
                path=path,
                auth="member",
                capability="messages.send",
                handler=_explained(handler),
            )
            for path, handler in self._acts().items()
        )
        return files + looks + acts

    def _acts(self) -> dict[str, Handler]:
        acts: dict[str, Handler] = {
            "texts": self.texts,
            "seen": self.seen,
            "behaviour": self.behaviour,
            "demo": self.demo,
            "pictures": self.pictures,
        }
        if "names" in self._medium.features:
            acts["name"] = self.name
        if "reactions" in self._medium.features:
            acts["reactions"] = self.reactions
        if "mail" in self._medium.features:
            acts["mail"] = self.mail
        if "calls" in self._medium.features:
            acts |= {"calls": self.calls, "call": self.call}
            del acts["texts"], acts["seen"], acts["pictures"]
        return acts

    async def setup(self, ctx: Context, request: RouteRequest) -> RouteReply:  # noqa: ARG002
        """What does not change while the page is open."""
        return RouteReply.of(
            {
                "channel": ctx.channel_id,
                "medium": self._medium.name,
                "title": self._medium.title,
                "scheme": self._people.scheme,
                "features": sorted(self._medium.features),
                "own_numbers": [self._named(each) for each in self._people.own],
                "samples": [
                    {"id": sample, "label": label}
                    for sample, (_, label) in pictures.SAMPLES.items()
                ],
                "normal": msgspec.to_builtins(Behaviour()),
                "max_length": self._medium.max_length,
                "max_pictures": self._medium.max_pictures,
                "max_picture_bytes": pictures.MAX_BYTES,
            }
        )

    async def events(self, ctx: Context, request: RouteRequest) -> RouteReply:  # noqa: ARG002
        """The phone ``number`` as soon as its version is not ``since`` any more."""
        typed = request.query.get("number") or self._people.customers[0]
        try:
            address = self._people.typed(typed)
        except BadAddress as error:
            return _problem(422, error.detail)
        since = request.query.get("since", "")
        phones, _ = self._live()
        if since.isdecimal():
            phone, version = await phones.wait(address.value, int(since), POLL_SECONDS)
        else:
            phone, version = await phones.get(address.value)
        known = await phones.numbers()
        return RouteReply.of(
            {
                "version": version,
                "phone": msgspec.to_builtins(phone) | {"display": self._people.shown(phone.number)},
                "phones": [
                    self._named(each) for each in dict.fromkeys((*self._people.customers, *known))
                ],
            }
        )

    async def texts(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """A text from the phone."""
        wanted = self._wanted(request, TextIn)
        if wanted.own_number not in self._people.own:
            return _problem(422, f"{wanted.own_number} is no number of this channel")
        if len(wanted.text) > self._medium.max_length:
            return _problem(422, f"longer than {self._medium.max_length} characters")
        if wanted.content is not None and type(wanted.content) not in self._medium.contents:
            return _problem(422, "only words and pictures go by this medium")
        if wanted.reply_to is not None and "replies" not in self._medium.features:
            return _problem(422, "a text answers no certain message")
        chosen = [await pictures.describe(ctx.kv, each) for each in wanted.pictures]
        attached = tuple(each for each in chosen if each is not None)
        if len(attached) < len(chosen):
            return _problem(422, "one of the pictures is not on the phone any more")
        if not wanted.text.strip() and not attached and not _says(wanted.content):
            return _problem(422, f"a {self._medium.noun} needs words or a picture")
        message_id = f"in-{uuid.uuid4().hex}"
        now = ctx.clock.now()
        phones, network = self._live()

        def sent(phone: Phone) -> tuple[Phone, None]:
            return text(
                phone,
                PhoneMessage(
                    id=message_id,
                    author="customer",
                    own_number=wanted.own_number,
                    at=now,
                    text=wanted.text,
                    pictures=attached,
                    quoted=wanted.reply_to or "",
                    content=wanted.content,
                ),
                self._medium,
            ), None

        await phones.change(wanted.number, sent)
        network.start(ctx, wanted.number, message_id)
        return RouteReply.of({"id": message_id}, status=202)

    async def name(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """What the customer calls themselves from now on."""
        wanted = self._wanted(request, NameIn)
        name, now = wanted.name.strip(), ctx.clock.now()
        phones, _ = self._live()
        await phones.change(wanted.number, lambda phone: (with_name(phone, name, now), None))
        return RouteReply(status=204)

    async def reactions(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """An emoji on a message, or none any more."""
        wanted = self._wanted(request, ReactionIn)
        now, reaction_id = ctx.clock.now(), f"reaction-{uuid.uuid4().hex}"
        phones, network = self._live()

        def put(phone: Phone) -> tuple[Phone, None]:
            return react(phone, wanted.message, wanted.emoji, reaction_id, now), None

        await phones.change(wanted.number, put)
        network.start(ctx, wanted.number, wanted.message)
        return RouteReply(status=204)

    async def calls(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """The customer calls."""
        wanted = self._wanted(request, CallIn)
        if wanted.own_number not in self._people.own:
            return _problem(422, f"{wanted.own_number} is no number of this channel")
        now, call_id, ring = ctx.clock.now(), f"call-{uuid.uuid4().hex}", self._medium.ring
        own, withheld = wanted.own_number, wanted.withheld
        phones, network = self._live()

        def call(phone: Phone) -> tuple[Phone, None]:
            return called(phone, call_id, own, now, ring, withheld=withheld), None

        await phones.change(wanted.number, call)
        network.start(ctx, wanted.number, call_id)
        return RouteReply.of({"id": call_id}, status=202)

    async def call(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """Somebody answers a call, hangs up, or leaves something."""
        wanted = self._wanted(request, CallActIn)
        now = ctx.clock.now()
        phones, network = self._live()

        def act(phone: Phone) -> tuple[Phone, None]:
            return acted(phone, wanted.call, wanted.act, wanted.said, now), None

        await phones.change(wanted.number, act)
        network.start(ctx, wanted.number, wanted.call)
        return RouteReply(status=204)

    async def mail(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """A mail is opened, a link followed, or no more mail wanted."""
        wanted = self._wanted(request, MailActIn)
        now = ctx.clock.now()
        phones, network = self._live()

        def act(phone: Phone) -> tuple[Phone, None]:
            return done(phone, wanted.message, wanted.act, wanted.url, now), None

        await phones.change(wanted.number, act)
        network.start(ctx, wanted.number, wanted.message)
        return RouteReply(status=204)

    async def seen(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """The customer has looked at messages."""
        wanted = self._wanted(request, SeenIn)
        shown = frozenset(wanted.messages)
        now = ctx.clock.now()
        phones, network = self._live()

        def looked(phone: Phone) -> tuple[Phone, tuple[str, ...]]:
            phone = with_seen(phone, shown, now)
            waiting = (m.id for m in phone.messages if m.id in shown and m.due)
            return phone, tuple(waiting)

        for message_id in await phones.change(wanted.number, looked):
            network.start(ctx, wanted.number, message_id)
        return RouteReply(status=204)

    async def demo(self, ctx: Context, request: RouteRequest) -> RouteReply:  # noqa: ARG002
        """A few customers write or call, so that there is something to look at."""
        now = ctx.clock.now()
        phones, network = self._live()
        for scene in scenes(self._medium, self._people.own[0]):
            message_id, number = scene[0], scene[1].number
            await phones.change(number, lambda phone, it=scene: (played(phone, it, now), None))
            await network.carry_now(ctx, number, message_id)
        return RouteReply(status=204)

    async def behaviour(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """How the network treats this phone from now on."""
        wanted = self._wanted(request, BehaviourIn)
        now = ctx.clock.now()
        words = "The network behaves normally again"
        if wanted.behaviour != Behaviour():
            words = "The network behaves as told"
        body = msgspec.json.format(msgspec.json.encode(wanted.behaviour), indent=2).decode()

        def told(phone: Phone) -> tuple[Phone, None]:
            changed = replace(phone, behaviour=wanted.behaviour)
            return with_log(changed, now, "on_phone", words, body), None

        phones, _ = self._live()
        await phones.change(wanted.number, told)
        return RouteReply(status=204)

    async def pictures(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """A picture for the phone: the body is the file, ``name`` its name."""
        name = request.query.get("name", "")
        kind = _header(request, "content-type").partition(";")[0].strip().lower()
        kept = await pictures.keep(ctx.kv, request.body, name, kind or "application/octet-stream")
        return RouteReply.of(msgspec.to_builtins(kept), status=201)

    async def picture(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """A file that the phone holds."""
        try:
            media = await pictures.fetch(ctx.kv, request.query.get("id", ""))
        except Permanent as error:
            return _problem(404, error.detail)
        return _media(media.body, media.content_type or "")

    async def attachment(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """A file that the hub sent to the phone ``number``."""
        phones, _ = self._live()
        phone, _ = await phones.get(request.query.get("number", ""))
        wanted = request.query.get("id", "")
        files = (picture for message in phone.messages for picture in message.pictures)
        picture = next((each for each in files if each.id == wanted), None)
        if picture is None:
            return _problem(404, "the phone has no such file")
        try:
            body = await ctx.media.open(wanted)
        except Permanent as error:
            return _problem(404, error.detail)
        return _media(body, picture.content_type)

    def _wanted(self, request: RouteRequest, kind: type[W]) -> W:
        wanted = _decoded(request, kind)
        if not self._people.is_one(wanted.number):
            raise Malformed(f"{wanted.number[:40]!r} is not {self._people.what}")
        return wanted

    def _named(self, value: str) -> dict[str, str]:
        return {"number": value, "display": self._people.shown(value)}


def _says(content: Content | None) -> bool:
    """Whether a message needs no words beside it."""
    return bool(content.subject) if isinstance(content, Mail) else content is not None


def _file(name: str, content_type: str) -> Handler:
    async def handler(ctx: Context, request: RouteRequest) -> RouteReply:  # noqa: ARG001
        file = resources.files("hub_simulator").joinpath("page", name)
        body = await asyncio.to_thread(file.read_bytes)
        headers = {
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-cache",
        }
        return RouteReply(content_type=content_type, body=body, headers=headers)

    return handler


def _explained(handler: Handler) -> Handler:
    """A refusal as an answer that the page can show."""

    async def explained(ctx: Context, request: RouteRequest) -> RouteReply:
        try:
            return await handler(ctx, request)
        except HookError as error:
            return _problem(422, error.detail)

    return explained


def _decoded(request: RouteRequest, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(request.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"not what was asked for: {error}") from error


def _media(body: bytes, content_type: str) -> RouteReply:
    shown = content_type in SHOWN
    return RouteReply(
        content_type=content_type if shown else "application/octet-stream",
        body=body,
        headers={
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Content-Disposition": "inline" if shown else "attachment",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, max-age=3600",
        },
    )


def _problem(status: int, detail: str) -> RouteReply:
    return RouteReply.of({"detail": detail}, status=status)


def _header(request: RouteRequest, name: str) -> str:
    return next((v for k, v in request.headers.items() if k.lower() == name), "")
