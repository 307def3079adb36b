"""``kill -9`` at random moments: what a provider has is taken in once, by every way there is.

``HUB_KILLS`` is how often the hub is killed on each database; ``HUB_KILL_SEED`` draws the same
moments again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Connection

from hub.store import tables as t
from tests import books
from tests.host.unruly import PLUGINS
from tests.hubs import HubProcess, wait_for
from tests.inlets.conftest import configured
from tests.services import free_port
from tests.standins.courier import Courier

KILLS = int(os.environ.get("HUB_KILLS", "8"))
LONGEST_LIFE = 1.2
KILLED_EARLY = 0.2
LONGEST_START = 0.5
ENOUGH = 20
WAYS = ("poll", "listen", "fetch")


class Writing:
    """Customers write all the time. Of each message the provider has the body to be polled and
    listened to, and posts where another copy is to be fetched, until the hub has said yes."""

    def __init__(self, courier: Courier, hook: str, chance: random.Random) -> None:
        self._courier = courier
        self._hook = hook
        self._chance = chance
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.texts: list[str] = []

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Write no more; what was written is posted."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx2.Client(timeout=5) as client:
            while not self._ended.is_set():
                number = len(self.texts) + 1
                text = f"number {number}"
                self._courier.bodies[f"b-{number}"] = {"id": f"c-{number}", "text": text}
                self._courier.write(text)
                self.texts.append(text)
                while not self._posted(client, f"b-{number}"):
                    time.sleep(0.02)
                time.sleep(self._chance.uniform(0, 0.06))

    def _posted(self, client: httpx2.Client, name: str) -> bool:
        try:
            return client.post(self._hook, json={"reference": name}).status_code == 200
        except httpx2.HTTPError:
            return False


@pytest.mark.timeout(600 + KILLS * 30)
@pytest.mark.feature("OPER-03", "PLUG-04")
def test_killed_at_random_nothing_is_lost_and_nothing_comes_twice(
    database_url: str, tmp_path: Path, courier: Courier
) -> None:
    seed = int(os.environ.get("HUB_KILL_SEED") or random.SystemRandom().getrandbits(32))
    print(f"HUB_KILL_SEED={seed}")  # shown when the test fails
    chance = random.Random(seed)
    config = "".join(configured(courier, f"courier-{way}", tmp_path, id_=way) for way in WAYS)
    port = free_port()
    writing = Writing(courier, f"http://127.0.0.1:{port}/hooks/main/fetch", random.Random(seed))
    hub = HubProcess(
        tmp_path,
        config=config,
        database_url=database_url,
        environ={"HUB_LEASE_MS": "700", "PYTHONPATH": str(PLUGINS)},
    )
    writing.start()
    try:
        for _ in range(KILLS):
            if chance.random() < KILLED_EARLY:
                starting = threading.Thread(target=_start_to_be_killed, args=(hub, port))
                starting.start()
                time.sleep(chance.uniform(0.05, LONGEST_START))
                _kill(hub)
                starting.join()
                _kill(hub)
            else:
                hub.start(port=port)
                time.sleep(chance.uniform(0, LONGEST_LIFE))
                hub.kill()
        hub.start(port=port)
        wait_for(lambda: len(writing.texts) > ENOUGH, what="enough to be written")
        writing.end()
        wait_for(
            lambda: asyncio.run(books.read(database_url, lambda c: _all(c, writing.texts))),
            what="all that was written",
        )
    finally:
        writing._ended.set()
        _kill(hub)
    asyncio.run(books.read(database_url, lambda connection: _check(connection, writing.texts)))


def _start_to_be_killed(hub: HubProcess, port: int) -> None:
    with contextlib.suppress(AssertionError):  # that it ended at once is what was wanted
        hub.start(port=port)


def _kill(hub: HubProcess) -> None:
    with contextlib.suppress(AssertionError):  # there may be no process yet
        hub.kill()


def _texts(connection: Connection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {way: [] for way in WAYS}
    for entry in books.rows(connection, t.entries):
        found[entry.channel_id].append(json.loads(entry.content)["text"])
    return found


def _all(connection: Connection, texts: list[str]) -> bool:
    return all(len(own) >= len(texts) for own in _texts(connection).values())


def _check(connection: Connection, texts: list[str]) -> None:
    assert len(texts) > ENOUGH
    found = _texts(connection)
    assert found["poll"] == texts, "in order, too"
    assert sorted(found["listen"]) == sorted(found["fetch"]) == sorted(texts)
    came: Counter[Any] = Counter(
        (row.source, bytes(row.body)) for row in books.rows(connection, t.deliveries)
    )
    for source in ("poll", "fetch"):
        times = [count for (each, _), count in came.items() if each == source]
        assert times == [1] * len(texts), source
    assert {row.state for row in books.rows(connection, t.deliveries)} == {"done"}
    assert {row.state for row in books.rows(connection, t.fetches)} == {"done"}
    books.check(connection)
