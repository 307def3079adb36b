"""What a kind of job is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.writer import Transaction
from hub.store import jobs as store

R = TypeVar("R")
S = TypeVar("S")


class JobFailed(Exception):
    """A step raises it when there is no use in trying again; as text, why, for the member."""


class Task(Struct, Generic[R, S], frozen=True, kw_only=True):
    """A job before its next step."""

    id: int
    organisation_id: int
    member_id: int | None
    """Who started it."""
    request: R
    saved: S
    """What the last step left, or what ``begin`` made."""
    done: int
    total: int | None


class Progress(Struct, Generic[S], frozen=True, kw_only=True):
    """How far a job is after a step."""

    saved: S
    done: int
    total: int | None = None
    """``None`` while nobody knows."""
    finished: bool = False
    result: dict[str, Any] | None = None
    """What came of it, for the member, when it is finished."""


Commit = Callable[[Transaction], Progress[S]]


class JobKind(Struct, Generic[R, S], frozen=True, kw_only=True):
    """A kind of job.

    ``step(task)`` reads and prepares what comes next, within a minute, and gives a function that
    makes it so in the writer's transaction. Both may be called again for the same step, after
    a crash too: nothing outside the database may be changed in either, but through commands,
    notices, files that are named by the job, or in a way that does no harm done twice.
    """

    name: str
    request: type[R]
    saved: type[S]
    begin: Callable[[R], S]
    """What the first step finds saved."""
    step: Callable[[Task[R, S]], Awaitable[Commit[S]]]

    def put(
        self,
        connection: Connection,
        id_: int,
        request: R,
        *,
        organisation_id: int,
        member_id: int | None,
        now: int,
    ) -> store.Job:
        """Let a job wait to be run, in the caller's transaction; ``now`` in milliseconds."""
        job = store.Job(
            id=id_,
            organisation_id=organisation_id,
            kind=self.name,
            state="waiting",
            request=msgspec.json.encode(request).decode(),
            saved=msgspec.json.encode(self.begin(request)).decode(),
            done=0,
            total=None,
            result=None,
            reason=None,
            cancel=False,
            attempts=0,
            due_at=now,
            version=1,
            created_by=member_id,
            created_at=now,
            finished_at=None,
        )
        store.insert(connection, job)
        return job

    def task(self, job: store.Job) -> Task[R, S]:
        """A stored job as its step sees it."""
        return Task(
            id=job.id,
            organisation_id=job.organisation_id,
            member_id=job.created_by,
            request=msgspec.json.decode(job.request, type=self.request),
            saved=msgspec.json.decode(job.saved, type=self.saved),
            done=job.done,
            total=job.total,
        )
