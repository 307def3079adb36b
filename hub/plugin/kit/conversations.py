"""Recorded conversations of line protocols (SMTP, IMAP), and a connection on which the recorded
server answers as it did."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from msgspec import Struct

from hub.plugin.errors import Temporary

SKIP = "..."
"""In place of a line of the client's: any lines, until the one that follows it here."""


class NotRecorded(ConnectionError):
    """The plugin said what nobody recorded."""


class Conversation(Struct, frozen=True, kw_only=True):
    """One connection: where to, and the lines in order, each with who says it (``S``, ``C``). A
    client's line that ends in ``*`` begins so; ``T`` is where both go on by TLS, ``E`` the end,
    made by the server."""

    host: str
    port: int
    tls: bool
    lines: tuple[tuple[str, str], ...]


def read(text: str) -> tuple[Conversation, ...]:
    """Conversations as a file has them: ``connect HOST:PORT tls`` or ``plain``, and then lines
    that begin with ``S ``, ``C ``, ``T`` or ``E``. Raises ``ValueError`` with the line's number."""
    found: list[tuple[str, int, bool, list[tuple[str, str]]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        who, _, said = line.partition(" ")
        if not line.strip() or line.startswith("#"):
            continue
        if who == "connect":
            place, _, how = said.partition(" ")
            host, _, port = place.rpartition(":")
            if not host or not port.isdigit() or how not in {"tls", "plain"}:
                raise ValueError(f"{number}: connect HOST:PORT tls, or plain")
            found.append((host, int(port), how == "tls", []))
        elif who in {"S", "C", "T", "E"} and found:
            found[-1][3].append((who, said))
        else:
            raise ValueError(f"{number}: a line begins with connect, S, C, T or E")
    return tuple(
        Conversation(host=host, port=port, tls=tls, lines=tuple(lines))
        for host, port, tls, lines in found
    )


def connection(
    conversation: Conversation,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which the server says what was recorded."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport = _Transport(conversation, protocol, loop)
    protocol.connection_made(transport)
    transport.go_on()
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def start_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
    """Go on by TLS, where that was recorded. Raises ``NotRecorded``, and ``Temporary`` as a hub
    does."""
    transport = writer.transport
    if not isinstance(transport, _Transport):
        raise NotRecorded("TLS was begun on a connection that was not recorded")
    await asyncio.sleep(0)  # what the server has said so far is there to be read
    try:
        await nothing_more(reader, host)
    except Temporary:
        transport.abort()
        raise
    transport.start_tls(host)


async def nothing_more(reader: asyncio.StreamReader, host: str) -> None:
    """Raises ``Temporary`` when there is something to be read: before TLS it may be anybody's."""
    reading = asyncio.ensure_future(reader.read(1))
    await asyncio.sleep(0)
    if not reading.done():
        reading.cancel()
    (more,) = await asyncio.gather(reading, return_exceptions=True)
    if isinstance(more, bytes) and more:
        raise Temporary(f"{host} says more than it may before TLS")


class _Transport(asyncio.Transport):
    def __init__(
        self,
        conversation: Conversation,
        protocol: asyncio.BaseProtocol,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__()
        self._host = conversation.host
        self._tls = conversation.tls
        self._lines = deque(conversation.lines)
        self._protocol: Any = protocol
        self._loop = loop
        self._written = b""
        self._skipping = False
        self._closed = False
        self._closing = False

    # ---- what the server says

    def go_on(self) -> None:
        """Everything up to what the client says next."""
        said = b""
        while self._lines and self._lines[0][0] == "S":
            said += self._lines.popleft()[1].encode() + b"\r\n"
        if said:
            self._loop.call_soon(self._say, said)
        if self._lines and self._lines[0][0] == "E":
            self._loop.call_soon(self._end, None)

    def start_tls(self, host: str) -> None:
        """From here on both are encrypted."""
        if self._tls or host != self._host or not self._lines or self._lines[0][0] != "T":
            self._end(NotRecorded(f"TLS with {host} was not expected here"))
            raise NotRecorded(f"TLS with {host} was not expected here")
        self._tls = True
        self._lines.popleft()
        self.go_on()

    def _say(self, said: bytes) -> None:
        if not self._closed:
            self._protocol.data_received(said)

    def _end(self, error: Exception | None) -> None:
        if not self._closed:
            self._closed = True
            self._protocol.connection_lost(error)

    # ---- what the client says

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """See ``asyncio.WriteTransport``."""
        self._written += bytes(data)
        while b"\r\n" in self._written and not self._closed:
            line, _, self._written = self._written.partition(b"\r\n")
            self._hear(line.decode("utf-8", "replace"))

    def _hear(self, said: str) -> None:
        if self._lines and self._lines[0] == ("C", SKIP):
            self._lines.popleft()
            self._skipping = True
        if self._lines and self._lines[0][0] == "C" and _is(self._lines[0][1], said):
            self._lines.popleft()
            self._skipping = False
            self.go_on()
        elif not self._skipping:
            self._end(NotRecorded(f"this was not expected: {said[:100]!r}"))

    def is_closing(self) -> bool:
        """See ``asyncio.BaseTransport``."""
        return self._closing or self._closed

    def close(self) -> None:
        """See ``asyncio.BaseTransport``."""
        self._closing = True
        self._loop.call_soon(self._end, None)

    def abort(self) -> None:
        """See ``asyncio.WriteTransport``."""
        self.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """See ``asyncio.BaseTransport``."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """See ``asyncio.BaseTransport``."""
        return self._protocol

    def pause_reading(self) -> None:
        """See ``asyncio.ReadTransport``; what was recorded is short."""

    def resume_reading(self) -> None:
        """See ``asyncio.ReadTransport``."""


def _is(wanted: str, said: str) -> bool:
    return said.startswith(wanted[:-1]) if wanted.endswith("*") else said == wanted
