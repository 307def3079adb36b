"""A hub on each database with a channel that tells whatever it is told to tell."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.unruly import PLUGINS, TOKEN
from tests.hubs import Client, HubProcess, wait_for

CONFIG = """\
[[channels]]
id = "odd"
plugin = "unruly"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"
"""
OWN = "+15550100001"
_numbers = itertools.count(1)


class House:
    """The hub, Ana signed in to it, and the far end of its channel."""

    def __init__(self, hub: HubProcess, folder: Path) -> None:
        self.client: Client = hub.client()
        self._folder = folder

    def deliver(self, **told: Any) -> None:
        """A webhook; it is committed when this returns."""
        url = f"/hooks/{self.client.org}/odd"
        answer = self.client.http.post(url, json=told, headers={"X-Token": TOKEN})
        assert answer.status_code == 200, answer.text
        assert self.client.get("channels/odd/deliveries", state="quarantined")["items"] == []

    def tell(self, *events: dict[str, Any]) -> None:
        """Events, as the plugin would have made them."""
        self.deliver(do="events", events=events)

    def send(self, thread: dict[str, Any], body: str) -> tuple[str, str]:
        """Answer a conversation: the entry, and what the provider calls the message."""
        contact = thread["contact"]["id"]
        wanted = {"channel_id": "odd", "contact_id": contact, "body": body}
        entry = self.client.post(f"threads/{thread['id']}/messages", wanted)
        self.entry(entry, lambda one: one["status"] == "sent")
        return entry["id"], f"u-{(self._folder / 'ids').read_text().split()[-1]}"

    def thread(self, phone: str) -> dict[str, Any]:
        """The conversation with a number."""
        return next(one for one in self.client.threads() if phone[-4:] in one["contact"]["display"])

    def entry(self, entry: dict[str, Any], look: Any) -> dict[str, Any]:
        """An entry once it is as ``look`` wants it."""

        def found() -> Any:
            page = self.client.entries(entry["thread_id"], around=entry["id"])
            one = next(each for each in page if each["id"] == entry["id"])
            return one if look(one) else None

        return wait_for(found, what="the entry")


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.hub_database())
    folder: Path = tmp_path_factory.mktemp("events")
    environ = {"UNRULY_TOKEN": TOKEN, "PYTHONPATH": str(PLUGINS)}
    config = CONFIG.format(folder=folder)
    with HubProcess(folder, config=config, database_url=url, environ=environ) as process:
        yield House(process, folder)


@pytest.fixture
def phone() -> str:
    """A customer's number that nobody has used yet."""
    return f"+1202555{next(_numbers) + 1000:04d}"
