"""What goes wrong while a batch is written costs only what it must."""

from __future__ import annotations

import asyncio
import resource
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.util import await_only

from hub.flow.record import Outcome
from hub.flow.writer import Unavailable, Writer, lanes
from hub.store import tables as t
from hub.store.database import Database, ReadTooLong, shrink_log
from tests import books
from tests.hubs import lay_database, wait_for
from tests.record import machine
from tests.services import PostgresServer, find_postgres
from tests.writer.conftest import message, writer_on
from tests.writer.proxy import Break, wire_to

ENTRIES = sa.select(sa.func.count()).select_from(t.entries)


def count(connection: Connection) -> int:
    return connection.execute(ENTRIES).scalar_one()


NONE_YET = sa.insert(t.meta).values(key="counted", value="0")
ONE_MORE = (
    sa.update(t.meta)
    .where(t.meta.c.key == "counted")
    .values(value=sa.cast(sa.cast(t.meta.c.value, sa.Integer) + 1, sa.Text))
    .returning(t.meta.c.value)
)


def one_more(connection: Connection) -> str:
    """What is not the same when it is done twice."""
    return connection.execute(ONE_MORE).scalar_one()


def wrong(connection: Connection) -> None:
    """A row that lacks what it must have."""
    connection.execute(sa.insert(t.meta), [{"key": "k", "value": None}])


@pytest.mark.feature("OPER-03")
async def test_a_batch_is_bisected_and_one_wrong_item_fails_alone(
    writer: Writer, ready_url: str
) -> None:
    asked: list[Any] = [writer.record(message(number)) for number in range(20)]
    asked.insert(7, writer.execute(wrong))
    asked.insert(13, writer.execute(wrong))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    failed = [place for place, answer in enumerate(answers) if isinstance(answer, Exception)]
    assert failed == [7, 13]
    assert all(isinstance(answers[place], IntegrityError) for place in failed)
    assert await books.read(ready_url, count) == 20
    await books.read(ready_url, books.check)
    assert writer.trouble is None


async def test_a_function_sees_and_takes_back_what_its_commands_did(
    writer: Writer, ready_url: str
) -> None:
    def half(transaction: Any) -> None:
        transaction.record([message(1)])
        assert count(transaction.connection) == 1
        raise ValueError("changed my mind")

    def whole(transaction: Any) -> list[Outcome]:
        return transaction.record([message(2), message(3)])

    with pytest.raises(ValueError, match="changed my mind"):
        await writer.transact(half)
    assert await writer.transact(whole) == [1_002, 1_003]
    assert await books.read(ready_url, count) == 2


@pytest.mark.parametrize("breaks", [["after"], ["before"], ["before", "after"], ["before"] * 3])
@pytest.mark.feature("OPER-03")
async def test_an_ambiguous_commit_is_settled(
    migrated_postgres_url: str, breaks: list[Break]
) -> None:
    await books.write(migrated_postgres_url, machine.prepare)
    async with wire_to(migrated_postgres_url) as (wire, url), writer_on(url) as writer:
        await writer.record(message(1))
        await writer.execute(lambda connection: connection.execute(NONE_YET))
        wire.breaks = list(breaks)
        (first,), counted = await asyncio.gather(
            writer.record(message(2)), writer.execute(one_more)
        )
        assert (first, counted) == (1_002, "1"), "answered as if nothing had happened"
        assert wire.broken == len(breaks)
        assert writer.trouble is None
        assert await writer.execute(one_more) == "2", "done once"
    assert await books.read(migrated_postgres_url, count) == 2
    await books.read(migrated_postgres_url, books.check)


@pytest.mark.feature("OPER-03")
async def test_postgresql_restarted_under_load_loses_nothing_answered() -> None:
    programs = find_postgres()
    if programs is None:
        pytest.skip("PostgreSQL is missing")
    server = PostgresServer(programs)
    try:
        url = server.url(server.hub_database())
        await books.write(url, machine.prepare)
        async with writer_on(url) as writer:
            answered = await _through_restarts(writer, server)
        kept = await books.read(url, lambda connection: books.rows(connection, t.external_ids))
        assert answered <= {row.external_id for row in kept}, "nothing that was answered is lost"
        await books.read(url, books.check)
    finally:
        server.stop()


async def _through_restarts(writer: Writer, server: PostgresServer) -> set[str]:
    """Write all the time while the server is killed and started again, twice."""
    answered: set[str] = set()
    going = True

    async def load(first: int) -> None:
        number = first
        while going:
            number += 8
            try:
                await writer.record(message(number))
            except Unavailable:
                await asyncio.sleep(0.01)
                continue
            answered.add(f"MM{number}")

    tasks = [asyncio.create_task(load(first)) for first in range(8)]
    try:
        for _ in range(2):
            before = len(answered)
            await asyncio.to_thread(wait_for, lambda before=before: len(answered) > before + 50)
            await asyncio.to_thread(server.crash)
            await asyncio.to_thread(wait_for, lambda: writer.trouble is not None)
            await asyncio.to_thread(server.start_again)
        before = len(answered)
        await asyncio.to_thread(wait_for, lambda: len(answered) > before + 50)
    finally:
        going = False
        await asyncio.gather(*tasks)
    assert writer.trouble is None
    return answered


