"""Members: given roles, deactivated and let in again; somebody always stays who can."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hub.store import tables as t
from hub.store.audit import digest_of
from tests.hubs import Client, wait_for
from tests.people.conftest import House, Person
from tests.stream.test_withdrawn import to_the_end, watching
from tests.web.asking import check_problem


def assigned(client: Client, person: Person) -> list[dict[str, Any]]:
    return client.threads(assignee=person.member_id)


@pytest.mark.feature("PERM-05")
def test_deactivating_ends_everything_at_once(house: House) -> None:
    ben = house.add()
    _, script = house.token(ben.client, "messages.view")
    sent = [
        house.ana.post("messages", {"channel_id": "front", "to": f"+120255512{n:02}", "body": "x"})
        for n in range(3)
    ]
    for one in sent:
        house.ana.patch(f"threads/{one['thread_id']}", {"assignee_id": ben.member_id})
    ben.client.post(f"threads/{sent[0]['thread_id']}/notes", {"body": "mine"})
    assert script.get("channels")
    with watching(ben.client) as socket:
        gone = house.ana.post(f"members/{ben.member_id}/deactivate")
        assert gone["active"] is False
        to_the_end(socket)
    check_problem(ben.client.http.get(ben.client.path("threads")), 404)
    assert check_problem(script.http.get(script.path("threads")), 401)["code"] == "bad_token"
    wait_for(lambda: not assigned(house.ana, ben), what="unassigned conversations")
    lines = [
        line
        for one in sent
        for line in house.audited("thread.assignee", one["thread_id"])
        if line.after is None
    ]
    assert [(line.before, line.remote) for line in lines] == [(ben.member_id, "127.0.0.1")] * 3
    listed = {one["id"]: one for one in house.ana.get("members")}[ben.member_id]
    assert (listed["active"], listed["name"]) == (False, ben.email)
    authors = [
        one["author"] for one in house.ana.entries(sent[0]["thread_id"]) if one["kind"] == "note"
    ]
    assert ben.email in json.dumps(authors), "the name stays"
    answer = house.ana.call(
        "PATCH", f"threads/{sent[0]['thread_id']}", {"assignee_id": ben.member_id}
    )
    check_problem(answer, 422)
    # Back again: with the role, without the tokens and the conversations.
    house.ana.post(f"members/{ben.member_id}/reactivate")
    assert ben.client.threads()
    check_problem(script.http.get(script.path("threads")), 401)
    assert assigned(house.ana, ben) == []
    for action in ("member.deactivated", "member.reactivated"):
        (line,) = house.audited(action, ben.member_id)
        assert line.actor_kind == "member"


def test_somebody_who_can_manage_members_stays(house: House) -> None:
    lea = house.add("Admin", "branch")
    ana = house.client("branch").sign_in()
    (mine,) = [one for one in ana.me["organisations"] if one["slug"] == "branch"]
    ana.post(f"members/{mine['member_id']}/deactivate")
    check_problem(ana.http.get(ana.path("members")), 404)
    for method, rest, body in (
        ("POST", f"members/{lea.member_id}/deactivate", None),
        ("PATCH", f"members/{lea.member_id}", {"role_id": house.role_id("User SMS", lea.client)}),
    ):
        problem = check_problem(lea.client.call(method, rest, body), 409)
        assert problem["code"] == "last_admin"
        assert "members.manage" in problem["detail"]
    # By a role of her own, whose right is then to be taken away.
    made = lea.client.post("roles", {"name": "Lead", "capabilities": ["members.manage"]})
    lea.client.patch(f"members/{lea.member_id}", {"role_id": made["id"]})
    answer = lea.client.call("PATCH", f"roles/{made['id']}", {"capabilities": []})
    assert check_problem(answer, 409)["code"] == "last_admin"
    assert lea.client.get("roles")
    check_problem(lea.client.call("POST", f"members/{mine['member_id']}/reactivate"), 403)


def test_two_admins_who_remove_each_other(house: House) -> None:
    """One is faster; the other is no admin any more when it is her turn."""
    for _ in range(5):
        pair = [house.add("Admin"), house.add("Admin")]
        assert sorted(remove_each_other(pair)) == [200, 404]
        states = {one["id"]: one["active"] for one in house.ana.get("members")}
        assert sorted(states[one.member_id] for one in pair) == [False, True]
        for one in pair:
            house.ana.post(f"members/{one.member_id}/deactivate")


def remove_each_other(pair: list[Person]) -> list[int]:
    """At once; what each is answered."""
    start = threading.Barrier(2)

    def remove(number: int) -> int:
        start.wait()
        rest = f"members/{pair[1 - number].member_id}/deactivate"
        return pair[number].client.call("POST", rest).status_code

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(remove, (0, 1)))


def test_a_member_whose_role_is_gone_is_given_another_first(house: House) -> None:
    made = house.ana.post("roles", {"name": "Seasonal", "capabilities": ["messages.view"]})
    ben = house.add("Seasonal")
    house.ana.post(f"members/{ben.member_id}/deactivate")
    assert house.ana.call("DELETE", f"roles/{made['id']}").status_code == 204
    listed = {one["id"]: one for one in house.ana.get("members")}[ben.member_id]
    assert listed["role"] is None
    answer = house.ana.call("POST", f"members/{ben.member_id}/reactivate")
    assert check_problem(answer, 409)["code"] == "role_gone"
    house.ana.patch(f"members/{ben.member_id}", {"role_id": house.role_id("User SMS")})
    assert house.ana.post(f"members/{ben.member_id}/reactivate")["active"]


def test_of_another_organisation_nobody_is_there(house: House) -> None:
    lea, ben = house.add("Admin", "branch"), house.add()
    role = house.role_id("User SMS")
    for method, rest, body in (
        ("PATCH", f"members/{ben.member_id}", {"role_id": house.role_id("User SMS", lea.client)}),
        ("PATCH", f"members/{ben.member_id}", {}),
        ("POST", f"members/{ben.member_id}/deactivate", None),
        ("POST", f"members/{ben.member_id}/reactivate", None),
        ("PATCH", f"roles/{role}", {"name": "z"}),
        ("DELETE", f"roles/{role}", None),
    ):
        foreign = check_problem(lea.client.call(method, rest, body), 404)
        missing = rest.replace(ben.member_id, "42").replace(role, "42")
        assert foreign == check_problem(lea.client.call(method, missing, body), 404)
    answer = lea.client.call("PATCH", f"members/{lea.member_id}", {"role_id": role})
    check_problem(answer, 422)


@pytest.mark.feature("PERM-02")
def test_a_super_user_is_everywhere_and_made_by_their_like_alone(house: House) -> None:
    sue, ben = house.add("Admin"), house.add()
    superior = house.role_id("Super User")
    answer = house.ana.call("PATCH", f"members/{ben.member_id}", {"role_id": superior})
    assert check_problem(answer, 403)["code"] == "super_user"
    done = house.hub.run("user", "super", sue.email)
    assert done.returncode == 0, done.stderr
    places = {one["slug"]: one for one in sue.client.http.get("/api/v1/me").json()["organisations"]}
    assert set(places) == {"main", "branch"}
    assert all("settings.manage" in one["capabilities"] for one in places.values())
    assert sue.client.http.get("/api/v1/me").json()["super_user"] is True
    for method, rest, body in (
        ("POST", f"members/{sue.member_id}/deactivate", None),
        ("PATCH", f"members/{sue.member_id}", {"role_id": house.role_id("User SMS")}),
    ):
        assert house.ana.call(method, rest, body).status_code in (403, 409), "not by an admin"
    # By her token neither: it could be anywhere.
    _, script = house.token(sue.client, "members.manage")
    answer = script.call("PATCH", f"members/{ben.member_id}", {"role_id": superior})
    check_problem(answer, 403)
    made = sue.client.patch(f"members/{ben.member_id}", {"role_id": superior})
    assert made["super_user"]
    branch = house.client("branch")
    branch.http.cookies = ben.client.http.cookies
    assert branch.get("roles")
    back = sue.client.patch(f"members/{ben.member_id}", {"role_id": house.role_id("User SMS")})
    assert not back["super_user"]
    check_problem(branch.http.get(branch.path("threads")), 404)
    assert ben.client.threads(status="all") is not None


def test_the_audit_is_one_chain(house: House) -> None:
    """Whatever wrote its lines."""
    for organisation in house.rows(t.organisations):
        digest = ""
        for row in house.rows(t.audit):
            if row.organisation_id == organisation.id:
                digest = digest_of(digest, dict(row._mapping))
                assert row.digest == digest
        assert organisation.audit_digest == digest
