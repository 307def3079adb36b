"""How the database goes about the queries that are asked all the time: by an index, never by
walking a table."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pyroaring import BitMap
from sqlalchemy import Connection, event

from hub.flow.record import world
from hub.rules import commands as c
from hub.rules.content import Content
from hub.rules.states import Transmission
from hub.store import (
    contacts,
    fetches,
    inbox,
    inbox_counts,
    journal,
    outbox,
    polls,
    replies,
    timeline,
)
from hub.store import tables as t
from hub.store.database import Database
from hub.store.inbox import FILTERS, STATUSES, Filter
from hub.store.inbox_sets import Owner, Sets
from hub.store.scope import Scope
from tests.hubs import lay_database
from tests.writer.conftest import message

EVERYBODY = Scope(1)
BOUND = {"org": 1, **Filter(me=7, late_since=9, since=9, until=99).values}
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
DIALLED = c.ReceiveCall(
    organisation_id=1,
    at=1,
    entry_id=4,
    channel_id="voice",
    external_id="CA1",
    direction="out",
    caller=(c.AddressOf(scheme="phone", value="+15550100002"),),
    caller_name=None,
    own_address="+15550100001",
)
MOVED = c.ReassignCall(organisation_id=1, at=1, entry_id=1, contact_id=2, reason="", by_member_id=1)
INDEXES = {
    **{(status, filter_): "unread" for status in STATUSES for filter_ in ("unread",)},
    **{("unread", filter_): "unread" for filter_ in FILTERS},
    **{
        (status, filter_): "needs"
        for status in ("open", "closed", "all")
        for filter_ in ("needs_response", "late")
    },
    **{(status, "mine"): "assignee" for status in ("open", "closed", "all")},
    **{(status, "unassigned"): "assignee" for status in ("open", "closed", "all")},
    ("open", "all"): "status",
    ("closed", "all"): "status",
    ("all", "all"): "list",
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    path = tmp_path / "hub.db"
    lay_database(path)
    engine = Database(f"sqlite:///{path}").sync_engine()
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
    wanted = Filter(status=status, filter=filter_, me=7, late_since=9)

    def page(connection: Connection) -> Any:
        return inbox._rows(connection, EVERYBODY, wanted, BOUND, 50, after)

    steps = plans(engine, page)
    assert f"ix_threads_{INDEXES[status, filter_]} " in steps[0]
    assert walks(steps) == []


@pytest.mark.parametrize("since", [None, 1, 7_200_000])
@pytest.mark.parametrize(("status", "filter_"), list(itertools.product(STATUSES, FILTERS)))
def test_counting_reads_no_row(
    engine: sa.Engine, status: str, filter_: str, since: int | None
) -> None:
    wanted = Filter(status=status, filter=filter_, me=7, late_since=9, since=since)
    steps = plans(engine, lambda one: inbox.filter_counts(one, EVERYBODY, wanted))
    kept = [step for step in steps if "thread_counts" in step]
    assert len(kept) == inbox_counts.LEVELS * (1 if since is None else 2)
    assert all("(organisation_id=? AND level=? AND block>? AND block<?)" in one for one in kept)
    rest = {step.partition("INDEX ")[2] for step in steps if " threads " in step}
    waiting = "ix_threads_waiting (organisation_id=? AND waiting_since>?)"
    edge = {
        "ix_threads_list (organisation_id=? AND sort_at>? AND sort_at<?)",
        "ix_threads_later (organisation_id=? AND active_at>? AND active_at<?)",
    }
    assert rest == {waiting, *(edge if since == 1 else ())}, "what does not fill an hour"


@pytest.mark.parametrize(("status", "filter_"), list(itertools.product(STATUSES, FILTERS)))
def test_a_range_until_now_has_the_filters_index_and_what_was_done_later(
    engine: sa.Engine, status: str, filter_: str
) -> None:
    source = inbox.Filter(status=status, filter=filter_, me=7, late_since=9, since=9)
    steps = plans(
        engine, lambda one: inbox._rows(one, EVERYBODY, source, BOUND, 50, None, "sorted")
    )
    assert f"ix_threads_{INDEXES[status, filter_]} (organisation_id=?" in steps[0]
    assert "sort_at>?" in steps[0]
    assert walks(steps) == []
    later = plans(engine, lambda one: inbox._rows(one, EVERYBODY, source, BOUND, 50, None, "later"))
    assert any("ix_threads_later (organisation_id=? AND active_at>?)" in step for step in later)
    assert "threads USING INTEGER PRIMARY KEY" in later[0]


@pytest.mark.parametrize(
    "narrowed",
    [
        {"since": 9, "until": 99},
        {"since": 9, "until": 99 * inbox_counts.HOUR},
        {"channels": ("mail",)},
        {"own": ("+15550100002",), "since": 9},
    ],
)
@pytest.mark.parametrize("limited", [False, True])
def test_what_only_entries_tell_is_looked_up_in_sets(
    engine: sa.Engine, narrowed: dict[str, Any], limited: bool
) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(KEPT)
    scope = LIMITED if limited else EVERYBODY
    keys = {
        "thread_sets USING INDEX sqlite_autoindex_thread_sets_1 (organisation_id=? AND name=?)",
        (
            "entries USING COVERING INDEX ix_entries_activity "
            "(organisation_id=? AND sort_at>? AND sort_at<?)"
        ),
        "threads USING INTEGER PRIMARY KEY (rowid=?)",
        "threads USING INDEX ix_threads_waiting (organisation_id=? AND waiting_since>?)",
    }
    if limited:
        keys = {
            "sights USING INDEX ix_sights_places (organisation_id=? AND places=?)",
            "sight_sets USING INDEX sqlite_autoindex_sight_sets_1 (sight_id=? AND name=?)",
            (
                "entries USING INDEX ix_entries_activity "
                "(organisation_id=? AND sort_at>? AND sort_at<?)"
            ),
            (
                "sight_threads USING COVERING INDEX ix_sight_threads_list "
                "(sight_id=? AND sort_at>? AND sort_at<?)"
            ),
            "threads USING INTEGER PRIMARY KEY (rowid=?)",
            "threads USING INDEX ix_threads_waiting (organisation_id=? AND waiting_since>?)",
        }
    for status, filter_ in itertools.product(STATUSES, FILTERS):
        wanted = Filter(status=status, filter=filter_, me=7, late_since=9, **narrowed)
        for work in (
            partial(inbox.inbox_page, scope=scope, wanted=wanted, limit=50),
            partial(inbox.filter_counts, scope=scope, wanted=wanted),
        ):
            steps = plans(engine, work)
            looked = {one.partition(" ")[2] for one in steps if one.startswith("SEARCH")}
            assert {one for one in looked if "_counts" not in one} <= keys
            assert [one for one in walks(steps) if one != "SCAN every"] == []


def test_the_order_of_a_set_is_looked_up_by_number(engine: sa.Engine) -> None:
    for sight in (None, 1):
        sets = partial(Sets, owner=Owner(LIMITED if sight else EVERYBODY, sight))
        steps = plans(engine, lambda one, sets=sets: sets(one).newest(BitMap([1, 2]), 50, None))
        assert "ix_threads_number (organisation_id=? AND number=?)" in steps[0]
    assert (
        "sight_threads USING INDEX sqlite_autoindex_sight_threads_1 (thread_id=? AND" in steps[-1]
    )


KEPT = """
INSERT INTO sights (id, organisation_id, places, state, through, sets)
VALUES (1, 1, '["email","sms"]', 'kept', -1, true)
"""


@pytest.mark.parametrize("since", [None, 7_200_000])
@pytest.mark.parametrize(("status", "filter_"), list(itertools.product(STATUSES, FILTERS)))
def test_a_limited_roles_list_has_the_same_indexes(
    engine: sa.Engine, status: str, filter_: str, since: int | None
) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(KEPT)
    wanted = Filter(status=status, filter=filter_, me=7, late_since=9, since=since)
    pages = partial(inbox.inbox_page, scope=LIMITED, wanted=wanted, limit=50, after=(1, 1))
    counts = partial(inbox.filter_counts, scope=LIMITED, wanted=wanted)
    steps = plans(engine, counts)
    assert [step for step in walks(steps) if step != "SCAN every"] == []
    rest = {step.partition("INDEX ")[2] for step in steps if " sight_threads " in step}
    assert rest <= {"ix_sight_threads_waiting (sight_id=? AND waiting_since>?)"}
    assert not any(" threads " in one or "entries" in one for one in steps), steps
    with engine.begin() as connection:  # or the page would be known to be empty
        connection.exec_driver_sql(
            "INSERT INTO sight_counts SELECT 1, level, 3, status, who, 1, 1, 1 FROM "
            "(SELECT 'open' AS status UNION SELECT 'closed'), (SELECT 7 AS who UNION SELECT -1), "
            "(SELECT 0 AS level UNION SELECT 3)"
        )
    steps = plans(engine, pages)
    (found,) = (one for one in steps if " sight_threads " in one and "_waiting " not in one)
    assert f"ix_sight_threads_{INDEXES[status, filter_]} (sight_id=?" in found
    assert "sort_at" in found
    assert [step for step in walks(steps) if step != "SCAN every"] == []


async def test_a_limited_roles_list_has_the_same_indexes_on_postgresql(
    migrated_postgres_url: str,
) -> None:
    database = Database(migrated_postgres_url)
    engine = database.async_engine()
    seen: dict[tuple[str, str], str] = {}
    async with engine.connect() as connection:
        for statement in (*FILLED, KEPT, LISTED, "ANALYZE", GENERIC):
            await connection.exec_driver_sql(statement)
        for status, filter_ in itertools.product(STATUSES, FILTERS):
            page = Filter(status=status, filter=filter_, me=7, late_since=15_000)
            values = {**LIMITED.values, **page.values, "sight": 1}
            steps = await connection.run_sync(
                plans_on_postgresql,
                lambda one, page=page, values=values: inbox._rows(
                    one, LIMITED, page, values, 50, (15_000, 15_000)
                ),
            )
            assert not any("Sort" in step for step in steps), (status, filter_, steps)
            (scan,) = (step for step in steps if "ix_sight_threads_" in step)
            seen[status, filter_] = scan.partition("ix_sight_threads_")[2].split()[0]
        steps = await connection.run_sync(
            plans_on_postgresql, lambda one: inbox.filter_counts(one, LIMITED, Filter(me=7))
        )
    await engine.dispose()
    assert seen == INDEXES
    assert not any("threads" in step or "entries" in step for step in steps), steps


MANY = """
INSERT INTO threads
SELECT number, 1, number, nullif(number % 9, 0),
  CASE WHEN number % 2 = 0 THEN 'open' ELSE 'closed' END, true, number % 50 = 0,
  (number % 70 = 0)::int, 0, 1, number, number, NULL, '', 'in', NULL, NULL, NULL, NULL, 0, 0,
  CASE WHEN number % 50 = 0 THEN number END
