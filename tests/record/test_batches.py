"""Commands in any batches, on either database, give the rows they give one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from hub.store.database import Database
from hub.store.migrate import migrate
from tests.record import machine

T = TypeVar("T")


class Workbench:
    """One database, and synchronous work in a transaction on it."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.dialect = self.database.dialect
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(migrate(self.database))
        if self.dialect == "sqlite":
            self._engine = self.database.sync_engine()
        else:
            self._engine = self.database.async_engine(pool_size=1)

    def run(self, work: Callable[[Connection], T]) -> T:
        """``work`` in a transaction of its own."""
        engine = self._engine
        if isinstance(engine, sa.Engine):
            with engine.begin() as connection:
                return work(connection)

        async def main() -> T:
            async with engine.begin() as connection:
                return await connection.run_sync(work)

        return self._loop.run_until_complete(main())

    def close(self) -> None:
        if isinstance(self._engine, sa.Engine):
            self._engine.dispose()
        else:
            self._loop.run_until_complete(self._engine.dispose())
        self._loop.close()


@pytest.fixture
def workbench(database_url: str) -> Iterator[Workbench]:
    bench = Workbench(database_url)
    yield bench
    bench.close()


@pytest.mark.feature("OPER-03", "ROUT-06")
def test_any_batches_give_the_rows_of_one_at_a_time(
    workbench: Workbench, request: pytest.FixtureRequest
) -> None:
    fewer = workbench.dialect == "postgresql"  # each of its statements is a round trip

    @settings(max_examples=50 if fewer else 200)
    @given(machine.histories, st.lists(st.integers(0, 1_000), max_size=6))
    def check(history: list[machine.Step], cuts: list[int]) -> None:
        def alone(connection: Connection) -> tuple[Any, Any]:
            machine.prepare(connection)
            work = machine.one_at_a_time(connection, history)
            machine.check(connection)
            return work, machine.dump(connection)

        def together(connection: Connection) -> Any:
            machine.prepare(connection)
            machine.in_batches(connection, work, cuts)
            return machine.dump(connection)

        work, expected = workbench.run(alone)
        found = workbench.run(together)
        for table, rows in expected.items():
            assert found[table] == rows, f"{table} differs"

    check()
