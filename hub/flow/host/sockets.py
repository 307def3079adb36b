"""WebSockets at a channel's own routes, held by the plugin on the channel's loop.

The client's end (``Wire``) and ``HeldSocket`` live on the main loop, ``PluginSocket`` on the
channel's. What the client says goes over as it comes, within bounds, and waits there: a plugin that
stops waiting for a message has not lost it. What the plugin says is on its way when ``send``
returns.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from hub.plugin import HookError, Malformed, RouteRequest, Temporary, Unverified

T = TypeVar("T")

LARGEST = 1_000_000
"""Bytes of a message, either way."""
AHEAD = 256 * 1024
"""Bytes that may wait for the plugin before the client is read no further."""
OVERHEAD = 256
"""Bytes that a message counts for besides its own: many empty ones fill memory, too."""
MOST = 200
"""Sockets of a channel that are open at once."""
LOOK = 5.0
"""Seconds after which it is looked again whether who holds the other end still may."""
AFTERWARDS = 30.0
"""Seconds a handler has to end after its client has gone."""
LONGEST_REASON = 123
"""Bytes that fit into a frame that closes (RFC 6455, section 5.5)."""

NORMAL = 1000
AWAY = 1001
BROKEN = 1011
POLICY = 1008
RESTART = 1012
LATER = 1013


Allowed = Callable[[], Awaitable[bool]]
"""Whether the client may (still) hold the other end."""


class Wire(Protocol):
    """The client's end. Used on the main loop. ``send`` raises ``ConnectionError`` when the client
    has gone."""

    async def accept(self) -> None:
        """Answer the handshake."""
        ...

    async def receive(self) -> str | bytes | None:
        """The next message; ``None`` when the client has gone."""
        ...

    async def send(self, message: str | bytes) -> None:
        """Send a message, once there is room for it."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Say that it is over."""
        ...


class Refused(Exception):
    """The handshake is answered by an HTTP error of this ``status``."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class End(Struct, frozen=True, kw_only=True):
    """How a socket ends: what the client is told (``code`` and ``reason``, or the HTTP ``status``
    if it was not open yet), and how many seconds the handler gets (``patience``). ``code`` is
    ``None`` where the client has ended it."""

    code: int | None
    reason: str
    status: int
    patience: float


GONE = End(code=None, reason="", status=499, patience=AFTERWARDS)


class HeldSocket:
    """One socket. Used on the main loop. ``handshake``, ``silence`` and ``grace``: seconds until it
    has to be accepted, that nobody says anything, and that a handler has to end in."""

    def __init__(self, wire: Wire, *, handshake: float, silence: float, grace: float) -> None:
        self.accepted = False
        self._wire = wire
        self._main = asyncio.get_running_loop()
        self._silence = silence
        self._grace = grace
        self._near: PluginSocket | None = None
        self._accepting = asyncio.Lock()
        self._early: list[str | bytes] = []
        self._room = asyncio.Event()
        self._waiting = 0
        """Bytes that the plugin has not taken yet."""
        self._over: asyncio.Future[End] = self._main.create_future()
        self._heard = self._main.time()
        words = "The channel did not answer in time."
        self._timer = self._main.call_later(handshake, self.end, RESTART, words, 504)

    @property
    def over(self) -> bool:
        """Whether nothing can be said any more."""
        return self._over.done()

    def end(self, code: int, reason: str, status: int = 503) -> None:
        """The hub ends it: the handler is told, and given some time."""
        self._finish(End(code=code, reason=reason, status=status, patience=self._grace))

    def ended(self, code: int, reason: str) -> None:
        """The handler has ended it."""
        self._finish(End(code=code, reason=reason, status=403, patience=AFTERWARDS))

    def _finish(self, end: End) -> None:
        if not self.over:
            self._over.set_result(end)
            if self._near is not None:
                self._near.tell(None)

    async def hold(self, handling: Coroutine[Any, Any, None], allowed: Allowed | None) -> None:
        """Until the handler has ended. Raises what it raises if it has not accepted the socket, and
        ``Refused`` when it has ended otherwise without."""
        handler = asyncio.create_task(handling)
        beside = [asyncio.create_task(self._read())]
        if allowed is not None:
            beside.append(asyncio.create_task(self._look(allowed)))
        try:
            await asyncio.wait({handler, self._over}, return_when=asyncio.FIRST_COMPLETED)
            await self._close(handler)
        finally:
            self._timer.cancel()
            self._finish(GONE)
            for task in (handler, *beside):
                task.cancel()
            await asyncio.gather(handler, *beside, return_exceptions=True)

    async def _close(self, handler: asyncio.Task[None]) -> None:
        if not self.over:
            error = handler.exception()
            if not self.accepted and error is not None:
                raise error
            self.ended(*_why(error))
        end = self._over.result()
        if not self.accepted:
            raise Refused(end.status, end.reason or "The channel does not take this socket.")
        if end.code is not None:
            with contextlib.suppress(ConnectionError):
                await self._wire.close(end.code, shortened(end.reason))
        await asyncio.wait({handler}, timeout=end.patience)

    async def _look(self, allowed: Allowed) -> None:
        while await allowed():  # noqa: ASYNC110 — nobody tells of a right that is withdrawn
            await asyncio.sleep(LOOK)
        self.end(POLICY, "The right to it was withdrawn.", 403)

    # ---- in

    async def _read(self) -> None:
        while (message := await self._wire.receive()) is not None:
            self._heard = self._main.time()
            self._waiting += len(message) + OVERHEAD
            if self._near is None:
                self._early.append(message)
            else:
                self._near.tell(message)
            while self._waiting > AHEAD:
                self._room.clear()
                await self._room.wait()
        self._finish(GONE)

    def took(self, message: str | bytes) -> None:
        """The plugin has it."""
        self._waiting -= len(message) + OVERHEAD
        self._room.set()

    def _listen_for_silence(self) -> None:
        left = self._heard + self._silence - self._main.time()
        if left <= 0:
            self.end(AWAY, "Nothing was said for too long.")
        else:
            self._timer = self._main.call_later(left, self._listen_for_silence)

    # ---- out

    async def accept(self, near: PluginSocket) -> bool:
        """Answer the handshake, if that was not done yet; whether it is open."""
        async with self._accepting:
            if self.over or self.accepted:
                return not self.over
            self.accepted = True
            self._timer.cancel()
            self._heard = self._main.time()
            self._listen_for_silence()
            with contextlib.suppress(ConnectionError):  # it is seen when nothing comes any more
                await self._wire.accept()
            self._near = near
            for message in self._early:
                near.tell(message)
            return not self.over

    async def send(self, message: str | bytes) -> None:
        """A message of the plugin's. Raises ``ConnectionResetError`` when it is over."""
        if self.over:
            raise ConnectionResetError("the socket is closed")
        await self._wire.send(message)
        self._heard = self._main.time()


