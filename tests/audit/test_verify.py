"""Whatever is done to lines of the audit behind the hub's back is refused, and told if it was done
all the same."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from hub.app import audit as app
from hub.store import audit
from hub.store import tables as t
from hub.store.audit import Last
from tests import books
from tests.audit.conftest import ORG, OTHER, START, Bench, line, organisations, write
from tests.people.conftest import House, house

__all__ = ["house"]
_MARK = re.compile(r"Last: (\d+:[0-9a-f]*)$", re.MULTILINE)


def fill(connection: Connection, count: int) -> None:
    organisations(connection)
    lines = [line(100 + n, n, START + n, ORG if n % 4 else OTHER) for n in range(count)]
    write(connection, lines)


def look(bench: Bench, since: Last | None = None) -> app.Checked:
    return bench.run(app.check(bench.database, "o1", ORG, since or Last()))


def rows_of(connection: Connection) -> list[Any]:
    own = t.audit.c
    statement = sa.select(t.audit).where(own.organisation_id == ORG).order_by(own.seq)
    return list(connection.execute(statement))


def put_aside(connection: Connection, rows: list[Any], by: int) -> None:
    """Other places for rows, without meeting any that is taken on the way."""
    own = t.audit.c
    for far in (1_000_000, 0):
        for row in rows:
            seq = row.seq + by + far
            connection.execute(sa.update(t.audit).where(own.id == row.id).values(seq=seq))


def change(connection: Connection, at: int, draw: Any) -> int:
    """Another thing is said of it."""
    row = rows_of(connection)[at]
    field = draw(
        st.sampled_from(
            ["at", "actor_kind", "actor_id", "remote", "action", "object_kind", "object_id",
             "before", "after"]
        )
    )  # fmt: skip
    value = START + 10**6 if field in {"at", "actor_id"} else "another"
    connection.execute(sa.update(t.audit).where(t.audit.c.id == row.id).values({field: value}))
    return row.seq


def change_with_digest(connection: Connection, at: int, draw: Any) -> int:
    """The same by somebody who knows how digests are made: the next one gives it away, or the
    organisation."""
    rows = rows_of(connection)
    before = rows[at - 1].digest if at else ""
    said = {**rows[at]._mapping, "after": '"another"'}
    digest = audit.digest_of(before, said)
    connection.execute(
        sa.update(t.audit)
        .where(t.audit.c.id == rows[at].id)
        .values(after='"another"', digest=digest)
    )
    return min(rows[at].seq + 1, len(rows))


def remove(connection: Connection, at: int, draw: Any) -> int:
    """Gone, and perhaps those behind it have moved up."""
    rows = rows_of(connection)
    connection.execute(sa.delete(t.audit).where(t.audit.c.id == rows[at].id))
    if draw(st.booleans()):
        put_aside(connection, rows[at + 1 :], -1)
    return rows[at].seq


def insert(connection: Connection, at: int, draw: Any) -> int:
    """One more, whose digest follows."""
    rows = rows_of(connection)
    put_aside(connection, rows[at + 1 :], 1)
    more: dict[str, Any] = line(999_999, 3, START)
    more |= {"digest": audit.digest_of(rows[at].digest, more), "seq": rows[at].seq + 1}
    connection.execute(sa.insert(t.audit), [more])
    return min(rows[at].seq + 2, len(rows)) if at + 1 < len(rows) else len(rows) + 1


def swap(connection: Connection, at: int, draw: Any) -> int:
    """Two that stand the other way round."""
    rows = rows_of(connection)
    with_ = (at + 1) % len(rows)
    first, second = sorted((at, with_))
    put_aside(connection, [rows[first]], 500_000)
    put_aside(connection, [rows[second]], rows[first].seq - rows[second].seq)
    moved = rows_of(connection)[-1]
    put_aside(connection, [moved], rows[second].seq - moved.seq)
    return rows[first].seq


def truncate(connection: Connection, at: int, draw: Any) -> int:
    """The end is gone."""
    connection.execute(sa.delete(t.audit).where(t.audit.c.id >= rows_of(connection)[at].id))
    return at + 1


def put_before(connection: Connection, at: int, draw: Any) -> int:
    """One before the first."""
    more: dict[str, Any] = line(1, 3, START)
    seq = -at
    more |= {"digest": audit.digest_of("", more), "seq": seq}
    connection.execute(sa.insert(t.audit), [more])
    return seq


def forget(connection: Connection, at: int, draw: Any) -> int:
    """The organisation says that there are fewer, with the right digest or another."""
    rows = rows_of(connection)
    count = rows[at].seq - 1
    right = draw(st.booleans())
    digest = (rows[at - 1].digest if at else "") if right else rows[at].digest
    connection.execute(
        sa.update(t.organisations)
        .where(t.organisations.c.id == ORG)
        .values(audit_count=count, audit_digest=digest)
    )
    return count + right


TAMPERED = (
    change, change_with_digest, remove, insert, swap, truncate, put_before, forget,
)  # fmt: skip


@pytest.mark.feature("ASGN-05")
@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda one: one.__name__)
def test_whatever_was_done_is_told(
    bench: Bench, tamper: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    @settings(max_examples=12 if bench.database.dialect == "postgresql" else 40, deadline=None)
    @given(st.integers(2, 12), st.integers(0, 100), st.integers(1, 6), st.data())
    def check(count: int, place: int, step: int, data: st.DataObject) -> None:
        monkeypatch.setattr(app, "STEP", step)

        def work(connection: Connection) -> int:
            fill(connection, count * 2)
            return tamper(connection, place % len(rows_of(connection)), data.draw)

        bench.write(lambda connection: fill(connection, count * 2))
        whole = look(bench)
        assert whole.fault is None
        assert "whole" in str(whole)
        wrong = bench.write(work)
        found = look(bench)
        assert found.fault is not None, tamper.__name__
        assert found.fault.seq == wrong, (found.fault, wrong)
        assert f"line {found.fault.seq:,}" in str(found)
        assert found.mark.count <= max(found.fault.seq, 0)

    check()


@pytest.mark.feature("ASGN-05")
def test_an_end_that_was_cut_with_its_count_is_told_by_a_mark(bench: Bench) -> None:
    """Nothing in the database tells of it; what was kept elsewhere does."""
    bench.write(lambda connection: fill(connection, 12))
    kept = look(bench).mark
    assert kept.count == 9

    def cut(connection: Connection) -> None:
        rows = rows_of(connection)
        connection.execute(sa.delete(t.audit).where(t.audit.c.id == rows[-1].id))
        end = {"audit_count": rows[-2].seq, "audit_digest": rows[-2].digest}
        own = t.organisations
        connection.execute(sa.update(own).where(own.c.id == ORG).values(end))

    bench.write(cut)
    assert look(bench).fault is None
    fault = look(bench, kept).fault
    assert fault is not None
    assert fault.seq == 9
    bench.write(lambda connection: write(connection, [line(500, 5, START)]))
    fault = look(bench, kept).fault
    assert fault is not None
    assert fault.seq == 9, "another one stands there now"
    now = look(bench).mark
    bench.write(lambda connection: write(connection, [line(501, 6, START)]))
    assert "1 line since line 9, whole" in str(look(bench, now))


@pytest.mark.feature("ASGN-05")
def test_both_databases_refuse_to_change_a_line(database_url: str) -> None:
    bench = Bench(database_url)

    def fill_guarded(connection: Connection) -> None:
        row = {"id": ORG, "slug": "o1", "name": "O", "time_zone": "UTC", "created_at": 0}
        connection.execute(sa.insert(t.organisations), [row])
        write(connection, [line(1, 1, START), line(2, 2, START)])

    bench.write(fill_guarded)
    refused = ["UPDATE audit SET action = 'x' WHERE id = 1", "DELETE FROM audit WHERE id = 1"]
    if bench.database.dialect == "postgresql":
        refused.append("TRUNCATE audit")
    for statement in refused:
        with pytest.raises(DBAPIError, match="only ever added"):
            bench.write(lambda one, statement=statement: one.exec_driver_sql(statement))
    assert bench.read(lambda one: len(books.rows(one, t.audit))) == 2
    bench.close()


@pytest.mark.feature("ASGN-05")
def test_the_command_while_the_hub_runs(house: House) -> None:
    house.ana.post("roles", {"name": "Evening", "capabilities": []})
    done = house.hub.run("audit", "verify")
    assert (done.returncode, done.stderr) == (0, "")
    branch, main = done.stdout.splitlines()
    assert branch.startswith("branch: ")
    assert re.match(r"main: \d+ lines?, whole\. Last: \d+:[0-9a-f]{64}$", main)
    mark = _MARK.findall(main)[0]
    house.ana.post("roles", {"name": "Weekend", "capabilities": []})
    since = ("audit", "verify", "--organisation", "main", "--since")
    done = house.hub.run(*since, mark)
    assert "1 line since line" in done.stdout, done.stderr
    wrong = house.hub.run(*since, mark[:-1] + ("0" if mark[-1] != "0" else "1"))
    assert (wrong.returncode, wrong.stderr) == (1, "")
    assert "is not the one whose digest was kept" in wrong.stdout
    for bad in (("--since", "nonsense", "--organisation", "main"), ("--organisation", "none")):
        assert house.hub.run("audit", "verify", *bad).returncode == 1
    assert house.hub.run("audit", "verify", "--since", mark).returncode == 2, "of which one?"


@pytest.mark.feature("ASGN-05")
def test_the_command_names_the_line(house: House) -> None:
    made = house.ana.post("roles", {"name": "Bad", "capabilities": []})
    (row,) = house.audited("role.made", made["id"])

    def tamper(connection: Connection) -> None:
        books.unguard(connection)
        own = t.audit
        connection.execute(sa.update(own).where(own.c.id == row.id).values(actor_id=1))

    asyncio.run(books.write(house.url, tamper))
    house.ana.post("roles", {"name": "Later", "capabilities": []})
    done = house.hub.run("audit", "verify")
    assert done.returncode == 1
    assert f"main: line {row.seq:,} (id {row.id}, 20" in done.stdout
    assert "branch: " in done.stdout
