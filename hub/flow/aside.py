"""What failed too often and was put aside with its reason, whatever it is, in one form: to be seen,
tried again, or dropped by whoever runs the hub.

An id says what it is: ``change:{consumer}:{organisation}:{position}``,
``due:{organisation}:{kind}:{key}``, ``job:{id}``, ``notice:{id}``.
"""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.consumers import ApplyFailed, Consumers
from hub.flow.host import now_ms
from hub.flow.writer import Writer
from hub.store import clock, consumers, jobs, notices
from hub.store.database import Database
from hub.store.ids import parse

log = structlog.get_logger()


class PutAside(Struct, frozen=True, kw_only=True):
    """One thing; ``at`` in milliseconds, when it was put aside or was to be done."""

    id: str
    organisation_id: int | None
    what: str
    reason: str
    at: int
    may_be_done: bool = False
    """Nobody knows whether it was done: tried again, it may be done twice."""


class Unknown(Exception):
    """There is no such thing; as text, why."""


class Aside:
    """Everything that was put aside on a database."""

    def __init__(self, database: Database, writer: Writer, running: Consumers) -> None:
        self._database = database
        self._writer = writer
        self._consumers = running

    async def all(self) -> list[PutAside]:
        """All of it, the oldest first."""
        found = await self._database.read(lambda connection: list(_all(connection)))
        return sorted(found, key=lambda one: (one.at, one.id))

    async def retry(self, id_: str) -> str:
        """Try one again; what was done, in words. Raises ``Unknown``, and ``ApplyFailed`` for a
        change that still cannot be taken in, and stays."""
        kind, names = _names(id_)
        now = now_ms()
        if kind == "change":
            done = await self._take_in(*names)
        else:
            done = await self._writer.execute(lambda connection: _retry(connection, id_, now))
        if not done:
            raise Unknown(f"{id_} is not put aside")
        log.info("aside.retried", id=id_)
        return "taken in" if kind == "change" else "waits to be done"

    async def drop(self, id_: str) -> None:
        """Forget one. Raises ``Unknown``."""
        _names(id_)
        if not await self._writer.execute(lambda connection: _drop(connection, id_)):
            raise Unknown(f"{id_} is not put aside")
        log.info("aside.dropped", id=id_)

    async def _take_in(self, consumer: str, organisation: str, position: str) -> bool:
        if not self._consumers.knows(consumer):
            raise Unknown(f"nothing here is called {consumer}: is its extension switched on?")
        return await self._consumers.try_again(consumer, _number(organisation), _number(position))


def _all(connection: Connection) -> Iterator[PutAside]:
    for change in consumers.parked(connection):
        yield PutAside(
            id=f"change:{change.consumer}:{change.organisation_id}:{change.position}",
            organisation_id=change.organisation_id,
            what=f"change {change.position}, for {change.consumer}",
            reason=change.reason,
            at=change.at,
        )
    for due in clock.given_up(connection):
        yield PutAside(
            id=f"due:{due.organisation_id}:{due.kind}:{due.key}",
            organisation_id=due.organisation_id,
            what=f"{due.kind} {due.key}, that was due",
            reason=due.reason or "",
            at=due.due_at,
        )
    for job in jobs.failed(connection):
        yield PutAside(
            id=f"job:{job.id}",
            organisation_id=job.organisation_id,
            what=f"job {job.kind}",
            reason=job.reason or "",
            at=job.finished_at or job.created_at,
        )
    for notice in notices.put_aside(connection):
        yield PutAside(
            id=f"notice:{notice.id}",
            organisation_id=notice.organisation_id,
            what=f"{notice.medium} to {notice.recipient}, {notice.state}",
            reason=notice.reason or "",
            at=notice.created_at,
            may_be_done=notice.state == "unknown",
        )


def _retry(connection: Connection, id_: str, now: int) -> bool:
    kind, names = _names(id_)
    match kind:
        case "due":
            return clock.retry(connection, _number(names[0]), names[1], names[2], now)
        case "job":
            return jobs.retry(connection, _number(names[0]), now)
        case _:
            return notices.retry(connection, _number(names[0]), now)


def _drop(connection: Connection, id_: str) -> bool:
    kind, names = _names(id_)
    match kind:
        case "change":
            return consumers.unpark(connection, names[0], _number(names[1]), _number(names[2]))
        case "due":
            return clock.drop(connection, _number(names[0]), names[1], names[2])
        case "job":
            return jobs.drop(connection, _number(names[0]))
        case _:
            return notices.drop(connection, _number(names[0]))


_PARTS = {"change": 3, "due": 3, "job": 1, "notice": 1}


def _names(id_: str) -> tuple[str, list[str]]:
    """What an id says: the kind, and what names one of it. The last part may hold anything."""
    kind, _, rest = id_.partition(":")
    names = rest.split(":", _PARTS.get(kind, 1) - 1)
    if kind not in _PARTS or len(names) != _PARTS[kind]:
        raise Unknown(f"{id_!r} is no id that hub parked list shows")
    return kind, names


def _number(text: str) -> int:
    found = 0 if text == "0" else parse(text)
    if found is None:
        raise Unknown(f"{text!r} is no number that hub parked list shows")
    return found


__all__ = ["ApplyFailed", "Aside", "PutAside", "Unknown"]
