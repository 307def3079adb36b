"""The background parts on either database, without a hub around them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.channels import Channels
from hub.flow.consumers import Consumers
from hub.flow.record import Record
from hub.flow.stream import Stream
from hub.flow.views.present import Presenter
from hub.flow.writer import News, Writer
from hub.rules import commands as c
from hub.rules.content import Content
from hub.store import tables as t
from hub.store.database import Database
from hub.store.ids import Ids
from tests.patience import PATIENCE

T = TypeVar("T")
ORG = 1
_numbers = itertools.count(1)

scratch = sa.MetaData()
marks = sa.Table("marks", scratch, sa.Column("what", sa.Text), sa.Column("number", sa.BigInteger))
"""What the tests' own work writes; nothing keeps a row from being there twice."""


class Rig(Struct):
    """A writer on a database with one organisation."""

    url: str
    database: Database
    writer: Writer
    stream: Stream
    ids: Ids
    listening: list[Consumers] = []

    async def message(self, text: str = "hello") -> None:
        """A customer writes: at least one line in the journal."""
        number = next(_numbers)
        await self.writer.record(message(self.ids, text, f"m{number}"))

    async def rows(self, table: sa.Table) -> list[Any]:
        """Every row."""
        statement = sa.select(table)
        return await self.database.read(
            lambda connection: list(connection.execute(statement).all())
        )

    async def marked(self, what: str) -> list[int]:
        """The numbers marked so, as they were written."""
        return [row.number for row in await self.rows(marks) if row.what == what]

    async def head(self) -> int:
        """How far the journal reaches."""
        (row,) = await self.rows(t.organisations)
        return row.position

    async def write(self, work: Callable[[Connection], T]) -> T:
        """In the writer's transaction."""
        return await self.writer.execute(work)


def mark(connection: Connection, what: str, number: int) -> None:
    """Leave a trace."""
    connection.execute(sa.insert(marks), [{"what": what, "number": number}])


def message(ids: Ids, text: str, external_id: str, organisation_id: int = ORG) -> c.Command:
    """The command that a customer's text becomes."""
    return c.ReceiveMessage(
        organisation_id=organisation_id,
        at=int(time.time() * 1000),
        entry_id=ids.new(),
        channel_id="sms",
        grouping="texts",
        external_id=external_id,
        sender=(c.AddressOf(scheme="phone", value="+15550100001"),),
        sender_name=None,
        own_address="",
        content=Content(text=text),
        preview=text,
    )


@asynccontextmanager
async def opened(url: str, node: int = 7) -> AsyncIterator[Rig]:
    """A writer on a database that has its tables."""
    database = Database(url)
    stream = Stream(database, Presenter(Channels()), look_every=0.5)
    ids = Ids(node)
    listening: list[Consumers] = []

    def committed(news: News) -> None:
        stream.committed(news.positions)
        for consumers in listening:
            consumers.committed(news.positions)

    writer = Writer(database, Record(ids), committed)
    await writer.start()
    try:
        yield Rig(url, database, writer, stream, ids, listening)
    finally:
        stream.end()
        await writer.stop()
        await database.close()


@pytest.fixture
async def rig(database_url: str) -> AsyncIterator[Rig]:
    """On each kind of database."""
    async with opened(database_url) as made:
        row = {"id": ORG, "slug": "main", "name": "Main", "time_zone": "UTC", "created_at": 0}

        def prepare(connection: Connection) -> None:
            connection.execute(sa.insert(t.organisations), [row])
            scratch.create_all(connection)

        await made.write(prepare)
        yield made


async def until(look: Callable[[], Any], limit: float = PATIENCE) -> Any:
    """Wait until ``look``, which may be asynchronous, gives something true."""
    async with asyncio.timeout(limit):
        while True:
            found = look()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.01)
