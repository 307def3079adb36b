"""Tries that are limited, counted in the database: for all processes together.

Each counts from its beginning, so many at once are no way round a limit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import Connection

from hub.flow.host import now_ms
from hub.flow.writer import Writer
from hub.rules.sign_in import Limit
from hub.store import sign_in as store
from hub.store.database import Database


class TooManyAttempts(Exception):
    """It may be tried again after ``seconds``."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"again in {seconds} s")
        self.seconds = seconds


def key_of(kind: str, what: str) -> str:
    """By what tries are counted. An email that somebody has mistyped is not kept."""
    return hashlib.sha256(f"{kind}:{what}".encode()).hexdigest()


def key_of_address(kind: str, remote: str) -> str:
    """By what tries from a network address are counted: whoever has one IPv6 address has all of its
    network (a /64), so these count as one."""
    try:
        address = ip_address(remote)
    except ValueError:
        return key_of(kind, remote)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return key_of(kind, str(address.ipv4_mapped))
        return key_of(kind, str(ip_network((int(address), 64), strict=False)))
    return key_of(kind, remote)


class Attempts:
    """Counts them. Whoever goes on beyond a limit costs a read each time, and no write."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def begin(self, limits: Mapping[str, Limit]) -> None:
        """Count a try for each key. Raises ``TooManyAttempts``."""
        now = now_ms()
        wait = _seconds(await self._database.read(lambda one: store.used_up(one, limits, now)))
        wait = wait or await self._writer.execute(lambda one: count(one, limits))
        if wait:
            raise TooManyAttempts(wait)

    async def right(self, *, forget: tuple[str, ...] = (), take_back: tuple[str, ...] = ()) -> None:
        """It was right after all: those of some keys are forgotten, of others this one."""

        def work(connection: Connection) -> None:
            for key in sorted(take_back):
                store.take_back_try(connection, key)
            for key in sorted(forget):
                store.forget_tries(connection, key)

        await self._writer.execute(work)


def count(connection: Connection, limits: Mapping[str, Limit]) -> int:
    """Count a try for each key; seconds until there may be another, 0 where this one may be."""
    now = now_ms()
    store.forget_old_tries(connection, now)
    # In one order: two processes that count the same keys wait for each other and for nothing else.
    waits = [store.count_try(connection, key, limits[key], now) for key in sorted(limits)]
    return _seconds(max(waits, default=0))


def _seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1000)
