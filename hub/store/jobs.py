"""Jobs: long work in steps, each owned by the member who started it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.rows import struct, structs
from hub.store.statements import among, bound, fields

JobState = Literal["waiting", "running", "done", "failed", "canceled"]
UNFINISHED = ("waiting", "running")


class Job(Struct, frozen=True, kw_only=True):
    """A job as it is stored. Times are milliseconds; ``request``, ``saved`` and ``result`` are
    JSON. ``version`` grows with every change."""

    id: int
    organisation_id: int
    kind: str
    state: JobState
    request: str
    saved: str
    done: int
    total: int | None
    result: str | None
    reason: str | None
    cancel: bool
    attempts: int
    due_at: int
    version: int
    created_by: int | None
    created_at: int
    finished_at: int | None


_own = t.jobs.c
_FIELDS = fields(t.jobs, Job)
_OPEN = _own.state.in_(UNFINISHED)
_NOW = sa.bindparam("now", type_=t.Time)
_READY = [
    _OPEN,
    _own.due_at <= _NOW,
    sa.or_(_own.lease_until.is_(None), _own.lease_until <= _NOW),
]
_COUNT = sa.bindparam("count", type_=sa.Integer)
_CHANGED = {"version": _own.version + 1}
_INSERT = sa.insert(t.jobs)
_LEASE = (
    sa.update(t.jobs)
    .where(
        _own.id.in_(
            sa.select(_own.id)
            .where(*_READY, among(_own.kind, "kinds"))
            .order_by(_own.due_at, _own.id)
            .limit(_COUNT)
            .with_for_update(skip_locked=True)
        )
    )
    .values(
        state="running",
        lease_token=sa.bindparam("token"),
        lease_until=sa.bindparam("until", type_=t.Time),
        **_CHANGED,
    )
    .returning(*_FIELDS)
)
_HELD = [*bound(id_=_own.id, token_=_own.lease_token), _own.state == "running"]
_RENEW = (
    sa.update(t.jobs)
    .where(*_HELD)
    .values(lease_until=sa.bindparam("until", type_=t.Time))
    .returning(_own.cancel)
)
_SAVE = (
    sa.update(t.jobs)
    .where(*_HELD)
    .values(
        saved=sa.bindparam("saved_"),
        done=sa.bindparam("done_"),
        total=sa.bindparam("total_", type_=sa.BigInteger),
        attempts=0,
        reason=sa.null(),
        **_CHANGED,
    )
    .returning(*_FIELDS)
)
_FINISH = (
    sa.update(t.jobs)
    .where(*_HELD)
    .values(
        state=sa.bindparam("state_"),
        result=sa.bindparam("result_", type_=sa.Text),
        reason=sa.bindparam("reason_", type_=sa.Text),
        finished_at=_NOW,
        lease_token=sa.null(),
        lease_until=sa.null(),
        **_CHANGED,
    )
)
_RELEASE = (
    sa.update(t.jobs)
    .where(*_HELD)
    .values(
        state="waiting",
        attempts=sa.bindparam("attempts_"),
        due_at=sa.bindparam("due", type_=t.Time),
        reason=sa.bindparam("reason_", type_=sa.Text),
        lease_token=sa.null(),
        lease_until=sa.null(),
        **_CHANGED,
    )
)
_OF_MEMBER = bound(org=_own.organisation_id, member=_own.created_by)
_MINE = (
    sa.select(*_FIELDS)
    .where(*_OF_MEMBER, _own.id < sa.bindparam("before", type_=t.Id))
    .order_by(_own.id.desc())
    .limit(_COUNT)
)
_ONE = sa.select(*_FIELDS).where(*_OF_MEMBER, *bound(id_=_own.id))
_ASK_CANCEL = (
    sa.update(t.jobs)
    .where(*_OF_MEMBER, *bound(id_=_own.id), _own.state == "running")
    .values(cancel=True, **_CHANGED)
)
_CANCEL = (
    sa.update(t.jobs)
    .where(*_OF_MEMBER, *bound(id_=_own.id), _own.state == "waiting")
    .values(state="canceled", cancel=True, finished_at=_NOW, reason=sa.null(), **_CHANGED)
)
_LATELY = (
    sa.select(*_FIELDS)
    .where(sa.or_(_OPEN, _own.finished_at > sa.bindparam("since", type_=t.Time)))
    .order_by(_own.id)
)
_FORGET_LEASES = sa.update(t.jobs).where(_OPEN, _own.lease_until.is_not(None)).values(lease_until=0)
_WAITS = sa.select(_own.id).where(*_READY).limit(1)

_FAILED = sa.select(*_FIELDS).where(_own.state == "failed").order_by(_own.id)
_RETRY = (
    sa.update(t.jobs)
    .where(*bound(id_=_own.id), _own.state == "failed")
    .values(
        state="waiting",
        attempts=0,
        due_at=_NOW,
        reason=sa.null(),
        finished_at=sa.null(),
        **_CHANGED,
    )
)
_DROP = sa.delete(t.jobs).where(*bound(id_=_own.id), _own.state == "failed")


def insert(connection: Connection, job: Job) -> None:
    """A new job."""
    connection.execute(_INSERT, [asdict(job)])


def lease(
    connection: Connection, *, kinds: Sequence[str], token: str, now: int, until: int, limit: int
) -> list[Job]:
    """Take up to ``limit`` jobs that wait, or whose process died; nobody else gets them before
    ``until``."""
    values = {"kinds": kinds, "token": token, "now": now, "until": until, "count": limit}
    return structs(Job, connection.execute(_LEASE, values).all())


def renew(connection: Connection, id_: int, token: str, *, until: int) -> bool | None:
    """Hold a job longer: whether it is to be canceled, or ``None`` when it is lost to another
    process. Nobody else gets at it before this transaction ends."""
    row = connection.execute(_RENEW, {"id_": id_, "token_": token, "until": until}).first()
    return None if row is None else bool(row[0])


def save(
    connection: Connection, id_: int, token: str, *, saved: str, done: int, total: int | None
) -> Job:
    """A step is done; the job as it is then."""
    values = {"id_": id_, "token_": token, "saved_": saved, "done_": done, "total_": total}
    return struct(Job, connection.execute(_SAVE, values).one())


def finish(
    connection: Connection,
    id_: int,
    token: str,
    state: JobState,
    *,
    now: int,
    result: str | None = None,
    reason: str | None = None,
) -> None:
    """The job's end: done, failed or canceled."""
    values = {"id_": id_, "token_": token, "now": now}
    values |= {"state_": state, "result_": result, "reason_": reason}
    connection.execute(_FINISH, values)


