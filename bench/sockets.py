"""A thousand browsers in one process: sockets that only look which message a frame tells of."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import time
from typing import cast

_TOLD = re.compile(rb"bench (\d+)\.")
"""Each message's text is ``bench NUMBER.``, and stands in the frames as it is."""


class Crowd:
    """Sockets on one address, and when each heard of each message."""

    def __init__(self) -> None:
        self.sockets: list[_Socket] = []
        self.heard: dict[int, list[float]] = {}
        """By message: the moments (``time.perf_counter``) at which sockets heard of it first."""
        self.frames = 0
        self.bytes = 0
        self._all: asyncio.Event | None = None
        self._wanted = 0

    async def join(self, host: str, port: int, path: str, cookie: str, count: int) -> None:
        """Open ``count`` sockets, a few at a time."""
        loop = asyncio.get_running_loop()
        for start in range(0, count, 50):
            group = [_Socket(self, host, path, cookie) for _ in range(min(50, count - start))]
            for socket in group:
                await loop.create_connection(lambda socket=socket: socket, host, port)
            await asyncio.gather(*(socket.open for socket in group))
            self.sockets += group

    async def until_heard(self, messages: int, limit: float) -> None:
        """Until every socket has heard of that many messages since ``forget``."""
        self._all, self._wanted = asyncio.Event(), messages * len(self.sockets)
        self._look()
        await asyncio.wait_for(self._all.wait(), limit)

    def forget(self) -> None:
        """Begin to count anew."""
        self.heard.clear()
        self.frames = self.bytes = 0
        self._count = 0
        for socket in self.sockets:
            socket.heard.clear()

    def told(self, socket: _Socket, payload: bytes) -> None:
        """A frame came."""
        self.frames += 1
        self.bytes += len(payload)
        now = time.perf_counter()
        for found in _TOLD.findall(payload):
            number = int(found)
            if number not in socket.heard:
                socket.heard.add(number)
                self.heard.setdefault(number, []).append(now)
                self._count += 1
        self._look()

    def close(self) -> None:
        """Leave."""
        for socket in self.sockets:
            socket.transport.close()

    _count = 0

    def _look(self) -> None:
        if self._all is not None and self._count >= self._wanted:
            self._all.set()


class _Socket(asyncio.Protocol):
    """A WebSocket client that reads whole frames and answers pings."""

    def __init__(self, crowd: Crowd, host: str, path: str, cookie: str) -> None:
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard: set[int] = set()
        self._crowd = crowd
        self._buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        self._greeting = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Cookie: {cookie}\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._greeting.encode())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.open.done():
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self.open.set_exception(RuntimeError(f"refused: {head[:200]!r}"))
                return
            self.open.set_result(None)
            self._buffer = rest
        while (end := self._frame()) is not None:
            self._buffer = self._buffer[end:]

    def _frame(self) -> int | None:
        """Take the first frame in; where it ends, if it is whole."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        kind, size, start = buffer[0] & 0x0F, buffer[1], 2
        extended = {126: 2, 127: 8}.get(size, 0)
        if extended:
            start += extended
            size = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + size:
            return None
        if kind == 9:
            self.transport.write(b"\x8a\x80\0\0\0\0")  # a pong, masked as clients must
        elif kind in (1, 2):
            self._crowd.told(self, buffer[start : start + size])
        return start + size
