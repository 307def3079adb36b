"""A stream carries what its member may see now: over real sockets, on every process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from hub.store import tables as t
from tests import books
from tests.hubs import Client, HubProcess
from tests.patience import PATIENCE
from tests.services import PostgresServer, RedisServer

CONFIG = """
[[channels]]
id = "front"
plugin = "simulator"
[channels.settings]
numbers = ["+12025550100"]

[[channels]]
id = "workshop"
plugin = "simulator"
[channels.settings]
numbers = ["+12025550200"]
"""
BEN = ("ben@example.com", "another-good-password")
BENS_USER = sa.select(t.users.c.id).where(t.users.c.email == BEN[0]).scalar_subquery()
BENS_ROLE = sa.select(t.members.c.role_id).where(t.members.c.user_id == BENS_USER).scalar_subquery()
KINDS = ["sqlite", "postgresql", "postgresql and redis"]


class Cluster:
    """One process on SQLite, two on PostgreSQL. Things happen on the first; who watches does so
    on the last."""

    def __init__(self, hubs: list[HubProcess], database: str) -> None:
        self.hubs = hubs
        self.database = database
        self.ana = hubs[0].client()
        self.bens: dict[sa.Table, dict[str, Any]] = {}

    def watcher(self) -> Client:
        """Ben, signed in where he watches."""
        return self.hubs[-1].client(*BEN)

    def begin(self, connection: Connection) -> None:
        """Give Ben a role of his own, so that what is done to it is done to nobody else, and
        remember him."""
        role = connection.execute(sa.select(t.roles).where(t.roles.c.id == BENS_ROLE)).one()
        own: dict[str, Any] = {**role._mapping, "id": 1, "name": "Ben's"}
        connection.execute(sa.insert(t.roles), [own])
        mine = t.members.c.user_id == BENS_USER
        connection.execute(sa.update(t.members).where(mine).values(role_id=1))
        for table, condition in (
            (t.users, t.users.c.email == BEN[0]),
            (t.members, mine),
            (t.roles, t.roles.c.id == 1),
        ):
            row = connection.execute(sa.select(table).where(condition)).one()
            self.bens[table] = dict(row._mapping)

    def restore(self) -> None:
        """Ben as he was."""

        def run(connection: Connection) -> None:
            for table, row in self.bens.items():
                connection.execute(sa.update(table).where(table.c.id == row["id"]).values(row))

        asyncio.run(books.write(self.database, run))

    def change(self, statement: sa.Update | sa.Delete) -> None:
        """What an admin does, here by hand in the database."""

        def run(connection: Connection) -> None:
            assert connection.execute(statement).rowcount

        asyncio.run(books.write(self.database, run))


@pytest.fixture(scope="module", params=KINDS)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Started once for each kind."""
    kind: str = request.param
    environ: dict[str, str] = {}
    folder = tmp_path_factory.mktemp("withdrawn")
    with ExitStack() as stack:
        if kind.startswith("postgresql"):
            server: PostgresServer = request.getfixturevalue("postgres_server")
            name = server.hub_database()
            stack.callback(server.drop_database, name)
            url, folders = server.url(name), ["first", "second"]
        else:
            url, folders = f"sqlite:///{folder / 'hub.db'}", ["only"]
        if kind.endswith("redis"):
            redis: RedisServer = request.getfixturevalue("redis_server")
            environ["HUB_REDIS_URL"] = redis.url
        hubs = [
            stack.enter_context(
                HubProcess(folder / name, config=CONFIG, database_url=url, environ=environ)
            )
            for name in folders
        ]
        done = hubs[0].run(
            "user", "add", BEN[0], "--name", "Ben", "--password-stdin", input_=BEN[1] + "\n"
        )
        assert done.returncode == 0, done.stderr
        cluster = Cluster(hubs, url)
        asyncio.run(books.write(url, cluster.begin))
        yield cluster


@pytest.fixture
def cluster(running: Cluster) -> Cluster:
    """With Ben as he was."""
    running.restore()
    return running


@contextmanager
def watching(client: Client, since: int | None = None) -> Iterator[ClientConnection]:
    """A socket that has said hello."""
    cookie = f"hub_session={client.http.cookies['hub_session']}"
    address = str(client.http.base_url).rstrip("/").replace("http", "ws", 1)
    query = "" if since is None else f"?since={since}"
    with connect(
        address + client.path("stream") + query, additional_headers={"Cookie": cookie}
    ) as socket:
        assert json.loads(socket.recv(timeout=PATIENCE))["type"] == "hello"
        yield socket


def texts(message: str | bytes) -> list[str]:
    """What the entries in a message say."""
    changes = json.loads(message).get("changes", [])
    return [one["entry"]["blocks"][0]["text"] for one in changes if one["type"] == "entry.added"]


def until(socket: ClientConnection, text: str) -> list[str]:
    """Everything that was shown, up to a text."""
    shown: list[str] = []
    while text not in shown:
        shown += texts(socket.recv(timeout=PATIENCE))
    return shown


