"""A thread with a loop of its own for each channel.

A hook that blocks (``time.sleep``, a vendor's synchronous client) stalls its own channel only. A
loop that does not come back is named, abandoned and replaced, a bounded number of times.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

T = TypeVar("T")
log = structlog.get_logger()

GRACE = 2.0
"""Seconds a loop has to answer after a hook ran out of time, before it counts as stuck."""
REPLACEMENTS = 3


class HookTimeout(Exception):
    """A hook did not end in time; what it does later does not count."""


class LoopsExhausted(Exception):
    """The channel's loop was replaced as often as it may be."""


class ChannelLoop:
    """Runs a channel's coroutines. Use from the main loop."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.replaced = 0
        """How often the loop was stuck."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._checking = False
        self.on_replaced: Callable[[], None] = lambda: None
        self.on_stray: Callable[[str], None] = lambda _what: None
        """Told, on the channel's loop, of what failed there without anybody waiting for it."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, started when first needed."""
        if self._loop is None:
            if self.replaced > REPLACEMENTS:
                raise LoopsExhausted("the plugin blocked its thread too often")
            self._loop = asyncio.new_event_loop()
            self._loop.set_exception_handler(self._stray)
            self._thread = threading.Thread(
                target=self._run, args=(self._loop,), name=f"channel {self.name}", daemon=True
            )
            self._thread.start()
        return self._loop

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

    async def run(self, make: Callable[[], Coroutine[Any, Any, T]], limit: float) -> T:
        """Run ``make()`` on the channel's loop and wait ``limit`` seconds for it.

        Raises what it raises, or ``HookTimeout``: a hook that swallows its cancellation or blocks
        its thread is not waited for.
        """
        loop = self.loop
        future = asyncio.run_coroutine_threadsafe(_called(make), loop)
        waiting = asyncio.wrap_future(future)
        try:
            done, _ = await asyncio.wait({waiting}, timeout=limit)
        except asyncio.CancelledError:
            waiting.add_done_callback(_forget)
            future.cancel()
            raise
        if done:
            return waiting.result()
        waiting.add_done_callback(_forget)
        future.cancel()
        self._check(loop)
        raise HookTimeout(f"no answer within {limit:g} s")

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        """See whether the loop still turns."""
        if self._checking or loop is not self._loop:
            return
        self._checking = True
        main = asyncio.get_running_loop()
        alive = asyncio.Event()

        def answer() -> None:
            if not main.is_closed():
                main.call_soon_threadsafe(alive.set)

        loop.call_soon_threadsafe(answer)
        main.call_later(GRACE, self._judge, loop, alive)

    def _judge(self, loop: asyncio.AbstractEventLoop, alive: asyncio.Event) -> None:
        self._checking = False
        if alive.is_set() or loop is not self._loop:
            return
        self.replaced += 1
        self._loop = self._thread = None
        loop.call_soon_threadsafe(loop.stop)  # should it ever come back
        log.error("channel.loop_stuck", channel=self.name, replaced=self.replaced)
        self.on_replaced()

    async def stop(self) -> None:
        """End the loop; one that is stuck is left behind (its thread is a daemon)."""
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(lambda: loop.create_task(_finish(loop)))
        await asyncio.to_thread(thread.join, GRACE)


def _interrupted(loop: asyncio.AbstractEventLoop) -> bool:
    """Run the loop until it is stopped, or something that runs on it wants to end the process."""
    try:
        loop.run_forever()
    except (SystemExit, KeyboardInterrupt):
        return True
    return False


async def _called(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    try:
        return await make()
    except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        raise RuntimeError(f"raised {type(error).__name__}") from error


def _forget(future: asyncio.Future[Any]) -> None:
    """What comes too late is looked at by nobody, and must not be reported as lost."""
    if not future.cancelled():
        future.exception()


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
