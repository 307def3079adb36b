"""Two hubs on one PostgreSQL database and one Redis, as behind a load balancer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests import recorded
from tests.hubs import Client
from tests.services import PostgresServer, RedisServer
from tests.standins.hub import TwilioHub
from tests.standins.twilio import TwilioStandIn

_numbers = itertools.count(1)


@dataclass
class Cluster:
    """Two processes, and a member who is signed in on each."""

    database: str
    hubs: tuple[TwilioHub, TwilioHub]
    clients: tuple[Client, Client]
    twilio: TwilioStandIn


@pytest.fixture(scope="package")
def cluster(
    postgres_server: PostgresServer,
    redis_server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    """Both running."""
    name = postgres_server.hub_database()
    url = postgres_server.url(name)
    environ = {"HUB_REDIS_URL": redis_server.url, "HUB_LEASE_MS": "3000"}
    with TwilioStandIn(recorded.path("openapi/twilio_api_v2010.json")) as twilio:
        first, second = (
            TwilioHub(tmp_path_factory.mktemp("hub"), twilio, url, environ=environ)
            for _ in range(2)
        )
        with first, second:
            yield Cluster(url, (first, second), (first.client(), second.client()), twilio)
        assert twilio.spec_errors == []
    postgres_server.drop_database(name)


@pytest.fixture
def phones() -> Iterator[str]:
    """Numbers of customers that nobody has used yet."""
    return (f"+1202555{number + 5000:04d}" for number in _numbers)
