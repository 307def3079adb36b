"""The audit as it is read: pages by any filter, names, the export, and what it costs."""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from hub.flow.views.audit import csv_rows, lines, read
from hub.store import audit, audit_log
from hub.store import tables as t
from hub.store.audit_log import Wanted
from hub.store.database import Database
from hub.store.ids import first_at
from tests import books
from tests.audit.conftest import (
    ACTIONS,
    ACTORS,
    OBJECTS,
    ORG,
    OTHER,
    START,
    Bench,
    line,
    organisations,
    write,
)
from tests.hubs import lay_database, wait_for
from tests.inbox.test_plans import plans, plans_on_postgresql, walks
from tests.people.conftest import House, house
from tests.people.test_walk import thread_with
from tests.web.asking import check_problem

__all__ = ["house"]
LAST = (1 << 63) - 1
MINUTE = 60_000

wanteds = st.builds(
    lambda actor, object_, action, words, since, before, kind_only: Wanted(
        actor_kind=None if actor is None else actor.kind,
        actor_id=None if actor is None or kind_only else actor.id,
        object_kind=None if object_ is None else object_[0],
        object_id=None if object_ is None or kind_only else object_[1],
        action=action,
        words=words,
        since=None if since is None else START + since * MINUTE,
        before=None if before is None else START + before * MINUTE,
    ),
    st.none() | st.sampled_from(ACTORS),
    st.none() | st.sampled_from(OBJECTS),
    st.none() | st.sampled_from([*ACTIONS, "no.such"]),
    st.sampled_from([(), ("role",), ("thread", "st"), ("changed",), ("nothing",)]),
    st.none() | st.integers(0, 40),
    st.none() | st.integers(0, 40),
    st.booleans(),
)


def fits(row: Any, wanted: Wanted) -> bool:
    """The filter, the slow way."""
    whole = wanted.actor_id is not None or wanted.actor_kind in {"system", "operator"}
    return (
        row.organisation_id == ORG
        and wanted.actor_kind in (None, row.actor_kind)
        and (not whole or row.actor_id == wanted.actor_id)
        and wanted.action in (None, row.action)
        and wanted.object_kind in (None, row.object_kind)
        and wanted.object_id in (None, row.object_id)
        and all(word in row.action for word in wanted.words)
        and (wanted.since is None or row.at >= wanted.since)
        and (wanted.before is None or row.at < wanted.before)
    )


