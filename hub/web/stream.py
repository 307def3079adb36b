"""Realtime: the socket, and the same by long poll for networks that block sockets."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, WebSocket, get, websocket
from litestar.datastructures import State
from litestar.exceptions import WebSocketDisconnect
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, QueryParameter
from msgspec import Struct

from hub.edge.guards import Who, right, who_asks
from hub.flow.stream import Pass, Subscriber
from hub.flow.views import shapes
from hub.rules.rights import VIEW
from hub.store.ids import parse
from hub.web.parts import Parts, parts
from hub.web.threads import Show, filter_of

LONGEST_WAIT = 25.0
_json = msgspec.json.Encoder()
Changes = shapes.StreamFrame | shapes.Reload


class At(Struct, kw_only=True):
    """The conversation that a client shows to a person, said again every 20 s; and whether they
    type an answer, said again every 3 s."""

    thread: str | None = None
    typing: bool = False


class FromClient(Struct, kw_only=True):
    """What a client may say: what it lists, where its person is, or that it is there."""

    show: Show | None = None
    at: At | None = None
    ping: bool = False


_said = msgspec.json.Decoder(FromClient)


@websocket("/stream", opt=right(VIEW))
async def stream(
    socket: WebSocket[Any, Any, State], org: FromPath[str], since: FromQuery[int | None] = None
) -> None:
    """``hello`` with the position, what was missed since ``since``, then frames as they come. It
    ends when the session ends, or when the member's rights are no longer what they were."""
    hub, who = parts(socket), who_asks(socket)
    member = who.member
    subscriber = Subscriber(member.organisation, who.scope, member.member_id, by=_pass(who))
    await socket.accept()
    async with hub.stream.subscribed(subscriber):
        await _send(socket, _json.encode(shapes.Hello(position=subscriber.start)))
        if since is not None:
            for frame in await hub.stream.missed(subscriber, since):
                await _send(socket, frame)
        tasks = [
            asyncio.create_task(_push(socket, subscriber)),
            asyncio.create_task(_listen(socket, hub, subscriber, who)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            hub.presence.gone(subscriber)
    with contextlib.suppress(Exception):
        await socket.close(code=1000)


async def _send(socket: WebSocket[Any, Any, State], message: bytes) -> None:
    await socket.send_data(message.decode(), mode="text")


async def _push(socket: WebSocket[Any, Any, State], subscriber: Subscriber) -> None:
    while (message := await subscriber.queue.get()) is not None:
        await _send(socket, message)


async def _listen(
    socket: WebSocket[Any, Any, State], hub: Parts, subscriber: Subscriber, who: Who
) -> None:
    while True:
        try:
            said = _said.decode(await socket.receive_data(mode="text"))
        except WebSocketDisconnect:
            return
        except msgspec.MsgspecError:
            continue  # a newer client may say what this hub does not know
        if said.show is not None:
            hub.stream.show(subscriber, filter_of(who, said.show))
        if said.at is not None:
            thread_id = None if said.at.thread is None else parse(said.at.thread) or 0
            hub.presence.say(subscriber, thread_id, typing=said.at.typing)
        if said.ping:
            subscriber.offer(b'{"type":"pong"}')


def _pass(who: Who) -> Pass:
    return Pass(who.pass_hash, who.member)


@get(
    "/changes",
    opt=right(VIEW),
    summary="Wait for changes",
    responses={
        200: ResponseSpec(
            Changes, generate_examples=False, description="A frame, or the word to reload"
        )
    },
)
async def changes(
    request: Request[Any, Any, State],
    org: FromPath[str],
    since: FromQuery[int | None] = None,
    wait: Annotated[float, QueryParameter(description="Seconds to wait, 25 at most")] = 0.0,
) -> Response[bytes]:
    """What changed after position ``since``, as the stream would send it: a frame, without changes
    if nothing came in time. While ``to`` moves on, there may be more. Without ``since``: at once,
    and only where now is, as ``hello`` says it."""
    hub, who = parts(request), who_asks(request)
    member = who.member
    subscriber = Subscriber(
        member.organisation, who.scope, member.member_id, only_frames=True, by=_pass(who)
    )
    async with hub.stream.subscribed(subscriber):
        if since is None:
            now = subscriber.start
            here = shapes.StreamFrame(from_=now, to=now, changes=[])
            return Response(_json.encode(here), media_type="application/json")
        frames = await hub.stream.missed(subscriber, since)
        if frames:
            return Response(frames[0], media_type="application/json")
        frame = _json.encode(shapes.StreamFrame(from_=since, to=since, changes=[]))
        if wait > 0:
            with contextlib.suppress(TimeoutError):
                came = await asyncio.wait_for(subscriber.queue.get(), min(wait, LONGEST_WAIT))
                frame = frame if came is None else came
    return Response(frame, media_type="application/json")


router = Router(
    "/api/v1/organisations/{org:str}", route_handlers=[stream, changes], tags=["Realtime"]
)
