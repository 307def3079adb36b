"""The page, and what it asks of the hub. Every route is for signed-in members only."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Annotated, TypeVar

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
from hub_simulator.network import Network
from hub_simulator.numbers import display, normalise
from hub_simulator.phone import Phone, with_log, with_seen
from hub_simulator.settings import PhoneNumber, Settings
from hub_simulator.sms import MAX_LENGTH
from hub_simulator.store import PhoneStore
from hub_simulator.texting import text

POLL_SECONDS = 20.0
"""How long a page waits for news before it asks again."""
MAX_PICTURES = 10
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
    "hub.js": ("hub.js", "text/javascript; charset=utf-8"),
    "draw.js": ("draw.js", "text/javascript; charset=utf-8"),
    "pictures.js": ("pictures.js", "text/javascript; charset=utf-8"),
}
"""Path: file of the package, and its type."""

T = TypeVar("T")

Handler = Callable[[Context, RouteRequest], Awaitable[RouteReply]]
MessageId = Annotated[str, Meta(min_length=1, max_length=200)]


class TextIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The customer sends ``text``, pictures, or both, to one of the business's numbers."""

    number: PhoneNumber
    own_number: PhoneNumber
    text: Annotated[str, Meta(max_length=MAX_LENGTH)] = ""
    pictures: Annotated[tuple[MessageId, ...], Meta(max_length=MAX_PICTURES)] = ()


class SeenIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The page has shown these messages while somebody could look at it."""

    number: PhoneNumber
    messages: Annotated[tuple[MessageId, ...], Meta(max_length=100)]


class BehaviourIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From now on the network treats this phone so."""

    number: PhoneNumber
    behaviour: Behaviour


class Page:
    """The handlers. ``live`` gives what runs now: a channel may be stopped and started again."""

    def __init__(self, settings: Settings, live: Callable[[], tuple[PhoneStore, Network]]) -> None:
        self._settings = settings
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
            for path, handler in {
                "texts": self.texts,
                "seen": self.seen,
                "behaviour": self.behaviour,
                "pictures": self.pictures,
            }.items()
        )
        return files + looks + acts

    async def setup(self, ctx: Context, request: RouteRequest) -> RouteReply:  # noqa: ARG002
        """What does not change while the page is open."""
        return RouteReply.of(
            {
                "channel": ctx.channel_id,
                "own_numbers": [_named(number) for number in self._settings.numbers],
                "samples": [
                    {"id": sample, "label": label}
                    for sample, (_, label) in pictures.SAMPLES.items()
                ],
                "normal": msgspec.to_builtins(Behaviour()),
                "max_length": MAX_LENGTH,
                "max_pictures": MAX_PICTURES,
                "max_picture_bytes": pictures.MAX_BYTES,
            }
        )

    async def events(self, ctx: Context, request: RouteRequest) -> RouteReply:  # noqa: ARG002
        """The phone ``number`` as soon as its version is not ``since`` any more."""
        typed = request.query.get("number") or self._settings.customers[0]
        try:
            address = normalise(typed, self._settings.region)
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
                "phone": msgspec.to_builtins(phone) | {"display": display(phone.number)},
                "phones": [
                    _named(number) for number in dict.fromkeys((*self._settings.customers, *known))
                ],
            }
        )

    async def texts(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """A text from the phone."""
        wanted = _decoded(request, TextIn)
        if wanted.own_number not in self._settings.numbers:
            return _problem(422, f"{wanted.own_number} is no number of this channel")
        chosen = [await pictures.describe(ctx.kv, each) for each in wanted.pictures]
        attached = tuple(each for each in chosen if each is not None)
        if len(attached) < len(chosen):
            return _problem(422, "one of the pictures is not on the phone any more")
        if not wanted.text.strip() and not attached:
            return _problem(422, "a text needs words or a picture")
        message_id = f"in-{uuid.uuid4().hex}"
        now = ctx.clock.now()
        phones, network = self._live()

        def sent(phone: Phone) -> tuple[Phone, None]:
            return text(
                phone,
                message_id=message_id,
                own_number=wanted.own_number,
                words=wanted.text,
                pictures=attached,
                now=now,
            ), None

        await phones.change(wanted.number, sent)
        network.start(ctx, wanted.number, message_id)
        return RouteReply.of({"id": message_id}, status=202)

    async def seen(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """The customer has looked at messages."""
        wanted = _decoded(request, SeenIn)
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

    async def behaviour(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """How the network treats this phone from now on."""
        wanted = _decoded(request, BehaviourIn)
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


def _named(number: str) -> dict[str, str]:
    return {"number": number, "display": display(number)}


def _problem(status: int, detail: str) -> RouteReply:
    return RouteReply.of({"detail": detail}, status=status)


def _header(request: RouteRequest, name: str) -> str:
    return next((v for k, v in request.headers.items() if k.lower() == name), "")
