"""Redis only makes news faster: without it two processes go on, and say so."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.hubs import Client, HubProcess, wait_for
from tests.services import RedisServer, find_redis


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    program = find_redis()
    if program is None:
        pytest.skip("Redis is missing")
    server = RedisServer(program)
    yield server
    server.stop()


def warnings(hub: HubProcess) -> list[str]:
    answer = httpx2.get(f"{hub.base_url}/readyz")
    assert answer.status_code == 200, "it is ready all the same"
    return answer.json()["warnings"]


def told(writer: Client, reader: Client, number: str) -> bool:
    """Whether a text that comes in on one process is told on the other while it waits for news."""
    since = reader.http.get(reader.path("threads")).headers["X-Position"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(reader.get, "changes", since=since, wait=20)
        writer.text(number, "News")
        frame = waiting.result()
    return any(change["type"] == "entry.added" for change in frame["changes"])


@pytest.mark.feature("RT-01", "RT-03", "OPER-02")
def test_news_goes_on_without_redis_and_is_as_before_when_it_is_back(
    migrated_postgres_url: str, own_redis: RedisServer, tmp_path: Path
) -> None:
    environ = {"HUB_REDIS_URL": own_redis.url}
    first, second = (
        HubProcess(tmp_path / name, database_url=migrated_postgres_url, environ=environ)
        for name in ("first", "second")
    )
    with first, second:
        writer, reader = first.client(), second.client()
        for hub in (first, second):
            wait_for(lambda hub=hub: warnings(hub) == [], what="Redis to be found")
        assert told(writer, reader, "+12025550001")

        own_redis.crash()
        for hub in (first, second):
            (warning,) = wait_for(lambda hub=hub: warnings(hub), what="a warning")
            assert warning.startswith("Redis cannot be reached; what other processes do is seen")
        assert told(writer, reader, "+12025550002")

        own_redis.start_again()
        for hub in (first, second):
            wait_for(lambda hub=hub: warnings(hub) == [], what="Redis to be found")
        assert told(writer, reader, "+12025550003")
