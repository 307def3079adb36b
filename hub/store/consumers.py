"""Readers of the journal: how far each has come, and what it could not take in."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.store import inbox, journal
from hub.store import tables as t
from hub.store.journal import Line
from hub.store.rows import structs
from hub.store.statements import bound, fields

_READER = bound(name_=t.consumers.c.name, org=t.consumers.c.organisation_id)
_CURSOR = sa.select(t.consumers.c.position).where(*_READER)
_BEGIN = sa.insert(t.consumers)
_MOVE = (
    sa.update(t.consumers)
    .where(*_READER, *bound(since=t.consumers.c.position))
    .values(position=sa.bindparam("upto"))
)


class Parked(Struct, frozen=True, kw_only=True):
    """A change that a consumer could not take in, and why; ``at`` in milliseconds."""

    consumer: str
    organisation_id: int
    position: int
    reason: str
    at: int


_PARKED = sa.select(*fields(t.parked, Parked)).order_by(t.parked.c.at, t.parked.c.position)
_PARK = sa.insert(t.parked)
_UNPARK = sa.delete(t.parked).where(
    *bound(
        consumer_=t.parked.c.consumer,
        org=t.parked.c.organisation_id,
        position_=t.parked.c.position,
    )
)


def begin(connection: Connection, name: str, organisation_id: int, *, at_end: bool) -> None:
    """Give a new consumer its cursor; a known one keeps its own."""
    if cursor(connection, name, organisation_id) is None:
        position = inbox.position_of(connection, organisation_id) if at_end else 0
        row = {"name": name, "organisation_id": organisation_id, "position": position}
        connection.execute(_BEGIN, [row])


def cursor(connection: Connection, name: str, organisation_id: int) -> int | None:
    """The last position a consumer is done with."""
    return connection.execute(_CURSOR, {"name_": name, "org": organisation_id}).scalar()


def move(connection: Connection, name: str, organisation_id: int, *, since: int, upto: int) -> bool:
    """Move a cursor that still stands at ``since``; ``False`` when somebody else has moved it."""
    values = {"name_": name, "org": organisation_id, "since": since, "upto": upto}
    return bool(connection.execute(_MOVE, values).rowcount)


def line_at(connection: Connection, organisation_id: int, position: int) -> Line | None:
    """One line of the journal."""
    found = journal.changes_since(connection, organisation_id, position - 1, 1)
    return found[0] if found and found[0].position == position else None


def park(connection: Connection, change: Parked) -> None:
    """Put a change aside."""
    connection.execute(_PARK, [{name: getattr(change, name) for name in change.__struct_fields__}])


def unpark(connection: Connection, name: str, organisation_id: int, position: int) -> bool:
    """Take a change back; ``False`` when it is not parked."""
    values = {"consumer_": name, "org": organisation_id, "position_": position}
    return bool(connection.execute(_UNPARK, values).rowcount)


def parked(connection: Connection) -> list[Parked]:
    """Everything that was put aside, the oldest first."""
    return structs(Parked, connection.execute(_PARKED).all())
