"""PostgreSQL is restarted while a hub serves: 503 meanwhile, and what was answered is there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx2
import pytest

from hub.store import tables as t
from tests import books
from tests.host.unruly import ENVIRON, TOKEN
from tests.hubs import HubProcess, wait_for
from tests.patience import PATIENCE
from tests.services import PostgresServer, find_postgres

CONFIG = """\
[[channels]]
id = "odd"
plugin = "unruly"
[channels.settings]
token = { env = "UNRULY_TOKEN" }
"""
SENDERS = 4


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """One that may be killed."""
    programs = find_postgres()
    if programs is None:
        pytest.skip("PostgreSQL is missing")
    server = PostgresServer(programs)
    yield server
    server.stop()


@pytest.mark.feature("OPER-03")
def test_postgresql_away_and_back_under_load_is_503_and_nothing_answered_is_lost(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    url = own_postgres.url(own_postgres.create_database())
    answers: dict[str, int] = {}
    going = threading.Event()
    going.set()
    numbers = count()

    def send(hook: str) -> None:
        with httpx2.Client(timeout=PATIENCE, headers={"X-Token": TOKEN}) as provider:
            while going.is_set():
                name = f"in-{next(numbers)}"
                told = {"id": name, "from": "+15550100002", "text": name}
                answers[name] = provider.post(hook, json=told).status_code

    def taken() -> set[str]:
        return {name for name, status in dict(answers).items() if status == 200}

    def ready() -> int:
        return httpx2.get(f"{hub.base_url}/readyz", timeout=PATIENCE).status_code

    with (
        HubProcess(tmp_path, config=CONFIG, database_url=url, environ=ENVIRON) as hub,
        ThreadPoolExecutor(SENDERS) as pool,
    ):
        sending = [pool.submit(send, f"{hub.base_url}/hooks/main/odd") for _ in range(SENDERS)]
        try:
            wait_for(lambda: len(taken()) > 20, what="load")
            own_postgres.crash()
            wait_for(lambda: 503 in dict(answers).values(), what="a refusal")
            wait_for(lambda: ready() == 503, what="that it is told")
            assert httpx2.get(f"{hub.base_url}/healthz").status_code == 200, "it lives"
            own_postgres.start_again()
            before = len(taken())
            wait_for(lambda: ready() == 200, what="the database")
            wait_for(lambda: len(taken()) > before + 20, what="load")
        finally:
            going.clear()
        for one in sending:
            one.result()
        assert set(answers.values()) == {200, 503}
        kept = asyncio.run(books.read(url, lambda connection: books.rows(connection, t.entries)))
        found = [entry.preview for entry in kept]
        assert len(found) == len(set(found)), "nothing is there twice"
        assert taken() <= set(found), "nothing that was answered is lost"
