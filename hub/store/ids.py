"""Ids: 64-bit integers, time-ordered, made before the insert; opaque strings outside.

From the left: 41 bits of milliseconds since 2024, 12 bits of node, 10 bits of counter. The node
is a number that each process takes from the database when it starts, so two processes never make
the same id. A process that makes more than 1,024 in a millisecond borrows from the next one.
"""

from __future__ import annotations

import threading
import time

EPOCH_MS = 1_704_067_200_000
NODES = 1 << 12
_COUNTERS = 1 << 10


class Ids:
    """Makes ids; one per process, usable from any thread."""

    def __init__(self, node: int) -> None:
        self.node = node
        self._lock = threading.Lock()
        self._slot = 0  # milliseconds << 10 | counter, of the last id

    def new(self) -> int:
        """A new id, greater than every one this process has made."""
        with self._lock:
            now = (int(time.time() * 1000) - EPOCH_MS) << 10
            self._slot = max(self._slot + 1, now)
            milliseconds, counter = divmod(self._slot, _COUNTERS)
            return (milliseconds << 22) | (self.node % NODES << 10) | counter


def first_at(milliseconds: int) -> int:
    """The first id of a moment, since 1970: what was made from then on has this or a greater."""
    return min(max(0, milliseconds - EPOCH_MS) << 22, (1 << 63) - 1)


def shown(id_: int) -> str:
    """An id as clients see it."""
    return str(id_)


def parse(text: str) -> int | None:
    """An id a client sent, or ``None`` if it is none."""
    if text.isascii() and text.isdigit() and len(text) <= 19:
        value = int(text)
        return value if value < 1 << 63 else None
    return None