FROM generate_series(1, 20000) AS number
"""


LISTED = """
INSERT INTO sight_threads
  (thread_id, sight_id, assignee_id, status, needs_response, waiting_since, unread, unresolved,
   sort_at)
SELECT id, 1, assignee_id, status, needs_response, waiting_since, unread, unresolved, sort_at
FROM threads
"""
FILLED = (
    (
        "INSERT INTO organisations (id, slug, name, time_zone, created_at)"
        " VALUES (1, 'main', 'Main', 'UTC', 0)"
    ),
    (
        "INSERT INTO contacts (id, organisation_id, created_at)"
        " SELECT number, 1, 0 FROM generate_series(1, 20000) AS number"
    ),
    MANY,
)
GENERIC = "SET plan_cache_mode = force_generic_plan"
"""As for a statement that is asked often."""


async def test_each_filter_has_its_index_on_postgresql(migrated_postgres_url: str) -> None:
    database = Database(migrated_postgres_url)
    engine = database.async_engine()
    seen: dict[tuple[str, str], str] = {}
    async with engine.connect() as connection:
        for statement in (*FILLED, "ANALYZE", GENERIC):
            await connection.exec_driver_sql(statement)
        for status, filter_ in itertools.product(STATUSES, FILTERS):
            page = Filter(status=status, filter=filter_, me=7, late_since=9)
            steps = await connection.run_sync(
                plans_on_postgresql,
                lambda one, page=page: inbox._rows(
                    one, EVERYBODY, page, {**BOUND, "late": 15_000}, 50, (15_000, 15_000)
                ),
            )
            assert not any("Sort" in step for step in steps), (status, filter_, steps)
            (scan,) = (step for step in steps if "ix_threads_" in step)
            seen[status, filter_] = scan.partition("ix_threads_")[2].split()[0]
    await engine.dispose()
    assert seen == INDEXES


async def test_the_writer_goes_by_whole_keys_before_anything_is_counted(
    migrated_postgres_url: str,
) -> None:
    """Without statistics PostgreSQL takes an organisation for as small as a row, and would walk
    along all that it has."""
    database = Database(migrated_postgres_url)
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


SENDING = Transmission(
    id=1, organisation_id=1, thread_id=1, entry_id=1, channel_id="a", scheme="email",
    address="a@b.example", own_address="", wire="[]", status="sending", due_at=1, deadline=1,
    status_at=1, created_at=1,
)  # fmt: skip
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
        (lambda one: outbox.what_it_has(one, 1), "ix_attachments_entry_id"),
        (lambda one: outbox.earlier(one, SENDING, 1), "ix_entries_named (thread_id=? AND"),
        (lambda one: timeline.answered(one, 1, 1), BY_ID),
        (
            lambda one: timeline.last_of_channel(one, EVERYBODY, 1, "a"),
            "(thread_id=? AND channel_id=?)",
        ),
        (lambda one: timeline.entry_up_to_seq(one, 1, 9), "(thread_id=? AND seq<?)"),
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
        (lambda one: timeline.entry_up_to_seq(one, 1, 5), "(thread_id=? AND seq<?)"),
        (lambda one: contacts.addresses_of(one, [1, 2]), "(contact_id=?)"),
        (lambda one: contacts.thread_of(one, 1, 2), "(contact_id=?)"),
        (lambda one: contacts.of_threads(one, [1, 2]), BY_ID),
        (lambda one: contacts.consents_of(one, 1, []), "value=? AND scheme=?"),
        (
            lambda one: contacts.consent_history(one, EVERYBODY, 1, before=9, limit=5),
            "ix_consent_events_address (value=? AND scheme=?",
        ),
        (lambda one: world.load(one, [message(1), READ, ACCEPTED]), "SEARCH"),
        (lambda one: world.load(one, [DIALLED]), "ix_transmissions_begun (status=?"),
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


def test_a_message_asks_nothing_that_only_calls_need(engine: sa.Engine) -> None:
    steps = plans(engine, lambda one: world.load(one, [message(1), READ, ACCEPTED, NOTE]))
    assert not any("ix_transmissions_begun" in step for step in steps)


def test_a_call_is_moved_without_reading_whole_conversations(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for table, row in (
            (t.contacts, {"id": 1}),
            (t.contacts, {"id": 2}),
            (t.threads, {"id": 1, "contact_id": 1}),
            (t.threads, {"id": 2, "contact_id": 2}),
            (t.entries, {"id": 1, "thread_id": 1, "seq": 1, "kind": "call", "channel_id": "voice"}),
        ):
            values = {
                column.name: "" if isinstance(column.type, sa.Text) else 0
                for column in table.columns
                if not column.nullable
            }
            connection.execute(sa.insert(table), [{**values, "organisation_id": 1, **row}])
    steps = plans(engine, lambda one: world.load(one, [MOVED]))
    last_ones = [step for step in steps if "ix_entries_thread (thread_id=?)" in step]
    assert len(last_ones) == 12, "six for each of the two conversations"
    sorts = [step for step in walks(steps) if step.startswith("USE TEMP")]
    assert (walks(steps), len(sorts)) == (sorts, 2), "the threads and the transmissions"
