"""A hub with two organisations on either database, and people in them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.app.setup import insert_member, insert_user
from hub.store import tables as t
from hub.store.ids import Ids
from tests import books
from tests.forks import cheap_passwords
from tests.hubs import PASSWORD, Client, HubProcess
from tests.mailboxes import Taker

CONFIG = """\
[[organisations]]
slug = "main"

[[organisations]]
slug = "branch"

[[channels]]
id = "front"
organisation = "main"
plugin = "simulator"
[channels.settings]
numbers = ["+12025550100"]

[[channels]]
id = "workshop"
organisation = "main"
plugin = "simulator"
[channels.settings]
numbers = ["+12025550200"]

[[channels]]
id = "front"
organisation = "branch"
plugin = "simulator"
[channels.settings]
numbers = ["+12025550300"]
"""
_numbers = itertools.count(1)


class Person(Struct, frozen=True):
    """Somebody who was added."""

    email: str
    member_id: str
    client: Client


class House(Struct):
    """The hub, its database, and an admin of both organisations."""

    hub: HubProcess
    url: str
    ana: Client
    clients: list[Client]

    def client(self, org: str = "main") -> Client:
        """A client that nobody has signed in with."""
        client = Client(self.hub.base_url, org)
        self.clients.append(client)
        return client

    def add(self, role: str = "User SMS", org: str = "main") -> Person:
        """A new person with a role, signed in."""
        email = f"person{next(_numbers)}@example.com"

        def insert(connection: Connection) -> int:
            cheap_passwords()
            ids = Ids(900 + next(_numbers) % 100)
            organisation_id = connection.execute(
                sa.select(t.organisations.c.id).where(t.organisations.c.slug == org)
            ).scalar_one()
            user_id = insert_user(connection, ids, email, email, PASSWORD, one_time=False)
            insert_member(connection, ids, user_id, organisation_id, role)
            return connection.execute(
                sa.select(t.members.c.id).where(t.members.c.user_id == user_id)
            ).scalar_one()

        member_id = asyncio.run(books.write(self.url, insert))
        client = self.hub.client(email)
        client.org = org
        return Person(email, str(member_id), client)

    def rows(self, table: sa.Table) -> list[Any]:
        """Every row of a table."""
        return list(asyncio.run(books.read(self.url, lambda one: books.rows(one, table))))

    def audited(self, action: str, object_id: str) -> list[Any]:
        """What the audit says of an object."""
        return [
            one for one in self.rows(t.audit) if one.action == action and one.object_id == object_id
        ]

    def role_id(self, name: str, client: Client | None = None) -> str:
        """A role by its name."""
        roles = (client or self.ana).get("roles")
        return next(one["id"] for one in roles if one["name"] == name)

    def token(self, client: Client, *capabilities: str, **more: Any) -> tuple[str, Client]:
        """A token of somebody's: its id, and a client that uses it."""
        wanted = {"name": "script", "capabilities": list(capabilities), **more}
        made = client.post("tokens", wanted)
        user = self.client(client.org)
        user.http.headers["Authorization"] = f"Bearer {made['token']}"
        return made["id"], user


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("people")
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.hub_database())
    with HubProcess(folder, config=CONFIG, database_url=url) as hub:
        house = House(hub, url or f"sqlite:///{folder / 'data' / 'hub.db'}", hub.client(), [])
        yield house
        for client in house.clients:
            client.close()
    assert "Traceback" not in hub.output
    assert '"request.failed"' not in hub.output, hub.output


@contextmanager
def mailing_house(folder: Path, more: str = "") -> Iterator[tuple[House, Taker]]:
    """The same with a mail server, on SQLite, and what it takes; ``more``: of its configuration."""
    taker = Taker()
    notices = f"""
[notices]
host = "{taker.host}"
port = {taker.port}
tls = "none"
from = "Hub <hub@example.com>"
"""
    try:
        with HubProcess(folder, config=CONFIG + more + notices) as hub:
            house = House(hub, f"sqlite:///{folder / 'data' / 'hub.db'}", hub.client(), [])
            yield house, taker
            for client in house.clients:
                client.close()
        assert "Traceback" not in hub.output
        assert '"request.failed"' not in hub.output, hub.output
    finally:
        taker.stop()
