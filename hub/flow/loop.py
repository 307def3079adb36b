"""What goes round in the background: a step, a rest, and again, until it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from hub.flow.waiting import woken
from hub.flow.writer import Unavailable

log = structlog.get_logger()


class Loop:
    """Calls ``step`` for ever. ``step`` gives the seconds to rest after it, which ``wake`` ends
    early. One that fails is logged under ``name``, unless the database is away, which the writer
    says, and is followed by a rest of ``idle`` seconds."""

    def __init__(
        self, name: str, step: Callable[[], Awaitable[float]], *, idle: float = 1.0
    ) -> None:
        self._name = name
        self._step = step
        self._idle = idle
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin, on this loop."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self, ending: float = 0.0) -> None:
        """Begin no step; one under way gets ``ending`` seconds to come to its end, and is canceled
        then."""
        self._stopping = True
        self._wake.set()
        if self._task is None:
            return
        if ending:
            await asyncio.wait([self._task], timeout=ending)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                rest = await self._step()
            except Unavailable:
                rest = self._idle
            except Exception:
                log.exception("loop.failed", loop=self._name)
                rest = self._idle
            if rest and not self._stopping:
                await woken(self._wake, rest)
