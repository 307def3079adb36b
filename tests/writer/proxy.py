"""A wire between the hub and PostgreSQL that breaks when a commit goes over it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import sqlalchemy as sa

COMMIT = b"COMMIT;\x00"
Break = Literal["before", "after"]
"""Whether the server still hears of the commit."""


class Wire:
    """Forwards bytes both ways. ``breaks`` says how the next commits fare, the first one first."""

    def __init__(self, host: str, port: int) -> None:
        self.breaks: list[Break] = []
        self.broken = 0
        self._target = (host, port)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        answers = asyncio.create_task(_forward(server_reader, writer))
        try:
            while data := await reader.read(65_536):
                if COMMIT in data and self.breaks:
                    await self._break(data, server_reader, server_writer, answers)
                    return
                server_writer.write(data)
                await server_writer.drain()
        except ConnectionError:
            pass
        finally:
            answers.cancel()
            for each in (writer, server_writer):
                each.close()
                with contextlib.suppress(ConnectionError):
                    await each.wait_closed()

    async def _break(
        self,
        data: bytes,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
        answers: asyncio.Task[None],
    ) -> None:
        self.broken += 1
        answers.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await answers
        if self.breaks.pop(0) == "after":
            server_writer.write(data)
            await server_writer.drain()
            await server_reader.read(1)  # it is committed, and nobody is told


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[tuple[Wire, str]]:
    """A wire to a database, and the URL that goes over it."""
    target = sa.make_url(url)
    wire = Wire(target.host or "", target.port or 5432)
    server = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield wire, target.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    finally:
        server.close()
