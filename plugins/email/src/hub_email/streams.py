"""What reading mail by a line protocol shares, whichever protocol it is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from typing import Literal

from hub.plugin import Delivery, Temporary

Share = Literal["whole", "beginning", "nothing"]
TRIES_FOR_ALL = 3
TRIES = 6
ENOUGH = 20.0
"""Seconds after which a poll, which has 60, brings what it has."""


class RefusedError(Exception):
    """The server said no."""

    def __init__(self, answer: bytes) -> None:
        text = " ".join(answer.decode("utf-8", "replace").split())
        super().__init__(re.sub(r"[\x00-\x1f\x7f]+", " ", text)[:200])
        self.answer = answer


async def line(reader: asyncio.StreamReader, most: int) -> bytes:
    """A line with its end, however long, up to ``most`` bytes. Raises ``ConnectionError``,
    ``Temporary``."""
    told = bytearray()
    while True:
        try:
            return bytes(told + await reader.readuntil(b"\n"))
        except asyncio.LimitOverrunError as error:
            told += await reader.readexactly(error.consumed)
            if len(told) > most:
                raise Temporary("the mail server sends more than it was asked for") from error
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("the connection was lost") from error


class Patience:
    """One mail that cannot be had must not keep all others from coming: after some tries its
    beginning is enough, and at last its place."""

    def __init__(self) -> None:
        self._tries: dict[str, int] = {}

    def share(self, mail: str) -> Share:
        """How much of it to ask for now; asking is a try."""
        tries = self._tries.get(mail, 0) + 1
        self._tries[mail] = tries
        if tries > TRIES:
            return "nothing"
        return "whole" if tries <= TRIES_FOR_ALL else "beginning"

    def had(self, mail: str) -> None:
        """It came."""
        self._tries.pop(mail, None)


class Basket:
    """What one poll brings: it ends early when enough time has passed, or when the connection
    breaks after something was brought, so that a slow or bad line gets on all the same."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.broken = False
        self._until = asyncio.get_running_loop().time() + ENOUGH

    @property
    def full(self) -> bool:
        """Whether to end with what there is."""
        return self.broken or asyncio.get_running_loop().time() > self._until

    async def put(self, coming: Awaitable[Delivery | None]) -> bool:
        """Wait for a mail, which may have gone; ``False``: it did not come, and nothing more
        does. Raises what went wrong with the first."""
        try:
            one = await coming
        except (Temporary, OSError, EOFError, ValueError, RefusedError):
            if not self.deliveries:
                raise
            self.broken = True
            return False
        if one is not None:
            self.deliveries.append(one)
        return True
