"""A writer on a database of its own, and messages to write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from hub.flow.record import Record
from hub.flow.writer import Writer
from hub.rules import commands as c
from hub.rules.content import Content
from hub.store.database import Database
from hub.store.ids import Ids
from tests import books
from tests.record import machine

Running = Callable[[str], AbstractAsyncContextManager[Writer]]


def message(number: int) -> c.ReceiveMessage:
    """The ``number``-th text of one of ten customers."""
    return c.ReceiveMessage(
        organisation_id=1,
        at=machine.START + number,
        entry_id=1_000 + number,
        channel_id="sms",
        grouping="texts",
        external_id=f"MM{number}",
        sender=(c.AddressOf(scheme="phone", value=f"+1202555{number % 10:04}"),),
        sender_name=None,
        own_address="",
        content=Content(text="Hello"),
        preview="Hello",
    )


@asynccontextmanager
async def writer_on(url: str) -> AsyncIterator[Writer]:
    """A writer on a database that is ready for it."""
    database = Database(url)
    writer = Writer(database, Record(Ids(1)), lambda _positions: None)
    await writer.start()
    try:
        yield writer
    finally:
        await writer.stop()


@pytest.fixture
async def ready_url(database_url: str) -> str:
    """A database with the tables and an organisation."""
    await books.write(database_url, machine.prepare)
    return database_url


@pytest.fixture
async def writer(ready_url: str) -> AsyncIterator[Writer]:
    async with writer_on(ready_url) as running:
        yield running
