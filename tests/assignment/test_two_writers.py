"""Two processes that assign at the same moment on one database do it as one would."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
import sqlalchemy as sa
from msgspec import structs
from sqlalchemy import Connection

from hub.flow.record import Record
from hub.flow.writer import Writer
from hub.rules import commands as c
from hub.rules.settings import Assignment, AssignmentMode, Settings
from hub.store import people
from hub.store import tables as t
from hub.store.database import Database
from hub.store.ids import Ids
from tests import books
from tests.record import machine
from tests.services import PostgresServer
from tests.writer.conftest import message

CUSTOMERS = 60
THERE = 3


def prepare(connection: Connection, mode: AssignmentMode) -> None:
    machine.prepare(connection)
    for id_ in range(101, 101 + THERE):
        user = {
            "id": id_,
            "email": f"{id_}@example.com",
            "name": str(id_),
            "password_hash": "",
            "must_change_password": False,
            "created_at": 0,
        }
        connection.execute(sa.insert(t.users), [user])
        member = {"id": id_, "organisation_id": 1, "user_id": id_, "role_id": 11, "created_at": 0}
        connection.execute(sa.insert(t.members), [{**member, "available": True}])
    people.set_settings(connection, 1, Settings(assignment=Assignment(mode=mode)))


def text(number: int, again: int) -> c.ReceiveMessage:
    """The first or second text of a customer."""
    return structs.replace(
        message(number),
        assigns=True,
        external_id=f"MM{number}-{again}",
        entry_id=10_000 + 1_000 * again + number,
        sender=(structs.replace(message(0).sender[0], value=f"+1202555{number:04}"),),
    )


@pytest.mark.feature("ASGN-03")
@pytest.mark.parametrize("mode", ["round_robin", "least_busy"])
async def test_turns_are_fair_whoever_assigns(
    postgres_server: PostgresServer, mode: AssignmentMode
) -> None:
    url = postgres_server.url(postgres_server.hub_database())
    await books.write(url, lambda connection: prepare(connection, mode))
    writers = [Writer(Database(url), Record(Ids(node)), lambda _: None) for node in (1, 2)]
    for writer in writers:
        await writer.start()
    # Two customers at a time, who have nothing in common that one of them would wait for.
    for number in range(0, CUSTOMERS, 2):
        for again in range(2):
            await asyncio.gather(
                writers[again].carry_out(text(number, again)),
                writers[1 - again].carry_out(text(number + 1, again)),
            )
    for writer in writers:
        await writer.stop()
    threads = await books.read(url, lambda connection: books.rows(connection, t.threads))
    given = Counter(thread.assignee_id for thread in threads)
    assert sorted(given) == list(range(101, 101 + THERE)), "every one of them, to who is there"
    assert set(given.values()) == {CUSTOMERS // THERE}
    audit = await books.read(url, lambda connection: books.rows(connection, t.audit))
    assert len(audit) == CUSTOMERS, "each conversation is assigned once"
    await books.read(url, books.check)
