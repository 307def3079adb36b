"""News between processes: Redis carries that position N of organisation O exists, and who looks at
which conversation now; nothing that has to last.

The journal carries the data, so a message that Redis loses costs time only: while Redis is away
the streams look at the journal by themselves, and the relay comes back by itself. Where somebody is
is said again and again (``flow/presence``), and lost without harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any, cast

import redis.asyncio as redis
import structlog

log = structlog.get_logger()

TOPIC = "hub:positions"
PRESENCE = "hub:presence"
MOST_UNTOLD = 1_000
"""So much of who is where waits to be told; what is more is said again anyway."""
LONGEST_WAIT = 10.0


class Relay:
    """Publishes this process's commits and hears of the others'."""

    def __init__(
        self,
        url: str,
        heard: Callable[[dict[int, int]], None],
        heard_presence: Callable[[bytes], None],
    ) -> None:
        self._client = redis.from_url(url, socket_connect_timeout=5, socket_timeout=30)  # pyright: ignore[reportUnknownMemberType]
        self._heard = heard
        self._heard_presence = heard_presence
        self._untold: list[bytes] = []
        self._outgoing: dict[int, int] = {}
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.trouble: str | None = "not connected yet"
        """Why nothing is heard; ``None`` when all is well."""

    def start(self) -> None:
        """Begin, on the main loop."""
        self._tasks = [asyncio.create_task(self._publish()), asyncio.create_task(self._listen())]

    async def stop(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(redis.RedisError):
            await self._client.aclose()

    def committed(self, positions: dict[int, int]) -> None:
        """Tell the other processes. Never waits: what cannot be told is found by looking."""
        self._outgoing.update(positions)
        self._wake.set()

    def presence(self, message: bytes) -> None:
        """Tell the other processes where somebody is. Never waits."""
        if len(self._untold) < MOST_UNTOLD:
            self._untold.append(message)
            self._wake.set()

    async def _publish(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            news, self._outgoing = self._outgoing, {}
            untold, self._untold = self._untold, []
            try:
                if news:
                    await self._client.publish(TOPIC, json.dumps(news))  # pyright: ignore[reportUnknownMemberType]
                for message in untold:
                    await self._client.publish(PRESENCE, message)  # pyright: ignore[reportUnknownMemberType]
            except (redis.RedisError, OSError) as error:
                log.warning("relay.not_told", error=type(error).__name__)

    async def _listen(self) -> None:
        wait = 0.5
        while True:
            try:
                async with self._client.pubsub() as subscription:  # pyright: ignore[reportUnknownMemberType]
                    await subscription.subscribe(TOPIC, PRESENCE)  # pyright: ignore[reportUnknownMemberType]
                    self.trouble, wait = None, 0.5
                    while True:
                        message = cast(
                            "dict[str, Any] | None",
                            await subscription.get_message(  # pyright: ignore[reportUnknownMemberType]
                                ignore_subscribe_messages=True, timeout=10.0
                            ),
                        )
                        if message is None:
                            await subscription.ping()  # pyright: ignore[reportUnknownMemberType]
                        elif message["type"] != "message":
                            continue
                        elif message["channel"] == PRESENCE.encode():
                            self._heard_presence(message["data"])
                        else:
                            news = json.loads(message["data"])
                            self._heard({int(org): position for org, position in news.items()})
            except (redis.RedisError, OSError) as error:
                self.trouble = f"{type(error).__name__}: {error}"
                log.warning("relay.lost", error=self.trouble, again_in=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)
