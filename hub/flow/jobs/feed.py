"""Jobs as those who started them see them, live.

A change of a job is no change of a conversation, and nobody's but one member's: so it is no line
of the journal, but a message without a position on the sockets of that member, and a client that
was away reads its jobs anew. The feed looks at the jobs that go on, which are few, when one of
this process has moved, and once a second besides: one of another process may have.
"""

from __future__ import annotations

import asyncio

import msgspec

from hub.flow.host import now_ms
from hub.flow.loop import Loop
from hub.flow.stream import Stream
from hub.flow.views.present import when
from hub.flow.views.shapes import JobChanged, JobOut
from hub.store import jobs as store
from hub.store.database import Database

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
        self._loop = Loop("jobs.feed", self._step)

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    async def stop(self) -> None:
        """End."""
        await self._loop.stop()

    def changed(self) -> None:
        """A job has moved."""
        self._loop.wake()

    async def _step(self) -> float:
        if self._stream.watched:
            await self._tell()
        await asyncio.sleep(GATHER)
        return LOOK

    async def _tell(self) -> None:
        since = now_ms() - SHOWN_AFTER
        jobs = await self._database.read(lambda connection: store.lately(connection, since))
        for job in jobs:
            if self._versions.get(job.id) != job.version and job.created_by is not None:
                message = _encoder.encode(JobChanged(job=shown_job(job)))
                self._stream.tell(job.organisation_id, job.created_by, message)
        self._versions = {job.id: job.version for job in jobs}
