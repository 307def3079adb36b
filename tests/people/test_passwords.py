"""A forgotten password, and tries to guess one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
import sqlalchemy as sa

from hub.rules.sign_in import BY_EMAIL, RESET_FOR, RESETS
from hub.store import tables as t
from tests.hubs import PASSWORD, HubProcess
from tests.mailboxes import Taker
from tests.patience import PATIENCE
from tests.people.conftest import CONFIG, House, mailing_house
from tests.people.signing_in import ask, mailed_to, sign_in, signed_in, token_in, write
from tests.services import PostgresServer
from tests.web.asking import check_problem

NEW = "a-password-of-ones-own"


@pytest.fixture(scope="module")
def mailing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Taker]]:
    with mailing_house(tmp_path_factory.mktemp("mailing")) as found:
        yield found


@pytest.mark.feature("PERM-05")
def test_a_forgotten_password_is_reset_by_a_mailed_link_once(
    mailing: tuple[House, Taker],
) -> None:
    house, taker = mailing
    ben = house.add()
    asked = ask(house, "/password-resets", {"email": f" {ben.email.upper()} "})
    assert (asked.status_code, asked.json()) == (202, {"mailed": True})
    token = token_in(mailed_to(taker, ben.email))
    (row,) = [one for one in house.rows(t.password_resets) if one.expires_at > one.created_at]
    assert row.expires_at - row.created_at == RESET_FOR
    assert token not in str(row)
    assert ask(house, "/password-resets/look", {"token": token}).json() == {"email": ben.email}
    short = ask(house, "/password-resets/use", {"token": token, "password": "short"})
    assert check_problem(short, 422)["code"] == "password_too_short"
    easy = ask(house, "/password-resets/use", {"token": token, "password": "password123"})
    assert check_problem(easy, 422)["errors"][0]["field"] == "password"
    with ThreadPoolExecutor(6) as pool:
        wanted = {"token": token, "password": NEW}
        used = list(pool.map(lambda _: ask(house, "/password-resets/use", wanted), range(6)))
    assert sorted(answer.status_code for answer in used) == [204, *[404] * 5]
    check_problem(ben.client.http.get("/api/v1/me"), 401)
    check_problem(sign_in(house, ben.email), 401)
    assert sign_in(house, ben.email, NEW).status_code == 200
    assert "was reset" in mailed_to(taker, ben.email, number=2)
    (line,) = house.audited("password.reset", ben.member_id)
    assert line.remote == "127.0.0.1"
    assert token not in house.hub.output


def test_whether_there_is_such_a_user_is_not_told(mailing: tuple[House, Taker]) -> None:
    house, taker = mailing
    ben, before = house.add(), len(taker.mails())
    known = [ask(house, "/password-resets", {"email": ben.email}) for _ in range(RESETS.most + 1)]
    unknown = [
        ask(house, "/password-resets", {"email": "nobody@example.com"})
        for _ in range(RESETS.most + 1)
    ]
    assert [one.json() for one in known] == [one.json() for one in unknown]
    statuses = [*[202] * RESETS.most, 429]
    assert [one.status_code for one in known] == statuses
    assert [one.status_code for one in unknown] == statuses
    mailed_to(taker, ben.email, number=RESETS.most)
    assert len(taker.mails()) - before == RESETS.most
    for email in ("", "\x00", "a" * 100_000):
        assert ask(house, "/password-resets", {"email": email}).status_code in {202, 429}


def test_a_link_expires_and_a_later_one_replaces_it(house: House) -> None:
    ben = house.add()

    def link() -> str:
        made = house.ana.post(f"members/{ben.member_id}/password-reset")
        assert made["mailed"] is False
        return token_in(made["link"])

    first, second = link(), link()
    check_problem(ask(house, "/password-resets/look", {"token": first}), 404)
    write(house, sa.update(t.password_resets).values(expires_at=1))
    for path, more in (("look", {}), ("use", {"password": NEW})):
        check_problem(ask(house, f"/password-resets/{path}", {"token": second, **more}), 404)
    third = link()
    changed = ben.client.http.post(
        "/api/v1/me/password", json={"current_password": PASSWORD, "new_password": NEW}
    )
    assert changed.status_code == 204
    gone = ask(house, "/password-resets/use", {"token": third, "password": PASSWORD})
    check_problem(gone, 404)
    assert len(house.audited("password.reset_made", ben.member_id)) == 3


def test_without_mails_an_admin_is_asked(house: House) -> None:
    ways = ask(house, "/session/ways", method="GET").json()
    assert (ways["mails"], ways["providers"]) == (False, [])
    asked = ask(house, "/password-resets", {"email": house.add().email})
    assert asked.json() == {"mailed": False}
    waiting = [one for one in house.rows(t.notices) if one.state == "queued"]
    assert waiting == [], "nothing waits for a mail server that there is not"


def test_nobody_takes_over_who_may_more(house: House) -> None:
    house.ana.post("roles", {"name": "Clerk of members", "capabilities": ["members.manage"]})
    clerk, ben = house.add("Clerk of members"), house.add()
    (admin,) = [one["member_id"] for one in house.ana.me["organisations"] if one["slug"] == "main"]
    for whose in (admin, ben.member_id):
        for path in ("password-reset", "second-factor/reset"):
            refused = clerk.client.call("POST", f"members/{whose}/{path}")
            assert check_problem(refused, 403)["code"] in {
                "not_yours_to_give",
                "not_yours_to_reset",
            }
    own = house.ana.call("POST", f"members/{admin}/password-reset")
    assert check_problem(own, 409)["code"] == "own_account"
    elsewhere = house.add(org="branch")
    foreign = house.ana.call("POST", f"members/{elsewhere.member_id}/password-reset")
    check_problem(foreign, 404)
    _, script = house.token(house.ana, "members.manage")
    refused = script.call("POST", f"members/{ben.member_id}/password-reset")
    assert check_problem(refused, 403)["code"] == "not_yours_to_reset"
    assert house.ana.post(f"members/{ben.member_id}/password-reset")["link"]


def test_the_operator_makes_a_link(house: House) -> None:
    ben = house.add()
    done = house.hub.run("user", "reset", ben.email, "--second-factor")
    assert done.returncode == 0, done.stderr
    token = token_in(done.stdout)
    used = ask(house, "/password-resets/use", {"token": token, "password": NEW})
    assert used.status_code == 204
    assert sign_in(house, ben.email, NEW).status_code == 200
    (line,) = house.audited("password.reset_made", ben.member_id)
    assert line.actor_kind == "operator"
    missing = house.hub.run("user", "reset", "nobody@example.com")
    assert missing.returncode != 0
    assert "there is no user nobody@example.com" in missing.stderr


# ---------------------------------------------------------------------- guessing


def test_guessing_elsewhere_does_not_keep_its_owner_out(house: House) -> None:
    ben = house.add()
    own = ben.client.http
    with ThreadPoolExecutor(8) as pool:
        wrong = list(pool.map(lambda n: sign_in(house, ben.email, f"guess {n}"), range(40)))
    statuses = [answer.status_code for answer in wrong]
    assert statuses.count(401) == BY_EMAIL.most, "many at once are no way round the limit"
    assert statuses.count(429) == 40 - BY_EMAIL.most
    check_problem(sign_in(house, ben.email), 429)
    again = own.post("/api/v1/session", json={"email": ben.email, "password": PASSWORD})
    assert again.status_code == 200, "who has signed in with this browser before still can"
    tries = [
        own.post("/api/v1/session", json={"email": ben.email, "password": "no"}).status_code
        for _ in range(BY_EMAIL.most + 1)
    ]
    assert tries == [*[401] * BY_EMAIL.most, 429], "but guesses no more than others"
    write(house, sa.update(t.attempts).values(ends_at=1))
    assert sign_in(house, ben.email).status_code == 200


def test_a_forged_mark_of_a_known_browser_is_none(house: House) -> None:
    ben, eve = house.add(), house.add()
    for _ in range(BY_EMAIL.most):
        sign_in(house, ben.email, "no")
    hers = eve.client.http.cookies["hub_known"]
    nonce, made, mark = hers.split(".")
    for forged in (
        hers,
        "",
        f"{nonce}.{made}.{'0' * 64}",
        f"{nonce}.{'9' * 15}.{mark}",
        "x" * 9999,
    ):
        refused = sign_in(house, ben.email, cookies={"hub_known": forged})
        check_problem(refused, 429)


def test_limits_hold_across_processes(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    url = postgres_server.url(postgres_server.hub_database())
    folders = [tmp_path_factory.mktemp("hub") for _ in range(2)]
    key = {"HUB_SECRET_KEY": "the same for both"}
    with (
        HubProcess(folders[0], config=CONFIG, database_url=url, environ=key) as first,
        HubProcess(folders[1], config=CONFIG, database_url=url, environ=key) as second,
        ThreadPoolExecutor(8) as pool,
    ):
        hubs = (first, second)

        def guess(number: int) -> int:
            wanted = {"email": "target@example.com", "password": "guess"}
            base = hubs[number % 2].base_url
            return httpx2.post(f"{base}/api/v1/session", json=wanted, timeout=PATIENCE).status_code

        statuses = list(pool.map(guess, range(30)))
    assert statuses.count(401) == BY_EMAIL.most
    assert statuses.count(429) == 30 - BY_EMAIL.most


def test_nobody_is_signed_in_from_another_sites_page(house: House) -> None:
    ben = house.add()
    for origin in ("https://evil.example", "null"):
        for path, body in (
            ("/session", {"email": ben.email, "password": PASSWORD}),
            ("/session/second", {"ticket": "x", "code": "1"}),
            ("/password-resets", {"email": ben.email}),
            ("/password-resets/use", {"token": "x", "password": NEW}),
            ("/invitations/accept", {"token": "x", "name": "x", "password": NEW}),
        ):
            refused = ask(house, path, body, headers={"Origin": origin})
            assert "set-cookie" not in refused.headers
            check_problem(refused, 403)
    own = sign_in(house, ben.email, headers={"Origin": house.hub.base_url})
    assert own.status_code == 200


def test_the_password_changes_and_so_does_the_session(house: House) -> None:
    ben = house.add()
    other = signed_in(house, ben.email)
    stolen = ben.client.http.cookies["hub_session"]
    changed = ben.client.http.post(
        "/api/v1/me/password", json={"current_password": PASSWORD, "new_password": NEW}
    )
    assert changed.status_code == 204
    assert ben.client.http.cookies["hub_session"] != stolen
    assert ben.client.http.get("/api/v1/me").status_code == 200
    check_problem(other.http.get("/api/v1/me"), 401)
    check_problem(ask(house, "/me", method="GET", cookies={"hub_session": stolen}), 401)
    assert house.audited("password.changed", ben.member_id)
