"""Lines of an audit, written as the hub writes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hub.rules.rights import OPERATOR, SYSTEM, Actor
from hub.store import audit
from hub.store import tables as t
from hub.store.database import Database
from tests import books

T = TypeVar("T")
START = 1_767_225_600_000  # 2026-01-01
ORG, OTHER = 1, 2
ACTORS = (SYSTEM, OPERATOR, Actor("member", 7, "192.0.2.1"), Actor("token", 8, "2001:db8::1"))
ACTIONS = ("role.changed", "role.made", "thread.status", "settings.changed", "thread.assignee")
OBJECTS = (("role", "1"), ("role", "2"), ("thread", "1"), ("organisation", "1"))


def line(id_: int, number: int, at: int, organisation: int = ORG) -> audit.Line:
    """One of many that differ."""
    return audit.line(
        id_,
        organisation,
        at,
        actor=ACTORS[number % len(ACTORS)],
        action=ACTIONS[number % len(ACTIONS)],
        object_=OBJECTS[number % len(OBJECTS)],
        before=None if number % 3 else {"name": f"was {number}"},
        after={"name": f"is {number}", "list": [number, "é🙂", None, True]},
    )


def organisations(connection: Connection) -> None:
    """Two of them, with nothing in their audits."""
    books.unguard(connection)
    for table in (t.audit, t.organisations):
        connection.execute(sa.delete(table))
    rows = [
        {"id": id_, "slug": f"o{id_}", "name": "O", "time_zone": "UTC", "created_at": 0}
        for id_ in (ORG, OTHER)
    ]
    connection.execute(sa.insert(t.organisations), rows)


def write(connection: Connection, lines: Sequence[audit.Line]) -> None:
    """Add them, each to its organisation."""
    for id_ in (ORG, OTHER):
        audit.append(connection, id_, [one for one in lines if one["organisation_id"] == id_])


class Bench:
    """A database, and synchronous work on it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database(url)
        self._loop = asyncio.new_event_loop()

    def write(self, work: Callable[[Connection], T]) -> T:
        """In a transaction of its own."""
        return self._loop.run_until_complete(books.write(self.url, work))

    def run(self, work: Any) -> Any:
        """Something asynchronous."""
        return self._loop.run_until_complete(work)

    def read(self, work: Callable[[Connection], T]) -> T:
        """In a snapshot."""
        return self.run(self.database.read(work))

    def close(self) -> None:
        self.run(self.database.close())
        self._loop.close()


@pytest.fixture
def bench(database_url: str) -> Iterator[Bench]:
    made = Bench(database_url)
    yield made
    made.close()
