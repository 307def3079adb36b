"""API tokens: chosen rights, shown once, ended by whom they concern."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from hub.store import tables as t
from tests import books
from tests.hubs import PASSWORD, wait_for
from tests.patience import PATIENCE
from tests.people.conftest import House
from tests.stream.test_withdrawn import to_the_end
from tests.web.asking import check_problem


@pytest.mark.feature("PERM-04")
def test_a_token_may_what_was_chosen_and_its_member_may(house: House) -> None:
    ben = house.add()
    id_, script = house.token(ben.client, "messages.view")
    me = script.http.get("/api/v1/me").json()
    (place,) = me["organisations"]
    assert (place["slug"], place["capabilities"]) == ("main", ["messages.view"])
    assert "csrf_token" not in me or me["csrf_token"] is None
    refused = script.call("POST", "messages", {"channel_id": "front", "to": "+1", "body": "x"})
    assert check_problem(refused, 403)["code"] == "messages.send"
    check_problem(script.http.get("/api/v1/organisations/branch/threads"), 404)
    house.ana.patch(f"members/{ben.member_id}", {"role_id": house.role_id("Admin")})
    assert script.http.get("/api/v1/me").json()["organisations"][0]["capabilities"] == [
        "messages.view"
    ]
    made = house.ana.post("roles", {"name": f"None {id_}", "capabilities": []})
    house.ana.patch(f"members/{ben.member_id}", {"role_id": made["id"]})
    check_problem(script.http.get(script.path("threads")), 403)


@pytest.mark.feature("PERM-04")
def test_a_token_writes_without_the_pages_token_and_acts_as_its_member(house: House) -> None:
    ben = house.add()
    id_, script = house.token(ben.client, "messages.view", "messages.send")
    wanted = {"channel_id": "front", "to": "+12025551301", "body": "from a script"}
    sent = script.post("messages", wanted, key="the-same")
    assert script.post("messages", wanted, key="the-same")["id"] == sent["id"]
    other = ben.client.post("messages", wanted, key="the-same")
    assert other["id"] != sent["id"], "its member's keys are the member's"
    assert sent["author"] == other["author"]
    script.patch(f"threads/{sent['thread_id']}", {"status": "closed"})
    (line,) = house.audited("thread.status", sent["thread_id"])
    assert (line.actor_kind, str(line.actor_id), line.remote) == ("token", id_, "127.0.0.1")


def test_a_token_is_shown_once_and_not_stored(house: House) -> None:
    ben = house.add()
    made = ben.client.post("tokens", {"name": "CRM", "capabilities": ["messages.view"]})
    token = made["token"]
    assert token.startswith("hub_")
    assert len(token) >= 40
    listed = ben.client.get("tokens")
    assert [one["name"] for one in listed] == ["CRM"]
    assert "token" not in listed[0]
    for table in (t.tokens, t.audit):
        assert token not in str(house.rows(table))
    assert token not in house.hub.output
    (line,) = house.audited("token.made", made["id"])
    assert "CRM" in line.after


def test_when_it_was_used_is_noted(house: House) -> None:
    ben = house.add()
    id_, script = house.token(ben.client, "messages.view")
    assert ben.client.get("tokens")[0]["last_used_at"] is None
    for _ in range(3):
        script.get("channels")

    def used() -> Any:
        return ben.client.get("tokens")[0]["last_used_at"]

    first = wait_for(used, what="the note of its use")
    script.get("channels")
    assert used() == first, "at most once a minute"
    assert id_


def test_what_a_token_cannot_be(house: House) -> None:
    ben = house.add()
    ages = "9999-12-31T23:59:59-14:00"
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    for wrong, status in (
        ({"name": "", "capabilities": ["messages.view"]}, 422),
        ({"name": "x", "capabilities": []}, 422),
        ({"name": "x", "capabilities": ["everything"]}, 422),
        ({"name": "x", "capabilities": ["messages.view"], "expires_at": past}, 422),
        (
            {"name": "x", "capabilities": ["messages.view"], "expires_at": "2030-01-01T00:00:00"},
            400,
        ),
        (
            {"name": "x", "capabilities": ["messages.view"], "expires_at": ages},
            422,
        ),
        ({"name": "x", "capabilities": ["members.manage"]}, 403),
    ):
        check_problem(ben.client.call("POST", "tokens", wrong), status)


def test_a_token_expires(house: House) -> None:
    ben = house.add()
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    id_, script = house.token(ben.client, "messages.view", expires_at=soon)
    assert script.get("channels")
    late = sa.update(t.tokens).where(t.tokens.c.id == int(id_)).values(expires_at=1)
    asyncio.run(books.write(house.url, lambda connection: connection.execute(late)))
    answer = script.http.get(script.path("channels"))
    assert check_problem(answer, 401)["code"] == "bad_token"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_who_may_see_and_revoke_tokens(house: House) -> None:
    ben, eve = house.add(), house.add()
    first, script = house.token(ben.client, "messages.view")
    second, _ = house.token(ben.client, "messages.view")
    assert eve.client.get("tokens") == []
    foreign = check_problem(eve.client.call("DELETE", f"tokens/{first}"), 404)
    assert foreign == check_problem(eve.client.call("DELETE", "tokens/42"), 404)
    lea = house.add("Admin", "branch")
    assert check_problem(lea.client.call("DELETE", f"tokens/{first}"), 404) == foreign
    assert [one["id"] for one in script.get("tokens")] == [first], "a token sees itself alone"
    check_problem(script.call("DELETE", f"tokens/{second}"), 404)
    assert script.call("DELETE", f"tokens/{first}").status_code == 204
    check_problem(script.http.get(script.path("tokens")), 401)
    assert {one["id"] for one in house.ana.get("tokens")} >= {second}
    assert house.ana.call("DELETE", f"tokens/{second}").status_code == 204
    assert ben.client.get("tokens") == []
    (line,) = house.audited("token.revoked", second)
    assert line.actor_kind == "member"


def test_what_is_for_people_takes_no_token(house: House) -> None:
    _, script = house.token(house.ana, "messages.view", "members.manage")
    for method, path, body in (
        ("POST", "/api/v1/session", {"email": "ana@example.com", "password": PASSWORD}),
        ("DELETE", "/api/v1/session", None),
        ("PATCH", "/api/v1/me", {"phone": None}),
        ("POST", "/api/v1/me/password", {"current_password": "x", "new_password": "y" * 12}),
        ("POST", script.path("tokens"), {"name": "x", "capabilities": ["messages.view"]}),
    ):
        answer = script.http.request(method, path, json=body)
        assert check_problem(answer, 403)["code"] == "in_person"
    assert script.get("roles"), "all else it may"


def test_a_wrong_token_is_not_made_good_by_a_cookie(house: House) -> None:
    client = house.client()
    client.http.cookies = house.ana.http.cookies
    for wrong in ("Bearer hub_guessed", "Bearer " + "hub_" + "x" * 10_000, "BEARER hub_x"):
        client.http.headers["Authorization"] = wrong
        check_problem(client.http.get("/api/v1/me"), 401)
    session = client.http.cookies["hub_session"]
    client.http.headers["Authorization"] = f"Bearer {session}"
    check_problem(client.http.get("/api/v1/me"), 401)
    client.http.headers["Authorization"] = "Basic eDp5"
    assert client.http.get("/api/v1/me").status_code == 200


@pytest.mark.feature("PERM-04", "RT-05")
def test_a_stream_by_token_ends_with_it(house: House) -> None:
    ben = house.add()
    id_, script = house.token(ben.client, "messages.view")
    address = house.hub.base_url.replace("http", "ws", 1) + script.path("stream")
    headers = {"Authorization": script.http.headers["Authorization"]}
    with connect(address, additional_headers=headers) as socket:
        assert "hello" in str(socket.recv(timeout=PATIENCE))
        ben.client.call("DELETE", f"tokens/{id_}")
        to_the_end(socket)
    with pytest.raises(InvalidStatus), connect(address, additional_headers=headers):
        pass


def test_there_are_only_so_many(house: House) -> None:
    ben = house.add()
    wanted = {"name": "x", "capabilities": ["messages.view"]}
    made = [ben.client.post("tokens", wanted)["id"] for _ in range(100)]
    assert (
        check_problem(ben.client.call("POST", "tokens", wanted), 409)["code"] == "too_many_tokens"
    )
    assert ben.client.call("DELETE", f"tokens/{made[0]}").status_code == 204
    ben.client.post("tokens", wanted)
