"""The database: SQLite in a file, or PostgreSQL by URL, behind one small interface.

Writing is one connection's work (``hub.flow.writer``); reading is a pool's. On SQLite the writer
lives in a thread of its own, with a write-ahead log and every commit flushed to disk, and a few
threads read: one hop for all of a request's queries, where an asynchronous driver makes several
for each. On PostgreSQL both speak asyncpg. What reads and writes is the same synchronous code.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from hub.store import tables as t

T = TypeVar("T")

_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA busy_timeout=10000",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
)
READERS = 4


class Database:
    """Where everything is kept. ``url``: ``sqlite:///path`` or ``postgresql://…``."""

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
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
        return create_async_engine(self.url.set(drivername="postgresql+asyncpg"), **options)

    async def read(self, function: Callable[[Connection], T]) -> T:
        """Run ``function`` in a short read transaction: all that it reads is true at one moment.
        It may run in another thread, so it must do nothing but read."""
        if self._readers is None:
            kind = _SqliteReaders if self.dialect == "sqlite" else _PostgresReaders
            self._readers = kind(self)
        return await self._readers.run(function)

    async def close(self) -> None:
        """Let go of the readers."""
        if self._readers is not None:
            await self._readers.close()
            self._readers = None


class _SqliteReaders:
    """Threads with a connection each."""

    def __init__(self, database: Database) -> None:
        options: dict[str, Any] = {"pool_size": READERS, "max_overflow": 0}
        self._engine = sa.create_engine(database.url.set(drivername="sqlite"), **options)
        _prepare_sqlite(self._engine, begin="BEGIN")
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="reader")

    async def run(self, function: Callable[[Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._run, function)

    def _run(self, function: Callable[[Connection], T]) -> T:
        with self._engine.connect() as connection:
            return function(connection)

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

    async def run(self, function: Callable[[Connection], T]) -> T:
        async with self._engine.connect() as connection:
            return await connection.run_sync(function)

    async def close(self) -> None:
        await self._engine.dispose()


def prove_writable(connection: sa.Connection) -> None:
    """Change a row, so that the commit shows whether anything can be written."""
    own = t.meta.c
    now = str(time.time())
    changed = connection.execute(sa.update(t.meta).where(own.key == "proved").values(value=now))
    if not changed.rowcount:
        connection.execute(sa.insert(t.meta), [{"key": "proved", "value": now}])


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
