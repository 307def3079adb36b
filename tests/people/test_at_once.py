"""What is changed of people holds at once: on sockets, for who waits for changes, on pages."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from hub.flow.people import PIECE
from hub.store import tables as t
from tests import books
from tests.hubs import Client, wait_for
from tests.patience import PATIENCE
from tests.people.conftest import House, Person
from tests.people.signing_in import ask
from tests.stream.test_withdrawn import to_the_end, until, watching
from tests.web.asking import check_problem

Withdraw = Callable[[House, Person], None]


def other_role(house: House, ben: Person) -> None:
    house.ana.patch(f"members/{ben.member_id}", {"role_id": house.role_id("No sight")})


def role_narrowed(house: House, ben: Person) -> None:
    house.ana.patch(f"roles/{house.role_id(ben.email)}", {"capabilities": ["messages.send"]})


def deactivated(house: House, ben: Person) -> None:
    house.ana.post(f"members/{ben.member_id}/deactivate")


def role_replaced(house: House, ben: Person) -> None:
    instead = house.role_id("No sight")
    path = house.ana.path(f"roles/{house.role_id(ben.email)}")
    assert house.ana.http.delete(path, params={"instead": instead}).status_code == 204


WAYS: list[Withdraw] = [other_role, role_narrowed, deactivated, role_replaced]


def with_own_role(house: House, **more: Any) -> Person:
    """Somebody with a role of their own, called like them."""
    ben = house.add()
    wanted = {"name": ben.email, "capabilities": ["messages.view"], **more}
    made = house.ana.post("roles", wanted)
    house.ana.patch(f"members/{ben.member_id}", {"role_id": made["id"]})
    if all(one["name"] != "No sight" for one in house.ana.get("roles")):
        house.ana.post("roles", {"name": "No sight", "capabilities": []})
    return ben


def position(client: Client) -> int:
    return int(client.http.get(client.path("threads")).headers["X-Position"])


@contextmanager
def waiting(client: Client, since: int) -> Iterator[Callable[[], httpx2.Response]]:
    """Somebody waits for changes for longer than any test takes; what they are answered."""
    asked = threading.Event()
    client.http.event_hooks["request"] = [lambda _: asked.set()]
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(
            client.http.get, client.path("changes"), params={"since": since, "wait": 25}, timeout=20
        )
        assert asked.wait(20)
        yield answer.result


@pytest.mark.feature("PERM-01", "PERM-05", "RT-05")
@pytest.mark.parametrize("withdraw", WAYS)
def test_a_right_withdrawn_ends_sockets_and_waiting(house: House, withdraw: Withdraw) -> None:
    ben = with_own_role(house)
    _, script = house.token(ben.client, "messages.view")
    since = position(ben.client)
    token = {"Authorization": script.http.headers["Authorization"]}
    address = house.hub.base_url.replace("http", "ws", 1) + script.path("stream")
    with (
        watching(ben.client) as socket,
        connect(address, additional_headers=token) as other,
        waiting(ben.client, since) as answer,
    ):
        assert json.loads(other.recv(timeout=PATIENCE))["type"] == "hello"
        withdraw(house, ben)
        house.ana.text("+12025559001", f"after {withdraw.__name__}", channel="front")
        assert to_the_end(socket) == []
        assert to_the_end(other) == []
        answered = answer()
    assert withdraw.__name__ not in answered.text
    assert answered.status_code in (200, 403, 404)
    if answered.status_code == 200:
        assert not any("entry" in one for one in answered.json()["changes"])
    for client in (ben.client, script):
        again = client.http.get(client.path("changes"), params={"since": since})
        check_problem(again, again.status_code)
        assert again.status_code in (401, 403, 404)
    with pytest.raises(InvalidStatus), watching(ben.client):
        pass
    with pytest.raises(InvalidStatus), connect(address, additional_headers=token):
        pass


@pytest.mark.feature("PERM-04", "RT-05")
def test_who_waits_by_a_revoked_token_is_answered_nothing(house: House) -> None:
    ben = house.add()
    id_, script = house.token(ben.client, "messages.view")
    with waiting(script, position(ben.client)) as answer:
        assert house.ana.call("DELETE", f"tokens/{id_}").status_code == 204
        house.ana.text("+12025559002", "after the token", channel="front")
        assert "after the token" not in answer().text
    check_problem(script.http.get(script.path("changes"), params={"since": 0}), 401)


@pytest.mark.feature("PERM-01", "RT-05")
def test_a_channel_taken_from_a_role_is_shown_no_more(house: House) -> None:
    """The stream begins anew without it, and its member is told what they see."""
    ben = with_own_role(house, channels=["front", "workshop"])
    with watching(ben.client) as socket:
        house.ana.text("+12025559003", "both", channel="workshop")
        assert until(socket, "both") == ["both"]
        house.ana.patch(f"roles/{house.role_id(ben.email)}", {"channels": ["front"]})
        house.ana.text("+12025559003", "taken away", channel="workshop")
        assert to_the_end(socket) == []
    (place,) = ben.client.http.get("/api/v1/me").json()["organisations"]
    assert place["channels"] == ["front"]
    assert place["own_addresses"] == []
    number = {"channel_id": "workshop", "address": "+12025550200"}
    house.ana.patch(f"roles/{house.role_id(ben.email)}", {"own_addresses": [number]})
    (place,) = ben.client.http.get("/api/v1/me").json()["organisations"]
    assert (place["channels"], place["own_addresses"]) == (["front"], [number])
    house.ana.patch(f"roles/{house.role_id(ben.email)}", {"own_addresses": []})
    with watching(ben.client) as socket:
        house.ana.text("+12025559003", "not seen", channel="workshop")
        house.ana.text("+12025559003", "seen", channel="front")
        assert until(socket, "seen") == ["seen"]


def told(socket: ClientConnection) -> list[str]:
    """The types of the next changes."""
    while True:
        if changes := json.loads(socket.recv(timeout=PATIENCE)).get("changes"):
            return [one["type"] for one in changes]


@pytest.mark.feature("PERM-06")
def test_open_pages_are_told_that_people_have_changed(house: House) -> None:
    ben = house.add()
    branch = house.add("Admin", "branch")
    with watching(house.ana) as socket, watching(branch.client) as elsewhere:
        made = house.ana.post("roles", {"name": "Told", "capabilities": []})
        assert told(socket) == ["members.changed"]
        house.ana.patch(f"members/{ben.member_id}", {"role_id": made["id"]})
        assert told(socket) == ["members.changed"]
        invited = {"email": "told@example.com", "role_id": made["id"]}
        invitation = house.ana.post("members/invitations", invited)
        assert told(socket) == ["members.changed"]
        house.ana.call("DELETE", f"members/invitations/{invitation['id']}")
        assert told(socket) == ["members.changed"]
        id_, _ = house.token(house.ana, "messages.view")
        assert told(socket) == ["members.changed"]
        house.ana.call("DELETE", f"tokens/{id_}")
        assert told(socket) == ["members.changed"]
        done = house.hub.run("user", "add", "by-hand@example.com", "--org", "main")
        assert done.returncode == 0, done.stderr
        assert told(socket) == ["members.changed"]
        branch.client.text("+12025559004", "only here", channel="front")
        assert until(elsewhere, "only here") == ["only here"], "nothing of another organisation's"


# ---------------------------------------------------------------------- roles in use


@pytest.mark.feature("PERM-01")
def test_a_role_in_use_goes_with_another_in_its_place(house: House) -> None:
    leaving = house.ana.post("roles", {"name": "Leaving", "capabilities": ["messages.view"]})
    ben, gone = house.add("Leaving"), house.add("Leaving")
    house.ana.post(f"members/{gone.member_id}/deactivate")
    invited = {"email": "leaving@example.com", "role_id": leaving["id"]}
    invitation = house.ana.post("members/invitations", invited)
    path = house.ana.path(f"roles/{leaving['id']}")
    problem = check_problem(house.ana.http.delete(path), 409)
    assert problem["code"] == "role_in_use"
    assert ben.email in problem["detail"]
    assert gone.email not in problem["detail"]
    branch = house.add("Admin", "branch")
    foreign = house.role_id("User SMS", branch.client)
    for instead in (leaving["id"], "42", foreign, house.role_id("Super User"), "", "x"):
        refused = check_problem(house.ana.http.delete(path, params={"instead": instead}), 422)
        assert [one["field"] for one in refused["errors"]] == ["instead"]
    approver = house.role_id("Approver")
    assert house.ana.http.delete(path, params={"instead": approver}).status_code == 204
    listed = {one["id"]: one for one in house.ana.get("members")}
    for person in (ben, gone):
        assert listed[person.member_id]["role"]["name"] == "Approver"
        assert house.audited("member.changed", person.member_id)
    assert house.ana.post(f"members/{gone.member_id}/reactivate")["active"]
    waiting_ = {one["id"]: one for one in house.ana.get("members/invitations")}
    assert waiting_[invitation["id"]]["role"] == "Approver"
    assert ask(
        house,
        "/invitations/accept",
        {
            "token": invitation["link"].partition("#")[2],
            "name": "Lea",
            "password": "a-password-of-ones-own",
        },
    ).is_success


def test_with_a_role_goes_nobody_who_is_needed_and_nothing_that_is_not_ones_own(
    house: House,
) -> None:
    lea = house.add("Admin", "branch")
    lead = lea.client.post(
        "roles", {"name": "Lead", "capabilities": ["members.manage", "messages.view"]}
    )
    for one in lea.client.get("members"):
        if one["active"]:
            lea.client.patch(f"members/{one['id']}", {"role_id": lead["id"]})
    path = lea.client.path(f"roles/{lead['id']}")
    plain = house.role_id("User SMS", lea.client)
    problem = check_problem(lea.client.http.delete(path, params={"instead": plain}), 403)
    assert problem["code"] == "not_yours_to_give"
    sees = lea.client.post("roles", {"name": "Sees", "capabilities": ["messages.view"]})
    problem = check_problem(lea.client.http.delete(path, params={"instead": sees["id"]}), 409)
    assert problem["code"] == "last_admin"
    assert lea.client.get("roles")


def test_of_a_role_given_while_it_is_deleted_one_is_faster(house: House) -> None:
    """Nobody is left with a role that is not there."""
    ben = house.add()
    for _ in range(8):
        made = house.ana.post("roles", {"name": "Fought over", "capabilities": []})
        start = threading.Barrier(2)
        other = house.client()
        other.http.cookies, other.http.headers = house.ana.http.cookies, house.ana.http.headers

        def give(role: str = made["id"], start: threading.Barrier = start) -> int:
            start.wait()
            return house.ana.call(
                "PATCH", f"members/{ben.member_id}", {"role_id": role}
            ).status_code

        def delete(
            role: str = made["id"], start: threading.Barrier = start, client: Client = other
        ) -> int:
            start.wait()
            return client.call("DELETE", f"roles/{role}").status_code

        with ThreadPoolExecutor(2) as pool:
            given, deleted = pool.submit(give), pool.submit(delete)
        assert (given.result(), deleted.result()) in {(200, 409), (422, 204)}
        listed = {one["id"]: one for one in house.ana.get("members")}[ben.member_id]
        assert listed["role"] is not None
        house.ana.patch(f"members/{ben.member_id}", {"role_id": house.role_id("User SMS")})
        house.ana.call("DELETE", f"roles/{made['id']}")


# ---------------------------------------------------------------------- who leaves


@pytest.mark.feature("PERM-05")
def test_all_conversations_of_who_leaves_are_returned_however_many(house: House) -> None:
    ben = house.add()
    count = PIECE + 7
    wanted = {"channel_id": "front", "body": "x"}
    made = {
        house.ana.post("messages", wanted | {"to": f"+1202556{n:04}"})["thread_id"]
        for n in range(count)
    }

    def assign(connection: Connection) -> None:
        connection.execute(
            sa.update(t.threads)
            .where(t.threads.c.id.in_([int(id_) for id_ in made]))
            .values(assignee_id=int(ben.member_id))
        )

    asyncio.run(books.write(house.url, assign))
    house.ana.post(f"members/{ben.member_id}/deactivate")

    def left() -> bool:
        return all(row.assignee_id != int(ben.member_id) for row in house.rows(t.threads))

    wait_for(left, what="conversations that are nobody's")
    returned = [
        row
        for row in house.rows(t.audit)
        if row.action == "thread.assignee" and row.object_id in made and row.after is None
    ]
    assert len(returned) == count, "each once, in the audit"


# ---------------------------------------------------------------------- what is asked


def test_what_nobody_knows_is_refused_by_its_name(house: House) -> None:
    ben = house.add()
    role = house.ana.post("roles", {"name": "Known", "capabilities": []})["id"]
    for method, rest, body in (
        ("POST", "roles", {"name": "x", "capabilities": []}),
        ("PATCH", f"roles/{role}", {"name": "y"}),
        ("PATCH", f"members/{ben.member_id}", {}),
        ("POST", "members/invitations", {"email": "x@example.com", "role_id": role}),
        ("POST", "tokens", {"name": "x", "capabilities": ["messages.view"]}),
    ):
        answer = house.ana.call(method, rest, body | {"surprise": 1})
        assert "surprise" in check_problem(answer, 400)["errors"][0]["message"], (method, rest)


def test_of_another_organisation_no_id_is_known(house: House) -> None:
    """Their ids are answered as those that nothing has, letter for letter."""
    lea, ben = house.add("Admin", "branch"), house.add()
    token, _ = house.token(ben.client, "messages.view")
    role = house.role_id("User SMS")
    wanted = {"email": "elsewhere@example.com", "role_id": role}
    invitation = house.ana.post("members/invitations", wanted)["id"]
    own = house.role_id("User SMS", lea.client)
    lead = lea.client.post("roles", {"name": "In use", "capabilities": []})["id"]
    for method, rest, body in (
        ("PATCH", f"members/{ben.member_id}", {"role_id": own}),
        ("POST", f"members/{ben.member_id}/deactivate", None),
        ("POST", f"members/{ben.member_id}/reactivate", None),
        ("POST", f"members/{ben.member_id}/password-reset", None),
        ("POST", f"members/{ben.member_id}/second-factor/reset", None),
        ("PATCH", f"roles/{role}", {"name": "z"}),
        ("DELETE", f"roles/{role}", None),
        ("DELETE", f"roles/{role}?instead={own}", None),
        ("DELETE", f"roles/{lead}?instead={role}", None),
        ("POST", f"members/invitations/{invitation}/send", None),
        ("DELETE", f"members/invitations/{invitation}", None),
        ("POST", "members/invitations", {"email": "z@example.com", "role_id": role}),
        ("DELETE", f"tokens/{token}", None),
    ):
        foreign = lea.client.call(method, rest, body)
        assert foreign.status_code in (404, 422), (method, rest)
        missing = rest
        for id_ in (ben.member_id, role, invitation, token):
            missing = missing.replace(id_, "42")
        same = lea.client.call(method, missing, json.loads(json.dumps(body).replace(role, "42")))
        assert foreign.json() == same.json(), (method, rest)


# ---------------------------------------------------------------------- what is shown of members


@pytest.mark.feature("PERM-05", "PERM-06")
def test_who_manages_members_sees_when_they_were_there(house: House) -> None:
    ben = house.add()
    listed = {one["id"]: one for one in house.ana.get("members")}[ben.member_id]
    assert listed["last_seen_at"] is not None
    assert listed["second_factor"] is False
    assert ben.client.http.delete("/api/v1/session").is_success
    after = {one["id"]: one for one in house.ana.get("members")}[ben.member_id]
    assert after["last_seen_at"] == listed["last_seen_at"], "it stays when they have signed out"
    eve = house.add()
    for one in eve.client.get("members"):
        assert one["last_seen_at"] is None, "nobody else's matter"
        assert one["second_factor"] is None


def test_who_manages_members_need_not_see_conversations(house: House) -> None:
    house.ana.post("roles", {"name": "Staff office", "capabilities": ["members.manage"]})
    office = house.add("Staff office")
    assert len(office.client.get("members")) > 1
    assert {one["id"] for one in office.client.get("channels")} == {"front", "workshop"}
    check_problem(office.client.http.get(office.client.path("threads")), 403)