def release(
    connection: Connection,
    id_: int,
    token: str,
    *,
    due_at: int,
    attempts: int = 0,
    reason: str | None = None,
) -> None:
    """Leave a job to whoever takes it next, not before ``due_at``."""
    values = {"id_": id_, "token_": token, "due": due_at}
    connection.execute(_RELEASE, values | {"attempts_": attempts, "reason_": reason})


def mine(
    connection: Connection, organisation_id: int, member_id: int, *, before: int, limit: int
) -> list[Job]:
    """A member's jobs with ids below ``before``, the newest first."""
    values = {"org": organisation_id, "member": member_id, "before": before, "count": limit}
    return structs(Job, connection.execute(_MINE, values).all())


def one(connection: Connection, organisation_id: int, member_id: int, id_: int) -> Job | None:
    """A member's own job."""
    values = {"org": organisation_id, "member": member_id, "id_": id_}
    row = connection.execute(_ONE, values).first()
    return None if row is None else struct(Job, row)


def cancel(
    connection: Connection, organisation_id: int, member_id: int, id_: int, now: int
) -> bool:
    """Cancel a member's job: at once if it waits, before its next step if it runs; ``False`` when
    it has ended."""
    values = {"org": organisation_id, "member": member_id, "id_": id_}
    if connection.execute(_CANCEL, {**values, "now": now}).rowcount:
        return True
    return bool(connection.execute(_ASK_CANCEL, values).rowcount)


def lately(connection: Connection, since: int) -> list[Job]:
    """Jobs that go on, or ended after ``since``."""
    return structs(Job, connection.execute(_LATELY, {"since": since}).all())


def forget_leases(connection: Connection) -> None:
    """On a database of one process only: whoever held a lease is gone."""
    connection.execute(_FORGET_LEASES)


def waits(connection: Connection, now: int) -> bool:
    """Whether there is a job to take up."""
    return connection.execute(_WAITS, {"now": now}).first() is not None


def failed(connection: Connection) -> list[Job]:
    """Jobs that failed, everybody's."""
    return structs(Job, connection.execute(_FAILED).all())


def retry(connection: Connection, id_: int, now: int) -> bool:
    """Let a job that failed go on where it was; ``False`` when there is none."""
    return bool(connection.execute(_RETRY, {"id_": id_, "now": now}).rowcount)


def drop(connection: Connection, id_: int) -> bool:
    """Forget a job that failed; ``False`` when there is none."""
    return bool(connection.execute(_DROP, {"id_": id_}).rowcount)