def to_the_end(socket: ClientConnection) -> list[str]:
    """Everything that is shown until the stream ends."""
    shown: list[str] = []
    try:
        while True:
            shown += texts(socket.recv(timeout=PATIENCE))
    except ConnectionClosed:
        return shown


def sign_out(cluster: Cluster, client: Client) -> None:
    """Ben signs out, on the other process where there is one."""
    elsewhere = Client(cluster.hubs[0].base_url)
    elsewhere.http.cookies.set("hub_session", client.http.cookies["hub_session"])
    elsewhere.http.headers["X-CSRF-Token"] = client.http.headers["X-CSRF-Token"]
    assert elsewhere.http.delete("/api/v1/session").is_success
    elsewhere.close()


def set_password(cluster: Cluster, _client: Client) -> None:
    """An admin ends all of Ben's sessions."""
    done = cluster.hubs[0].run(
        "user", "password", BEN[0], "--password-stdin", input_="yet-another-password\n"
    )
    assert done.returncode == 0, done.stderr


def remove_member(cluster: Cluster, _client: Client) -> None:
    mine = t.members.c.user_id == BENS_USER
    cluster.change(sa.update(t.members).where(mine).values(deactivated_at=1))


def deactivate_user(cluster: Cluster, _client: Client) -> None:
    cluster.change(sa.update(t.users).where(t.users.c.email == BEN[0]).values(deactivated_at=1))


def withdraw_right(cluster: Cluster, _client: Client) -> None:
    mine = t.roles.c.id == BENS_ROLE
    cluster.change(sa.update(t.roles).where(mine).values(capabilities='["messages.send"]'))


def let_expire(cluster: Cluster, _client: Client) -> None:
    mine = t.sessions.c.user_id == BENS_USER
    cluster.change(sa.update(t.sessions).where(mine).values(expires_at=1))


WAYS: list[Callable[[Cluster, Client], None]] = [
    sign_out,
    set_password,
    remove_member,
    deactivate_user,
    withdraw_right,
    let_expire,
]


@pytest.mark.feature("RT-05", "OPER-02")
def test_nothing_is_shown_after_a_right_was_withdrawn(cluster: Cluster) -> None:
    """For every way to withdraw it: what comes in right afterwards is never shown, and the stream
    ends. Ana, who keeps hers, is shown everything."""
    expected: list[str] = []
    with watching(cluster.ana) as anas:
        for number, withdraw in enumerate(WAYS):
            name = withdraw.__name__
            ben = cluster.watcher()
            with watching(ben) as bens:
                cluster.ana.text(f"+1202555{number:04}", f"before {name}", channel="front")
                assert until(bens, f"before {name}") == [f"before {name}"]
                withdraw(cluster, ben)
                cluster.ana.text(f"+1202555{number:04}", f"after {name}", channel="front")
                assert to_the_end(bens) == [], name
            with pytest.raises(InvalidStatus), watching(ben):
                pass
            assert not ben.http.get(ben.path("changes"), params={"since": 0}).is_success
            expected += [f"before {name}", f"after {name}"]
            assert until(anas, expected[-1]) == expected[-2:]
            cluster.restore()


@pytest.mark.feature("RT-05")
def test_a_stream_on_which_nothing_happens_ends_too(cluster: Cluster) -> None:
    ben = cluster.watcher()
    with watching(ben) as bens:
        remove_member(cluster, ben)
        assert to_the_end(bens) == []


@pytest.mark.feature("RT-05")
def test_who_waits_for_changes_is_answered_with_nothing_then_refused(cluster: Cluster) -> None:
    ben = cluster.watcher()
    since = int(ben.http.get(ben.path("threads")).headers["X-Position"])
    remove_member(cluster, ben)
    answer = ben.http.get(ben.path("changes"), params={"since": since, "wait": 20})
    assert answer.status_code == 404


@pytest.mark.feature("RT-05")
def test_a_channel_that_a_role_does_not_see_is_on_no_stream_of_it(cluster: Cluster) -> None:
    """Live and when it is caught up on; a channel taken away ends the stream, and the next one
    is without it."""
    mine = t.roles.c.id == BENS_ROLE
    cluster.change(sa.update(t.roles).where(mine).values(channel_ids='["front"]'))
    ben = cluster.watcher()
    since = int(ben.http.get(ben.path("threads")).headers["X-Position"])
    with watching(ben) as bens:
        cluster.ana.text("+12025550001", "to the workshop", channel="workshop")
        cluster.ana.text("+12025550001", "to the front desk", channel="front")
        assert until(bens, "to the front desk") == ["to the front desk"]
        cluster.change(sa.update(t.roles).where(mine).values(channel_ids='["workshop"]'))
        cluster.ana.text("+12025550001", "to the front desk again", channel="front")
        assert to_the_end(bens) == []
    with watching(ben, since=since) as bens:
        cluster.ana.text("+12025550001", "and to the workshop", channel="workshop")
        assert until(bens, "and to the workshop") == ["to the workshop", "and to the workshop"]