def shortened(reason: str) -> str:
    """What of it fits into a frame."""
    return reason.encode()[:LONGEST_REASON].decode("utf-8", "ignore")


def _why(error: BaseException | None) -> tuple[int, str]:
    """How a socket is closed whose handler has ended so."""
    if isinstance(error, Unverified | Malformed):
        return POLICY, error.detail
    if isinstance(error, Temporary):
        return LATER, error.detail
    if isinstance(error, HookError):
        return BROKEN, error.detail
    return (NORMAL, "") if error is None else (BROKEN, "The channel's plugin failed.")


class PluginSocket:
    """``hub.plugin.Socket``, made on the channel's loop and used there."""

    def __init__(self, held: HeldSocket, main: asyncio.AbstractEventLoop, request: RouteRequest):
        self.request = request
        self._held = held
        self._main = main
        self._loop = asyncio.get_running_loop()
        self._messages: deque[str | bytes] = deque()
        self._news = asyncio.Event()
        self._accepted = False
        self._over = False

    @property
    def over(self) -> bool:
        """Whether nothing can be said any more."""
        return self._over

    def tell(self, message: str | bytes | None) -> None:
        """What the client says; ``None``: it is over. From the main loop."""
        with contextlib.suppress(RuntimeError):  # the channel's loop was given up
            self._loop.call_soon_threadsafe(self._told, message)

    def _told(self, message: str | bytes | None) -> None:
        if message is None:
            self._over = True
        else:
            self._messages.append(message)
        self._news.set()

    async def receive(self) -> str | bytes | None:
        """See ``hub.plugin.Socket``."""
        await self._accept()
        while not self._messages:
            if self._over:
                return None
            self._news.clear()
            await self._news.wait()
        message = self._messages.popleft()
        self._tell_main(lambda: self._held.took(message))
        return message

    async def send(self, message: str | bytes) -> None:
        """See ``hub.plugin.Socket``."""
        if not isinstance(message, str | bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a message is str or bytes, not {type(message).__name__}")
        size = len(message.encode() if isinstance(message, str) else message)
        if size > LARGEST:
            raise ValueError(f"a message has {LARGEST:,} bytes at most, this one {size:,}")
        await self._accept()
        if self._over:
            raise ConnectionResetError("the socket is closed")
        try:
            await self._on_main(self._held.send(message))
        except ConnectionError:
            self._over = True
            raise

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """See ``hub.plugin.Socket``."""
        if not (code in {1000, 1001, 1002, 1003} or 1007 <= code <= 1014 or 3000 <= code <= 4999):
            raise ValueError(f"{code!r} is no code to close a socket with")
        if len(reason.encode()) > LONGEST_REASON:
            raise ValueError(f"the reason has {LONGEST_REASON} bytes at most")
        self._over = True
        self._tell_main(lambda: self._held.ended(code, reason))

    async def _accept(self) -> None:
        if not self._accepted and not self._over:
            self._accepted = await self._on_main(self._held.accept(self))
            self._over = self._over or not self._accepted

    async def _on_main(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._main))

    def _tell_main(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the hub has stopped
            self._main.call_soon_threadsafe(what)
