"""Looking after channels: each is asked now and then how it is, and one that could not start is
asked again, so that its state is true without a restart."""

from __future__ import annotations

import asyncio
import random

from hub.flow.channels import Channels
from hub.flow.host import Channel
from hub.flow.loop import Loop

EVERY = 300.0
"""Seconds between two checks of a channel that is well, give or take a tenth: providers need not be
asked by every hub at once."""
SOONER = 30.0
"""Seconds to the next check of one that is not."""


class Checkups:
    """Checks the channels of this process."""

    def __init__(self, channels: Channels, *, every: float = EVERY, sooner: float = SOONER) -> None:
        self._channels = channels
        self._every = every
        self._sooner = sooner
        self._due: dict[Channel, float] = {}
        self._chance = random.SystemRandom()
        self._loop = Loop("checkups", self._step)

    def start(self) -> None:
        """Begin; a channel that has just started is not asked at once."""
        self._loop.start()

    async def stop(self) -> None:
        """End."""
        await self._loop.stop()

    async def _step(self) -> float:
        now = asyncio.get_running_loop().time()
        running = [one for one in self._channels if one.has("health") or one.has("startup")]
        next_ = {one: now + self._pause(one) for one in running}
        self._due = {one: min(self._due.get(one, at), at) for one, at in next_.items()}
        due = [one for one in running if self._due[one] <= now]
        await asyncio.gather(*(one.check_health() for one in due))
        now = asyncio.get_running_loop().time()
        self._due |= {one: now + self._pause(one) for one in due}
        # Channels come and go, and fall ill: what was due in minutes may be due sooner by then.
        return max(0.0, min([self._sooner, *(at - now for at in self._due.values())]))

    def _pause(self, channel: Channel) -> float:
        well = channel.ready and channel.health.state == "ok"
        return (self._every if well else self._sooner) * self._chance.uniform(0.9, 1.1)
