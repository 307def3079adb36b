"""``kill -9`` at random moments under load: every change is seen once, every timer fires once,
every job takes each of its steps once. On PostgreSQL two processes compete for all of it.

``HUB_KILLS`` is how often processes are killed on each database; ``HUB_KILL_SEED`` draws the same
moments again.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hub.store import tables as t
from tests import books
from tests.forks import HUB, Forker, Process
from tests.hubs import wait_for
from tests.machinery.conftest import marks, scratch
from tests.machinery.process import STEPS, TIMER

KILLS = int(os.environ.get("HUB_KILLS", "12"))
LONGEST_LIFE = 1.5
KILLED_EARLY = 0.2
"""How many of the kills come while the process starts."""
LONGEST_START = 0.4


class Worker:
    """A process of the test's own; ``start`` it again after each ``kill``."""

    def __init__(self, forker: Forker, folder: Path, url: str, number: int) -> None:
        self._forker = forker
        self._folder = folder / str(number)
        self._folder.mkdir()
        self._output = self._folder / "output.txt"
        self._environ = {
            **os.environ,
            "HUB_DATA": str(self._folder / "data"),
            "HUB_DATABASE_URL": url,
            "HUB_LEASE_MS": "700",
            "HUB_ADMIN_PASSWORD": "correct-horse-battery",
        }
        self._process: Process | None = None

    def start(self, how: str = "busy") -> None:
        self._process = self._forker.start(
            [how], folder=self._folder, environ=self._environ, output=self._output
        )

    def ready(self) -> None:
        wait_for(self._is_ready, what="a worker's start")

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._output.read_text()
        return "ready" in self._output.read_text().splitlines()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.mark.timeout(600 + KILLS * 30)
@pytest.mark.feature("OPER-03")
def test_killed_at_random_consumers_see_every_change_once_and_timers_and_jobs_end(
    database_url: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("HUB_KILL_SEED") or random.SystemRandom().getrandbits(32))
    print(f"HUB_KILL_SEED={seed}")  # shown when the test fails
    chance = random.Random(seed)
    asyncio.run(books.write(database_url, scratch.create_all))
    number = 1 if database_url.startswith("sqlite") else 2
    with Forker("tests.machinery.process", "run", HUB) as forker:
        workers = [Worker(forker, tmp_path, database_url, place) for place in range(number)]
        try:
            for worker in workers:
                worker.start()
            for _ in range(KILLS):
                worker = chance.choice(workers)
                if chance.random() < KILLED_EARLY:
                    time.sleep(chance.uniform(0, LONGEST_START))
                else:
                    worker.ready()
                    time.sleep(chance.uniform(0, LONGEST_LIFE))
                worker.kill()
                worker.start()
            for worker in workers:
                worker.ready()
                worker.kill()
                worker.start("idle")
            wait_for(
                lambda: asyncio.run(books.read(database_url, _settled)),
                what="the end of all work",
            )
        finally:
            for worker in workers:
                worker.kill()
    asyncio.run(books.read(database_url, _check))


def _settled(connection: Connection) -> bool:
    head = connection.scalar(sa.select(sa.func.max(t.organisations.c.position)))
    behind = sa.select(sa.func.count()).where(t.consumers.c.position < head)
    unfinished = sa.select(sa.func.count()).where(t.jobs.c.finished_at.is_(None))
    due = sa.select(sa.func.count()).where(t.due.c.kind == TIMER.kind)
    return not any(connection.scalar(count) for count in (behind, unfinished, due))


def _check(connection: Connection) -> None:
    made: dict[str, list[int]] = {}
    for row in connection.execute(sa.select(marks)):
        made.setdefault(row.what, []).append(row.number)
    head = connection.scalar(sa.select(sa.func.max(t.organisations.c.position)))
    assert sorted(made["seen"]) == list(range(1, (head or 0) + 1))
    assert len(made["set"]) > KILLS
    assert sorted(made["fired"]) == sorted(made["set"])
    for job in made["begun"]:
        assert sorted(made[f"job {job}"]) == list(range(1, STEPS + 1))
    assert {row.state for row in books.rows(connection, t.jobs)} == {"done"}
    assert books.rows(connection, t.parked) == []
    kinds = Counter(entry.kind for entry in books.rows(connection, t.entries))
    assert kinds == {"message": len(made["set"]), "note": len(made["set"])}
    books.check(connection)
