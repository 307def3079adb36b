"""Durable readers of the journal: each sees every change once, in order.

A consumer's ``apply`` runs in the writer's transaction, so what it writes and commands is
committed together with its cursor, or not at all. What it does outside the database it asks for
in there, with a command or a notice. A consumer that is slow, or raises, holds up itself alone:
it reads a batch at a time, and a change that it raises on again and again is parked with the
reason while the rest goes on.

Of several processes one reads for each consumer and organisation, under a lease. That nothing is
seen twice rests on the cursor, which is moved only from where the batch began.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, cast

import structlog
from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from hub.flow.host import now_ms
from hub.flow.waiting import woken
from hub.flow.writer import Transaction, Unavailable, Writer
from hub.store import consumers as store
from hub.store import inbox, journal, leases
from hub.store.database import Database
from hub.store.journal import Line

log = structlog.get_logger()

BATCH = 200
"""Changes read and applied at a time."""
LEASE = 20_000
IDLE = 2.0
"""Seconds after which a reader looks even if nobody woke it: another process may have written."""
TRIES = 5
FIRST_WAIT = 0.1
LONGEST_WAIT = 5.0


class Consumer(Struct, frozen=True, kw_only=True):
    """A reader of every organisation's journal.

    ``apply(transaction, organisation_id, lines)`` may be called again with the same lines after
    it raised, or its transaction was not committed: it must do nothing but read and write there.
    """

    name: str
    """It keeps its place under this name."""
    apply: Callable[[Transaction, int, Sequence[Line]], None]
    begins: Literal["start", "end"]
    """Where a consumer that is new begins: at the first change there ever was, or with the next."""


class ApplyFailed(Exception):
    """A consumer raised; as text, why."""


class _Found(Struct, frozen=True):
    """What a look at the journal gives."""

    since: int
    head: int
    lease: leases.Lease | None
    lines: list[Line]


class Consumers:
    """Runs the consumers of this process."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        consumers: Sequence[Consumer],
        *,
        lease: int = LEASE,
        batch: int = BATCH,
    ) -> None:
        self._database = database
        self._writer = writer
        self._consumers = {consumer.name: consumer for consumer in consumers}
        self._lease = lease
        self._batch = batch
        self._readers: dict[tuple[str, int], _Reader] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.parked: Counter[str] = Counter()
        """Changes this process has put aside, by consumer, for the metrics."""

    @property
    def lags(self) -> Mapping[tuple[str, int], int]:
        """Positions each consumer is behind, by its name and the organisation."""
        return {key: reader.lag for key, reader in self._readers.items()}

    async def start(self, organisation_ids: Iterable[int]) -> None:
        """Begin. New consumers get their cursors before anything else is committed."""
        token = secrets.token_hex(16)
        for organisation_id in organisation_ids:
            for consumer in self._consumers.values():
                reader = _Reader(self, consumer, organisation_id, token)
                self._readers[consumer.name, organisation_id] = reader
        await self._writer.execute(self._begin)
        self._tasks = [asyncio.create_task(reader.run()) for reader in self._readers.values()]

    def _begin(self, connection: Connection) -> None:
        for (name, organisation_id), reader in self._readers.items():
            at_end = reader.consumer.begins == "end"
            store.begin(connection, name, organisation_id, at_end=at_end)

    async def stop(self) -> None:
        """Read no more; a batch under way is committed whole, or not at all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(Unavailable):
            await self._writer.execute(self._let_go)

    def _let_go(self, connection: Connection) -> None:
        for reader in self._readers.values():
            leases.let_go(connection, reader.lease_name, reader.token)

    def committed(self, positions: Mapping[int, int]) -> None:
        """The journals of these organisations reach so far now. Call on the main loop."""
        for (_, organisation_id), reader in self._readers.items():
            if organisation_id in positions:
                reader.wake.set()

    async def look(self, reader: _Reader, limit: int) -> _Found:
        """Where a consumer stands, and what comes next."""
        name, organisation_id = reader.consumer.name, reader.organisation_id

        def read(connection: Connection) -> _Found:
            since = cast("int", store.cursor(connection, name, organisation_id))
            return _Found(
                since=since,
                head=inbox.position_of(connection, organisation_id),
                lease=leases.get(connection, reader.lease_name),
                lines=journal.changes_since(connection, organisation_id, since, limit),
            )

        return await self._database.read(read)

    @property
    def batch(self) -> int:
        """How many changes are read at a time."""
        return self._batch

    async def apply(self, reader: _Reader, found: _Found) -> bool:
        """Apply changes and move the cursor past them, in one transaction; ``False`` when another
        process is at it. Raises ``ApplyFailed``, ``Unavailable``."""
        now = now_ms()

        def work(transaction: Transaction) -> bool:
            if not self._claim(transaction.connection, reader, found, now):
                return False
            _apply(reader.consumer, transaction, reader.organisation_id, found.lines)
            return True

        return await self._writer.transact(work)

    async def park(self, reader: _Reader, found: _Found, reason: str) -> None:
        """Put the one change of ``found`` aside, and go past it."""
        now = now_ms()
        (line,) = found.lines
        change = store.Parked(
            consumer=reader.consumer.name,
            organisation_id=reader.organisation_id,
            position=line.position,
            reason=reason,
            at=now,
        )

        def work(connection: Connection) -> bool:
            if not self._claim(connection, reader, found, now):
                return False
            store.park(connection, change)
            return True

        if await self._writer.execute(work):
            self.parked[change.consumer] += 1
            log.error("consumer.parked", **_named(reader), position=line.position, reason=reason)

    def _claim(self, connection: Connection, reader: _Reader, found: _Found, now: int) -> bool:
        """The lease, and the cursor moved past what was found, if nobody else was faster."""
        until = now + self._lease
        if not leases.take(connection, reader.lease_name, reader.token, now=now, until=until):
            return False
        upto = found.lines[-1].position
        name, organisation_id = reader.consumer.name, reader.organisation_id
        return store.move(connection, name, organisation_id, since=found.since, upto=upto)

    def knows(self, name: str) -> bool:
        """Whether a consumer of this name runs here."""
        return name in self._consumers

    async def try_again(self, name: str, organisation_id: int, position: int) -> bool:
        """Apply a parked change now, out of its turn; ``False`` when it is not parked. It stays
        parked when ``ApplyFailed`` is raised."""
        consumer = self._consumers[name]

        def work(transaction: Transaction) -> bool:
            connection = transaction.connection
            if not store.unpark(connection, name, organisation_id, position):
                return False
            line = store.line_at(connection, organisation_id, position)
            if line is not None:
                _apply(consumer, transaction, organisation_id, [line])
            return True

        return await self._writer.transact(work)


class _Reader:
    """One consumer in one organisation."""

    def __init__(
        self, consumers: Consumers, consumer: Consumer, organisation_id: int, token: str
    ) -> None:
        self.consumer = consumer
        self.organisation_id = organisation_id
        self.token = token
        self.lease_name = f"consumer:{consumer.name}:{organisation_id}"
        self.wake = asyncio.Event()
        self.lag = 0
        self._consumers = consumers
        self._one_by_one_to = 0
        """A batch that failed is taken up to here change by change, to find the one."""
        self._failures = 0

    async def run(self) -> None:
        """Read for ever."""
        while True:
            self.wake.clear()
            try:
                wait, wakes = await self._step()
            except Unavailable:
                wait, wakes = IDLE, False
            except Exception:
                log.exception("consumer.failed", **_named(self))
                wait, wakes = IDLE, False
            if not wakes:
                await asyncio.sleep(wait)
            elif wait:
                await woken(self.wake, wait)

    async def _step(self) -> tuple[float, bool]:
        """Apply what is next; seconds to wait then, and whether a commit ends the wait."""
        found = await self._consumers.look(self, self._consumers.batch)
        self.lag = found.head - found.since
        if not found.lines:
            return IDLE, True
        now = now_ms()
        if found.lease is not None and found.lease.bars(self.token, now):
            return min(IDLE, (found.lease.until - now) / 1000), False
        if found.since < self._one_by_one_to:
            found = _Found(found.since, found.head, found.lease, found.lines[:1])
        try:
            applied = await self._consumers.apply(self, found)
        except ApplyFailed as error:
            return await self._failed(found, error), False
        self._failures = 0
        if applied:
            self.lag = found.head - found.lines[-1].position
            return 0, True
        return FIRST_WAIT, False

    async def _failed(self, found: _Found, error: ApplyFailed) -> float:
        """Seconds to wait before it is tried again."""
        if len(found.lines) > 1:
            self._one_by_one_to = found.lines[-1].position
            return 0
        self._failures += 1
        if self._failures < TRIES:
            log.warning(
                "consumer.raised", **_named(self), position=found.since + 1, reason=str(error)
            )
            longest = min(LONGEST_WAIT, FIRST_WAIT * 2**self._failures)
            return longest * random.uniform(0.5, 1)  # noqa: S311 — no secret
        await self._consumers.park(self, found, str(error))
        self._failures = 0
        return 0


def _apply(
    consumer: Consumer, transaction: Transaction, organisation_id: int, lines: Sequence[Line]
) -> None:
    """``apply``, with what is its own fault told from trouble of the database."""
    try:
        consumer.apply(transaction, organisation_id, lines)
    except Exception as error:
        if isinstance(error, DBAPIError) and not isinstance(error, IntegrityError):
            raise
        raise ApplyFailed(f"{type(error).__name__}: {error}"[:500]) from error


def _named(reader: _Reader) -> dict[str, str | int]:
    return {"consumer": reader.consumer.name, "organisation": reader.organisation_id}
