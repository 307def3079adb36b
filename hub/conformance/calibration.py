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
    return max(1.0, min(_once() for _ in range(5)) / COMMON)


def _once() -> float:
    begun = time.thread_time()
    for number in range(300):
        read = json.loads(json.dumps({**_SAMPLE, "id": f"m-{number}"}))
        "".join(sorted(read["text"])).encode().hex()
    return time.thread_time() - begun
