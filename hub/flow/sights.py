"""The lists of roles that see a part, begun, filled and given up in the background as roles change.

Until a list is filled its role reads what there is instead, which is right and takes longer.
"""

from __future__ import annotations

from functools import partial

from hub.flow.loop import Loop
from hub.flow.writer import Writer
from hub.store import sights
from hub.store.database import Database
from hub.store.ids import Ids

EVERY = 30.0
"""Seconds between two looks, if nobody says that a role was changed."""


class Sights:
    """Sees to the lists. Every process does; the database says who is faster."""

    def __init__(self, database: Database, writer: Writer, ids: Ids) -> None:
        self._database = database
        self._writer = writer
        self._ids = ids
        self._loop = Loop("sights", self._step)

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    def wake(self) -> None:
        """A role may have been changed."""
        self._loop.wake()

    async def stop(self) -> None:
        """End; a list that is half filled is filled further next time."""
        await self._loop.stop()

    async def _step(self) -> float:
        if not await self._database.read(sights.waiting):
            return EVERY
        await self._writer.execute(partial(sights.step, ids=self._ids), bulk=True)
        return 0.0
