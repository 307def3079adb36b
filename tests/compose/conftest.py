"""A hub on each database with a channel whose messages have subjects, answers and templates."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.events.conftest import House
from tests.host.unruly import PLUGINS, TOKEN
from tests.hubs import HubProcess, wait_for

CONFIG = """\
[[channels]]
id = "odd"
plugin = "unruly-writing"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"

[[channels]]
id = "plain"
plugin = "simulator"
"""
REMINDER = {
    "name": "reminder",
    "language": "en",
    "body": "See you on <day> at <time>",
    "parameters": ["day", "time"],
    "examples": ["Thursday"],
}
_numbers = itertools.count(1)


class Desk(House):
    """The hub, Ana signed in to it, and the provider's end of the channel."""

    def __init__(self, hub: HubProcess, folder: Path) -> None:
        super().__init__(hub, folder)
        self.folder = folder
        self.hub = hub

    def provider(self, *templates: dict[str, Any]) -> None:
        """Which templates there are; the hub is told."""
        written = json.dumps(templates)
        (self.folder / "templates.json").write_text(written, encoding="utf-8")
        self.tell({"type": "template_changed", "name": "any", "state": "APPROVED"})

    def listed(self) -> int:
        """How often the provider was asked for its templates."""
        file = self.folder / "listed"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def sent(self, entry: dict[str, Any]) -> dict[str, Any]:
        """What the plugin was given to send, last, once it was."""

        def found() -> Any:
            file = self.folder / "outbound"
            lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
            told = [json.loads(line) for line in lines]
            return next(
                (one for one in told[::-1] if one["wire"][0]["text"].startswith(entry["text"])),
                None,
            )

        return wait_for(found, what="the message")

    def write(self, thread: dict[str, Any], **wanted: Any) -> Any:
        """Write to the contact of a conversation, whatever comes of it."""
        message = {"channel_id": "odd", "contact_id": thread["contact"]["id"], **wanted}
        return self.client.call("POST", f"threads/{thread['id']}/messages", message)


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def hub_of_desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.hub_database())
    folder: Path = tmp_path_factory.mktemp("compose")
    environ = {"UNRULY_TOKEN": TOKEN, "PYTHONPATH": str(PLUGINS)}
    config = CONFIG.format(folder=folder)
    with HubProcess(folder / "hub", config=config, database_url=url, environ=environ) as process:
        yield Desk(process, folder)


@pytest.fixture
def desk(hub_of_desk: Desk) -> Iterator[Desk]:
    yield hub_of_desk
    for name in ("window", "window-late", "template-gone", "list-away", "listing", "lost", "slow"):
        (hub_of_desk.folder / name).unlink(missing_ok=True)


def another(phone: str) -> str:
    """Somebody else's number, told apart also by its last digits."""
    return f"+1303555{int(phone[-4:]) + 5000:04d}"


@pytest.fixture
def phone() -> str:
    """A customer's number that nobody has used yet."""
    return f"+1202555{next(_numbers) + 2000:04d}"
