"""How often the API is asked, by whoever asks: a session, a token, or a network address that shows
neither.

Counted in memory, by the minute, so that asking costs nothing. With Redis the processes tell each
other every second what they have counted: a limit holds for all of them together, but for what is
asked within that second. Without Redis, or while it is away, each process counts for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, cast

import structlog

from hub.edge.problems import ProblemError

log = structlog.get_logger()

WINDOW = 60
"""Seconds."""
EXCHANGE = 1.0
"""Seconds between two exchanges."""
MOST = 50_000
"""Whoever is counted at a time; beyond them nobody new is, until the minute is over."""
_PREFIX = "hub:rate"


class Rates:
    """Counts. ``most``: in a minute; 0: no limit. Belongs to the main loop."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.time) -> None:
        self._most = most
        self._clock = clock
        self._minute = 0
        self._own: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._others: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    def count(self, key: str) -> None:
        """Somebody asks. Raises ``ProblemError`` (429) where it is too often."""
        if not self._most:
            return
        now = self._clock()
        self._turn(now)
        seen = self._own.get(key, 0)
        if seen + self._others.get(key, 0) >= self._most:
            wait = max(1, round((self._minute + 1) * WINDOW - now))
            raise ProblemError(
                429,
                f"More than {self._most:,} requests in a minute. Try again in {wait} seconds.",
                code="too_many_requests",
                headers={"Retry-After": str(wait)},
            )
        if seen or len(self._own) < MOST:
            self._own[key] = seen + 1

    def _turn(self, now: float) -> None:
        minute = int(now // WINDOW)
        if minute != self._minute:
            self._minute = minute
            self._own, self._told, self._others = {}, {}, {}

    # -------------------------------------------------------------- with other processes

    def start(self, url: str) -> None:
        """Tell the other processes, and hear of them."""
        if self._most:
            self._task = asyncio.create_task(self._exchange(url))

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _exchange(self, url: str) -> None:
        import redis.asyncio as redis  # noqa: PLC0415 — a tenth of a second

        client = redis.from_url(url, socket_connect_timeout=5, socket_timeout=5)  # pyright: ignore[reportUnknownMemberType]
        try:
            while True:
                await asyncio.sleep(EXCHANGE)
                with contextlib.suppress(redis.RedisError, OSError):
                    await self._tell(client)
        finally:
            with contextlib.suppress(redis.RedisError, OSError):
                await client.aclose()

    async def _tell(self, client: object) -> None:
        """Add what was counted since the last time to what all have counted."""
        self._turn(self._clock())
        minute, counted = self._minute, dict(self._own)
        new = {key: seen - self._told.get(key, 0) for key, seen in counted.items()}
        keys = [key for key, more in new.items() if more]
        if not keys:
            return
        name = f"{_PREFIX}:{minute}"
        async with cast("Any", client).pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hincrby(name, key, new[key])
            pipe.expire(name, 2 * WINDOW)
            totals = await pipe.execute()
        if minute == self._minute:
            for key, total in zip(keys, totals, strict=False):
                self._told[key] = counted[key]
                self._others[key] = int(total) - counted[key]
