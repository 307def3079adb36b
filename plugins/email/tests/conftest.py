"""The channel under test, real servers beside it, and a mailbox to put mail into."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from hub_email import mailbox

from hub.plugin.kit.http import PluginHttp
from tests.mailboxes import Box
from tests.services import DovecotServer
from tests.small_context import SmallContext


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that has nothing new is not waited for, but where a test says so."""
    monkeypatch.setattr(mailbox, "WAIT", 0.01)


@pytest.fixture
def box(dovecot_server: DovecotServer) -> Box:
    return Box(dovecot_server)


@pytest.fixture
def offline() -> SmallContext:
    """A context for hooks that touch no network."""
    return SmallContext()


@pytest.fixture
async def ctx(certificate: tuple[Path, Path, Path]) -> AsyncIterator[SmallContext]:
    """A context that reaches this machine, and trusts the tests' authority."""
    ctx = SmallContext(allowed_hosts=["localhost"])
    ctx.real = PluginHttp(
        allowed_hosts=["localhost"],
        trust=ssl.create_default_context(cafile=str(certificate[0])),
    )
    ctx.http = ctx.real
    yield ctx
    await ctx.aclose()


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Talk], Awaitable[int]]]:
    """Starts a server that talks as a test says, on a port that is given back."""
    servers: list[asyncio.Server] = []
    talks: set[asyncio.Task[None]] = set()

    async def start(talk: Talk) -> int:
        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            talks.add(task)
            try:
                await talk(reader, writer)
            except (OSError, asyncio.CancelledError):
                pass
            finally:
                writer.transport.abort()

        servers.append(await asyncio.start_server(one, "localhost", 0))
        return int(servers[-1].sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()
    for task in talks:
        task.cancel()
    await asyncio.gather(*talks, return_exceptions=True)
