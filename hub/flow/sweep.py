"""Tidying up once a day: uploads that were never sent, what a crash has left half written, blobs
that nothing refers to, what providers were told so long ago that they do not ask again, what
browsers were told, and what plugins kept for a time that is over.

A blob goes only if no row refers to it and nobody has kept it lately (``hub.store.blobs``), in
that order of looking: so what is referred to just now stays, whichever process does it, and a
sweep that dies, or is done twice, does no harm.
"""

from __future__ import annotations

import asyncio
from functools import partial

import structlog
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.clock import Timer
from hub.flow.host import now_ms
from hub.flow.jobs import Commit, JobKind, Progress, Task
from hub.flow.writer import Transaction
from hub.rules import pushes as told
from hub.store import clock, files, inbox_counts, kv, pushes, replies
from hub.store.blobs import Blobs
from hub.store.clock import Due
from hub.store.database import Database
from hub.store.ids import Ids

log = structlog.get_logger()

EVERY = 24 * 3600 * 1000
"""Milliseconds between two sweeps."""
FIRST = 10 * 60 * 1000
UNSENT = 7 * 24 * 3600 * 1000
"""Milliseconds for which an upload may wait in a draft."""
ASKED_AGAIN = 7 * 24 * 3600 * 1000
"""Milliseconds in which a provider may ask again for what it was told."""
PREFIXES = 256
AT_ONCE = 16
"""Folders looked through in a step."""
BATCH = 500
_NOBODYS = 0
"""Files are no one organisation's: two may have the same."""
_KEY = "files"


class Nothing(Struct):
    """The sweep is of everything."""


class Swept(Struct, kw_only=True):
    """How far a sweep is: the next folder, and what was removed."""

    prefix: int = 0
    removed: int = 0


class Sweep:
    """The timer, and the job that it starts."""

    def __init__(self, database: Database, blobs: Blobs, ids: Ids) -> None:
        self._database = database
        self._blobs = blobs
        self._ids = ids
        self.job = JobKind(
            name="sweep", request=Nothing, saved=Swept, begin=lambda _: Swept(), step=self._step
        )
        self.timer = Timer(kind="sweep", payload=Nothing, fire=self._fire)

    def ensure(self, connection: Connection) -> None:
        """Let there be a next sweep."""
        due = clock.get(connection, _NOBODYS, self.timer.kind, _KEY)
        if due is None or due.look_at is None:
            self.timer.put(connection, _NOBODYS, _KEY, now_ms() + FIRST, Nothing())

    def _fire(self, transaction: Transaction, due: Due, payload: Nothing) -> None:
        now = now_ms()
        self.timer.put(transaction.connection, due.organisation_id, due.key, now + EVERY, payload)
        self.job.put(
            transaction.connection,
            self._ids.new(),
            Nothing(),
            organisation_id=due.organisation_id,
            member_id=None,
            now=now,
        )

    async def _step(self, task: Task[Nothing, Swept]) -> Commit[Swept]:
        first, removed = task.saved.prefix, task.saved.removed
        if not first:
            removed += await asyncio.to_thread(self._blobs.remove_left_over)
        for number in range(first, first + AT_ONCE):
            removed += await self._tidy(f"{number:02x}")
        saved = Swept(prefix=first + AT_ONCE, removed=removed)
        return partial(_commit, saved)

    async def _tidy(self, prefix: str) -> int:
        """Remove what nothing refers to; how many."""
        old = await asyncio.to_thread(self._blobs.old, prefix)
        removed = 0
        for start in range(0, len(old), BATCH):
            names = old[start : start + BATCH]
            kept = await self._database.read(partial(files.referred_to, names=names))
            removed += await asyncio.to_thread(self._remove, [n for n in names if n not in kept])
        return removed

    def _remove(self, names: list[str]) -> int:
        return sum(self._blobs.remove(name) for name in names)


def _commit(saved: Swept, transaction: Transaction) -> Progress[Swept]:
    finished = saved.prefix >= PREFIXES
    if saved.prefix == AT_ONCE:  # the first step: what it lets go of is a blob of a later sweep
        files.forget_unsent(transaction.connection, now_ms() - UNSENT)
        replies.forget(transaction.connection, now_ms() - ASKED_AGAIN)
        kv.forget(transaction.connection, now_ms())
        pushes.forget(transaction.connection, now_ms() - told.KEPT)
        inbox_counts.forget_empty(transaction.connection)
    if finished:
        log.info("files.swept", removed=saved.removed)
    return Progress(
        saved=saved,
        done=saved.prefix,
        total=PREFIXES,
        finished=finished,
        result={"removed": saved.removed} if finished else None,
    )
