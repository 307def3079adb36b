"""Conversations are assigned by themselves: to whom, to whom not, and told to everybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import pytest

from hub.store import tables as t
from tests.assignment.conftest import available
from tests.hubs import wait_for
from tests.people.conftest import House
from tests.web.asking import check_problem

_texts = count(1)


def switch_on(house: House, mode: str = "round_robin", **more: Any) -> None:
    house.ana.patch("settings", {"assignment": {"mode": mode, **more}})


def text(house: House, phone: str, channel: str = "front") -> dict[str, Any]:
    """The conversation of somebody who has just written."""
    said = f"Hello {next(_texts)}"
    house.ana.text(phone, said, channel=channel)

    def look() -> dict[str, Any] | None:
        found = house.ana.thread_of(shown(phone))
        return found if found and found["preview"]["text"] == said else None

    return wait_for(look)


def shown(phone: str) -> str:
    return f"+1 {phone[2:5]}-{phone[5:8]}-{phone[8:]}"


def assignee(thread: dict[str, Any]) -> str | None:
    return None if thread["assignee"] is None else thread["assignee"]["id"]


@pytest.mark.feature("ASGN-03")
def test_off_is_off(house: House, phones: Iterator[str]) -> None:
    available(house.add())
    assert assignee(text(house, next(phones))) is None


@pytest.mark.feature("ASGN-03")
def test_those_who_are_available_take_turns(house: House, phones: Iterator[str]) -> None:
    people = [house.add() for _ in range(3)]
    away, gone, looks_on = house.add(), house.add(), house.add("Approver")
    available(*people, gone, looks_on)
    house.ana.post(f"members/{gone.member_id}/deactivate")
    house.ana.post("roles", {"name": f"Looks on {looks_on.member_id}",
                             "capabilities": ["messages.view"], "channels": None})  # fmt: skip
    role = house.role_id(f"Looks on {looks_on.member_id}")
    house.ana.patch(f"members/{looks_on.member_id}", {"role_id": role})
    switch_on(house)
    given = Counter(assignee(text(house, phone)) for phone in islice(phones, 7))
    assert set(given) == {one.member_id for one in people}
    assert sorted(given.values()) == [2, 2, 3]
    assert away.member_id not in given


@pytest.mark.feature("ASGN-03")
def test_nobody_available_leaves_it_unassigned_until_they_write_again(
    house: House, phones: Iterator[str]
) -> None:
    switch_on(house)
    one, phone = house.add(), next(phones)
    assert assignee(text(house, phone)) is None
    available(one)
    assert assignee(text(house, phone)) == one.member_id
    one.client.patch("membership", {"available": False})
    assert assignee(text(house, phone)) == one.member_id, "who has it keeps it"


@pytest.mark.feature("ASGN-03")
def test_who_has_been_assigned_keeps_it_and_a_reopened_one_goes_to_the_next(
    house: House, phones: Iterator[str]
) -> None:
    one, two = house.add(), house.add()
    available(one, two)
    switch_on(house)
    phone = next(phones)
    thread = text(house, phone)
    first = assignee(thread)
    assert assignee(text(house, phone)) == first
    house.ana.patch(f"threads/{thread['id']}", {"status": "closed", "assignee_id": None})
    again = text(house, phone)
    assert again["status"] == "open"
    assert assignee(again) not in {first, None}


@pytest.mark.feature("ASGN-03", "ASGN-05")
def test_the_thread_and_the_audit_say_that_it_was_automatic(
    house: House, phones: Iterator[str]
) -> None:
    one = house.add()
    available(one)
    switch_on(house)
    thread = text(house, next(phones))
    (line,) = [each for each in house.ana.entries(thread["id"]) if each["kind"] == "system"]
    assert line["event"] == {
        "type": "assigned_automatically",
        "assignee": one.email,
        "assignee_id": one.member_id,
        "by": None,
    }
    assert line["author"]["kind"] == "system"
    (row,) = house.audited("thread.assignee", thread["id"])
    assert (row.actor_kind, row.actor_id, row.before, row.after) == (
        "system",
        None,
        None,
        one.member_id,
    )


@pytest.mark.feature("ASGN-03")
def test_a_channel_goes_its_own_way(house: House, phones: Iterator[str]) -> None:
    one, two = house.add(), house.add()
    available(one, two)
    switch_on(
        house,
        members=[one.member_id],
        channels=[
            {"channel_id": "workshop", "mode": "round_robin", "members": [two.member_id]},
        ],
    )
    assert assignee(text(house, next(phones))) == one.member_id
    assert assignee(text(house, next(phones), "workshop")) == two.member_id
    switch_on(house, channels=[{"channel_id": "workshop", "mode": "off"}])
    assert assignee(text(house, next(phones), "workshop")) is None


@pytest.mark.feature("ASGN-03", "PERM-03")
def test_who_does_not_see_a_channel_is_given_nothing_of_it(
    house: House, phones: Iterator[str]
) -> None:
    one = house.add()
    made = house.ana.post("roles", {"name": f"Workshop {one.member_id}",
                                    "capabilities": ["messages.view", "messages.send"],
                                    "channels": ["workshop"]})  # fmt: skip
    house.ana.patch(f"members/{one.member_id}", {"role_id": made["id"]})
    available(one)
    switch_on(house)
    assert assignee(text(house, next(phones), "front")) is None
    assert assignee(text(house, next(phones), "workshop")) == one.member_id


@pytest.mark.feature("ASGN-03")
def test_the_least_busy_gets_it(house: House, phones: Iterator[str]) -> None:
    one, two = house.add(), house.add()
    switch_on(house, "least_busy")
    available(one)
    held = [text(house, phone) for phone in islice(phones, 3)]
    assert {assignee(thread) for thread in held} == {one.member_id}
    available(two)
    assert [assignee(text(house, phone)) for phone in islice(phones, 3)] == [two.member_id] * 3
    for thread in held[:2]:
        house.ana.patch(f"threads/{thread['id']}", {"status": "closed"})
    assert [assignee(text(house, phone)) for phone in islice(phones, 2)] == [one.member_id] * 2


@pytest.mark.feature("ASGN-03")
def test_what_asks_for_nothing_is_given_to_nobody(house: House, phones: Iterator[str]) -> None:
    available(house.add())
    switch_on(house)
    phone = next(phones)
    house.ana.text(phone, "STOP", channel="front")
    assert assignee(wait_for(lambda: house.ana.thread_of(shown(phone)))) is None


# ---- who is available


@pytest.mark.feature("ASGN-03")
def test_being_available_is_seen_by_colleagues_audited_and_ends_with_leaving(
    house: House,
) -> None:
    one = house.add()

    def listed() -> dict[str, Any]:
        members = house.ana.get("members")
        return next(each for each in members if each["id"] == one.member_id)

    assert (listed()["available"], listed()["available_since"]) == (False, None)
    chosen = one.client.patch("membership", {"available": True})
    assert chosen["available"] is True
    assert listed()["available"] is True
    assert listed()["available_since"] == chosen["available_since"]
    one.client.patch("membership", {"available": True})
    house.ana.patch(f"members/{one.member_id}", {"available": False})
    assert listed()["available"] is False
    rows = house.audited("member.changed", one.member_id)
    assert [(row.actor_id == int(one.member_id), row.after) for row in rows] == [
        (True, '{"available":true}'),
        (False, '{"available":false}'),
    ]
    (row,) = [each for each in house.rows(t.members) if each.id == int(one.member_id)]
    (own,) = [each for each in house.ana.me["organisations"] if each["slug"] == "main"]
    assert row.available_by == int(own["member_id"])
    one.client.patch("membership", {"available": True})
    house.ana.post(f"members/{one.member_id}/deactivate")
    assert listed()["available"] is False
    problem = check_problem(
        house.ana.call("PATCH", f"members/{one.member_id}", {"available": True}), 409
    )
    assert problem["code"] == "inactive_member"


def test_only_who_manages_members_says_it_of_others(house: House) -> None:
    one, two = house.add(), house.add()
    answer = one.client.call("PATCH", f"members/{two.member_id}", {"available": True})
    assert check_problem(answer, 403)["code"] == "members.manage"
    stranger = house.add(org="branch")
    wanted = {"available": True}
    missing = house.ana.call("PATCH", f"members/{stranger.member_id}", wanted)
    check_problem(missing, 404)


MISTAKES: list[tuple[Any, int, str]] = [
    ({"mode": "random"}, 400, "assignment.mode"),
    ({"members": ["x"]}, 400, "assignment.members[0]"),
    ({"channels": [{"channel_id": "a"}, {"channel_id": "a"}]}, 400, "assignment"),
    ({"members": ["12345"]}, 422, "assignment.members"),
    ({"channels": [{"channel_id": "a", "members": ["7"]}]}, 422, "assignment.channels[0].members"),
]


@pytest.mark.feature("PERM-06")
@pytest.mark.parametrize(("section", "status", "field"), MISTAKES)
def test_what_is_wrong_with_the_section_is_named(
    house: House, section: Any, status: int, field: str
) -> None:
    problem = check_problem(house.ana.call("PATCH", "settings", {"assignment": section}), status)
    assert [error["field"] for error in problem["errors"]] == [field]


def test_targets_have_bounds(house: House) -> None:
    for minutes in (0, 20_161):
        answer = house.ana.call("PATCH", "settings", {"targets": {"minutes": minutes}})
        assert check_problem(answer, 400)["errors"][0]["field"] == "targets.minutes"
