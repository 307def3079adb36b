"""Wrong with what is not its own."""

from __future__ import annotations

import base64
import pickle
import socket
from contextlib import suppress
from typing import Any, NoReturn

from msgspec.structs import replace

from hub.conformance.mutants.mutant import wrong
from hub.conformance.mutants.reference import MessageIn, Reference, read_object
from hub.plugin import (
    Context,
    Event,
    FetchedMedia,
    HttpResponse,
    MediaRef,
    Message,
    Permanent,
    Route,
    RouteReply,
    RouteRequest,
    Socket,
    hookimpl,
)


@wrong("SEC-01", "own_socket")
class HasItsOwnSocket(Reference):
    """It looks a name up by itself."""

    def message(self, thing: MessageIn) -> Message:
        if thing.echo:
            with suppress(OSError):
                socket.getaddrinfo("api.reference.example", 443)
        return super().message(thing)


@wrong("SEC-02", "credentials_sent")
class FetchesAnywhere(Reference):
    """It takes its key to any address."""

    @hookimpl
    async def fetch_media(self, ctx: Context, ref: MediaRef) -> FetchedMedia:
        if ref.url is None:
            return await super().fetch_media(ctx, ref)
        response = await self.ask(ctx, "GET", ref.url)
        return FetchedMedia(body=response.body)


@wrong("SEC-03", "leaked")
class LogsItsHeaders(Reference):
    """Its log has the key."""

    async def ask(self, ctx: Context, method: str, url: str, wanted: Any = None) -> HttpResponse:
        ctx.log.info("asked", url=url, key=f"Bearer {self.settings.key.reveal()}")
        return await super().ask(ctx, method, url, wanted)


@wrong("SEC-04", "echoed")
class EchoesTheProvider(Reference):
    """Whatever the provider says is shown."""

    def refuse(self, ctx: Context, response: HttpResponse) -> NoReturn:
        said = read_object(response).get("message")
        if response.status == 400 and said:
            raise Permanent("other", str(said))
        super().refuse(ctx, response)


@wrong("SEC-05", "open_route")
class IsOpenToAll(Reference):
    """Its inbox asks nobody for a key."""

    @hookimpl
    def routes(self, ctx: Context) -> tuple[Route, ...]:
        about, _, live = super().routes(ctx)
        return about, Route(method="POST", path="inbox", auth="public", handler=self.take), live

    async def take(self, ctx: Context, request: RouteRequest) -> RouteReply:
        """Anything."""
        return RouteReply.of({})


@wrong("SEC-05", "open_socket")
class GreetsStrangers(Reference):
    """It lets anybody in, and asks for the key then."""

    async def live(self, ctx: Context, socket: Socket) -> None:
        await socket.send("hello")
        await super().live(ctx, socket)


@wrong("SEC-06", "path")
class BelievesFileNames(Reference):
    """A name may be a path."""

    @hookimpl
    async def fetch_media(self, ctx: Context, ref: MediaRef) -> FetchedMedia:
        fetched = await super().fetch_media(ctx, ref)
        return replace(fetched, name=f"media/{fetched.name}")


@wrong("SEC-07", "believed")
class BelievesOwners(Reference):
    """The payload says which address it came to."""

    def read(self, body: bytes) -> Any:
        result = super().read(body)
        if b'"channel_id"' not in body and b'"channel"' not in body:
            return result
        return replace(result, events=tuple(map(self.owned, result.events)))

    def owned(self, event: Event) -> Event:
        """The event as another channel's."""
        return replace(event, own_address="another") if isinstance(event, Message) else event


@wrong("SEC-08", "ran")
class Unpickles(Reference):
    """A text may be an object."""

    def message(self, thing: MessageIn) -> Message:
        if thing.text and " " not in thing.text:
            with suppress(Exception):
                pickle.loads(base64.b64decode(thing.text, validate=True))  # noqa: S301
        return super().message(thing)