async def test_what_waits_too_long_is_refused_and_not_done(
    writer: Writer, ready_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if writer._thread is None:
        return
    monkeypatch.setattr(lanes, "OLDEST", 0.2)
    under_way, goes_on = threading.Event(), threading.Event()

    def slow(_connection: Connection) -> None:
        under_way.set()
        goes_on.wait(60)

    holding = asyncio.create_task(writer.execute(slow))
    await asyncio.to_thread(under_way.wait)
    with pytest.raises(Unavailable, match="too slow"):
        await writer.record(message(1))
    goes_on.set()
    await holding
    assert await books.read(ready_url, count) == 0


async def test_the_log_is_cut_when_there_is_time(tmp_path: Path) -> None:
    lay_database(tmp_path / "hub.db")
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    await books.write(url, machine.prepare)
    log = tmp_path / "hub.db-wal"
    reading = Database(url)
    async with writer_on(url) as writer:
        for number in range(200):
            await writer.record(message(number))
            await reading.read(count)
        assert log.stat().st_size > 0
        await asyncio.to_thread(wait_for, lambda: log.stat().st_size == 0, what="an empty log")
        await writer.record(message(1_000))
    await reading.close()
    assert await books.read(url, count) == 201


async def test_the_log_stays_small_under_readers_and_is_cut_when_they_end(tmp_path: Path) -> None:
    """A snapshot that is open keeps the log; one after another, as readers come, does not."""
    lay_database(tmp_path / "hub.db")
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    await books.write(url, machine.prepare)
    log = tmp_path / "hub.db-wal"
    reading = Database(url)
    opened, may_end = threading.Event(), threading.Event()

    def hold(connection: Connection) -> int:
        before = count(connection)
        opened.set()
        may_end.wait(60)
        assert count(connection) == before, "a read sees one moment"
        return before

    async with writer_on(url) as writer:
        for number in range(50):
            await writer.record(message(number))
        holding = asyncio.create_task(reading.read(hold))
        await asyncio.to_thread(opened.wait)
        engine = Database(url).sync_engine()
        for number in range(50, 100):
            await writer.record(message(number))
        kept = log.stat().st_size
        assert kept > 0
        async with asyncio.timeout(8):  # it cannot, and does not wait as long as a writer would
            await asyncio.to_thread(shrink_log, engine)
        assert log.stat().st_size == kept
        may_end.set()
        assert await holding == 50
        await asyncio.to_thread(wait_for, lambda: _cut(engine, log), what="an empty log")
        engine.dispose()
        assert await writer.record(message(1_000)) == [2_000]
    await reading.close()


def _cut(engine: sa.Engine, log: Path) -> bool:
    shrink_log(engine)
    return log.stat().st_size == 0


async def test_a_log_that_cannot_be_cut_for_want_of_space_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full for the database while the log is written back into it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # it would leave half a module
    lay_database(tmp_path / "hub.db")
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    await books.write(url, machine.prepare)
    log = tmp_path / "hub.db-wal"
    async with writer_on(url) as writer:
        for number in range(50):
            await writer.record(message(number))
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        engine = Database(url).sync_engine()
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
        try:
            shrink_log(engine)
            assert log.stat().st_size > 0, "it was not cut"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        with engine.connect() as connection:
            timeout = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
        assert timeout == 10_000, "and whoever writes next waits for others as before"
        engine.dispose()
        assert await writer.record(message(1_000)) == [2_000]
        await asyncio.to_thread(wait_for, lambda: log.stat().st_size == 0, what="an empty log")
    assert await books.read(url, count) == 51


async def test_a_read_sees_one_moment_and_the_position_that_belongs_to_it(
    writer: Writer, ready_url: str
) -> None:
    """What is committed while a read goes on is in none of what it reads."""
    await writer.record(message(1))
    loop = asyncio.get_running_loop()
    database = Database(ready_url)

    def position(connection: Connection) -> int:
        own = t.organisations.c
        return connection.execute(sa.select(own.position).where(own.id == 1)).scalar_one()

    def look(connection: Connection) -> tuple[int, int]:
        before = position(connection)
        on_loop = database.dialect == "postgresql"  # where the read is a task of the loop
        writing = asyncio.run_coroutine_threadsafe(writer.record(message(2)), loop)
        if on_loop:
            await_only(asyncio.wrap_future(writing))
        else:
            writing.result(30)
        return before, count(connection)

    before, seen = await database.read(look)
    assert (await database.read(count), seen) == (2, 1)
    lines = await database.read(lambda connection: books.rows(connection, t.journal))
    assert before == max(line.position for line in lines if line.entry_id == 1_001)
    assert await database.read(position) > before
    await database.close()


async def test_a_reader_that_holds_a_snapshot_too_long_is_ended_with_a_clear_error(
    ready_url: str,
) -> None:
    database = Database(ready_url, longest_read=0.3)
    endless = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT max(i) FROM n",
        "postgresql": "SELECT pg_sleep(60)",
    }[database.dialect]
    with pytest.raises(ReadTooLong, match=r"0\.3 seconds"):
        await database.read(lambda connection: connection.execute(sa.text(endless)).all())
    assert await database.read(count) == 0, "and the next one finds a connection"
    await database.close()
