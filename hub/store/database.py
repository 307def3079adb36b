"""The database: SQLite in a file, or PostgreSQL by URL, behind one small interface.

Writing is one connection's work (``hub.flow.writer``); reading is a pool's. On SQLite the writer
lives in a thread of its own, with a write-ahead log and every commit flushed to disk, and a few
threads read: one hop for all of a request's queries, where an asynchronous driver makes several
for each. On PostgreSQL both speak asyncpg. What reads and writes is the same synchronous code.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from hub.store import tables as t

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")

_BUSY = "PRAGMA busy_timeout=10000"
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    _BUSY,
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA wal_autocheckpoint=8000",  # 32 MB: what is written often is written back once
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
)
READERS = 4
LONGEST_READ = 30.0
"""Seconds after which a read is ended: a snapshot that stays open keeps what is overwritten."""
CONNECT_LIMIT = 5
STEPS = 100_000
"""Steps of SQLite's machine, about a millisecond, between two looks at the clock."""


class Database:
    """Where everything is kept. ``url``: ``sqlite:///path`` or ``postgresql://…``."""

    def __init__(self, url: str, *, longest_read: float = LONGEST_READ) -> None:
        self.url = sa.make_url(url)
        self.longest_read = longest_read
        self.dialect = self.url.get_backend_name()
        if self.dialect not in {"sqlite", "postgresql"}:
            raise ValueError(f"database {self.dialect!r}: expected sqlite or postgresql")
        self._readers: _SqliteReaders | _PostgresReaders | None = None

    @property
    def path(self) -> Path | None:
        """The file, on SQLite."""
        return Path(self.url.database or "") if self.dialect == "sqlite" else None

    def sync_engine(self) -> sa.Engine:
        """For SQLite's writer thread and for migrations there; one connection."""
        engine = sa.create_engine(self.url.set(drivername="sqlite"), poolclass=sa.pool.StaticPool)
        _prepare_sqlite(engine, begin="BEGIN IMMEDIATE")
        return engine

    def async_engine(self, **options: Any) -> AsyncEngine:
        """A new engine for PostgreSQL with the caller's pool."""
        # SQLAlchemy's ORM comes with it, which nobody needs on SQLite.
        from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415

        url = self.url.set(drivername="postgresql+asyncpg")
        return create_async_engine(url, connect_args={"timeout": CONNECT_LIMIT}, **options)

    def writing_engine(self) -> AsyncEngine:
        """For PostgreSQL's writer; one connection, whose statements go by the keys of rows. A plan
        that was made while a table was small would walk through it until it is analysed next."""
        engine = self.async_engine(pool_size=1, max_overflow=0)

        def connected(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            cursor.execute("SET enable_seqscan = off")
            cursor.execute("SET jit = off")  # what has no index looks dear now, and is not
            cursor.close()
            connection.commit()

        event.listen(engine.sync_engine, "connect", connected)
        return engine

    async def read(self, function: Callable[[Connection], T]) -> T:
        """Run ``function`` in a short read transaction: all that it reads is true at one moment.
        It may run in another thread, so it must do nothing but read. Raises ``ReadTooLong``."""
        if self._readers is None:
            kind = _SqliteReaders if self.dialect == "sqlite" else _PostgresReaders
            self._readers = kind(self)
        return await self._readers.run(function)

    async def close(self) -> None:
        """Let go of the readers."""
        if self._readers is not None:
            await self._readers.close()
            self._readers = None


class ReadTooLong(Exception):
    """A read held its snapshot for longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"reading took longer than {seconds:g} seconds; ask for less")


class _SqliteReaders:
    """Threads with a connection each."""

    def __init__(self, database: Database) -> None:
        options: dict[str, Any] = {"pool_size": READERS, "max_overflow": 0}
        self._engine = sa.create_engine(database.url.set(drivername="sqlite"), **options)
        _prepare_sqlite(self._engine, begin="BEGIN")
        self._longest = database.longest_read
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="reader")

    async def run(self, function: Callable[[Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._run, function)

    def _run(self, function: Callable[[Connection], T]) -> T:
        ends = time.monotonic() + self._longest
        with self._engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            raw.set_progress_handler(lambda: time.monotonic() > ends, STEPS)
            try:
                return function(connection)
            except OperationalError as error:
                if time.monotonic() > ends:
                    raise ReadTooLong(self._longest) from error
                raise

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()


class _PostgresReaders:
    """A pool of asynchronous connections."""

    def __init__(self, database: Database) -> None:
        self._engine = database.async_engine(
            pool_size=READERS * 2,
            max_overflow=0,
            pool_timeout=10,
            isolation_level="REPEATABLE READ",
        )
        self._longest = database.longest_read

    async def run(self, function: Callable[[Connection], T]) -> T:
        try:
            async with asyncio.timeout(self._longest), self._engine.connect() as connection:
                return await connection.run_sync(function)
        except TimeoutError as error:
            raise ReadTooLong(self._longest) from error

    async def close(self) -> None:
        await self._engine.dispose()


def prove_writable(connection: sa.Connection) -> None:
    """Change a row, so that the commit shows whether anything can be written."""
    own = t.meta.c
    now = str(time.time())
    changed = connection.execute(sa.update(t.meta).where(own.key == "proved").values(value=now))
    if not changed.rowcount:
        connection.execute(sa.insert(t.meta), [{"key": "proved", "value": now}])


def shrink_log(engine: sa.Engine) -> None:
    """Write SQLite's log back into the database and cut it, unless somebody is reading. A disk
    that is full leaves the log as it is: nothing is lost, and the next time may do."""
    pooled = engine.raw_connection()
    raw: Any = pooled.driver_connection
    try:
        raw.execute("PRAGMA busy_timeout=0")
        with contextlib.suppress(sqlite3.Error):
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        raw.execute(_BUSY)
    finally:
        pooled.close()


def _prepare_sqlite(engine: sa.Engine, *, begin: str) -> None:
    """The driver must not begin transactions by itself: it would begin them too late."""

    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _SQLITE_PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    def began(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", began)
