"""A batch into the database, whatever it takes.

Each batch is one transaction. Where somebody else was faster it is carried out again; where the
connection was lost before the commit, on another one; where one item is wrong the batch is halved
until that item alone fails; where nothing can be written, everybody is told so.

A connection that is lost during the commit leaves in doubt whether it happened. On PostgreSQL each
batch therefore writes a mark of its own into a row of this writer. Whoever reads that row under a
lock afterwards knows: the lock waits for a commit that is still under way, and the mark is there or
it is not.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
import structlog
from msgspec import Struct
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from hub.flow.record import Changes, Outcome, Record, Recorded
from hub.flow.writer.faults import Fault, classify
from hub.flow.writer.lanes import Item, Unavailable
from hub.rules.commands import Command
from hub.store import tables as t
from hub.store.database import prove_writable
from hub.store.ids import NODES
from hub.store.statements import bound

log = structlog.get_logger()

TRIES = 8
RECONNECTS = 5
SETTLE_TRIES = 12
"""How often a commit in doubt is asked about, about 15 seconds in all."""


class News(Struct):
    """What a commit has changed: how far journals reach, and which tables of states."""

    positions: dict[int, int] = {}
    tables: set[str] = set()

    def add(self, other: News | Recorded) -> None:
        """And what another has changed after it."""
        self.positions.update(other.positions)
        self.tables.update(other.tables)


Settled = tuple[list[Any], News]
"""An answer for each item (an exception for one that failed), and the news."""

_MARK = sa.update(t.meta).where(*bound(name=t.meta.c.key)).values(value=sa.bindparam("mark"))
_FIND_MARK = sa.select(t.meta.c.value).where(*bound(name=t.meta.c.key)).with_for_update()
_NEW_MARK = sa.insert(t.meta)


class Transaction:
    """What a caller's function may use of the batch's transaction."""

    def __init__(self, connection: Connection, record: Record) -> None:
        self.connection = connection
        self.news = News()
        self._record = record

    def record(self, commands: Sequence[Command]) -> list[Outcome]:
        """Carry out commands, in the same transaction as everything else of the function."""
        recorded = self._record.apply(self.connection, commands)
        self.news.add(recorded)
        return recorded.outcomes

    def tell(self, changes: Changes) -> None:
        """Journal and audit of rows that the function has written itself. Last of all: it locks
        the organisation."""
        self.news.add(self._record.tell(self.connection, changes))


class _InDoubt(Exception):
    """The connection was lost during the commit."""

    def __init__(self, mark: str, settled: Settled) -> None:
        super().__init__("the connection was lost during a commit")
        self.mark = mark
        self.settled = settled


class Committer:
    """Commits batches on one engine. ``pause`` waits some seconds, in the way of the thread or
    task that calls it."""

    def __init__(self, engine: Engine, record: Record, pause: Callable[[float], None]) -> None:
        self.trouble: str | None = None
        """Why the last batch could not be committed; ``None`` when it could."""
        self._engine = engine
        self._record = record
        self._pause = pause
        self._marks = engine.dialect.name == "postgresql"

    def settle(self, items: list[Item]) -> Settled:
        """Commit ``items``; whatever goes wrong is in the answers."""
        tries = reconnects = 0
        while True:
            try:
                settled = self._attempt(items)
            except _InDoubt as doubt:
                if (answer := self._resolve(doubt, items)) is not None:
                    return answer
            except Exception as error:  # noqa: BLE001 — every kind is dealt with
                fault = classify(error)
                if fault is Fault.AGAIN and tries < TRIES:
                    tries += 1
                    continue
                if fault is Fault.LOST and reconnects < RECONNECTS:
                    reconnects += 1
                    self._pause(0.05 * 2**reconnects)
                    continue
                if fault in (Fault.LOST, Fault.AWAY):
                    self._in_trouble(error)
                    return _unavailable(items, "the database cannot be written to")
                return self._halve(items, error)
            else:
                self.trouble = None
                return settled

    def _halve(self, items: list[Item], error: Exception) -> Settled:
        """The fault of one item is its own."""
        if len(items) == 1:
            return [error], News()
        half = len(items) // 2
        answers, news = self.settle(items[:half])
        more, later = self.settle(items[half:])
        news.add(later)
        return answers + more, news

    def _attempt(self, items: list[Item]) -> Settled:
        """One transaction with all of ``items``."""
        with self._engine.connect() as connection, connection.begin() as transaction:
            mark = secrets.token_hex(8)
            if self._marks:
                self._leave(connection, mark)
            elif self.trouble is not None:
                prove_writable(connection)  # work that changes no row would succeed all the same
            settled = self._carry_out(connection, items)
            try:
                transaction.commit()
            except (DBAPIError, OSError) as error:
                if self._marks and classify(error) is Fault.LOST:
                    raise _InDoubt(mark, settled) from error
                raise
        return settled

    def _carry_out(self, connection: Connection, items: list[Item]) -> Settled:
        """Functions one by one, and the commands between two of them together."""
        answers: list[Any] = [None] * len(items)
        news = News()
        place = 0
        while place < len(items):
            work = items[place].work
            if callable(work):
                transaction = Transaction(connection, self._record)
                answers[place] = work(transaction)
                news.add(transaction.news)
                place += 1
                continue
            together: list[Sequence[Command]] = []
            while place + len(together) < len(items):
                work = items[place + len(together)].work
                if callable(work):
                    break
                together.append(work)
            recorded = self._record.apply(connection, [one for each in together for one in each])
            news.add(recorded)
            outcomes = iter(recorded.outcomes)
            for commands in together:
                answers[place] = [next(outcomes) for _ in commands]
                place += 1
        return answers, news

    # ------------------------------------------------------------------ in doubt

    @property
    def _name(self) -> str:
        """Of this process's row; known once it has taken its number."""
        return f"writer {self._record.node % NODES}"

    def _leave(self, connection: Connection, mark: str) -> None:
        if not connection.execute(_MARK, {"name": self._name, "mark": mark}).rowcount:
            connection.execute(_NEW_MARK, {"key": self._name, "value": mark})

    def _resolve(self, doubt: _InDoubt, items: list[Item]) -> Settled | None:
        """The answers if the commit happened, or if nobody can tell; ``None`` if it did not."""
        for attempt in range(SETTLE_TRIES):
            try:
                with self._engine.connect() as connection:
                    found = connection.execute(_FIND_MARK, {"name": self._name}).scalar()
            except (DBAPIError, OSError) as error:
                self._in_trouble(error)
                self._pause(min(0.1 * 2**attempt, 2.0))
                continue
            self.trouble = None
            happened = found == doubt.mark
            log.warning("write.settled", committed=happened, items=len(items))
            return doubt.settled if happened else None
        return _unavailable(items, "it is not known whether it was stored; send the same again")

    def _in_trouble(self, error: Exception) -> None:
        self.trouble = f"{type(error).__name__}: {getattr(error, 'orig', None) or error}"
        log.error("write.failed", reason=self.trouble)


def _unavailable(items: list[Item], why: str) -> Settled:
    return [Unavailable(why) for _ in items], News()
