"""The secret key is replaced while the hub runs, and whatever ends that, nothing is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
import sqlalchemy as sa
from pyotp.totp import TOTP
from sqlalchemy import Connection

from hub.edge.keys import Keys
from hub.flow.media import MediaLinks
from hub.plugin import Secret
from hub.store import tables as t
from tests import books
from tests.forks import hubs
from tests.hubs import HubProcess, wait_for
from tests.people.conftest import CONFIG, House
from tests.people.signing_in import ask, enrol, forget_last_code, sign_in
from tests.web.asking import check_problem

MANY = 450
KEPT = "sealed:1:"
NUMBER = "+12025550177"


@pytest.fixture
def place(database_url: str, tmp_path: Path) -> Iterator[House]:
    with HubProcess(tmp_path / "hub", config=CONFIG, database_url=database_url) as hub:
        house = House(hub, database_url, hub.client(), [])
        yield house
        for client in house.clients:
            client.close()
    assert "Traceback" not in hub.output
    assert '"request.failed"' not in hub.output, hub.output


def file_of(house: House) -> Path:
    return house.hub.folder / "data" / "secret_key"


def ring_of(house: House) -> tuple[Secret, ...]:
    return tuple(Secret(line) for line in file_of(house).read_text("ascii").split())


def about(row: Any) -> str:
    return f"{row.organisation_id}/{row.channel_id}/{row.key}"


def fill(house: House) -> dict[str, str]:
    """Values as other channels keep them: most as they are kept now, and two as older hubs did."""
    keys = Keys(lambda: ring_of(house))
    (org,) = [one.id for one in house.rows(t.organisations) if one.slug == "main"]
    kept = {f"k{number:04}": f"a refresh token {number}" for number in range(MANY)}

    def row(key: str, text: str) -> dict[str, Any]:
        sealed = keys.encrypt("kv", text, f"{org}/front/{key}")
        value = {"k0001": text, "k0002": KEPT + sealed.partition(":")[2]}.get(key, KEPT + sealed)
        named = {"organisation_id": org, "channel_id": "front", "key": key}
        return {**named, "value": value, "version": 3, "expires_at": None}

    rows = [row(key, text) for key, text in kept.items()]

    def work(connection: Connection) -> None:
        connection.execute(sa.insert(t.plugin_kv), rows)

    asyncio.run(books.write(house.url, work))
    return kept


def kept_by(house: House, ring: tuple[Secret, ...]) -> dict[str, str]:
    """What of it can be read with some keys."""
    keys = Keys(lambda: ring)
    found = {
        row.key: keys.decrypt("kv", row.value.removeprefix(KEPT), about(row))
        for row in house.rows(t.plugin_kv)
        if row.value.startswith(KEPT) and row.key.startswith("k0") and row.version == 3
    }
    return {key: text for key, text in found.items() if text is not None}


@contextmanager
def stuck(house: House, key: str) -> Generator[None]:
    """Nobody gets past this value."""
    if house.url.startswith("sqlite"):
        forever = (
            "WITH RECURSIVE more(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more) "
            "SELECT count(*) AS n FROM more"
        )
        made = [
            f"CREATE VIEW forever AS {forever}",
            (
                f"CREATE TRIGGER stuck BEFORE UPDATE ON plugin_kv WHEN old.key = '{key}' "
                "BEGIN SELECT n FROM forever; END"
            ),
        ]
        asyncio.run(books.write(house.url, lambda one: [one.execute(sa.text(x)) for x in made]))
        yield
        gone = ["DROP TRIGGER stuck", "DROP VIEW forever"]
        asyncio.run(books.write(house.url, lambda one: [one.execute(sa.text(x)) for x in gone]))
        return
    loop = asyncio.new_event_loop()
    url = sa.make_url(house.url).set(drivername="postgresql")
    held = loop.run_until_complete(asyncpg.connect(url.render_as_string(hide_password=False)))
    statements = (
        (
            "CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN new; END $$"
        ),
        (
            "CREATE TRIGGER stuck BEFORE UPDATE ON plugin_kv FOR EACH ROW "
            f"WHEN (old.key = '{key}') EXECUTE FUNCTION waits()"
        ),
        "SELECT pg_advisory_lock(7)",
    )
    try:
        for statement in statements:
            loop.run_until_complete(held.execute(statement))
        yield
    finally:
        loop.run_until_complete(held.close())
        loop.close()


def killed_at(house: House, key: str) -> None:
    """Replace the key until this value is reached, and be killed there."""
    folder = house.hub.folder
    with stuck(house, key):
        process = hubs().start(
            ["keys", "replace", "--config", str(folder / "hub.toml")],
            folder=folder, environ=house.hub.environ, output=folder / "replaced.txt",
        )  # fmt: skip
        try:
            wait_for(
                lambda: len(ring_of(house)) == 2 and kept_by(house, ring_of(house)[:1]),
                what="values under the new key",
            )
        finally:
            process.kill()
            process.wait()


def link_to(house: House, ring: tuple[Secret, ...], file: str) -> str:
    (org,) = [one.id for one in house.rows(t.organisations) if one.slug == "main"]
    return MediaLinks(Keys(lambda: ring), house.hub.base_url).url((org, ""), file, 600)


def test_killed_in_the_middle_it_goes_on_where_it_was(place: House) -> None:
    ana = place.ana
    ana.text(NUMBER, "a word that only the plugin reads", channel="front")
    ben = place.add()
    secret, codes = enrol(ben.client)
    kept, former = fill(place), ring_of(place)
    upload: dict[str, Any] = {"file": ("a.txt", b"hello")}
    file = ana.http.post(ana.path("attachments"), files=upload).json()["id"]
    link = link_to(place, former, file)

    killed_at(place, "k0300")
    both = ring_of(place)
    assert both[1:] == former
    assert 0 < len(kept_by(place, both[:1])) < MANY, "it is in the middle"
    assert kept_by(place, both) | {"k0001": kept["k0001"]} == kept
    assert ana.phone(NUMBER, channel="front")["messages"], "the hub that runs reads it"
    assert httpx2.get(link).status_code == 200
    forget_last_code(place)
    step = sign_in(place, ben.email).json()["ticket"]
    answer = ask(place, "/session/second", {"ticket": step, "code": TOTP(secret).now()})
    assert answer.status_code == 200, answer.text
    ana.text("+12025550188", "written meanwhile", channel="front")
    wait_for(lambda: ana.phone("+12025550188", channel="front")["messages"])

    done = place.hub.run("keys", "replace")
    assert done.returncode == 0, done.stderr
    assert "accepted no longer" in done.stdout
    now = ring_of(place)
    assert now == both[:1], "no third one is made"
    assert kept_by(place, now) == kept
    name = Keys(lambda: now).mark
    assert all(row.value.startswith(KEPT + name) for row in place.rows(t.plugin_kv))
    assert all(row.secret.startswith(name) for row in place.rows(t.totps))
    assert file_of(place).stat().st_mode & 0o077 == 0
    assert {path.name for path in file_of(place).parent.glob("*key*")} == {"secret_key"}
    lines = place.audited("secret_key.replaced", "secret_key")
    assert [line.actor_kind for line in lines] == ["operator"] * 2, "one in each organisation"
    assert not any(one.reveal() in str(lines) + done.stdout + done.stderr for one in both)

    assert ana.http.get("/api/v1/me").status_code == 200, "sessions go on"
    for number in (NUMBER, "+12025550188"):
        assert ana.phone(number, channel="front")["messages"]
    check_problem(httpx2.get(link), 404)
    assert httpx2.get(link_to(place, now, file)).status_code == 200
    step = sign_in(place, ben.email).json()["ticket"]
    assert ask(place, "/session/second", {"ticket": step, "code": codes[0]}).status_code == 200

    again = place.hub.run("keys", "replace")
    assert again.returncode == 0, again.stderr
    assert ring_of(place) != now, "asked again it makes another one"
    assert kept_by(place, ring_of(place)) == kept
    place.hub.stop()
    place.hub.start()
    restarted = place.hub.client()
    assert restarted.phone(NUMBER, channel="front")["messages"]
    step = sign_in(place, ben.email).json()["ticket"]
    assert ask(place, "/session/second", {"ticket": step, "code": codes[1]}).status_code == 200


def test_what_is_written_all_the_while_can_be_read(place: House) -> None:
    """The hub that runs takes messages, whose numbers its channel keeps."""
    ana = place.ana
    fill(place)
    numbers = [f"+1202555{number:04}" for number in range(100, 140)]

    def write() -> None:
        with closing(place.hub.client()) as client:
            for number in numbers:
                client.text(number, "hello", channel="front")

    writing = threading.Thread(target=write)
    writing.start()
    for _ in range(2):
        done = place.hub.run("keys", "replace")
        assert done.returncode == 0, done.stderr
    writing.join()
    assert all(ana.phone(number, channel="front")["messages"] for number in numbers)
    mark = Keys(lambda: ring_of(place)).mark
    assert all(row.value.startswith(KEPT + mark) for row in place.rows(t.plugin_kv))


def test_what_no_key_opens_is_told_and_left(place: House) -> None:
    fill(place)
    statement = sa.update(t.plugin_kv).where(t.plugin_kv.c.key == "k0100")
    lost = KEPT + Keys(lambda: (Secret("another key, of another hub, altogether"),)).encrypt(
        "kv", "lost", "elsewhere"
    )

    def work(connection: Connection) -> None:
        connection.execute(statement.values(value=lost))

    asyncio.run(books.write(place.url, work))
    done = place.hub.run("keys", "replace")
    assert done.returncode == 1
    assert "no key opens them: 1 values of channels" in done.stdout
    assert [row.value for row in place.rows(t.plugin_kv) if row.key == "k0100"] == [lost]
    assert len(kept_by(place, ring_of(place))) == MANY - 1


def test_a_configured_key(place: House) -> None:
    """It is replaced where it stands, and the one before is named until everything is done."""
    place.ana.text(NUMBER, "a word that only the plugin reads", channel="front")
    ben = place.add()
    _, codes = enrol(ben.client)
    (former,) = ring_of(place)
    kept = fill(place)
    place.hub.stop()
    config = place.hub.folder / "hub.toml"

    def says(key: str, *accepted: str) -> None:
        config.write_text(
            f'[hub]\nsecret_key = "{key}"\naccepted_secret_keys = {list(accepted)}\n{CONFIG}'
        )

    says(former.reveal())
    refused = place.hub.run("keys", "replace")
    assert refused.returncode == 1
    assert "accepted_secret_keys" in refused.stderr
    says("n" * 40, former.reveal())
    place.hub.start()
    assert place.hub.client().phone(NUMBER, channel="front")["messages"]
    done = place.hub.run("keys", "replace")
    assert done.returncode == 0, done.stderr
    assert "Take the former key out" in done.stdout
    assert kept_by(place, (Secret("n" * 40),)) == kept
    place.hub.stop()
    says("n" * 40)
    place.hub.start()
    assert place.hub.client().phone(NUMBER, channel="front")["messages"]
    step = sign_in(place, ben.email).json()["ticket"]
    assert ask(place, "/session/second", {"ticket": step, "code": codes[0]}).status_code == 200
    assert former.reveal() not in place.hub.output


@pytest.mark.parametrize("text", ["", "short\n", "é" * 40, "x" * 40 + "\nshort\n"])
def test_a_damaged_key_is_told(tmp_path: Path, text: str) -> None:
    """Nothing is signed with half of one."""
    data = tmp_path / "hub" / "data"
    data.mkdir(parents=True)
    (data / "secret_key").write_text(text, encoding="utf-8")
    done = HubProcess(tmp_path / "hub", config=CONFIG).run("user", "list")
    assert done.returncode == 1
    assert "secret_key holds no key: put back" in done.stderr
