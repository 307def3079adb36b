"""``kill -9`` while files are kept, forgotten and tidied away: what is referred to is there, whole.

While nobody runs all files are made old, so that whatever is kept again would go if it were not
noticed. On PostgreSQL two processes share the folder. ``HUB_KILLS`` and ``HUB_KILL_SEED`` as in
``test_kills``.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from functools import partial
from pathlib import Path

import pytest

from hub.store.blobs import Blobs
from tests import books
from tests.forks import ROOT, Forker
from tests.hubs import wait_for
from tests.machinery.conftest import opened
from tests.machinery.test_kills import KILLS
from tests.machinery.test_sweep import DAY, check, grow_older, names, referred, sweep_once


@pytest.mark.timeout(600 + KILLS * 30)
@pytest.mark.feature("OPER-03")
def test_whatever_dies_no_file_is_lost_and_none_stays(database_url: str, tmp_path: Path) -> None:
    seed = int(os.environ.get("HUB_KILL_SEED") or random.SystemRandom().getrandbits(32))
    print(f"HUB_KILL_SEED={seed}")  # shown when the test fails
    chance = random.Random(seed)
    folder = tmp_path / "blobs"
    folder.mkdir()
    number = 1 if database_url.startswith("sqlite") else 2
    with Forker("tests.machinery.keeping", "run") as forker:
        for _ in range(max(KILLS // 2, 2)):
            _live_for(forker, chance.uniform(0.2, 1.5), number, database_url, folder)
            asyncio.run(books.read(database_url, partial(check, folder)))
            grow_older(folder, 2 * DAY)

    async def tidy() -> None:
        async with opened(database_url) as rig:
            await sweep_once(rig, Blobs(folder))

    asyncio.run(tidy())
    asyncio.run(books.read(database_url, partial(check, folder)))
    assert names(folder) == asyncio.run(books.read(database_url, referred))
    assert list((folder / "incoming").iterdir()) == []


def _live_for(forker: Forker, seconds: float, number: int, url: str, folder: Path) -> None:
    """So many processes, killed after a while of work."""
    outputs = [folder.parent / f"output-{place}.txt" for place in range(number)]
    processes = [
        forker.start([url, str(folder)], folder=ROOT, environ=os.environ, output=output)
        for output in outputs
    ]

    def said() -> list[str]:
        return [output.read_text() for output in outputs]

    def ended() -> bool:
        return any(process.poll() is not None for process in processes)

    try:
        wait_for(
            lambda: ended() or all("ready" in each for each in said()), what="the processes' start"
        )
        time.sleep(seconds)
        assert not ended(), said()
    finally:
        for process in processes:
            process.kill()
            process.wait()
