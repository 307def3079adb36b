"""A hub with somebody of every role in it, and one of everything that has an id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from hub.rules.rights import READY_ROLES
from tests.hubs import Client, HubProcess, wait_for
from tests.people.conftest import CONFIG, House
from tests.services import PostgresServer

LIMITED = "Front desk"
"""A role that is nobody's by itself: some rights, on one channel."""
MORE = "[hub]\nrequests_a_minute = 0\n"


class Premises(Struct):
    """The hub, whoever asks it by their role (nobody: without one), and ids of what is there."""

    hub: HubProcess
    house: House
    people: Mapping[str, Client]
    ids: Mapping[str, str]


@contextmanager
def _premises(folder: Path, url: str | None = None) -> Iterator[Premises]:
    with HubProcess(folder, config=MORE + CONFIG, database_url=url) as hub:
        house = House(hub, url or f"sqlite:///{folder / 'data' / 'hub.db'}", hub.client(), [])
        house.ana.post(
            "roles",
            {"name": LIMITED, "capabilities": ["messages.view", "messages.send_gated"],
             "channels": ["front"]},
        )  # fmt: skip
        people = {role: house.add(role).client for role in (*READY_ROLES, LIMITED)}
        people["nobody"] = house.client()
        yield Premises(hub, house, people, things(house))
        for client in house.clients:
            client.close()
    assert "Traceback" not in hub.output
    assert '"request.failed"' not in hub.output, hub.output
    assert "Exception in ASGI" not in hub.output, hub.output


@pytest.fixture(scope="package")
def premises(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Premises]:
    """On SQLite."""
    with _premises(tmp_path_factory.mktemp("security")) as made:
        yield made


@pytest.fixture(scope="module")
def premises_on_postgresql(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[Premises]:
    url = postgres_server.url(postgres_server.hub_database())
    with _premises(tmp_path_factory.mktemp("security"), url) as made:
        yield made


def things(house: House) -> dict[str, str]:
    """Ids that name something, by the names of parameters."""
    ana = house.ana
    ana.text("+12025559001", "hello", channel="front")
    thread = wait_for(lambda: next(iter(ana.threads()), None), what="the conversation")
    entry = next(one for one in ana.entries(thread["id"]) if one["kind"] == "message")
    files: dict[str, Any] = {"file": ("a.txt", b"hello")}
    return {
        "org": "main",
        "thread_id": thread["id"],
        "contact_id": thread["contact"]["id"],
        "entry_id": entry["id"],
        "attachment_id": ana.http.post(ana.path("attachments"), files=files).json()["id"],
        "delivery_id": ana.get("channels/front/deliveries")["items"][0]["id"],
        "channel_id": "front",
        "job_id": ana.post("channels/front/deliveries/replay")["id"],
        "role_id": ana.post("roles", {"name": "Spare", "capabilities": []})["id"],
        "member_id": house.add("User SMS").member_id,
        "token_id": house.token(ana, "messages.view")[0],
    }
