"""The network between a browser and its hub, which a test breaks in the ways that real ones break.

Everything goes through sockets of its own: what is cut is cut within a frame or a header, an answer
that is lost is lost after the server has acted, and what is held back comes late and whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable
from typing import Literal, Self

Kind = Literal["answers", "stream"]
PAGE = 12
"""So many rows or entries a page asks for through here, not 50: that there is more is soon so."""
_ASKED, _INSTEAD = b"limit=50", b"limit=%d" % PAGE
_HUNG_UP = struct.pack("ii", 1, 0)  # with a reset, not with a farewell


class _Way:
    """One connection of the browser's and its counterpart to the hub."""

    def __init__(self, browser: asyncio.StreamWriter, hub: asyncio.StreamWriter) -> None:
        self.browser = browser
        self.hub = hub
        self.kind: Kind = "answers"
        self.changes = False
        """Whether what was asked for last changes something."""
        self.ends_within: float | None = None
        """It ends within the next piece that comes down, after such a share of it."""

    def end(self, *, rudely: bool) -> None:
        if rudely:
            end = self.browser.get_extra_info("socket")
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _HUNG_UP)
        for writer in (self.browser, self.hub):
            writer.close()


class Network:
    """Between one browser and the hub at ``port``. Its methods return at once."""

    def __init__(self, port: int, chance: random.Random) -> None:
        self.lost = 0
        """Answers that were lost so far."""
        self._port = port
        self._chance = chance
        self._ways: set[_Way] = set()
        self._served: set[asyncio.Task[object]] = set()
        self._down = False
        self._losing = 0
        self._free: dict[Kind, asyncio.Event] = {}
        self._loop = asyncio.new_event_loop()
        self._ends: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._run()])
        self.base_url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._ends is not None
        self._do(self._ends.set)
        self._thread.join()
        self._loop.close()

    def cut(self, *, within_a_frame: bool) -> None:
        """Every connection ends: now, or in the middle of what comes next on it."""

        def cut() -> None:
            for way in list(self._ways):
                if within_a_frame:
                    way.ends_within = self._chance.random()
                else:
                    way.end(rudely=self._chance.random() < 0.5)

        self._do(cut)

    def drop_stream(self) -> None:
        """The stream alone ends."""

        def drop() -> None:
            for way in list(self._ways):
                if way.kind == "stream":
                    way.end(rudely=False)

        self._do(drop)

    def go_down(self) -> None:
        """Everything ends, and nothing gets through."""
        self._down = True
        self.cut(within_a_frame=False)

    def lose_an_answer(self) -> None:
        """The hub does what it is asked to do next, and nobody hears of it."""
        self._losing += 1

    def hold(self, kind: Kind) -> None:
        """What comes down waits: the answers, or the stream."""
        self._do(self._free[kind].clear)

    def come_up(self) -> None:
        """Everything goes on; what was held comes."""
        self._down, self._losing = False, 0

        def let_go() -> None:
            for way in self._ways:
                way.ends_within = None
            for event in self._free.values():
                event.set()

        self._do(let_go)

    def _do(self, work: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(work)

    async def _run(self) -> None:
        self._ends = asyncio.Event()
        self._free = {"answers": asyncio.Event(), "stream": asyncio.Event()}
        for event in self._free.values():
            event.set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._ends.wait()
        server.close()
        for event in self._free.values():
            event.set()
        for way in list(self._ways):
            way.end(rudely=True)
        await asyncio.gather(*self._served, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._down:
            writer.close()
            return
        try:
            from_hub, to_hub = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        way = _Way(writer, to_hub)
        self._ways.add(way)
        task = asyncio.current_task()
        assert task is not None
        self._served.add(task)
        try:
            both = asyncio.gather(self._up(way, reader), self._come_down(way, from_hub))
            with contextlib.suppress(OSError):
                await both
        finally:
            way.end(rudely=False)
            self._ways.discard(way)
            self._served.discard(task)

    async def _up(self, way: _Way, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65_536):
            if data.startswith(b"GET "):
                way.changes = False
                way.kind = "stream" if b"/stream" in data.split(b"\r\n", 1)[0] else "answers"
                data = data.replace(_ASKED, _INSTEAD, 1)
            elif data.startswith((b"POST ", b"PATCH ")):
                way.changes = True
            way.hub.write(data)
            await way.hub.drain()
        way.end(rudely=False)

    async def _come_down(self, way: _Way, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65_536):
            await self._free[way.kind].wait()
            if way.changes and self._losing > 0:
                self._losing -= 1
                self.lost += 1
                way.ends_within = self._chance.random()
            if way.ends_within is not None:
                # Without a first byte a browser would ask again by itself.
                way.browser.write(data[: max(1, int(len(data) * way.ends_within))])
                with contextlib.suppress(OSError):
                    await way.browser.drain()
                break
            way.browser.write(data)
            await way.browser.drain()
        way.end(rudely=way.ends_within is not None and self._chance.random() < 0.5)
