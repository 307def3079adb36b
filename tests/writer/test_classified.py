"""Errors as the databases really raise them, and what the writer makes of each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hub.flow.writer.faults import Fault, classify
from hub.store import tables as t
from hub.store.database import Database
from tests import books

Work = Callable[[Connection], object]


def insert(**values: object) -> Work:
    return lambda connection: connection.execute(sa.insert(t.meta), [values])


def taken(connection: Connection) -> None:
    """A key that is there already."""
    insert(key="twice", value="1")(connection)
    insert(key="twice", value="2")(connection)


def no_such_table(connection: Connection) -> None:
    connection.execute(sa.text("SELECT * FROM nothing"))


def a_bug(_connection: Connection) -> None:
    raise ValueError("a bug")


def a_file(_connection: Connection) -> None:
    raise ConnectionResetError("the wire")


def read_only(connection: Connection) -> None:
    on_sqlite = connection.dialect.name == "sqlite"
    connection.execute(sa.text("PRAGMA query_only=1" if on_sqlite else "SET TRANSACTION READ ONLY"))
    insert(key="k", value="v")(connection)


def ended_from_outside(connection: Connection) -> None:
    """PostgreSQL ends the connection, as it does when it is shut down."""
    connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))


async def raised(url: str, work: Work) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 — which one is what is looked at
        await books.write(url, work)
    return caught.value


@pytest.mark.feature("OPER-03")
@pytest.mark.parametrize(
    ("work", "fault"),
    [
        (taken, Fault.AGAIN),
        (insert(key="k", value=None), Fault.ITEM),
        (a_bug, Fault.ITEM),
        (a_file, Fault.LOST),
        (read_only, Fault.AWAY),
    ],
    ids=["taken", "not_null", "a_bug", "a_file", "read_only"],
)
async def test_errors_are_classified(ready_url: str, work: Work, fault: Fault) -> None:
    assert classify(await raised(ready_url, work)) is fault


@pytest.mark.feature("OPER-03")
async def test_errors_of_postgresql_are_classified(postgres_url: str) -> None:
    assert classify(await raised(postgres_url, no_such_table)) is Fault.ITEM
    assert classify(await raised(postgres_url, ended_from_outside)) is Fault.LOST
    gone = sa.make_url(postgres_url).set(port=1).render_as_string(hide_password=False)
    assert classify(await raised(gone, no_such_table)) is Fault.LOST


@pytest.mark.feature("OPER-03")
async def test_a_deadlock_of_postgresql_is_tried_again(postgres_url: str) -> None:
    """Two transactions that wait for each other: the database ends one, which did nothing wrong."""
    await books.write(postgres_url, t.metadata.tables["meta"].create)
    await books.write(
        postgres_url,
        lambda connection: connection.execute(
            sa.insert(t.meta), [{"key": key, "value": ""} for key in "ab"]
        ),
    )
    engine = Database(postgres_url).async_engine()
    both = asyncio.Barrier(2)

    async def change(first: str, second: str) -> None:
        async with engine.begin() as connection:
            for key in (first, second):
                statement = sa.update(t.meta).where(t.meta.c.key == key).values(value=first)
                await connection.execute(statement)
                if key == first:
                    await both.wait()

    outcomes = await asyncio.gather(change("a", "b"), change("b", "a"), return_exceptions=True)
    await engine.dispose()
    (error,) = [one for one in outcomes if one is not None]
    assert isinstance(error, Exception)
    assert classify(error) is Fault.AGAIN
