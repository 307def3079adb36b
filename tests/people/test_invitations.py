"""Members are invited by a link that expires and works once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from hub.rules.sign_in import INVITED_FOR
from hub.store import tables as t
from tests.mailboxes import Taker
from tests.people.conftest import House, mailing_house
from tests.people.signing_in import ask, mailed_to, sign_in, signed_in, token_in, write
from tests.web.asking import check_problem

NEW = "a-password-of-ones-own"


def invite(house: House, email: str, role: str = "User SMS", **more: Any) -> dict[str, Any]:
    return house.ana.post(
        "members/invitations", {"email": email, "role_id": house.role_id(role), **more}
    )


def accept(house: House, token: str, name: str = "Cleo", password: str = NEW) -> Any:
    return ask(house, "/invitations/accept", {"token": token, "name": name, "password": password})


@pytest.mark.feature("PERM-05")
def test_who_is_invited_becomes_a_member_once(house: House) -> None:
    made = invite(house, " Cleo@Example.com", name="Cleo Diaz")
    assert (made["email"], made["mailed"], made["role"]) == ("cleo@example.com", False, "User SMS")
    token = token_in(made["link"])
    listed = house.ana.get("members/invitations")
    assert [one["email"] for one in listed] == ["cleo@example.com"]
    assert "link" not in listed[0]
    offered = ask(house, "/invitations/look", {"token": token}).json()
    assert (offered["name"], offered["known"]) == ("Cleo Diaz", False)
    assert check_problem(accept(house, token, password="short"), 422)["errors"]
    assert check_problem(accept(house, token, name=" \x00"), 422)["errors"]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: accept(house, token, f"Cleo {n}"), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, *[404] * 5]
    assert house.ana.get("members/invitations") == []
    check_problem(ask(house, "/invitations/look", {"token": token}), 404)
    cleo = signed_in(house, "cleo@example.com", NEW)
    (organisation,) = cleo.me["organisations"]
    assert (organisation["slug"], organisation["role"]) == ("main", "User SMS")
    assert not cleo.me["must_change_password"]
    (line,) = house.audited("invitation.accepted", organisation["member_id"])
    assert line.remote == "127.0.0.1"
    assert house.audited("invitation.made", made["id"])
    for row in (*house.rows(t.invitations), *house.rows(t.audit)):
        assert token not in str(row)
    assert token not in house.hub.output


def test_an_invitation_is_sent_again_revoked_and_expires(house: House) -> None:
    made = invite(house, "dora@example.com")
    problem = check_problem(
        house.ana.call(
            "POST",
            "members/invitations",
            {"email": "dora@example.com", "role_id": house.role_id("Approver")},
        ),
        409,
    )
    assert problem["code"] == "invited_already"
    again = house.ana.post(f"members/invitations/{made['id']}/send")
    first, second = token_in(made["link"]), token_in(again["link"])
    check_problem(ask(house, "/invitations/look", {"token": first}), 404)
    assert ask(house, "/invitations/look", {"token": second}).status_code == 200
    write(house, sa.update(t.invitations).values(expires_at=t.invitations.c.created_at))
    check_problem(ask(house, "/invitations/look", {"token": second}), 404)
    check_problem(accept(house, second), 404)
    (listed,) = house.ana.get("members/invitations")
    assert listed["expired"] is True
    third = token_in(house.ana.post(f"members/invitations/{made['id']}/send")["link"])
    (row,) = house.rows(t.invitations)
    assert row.expires_at - row.created_at == INVITED_FOR
    path = house.ana.path(f"members/invitations/{made['id']}")
    assert house.ana.http.delete(path).status_code == 204
    check_problem(house.ana.http.delete(path), 404)
    check_problem(accept(house, third), 404)
    assert house.audited("invitation.revoked", made["id"])


def test_who_has_an_account_signs_in_to_accept(house: House) -> None:
    ben = house.add(org="branch")
    token = token_in(invite(house, ben.email)["link"])
    assert ask(house, "/invitations/look", {"token": token}).json()["known"] is True
    assert check_problem(accept(house, token), 409)["code"] == "known_email"
    check_problem(ask(house, "/invitations/join", {"token": token}), 401)
    other = house.add()
    refused = other.client.http.post("/api/v1/invitations/join", json={"token": token})
    assert check_problem(refused, 409)["code"] == "not_yours"
    joined = ben.client.http.post("/api/v1/invitations/join", json={"token": token})
    assert joined.status_code == 204
    slugs = {one["slug"] for one in ben.client.http.get("/api/v1/me").json()["organisations"]}
    assert slugs == {"main", "branch"}
    problem = check_problem(
        house.ana.call(
            "POST",
            "members/invitations",
            {"email": ben.email, "role_id": house.role_id("Approver")},
        ),
        409,
    )
    assert problem["code"] == "member_already"


def test_nobody_invites_beyond_what_they_may(house: House) -> None:
    role = house.ana.post("roles", {"name": "Clerk", "capabilities": ["members.manage"]})
    clerk = house.add("Clerk")
    admin, superior = house.role_id("Admin"), house.role_id("Super User")
    wanted = {"email": "eve@example.com", "role_id": admin}
    refused = clerk.client.call("POST", "members/invitations", wanted)
    assert check_problem(refused, 403)["code"] == "not_yours_to_give"
    for client in (clerk.client, house.ana):
        refused = client.call("POST", "members/invitations", wanted | {"role_id": superior})
        assert check_problem(refused, 422)["code"] == "super_user"
    plain = house.add()
    refused = plain.client.call("POST", "members/invitations", wanted)
    assert check_problem(refused, 403)["code"] == "members.manage"
    made = clerk.client.post("members/invitations", wanted | {"role_id": role["id"]})
    foreign = house.ana
    foreign.org = "branch"
    try:
        check_problem(foreign.call("POST", f"members/invitations/{made['id']}/send"), 404)
        check_problem(foreign.call("DELETE", f"members/invitations/{made['id']}"), 404)
        assert foreign.get("members/invitations") == []
    finally:
        foreign.org = "main"
    for email in (
        "",
        "eve",
        "eve@",
        "a b@example.com",
        "x" * 400 + "@example.com",
        "a@b@c",
        "\x00@x",
    ):
        refused = house.ana.call("POST", "members/invitations", wanted | {"email": email})
        assert check_problem(refused, 422)["code"] == "bad_email", email


def test_a_role_that_was_deleted_is_given_to_nobody(house: House) -> None:
    role = house.ana.post("roles", {"name": "Fleeting", "capabilities": ["messages.view"]})
    made = house.ana.post(
        "members/invitations", {"email": "fay@example.com", "role_id": role["id"]}
    )
    assert house.ana.call("DELETE", f"roles/{role['id']}").is_success
    problem = check_problem(accept(house, token_in(made["link"])), 409)
    assert problem["code"] == "role_gone"


@pytest.fixture(scope="module")
def mailing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[House, Taker]]:
    with mailing_house(tmp_path_factory.mktemp("mailing")) as found:
        yield found


def test_the_link_is_mailed_where_mails_can_be_sent(mailing: tuple[House, Taker]) -> None:
    house, taker = mailing
    made = invite(house, "gil@example.com")
    assert (made["mailed"], made["link"]) == (True, None)
    text = mailed_to(taker, "gil@example.com")
    assert "seven days" in text
    token = token_in(text)
    assert accept(house, token).status_code == 200
    assert sign_in(house, "gil@example.com", NEW).status_code == 200
    for row in house.rows(t.notices):
        assert token not in str(row), "a mail that was sent keeps no link"


def test_a_stranger_learns_nothing(house: House) -> None:
    answers = [
        ask(house, "/invitations/look", {"token": token}).json()
        for token in ("", "x", "\x00", "a" * 100_000)
    ]
    assert all(answer == answers[0] for answer in answers)
