"""A process that keeps files, forgets them and tidies up, all at once, until it is killed.

Several may work on one database and folder.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from hub.store import tables as t
from hub.store.blobs import Blobs
from tests.machinery.conftest import Rig, opened
from tests.machinery.test_sweep import keep, sweep_once

BODIES = [random.Random(number).randbytes(20_000) for number in range(40)]


async def uploading(rig: Rig, blobs: Blobs, chance: random.Random) -> None:
    while True:
        await keep(rig, blobs, chance.choice(BODIES))


async def forgetting(rig: Rig, chance: random.Random) -> None:
    own = t.attachments.c
    some = sa.select(own.id).order_by(own.sha256).limit(20)

    def forget(connection: sa.Connection) -> None:
        gone = [id_ for id_ in connection.execute(some).scalars() if chance.random() < 0.5]
        connection.execute(sa.delete(t.attachments).where(own.id.in_(gone)))

    while True:
        await rig.write(forget)


async def tidying(rig: Rig, blobs: Blobs) -> None:
    while True:
        await sweep_once(rig, blobs)


async def main(url: str, folder: Path) -> None:
    """Until killed."""
    chance = random.Random()
    async with opened(url, node=chance.randrange(1, 500)) as rig:
        blobs = Blobs(folder)
        print("ready", flush=True)
        await asyncio.gather(
            *(uploading(rig, blobs, chance) for _ in range(3)),
            forgetting(rig, chance),
            tidying(rig, blobs),
        )


def run(arguments: Sequence[str]) -> None:
    """Run until killed."""
    asyncio.run(main(arguments[0], Path(arguments[1])))