@pytest.mark.feature("ASGN-05")
def test_pages_hold_what_is_asked_for_and_nothing_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(connection: Connection) -> list[Any]:
        organisations(connection)
        made: list[Any] = []
        for n in range(120):
            at = START + (n // 3) * MINUTE
            number = (n * 7) % 60 if n % 2 else n
            made.append(line(first_at(at) + n, number, at, OTHER if n % 11 == 0 else ORG))
        write(connection, made)
        return list(connection.execute(sa.select(t.audit).order_by(t.audit.c.id.desc())))

    rows = bench.write(fill)

    @settings(max_examples=40 if bench.database.dialect == "postgresql" else 150, deadline=None)
    @given(wanteds, st.integers(1, 40), st.integers(1, 50))
    def check(wanted: Wanted, limit: int, looked_at: int) -> None:
        monkeypatch.setattr(audit_log, "LOOKED_AT", looked_at)
        found: list[int] = []
        place: int | None = LAST
        while place is not None:
            page = bench.read(
                lambda one, place=place: audit_log.page(one, ORG, wanted, before=place, limit=limit)
            )
            assert len(page.rows) <= limit
            assert page.next is None or page.next < place, "it goes on"
            found += [row.id for row in page.rows]
            place = page.next
        assert found == [row.id for row in rows if fits(row, wanted)]

    check()
    assert set(bench.read(lambda one: audit_log.actions(one, ORG))) == set(ACTIONS)


FILTERS = {
    "all": (Wanted(), "ix_audit_organisation"),
    "times": (Wanted(since=START, before=START + 1), "ix_audit_organisation"),
    "kind": (Wanted(object_kind="role"), "ix_audit_organisation"),
    "object": (Wanted(object_kind="role", object_id="1", action="role.made"), "ix_audit_object"),
    "action": (Wanted(action="role.made", actor_kind="system"), "ix_audit_action"),
    "words": (Wanted(words=("role",)), "ix_audit_action"),
    "actor": (Wanted(actor_kind="member", actor_id=7, object_kind="role"), "ix_audit_actor"),
    "hub": (Wanted(actor_kind="system"), "ix_audit_actor"),
}


@pytest.mark.parametrize("name", FILTERS)
async def test_each_filter_has_its_index(tmp_path: Path, name: str) -> None:
    wanted, index = FILTERS[name]
    path = tmp_path / "hub.db"
    lay_database(path)
    engine = Database(f"sqlite:///{path}").sync_engine()
    with engine.begin() as connection:
        organisations(connection)
        write(connection, [line(1, 1, START)])
    steps = plans(engine, lambda one: audit_log.page(one, ORG, wanted, before=LAST, limit=50))
    engine.dispose()
    own = [step for step in steps if " audit " in step]
    assert own
    assert all(f"{index} " in step for step in own), steps
    assert [step for step in walks(steps) if step != "SCAN named"] == []


MANY = """
INSERT INTO audit (id, organisation_id, at, actor_kind, actor_id, action, object_kind, object_id,
  digest, seq)
SELECT number, 1, number, CASE WHEN number % 3 = 0 THEN 'system' ELSE 'member' END,
  nullif(number % 3, 0), CASE WHEN number % 2 = 0 THEN 'role.made' ELSE 'role.changed' END,
  CASE WHEN number % 5 = 0 THEN 'role' ELSE 'thread' END, (number % 100)::text, '', number
FROM generate_series(1, 30000) AS number
"""


async def test_each_filter_has_its_index_on_postgresql(migrated_postgres_url: str) -> None:
    database = Database(migrated_postgres_url)
    engine = database.async_engine()
    async with engine.connect() as connection:
        for statement in (MANY, "ANALYZE", "SET plan_cache_mode = force_generic_plan"):
            await connection.exec_driver_sql(statement)
        for wanted, _ in FILTERS.values():
            steps = await connection.run_sync(
                plans_on_postgresql,
                lambda one, wanted=wanted: audit_log.page(
                    one, ORG, wanted, before=20_000, limit=50
                ),
            )
            assert not any("Sort" in step or "Seq Scan" in step for step in steps), steps
    await engine.dispose()


@pytest.mark.feature("ASGN-05")
def test_who_when_from_where_before_and_after(house: House) -> None:
    made = house.ana.post("roles", {"name": "Desk", "capabilities": ["messages.view"]})
    ben = house.add("Desk")
    id_, script = house.token(house.ana, "members.manage", "messages.view")
    script.patch(f"roles/{made['id']}", {"name": "Front desk"})
    house.ana.text("+12025558001", "hello", channel="front")
    thread = wait_for(lambda: thread_with(house.ana, "8001"), what="the conversation")
    house.ana.patch(f"threads/{thread['id']}", {"assignee_id": ben.member_id})
    page = house.ana.get("audit", object_kind="role", object_id=made["id"])
    changed, first = page["items"]
    assert page["next_cursor"] is None
    assert (first["action"], first["before"]) == ("role.made", None)
    assert first["after"]["name"] == "Desk"
    assert first["object"]["name"] == "Front desk", "as it is called now"
    assert first["actor"]["kind"] == "member"
    assert first["actor"]["name"]
    assert first["remote"] == "127.0.0.1"
    assert changed["actor"] == {
        "kind": "token", "id": id_, "name": "script", "member": first["actor"]["name"],
    }  # fmt: skip
    assert (changed["before"]["name"], changed["after"]["name"]) == ("Desk", "Front desk")
    (assigned, *_) = house.ana.get("audit", q="assignee", limit=1)["items"]
    assert assigned["object"]["thread_id"] == thread["id"]
    assert assigned["object"]["name"] == thread["contact"]["display"]
    assert assigned["before"] is None
    assert assigned["after"] == {"id": ben.member_id, "name": ben.email}
    by_token = house.ana.get("audit", actor_kind="token", actor_id=id_)["items"]
    assert [one["id"] for one in by_token] == [changed["id"]]
    house.ana.call("PATCH", f"members/{ben.member_id}", {"role_id": house.role_id("User SMS")})
    house.ana.call("DELETE", f"roles/{made['id']}")
    (gone, *_) = house.ana.get("audit", object_id=made["id"], object_kind="role")["items"]
    assert (gone["action"], gone["object"]["name"]) == ("role.deleted", "Front desk")


@pytest.mark.feature("ASGN-05")
def test_it_goes_on_from_page_to_page(house: House) -> None:
    for number in range(5):
        made = house.ana.post("roles", {"name": f"Page {number}", "capabilities": []})
        house.ana.call("DELETE", f"roles/{made['id']}")
    whole = house.ana.get("audit", limit=200)["items"]
    pages: list[Any] = []
    cursor: dict[str, str] = {}
    for _ in itertools.count():
        page = house.ana.get("audit", limit=3, **cursor)
        pages += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert pages == whole
    assert [one["seq"] for one in whole] == list(range(len(whole), 0, -1))
    lea = house.add("Admin", "branch").client
    assert not {one["id"] for one in lea.get("audit")["items"]} & {one["id"] for one in whole}


@pytest.mark.feature("ASGN-05", "PERM-02")
def test_who_may_read_it(house: House) -> None:
    check_problem(house.add("User SMS").client.call("GET", "audit"), 403)
    house.ana.post("roles", {"name": "Auditor", "capabilities": ["audit.view"]})
    assert house.add("Auditor").client.get("audit")["items"]
    wanted = {"name": "Part", "capabilities": ["audit.view"], "channels": ["front"]}
    house.ana.post("roles", wanted)
    refused = check_problem(house.add("Part").client.call("GET", "audit"), 403)
    assert "sees only some" in refused["detail"]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert house.ana.call(method, "audit", {}).status_code == 405
    for wrong in ({"from": "yesterday"}, {"actor_kind": "king"}, {"cursor": "x"}, {"q": "x" * 300}):
        problem = check_problem(house.ana.http.get(house.ana.path("audit"), params=wrong), 400)
        assert [one["field"] for one in problem["errors"]] == list(wrong)


@pytest.mark.feature("ASGN-05")
def test_the_export_holds_everything_asked_for_and_is_audited(house: House) -> None:
    house.ana.post("roles", {"name": "=HYPERLINK(1)", "capabilities": []})
    path = house.ana.path("audit")
    answer = house.ana.http.get(
        path, params={"q": "role", "limit": "2"}, headers={"Accept": "text/csv"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-main-')
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    shown = house.ana.get("audit", q="role", limit=200)["items"]
    assert [row["id"] for row in rows] == [one["id"] for one in shown]
    assert rows[0]["object"] == "'=HYPERLINK(1)", "no spreadsheet computes it"
    assert rows[0]["at"].endswith("Z")
    assert rows[0]["digest"] == shown[0]["digest"]
    (line_, *_) = house.ana.get("audit", limit=1)["items"]
    assert (line_["action"], line_["after"]) == ("audit.exported", {"q": "role"})
    assert line_["actor"]["name"]


def test_an_export_is_read_in_steps(house: House) -> None:
    """However long it is: more lines than one step reads all come, each once."""

    def more(connection: Connection) -> None:
        own = t.organisations.c
        org = connection.execute(sa.select(own.id).where(own.slug == "branch")).scalar_one()
        made = [line(10**6 + n, n, START + n, org) for n in range(2_500)]
        audit.append(connection, org, made)

    asyncio.run(books.write(house.url, more))
    lea = house.add("Admin", "branch").client
    answer = lea.http.get(lea.path("audit"), headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == len({row["id"] for row in rows}) >= 2_500
    places = [int(row["seq"]) for row in rows[-2_500:]]
    assert places == list(range(places[0], places[0] - 2_500, -1))


def test_no_cell_is_a_formula(bench: Bench) -> None:
    def fill(connection: Connection) -> list[Any]:
        organisations(connection)
        one = line(1, 1, START)
        one |= {"object_id": "@x", "remote": "+1", "action": "-a", "object_kind": "\tk"}
        write(connection, [one])
        return list(connection.execute(sa.select(t.audit)))

    rows = bench.write(fill)
    text = csv_rows(lines(bench.read(lambda one: read(one, ORG, rows)))).decode()
    (cells,) = csv.reader(io.StringIO(text))
    assert {"'@x", "'+1", "'-a", "'\tk"} <= set(cells)
