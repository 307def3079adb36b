"""Things due later, done once each, in the writer's transaction.

A rule sets one with ``hub.store.clock.put`` in the transaction of what it is about; its kind's
handler runs in the transaction that takes it away, so that it is done exactly once whatever
crashes. Between two looks the clock sleeps by monotonic time and never long: a wall clock that
jumps makes things due sooner or later, and neither loses nor doubles one.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
import structlog
from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from hub.flow.host import now_ms
from hub.flow.loop import Loop
from hub.flow.writer import Transaction, Writer
from hub.rules.sending import backoff
from hub.store import clock as store
from hub.store.clock import Due
from hub.store.database import Database

P = TypeVar("P")
log = structlog.get_logger()

BATCH = 50
LOOK = 1.0
"""Seconds between two looks, at most."""
TRIES = 8


class Timer(Struct, Generic[P], frozen=True, kw_only=True):
    """A kind of thing that may be due.

    ``fire(transaction, due, payload)`` may be called again after it raised, or its transaction
    was not committed: it must do nothing but read and write there. It may set the same key again.
    """

    kind: str
    payload: type[P]
    """What the payload is, as msgspec reads it."""
    fire: Callable[[Transaction, Due, P], None]

    def put(
        self, connection: Connection, organisation_id: int, key: str, due_at: int, payload: P
    ) -> None:
        """Set one (``due_at`` in milliseconds), in place of one with the same key."""
        content = msgspec.json.encode(payload).decode()
        store.put(connection, organisation_id, self.kind, key, due_at, content)


class FireFailed(Exception):
    """A handler raised; as text, why."""


class Clock:
    """Does what is due. One per process; several may work on one database."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        timers: Sequence[Timer[Any]],
        *,
        now: Callable[[], int] = now_ms,
    ) -> None:
        self._database = database
        self._writer = writer
        self._timers = {timer.kind: timer for timer in timers}
        self._now = now
        self._chance = random.SystemRandom()
        self._loop = Loop("clock", self._step, idle=LOOK)
        self.fired: Counter[tuple[str, str]] = Counter()
        """By kind and what came of it (done, failed, given_up), for the metrics."""

    def start(self) -> None:
        """Begin; what fell due while nothing ran is done now."""
        self._loop.start()

    async def stop(self) -> None:
        """End; what is under way is committed whole, or not at all."""
        await self._loop.stop()

    def wake(self) -> None:
        """Something may be due sooner than was thought."""
        self._loop.wake()

    async def _step(self) -> float:
        return 0 if await self._look() else await self._pause()

    async def _look(self) -> int:
        """Do what is due; how many were done or put off."""
        now = self._now()
        due = await self._database.read(lambda connection: store.ready(connection, now, BATCH))
        return sum(await asyncio.gather(*(self._fire(one) for one in due)))

    async def _pause(self) -> float:
        """Seconds until something falls due, at most ``LOOK``."""
        try:
            upcoming = await self._database.read(store.next_look)
        except Exception:  # noqa: BLE001 — the database is away: look again later
            return LOOK
        if upcoming is None:
            return LOOK
        # What is due already and was not done waits for something: do not spin.
        return min(LOOK, max((upcoming - self._now()) / 1000, 0.05))

    async def _fire(self, due: Due) -> bool:
        """Do one thing; ``False`` when nothing was to be done."""
        try:
            done = await self._writer.transact(lambda transaction: self._do(transaction, due))
        except FireFailed as error:
            await self._failed(due, str(error))
            return True
        if done:
            self.fired[due.kind, "done"] += 1
        return done

    def _do(self, transaction: Transaction, seen: Due) -> bool:
        due = store.take(transaction.connection, seen)
        if due is None:
            return False
        try:
            timer = self._timers.get(due.kind)
            if timer is None:
                raise LookupError(f"nothing here knows the kind {due.kind!r}")  # noqa: TRY301
            payload = msgspec.json.decode(due.payload, type=timer.payload)
            timer.fire(transaction, due, payload)
        except Exception as error:
            if isinstance(error, DBAPIError) and not isinstance(error, IntegrityError):
                raise
            raise FireFailed(f"{type(error).__name__}: {error}"[:500]) from error
        return True

    async def _failed(self, due: Due, reason: str) -> None:
        last = due.attempts + 1 >= TRIES
        later = None if last else self._now() + backoff(due.attempts + 1, self._chance)
        await self._writer.execute(lambda connection: store.put_off(connection, due, later, reason))
        self.fired[due.kind, "given_up" if last else "failed"] += 1
        say = log.error if last else log.warning
        say("clock.given_up" if last else "clock.raised", kind=due.kind, key=due.key, reason=reason)
