"""Jobs as those who started them see them, live.

A change of a job is no change of a conversation, and nobody's but one member's: so it is no line
of the journal, but a message without a position on the sockets of that member, and a client that
was away reads its jobs anew. The feed looks at the jobs that go on, which are few, when one of
this process has moved, and once a second besides: one of another process may have.
"""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
import structlog

from hub.flow.host import now_ms
from hub.flow.stream import Stream
from hub.flow.views.present import when
from hub.flow.views.shapes import JobChanged, JobOut
from hub.flow.waiting import woken
from hub.store import jobs as store
from hub.store.database import Database

log = structlog.get_logger()

LOOK = 1.0
GATHER = 0.1
"""Seconds between two looks while jobs move: nobody reads figures faster."""
SHOWN_AFTER = 60_000
"""Milliseconds for which a job that has ended is still looked at."""

_encoder = msgspec.json.Encoder()


def shown_job(job: store.Job) -> JobOut:
    """A job as the API and the stream carry it."""
    return JobOut(
        id=str(job.id),
        kind=job.kind,
        state=job.state,
        done=job.done,
        total=job.total,
        result=None if job.result is None else msgspec.json.decode(job.result),
        reason=job.reason,
        canceling=job.cancel and job.finished_at is None,
        version=job.version,
        created_at=when(job.created_at),
        finished_at=None if job.finished_at is None else when(job.finished_at),
    )


class JobFeed:
    """Tells members of their jobs."""

    def __init__(self, database: Database, stream: Stream) -> None:
        self._database = database
        self._stream = stream
        self._versions: dict[int, int] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def changed(self) -> None:
        """A job has moved."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await woken(self._wake, LOOK)
            self._wake.clear()
            if self._stream.watched:
                try:
                    await self._tell()
                except Exception:
                    log.exception("jobs.not_shown")
            await asyncio.sleep(GATHER)

    async def _tell(self) -> None:
        since = now_ms() - SHOWN_AFTER
        jobs = await self._database.read(lambda connection: store.lately(connection, since))
        for job in jobs:
            if self._versions.get(job.id) != job.version and job.created_by is not None:
                message = _encoder.encode(JobChanged(job=shown_job(job)))
                self._stream.tell(job.organisation_id, job.created_by, message)
        self._versions = {job.id: job.version for job in jobs}
