"""``/hooks/{organisation}/{channel_id}/…``: where providers deliver, and plugins' own pages.

A bare ASGI application, because it is the hub's busiest door. The path decides the channel;
whether the sender is who they claim is the plugin's to say.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec
from litestar.connection import ASGIConnection
from litestar.types import Receive, Scope, Send
from sqlalchemy.exc import SQLAlchemyError

from hub.edge.guards import Guard, Who
from hub.edge.problems import PROBLEM, ProblemError, problem_of, told
from hub.edge.sessions import CSRF_HEADER
from hub.flow.channels import Channels
from hub.flow.host import (
    Channel,
    ChannelGone,
    FailedChannel,
    HookTimeout,
    LoopsExhausted,
    PluginFault,
    Refused,
)
from hub.flow.intake import Intake, Taken, UnverifiedFull
from hub.flow.writer import Unavailable
from hub.plugin import (
    Delivery,
    HookError,
    Malformed,
    Reply,
    Route,
    RouteReply,
    RouteRequest,
    Unverified,
)
from hub.web.sockets import AsgiWire

HOOKS = "/hooks/"
LARGEST = 25_000_000
"""Bytes of a webhook or of a request to a plugin's route."""
_encode = msgspec.json.Encoder().encode
_CREDENTIALS = frozenset({b"cookie", b"authorization", CSRF_HEADER.lower().encode()})
"""What members are known by; plugins never see it."""
_METHODS = frozenset({"GET", "POST", "PUT", "HEAD"})
_FAULTS = (ChannelGone, PluginFault, HookTimeout, LoopsExhausted)
SOCKET = "WS"
"""The method of routes that are WebSockets; no request has it."""


class TooLarge(Exception):
    """The body is larger than what is taken."""


class Disconnected(Exception):
    """The sender went away before the end of the body."""


