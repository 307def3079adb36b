"""Where phones are kept: one value each in the channel's ``kv``, shared by all processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec

from hub.plugin import Kv
from hub_simulator.phone import Phone, decode, encode

T = TypeVar("T")

MAX_PHONES = 100
"""The phone that was used first is forgotten first."""
INDEX = "phones"
LOOK_AGAIN = 1.5
"""Seconds after which a waiting reader looks whether another process has changed the phone."""


class PhoneStore:
    """Reads, changes and watches phones. Belongs to one event loop."""

    def __init__(self, kv: Kv) -> None:
        self._kv = kv
        self._changing = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._closed = False

    async def get(self, number: str) -> tuple[Phone, int]:
        """A phone and its version; a number never seen has an empty one of version 0."""
        entry = await self._kv.get(_key(number))
        if entry is None:
            return Phone(number=number), 0
        try:
            return decode(entry.value), entry.version
        except (msgspec.ValidationError, msgspec.DecodeError):
            # Written by another version of the simulator: a toy's memory is not worth a failure.
            return Phone(number=number), entry.version

    async def numbers(self) -> tuple[str, ...]:
        """Every phone that is kept, the newest last."""
        entry = await self._kv.get(INDEX)
        return () if entry is None else msgspec.json.decode(entry.value, type=tuple[str, ...])

    async def change(self, number: str, change: Callable[[Phone], tuple[Phone, T]]) -> T:
        """Apply ``change`` to the newest state and keep what it makes.

        ``change`` is called again when another process was faster, so it must be pure. Raises
        what it raises, and ``Temporary`` when the phone is full; then nothing is kept.
        """
        async with self._changing:
            while True:
                phone, version = await self.get(number)
                changed, result = change(phone)
                if changed is phone:
                    return result
                value = encode(changed)
                if version == 0:
                    await self._remember(number)
                if await self._kv.put(_key(number), value, version=version):
                    break
        async with self._changed:
            self._changed.notify_all()
        return result

    async def wait(self, number: str, version: int, seconds: float) -> tuple[Phone, int]:
        """The phone as soon as its version is another one, or as it is when time is up."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        async with self._changed:
            phone, current = await self.get(number)
            while current == version and not self._closed and loop.time() < until:
                slice_ends = min(until, loop.time() + LOOK_AGAIN)
                try:
                    async with asyncio.timeout_at(slice_ends):
                        await self._changed.wait()
                except TimeoutError:
                    pass
                phone, current = await self.get(number)
        return phone, current

    async def close(self) -> None:
        """Let every waiting reader go."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def _remember(self, number: str) -> None:
        while True:
            entry = await self._kv.get(INDEX)
            known = () if entry is None else msgspec.json.decode(entry.value, type=tuple[str, ...])
            if number in known:
                return
            kept = (*known, number)[-MAX_PHONES:]
            value = msgspec.json.encode(kept).decode()
            if await self._kv.put(INDEX, value, version=entry.version if entry else 0):
                break
        for forgotten in set(known) - set(kept):
            await self._kv.delete(_key(forgotten))


def _key(number: str) -> str:
    return f"phone:{number}"
