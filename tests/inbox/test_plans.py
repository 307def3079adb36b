"""How the database goes about the queries that are asked all the time: by an index, never by
walking a table."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, event

from hub.flow.record import world
from hub.rules import commands as c
from hub.rules.content import Content
from hub.store import contacts, fetches, inbox, journal, outbox, polls, replies, timeline
from hub.store.database import Database
from hub.store.inbox import FILTERS, STATUSES, Filter
from hub.store.migrate import migrate
from hub.store.scope import Scope
from tests.writer.conftest import message

EVERYBODY = Scope(1)
READ = c.ReadThread(organisation_id=1, at=1, thread_id=1, up_to=1)
ACCEPTED = c.SendAccepted(
    organisation_id=1, at=1, transmission_id=1, token="t", external_ids=("a",), status="sent"
)
NOTE = c.AddNote(
    organisation_id=1,
    at=1,
    entry_id=2,
    thread_id=1,
    by_member_id=1,
    content=Content(text="called back"),
    preview="called back",
    idempotency_key="k",
    request="r",
)
OPTS_OUT = c.ChangeConsent(
    organisation_id=1,
    at=1,
    entry_id=3,
    channel_id="sms",
    address=c.AddressOf(scheme="phone", value="+15550100002"),
    own_address="",
    state="out",
    how="STOP",
)
INDEXES = {
    **{(status, filter_): "unread" for status in STATUSES for filter_ in ("unread",)},
    **{("unread", filter_): "unread" for filter_ in FILTERS},
    **{(status, "needs_response"): "needs" for status in ("open", "closed", "all")},
    **{(status, "mine"): "assignee" for status in ("open", "closed", "all")},
    **{(status, "unassigned"): "assignee" for status in ("open", "closed", "all")},
    ("open", "all"): "status",
    ("closed", "all"): "status",
    ("all", "all"): "list",
}


@pytest.fixture
async def engine(tmp_path: Path) -> Any:
    database = Database(f"sqlite:///{tmp_path / 'hub.db'}")
    await migrate(database)
    engine = database.sync_engine()
    yield engine
    engine.dispose()


def plans(engine: sa.Engine, work: Callable[[Connection], Any]) -> list[str]:
    """The steps SQLite takes for all that ``work`` asks."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        asked.append((statement, values))

    with engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", note)
        work(connection)
        event.remove(connection, "before_cursor_execute", note)
        return [
            row[3]
            for statement, values in asked
            if not statement.startswith("BEGIN")
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]


def walks(steps: list[str]) -> list[str]:
    """Steps that go through a whole table, or put rows in order after the fact."""
    harmless = ("SCAN CONSTANT ROW", "SCAN json_each", "SCAN own")  # as small as what was asked
    bad = ("SCAN", "USE TEMP B-TREE FOR ORDER BY")
    return [
        step
        for step in steps
        if step.startswith(bad) and not step.startswith(harmless) and " USING INDEX " not in step
    ]


@pytest.mark.parametrize("after", [None, (1, 1)])
@pytest.mark.parametrize(("status", "filter_"), list(itertools.product(STATUSES, FILTERS)))
def test_each_filter_has_its_index(
    engine: sa.Engine, status: str, filter_: str, after: tuple[int, int] | None
) -> None:
    wanted = Filter(status=status, filter=filter_, me=7)

    def page(connection: Connection) -> Any:
        return inbox.inbox_page(connection, EVERYBODY, wanted, limit=50, after=after)

    steps = plans(engine, page)
    assert f"ix_threads_{INDEXES[status, filter_]} " in steps[0]
    assert walks(steps) == []


@pytest.mark.parametrize(("status", "filter_"), list(itertools.product(STATUSES, FILTERS)))
def test_counting_reads_no_row(engine: sa.Engine, status: str, filter_: str) -> None:
    wanted = Filter(status=status, filter=filter_, me=7)
    steps = plans(engine, lambda one: inbox.filter_counts(one, EVERYBODY, wanted))
    searches = [step for step in steps if step.startswith("SEARCH")]
    assert len(searches) == len(FILTERS) + len(STATUSES) + 1
    assert all("USING COVERING INDEX" in step for step in searches)


MANY = """
INSERT INTO threads
SELECT number, 1, number, nullif(number % 9, 0),
  CASE WHEN number % 2 = 0 THEN 'open' ELSE 'closed' END, true, number % 50 = 0,
  (number % 70 = 0)::int, 0, 1, number, number, NULL, '', 'in', NULL, NULL, NULL, NULL, 0
FROM generate_series(1, 20000) AS number
"""