class Webhooks:
    """The ASGI application behind ``/hooks``."""

    def __init__(
        self,
        channels: Channels,
        organisations: dict[str, int],
        intake: Intake,
        guard: Guard,
        public_url: str,
        stopping: asyncio.Event,
    ) -> None:
        self._channels = channels
        self._organisations = organisations
        self._intake = intake
        self._guard = guard
        self._public_url = public_url
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._hold(scope, AsgiWire(scope, receive, send))
            return
        try:
            reply = await self._answer(scope, receive)
        except Disconnected:
            return
        except Exception as error:  # noqa: BLE001 — whatever it is, the caller gets an answer
            reply = _problem(told(error, scope["path"]))
        await _send(send, reply, head=scope["method"] == "HEAD")

    async def _answer(self, scope: Any, receive: Receive) -> RouteReply:
        path = _path(scope)
        parts = path.partition(HOOKS)[2].split("/", 2)
        organisation_id = self._organisations.get(parts[0])
        if organisation_id is None or len(parts) < 2:
            return _problem(ProblemError(404, "There is no channel at this address."))
        rest = parts[2] if len(parts) > 2 else ""
        channel = self._channels.get(organisation_id, parts[1])
        failed = self._channels.failed(organisation_id, parts[1])
        if channel is not None and (route := _route(channel, scope["method"], rest)) is not None:
            return await self._own_route(channel, route, rest, scope, receive)
        if channel is None and failed is None:
            return _problem(ProblemError(404, "There is no channel at this address."))
        if channel is not None and "http" not in channel.info.can.inbound:
            return _problem(ProblemError(404, "This channel takes no webhooks."))
        if scope["method"] not in _METHODS:
            return _problem(ProblemError(405, "Webhooks are posted here."))
        return await self._deliver(organisation_id, channel or failed, scope, receive)

    async def _deliver(
        self,
        organisation_id: int,
        channel: Channel | FailedChannel | None,
        scope: Any,
        receive: Receive,
    ) -> RouteReply:
        try:
            body = await _body(receive)
        except TooLarge:
            return _problem(ProblemError(413, f"More than {LARGEST:,} bytes are not taken."))
        delivery = _arrived(scope, self._public_url, body)
        try:
            if isinstance(channel, Channel):
                taken = await self._intake.take(channel, delivery)
            else:
                assert channel is not None  # noqa: S101 — one of the two was found
                taken = await self._intake.keep_unread(channel, organisation_id, delivery)
        except UnverifiedFull:
            full = ProblemError(
                503, "The channel's plugin is broken, and no more is kept unread.",
                headers={"Retry-After": "60"},
            )  # fmt: skip
            return _problem(full)
        except Unavailable as error:
            return _problem(problem_of(error))
        return _reply(taken)

    async def _own_route(
        self, channel: Channel, route: Route, path: str, scope: Any, receive: Receive
    ) -> RouteReply:
        try:
            who = await self._allowed(channel, route, scope)
        except ProblemError as error:
            if error.problem.status == 401 and _wants_a_page(scope):
                return _sign_in_first(scope)
            raise
        try:
            body = await _body(receive)
        except TooLarge:
            return _problem(ProblemError(413, f"More than {LARGEST:,} bytes are not taken."))
        request = _request(scope, path, body, who)
        arrived = _arrived(scope, self._public_url, body, members=who is not None)
        try:
            return await self._while_wanted(channel.answer_route(route, request, arrived), receive)
        except (HookError, *_FAULTS) as error:
            return _problem(_refusal(error))

    async def _allowed(self, channel: Channel, route: Route, scope: Any) -> Who | None:
        """Who asks, where the route is for members. Raises ``ProblemError``."""
        if route.auth == "public":
            return None
        connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope)
        scope.setdefault("state", {})
        who = await self._guard.require(connection, (route.capability,), channel.organisation)
        if not who.scope.sees_whole(channel.id):
            raise ProblemError(404, "There is no channel at this address.")
        return who

    async def _hold(self, scope: Any, wire: AsgiWire) -> None:
        """A WebSocket, until it is over."""
        try:
            await self._held(scope, wire)
        except Exception as error:  # noqa: BLE001 — whatever it is, the caller gets an answer
            known = _refusal(error) if isinstance(error, (HookError, *_FAULTS, Refused)) else error
            with contextlib.suppress(ConnectionError):
                await wire.refuse(_problem(told(known, scope["path"])))

    async def _held(self, scope: Any, wire: AsgiWire) -> None:
        path = _path(scope)
        parts = path.partition(HOOKS)[2].split("/", 2)
        organisation_id = self._organisations.get(parts[0])
        channel = route = None
        if organisation_id is not None and len(parts) == 3:
            channel = self._channels.get(organisation_id, parts[1])
        if channel is not None:
            route = channel.route(SOCKET, parts[2])
        if channel is None or route is None:
            raise ProblemError(404, "There is no WebSocket at this address.")
        who = await self._allowed(channel, route, scope)
        if self._stopping.is_set():
            raise ProblemError(503, "The hub is stopping.", headers={"Retry-After": "2"})
        request = _request(scope, parts[2], b"", who)
        arrived = _arrived(scope, _for_sockets(self._public_url), b"")

        async def still() -> bool:
            try:
                await self._allowed(channel, route, scope)
            except ProblemError as error:
                return error.problem.status >= 500
            except (SQLAlchemyError, OSError):  # the database is away: nothing is known
                return True
            return True

        await channel.hold_socket(route, request, arrived, wire, None if who is None else still)

    async def _while_wanted(
        self, answering: Coroutine[Any, Any, RouteReply], receive: Receive
    ) -> RouteReply:
        """An answer that may take long (a page that waits for news), given up when whoever asked
        has gone, or when the hub stops."""
        answer = asyncio.create_task(answering)
        others = [asyncio.create_task(_gone(receive)), asyncio.create_task(self._stopping.wait())]
        try:
            await asyncio.wait({answer, *others}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
        finally:
            for task in (answer, *others):
                task.cancel()
            await asyncio.gather(answer, *others, return_exceptions=True)
        return _problem(ProblemError(503, "The hub is stopping.", headers={"Retry-After": "2"}))


def _route(channel: Channel, method: str, path: str) -> Route | None:
    return None if method == SOCKET else channel.route(method, path)


def _refusal(error: Exception) -> ProblemError:
    """What a caller is told of a plugin's route that has not answered."""
    match error:
        case Malformed():
            return ProblemError(400, error.detail)
        case Unverified():
            return ProblemError(403, error.detail, code="unverified")
        case HookError():
            return ProblemError(422, error.detail, code=type(error).__name__.lower())
        case Refused():
            return ProblemError(error.status, error.detail)
        case ChannelGone():
            return ProblemError(404, "There is no channel at this address.")
        case _:
            return ProblemError(502, "The channel's plugin failed; it was logged.")


def _arrived(scope: Any, public_url: str, body: bytes, *, members: bool = False) -> Delivery:
    """The request as it came, under the hub's public address; of what ``members`` ask for, without
    what they are known by."""
    query = scope["query_string"].decode("ascii", "replace")
    client = scope.get("client")
    return Delivery(
        body=body,
        source="http",
        method=scope.get("method", "GET"),
        url=f"{public_url}{_path(scope)}{'?' if query else ''}{query}",
        headers=tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in scope["headers"]
            if not members or name not in _CREDENTIALS
        ),
        remote=None if client is None else str(client[0]),
        received_at=datetime.now(UTC),
    )


