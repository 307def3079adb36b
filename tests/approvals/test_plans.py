"""The queue, and what people have said of being written to, are read by an index on both databases,
however much was decided and said before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hub.rules.sight import number
from hub.store import approvals, contacts
from hub.store import tables as t
from hub.store.contacts import AddressRow
from hub.store.database import Database
from hub.store.scope import Scope
from tests.inbox.test_plans import plans, plans_on_postgresql, walks

OWN = "+15550109999"
SCOPES = {
    "all": Scope(1),
    "channels": Scope(1, frozenset({"sms"})),
    "numbers": Scope(1, frozenset({"chat", number("sms", OWN)})),
}
ANA = AddressRow(id=5, contact_id=5, scheme="phone", value="+5", display="", verified=True)
Asked = Callable[[Connection, Scope], Any]
QUEUE: dict[str, tuple[Asked, str]] = {
    "waiting": (
        lambda one, scope: approvals.queue(one, scope, state="waiting", limit=50),
        "ix_approvals_state",
    ),
    "waiting, next": (
        lambda one, scope: approvals.queue(one, scope, state="waiting", limit=50, after=9),
        "ix_approvals_state",
    ),
    "rejected": (
        lambda one, scope: approvals.queue(one, scope, state="rejected", limit=50),
        "ix_approvals_state",
    ),
    "rejected, next": (
        lambda one, scope: approvals.queue(one, scope, state="rejected", limit=50, after=9_000),
        "ix_approvals_state",
    ),
    "any": (
        lambda one, scope: approvals.queue(one, scope, state=None, limit=50),
        "ix_approvals_list",
    ),
    "any, next": (
        lambda one, scope: approvals.queue(one, scope, state=None, limit=50, after=9_000),
        "ix_approvals_list",
    ),
    "how many": (lambda one, scope: approvals.waiting_for(one, scope, 7), "ix_approvals_state"),
    "some": (lambda one, scope: approvals.queued_by_id(one, scope, [5, 6]), "approvals"),
    "of entries": (lambda one, _: approvals.of_entries(one, [5, 6]), "approvals"),
}
CONSENTS: dict[str, tuple[Asked, str]] = {
    "what holds": (lambda one, _: contacts.consents_of(one, 1, [ANA]), "ix_consents_address"),
    "history": (
        lambda one, scope: contacts.consent_history(one, scope, 5, before=99_999, limit=5),
        "ix_consent_events_address",
    ),
}
MANY = (
    ("INSERT INTO organisations (id, slug, name, time_zone, created_at)"
    " VALUES (1, 'main', 'Main', 'UTC', 0)"),
    ("INSERT INTO approvals (entry_id, organisation_id, channel_id, member_id, state, proposal,"
    " submitted_at) SELECT number, CASE WHEN number % 20 = 0 THEN 1 ELSE 2 END, 'sms',"
    " number % 9, CASE WHEN number % 500 = 0 THEN 'waiting'"
    " WHEN number % 700 = 0 THEN 'rejected' ELSE 'approved' END, '{}', 0"
    " FROM generate_series(1, 20000) AS number"),
    ("INSERT INTO addresses (id, organisation_id, contact_id, scheme, value, verified,"
    " created_at)"
    " SELECT number, 1, number, 'phone', '+' || number, true, 0"
    " FROM generate_series(1, 20000) AS number"),
    ("INSERT INTO consents (organisation_id, channel_id, scheme, value, own_address, state,"
    " how, at) SELECT 1, 'sms', 'phone', '+' || number, '', 'out', '', 0"
    " FROM generate_series(1, 20000) AS number"),
    ("INSERT INTO consent_events (id, organisation_id, channel_id, scheme, value, own_address,"
    " state, how, at) SELECT number, 1, 'sms', 'phone', '+' || number, '', 'out', '', 0"
    " FROM generate_series(1, 20000) AS number"),
    "ANALYZE",
    "SET plan_cache_mode = force_generic_plan",  # as for a statement that is asked often
)  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[sa.Engine]:
    path = tmp_path_factory.mktemp("plans") / "hub.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    engine = Database(f"sqlite:///{path}").sync_engine()
    yield engine
    engine.dispose()


@pytest.mark.parametrize("width", SCOPES)
@pytest.mark.parametrize("asked", QUEUE | CONSENTS)
def test_on_sqlite(engine: sa.Engine, asked: str, width: str) -> None:
    work, by = (QUEUE | CONSENTS)[asked]
    steps = plans(engine, lambda one: work(one, SCOPES[width]))
    assert any(by in step for step in steps), steps
    # What one person has said is put in order, as are single messages.
    few = () if asked in QUEUE and asked != "some" else ("USE TEMP",)
    assert [step for step in walks(steps) if not step.startswith(few)] == []


def many_entries(connection: Connection) -> None:
    """One for each approval."""
    needed = {
        column.name: "" if isinstance(column.type, sa.Text) else 0
        for column in t.entries.columns
        if not column.nullable
    }
    connection.execute(sa.insert(t.entries), [{**needed, "id": 1, "organisation_id": 1, "seq": 1}])
    same = [name for name in needed if name not in {"id", "seq"}]
    names = ", ".join(same)
    connection.exec_driver_sql(
        f"INSERT INTO entries (id, seq, {names}) SELECT number, number, {names}"
        " FROM entries, generate_series(2, 20000) AS number"
    )


async def test_on_postgresql(migrated_postgres_url: str) -> None:
    database = Database(migrated_postgres_url)
    engine = database.async_engine()
    async with engine.connect() as connection:
        await connection.run_sync(many_entries)
        for statement in MANY:
            await connection.exec_driver_sql(statement)
        for asked, (work, by) in (QUEUE | CONSENTS).items():
            for width, scope in SCOPES.items():
                steps = await connection.run_sync(
                    plans_on_postgresql, lambda one, work=work, scope=scope: work(one, scope)
                )
                named = (asked, width, steps)
                # Where the first pages are small anyway, the key itself does as well.
                ways = (by, "pk_approvals") if asked.startswith("any") else (by,)
                assert any(way in step for way in ways for step in steps), named
                tables = ("approvals", "consents", "consent_events", "addresses")
                walked = [f"Seq Scan on {table}" for table in tables]
                assert not any(one in step for one in walked for step in steps), named
                if asked in QUEUE and asked != "some":
                    assert not any("Sort" in step for step in steps), named
    await engine.dispose()
