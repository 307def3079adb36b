"""People and tokens from the command line, while the hub runs."""

from __future__ import annotations

import json

import pytest

from tests.people.conftest import House
from tests.web.asking import check_problem


@pytest.mark.feature("PERM-02")
def test_super_users_by_command(house: House) -> None:
    done = house.hub.run(
        "user", "add", "root@example.com", "--super-user", "--password-stdin",
        input_="a-good-long-password\n",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    root = house.hub.client("root@example.com", "a-good-long-password")
    assert {one["slug"] for one in root.me["organisations"]} == {"main", "branch"}
    assert root.me["super_user"]
    (member_id,) = [
        one["id"] for one in house.ana.get("members") if one["email"] == "root@example.com"
    ]
    (line,) = house.audited("member.added", member_id)
    assert (line.actor_kind, line.actor_id) == ("operator", None)
    listed = house.hub.run("user", "list").stdout
    assert "root@example.com  root@example.com  Super User" in listed
    assert "ana@example.com  Admin  branch (Admin), main (Admin)" in listed
    again = house.hub.run("user", "super", "root@example.com", "--revoke")
    assert again.returncode == 2
    assert "--organisation" in again.stderr
    again = house.hub.run(
        "user", "super", "root@example.com", "--revoke", "--organisation", "main", "--role", "none"
    )
    assert again.returncode == 1
    assert 'there is no role "none"' in again.stderr
    again = house.hub.run("user", "super", "root@example.com", "--revoke", "--organisation", "main")
    assert again.returncode == 0, again.stderr
    me = root.http.get("/api/v1/me").json()
    assert [(one["slug"], one["role"]) for one in me["organisations"]] == [("main", "User SMS")]
    assert not me["super_user"]
    assert house.hub.run("user", "super", "nobody@example.com").returncode == 1


@pytest.mark.feature("PERM-04")
def test_tokens_by_command(house: House) -> None:
    ben = house.add()
    made = house.hub.run(
        "token", "make", ben.email, "--name", "CRM", "--can", "messages.view", "--days", "30",
        "--organisation", "main",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    script = house.client()
    script.http.headers["Authorization"] = f"Bearer {made.stdout.strip()}"
    (token,) = script.get("tokens")
    assert token["expires_at"] is not None
    (line,) = house.audited("token.made", token["id"])
    assert (line.actor_kind, json.loads(line.after)["member"]) == ("operator", ben.member_id)
    listed = house.hub.run("token", "list").stdout
    assert f"{token['id']}  main  {ben.email}  CRM: messages.view; until " in listed
    assert house.hub.run("token", "revoke", token["id"]).returncode == 0
    check_problem(script.http.get(script.path("channels")), 401)
    assert house.hub.run("token", "revoke", token["id"]).returncode == 1
    beyond = house.hub.run(
        "token", "make", ben.email, "--name", "x", "--can", "members.manage",
        "--organisation", "main",
    )  # fmt: skip
    assert beyond.returncode == 1
    assert "members.manage" in beyond.stderr


@pytest.mark.feature("PERM-02")
def test_the_first_admin_is_made_a_super_user_by_command(house: House) -> None:
    admin = "ana@example.com"
    before = house.ana.http.get("/api/v1/me").json()
    assert not before["super_user"]
    assert {one["role"] for one in before["organisations"]} == {"Admin"}
    assert house.hub.run("user", "super", admin).returncode == 0
    try:
        after = house.ana.http.get("/api/v1/me").json()
        assert after["super_user"], "where they are signed in, too"
        assert {one["role"] for one in after["organisations"]} == {"Super User"}
        ben = house.add()
        wanted = {"role_id": house.role_id("Super User")}
        made = house.ana.call("PATCH", f"members/{ben.member_id}", wanted)
        assert made.status_code == 200, "and makes others one"
        assert ben.client.http.get("/api/v1/me").json()["super_user"]
        back = {"role_id": house.role_id("User SMS")}
        assert house.ana.call("PATCH", f"members/{ben.member_id}", back).status_code == 200
    finally:
        for slug in ("main", "branch"):
            house.hub.run(
                "user", "super", admin, "--revoke", "--organisation", slug, "--role", "Admin"
            )


@pytest.mark.feature("ASGN-05")
def test_a_password_by_command_ends_what_the_one_before_began(house: House) -> None:
    ben = house.add()
    done = house.hub.run(
        "user", "password", ben.email, "--password-stdin", input_="another-good-password\n"
    )
    assert done.returncode == 0, done.stderr
    check_problem(ben.client.http.get("/api/v1/me"), 401)
    assert house.hub.client(ben.email, "another-good-password").me["email"] == ben.email
    (line,) = house.audited("password.changed", ben.member_id)
    assert (line.actor_kind, line.actor_id, line.remote) == ("operator", None, None)