def _request(scope: Any, path: str, body: bytes, who: Who | None) -> RouteRequest:
    return RouteRequest(
        method=scope.get("method", "GET"),
        path=path,
        query=dict(parse_qsl(scope["query_string"].decode("ascii", "replace"))),
        headers={
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
            if name != b"cookie" and (who is None or name not in _CREDENTIALS)
        },
        body=body,
        member_id=None if who is None else str(who.member.member_id),
        member_name=None if who is None else who.user.name,
    )


def _for_sockets(url: str) -> str:
    """The public address as a client of a WebSocket writes it."""
    return f"ws{url.removeprefix('http')}"


def _path(scope: Any) -> str:
    """The path as it was sent, not decoded: some providers sign it."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("ascii", "replace")


def _wants_a_page(scope: Any) -> bool:
    """Whether a person opens this in a browser, rather than a page asking for data."""
    accepted = dict(scope["headers"]).get(b"accept", b"")
    return scope["method"] == "GET" and b"text/html" in accepted


def _sign_in_first(scope: Any) -> RouteReply:
    """To the sign-in page, which leads back here."""
    return RouteReply(status=303, headers={"Location": f"/?next={quote(_path(scope), safe='')}"})


async def _gone(receive: Receive) -> None:
    """Until whoever asked has closed the connection."""
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            return


async def _body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > LARGEST:
            raise TooLarge
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


def _reply(taken: Taken) -> RouteReply:
    if taken.reply is not None:
        reply: Reply = taken.reply
        return RouteReply(status=reply.status, content_type=reply.content_type, body=reply.body)
    if taken.status >= 400:
        return _problem(ProblemError(taken.status, taken.reason or "The delivery was refused."))
    return RouteReply(status=200, content_type="text/plain; charset=utf-8")


def _problem(error: ProblemError) -> RouteReply:
    return RouteReply(
        status=error.problem.status,
        content_type=PROBLEM,
        body=_encode(error.problem),
        headers=error.headers,
    )


async def _send(send: Send, reply: RouteReply, *, head: bool) -> None:
    headers = {
        "content-type": reply.content_type,
        "content-length": str(len(reply.body)),
        **{name.lower(): value for name, value in reply.headers.items()},
    }
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
            ],
        }
    )
    await send(
        {"type": "http.response.body", "body": b"" if head else reply.body, "more_body": False}
    )
