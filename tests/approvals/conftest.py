"""A hub on each database: Ana, who approves, Ada, who does too, and Gil, who writes for them."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hub.edge.sessions import token_hash
from hub.edge.tokens import new_token
from hub.store import tables as t
from tests import books
from tests.compose.conftest import REMINDER
from tests.host.unruly import PLUGINS, TOKEN
from tests.hubs import Client, HubProcess, wait_for

T = TypeVar("T")
CONFIG = """\
[[channels]]
id = "odd"
plugin = "unruly-writing"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"

[[channels]]
id = "voice"
plugin = "unruly-ringing"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"

[[channels]]
id = "plain"
plugin = "simulator"
"""
OWN = "+15550100001"
PASSWORD = "another-good-password"
VIEW, SEND, GATED, APPROVE = (
    "messages.view", "messages.send", "messages.send_gated", "messages.approve",
)  # fmt: skip
_numbers = itertools.count(1)


class Queue:
    """The hub, and who works in it."""

    def __init__(self, hub: HubProcess, database: str, folder: Path) -> None:
        self.hub = hub
        self.folder = folder
        self.database = database
        self.programs: list[Client] = []
        self.ana: Client = hub.client()
        self.ada = self.join("ada", {VIEW, SEND, APPROVE})
        self.gil = self.join("gil", {VIEW, GATED})

    # ---------------------------------------------------------------- members

    def join(self, name: str, capabilities: Collection[str], **role: Any) -> Client:
        """A new member, signed in."""
        self.hub.run("user", "add", f"{name}@example.com", "--name", name.title(),
                     "--password-stdin", input_=f"{PASSWORD}\n")  # fmt: skip
        self.rule(name, capabilities, **role)
        return self.client(name)

    def client(self, name: str) -> Client:
        """A member, signed in anew."""
        return self.hub.client(f"{name}@example.com", PASSWORD)

    def rule(
        self, name: str, capabilities: Collection[str], channels: list[str] | None = None
    ) -> None:
        """What a member may from now on."""

        def change(connection: Connection) -> None:
            user = sa.select(t.users.c.id).where(t.users.c.email == f"{name}@example.com")
            org = connection.execute(sa.select(t.organisations.c.id)).scalar_one()
            connection.execute(sa.delete(t.roles).where(t.roles.c.name == f"of {name}"))
            row: dict[str, Any] = {
                "id": 7_000 + next(_numbers), "organisation_id": org, "name": f"of {name}",
                "capabilities": json.dumps(sorted(capabilities)), "created_at": 0,
                "channel_ids": None if channels is None else json.dumps(channels),
            }  # fmt: skip
            connection.execute(sa.insert(t.roles), [row])
            mine = t.members.c.user_id == user.scalar_subquery()
            connection.execute(sa.update(t.members).where(mine).values(role_id=row["id"]))

        self.change(change)

    def token(self, name: str, capabilities: Collection[str]) -> Client:
        """A program with a token of a member's."""
        token = new_token()

        def make(connection: Connection) -> None:
            user = sa.select(t.users.c.id).where(t.users.c.email == f"{name}@example.com")
            own = sa.select(t.members.c.id, t.members.c.organisation_id)
            found = connection.execute(own.where(t.members.c.user_id.in_(user))).one()
            row = {
                "id": 7_000 + next(_numbers), "organisation_id": found.organisation_id,
                "member_id": found.id, "name": "Program", "token_hash": token_hash(token),
                "capabilities": json.dumps(sorted(capabilities)), "created_at": 0,
            }  # fmt: skip
            connection.execute(sa.insert(t.tokens), [row])

        self.change(make)
        client = Client(self.hub.base_url)
        self.programs.append(client)
        client.http.headers["Authorization"] = f"Bearer {token}"
        return client

    def change(self, work: Callable[[Connection], None]) -> None:
        """Change the database by hand."""
        asyncio.run(books.write(self.database, work))

    def read(self, work: Callable[[Connection], T]) -> T:
        """From the hub's database."""
        return asyncio.run(books.read(self.database, work))

    # ---------------------------------------------------------------- the far end

    def tell(self, *events: dict[str, Any], channel: str = "odd") -> None:
        """Events, as the plugin would have made them."""
        url = f"/hooks/{self.ana.org}/{channel}"
        told = {"do": "events", "events": events}
        answer = self.ana.http.post(url, json=told, headers={"X-Token": TOKEN})
        assert answer.status_code == 200, answer.text

    def text(self, phone: str, text: str = "Hello") -> dict[str, Any]:
        """A customer writes; the conversation."""
        self.tell(
            {"type": "message", "external_id": f"{phone}/{next(_numbers)}", "own_address": OWN,
             "sender": [{"scheme": "phone", "value": phone}], "text": text}
        )  # fmt: skip
        return self.thread(phone)

    def consent(self, phone: str, state: str) -> None:
        """A customer opts out, or in again."""
        self.tell(
            {"type": f"opt_{state}", "address": {"scheme": "phone", "value": phone},
             "how": "said so", "own_address": OWN}
        )  # fmt: skip

    def told(self, word: str, text: str = "") -> Path:
        """What the channel does from now on, until the test is over."""
        path = self.folder / word
        path.write_text(text, encoding="utf-8")
        return path

    def provider(self, *templates: dict[str, Any]) -> None:
        """Which templates there are; the hub is told."""
        self.told("templates.json", json.dumps(templates))
        self.tell({"type": "template_changed", "name": "any", "state": "APPROVED"})

    def sent(self, text: str) -> list[dict[str, Any]]:
        """What the provider was given that says this, whatever it quotes below."""
        file = self.folder / "outbound"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        told = [json.loads(line) for line in lines]
        return [one for one in told if one["wire"][0]["text"].partition("\n\nOn ")[0] == text]

    # ---------------------------------------------------------------- what shows

    def thread(self, phone: str) -> dict[str, Any]:
        """The conversation with a number."""
        return next(
            one
            for one in self.ana.threads()
            if re.sub(r"\D", "", one["contact"]["display"]) == phone[1:]
        )

    def entry(self, id_: str) -> dict[str, Any]:
        """One entry."""
        return self.ana.get(f"entries/{id_}")

    def until(self, id_: str, status: str) -> dict[str, Any]:
        """An entry once it has this status."""

        def found() -> dict[str, Any] | None:
            one = self.entry(id_)
            return one if one["status"] == status else None

        return wait_for(found, what=f"the status {status}")

    def write(
        self, thread: dict[str, Any], body: str = "", *, by: Client | None = None, **wanted: Any
    ) -> dict[str, Any]:
        """Gil writes to the contact of a conversation; his message."""
        message = {"channel_id": "odd", "contact_id": thread["contact"]["id"], "body": body}
        who = by or self.gil
        return who.post(f"threads/{thread['id']}/messages", {**message, **wanted})

    def waiting(self, phone: str, body: str = "", **wanted: Any) -> dict[str, Any]:
        """A customer has written, and Gil has answered; his answer, which waits."""
        entry = self.write(self.text(phone), body or f"Answer to {phone}", **wanted)
        assert entry["status"] == "pending_approval"
        return entry

    def queued(self, by: Client | None = None, **params: Any) -> list[str]:
        """The ids of what waits."""
        params = {"limit": 200, **params}
        return [one["id"] for one in (by or self.ana).get("approvals", **params)["items"]]

    def decide(
        self, what: str, entry: dict[str, Any], *, by: Client | None = None, **said: Any
    ) -> Any:
        """Approve, reject or withdraw; whatever comes of it."""
        return (by or self.ana).call("POST", f"approvals/{entry['id']}/{what}", said)


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def hub_of_queue(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Queue]:
    folder: Path = tmp_path_factory.mktemp("approvals")
    url, database = None, f"sqlite:///{folder / 'hub' / 'data' / 'hub.db'}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = database = server.url(server.hub_database())
    environ = {"UNRULY_TOKEN": TOKEN, "PYTHONPATH": str(PLUGINS)}
    config = CONFIG.format(folder=folder)
    with HubProcess(folder / "hub", config=config, database_url=url, environ=environ) as process:
        made = Queue(process, database, folder)
        yield made
        for program in made.programs:
            program.close()


@pytest.fixture
def queue(hub_of_queue: Queue) -> Iterator[Queue]:
    hub_of_queue.provider(REMINDER)
    yield hub_of_queue
    (hub_of_queue.folder / "window").unlink(missing_ok=True)
    hub_of_queue.rule("gil", {VIEW, GATED})
    hub_of_queue.rule("ada", {VIEW, SEND, APPROVE})
    hub_of_queue.read(books.check)


@pytest.fixture
def phone() -> str:
    """A customer's number that nobody has used yet."""
    return f"+1202555{next(_numbers) + 4000:04d}"
