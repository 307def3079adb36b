"""Floors on SQLAlchemy Core: a commit a request on aiosqlite, set-wise batches on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from bench.floors import tables as t
from bench.floors.message import Message

LARGEST_BATCH = 256
_FOUND = sa.select(t.contacts.c.phone, t.threads.c.id).join(
    t.threads, t.threads.c.contact_id == t.contacts.c.id
)
_FIND = _FOUND.where(t.contacts.c.phone == sa.bindparam("phone"))
_FIND_ALL = _FOUND.where(t.contacts.c.phone.in_(sa.bindparam("phones", expanding=True)))
_CONTACT = sa.insert(t.contacts).returning(t.contacts.c.id)
_THREAD = sa.insert(t.threads).returning(t.threads.c.id)
_MESSAGE = (sqlite.insert(t.messages).on_conflict_do_nothing(index_elements=["sid"])).returning(
    t.messages.c.id
)
_MESSAGES = (
    postgresql.insert(t.messages).on_conflict_do_nothing(index_elements=["sid"])
).returning(t.messages.c.id, t.messages.c.sid)
_BUMP = (
    sa.update(t.threads)
    .where(t.threads.c.id == sa.bindparam("thread"))
    .values(
        sort_at=sa.bindparam("at"),
        unread=t.threads.c.unread + sa.bindparam("more"),
        preview=sa.bindparam("text"),
    )
)
_EVENT = sa.insert(t.journal)


def _message(message: Message, thread: int) -> dict[str, Any]:
    return {
        "thread_id": thread,
        "sid": message.sid,
        "body": message.body,
        "raw": message.raw,
        "created_at": message.at,
    }


def _thread(contact: int, at: int) -> dict[str, Any]:
    return {"contact_id": contact, "sort_at": at, "unread": 0, "preview": ""}


def _bump(thread: int, message: Message, more: int) -> dict[str, Any]:
    return {"thread": thread, "at": message.at, "more": more, "text": message.preview}


class CoreCommitEach:
    """A transaction for each message, as a plain SQLAlchemy handler does it."""

    def __init__(self, path: str) -> None:
        options: dict[str, Any] = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 60}
        self._engine = create_async_engine(f"sqlite+aiosqlite:///{path}", **options)
        event.listen(self._engine.sync_engine, "connect", _prepare)
        event.listen(self._engine.sync_engine, "begin", _begin)

    async def start(self) -> None:
        """Nothing: the engine connects when it is first used."""

    async def put(self, message: Message) -> None:
        """Return once it is committed."""
        async with self._engine.begin() as connection:
            await self._store(connection, message)

    @staticmethod
    async def _store(connection: AsyncConnection, message: Message) -> None:
        found = (await connection.execute(_FIND, {"phone": message.phone})).first()
        if found is None:
            new = {"phone": message.phone, "created_at": message.at}
            contact = (await connection.execute(_CONTACT, new)).scalar_one()
            made = await connection.execute(_THREAD, _thread(contact, message.at))
            thread = made.scalar_one()
        else:
            thread = found.id
        inserted = (await connection.execute(_MESSAGE, _message(message, thread))).scalar()
        if inserted is None:
            return
        await connection.execute(_BUMP, _bump(thread, message, 1))
        told = {"data": message.event(thread, inserted), "created_at": message.at}
        await connection.execute(_EVENT, told)


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in t.PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class PostgresBatch:
    """A task that commits together whatever waits, with a handful of statements for all of it."""

    def __init__(self, url: str) -> None:
        self._engine = create_async_engine(
            sa.make_url(url).set(drivername="postgresql+asyncpg"), pool_size=1, max_overflow=0
        )
        self._waiting: list[tuple[Message, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()

    async def start(self) -> None:
        """Start the task."""
        self._task = asyncio.create_task(self._run())

    async def put(self, message: Message) -> None:
        """Return once it is committed."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((message, done))
        self._wake.set()
        await done

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch, self._waiting = (
                    self._waiting[:LARGEST_BATCH],
                    self._waiting[LARGEST_BATCH:],
                )
                async with self._engine.begin() as connection:
                    await connection.run_sync(_store_all, [message for message, _ in batch])
                for _, done in batch:
                    if not done.done():
                        done.set_result(None)


def _store_all(connection: sa.Connection, messages: list[Message]) -> None:
    threads = _threads_of(connection, {message.phone: message.at for message in messages})
    rows = [_message(message, threads[message.phone]) for message in messages]
    inserted = {row.sid: row.id for row in connection.execute(_MESSAGES, rows)}
    fresh = [message for message in messages if message.sid in inserted]
    if not fresh:
        return
    more = Counter(message.phone for message in fresh)
    last = {message.phone: message for message in fresh}
    bumps = [_bump(threads[phone], message, more[phone]) for phone, message in last.items()]
    connection.execute(_BUMP, sorted(bumps, key=lambda bump: bump["thread"]))
    told = [
        {
            "data": message.event(threads[message.phone], inserted[message.sid]),
            "created_at": message.at,
        }
        for message in fresh
    ]
    connection.execute(_EVENT, told)


def _threads_of(connection: sa.Connection, seen: dict[str, int]) -> dict[str, int]:
    """The thread of every phone, made for those that write for the first time."""
    found = connection.execute(_FIND_ALL, {"phones": list(seen)})
    threads: dict[str, int] = {row.phone: row.id for row in found}
    new = [phone for phone in seen if phone not in threads]
    if new:
        contacts = connection.execute(
            sa.insert(t.contacts).returning(t.contacts.c.id, t.contacts.c.phone),
            [{"phone": phone, "created_at": seen[phone]} for phone in new],
        ).all()
        made = connection.execute(
            sa.insert(t.threads).returning(t.threads.c.id, t.threads.c.contact_id),
            [_thread(row.id, seen[row.phone]) for row in contacts],
        )
        phones = {row.id: row.phone for row in contacts}
        threads |= {phones[row.contact_id]: row.id for row in made}
    return threads
