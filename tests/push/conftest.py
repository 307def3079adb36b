"""A hub on either database whose pushes go to a stand-in of a push service."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from tests.host.unruly import ENVIRON
from tests.hubs import Client, HubProcess, wait_for
from tests.people.conftest import CONFIG, House, Person
from tests.standins.push import Browser, PushService, push_service

ODD = """
[[channels]]
id = "odd"
organisation = "main"
plugin = "unruly"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"
"""
"""A channel that is well while there is a file of that name in its folder."""
_numbers = itertools.count(1)


class Pushed(Struct):
    """The hub and the service."""

    house: House
    service: PushService
    odd: Path
    """The folder of the channel `odd`."""

    def told(self, client: Client, browser: Browser | None = None) -> Browser:
        """A browser in which somebody is told from now on."""
        browser = browser or Browser()
        answer = client.http.put("/api/v1/me/push", json=browser.subscription)
        assert answer.status_code == 204, answer.text
        return browser

    def person(self, role: str = "User SMS") -> tuple[Person, Browser]:
        """A new one, who is told."""
        person = self.house.add(role)
        return person, self.told(person.client)

    def text(self, number: str, body: str, channel: str = "front") -> str:
        """A customer writes; the conversation."""
        self.house.ana.text(number, body, channel=channel)
        found = wait_for(lambda: self.house.ana.thread_of(shown(number)))
        return found["id"]


def shown(number: str) -> str:
    """As the hub writes a number of the tests' own range."""
    return f"+1 {number[2:5]}-{number[5:8]}-{number[8:]}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def pushed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pushed]:
    folder = tmp_path_factory.mktemp("push")
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.hub_database())
    odd = tmp_path_factory.mktemp("odd")
    (odd / "well").touch()
    with (
        push_service() as service,
        HubProcess(
            folder,
            config=CONFIG + ODD.format(folder=odd),
            database_url=url,
            environ={**ENVIRON, "HUB_HTTP_ROUTES": service.route},
        ) as hub,
    ):
        kept = url or f"sqlite:///{folder / 'data' / 'hub.db'}"
        house = House(hub, kept, hub.client(), [])
        yield Pushed(house, service, odd)
        for client in house.clients:
            client.close()
    assert "Traceback" not in hub.output
    assert '"request.failed"' not in hub.output, hub.output


@pytest.fixture
def numbers() -> tuple[str, str]:
    """Two phones that nobody has written from."""
    first = next(_numbers)
    return f"+120255588{first:02}", f"+120255589{first:02}"
