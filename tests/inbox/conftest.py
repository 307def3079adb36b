"""One hub on each database for all of these tests; each uses customers of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hubs import Client, HubProcess

_numbers = itertools.count(1)


CONFIG = """
[[organisations]]
slug = "main"
name = "Main"

[[channels]]
id = "simulator"
plugin = "simulator"
"""


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def hub(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    """A running hub with the simulator of texts alone."""
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.hub_database())
    folder: Path = tmp_path_factory.mktemp("inbox")
    with HubProcess(folder, config=CONFIG, database_url=url) as process:
        process.run("user", "add", "ben@example.com", "--name", "Ben", "--password-stdin",
                    input_="another-good-password\n")  # fmt: skip
        yield process


@pytest.fixture
def client(hub: HubProcess) -> Iterator[Client]:
    """Ana, signed in."""
    client = hub.client()
    yield client
    client.close()


@pytest.fixture
def ben(hub: HubProcess) -> Iterator[Client]:
    """Ben, a colleague, signed in."""
    client = hub.client("ben@example.com", "another-good-password")
    yield client
    client.close()


@pytest.fixture
def phone() -> str:
    """A customer's number that nobody has used yet."""
    return f"+1202555{next(_numbers) + 1000:04d}"
