"""The writer: one per process. It gathers what waits and commits it together.

Each caller is answered only after its commit. On SQLite the writer is a thread with the one
connection that writes; on PostgreSQL a task of the main loop, in which the same synchronous code
is driven by an asynchronous connection.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.util import await_only, greenlet_spawn

from hub.flow.record import Outcome, Record
from hub.flow.writer.commit import Committer, News, Settled, Transaction
from hub.flow.writer.lanes import Item, Lanes, Unavailable
from hub.rules.commands import Command
from hub.rules.states import Refusal
from hub.store.database import Database, shrink_log

T = TypeVar("T")
log = structlog.get_logger()

REST = 1.0
"""Seconds without work after which SQLite's log is written back and cut."""
LOOK_EVERY = 1.0
CROWD = 4
"""Where a batch had so many items more are on their way: the next one is worth waiting for."""
GATHER = 0.001
GATHERS = 12


class Writer:
    """Commits for everybody. ``committed`` is called on the main loop with what is new, before the
    callers are answered."""

    def __init__(
        self, database: Database, record: Record, committed: Callable[[News], None]
    ) -> None:
        self._database = database
        self._record = record
        self._committed = committed
        self._lanes = Lanes()
        self._wake = asyncio.Event()
        self._under_way = 0
        self._committer: Committer | None = None
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None
        self._watch: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many wait to be committed."""
        return len(self._lanes) + self._under_way

    @property
    def trouble(self) -> str | None:
        """Why the last batch could not be committed; ``None`` when it could."""
        return None if self._committer is None else self._committer.trouble

    async def start(self) -> None:
        """Begin to write. Call on the loop that the callers are on."""
        self._loop = asyncio.get_running_loop()
        if self._database.dialect == "sqlite":
            self._thread = threading.Thread(target=self._run_thread, name="writer", daemon=True)
            self._thread.start()
        else:
            self._task = asyncio.create_task(self._run_task())
        self._look()

    async def stop(self) -> None:
        """Commit what waits, then end; what comes later is refused."""
        self._lanes.stop()
        self._wake.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        if self._task is not None:
            await self._task
        if self._watch is not None:
            self._watch.cancel()

    async def record(self, *commands: Command, bulk: bool = False) -> list[Outcome]:
        """Carry out commands together; an outcome for each. ``bulk`` is for work that may wait
        while others are served. Raises ``Unavailable``."""
        return await self._submit(commands, bulk=bulk)

    async def carry_out(self, command: Command) -> int | None:
        """Carry out one command. Raises ``Refusal`` or ``Unavailable``."""
        (outcome,) = await self._submit((command,), bulk=False)
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    async def execute(self, function: Callable[[Connection], T], *, bulk: bool = False) -> T:
        """Run ``function`` in the batch's transaction: for rows that are no conversation. It may
        be run more than once, so it must do nothing but read and write on the connection."""
        return await self.transact(lambda transaction: function(transaction.connection), bulk=bulk)

    async def transact(self, function: Callable[[Transaction], T], *, bulk: bool = False) -> T:
        """The same for a function that carries out commands as well as it writes rows."""
        return await self._submit(function, bulk=bulk)

    async def _submit(self, work: Any, *, bulk: bool) -> Any:
        future: asyncio.Future[Any] = self._loop.create_future()
        self._lanes.put(work, future, bulk=bulk)
        self._wake.set()
        return await future

    # ------------------------------------------------------------------ the two ways to run

    def _run_thread(self) -> None:
        engine = self._database.sync_engine()
        self._committer = Committer(engine, self._record, time.sleep)
        rested, crowd = True, False
        while self._lanes.wait(None if rested else REST):
            if crowd:
                for _ in self._gathering():
                    time.sleep(GATHER)
            items = self._lanes.take()
            if items:
                self._under_way = len(items)
                settled = self._committer.settle(items)
                self._loop.call_soon_threadsafe(self._answer, items, *settled)
            elif not rested:
                shrink_log(engine)
            rested, crowd = not items, len(items) >= CROWD
        engine.dispose()

    async def _run_task(self) -> None:
        engine = self._database.writing_engine()
        committer = Committer(engine.sync_engine, self._record, _pause)
        self._committer = committer
        crowd = False
        while not self._lanes.ended:
            self._wake.clear()
            while len(self._lanes):
                if crowd:
                    for _ in self._gathering():
                        await asyncio.sleep(GATHER)
                if not (items := self._lanes.take()):
                    continue  # it had waited too long, and was refused meanwhile
                self._under_way = len(items)
                settled: Settled = await greenlet_spawn(committer.settle, items)
                self._answer(items, *settled)
                crowd = len(items) >= CROWD
            if not self._lanes.ended:
                await self._wake.wait()
        await engine.dispose()

    def _gathering(self) -> Iterator[None]:
        """As long as more comes in, and not too long: what is written together costs less, and
        whoever was just answered comes back soon."""
        before = -1
        for _ in range(GATHERS):
            if (now := len(self._lanes)) <= before:
                break
            before = now
            yield

    def _answer(self, items: list[Item], answers: list[Any], news: News) -> None:
        self._under_way = 0
        if news.positions:
            self._committed(news)
        for item, answer in zip(items, answers, strict=True):
            if item.future.done():
                continue
            if isinstance(answer, Exception):
                item.future.set_exception(answer)
            else:
                item.future.set_result(answer)

    def _look(self) -> None:
        """Refuse what has waited too long."""
        for item in self._lanes.expire():
            if not item.future.done():
                item.future.set_exception(Unavailable("the database is too slow now"))
        self._watch = self._loop.call_later(LOOK_EVERY, self._look)


def _pause(seconds: float) -> None:
    await_only(asyncio.sleep(seconds))


__all__ = ["News", "Transaction", "Unavailable", "Writer"]
