"""One hub and one Twilio on each database for all of these tests; each has customers of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests import recorded
from tests.hubs import Client
from tests.standins.hub import TwilioHub
from tests.standins.twilio import NUMBER, TwilioStandIn

RECORDED_TO = "+14158161286"
"""The number that a recorded text was sent to."""
_numbers = itertools.count(1)


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('e2e') / 'hub.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    name = server.hub_database()
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture(scope="package")
def twilio(database: str) -> Iterator[TwilioStandIn]:
    """Twilio, another one for each hub."""
    spec = recorded.path("openapi/twilio_api_v2010.json")
    with TwilioStandIn(spec, numbers=(NUMBER, RECORDED_TO)) as twilio:
        yield twilio


@pytest.fixture(scope="package")
def hub(
    database: str, twilio: TwilioStandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TwilioHub]:
    """A running hub."""
    folder = tmp_path_factory.mktemp("hub")
    with TwilioHub(folder, twilio, database, numbers=(NUMBER, RECORDED_TO)) as hub:
        yield hub


@pytest.fixture(autouse=True)
def by_the_book(twilio: TwilioStandIn) -> Iterator[None]:
    """Every request of every test is one that Twilio's document allows."""
    yield
    assert twilio.spec_errors == []


@pytest.fixture
def client(hub: TwilioHub) -> Iterator[Client]:
    """A member, signed in."""
    client = hub.client()
    yield client
    client.close()


@pytest.fixture
def phone() -> str:
    """A customer's number that nobody has used yet."""
    return f"+1202555{next(_numbers) + 3000:04d}"
