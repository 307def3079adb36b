"""Where one is signed in, and how that ends."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from hub.flow.host import now_ms
from hub.rules.sign_in import IDLE, LASTS, SEEN_EVERY
from hub.store import tables as t
from tests.hubs import PASSWORD, wait_for
from tests.people.conftest import House, Person
from tests.people.signing_in import ask, sign_in, signed_in, write
from tests.stream.test_withdrawn import to_the_end, watching
from tests.web.asking import check_problem


def of(person: Person) -> sa.ColumnElement[bool]:
    """Their sessions."""
    users = sa.select(t.users.c.id).where(t.users.c.email == person.email)
    return t.sessions.c.user_id.in_(users)


@pytest.mark.feature("PERM-05")
def test_one_sees_where_one_is_signed_in_and_ends_it(house: House) -> None:
    ben, stranger = house.add(), house.add()
    phone = house.client()
    phone.http.headers["User-Agent"] = "A phone"
    phone.sign_in(ben.email)
    listed = ben.client.http.get("/api/v1/sessions").json()
    assert [one["current"] for one in listed].count(True) == 1
    (other,) = [one for one in listed if not one["current"]]
    assert (other["user_agent"], other["remote"]) == ("A phone", "127.0.0.1")
    assert phone.http.cookies["hub_session"] not in str(listed)
    check_problem(stranger.client.http.delete(f"/api/v1/sessions/{other['id']}"), 404)
    with watching(phone) as socket:
        ended = ben.client.http.delete(f"/api/v1/sessions/{other['id']}")
        assert ended.status_code == 204
        to_the_end(socket)
    check_problem(phone.http.get("/api/v1/me"), 401)
    check_problem(ben.client.http.delete(f"/api/v1/sessions/{other['id']}"), 404)
    third = signed_in(house, ben.email)
    assert ben.client.http.post("/api/v1/sessions/end-others").status_code == 204
    check_problem(third.http.get("/api/v1/me"), 401)
    assert len(ben.client.http.get("/api/v1/sessions").json()) == 1
    assert stranger.client.http.get("/api/v1/me").status_code == 200
    assert house.audited("session.ended", ben.member_id)
    assert house.audited("session.others_ended", ben.member_id)


def test_a_session_ends_when_nobody_uses_it_and_when_it_is_old(house: House) -> None:
    ben = house.add()
    me = ben.client.http
    now = now_ms()
    write(house, sa.update(t.sessions).where(of(ben)).values(seen_at=now - IDLE + 60_000))
    assert me.get("/api/v1/me").status_code == 200

    def noted() -> bool:
        rows = house.rows(t.sessions)
        return any(row.seen_at >= now and row.remote for row in rows if row.user_agent)

    wait_for(noted, what="the note that it is used")
    write(house, sa.update(t.sessions).where(of(ben)).values(seen_at=now - IDLE - 1))
    check_problem(me.get("/api/v1/me"), 401)
    ben.client.sign_in(ben.email)
    (row,) = [one for one in house.rows(t.sessions) if one.created_at >= now]
    assert row.expires_at - row.created_at == LASTS
    write(house, sa.update(t.sessions).where(of(ben)).values(expires_at=now))
    check_problem(me.get("/api/v1/me"), 401)


def test_a_stream_ends_with_an_idle_session(house: House) -> None:
    ben = house.add()
    with watching(ben.client) as socket:
        write(house, sa.update(t.sessions).where(of(ben)).values(seen_at=1))
        to_the_end(socket)


def test_use_is_noted_every_few_minutes_and_not_more_often(house: House) -> None:
    ben = house.add()
    before = now_ms() - SEEN_EVERY + 60_000
    write(house, sa.update(t.sessions).where(of(ben)).values(seen_at=before))
    for _ in range(5):
        assert ben.client.http.get("/api/v1/me").status_code == 200
    assert before in {row.seen_at for row in house.rows(t.sessions)}


def test_signing_in_begins_a_new_session_and_ends_the_one_before(house: House) -> None:
    ben = house.add()
    planted = "planted-by-an-attacker"
    answer = sign_in(house, ben.email, cookies={"hub_session": planted})
    assert answer.cookies["hub_session"] != planted
    before = ben.client.http.cookies["hub_session"]
    again = ben.client.http.post("/api/v1/session", json={"email": ben.email, "password": PASSWORD})
    assert again.status_code == 200
    assert ben.client.http.cookies["hub_session"] != before
    check_problem(ask(house, "/me", method="GET", cookies={"hub_session": before}), 401)
