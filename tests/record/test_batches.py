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

from hub.store import tables as t
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


_WRITTEN: machine.Step = {
    "kind": "receive",
    "at": 0,
    "org": 1,
    "channel": "sms",
    "phone": machine.PHONES[0],
    "own": machine.OWN[0],
    "occurred": None,
    "asks": False,
    "echo": False,
    "files": 0,
    "says": "Hello",
    "name": None,
}


@pytest.fixture
def workbench(database_url: str) -> Iterator[Workbench]:
    bench = Workbench(database_url)
    yield bench
    bench.close()


@pytest.mark.feature("OPER-03", "ROUT-06")
def test_any_batches_give_the_rows_of_one_at_a_time(workbench: Workbench) -> None:
    _same_in_batches(workbench, machine.histories, lambda _, __: None)


@pytest.mark.feature("ROUT-06")
def test_an_echo_and_the_message_it_is_of_are_one_entry_in_any_order(workbench: Workbench) -> None:
    _same_in_batches(workbench, machine.echoed(), machine.check_echoes)


@pytest.mark.feature("ROUT-06")
def test_receipts_that_came_before_the_echo_they_are_of(workbench: Workbench) -> None:
    """The one that says more came first: by the clock, and in the order of the database."""
    echo = {**_WRITTEN, "echo": True}
    receipt = {"kind": "receipt", "org": 1, "channel": "sms", "of": "out100"}
    history = [
        {**echo, "external": "in0"},
        {**receipt, "at": 1, "status": "read"},
        {**receipt, "at": 0, "status": "delivered"},
        {**echo, "external": "out100"},
    ]
    for cuts in ([], [2], [1, 2, 3]):
        _check(workbench, history, cuts, lambda _, __: None)


@pytest.mark.feature("VOIC-03")
def test_a_call_leaves_for_a_new_contact_in_the_batch_that_brought_it(
    workbench: Workbench,
) -> None:
    call = {"kind": "call", "at": 0, "org": 1, "channel": "sms", "phone": machine.PHONES[0],
            "external": 0, "direction": "in", "withheld": False, "name": None}  # fmt: skip
    move = {"kind": "move", "at": 1, "pick": 0, "to": None}

    def look(connection: Connection, _: list[machine.Step]) -> None:
        actions = connection.scalars(sa.select(t.audit.c.action)).all()
        assert "call.reassigned" in actions

    _check(workbench, [call, move], [], look)
    written = {**_WRITTEN, "external": "in1"}
    for before in ([written], [written, {"kind": "note", "at": 0, "pick": 0, "says": "Hm"}]):
        _check(workbench, [*before, call, move], [len(before)], look)
        dial = {"kind": "dial", "at": 0, "pick": 0, "channel": "sms"}
        _check(workbench, [*before, dial, move], [len(before)], look)


@pytest.mark.feature("ROUT-01")
def test_identities_move_and_nothing_is_lost(workbench: Workbench) -> None:
    def look(connection: Connection, history: list[machine.Step]) -> None:
        written = {step["external"] for step in history if step["kind"] == "receive"}
        received = sa.select(t.entries.c.id).where(
            t.entries.c.kind == "message", t.entries.c.author_kind != "member"
        )
        assert len(connection.execute(received).all()) == len(written)
        addresses = connection.execute(sa.select(t.addresses)).all()
        assert len({(one.organisation_id, one.value) for one in addresses}) == len(addresses)

    _same_in_batches(workbench, machine.identities, look)


@pytest.mark.feature("ASGN-03", "PERM-03")
def test_who_is_next_is_the_same_in_any_batches(workbench: Workbench) -> None:
    _same_in_batches(workbench, machine.newcomers, lambda _, __: None)


@pytest.mark.feature("APPR-01", "APPR-02")
def test_what_waits_is_decided_once_whatever_happens(workbench: Workbench) -> None:
    _same_in_batches(workbench, machine.proposals, machine.check_approvals)


def _check(
    workbench: Workbench,
    history: list[machine.Step],
    cuts: list[int],
    look: Callable[[Connection, list[machine.Step]], None],
) -> None:
    def alone(connection: Connection) -> tuple[Any, Any]:
        machine.prepare(connection)
        machine.assign_automatically(connection)
        work = machine.one_at_a_time(connection, history)
        machine.check(connection)
        machine.check_assignees(connection)
        look(connection, history)
        return work, machine.dump(connection)

    def together(connection: Connection) -> Any:
        machine.prepare(connection)
        machine.assign_automatically(connection)
        machine.in_batches(connection, work, cuts)
        return machine.dump(connection)

    work, expected = workbench.run(alone)
    found = workbench.run(together)
    for table, rows in expected.items():
        assert found[table] == rows, f"{table} differs"


def _same_in_batches(
    workbench: Workbench,
    histories: st.SearchStrategy[list[machine.Step]],
    look: Callable[[Connection, list[machine.Step]], None],
) -> None:
    fewer = workbench.dialect == "postgresql"  # each of its statements is a round trip

    @settings(max_examples=50 if fewer else 200)
    @given(histories, st.lists(st.integers(0, 1_000), max_size=6))
    def check(history: list[machine.Step], cuts: list[int]) -> None:
        _check(workbench, history, cuts, look)

    check()
