"""A hub with a simulated network, which answers STOP, START and HELP itself, in English."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.hubs import Client, HubProcess
from tests.web.conftest import add_members

CONFIG = """\
[[organisations]]
slug = "main"

[[organisations]]
slug = "branch"

[[channels]]
id = "texts"
organisation = "main"
plugin = "simulator"
[channels.settings]
numbers = ["+12025550100"]
receipt_pause = 0.05

[[channels]]
id = "other"
organisation = "main"
plugin = "simulator"
[channels.settings]
numbers = ["+12025550200"]
"""
MEMBERS = {
    "viewer@example.com": ("main", ["messages.view"]),
    "gated@example.com": ("main", ["messages.view", "messages.send_gated"]),
    "limited@example.com": ("main", ["messages.view", "messages.send"]),
    "stranger@example.com": ("branch", ["messages.view", "messages.send"]),
}
_numbers = itertools.count(3000)


@pytest.fixture(scope="package")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with HubProcess(tmp_path_factory.mktemp("hub"), config=CONFIG) as process:
        add_members(process, MEMBERS, {"limited@example.com": ["other"]})
        yield process
    assert "Traceback" not in process.output


@pytest.fixture(scope="package")
def ana(hub: HubProcess) -> Client:
    """An admin, whose organisation knows Spanish words too."""
    client = hub.client()
    client.patch("settings", {"consent": {"languages": ["en", "es"], "yes_opts_in": True}})
    return client


@pytest.fixture
def number() -> str:
    """A customer's number that nobody has used yet."""
    return f"+1202555{next(_numbers)}"
