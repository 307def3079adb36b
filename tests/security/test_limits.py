"""How often somebody may try, and ask: whatever they try, the right ones still come in."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections import Counter
from contextlib import AsyncExitStack, closing
from pathlib import Path

import httpx2
import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters

from hub.app.hub import Hub
from hub.config import load
from hub.edge.attempts import key_of_address
from hub.edge.problems import ProblemError
from hub.edge.rates import WINDOW, Rates
from hub.edge.sessions import Browser
from hub.rules.sign_in import BY_ADDRESS, BY_EMAIL
from tests.hubs import EMAIL, PASSWORD, HubProcess, wait_for
from tests.services import PostgresServer, RedisServer
from tests.web.asking import check_problem

TRIES = 1_000 * int(os.environ.get("HUB_EXAMPLES", "1"))
"""Ten thousand with ``HUB_EXAMPLES=10``."""
PROXY = '[hub]\ntrusted_proxies = ["127.0.0.1"]\n'


def post(hub: HubProcess, emails: list[str], remotes: list[str]) -> Counter[int]:
    """Tries to sign in, one after the other, as fast as one connection takes them: the statuses
    that came of them."""
    statuses: Counter[int] = Counter()
    with closing(socket.create_connection(("127.0.0.1", hub.port), timeout=60)) as connection:
        replies = connection.makefile("rb")
        for email, remote in zip(emails, remotes, strict=True):
            body = b'{"email":"%s","password":"a guess"}' % email.encode()
            connection.sendall(
                b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\nX-Forwarded-For: %s\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (remote.encode(), len(body), body)
            )
            statuses[int(replies.readline().split()[1])] += 1
            length = 0
            while (line := replies.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            assert b'"password"' not in replies.read(length)
    return statuses


def rows(folder: Path) -> list[int]:
    """How many tries are counted, for whatever it is that they are counted by."""
    with closing(sqlite3.connect(folder / "data" / "hub.db")) as database:
        return [count for (count,) in database.execute("SELECT count FROM attempts")]


@pytest.mark.feature("PERM-05")
def test_tries_without_end(tmp_path: Path) -> None:
    """At one account from one address; at one from as many addresses; at as many from one."""
    with HubProcess(tmp_path, config=PROXY) as hub:
        known = hub.client()
        cookies = {"hub_known": known.http.cookies["hub_known"]}
        one, here = ["ana@example.com"], ["203.0.113.1"]
        a_third = TRIES // 3
        addresses = [f"198.51.{number // 250}.{number % 250}" for number in range(a_third)]
        many = [f"person{number}@example.com" for number in range(a_third)]
        first = post(hub, one * a_third, here * a_third)
        assert first == {401: BY_EMAIL.most, 429: a_third - BY_EMAIL.most}
        second = post(hub, one * a_third, addresses)
        assert second == {429: a_third}, "who guesses from elsewhere has no further tries"
        third = post(hub, many, ["203.0.113.2"] * a_third)
        assert third == {401: BY_ADDRESS.most, 429: a_third - BY_ADDRESS.most}
        counted = rows(tmp_path)
        assert max(counted) == BY_ADDRESS.most, "what is refused is not written down"
        assert len(counted) == 4 + BY_ADDRESS.most, "nor from where, and at whom"
        with httpx2.Client(base_url=hub.base_url, cookies=cookies) as http:
            wanted = {"email": EMAIL, "password": PASSWORD}
            came = http.post("/api/v1/session", json=wanted)
            assert came.status_code == 200, "a browser that she has used before is let in"
        assert known.http.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("unix", "unix", True),
    ],
)
def test_a_network_of_ipv6_counts_as_one(one: str, other: str, *, same: bool) -> None:
    assert (key_of_address("x", one) == key_of_address("x", other)) is same


# ---------------------------------------------------------------------- the API


def ask(hub: HubProcess, count: int, **options: str) -> Counter[int]:
    with httpx2.Client(base_url=hub.base_url, headers=options) as http:
        return Counter(http.get("/api/v1/me").status_code for _ in range(count))


def test_whoever_asks_too_often_waits(tmp_path: Path) -> None:
    """Each session, each token and each address that shows neither by itself."""
    with HubProcess(tmp_path, config="[hub]\nrequests_a_minute = 40\n") as hub:
        ana, other = hub.client(), hub.client()
        made = ana.post("tokens", {"name": "x", "capabilities": ["messages.view"]})["token"]
        asked = Counter(ana.http.get("/api/v1/me").status_code for _ in range(90))
        assert asked[429] >= 10, "at least in one of two minutes"
        refused = wait_for(
            lambda: next(
                (one for one in [ana.http.get("/api/v1/me")] if one.status_code == 429), None
            )
        )
        assert check_problem(refused, 429)["code"] == "too_many_requests"
        assert 0 < int(refused.headers["retry-after"]) <= WINDOW
        assert other.http.get("/api/v1/me").status_code == 200
        assert ask(hub, 1, Authorization=f"Bearer {made}") == {200: 1}
        assert ask(hub, 90, Authorization="Bearer hub_guess")[429] >= 10
        assert httpx2.get(f"{hub.base_url}/healthz").status_code == 200
        assert httpx2.get(f"{hub.base_url}/").status_code == 200


def test_a_minute_later_it_goes_on() -> None:
    now = 1000.0 * WINDOW
    rates = Rates(3, clock=lambda: now)
    for _ in range(3):
        rates.count("a")
    with pytest.raises(ProblemError) as refused:
        rates.count("a")
    assert refused.value.headers["Retry-After"] == str(WINDOW)
    rates.count("b")
    now += WINDOW
    rates.count("a")


def test_two_processes_count_together(
    tmp_path: Path, postgres_server: PostgresServer, redis_server: RedisServer
) -> None:
    url = postgres_server.url(postgres_server.hub_database())
    config = '[hub]\nrequests_a_minute = 60\nsecret_key = "%s"\n' % ("x" * 40)
    environ = {"HUB_REDIS_URL": redis_server.url}
    with (
        HubProcess(tmp_path / "1", config=config, database_url=url, environ=environ) as first,
        HubProcess(tmp_path / "2", config=config, database_url=url, environ=environ) as second,
    ):
        session = first.client().http.cookies["hub_session"]
        cookie = {"Cookie": f"hub_session={session}"}

        def refused_by_the_second() -> bool:
            """Once the first has told of what it was asked, one request is too much."""
            ask(first, 60, **cookie)
            ask(second, 1, **cookie)
            return ask(second, 1, **cookie)[429] == 1

        wait_for(refused_by_the_second)


# ---------------------------------------------------------------------- what a try costs


async def test_a_try_at_nobody_is_as_much_work_as_one_at_somebody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One password of the same parameters is verified each time, so that how long it takes tells
    nothing of who there is; what is longer than any password, too, is worth one."""
    work: list[Parameters] = []
    verify = PasswordHasher.verify

    def seen(hasher: PasswordHasher, hashed: str, password: str) -> bool:
        work.append(extract_parameters(hashed))
        return verify(hasher, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", seen)
    path = tmp_path / "hub.toml"
    path.write_text('[[channels]]\nid = "front"\nplugin = "simulator"\n', encoding="utf-8")
    environ = {"HUB_ADMIN_EMAIL": EMAIL, "HUB_ADMIN_PASSWORD": PASSWORD}
    hub = Hub(load(path, environ), environ)
    async with AsyncExitStack() as stack:
        await hub.start()
        stack.push_async_callback(hub.stop)
        stack.callback(hub.release)
        anywhere = Browser(remote="192.0.2.1", user_agent="", known=None, session=None)
        tries = [(EMAIL, "guess"), ("nobody@example.com", "guess"), ("", ""), (EMAIL, "x" * 9_999)]
        for email, password in tries:
            assert await hub.sessions.sign_in(email, password, anywhere) is None
    assert len(work) == len(tries)
    assert len({str(one) for one in work}) == 1
