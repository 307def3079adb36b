"""The database: SQLite in a file, or PostgreSQL by URL, behind one small interface.

Writing is one connection's work (``hub.flow.writer``); reading is a pool's. On SQLite the writer
is synchronous and lives in a thread of its own, with a write-ahead log and every commit flushed
to disk; on PostgreSQL both speak asyncpg.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from hub.store import tables as t

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
        self._reader: AsyncEngine | None = None

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
        """A new asynchronous engine with the caller's pool."""
        if self.dialect == "postgresql":
            url = self.url.set(drivername="postgresql+asyncpg")
            return create_async_engine(url, **options)
        engine = create_async_engine(self.url.set(drivername="sqlite+aiosqlite"), **options)
        _prepare_sqlite(engine.sync_engine, begin="BEGIN")
        return engine

    @property
    def reader(self) -> AsyncEngine:
        """The readers' pool."""
        if self._reader is None:
            options: dict[str, Any] = {"pool_size": READERS, "max_overflow": 0, "pool_timeout": 10}
            if self.dialect == "postgresql":
                options |= {"pool_size": 8, "isolation_level": "REPEATABLE READ"}
            self._reader = self.async_engine(**options)
        return self._reader

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[AsyncConnection]:
        """A short read transaction: everything read in it is true at one moment."""
        async with self.reader.connect() as connection:
            yield connection

    async def close(self) -> None:
        """Let go of the readers."""
        if self._reader is not None:
            await self._reader.dispose()
            self._reader = None


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
