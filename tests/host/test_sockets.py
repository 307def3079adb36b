"""WebSockets that a channel holds: the limits of time, and a channel that gives way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from msgspec.structs import replace
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from hub.flow.host import Channel, ChannelGone, LoopsExhausted, PluginFault, Refused, sockets
from hub.plugin import Delivery, HookError, RouteReply, RouteRequest
from hub.web.sockets import AsgiWire
from tests.host.conftest import LIMITS, Load
from tests.host.unruly import TOKEN, until
from tests.patience import PATIENCE

REQUEST = RouteRequest(method="GET", path="talk", query={}, headers={}, body=b"")
Allowed = Callable[[], Awaitable[bool]]


@asynccontextmanager
async def served(channel: Channel, path: str, allowed: Allowed | None = None) -> AsyncIterator[str]:
    """A server with one route of the channel's; its address."""
    route = channel.route("WS", path)
    assert route is not None

    async def app(scope: Any, receive: Any, send: Any) -> None:
        wire = AsgiWire(scope, receive, send)
        knock = Delivery(method="GET", headers=(("X-Token", TOKEN),), received_at=datetime.now(UTC))
        try:
            await channel.hold_socket(route, REQUEST, knock, wire, allowed)
        except (Refused, HookError, PluginFault, LoopsExhausted) as error:
            with contextlib.suppress(ConnectionError):
                status = getattr(error, "status", 500)
                await wire.refuse(RouteReply(status=status, body=str(error).encode()))

    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="error", ws="websockets-sansio", lifespan="off")
    )
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"ws://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
async def line(load: Load) -> Channel:
    made = load("line", "line")
    assert isinstance(made, Channel)
    return made


async def test_one_that_nobody_answers_is_refused_in_time(line: Channel) -> None:
    async with served(line, "patient") as url:
        with pytest.raises(Exception, match="504"):
            async with connect(url):
                pass


async def test_silence_ends_it(load: Load) -> None:
    line = load("line", "line", limits=replace(LIMITS, silence=0.3))
    assert isinstance(line, Channel)
    async with served(line, "talk") as url, connect(url) as opened:
        assert await opened.recv() == "hello"
        with pytest.raises(ConnectionClosed) as error:
            await opened.recv()
        assert error.value.rcvd is not None
        assert (error.value.rcvd.code, "too long" in error.value.rcvd.reason) == (1001, True)


async def test_a_right_that_is_withdrawn_ends_it(
    line: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "LOOK", 0.01)
    rights = [True]

    async def allowed() -> bool:
        return rights[0]

    async with served(line, "talk", allowed) as url, connect(url) as opened:
        assert await opened.recv() == "hello"
        await opened.send("still")
        assert await opened.recv() == "still"
        rights[0] = False
        with pytest.raises(ConnectionClosed) as error:
            await opened.recv()
        assert error.value.rcvd is not None
        assert error.value.rcvd.code == 1008


async def test_who_comes_while_it_gives_way_is_the_successors(
    load: Load, line: Channel, tmp_path: Path
) -> None:
    anew = load("line", "line", greeting="again")
    assert isinstance(anew, Channel)
    async with served(line, "talk") as url, connect(url) as opened:
        assert await opened.recv() == "hello"
        await opened.send("ignore-the-end")
        await until((tmp_path / "staying").exists)
        line.give_way(anew)
        assert not line.gone, "a handler is still under way"
        async with connect(url) as other:
            assert await other.recv() == "again"
        await asyncio.wait_for(line.leave(), PATIENCE)
        assert (tmp_path / "cancelled").exists()


async def test_a_channel_that_was_taken_out_takes_none(line: Channel) -> None:
    route = line.route("WS", "talk")
    assert route is not None
    line.give_way(None)
    knock = Delivery(received_at=datetime.now(UTC))
    with pytest.raises(ChannelGone):
        await line.hold_socket(route, REQUEST, knock, AsgiWire({}, _never, _never))


async def _never(*_: Any) -> Any:
    raise AssertionError
