"""What waits to be written: a lane for what somebody waits for, and one for bulk work.

Both are first in, first out. A batch takes from the first lane and keeps a few places for bulk, so
that neither starves the other: an import never holds up a webhook for longer than its small share
takes, and goes on under any load.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from hub.rules import commands as c

LARGEST_BATCH = 256
HEAVIEST_BATCH = 8_000_000
"""Bytes of bodies that are committed together, at least one item's."""
BULK_SHARE = 16
LONGEST = 20_000
HEAVIEST = 256_000_000
OLDEST = 10.0
"""Seconds after which what waits is refused: a provider that waits longer sends again anyway."""


class Unavailable(Exception):
    """Nothing can be committed now; what was asked has not been done."""


class Item(Struct):
    """What one caller wants committed: commands, or a function of the transaction."""

    work: Sequence[c.Command] | Callable[..., Any]
    future: asyncio.Future[Any]
    weight: int
    since: float


class Lanes:
    """Put in on the main loop, taken out by the writer, on whichever thread that is."""

    def __init__(self) -> None:
        self._live: deque[Item] = deque()
        self._bulk: deque[Item] = deque()
        self._weight = 0
        self._stopped = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._live) + len(self._bulk)

    def put(self, work: Any, future: asyncio.Future[Any], *, bulk: bool) -> None:
        """Let ``work`` wait for its turn. Raises ``Unavailable`` when too much waits already."""
        item = Item(work, future, _weight(work), time.monotonic())
        with self._changed:
            if self._stopped:
                raise Unavailable("the hub is shutting down")
            full = len(self) >= LONGEST or self._weight + item.weight > HEAVIEST
            if full and len(self):
                raise Unavailable("too much is waiting to be written")
            (self._bulk if bulk else self._live).append(item)
            self._weight += item.weight
            self._changed.notify()

    def take(self) -> list[Item]:
        """The next batch, without waiting; empty if nothing waits."""
        with self._changed:
            return self._take()

    def wait(self, seconds: float | None) -> bool:
        """Until something waits, or for ``seconds``; whether anything may come yet."""
        with self._changed:
            if not len(self) and not self._stopped:
                self._changed.wait(seconds)
            return not self.ended

    def stop(self) -> None:
        """Take in nothing more; what waits is still to be written."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    @property
    def ended(self) -> bool:
        """Whether nothing waits and nothing will."""
        return self._stopped and not len(self)

    def expire(self) -> list[Item]:
        """Take out what has waited too long, to be refused."""
        oldest = time.monotonic() - OLDEST
        expired: list[Item] = []
        with self._changed:
            for lane in (self._live, self._bulk):
                while lane and lane[0].since < oldest:
                    expired.append(self._pop(lane))
        return expired

    def _take(self) -> list[Item]:
        items: list[Item] = []
        weight = 0
        kept_free = min(BULK_SHARE, len(self._bulk))
        for lane, most in ((self._live, LARGEST_BATCH - kept_free), (self._bulk, kept_free)):
            taken = 0
            while lane and taken < most:
                if items and weight + lane[0].weight > HEAVIEST_BATCH:
                    break
                item = self._pop(lane)
                weight += item.weight
                taken += 1
                items.append(item)
        return items

    def _pop(self, lane: deque[Item]) -> Item:
        item = lane.popleft()
        self._weight -= item.weight
        return item


def _weight(work: Any) -> int:
    """Bytes that an item holds in memory, about."""
    if callable(work):
        return 0
    return sum(len(one.body or b"") for one in work if isinstance(one, c.KeepDelivery))
