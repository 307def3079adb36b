"""A hub on each database with a channel of texts and one of calls, which do what they are told."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hub.store import tables as t
from tests import books
from tests.host.unruly import PLUGINS, TOKEN
from tests.hubs import Client, HubProcess, wait_for

T = TypeVar("T")
CONFIG = """\
[[channels]]
id = "texts"
plugin = "unruly"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"

[[channels]]
id = "voice"
plugin = "unruly-ringing"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"
"""
OWN = "+15550100001"
BEN = ("ben@example.com", "another-good-password")
_numbers = itertools.count(1)


class House:
    """The hub, Ana signed in to it, and the far end of its channels."""

    def __init__(self, hub: HubProcess, database: str, folder: Path) -> None:
        self.hub = hub
        self.client: Client = hub.client()
        self.folder = folder
        self.database = database

    # ---------------------------------------------------------------- what arrives

    def tell(self, *events: dict[str, Any], channel: str = "voice") -> None:
        """Events, as the plugin would have made them; they are committed when this returns."""
        url = f"/hooks/{self.client.org}/{channel}"
        told = {"do": "events", "events": events}
        answer = self.client.http.post(url, json=told, headers={"X-Token": TOKEN})
        assert answer.status_code == 200, answer.text
        waiting = self.client.get(f"channels/{channel}/deliveries", state="quarantined")
        assert waiting["items"] == []

    def text(self, phone: str, text: str) -> None:
        """A message of a customer's."""
        told = {
            "type": "message", "external_id": f"{phone}/{text}", "sender": [address(phone)],
            "own_address": OWN, "text": text,
        }  # fmt: skip
        self.tell(told, channel="texts")

    def call(self, phone: str | None, *, id_: str = "1", **ended: Any) -> dict[str, Any]:
        """A call of a customer's that ended so; its entry."""
        named = f"{phone}/{id_}" if phone else f"withheld/{next(_numbers)}"
        before = {one["id"] for one in self.client.threads()}
        self.tell(started(named, phone))
        if ended:
            self.tell({"type": "call_ended", "external_id": named, **ended})
        if phone:
            return self.calls(phone)[-1]
        (new,) = [one for one in self.client.threads() if one["id"] not in before]
        return self.client.entries(new["id"])[-1]

    def told(self, word: str) -> Path:
        """What the channel of calls does from now on, until the file is removed."""
        path = self.folder / word
        path.touch()
        return path

    def rung(self) -> list[list[str]]:
        """What the provider was asked: id, kind, the member's number, the contact's, ours."""
        path = self.folder / "rung"
        return [line.split(" ") for line in path.read_text().splitlines()] if path.exists() else []

    # ---------------------------------------------------------------- what shows

    def thread(self, phone: str) -> dict[str, Any]:
        """The conversation with a number."""
        return next(
            one
            for one in self.client.threads()
            if re.sub(r"\D", "", one["contact"]["display"]) == phone[1:]
        )

    def thread_named(self, name: str) -> dict[str, Any]:
        """The conversation with somebody of this name."""
        return next(one for one in self.client.threads() if one["contact"]["display"] == name)

    def row(self, thread_id: str) -> dict[str, Any]:
        """A conversation's row of the list."""
        return next(one for one in self.client.threads() if one["id"] == thread_id)

    def calls(self, phone: str) -> list[dict[str, Any]]:
        """The calls of a conversation."""
        return self.client.entries(self.thread(phone)["id"], kind="calls")

    def entry(self, id_: str) -> dict[str, Any]:
        """One entry."""
        return self.client.get(f"entries/{id_}")

    def until(self, id_: str, look: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """An entry once it is as ``look`` wants it."""

        def found() -> dict[str, Any] | None:
            one = self.entry(id_)
            return one if look(one) else None

        return wait_for(found, what="the entry")

    def unread(self) -> tuple[int, int]:
        """How many conversations the tab and the filter Unread hold."""
        counts = self.client.get("threads/counts", status="all")
        assert counts["unread_total"] == counts["status"]["unread"]
        return counts["status"]["unread"], counts["filter"]["unread"]

    def changes(self, since: int) -> list[dict[str, Any]]:
        """What somebody who watches is told since a position."""
        return self.client.get("changes", since=since)["changes"]

    def position(self) -> int:
        """How far the journal reaches."""
        return int(self.client.http.get(self.client.path("threads")).headers["X-Position"])

    # ---------------------------------------------------------------- what is stored

    def read(self, work: Callable[[Connection], T]) -> T:
        """From the hub's database."""
        return asyncio.run(books.read(self.database, work))

    def audit(self, entry_id: str) -> list[tuple[str, Any, Any]]:
        """The audit's lines about an entry: action, before, after."""

        def look(connection: Connection) -> list[Any]:
            own = t.audit.c
            wanted = sa.select(own.action, own.before, own.after).order_by(own.id)
            return list(connection.execute(wanted.where(own.object_id == entry_id)))

        return [
            (action, before and json.loads(before), after and json.loads(after))
            for action, before, after in self.read(look)
        ]

    def limit_ben(self, channels: list[str] | None, capabilities: list[str]) -> Client:
        """Ben, signed in, with a role that sees these channels only."""

        def change(connection: Connection) -> None:
            user = sa.select(t.users.c.id).where(t.users.c.email == BEN[0]).scalar_subquery()
            role = t.members.update().where(t.members.c.user_id == user).values(role_id=77)
            connection.execute(sa.delete(t.roles).where(t.roles.c.id == 77))
            org = connection.execute(sa.select(t.organisations.c.id)).scalar_one()
            values: dict[str, Any] = {
                "id": 77, "organisation_id": org, "name": "Ben's", "created_at": 0,
                "capabilities": json.dumps(capabilities),
                "channel_ids": None if channels is None else json.dumps(channels),
            }  # fmt: skip
            connection.execute(sa.insert(t.roles), [values])
            connection.execute(role)

        asyncio.run(books.write(self.database, change))
        return self.hub.client(*BEN)


def address(phone: str) -> dict[str, Any]:
    return {"scheme": "phone", "value": phone}


def started(id_: str, phone: str | None, direction: str = "in", **more: Any) -> dict[str, Any]:
    caller = [address(phone)] if phone else []
    told = {"direction": direction, "caller": caller, "own_address": OWN, **more}
    return about(id_, "call_started", **told)


def about(id_: str, type_: str, **more: Any) -> dict[str, Any]:
    return {"type": type_, "external_id": id_, **more}


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("calls")
    url, database = None, f"sqlite:///{folder / 'data' / 'hub.db'}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = database = server.url(server.hub_database())
    environ = {"UNRULY_TOKEN": TOKEN, "PYTHONPATH": str(PLUGINS)}
    config = CONFIG.format(folder=folder)
    with HubProcess(folder, config=config, database_url=url, environ=environ) as process:
        process.run("user", "add", BEN[0], "--name", "Ben", "--password-stdin",
                    input_=f"{BEN[1]}\n")  # fmt: skip
        yield House(process, database, folder)


@pytest.fixture
def phone() -> str:
    """A customer's number that nobody has used yet."""
    return f"+1202555{next(_numbers) + 3000:04d}"


@pytest.fixture
def other() -> str:
    """Another one."""
    return f"+1202555{next(_numbers) + 3000:04d}"
