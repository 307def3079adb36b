"""The writer: one per process. It gathers what waits and commits it together.

Each caller is answered only after its commit. On SQLite the writer is a thread with the one
connection that writes; on PostgreSQL a task of the main loop. A failure of the whole batch
(database away, disk full) fails the batch; a row that another process was faster with makes the
batch be carried out again; a fault of one item is found by halving, and only that item fails.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog
from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from hub.flow.record import Outcome, Record
from hub.rules.commands import Command
from hub.rules.states import Refusal
from hub.store.database import Database, prove_writable

T = TypeVar("T")
log = structlog.get_logger()

LARGEST_BATCH = 256
LONGEST_QUEUE = 20_000
_TRIES = 8

# SQLSTATE classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
_AGAIN = ("23505", "40001", "40P01")  # unique violation, serialization failure, deadlock
_AWAY = ("08", "53", "57", "58")  # connection, resources, operator intervention, system


class Unavailable(Exception):
    """Nothing can be committed now; what was asked has not been done."""


class Transaction:
    """What a caller's function may use of the batch's transaction."""

    def __init__(self, connection: Connection, record: Record) -> None:
        self.connection = connection
        self.positions: dict[int, int] = {}
        self._record = record

    def record(self, commands: Sequence[Command]) -> list[Outcome]:
        """Carry out commands, in the same transaction as everything else of the function."""
        recorded = self._record.apply(self.connection, commands)
        self.positions |= recorded.positions
        return recorded.outcomes


class _Item(Struct):
    """What one caller wants committed: commands, or a function of the transaction."""

    work: Sequence[Command] | Callable[[Transaction], Any]
    future: asyncio.Future[Any]


class Writer:
    """Commits for everybody. ``committed`` is called on the main loop with how far each
    organisation's journal reaches, before the callers are answered."""

    def __init__(
        self, database: Database, record: Record, committed: Callable[[dict[int, int]], None]
    ) -> None:
        self._database = database
        self._record = record
        self._committed = committed
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._wake = asyncio.Event()
        self._waiting = 0
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None
        self.trouble: str | None = None
        """Why the last batch could not be committed; ``None`` when it could."""

    @property
    def waiting(self) -> int:
        """How many wait to be committed."""
        return self._waiting

    async def start(self) -> None:
        """Begin to write. Call on the loop that the callers are on."""
        self._loop = asyncio.get_running_loop()
        if self._database.dialect == "sqlite":
            self._thread = threading.Thread(target=self._run_thread, name="writer", daemon=True)
            self._thread.start()
        else:
            self._task = asyncio.create_task(self._run_task())

    async def stop(self) -> None:
        """Commit what waits, then end; what comes later is refused."""
        self._stopped = True
        self._queue.put(None)
        self._wake.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        if self._task is not None:
            await self._task

    async def record(self, *commands: Command) -> list[Outcome]:
        """Carry out commands together; an outcome for each. Raises ``Unavailable``."""
        return await self._submit(commands)

    async def carry_out(self, command: Command) -> int | None:
        """Carry out one command. Raises ``Refusal`` or ``Unavailable``."""
        (outcome,) = await self._submit((command,))
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    async def execute(self, function: Callable[[Connection], T]) -> T:
        """Run ``function`` in the batch's transaction: for rows that are no conversation. It may
        be run more than once, so it must do nothing but read and write on the connection."""
        return await self.transact(lambda transaction: function(transaction.connection))

    async def transact(self, function: Callable[[Transaction], T]) -> T:
        """The same for a function that carries out commands as well as it writes rows."""
        return await self._submit(function)

    async def _submit(self, work: Any) -> Any:
        if self._stopped:
            raise Unavailable("the hub is shutting down")
        if self._waiting >= LONGEST_QUEUE:
            raise Unavailable("too much is waiting to be written")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting += 1
        self._queue.put(_Item(work, future))
        self._wake.set()
        return await future

    # ------------------------------------------------------------------ gathering

    def _gather(self, first: _Item) -> tuple[list[_Item], bool]:
        """What waits, up to a batch; and whether to go on after it."""
        items = [first]
        try:
            while len(items) < LARGEST_BATCH:
                item = self._queue.get_nowait()
                if item is None:
                    return items, False
                items.append(item)
        except queue.Empty:
            pass
        return items, True

    def _run_thread(self) -> None:
        engine = self._database.sync_engine()
        go_on = True
        while go_on:
            first = self._queue.get()
            if first is None:
                break
            items, go_on = self._gather(first)
            answers, positions = self._settle(_on_engine(engine, self._attempt), items)
            self._loop.call_soon_threadsafe(self._answer, items, answers, positions)
        engine.dispose()

    async def _run_task(self) -> None:
        engine = self._database.async_engine(pool_size=1, max_overflow=0)
        go_on = True
        while go_on:
            try:
                first = self._queue.get_nowait()
            except queue.Empty:
                self._wake.clear()
                if self._queue.empty():
                    await self._wake.wait()
                continue
            if first is None:
                break
            items, go_on = self._gather(first)
            answers, positions = await self._settle_on(engine, items)
            self._answer(items, answers, positions)
        await engine.dispose()

    async def _settle_on(self, engine: Any, items: list[_Item]) -> _Settled:
        """The batch on PostgreSQL: the same synchronous code, driven by the asynchronous
        connection."""
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(self._settle_sync, items)
        except Exception as error:  # noqa: BLE001 — not even a connection
            self._trouble(error)
            return [Unavailable("the database cannot be reached") for _ in items], {}

    def _settle_sync(self, connection: Connection, items: list[_Item]) -> _Settled:
        return self._settle(lambda some: self._attempt(connection, some), items)

    def _answer(self, items: list[_Item], answers: list[Any], positions: dict[int, int]) -> None:
        self._waiting -= len(items)
        if positions:
            self._committed(positions)
        for item, answer in zip(items, answers, strict=True):
            if item.future.done():
                continue
            if isinstance(answer, Exception):
                item.future.set_exception(answer)
            else:
                item.future.set_result(answer)

    # ------------------------------------------------------------------ committing

    def _attempt(self, connection: Connection, items: list[_Item]) -> _Settled:
        """One transaction with all of ``items``."""
        answers: list[Any] = [None] * len(items)
        positions: dict[int, int] = {}
        with connection.begin():
            if self.trouble is not None:
                prove_writable(connection)  # work that changes no row would succeed all the same
            place = 0
            while place < len(items):
                work = items[place].work
                if callable(work):
                    transaction = Transaction(connection, self._record)
                    answers[place] = work(transaction)
                    positions |= transaction.positions
                    place += 1
                    continue
                end = place
                commands: list[Command] = []
                while end < len(items) and not callable(work := items[end].work):
                    commands.extend(work)
                    end += 1
                recorded = self._record.apply(connection, commands)
                positions |= recorded.positions
                outcomes = iter(recorded.outcomes)
                for index in range(place, end):
                    answers[index] = [next(outcomes) for _ in items[index].work]  # type: ignore[union-attr]
                place = end
        return answers, positions

    def _settle(self, attempt: Callable[[list[_Item]], _Settled], items: list[_Item]) -> _Settled:
        """Commit ``items``, whatever it takes; an exception stands for an item that failed."""
        error: Exception
        for _ in range(_TRIES):
            try:
                settled = attempt(items)
            except Exception as caught:  # noqa: BLE001 — every kind is dealt with below
                error = caught
                if not _again(caught):
                    break
            else:
                self.trouble = None
                return settled
        else:
            return [Unavailable("the database is too busy") for _ in items], {}
        if _away(error):
            self._trouble(error)
            return [Unavailable("the database cannot be written to") for _ in items], {}
        if len(items) == 1:
            return [error], {}
        half = len(items) // 2
        answers, positions = self._settle(attempt, items[:half])
        more, later = self._settle(attempt, items[half:])
        return answers + more, positions | later

    def _trouble(self, error: Exception) -> None:
        self.trouble = f"{type(error).__name__}: {getattr(error, 'orig', None) or error}"
        log.error("write.failed", reason=self.trouble)


_Settled = tuple[list[Any], dict[int, int]]


def _on_engine(
    engine: sa.Engine, attempt: Callable[[Connection, list[_Item]], _Settled]
) -> Callable[[list[_Item]], _Settled]:
    def run(items: list[_Item]) -> _Settled:
        with engine.connect() as connection:
            return attempt(connection, items)

    return run


def _state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _again(error: Exception) -> bool:
    """Whether somebody else was faster: the same work will find what they did."""
    if isinstance(error, IntegrityError):
        return True
    return isinstance(error, DBAPIError) and _state(error) in _AGAIN


def _away(error: Exception) -> bool:
    """Whether the whole database is in trouble, rather than one item wrong."""
    if isinstance(error, OSError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated or _state(error).startswith(_AWAY):
        return True
    return isinstance(error, OperationalError) and not _state(error)  # SQLite: full, locked, …
