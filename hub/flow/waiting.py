"""Waiting for news, but not for ever."""

from __future__ import annotations

import asyncio
import contextlib


async def woken(event: asyncio.Event, seconds: float | None) -> None:
    """Wait until ``event`` is set, or for so many seconds at most.

    Unlike ``asyncio.wait_for`` before Python 3.12 it never swallows a cancellation that comes
    together with the event.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
