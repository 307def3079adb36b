"""Roles: made, changed, given and taken away by who may."""

from __future__ import annotations

import json

import pytest

from tests.people.conftest import House
from tests.web.asking import check_problem


@pytest.mark.feature("PERM-02")
def test_the_ready_made_roles_are_there(house: House) -> None:
    roles = {one["name"]: one for one in house.ana.get("roles")}
    assert set(roles) >= {"Admin", "Super User", "User SMS", "User SMS Limited", "Approver"}
    assert roles["Admin"]["members"] == 1
    assert set(roles["User SMS"]["capabilities"]) == {"messages.view", "messages.send"}
    assert roles["User SMS Limited"]["channels"] is None
    assert not roles["Admin"]["deletable"]
    assert not roles["Super User"]["deletable"]
    assert roles["Approver"]["deletable"]


@pytest.mark.feature("PERM-01")
def test_a_role_is_made_changed_and_deleted(house: House) -> None:
    made = house.ana.post(
        "roles",
        {"name": "  Night   shift ", "capabilities": ["messages.view"], "channels": ["front"]},
    )
    assert (made["name"], made["channels"], made["ready"]) == ("Night shift", ["front"], None)
    ben = house.add("Night shift")
    assert [one["id"] for one in ben.client.get("channels")] == ["front"]
    wanted = {"capabilities": ["messages.view", "messages.send"], "channels": None}
    changed = house.ana.patch(f"roles/{made['id']}", wanted)
    assert changed["capabilities"] == ["messages.send", "messages.view"]
    assert len(ben.client.get("channels")) == 2, "it holds at once"
    refused = check_problem(house.ana.call("DELETE", f"roles/{made['id']}"), 409)
    assert ben.email in refused["detail"]
    house.ana.patch(f"members/{ben.member_id}", {"role_id": house.role_id("User SMS")})
    assert house.ana.call("DELETE", f"roles/{made['id']}").status_code == 204
    check_problem(house.ana.call("PATCH", f"roles/{made['id']}", {"name": "x"}), 404)
    (line,) = house.audited("role.changed", made["id"])
    assert (json.loads(line.before)["channels"], json.loads(line.after)["channels"]) == (
        ["front"],
        None,
    )
    assert (line.actor_kind, line.remote) == ("member", "127.0.0.1")
    assert house.audited("role.made", made["id"])
    assert house.audited("role.deleted", made["id"])


def test_what_a_role_cannot_be(house: House) -> None:
    for wrong, field in (
        ({"name": " ", "capabilities": []}, "name"),
        ({"name": "x" * 61, "capabilities": []}, "name"),
        ({"name": "x", "capabilities": ["everything"]}, "capabilities"),
        ({"name": "x", "capabilities": [], "channels": ["no-such"]}, "channels"),
    ):
        problem = check_problem(house.ana.call("POST", "roles", wrong), 422)
        assert [one["field"] for one in problem["errors"]] == [field]
    taken = check_problem(
        house.ana.call("POST", "roles", {"name": "ADMIN", "capabilities": []}), 409
    )
    assert taken["code"] == "name_taken"
    mine = house.ana.post("roles", {"name": "Straße", "capabilities": []})
    other = house.ana.call("POST", "roles", {"name": "STRASSE", "capabilities": []})
    assert check_problem(other, 409)["code"] == "name_taken"
    house.ana.patch(f"roles/{mine['id']}", {"name": "STRASSE"})


def test_what_ready_made_roles_keep(house: House) -> None:
    admin, superior = house.role_id("Admin"), house.role_id("Super User")
    wanted = {"capabilities": ["messages.view", "members.manage"]}
    problem = check_problem(house.ana.call("PATCH", f"roles/{admin}", wanted), 422)
    assert "settings.manage" in problem["detail"]
    check_problem(house.ana.call("PATCH", f"roles/{admin}", {"channels": ["front"]}), 422)
    check_problem(house.ana.call("PATCH", f"roles/{superior}", wanted), 422)
    for role in (admin, superior):
        assert check_problem(house.ana.call("DELETE", f"roles/{role}"), 409)["code"] == "kept_role"
    renamed = house.ana.patch(f"roles/{admin}", {"name": "Boss"})
    assert (renamed["name"], renamed["ready"]) == ("Boss", "Admin")
    house.ana.patch(f"roles/{admin}", {"name": "Admin"})


def test_nobody_gives_what_they_do_not_have(house: House) -> None:
    house.ana.post(
        "roles",
        {
            "name": "Clerk",
            "capabilities": ["members.manage", "messages.view"],
            "channels": ["front"],
        },
    )
    clerk, other = house.add("Clerk"), house.add()
    for wanted in (
        {"name": "y", "capabilities": ["messages.send"], "channels": ["front"]},
        {"name": "y", "capabilities": ["messages.view"], "channels": None},
    ):
        problem = check_problem(clerk.client.call("POST", "roles", wanted), 403)
        assert problem["code"] == "not_yours_to_give"
    check_problem(
        clerk.client.call(
            "POST", "roles", {"name": "y", "capabilities": [], "channels": ["workshop"]}
        ),
        422,
    )
    own = house.role_id("Clerk")
    for wanted in (
        {"capabilities": ["members.manage", "messages.view", "settings.manage"]},
        {"channels": None},
    ):
        check_problem(clerk.client.call("PATCH", f"roles/{own}", wanted), 403)
    for role in ("Admin", "User SMS", "Super User"):
        for member in (clerk, other):
            answer = clerk.client.call(
                "PATCH", f"members/{member.member_id}", {"role_id": house.role_id(role)}
            )
            if (member, role) != (other, "User SMS"):
                check_problem(answer, 403)
    made = clerk.client.post(
        "roles", {"name": "Reader", "capabilities": ["messages.view"], "channels": ["front"]}
    )
    given = clerk.client.patch(f"members/{other.member_id}", {"role_id": made["id"]})
    assert given["role"]["name"] == "Reader"
    # What is there already may stay, and less of it is no gift.
    sending = house.role_id("User SMS Limited")
    clerk.client.patch(f"roles/{sending}", {"name": "Limited"})
    clerk.client.patch(f"roles/{sending}", {"channels": ["front"]})
    check_problem(clerk.client.call("PATCH", f"roles/{sending}", {"channels": None}), 403)
