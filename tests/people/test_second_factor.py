"""A code of an authenticator app besides the password."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from pyotp.totp import TOTP

from hub.rules.sign_in import CODES
from hub.store import tables as t
from tests.hubs import PASSWORD, Client
from tests.people.conftest import House
from tests.people.signing_in import ask, enrol, forget_last_code, sign_in, signed_in, write
from tests.stream.test_withdrawn import to_the_end, watching
from tests.web.asking import check_problem


def ticket_for(house: House, email: str) -> str:
    answer = sign_in(house, email)
    assert answer.status_code == 202, answer.text
    assert answer.json()["methods"] == ["code"]
    assert "hub_session" not in answer.cookies, "half of it is no session"
    return answer.json()["ticket"]


def give(house: House, ticket: str, code: str) -> httpx2.Response:
    return ask(house, "/session/second", {"ticket": ticket, "code": code})


def own(client: Client, path: str, body: Any = None) -> httpx2.Response:
    return client.http.post(f"/api/v1/me/{path}", json={} if body is None else body)


@pytest.mark.feature("PERM-04")
def test_signing_in_takes_a_code_once_it_is_set_up(house: House) -> None:
    ben = house.add()
    other = signed_in(house, ben.email)
    before = ben.client.http.cookies["hub_session"]
    offered = own(ben.client, "totp").json()
    assert offered["secret"] in offered["uri"]
    assert offered["svg"].startswith("<svg")
    assert sign_in(house, ben.email).status_code == 200, "nothing is asked for before it is shown"
    wrong = own(ben.client, "totp/confirm", {"code": "000000"})
    assert check_problem(wrong, 422)["code"] == "wrong_code"
    code = TOTP(offered["secret"]).now()
    confirmed = own(ben.client, "totp/confirm", {"code": f" {code[:3]} {code[3:]}"})
    codes = confirmed.json()["recovery_codes"]
    assert len(set(codes)) == 10
    assert ben.client.http.cookies["hub_session"] != before
    assert ben.client.http.get("/api/v1/me").json()["second_factor"] is True
    check_problem(other.http.get("/api/v1/me"), 401)
    for row in (*house.rows(t.totps), *house.rows(t.recovery_codes), *house.rows(t.audit)):
        assert offered["secret"] not in str(row)
        assert not any(one in str(row) or one.replace("-", "") in str(row) for one in codes)

    ticket = ticket_for(house, ben.email)
    assert check_problem(give(house, ticket, code), 422)["code"] == "wrong_code", "it was used"
    forget_last_code(house)
    now = TOTP(offered["secret"]).now()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: give(house, ticket, now), range(6)))
    assert [answer.status_code for answer in answers].count(200) == 1, "once, of six at once"
    (right,) = [answer for answer in answers if answer.status_code == 200]
    check_problem(give(house, ticket, codes[0]), 401)
    with httpx2.Client(base_url=house.hub.base_url, cookies=dict(right.cookies)) as http:
        assert http.get("/api/v1/me").status_code == 200
    assert house.audited("second_factor.added", ben.member_id)


def test_a_code_of_long_ago_or_of_soon_is_wrong(house: House) -> None:
    ben = house.add()
    secret, _ = enrol(ben.client)
    maker, now = TOTP(secret), int(time.time())
    forget_last_code(house)
    ticket = ticket_for(house, ben.email)
    for away in (-120, 120):
        assert give(house, ticket, maker.at(now + away)).status_code == 422
    for code in ("", "١٢٣٤٥٦", "12345", "1234567", "x" * 100_000, "\x00"):
        assert give(house, ticket, code).status_code == 422, code[:20]


def test_a_recovery_code_signs_in_once(house: House) -> None:
    ben = house.add()
    _, codes = enrol(ben.client)
    first = give(house, ticket_for(house, ben.email), codes[0].upper().replace("-", " "))
    assert first.status_code == 200
    assert give(house, ticket_for(house, ben.email), codes[0]).status_code == 422
    assert ben.client.http.get("/api/v1/me/second-factor").json()["recovery_codes"] == 9
    (line,) = house.audited("recovery_code.used", ben.member_id)
    assert line.after == '{"left":9}'
    made = own(ben.client, "recovery-codes").json()["recovery_codes"]
    assert give(house, ticket_for(house, ben.email), codes[1]).status_code == 422
    assert give(house, ticket_for(house, ben.email), made[0]).status_code == 200


def test_codes_are_tried_so_often_and_no_more(house: House) -> None:
    ben = house.add()
    secret, _ = enrol(ben.client)
    forget_last_code(house)
    tickets = [ticket_for(house, ben.email) for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: give(house, tickets[n % 2], f"{n:06}"), range(30)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(429) >= 30 - CODES.most
    right = TOTP(secret).now()
    check_problem(give(house, tickets[0], right), 429)
    write(house, sa.update(t.attempts).values(ends_at=1))
    assert give(house, tickets[0], right).status_code == 200


def test_what_a_ticket_is_worth_ends(house: House) -> None:
    ben = house.add()
    _, codes = enrol(ben.client)
    old = ticket_for(house, ben.email)
    write(house, sa.update(t.sign_in_steps).values(expires_at=1))
    assert check_problem(give(house, old, codes[0]), 401)["code"] == "bad_ticket"
    ticket = ticket_for(house, ben.email)
    changed = own(
        ben.client,
        "password",
        {"current_password": PASSWORD, "new_password": "a-password-of-ones-own"},
    )
    assert changed.status_code == 204
    check_problem(give(house, ticket, codes[1]), 401)
    for guessed in ("", "x", "\x00", "a" * 10_000):
        check_problem(give(house, guessed, codes[1]), 401)


def test_a_page_left_open_does_not_change_it(house: House) -> None:
    ben = house.add()
    users = sa.select(t.users.c.id).where(t.users.c.email == ben.email)
    write(house, sa.update(t.sessions).where(t.sessions.c.user_id.in_(users)).values(created_at=1))
    for path in ("totp", "second-factor/remove", "recovery-codes"):
        assert check_problem(own(ben.client, path), 403)["code"] == "password_needed"
        wrong = own(ben.client, path, {"password": "wrong"})
        assert check_problem(wrong, 422)["code"] == "wrong_password"
    offered = own(ben.client, "totp", {"password": PASSWORD})
    assert offered.status_code == 200
    code = TOTP(offered.json()["secret"]).now()
    assert own(ben.client, "totp/confirm", {"code": code}).status_code == 200
    assert check_problem(own(ben.client, "totp", {"password": PASSWORD}), 409)
    assert own(ben.client, "second-factor/remove", {"password": PASSWORD}).status_code == 204
    assert sign_in(house, ben.email).status_code == 200
    assert house.audited("second_factor.removed", ben.member_id)


def test_an_admin_takes_a_lost_one_away(house: House) -> None:
    ben = house.add()
    enrol(ben.client)
    path = f"members/{ben.member_id}/second-factor/reset"
    assert house.ana.call("POST", path).status_code == 204
    check_problem(ben.client.http.get("/api/v1/me"), 401)
    assert sign_in(house, ben.email).status_code == 200
    (line,) = house.audited("second_factor.reset", ben.member_id)
    assert line.actor_kind == "member"


def test_a_token_has_no_say(house: House) -> None:
    ben = house.add()
    _, script = house.token(ben.client, "messages.view")
    for path in ("totp", "totp/confirm", "second-factor/remove", "recovery-codes"):
        assert check_problem(own(script, path, {"code": "1"}), 403)["code"] == "in_person"
    check_problem(script.http.get("/api/v1/sessions"), 403)


@pytest.mark.feature("PERM-04")
def test_an_organisation_can_require_it(house: House) -> None:
    boss = house.add("Admin", org="branch")
    ben = house.add(org="branch")
    _, script = house.token(ben.client, "messages.view")
    with watching(ben.client) as socket:
        enrol(boss.client)
        boss.client.patch("settings", {"sign_in": {"require_two_factor": True}})
        to_the_end(socket)
    try:
        refused = check_problem(ben.client.http.get(ben.client.path("threads")), 403)
        assert refused["code"] == "second_factor_needed"
        assert ben.client.http.get("/api/v1/me").json()["needs_second_factor"] is True
        assert script.get("threads"), "a program has no second factor"
        enrol(ben.client)
        assert ben.client.get("threads")["items"] == []
        assert ben.client.http.get("/api/v1/me").json()["needs_second_factor"] is False
        assert boss.client.get("settings")["sign_in"] == {"require_two_factor": True}
    finally:
        boss.client.patch("settings", {"sign_in": {}})
    assert house.ana.http.get(house.ana.path("threads")).status_code == 200
