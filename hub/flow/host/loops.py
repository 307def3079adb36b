"""A thread with a loop of its own for each channel.

A hook that blocks (``time.sleep``, a vendor's synchronous client) stalls its own channel only. A
loop that does not come back is named, abandoned and replaced, a bounded number of times.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

T = TypeVar("T")
log = structlog.get_logger()

GRACE = 2.0
"""Seconds a loop has to answer after a hook ran out of time, before it counts as stuck."""
WATCH = 10.0
"""Seconds after which the loop of a hook that may take for ever is looked at, again and again."""
REPLACEMENTS = 3


class HookTimeout(Exception):
    """A hook did not end in time; what it does later does not count."""


class LoopsExhausted(Exception):
    """The channel's loop was replaced as often as it may be."""


class Waits(Exception):
    """A coroutine did not end by itself, but waits for something."""


def run_here(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The answer of a coroutine that never waits. Raises ``Waits`` if it does: what it began is
    dropped then, so it must be one that may be begun again."""
    coroutine = make()
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    except (SystemExit, KeyboardInterrupt) as error:
        raise RuntimeError(f"raised {type(error).__name__}") from None
    with contextlib.suppress(RuntimeError):  # it will not be dropped
        coroutine.close()
    raise Waits


class _Call:
    """A coroutine to be run on a channel's loop, for somebody who waits on the main loop."""

    __slots__ = ("answer", "context", "error", "make", "task", "waiting")

    def __init__(
        self, make: Callable[[], Coroutine[Any, Any, Any]], waiting: asyncio.Future[Any]
    ) -> None:
        self.make = make
        self.waiting = waiting
        self.context = contextvars.copy_context()
        self.task: asyncio.Task[None] | None = None
        self.answer: Any = None
        self.error: BaseException | None = None


class _Bridge:
    """The way over to one channel's loop, and the way back.

    On each lies a queue, and one wake-up fetches all that has gathered in it: to wake a thread
    costs more than most hooks do.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._main = asyncio.get_running_loop()
        self._asked: deque[_Call] = deque()
        self._done: deque[_Call] = deque()

    def ask(self, call: _Call) -> None:
        """Have it run. From the main loop, like ``give_up``."""
        self._asked.append(call)
        if len(self._asked) == 1:  # else it is on its way: what is under way is taken off last
            self.loop.call_soon_threadsafe(self._begin)

    def give_up(self, call: _Call) -> None:
        """Nobody waits for it any more."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the call with it
            self.loop.call_soon_threadsafe(_cancel, call)

    def _begin(self) -> None:
        while self._asked:
            call = self._asked[0]
            if not call.waiting.done():
                call.task = self.loop.create_task(self._carry_out(call), context=call.context)
            self._asked.popleft()

    async def _carry_out(self, call: _Call) -> None:
        try:
            call.answer = await call.make()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 — for who waits
            call.error = error
        except BaseException as error:  # noqa: BLE001 — it would end the loop
            call.error = RuntimeError(f"raised {type(error).__name__}")
        if call.waiting.done():  # it comes too late
            if isinstance(call.error, Exception):
                late = {"message": "failed when nobody waited", "exception": call.error}
                self.loop.call_exception_handler(late)
            return
        self._done.append(call)
        if len(self._done) == 1:
            with contextlib.suppress(RuntimeError):  # the main loop is closed
                self._main.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        while self._done:
            call = self._done[0]
            if call.waiting.done():
                pass  # given up meanwhile
            elif call.error is None:
                call.waiting.set_result(call.answer)
            elif isinstance(call.error, asyncio.CancelledError):
                call.waiting.cancel()
            else:
                call.waiting.set_exception(call.error)
            self._done.popleft()


def _cancel(call: _Call) -> None:
    if call.task is not None:
        call.task.cancel()


class ChannelLoop:
    """Runs a channel's coroutines. Use from the main loop."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.replaced = 0
        """How often the loop was stuck."""
        self._bridge: _Bridge | None = None
        self._thread: threading.Thread | None = None
        self._checking = False
        self.on_replaced: Callable[[], None] = lambda: None
        self.on_stray: Callable[[str], None] = lambda _what: None
        """Told, on the channel's loop, of what failed there without anybody waiting for it."""

    @property
    def bridge(self) -> _Bridge:
        """The way to the loop, which is started when first needed."""
        if self._bridge is None:
            if self.replaced > REPLACEMENTS:
                raise LoopsExhausted("the plugin blocked its thread too often")
            loop = asyncio.new_event_loop()
            loop.set_exception_handler(self._stray)
            self._bridge = _Bridge(loop)
            self._thread = threading.Thread(
                target=self._run, args=(loop,), name=f"channel {self.name}", daemon=True
            )
            self._thread.start()
        return self._bridge

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            while _interrupted(loop):
                log.error("channel.loop_left", channel=threading.current_thread().name)
        finally:
            # What was asked of a loop that was given up is ended before it begins.
            loop.run_until_complete(_drop(loop))
            loop.close()

    def _stray(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.on_stray(f"{context.get('message')}: {context.get('exception')!r}")

    async def run(self, make: Callable[[], Coroutine[Any, Any, T]], limit: float | None) -> T:
        """Run ``make()`` on the channel's loop and wait ``limit`` seconds for it; ``None``: as
        long as the loop turns.

        Raises what it raises, or ``HookTimeout``: a hook that swallows its cancellation or blocks
        its thread is not waited for.
        """
        bridge = self.bridge
        main = asyncio.get_running_loop()
        call = _Call(make, main.create_future())
        if limit is None:
            ender = asyncio.create_task(self._watch(bridge, call))
        else:
            ender = main.call_later(limit, self._too_late, bridge, call, limit)
        bridge.ask(call)
        try:
            return await call.waiting
        except asyncio.CancelledError:
            bridge.give_up(call)
            raise
        finally:
            ender.cancel()

    def _too_late(self, bridge: _Bridge, call: _Call, limit: float) -> None:
        if not call.waiting.done():
            call.waiting.set_exception(HookTimeout(f"no answer within {limit:g} s"))
            bridge.give_up(call)
            self._check(bridge)

    async def _watch(self, bridge: _Bridge, call: _Call) -> None:
        while bridge is self._bridge:
            self._check(bridge)
            await asyncio.sleep(WATCH)
        if not call.waiting.done():
            call.waiting.set_exception(HookTimeout("its thread was blocked, and was given up"))

    def _check(self, bridge: _Bridge) -> None:
        """See whether the loop still turns."""
        if self._checking or bridge is not self._bridge:
            return
        self._checking = True
        main = asyncio.get_running_loop()
        alive = asyncio.Event()

        def answer() -> None:
            if not main.is_closed():
                main.call_soon_threadsafe(alive.set)

        bridge.loop.call_soon_threadsafe(answer)
        main.call_later(GRACE, self._judge, bridge, alive)

    def _judge(self, bridge: _Bridge, alive: asyncio.Event) -> None:
        self._checking = False
        if alive.is_set() or bridge is not self._bridge:
            return
        self.replaced += 1
        self._bridge = self._thread = None
        bridge.loop.call_soon_threadsafe(bridge.loop.stop)  # should it ever come back
        log.error("channel.loop_stuck", channel=self.name, replaced=self.replaced)
        self.on_replaced()

    async def stop(self) -> None:
        """End the loop; one that is stuck is left behind (its thread is a daemon)."""
        bridge, thread = self._bridge, self._thread
        self._bridge = self._thread = None
        if bridge is None or thread is None:
            return
        loop = bridge.loop
        loop.call_soon_threadsafe(lambda: loop.create_task(_finish(loop)))
        await asyncio.to_thread(thread.join, GRACE)


def _interrupted(loop: asyncio.AbstractEventLoop) -> bool:
    """Run the loop until it is stopped, or something that runs on it wants to end the process."""
    try:
        loop.run_forever()
    except (SystemExit, KeyboardInterrupt):
        return True
    return False


async def _drop(loop: asyncio.AbstractEventLoop) -> None:
    await asyncio.sleep(0)
    tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=GRACE / 10)


async def _finish(loop: asyncio.AbstractEventLoop) -> None:
    tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=GRACE / 2) if tasks else None
    await loop.shutdown_asyncgens()
    loop.stop()
