"""How slow this machine is, so that a budget means the same work everywhere."""

from __future__ import annotations

import functools
import json
import time

COMMON = 0.0025
"""Seconds of processor time that the loop takes on a common machine of 2025."""

_SAMPLE = {"type": "message", "text": "Is Thursday at nine still fine?", "media": [1, 2, 3]}


@functools.cache
def slowness() -> float:
    """1 on a common machine, 2 on one that takes twice as long; never below 1."""
    return max(1.0, min(once() for _ in range(5)) / COMMON)


def once() -> float:
    """Processor time of the loop, in seconds."""
    begun = time.thread_time()
    for number in range(300):
        read = json.loads(json.dumps({**_SAMPLE, "id": f"m-{number}"}))
        "".join(sorted(read["text"])).encode().hex()
    return time.thread_time() - begun


def spend(seconds: float) -> None:
    """Compute for so long, on a common machine; for tests of what is slow."""
    until = time.thread_time() + seconds * slowness()
    while time.thread_time() < until:
        once()
