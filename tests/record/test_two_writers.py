"""Two writers on one PostgreSQL database never wait for each other in a circle."""

from __future__ import annotations

import asyncio
from typing import Any

import sqlalchemy as sa

from hub.flow.record import Record
from hub.flow.writer import Writer
from hub.rules import commands as c
from hub.rules.content import Content
from hub.store import tables as t
from hub.store.database import Database
from hub.store.ids import Ids
from hub.store.migrate import migrate
from tests import books
from tests.hubs import wait_for
from tests.record import machine

STRANGERS = 20
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


def phone(number: int) -> str:
    return f"+1202555{number:04}"


def message(number: int, entry_id: int) -> c.ReceiveMessage:
    return c.ReceiveMessage(
        organisation_id=1,
        at=machine.START,
        entry_id=entry_id,
        channel_id="sms",
        grouping="texts",
        external_id=f"MM{number}",
        sender=(c.AddressOf(scheme="phone", value=phone(number)),),
        sender_name=None,
        own_address="",
        content=Content(text="Hello"),
        preview="Hello",
    )


async def test_the_same_strangers_forwards_and_backwards(postgres_url: str) -> None:
    """A third transaction holds both up in the middle, where each has what the other wants next."""
    database = Database(postgres_url)
    await migrate(database)
    engine = database.async_engine()
    async with engine.begin() as connection:
        await connection.run_sync(machine.prepare)
    writers = [Writer(database, Record(Ids(node)), lambda _: None) for node in (1, 2)]
    for writer in writers:
        await writer.start()
    forwards = [message(number, number) for number in range(1, STRANGERS + 1)]
    backwards = [message(number, 1_000 + number) for number in range(STRANGERS, 0, -1)]
    middle = {
        "id": 1,
        "organisation_id": 1,
        "contact_id": 1,
        "scheme": "phone",
        "value": phone(STRANGERS // 2),
        "verified": False,
        "created_at": 0,
    }
    async with engine.connect() as connection:
        await connection.execute(sa.insert(t.addresses), [middle])
        both = asyncio.gather(writers[0].record(*forwards), writers[1].record(*backwards))
        await asyncio.to_thread(wait_for, lambda: asyncio.run(number(postgres_url, WAITING)) == 2)
        await connection.rollback()
    await both
    for writer in writers:
        await writer.stop()
    await engine.dispose()
    await books.read(postgres_url, books.check)
    assert await number(postgres_url, DEADLOCKS) == 0


async def number(url: str, statement: str) -> Any:
    return await books.read(url, lambda connection: connection.scalar(sa.text(statement)))