async def test_each_filter_has_its_index_on_postgresql(postgres_url: str) -> None:
    database = Database(postgres_url)
    await migrate(database)
    engine = database.async_engine()
    seen: dict[tuple[str, str], str] = {}
    async with engine.connect() as connection:
        for statement in (
            (
                "INSERT INTO organisations (id, slug, name, time_zone, created_at)"
                " VALUES (1, 'main', 'Main', 'UTC', 0)"
            ),
            (
                "INSERT INTO contacts (id, organisation_id, created_at)"
                " SELECT number, 1, 0 FROM generate_series(1, 20000) AS number"
            ),
            MANY,
            "ANALYZE",
            "SET plan_cache_mode = force_generic_plan",  # as for a statement that is asked often
        ):
            await connection.exec_driver_sql(statement)
        for status, filter_ in itertools.product(STATUSES, FILTERS):
            page = Filter(status=status, filter=filter_, me=7)
            steps = await connection.run_sync(
                plans_on_postgresql,
                lambda one, page=page: inbox.inbox_page(
                    one, EVERYBODY, page, limit=50, after=(15_000, 15_000)
                ),
            )
            assert not any("Sort" in step for step in steps), (status, filter_, steps)
            (scan,) = (step for step in steps if "ix_threads_" in step)
            seen[status, filter_] = scan.partition("ix_threads_")[2].split()[0]
    await engine.dispose()
    assert seen == INDEXES


async def test_the_writer_goes_by_whole_keys_before_anything_is_counted(postgres_url: str) -> None:
    """Without statistics PostgreSQL takes an organisation for as small as a row, and would walk
    along all that it has."""
    database = Database(postgres_url)
    await migrate(database)
    engine = database.writing_engine()
    async with engine.connect() as connection:
        steps = await connection.run_sync(
            plans_on_postgresql,
            lambda one: world.load(one, [message(1), message(2), READ, ACCEPTED, NOTE, OPTS_OUT]),
        )
    await engine.dispose()
    assert len([step for step in steps if "Index Cond" in step]) >= 8
    assert [step for step in steps if "Seq Scan" in step] == []
    assert [step for step in steps if "Filter" in step and "ANY" in step] == []


def plans_on_postgresql(connection: Connection, work: Callable[[Connection], Any]) -> list[str]:
    """The steps PostgreSQL takes for all that ``work`` asks."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        asked.append((statement, values))

    event.listen(connection, "before_cursor_execute", note)
    work(connection)
    event.remove(connection, "before_cursor_execute", note)
    return [
        row[0]
        for statement, values in asked
        for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values)
    ]


LEASE = {"now": 1, "until": 2, "token": "t", "limit": 50}
BY_ID = "USING INTEGER PRIMARY KEY (rowid=?)"
LIMITED = Scope(1, frozenset({"sms", "email"}))


@pytest.mark.parametrize(
    ("work", "by"),
    [
        (lambda one: outbox.lease(one, channels=[(1, "a"), (1, "b")], **LEASE), "_waiting"),
        (lambda one: outbox.next_due(one, now=1), "ix_transmissions_waiting"),
        (lambda one: outbox.left_behind(one, 1, 50), "ix_transmissions_begun (status=?"),
        (lambda one: outbox.files_due(one, 1, 50), "ix_attachments_waiting"),
        (lambda one: fetches.due(one, 1, 4), "ix_fetches_waiting"),
        (lambda one: polls.get(one, (1, "a")), "(organisation_id=? AND channel_id=?)"),
        (lambda one: replies.get(one, (1, "a"), "q"), "channel_id=? AND question=?"),
        (lambda one: journal.changes_since(one, 1, 5, 500), "position>?"),
        (lambda one: inbox.threads_by_id(one, EVERYBODY, [1, 2]), BY_ID),
        (lambda one: inbox.threads_by_id(one, LIMITED, [1, 2]), "(thread_id=? AND channel_id=?)"),
        (lambda one: timeline.entries_by_id(one, EVERYBODY, [1, 2]), BY_ID),
        (lambda one: timeline.entries_by_id(one, LIMITED, [1, 2]), BY_ID),
        (
            lambda one: timeline.thread_timeline(one, EVERYBODY, 1, limit=50, before=(1, 1)),
            "(thread_id=? AND sort_at<?)",
        ),
        (lambda one: contacts.addresses_of(one, [1, 2]), "(contact_id=?)"),
        (lambda one: contacts.consents_of(one, 1, []), "value=? AND scheme=?"),
        (lambda one: world.load(one, [message(1), READ, ACCEPTED]), "SEARCH"),
    ],
)
def test_what_is_asked_all_the_time_goes_by_its_key(
    engine: sa.Engine, work: Callable[[Connection], Any], by: str
) -> None:
    steps = plans(engine, work)
    assert any(by in step for step in steps), steps
    # An organisation's index alone leads to all that it has.
    assert [step for step in steps if step.endswith("(organisation_id=?)")] == []
    assert [step for step in walks(steps) if not step.startswith("USE TEMP")] == []
