"""Two hubs on one PostgreSQL database and one Redis: one polls and one listens, and when it dies
or ends the other does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.store import tables as t
from tests import books
from tests.host.unruly import PLUGINS
from tests.hubs import HubProcess, wait_for
from tests.inlets.conftest import configured
from tests.standins.courier import Courier

WAYS = ("poll", "listen")


@pytest.fixture
def two(
    migrated_postgres_url: str, redis_url: str, tmp_path: Path, courier: Courier
) -> Iterator[tuple[HubProcess, HubProcess]]:
    config = "".join(configured(courier, f"courier-{way}", tmp_path, id_=way) for way in WAYS)
    environ = {"HUB_REDIS_URL": redis_url, "HUB_LEASE_MS": "1500", "PYTHONPATH": str(PLUGINS)}
    first, second = (
        HubProcess(
            tmp_path / name, config=config, database_url=migrated_postgres_url, environ=environ
        )
        for name in ("first", "second")
    )
    with first, second:
        yield first, second


@pytest.mark.feature("OPER-02", "OPER-03")
def test_one_does_it_and_the_other_takes_over(
    two: tuple[HubProcess, HubProcess], courier: Courier, migrated_postgres_url: str
) -> None:
    written: list[str] = []

    def write_and_wait(what: str) -> None:
        texts = [f"{what} {number}" for number in range(6)]
        written.extend(texts)
        courier.write(*texts)
        wait_for(
            lambda: all(
                sorted(own) == sorted(written) for own in _texts(migrated_postgres_url).values()
            ),
            what=what,
        )

    write_and_wait("both run")
    listened = courier.listened
    for place, killed in enumerate(two):
        killed.kill()
        write_and_wait(f"number {place} is dead")
        killed.start()
    for place, stopped in enumerate(two):
        assert stopped.stop() == 0
        write_and_wait(f"number {place} has ended")
        stopped.start()
    assert courier.listened > listened, "at least one of them was who listened"
    assert courier.most_polling == 1
    assert courier.most_listening == 1
    asyncio.run(books.read(migrated_postgres_url, books.check))


def _texts(url: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {way: [] for way in WAYS}
    for entry in asyncio.run(books.read(url, lambda connection: books.rows(connection, t.entries))):
        found[entry.channel_id].append(json.loads(entry.content)["text"])
    return found
