"""Roles that see single numbers: whatever they read equals what reading every entry finds."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from hub.flow.stream import read_changes
from hub.rules import sight
from hub.store import approvals, inbox, journal, timeline
from hub.store import tables as t
from hub.store.inbox import FILTERS, STATUSES, Filter
from hub.store.scope import Scope
from tests import books
from tests.hubs import wait_for
from tests.inbox.test_plans import engine, plans, walks
from tests.patience import PATIENCE
from tests.people.conftest import House
from tests.people.test_walk import stream, thread_with
from tests.record import machine
from tests.record.test_batches import Workbench, workbench
from tests.web.asking import check_problem

__all__ = ["engine", "workbench"]
PLACES = [*machine.PLACES, sight.number("sms", "")]
ME = 1
# What is late goes by the clock and by targets, which no history here has.
TABS = tuple(name for name in FILTERS if name != "late")


class Seen:
    """What a role sees, by reading every entry."""

    def __init__(self, connection: Connection, scope: Scope) -> None:
        self.entries = {
            one.id: one
            for one in books.rows(connection, t.entries)
            if one.organisation_id == scope.organisation_id
            and (
                one.channel_id is None
                or one.channel_id in (scope.channels or ())
                or f"{one.channel_id} {one.own_address}" in (scope.channels or ())
            )
        }
        everything = {one.id: one for one in books.rows(connection, t.threads)}
        self.threads: dict[int, dict[str, Any]] = {}
        for thread_id, own in self.by_thread().items():
            on = [one for one in own if one.channel_id is not None]
            if not on:
                continue
            thread = everything[thread_id]
            unread, unresolved = books.unread(thread, on)
            told = [one for one in own if one.kind != "system"]
            last = max(told, key=lambda one: (one.sort_at, one.id), default=None)
            self.threads[thread_id] = {
                "sort_at": max(one.sort_at for one in on),
                "active_at": max(one.sort_at for one in on),
                "unread": unread,
                "unresolved": unresolved,
                "preview": "" if last is None else last.preview,
                "preview_channel_id": None if last is None else last.channel_id,
                "preview_status": None if last is None else last.status,
                "preview_author_id": last.author_id
                if last and last.author_kind == "member"
                else None,
                "status": thread.status,
                "assignee_id": thread.assignee_id,
                "needs_response": thread.needs_response,
            }
        self.entries = {
            id_: one for id_, one in self.entries.items() if one.thread_id in self.threads
        }

    def by_thread(self) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = {}
        for one in self.entries.values():
            found.setdefault(one.thread_id, []).append(one)
        return found

    def list(self, wanted: Filter) -> list[int]:
        """The list, in its order."""
        fitting = [
            (one["sort_at"], id_)
            for id_, one in self.threads.items()
            if wanted.status in ("all", "unread", one["status"])
            and (one["unread"] > 0 or "unread" not in (wanted.status, wanted.filter))
            and (one["needs_response"] or wanted.filter != "needs_response")
            and (one["assignee_id"] is None or wanted.filter != "unassigned")
            and (one["assignee_id"] == wanted.me or wanted.filter != "mine")
        ]
        return [id_ for _, id_ in sorted(fitting, reverse=True)]


def compare(connection: Connection, scope: Scope) -> None:
    """Everything that is read with a scope, beside what is seen."""
    seen = Seen(connection, scope)
    for status, filter_ in itertools.product(STATUSES, TABS):
        wanted = Filter(status=status, filter=filter_, me=ME)
        found: list[int] = []
        after = None
        while rows := inbox.inbox_page(connection, scope, wanted, limit=2, after=after):
            found += [row.id for row in rows]
            after = rows[-1].sort_at, rows[-1].id
        assert found == seen.list(wanted), (status, filter_)
        by_filter, by_status, unread = inbox.filter_counts(connection, scope, wanted)
        assert {name: by_filter[name] for name in TABS} == {
            name: len(seen.list(Filter(status=status, filter=name, me=ME))) for name in TABS
        }
        assert by_status == {
            name: len(seen.list(Filter(status=name, filter=filter_, me=ME))) for name in STATUSES
        }
        assert unread == len(seen.list(Filter(status="unread")))
    threads = [one.id for one in books.rows(connection, t.threads)]
    rows = {row.id: row for row in inbox.threads_by_id(connection, scope, threads)}
    assert rows.keys() == seen.threads.keys()
    for id_, facts in seen.threads.items():
        assert {name: getattr(rows[id_], name) for name in facts} == facts
        own = sorted(
            (one for one in seen.entries.values() if one.thread_id == id_),
            key=lambda one: (one.sort_at, one.id),
        )
        page = timeline.thread_timeline(connection, scope, id_, limit=1_000)
        assert [row.id for row in page] == [one.id for one in own]
        used = {one.channel_id for one in own if one.channel_id is not None}
        assert set(inbox.channels_of(connection, scope, [id_])[id_]) == used
        assert rows[id_].channel_id in {*used, None}
    everything = [one.id for one in books.rows(connection, t.entries)]
    stand = {row.id for row in timeline.entries_by_id(connection, scope, everything)}
    assert stand == seen.entries.keys()
    lines = journal.changes_since(connection, scope.organisation_id, 0, 10_000)
    changed = read_changes(connection, (scope, True), 0, list(lines))
    carried = {row.id for row in changed.entries.rows}
    assert carried == {line.entry_id for line in lines} & seen.entries.keys()
    assert {row.id for row in changed.threads.rows} <= seen.threads.keys()
    waiting = {
        one.entry_id
        for one in books.rows(connection, t.approvals)
        if one.entry_id in seen.entries and one.organisation_id == scope.organisation_id
    }
    assert {one.entry.id for one in changed.queue.rows} == waiting
    assert approvals.waiting_for(connection, scope, ME) == sum(
        one.state == "waiting" and one.member_id != ME
        for one in books.rows(connection, t.approvals)
        if one.entry_id in waiting
    )


@pytest.mark.feature("PERM-03")
@pytest.mark.parametrize("histories", ["histories", "proposals"])
def test_a_role_reads_what_reading_every_entry_finds(workbench: Workbench, histories: str) -> None:
    fewer = workbench.dialect == "postgresql"  # each of its statements is a round trip

    @settings(max_examples=5 if fewer else 25, deadline=None)
    @given(getattr(machine, histories), st.sets(st.sampled_from(PLACES)))
    def check(history: list[machine.Step], places: set[str]) -> None:
        def work(connection: Connection) -> None:
            machine.prepare(connection)
            machine.one_at_a_time(connection, history)
            compare(connection, Scope(1, frozenset(places)))

        workbench.run(work)

    check()


NUMBERS = Scope(1, frozenset({"chat", f"sms {machine.OWN[0]}"}))


def test_numbers_are_read_by_index(engine: Any) -> None:
    for work in (
        lambda one: inbox.inbox_page(one, NUMBERS, Filter(), limit=50),
        lambda one: inbox.filter_counts(one, NUMBERS, Filter()),
        lambda one: inbox.threads_by_id(one, NUMBERS, [1, 2]),
        lambda one: timeline.entries_by_id(one, NUMBERS, [1, 2]),
        lambda one: timeline.thread_timeline(one, NUMBERS, 1, limit=50),
        lambda one: timeline.last_of_channel(one, NUMBERS, 1, "sms"),
        lambda one: inbox.channels_of(one, NUMBERS, [1, 2]),
    ):
        steps = plans(engine, work)
        small = ("SCAN both", "SCAN own", "SCAN (subquery")
        bad = [one for one in walks(steps) if not one.startswith((*small, "USE TEMP"))]
        assert bad == [], steps


def test_who_sees_everything_pays_nothing(engine: Any) -> None:
    for scope in (Scope(1), Scope(1, frozenset({"sms"}))):
        steps = plans(engine, lambda one, scope=scope: inbox.filter_counts(one, scope, Filter()))
        assert not any("entries" in step for step in steps)


# ---------------------------------------------------------------------- over HTTP

BRANCH = {"channel_id": "workshop", "address": "+12025550200"}
CAPABILITIES = ["messages.view", "messages.send", "channels.manage", "members.manage"]


@pytest.fixture
def clerk(house: House) -> Any:
    """Somebody who sees one number of the workshop, and the front desk not at all."""
    name = f"Branch {len(house.ana.get('roles'))}"
    house.ana.post(
        "roles",
        {"name": name, "capabilities": CAPABILITIES, "channels": [], "own_addresses": [BRANCH]},
    )
    return house.add(name).client


@pytest.mark.feature("PERM-03")
def test_a_role_is_limited_to_numbers(house: House) -> None:
    wanted = {"name": "Numbers", "capabilities": [], "own_addresses": [BRANCH]}
    refused = check_problem(house.ana.call("POST", "roles", wanted), 422)
    assert [one["field"] for one in refused["errors"]] == ["own_addresses"]
    typed = {"channel_id": "workshop", "address": " +1 (202) 555-0201 "}
    made = house.ana.post("roles", {**wanted, "channels": ["front"], "own_addresses": [typed]})
    assert made["channels"] == ["front"]
    assert made["own_addresses"] == [{"channel_id": "workshop", "address": "+12025550201"}]
    path = f"roles/{made['id']}"
    changed = house.ana.patch(path, {"own_addresses": [BRANCH]})
    assert (changed["channels"], changed["own_addresses"]) == (["front"], [BRANCH])
    changed = house.ana.patch(path, {"channels": []})
    assert (changed["channels"], changed["own_addresses"]) == ([], [BRANCH])
    changed = house.ana.patch(path, {"channels": None})
    assert (changed["channels"], changed["own_addresses"]) == (None, [])
    for wrong in (
        {"channel_id": "no-such", "address": "+12025550200"},
        {"channel_id": "workshop", "address": ""},
        {"channel_id": "workshop", "address": "nonsense"},
    ):
        refused = house.ana.call("PATCH", path, {"channels": [], "own_addresses": [wrong]})
        assert [one["field"] for one in check_problem(refused, 422)["errors"]] == ["own_addresses"]


@pytest.mark.feature("PERM-03")
def test_its_members_see_those_entries_alone(house: House, clerk: Any) -> None:
    ana = house.ana
    ana.text("+12025557100", "for the front desk", channel="front")
    ana.text("+12025557100", "for the branch", channel="workshop")
    ana.text("+12025557200", "nothing of theirs", channel="front")
    thread = wait_for(lambda: thread_with(clerk, "7100"), what="the conversation")
    wait_for(lambda: thread_with(ana, "7200"), what="the other one")
    other = thread_with(ana, "7200")
    assert other is not None
    assert thread["unread"] == 1
    assert thread["channel_ids"] == ["workshop"]
    assert thread_with(clerk, "7200") is None
    texts = [one["text"] for one in clerk.entries(thread["id"]) if one["kind"] == "message"]
    assert texts == ["for the branch"]
    check_problem(clerk.call("GET", f"threads/{other['id']}"), 404)
    assert clerk.get("threads", q="front desk", status="all")["items"] == []
    assert clerk.get("threads", q="the branch", status="all")["items"]
    detail = clerk.get(f"threads/{thread['id']}")
    (mode,) = detail["compose"]
    assert mode["channel_id"] == "workshop"
    assert [one["value"] for one in mode["own"]] == [BRANCH["address"]]
    wanted = {"contact_id": thread["contact"]["id"], "body": "x"}
    send = f"threads/{thread['id']}/messages"
    refused = clerk.call("POST", send, {**wanted, "channel_id": "front"})
    assert check_problem(refused, 422)["code"] == "no_channel"
    sent = clerk.post(send, {**wanted, "channel_id": "workshop"})
    assert sent["own_address"].endswith("555-0200")
    for path in ("deliveries", "deliveries/counts"):
        check_problem(clerk.call("GET", f"channels/workshop/{path}"), 404)
    check_problem(clerk.call("POST", "channels/workshop/pause"), 404)
    with stream(house, clerk.http) as socket:
        ana.text("+12025557100", "only for the front desk", channel="front")
        ana.text("+12025557100", "the end", channel="workshop")
        frames: list[str] = []
        while not frames or "the end" not in frames[-1]:
            frames.append(str(socket.recv(timeout=PATIENCE)))
    assert "front desk" not in "".join(frames)


@pytest.mark.feature("PERM-03")
def test_their_list_is_kept_while_there_is_such_a_role(house: House) -> None:
    def states() -> list[str]:
        found = sight.text_of(frozenset({"front", sight.number("workshop", BRANCH["address"])}))
        return [one.state for one in house.rows(t.sights) if one.places == found]

    def shown(**wanted: str) -> list[str]:
        found = who.get("threads", status="all", **wanted)["items"]
        return [one["contact"]["display"][-4:] for one in found]

    ana = house.ana
    ana.text("+12025557500", "before there was a list", channel="workshop")
    wanted = {"name": "Two places", "capabilities": CAPABILITIES, "channels": ["front"]}
    role = ana.post("roles", {**wanted, "own_addresses": [BRANCH]})
    who = house.add("Two places").client
    wait_for(lambda: states() == ["kept"], what="the list to be filled")
    ana.text("+12025557600", "since then", channel="front")
    ana.text("+12025557500", "and again", channel="workshop")
    wait_for(lambda: shown()[:2] == ["7500", "7600"], what="the list in its order")
    counts = who.get("threads/counts", status="all")
    assert counts["status"]["all"] == len(shown())
    assert counts["unread_total"] == counts["filter"]["unread"] == len(shown(filter="unread"))
    read = next(one for one in who.get("threads", status="all")["items"])
    ana.post(f"threads/{read['id']}/read", {"up_to": ana.entries(read["id"])[-1]["id"]})
    fewer = who.get("threads/counts", status="all")["unread_total"]
    assert fewer == counts["unread_total"] - 1 == len(shown(filter="unread"))
    ana.patch(f"roles/{role['id']}", {"channels": None})
    wait_for(lambda: states() == [], what="the list to be given up")
    assert shown()[:2] == ["7500", "7600"]


@pytest.mark.feature("PERM-03")
def test_what_they_mark_unread_is_the_last_message_they_see(house: House, clerk: Any) -> None:
    ana = house.ana
    ana.text("+12025557300", "for the branch", channel="workshop")
    ana.text("+12025557300", "for the front desk", channel="front")
    thread = wait_for(lambda: thread_with(ana, "7300"), what="the conversation")
    last = ana.entries(thread["id"])[-1]
    ana.post(f"threads/{thread['id']}/read", {"up_to": last["id"]})
    assert clerk.post(f"threads/{thread['id']}/unread", {})["unread"] == 1
    again = ana.get(f"threads/{thread['id']}")
    assert again["unread"] == 2, "reading is the team's, and goes up to one place"
    # Nor does it matter that something is unread which they do not see.
    first = ana.entries(thread["id"])[0]
    ana.post(f"threads/{thread['id']}/read", {"up_to": first["id"]})
    assert clerk.get(f"threads/{thread['id']}")["unread"] == 0
    assert clerk.post(f"threads/{thread['id']}/unread", {})["unread"] == 1


@pytest.mark.feature("PERM-03")
def test_nobody_gives_sight_of_more(house: House, clerk: Any) -> None:
    wanted = {"name": "More", "capabilities": ["messages.view"]}
    for more in (
        {"channels": None},
        {"channels": ["workshop"]},
        {"channels": [], "own_addresses": [{**BRANCH, "address": "+12025550209"}]},
    ):
        assert clerk.call("POST", "roles", {**wanted, **more}).status_code in {403, 422}
    made = clerk.post("roles", {**wanted, "channels": [], "own_addresses": [BRANCH]})
    assert made["own_addresses"] == [BRANCH]


@pytest.mark.feature("PERM-03", "APPR-02")
def test_it_approves_what_goes_out_at_those_alone(house: House) -> None:
    ana, name = house.ana, f"Approves {len(house.ana.get('roles'))}"
    wanted = {"name": name, "capabilities": ["messages.view", "messages.approve"]}
    ana.post("roles", {**wanted, "channels": [], "own_addresses": [BRANCH]})
    approver = house.add(name).client
    ana.post(
        "roles", {"name": f"{name}?", "capabilities": ["messages.view", "messages.send_gated"]}
    )
    author = house.add(f"{name}?").client

    def waits(channel: str) -> dict[str, Any]:
        message = {"channel_id": channel, "to": "+12025557300", "body": f"From the {channel}"}
        return author.post("messages", message)

    other, own = waits("front"), waits("workshop")
    assert [one["id"] for one in approver.get("approvals")["items"]] == [own["id"]]
    assert approver.get("threads/counts")["approvals"] == 1
    check_problem(approver.call("GET", f"approvals/{other['id']}"), 404)
    for what, said in (("approve", {}), ("reject", {"reason": "No"})):
        check_problem(approver.call("POST", f"approvals/{other['id']}/{what}", said), 404)
    assert approver.post(f"approvals/{own['id']}/approve", {})["state"] == "approved"
    assert ana.get(f"approvals/{other['id']}")["state"] == "waiting"
