"""The outbox's own statements: leasing what is to be sent, finding what was left behind.

Order is kept per thread, channel and address: a message is not leased while an earlier one of
the same kind waits, is being sent or backs off. One that is scheduled, unknown or waits for
approval holds up nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.sql.dml import ReturningUpdate

from hub.rules.states import Transmission
from hub.store import tables as t
from hub.store.rows import structs
from hub.store.statements import bound, columns, fields, fixed

ChannelKey = tuple[int, str]
Returning = ReturningUpdate[*tuple[Any, ...]]


@lru_cache(maxsize=64)
def _lease(channels: tuple[ChannelKey, ...]) -> Returning:
    own = t.transmissions.c
    earlier = t.transmissions.alias("earlier")
    held_up = (
        sa.select(sa.literal(1))
        .select_from(earlier)
        .where(
            earlier.c.thread_id == own.thread_id,
            earlier.c.channel_id == own.channel_id,
            earlier.c.address == own.address,
            earlier.c.id < own.id,
            fixed(earlier.c.status, "pending", "sending"),
        )
        .exists()
    )
    now = sa.bindparam("now", type_=t.Time)
    due = (
        sa.select(own.id)
        .where(
            fixed(own.status, "pending", "scheduled"),
            own.due_at <= now,
            sa.or_(own.lease_until.is_(None), own.lease_until < now),
            sa.or_(
                *(
                    sa.and_(own.organisation_id == org, own.channel_id == channel)
                    for org, channel in channels
                )
            ),
            ~held_up,
        )
        .order_by(own.due_at, own.id)
        .limit(sa.bindparam("count", type_=sa.Integer))
        .with_for_update(skip_locked=True)
    )
    return (
        sa.update(t.transmissions)
        .where(own.id.in_(due))
        .values(lease_token=sa.bindparam("token"), lease_until=sa.bindparam("until"))
        .returning(*fields(t.transmissions, Transmission))
    )


_FORGET_LEASES = (
    sa.update(t.transmissions)
    .where(
        t.transmissions.c.lease_until.is_not(None),
        t.transmissions.c.status.in_(("pending", "scheduled", "sending")),
    )
    .values(lease_until=0)
)
_BEGUN = sa.select(*fields(t.transmissions, Transmission)).where(
    fixed(t.transmissions.c.status, "sending", "unknown")
)
_ABANDONED = _BEGUN.where(
    fixed(t.transmissions.c.status, "sending"),
    t.transmissions.c.lease_until < sa.bindparam("now"),
).limit(sa.bindparam("count", type_=sa.Integer))
_TO_ASK = (
    _BEGUN.where(
        fixed(t.transmissions.c.status, "unknown"),
        t.transmissions.c.due_at <= sa.bindparam("now"),
    )
    .order_by(t.transmissions.c.due_at)
    .limit(sa.bindparam("count", type_=sa.Integer))
)
_NEXT_DUE = (
    sa.select(t.transmissions.c.due_at)
    .where(
        fixed(t.transmissions.c.status, "pending", "scheduled"),
        sa.or_(
            t.transmissions.c.lease_until.is_(None),
            t.transmissions.c.lease_until < sa.bindparam("now"),
        ),
    )
    .order_by(t.transmissions.c.due_at)
    .limit(1)
)


def lease(
    connection: Connection,
    *,
    now: int,
    until: int,
    token: str,
    limit: int,
    channels: Collection[ChannelKey],
) -> list[Transmission]:
    """Take up to ``limit`` messages that are due on these channels; nobody else gets them before
    ``until``."""
    values = {"now": now, "until": until, "token": token, "count": limit}
    rows = connection.execute(_lease(tuple(sorted(channels))), values).all()
    return sorted(structs(Transmission, rows), key=lambda one: one.id)


def forget_leases(connection: Connection) -> None:
    """On a database of one process only: whoever held a lease is gone."""
    connection.execute(_FORGET_LEASES)


def left_behind(connection: Connection, now: int, limit: int) -> list[Transmission]:
    """What was being sent when its process died, and what the provider is to be asked about."""
    values = {"now": now, "count": limit}
    return [
        one
        for statement in (_ABANDONED, _TO_ASK)
        for one in structs(Transmission, connection.execute(statement, values).all())
    ]


def next_due(connection: Connection, *, now: int) -> int | None:
    """When something that nobody has leased waits to be sent next, in milliseconds."""
    return connection.execute(_NEXT_DUE, {"now": now}).scalar()


class DueFile(Struct, kw_only=True, frozen=True):
    """A file of a message that is to be fetched; ``ref`` is its ``MediaRef`` as JSON."""

    id: int
    organisation_id: int
    channel_id: str
    ref: str
    attempts: int
    name: str


_FILES_DUE = (
    sa.select(*fields(t.attachments, DueFile))
    .where(fixed(t.attachments.c.state, "pending"), t.attachments.c.due_at <= sa.bindparam("now"))
    .order_by(t.attachments.c.due_at)
    .limit(sa.bindparam("count", type_=sa.Integer))
)
_FILES_TO_SEND = (
    sa.select(*columns(t.attachments, "id", "name", "content_type", "size"))
    .where(*bound(entry=t.attachments.c.entry_id), t.attachments.c.state == "ready")
    .order_by(t.attachments.c.place)
)


def files_due(connection: Connection, now: int, limit: int) -> list[DueFile]:
    """Files to fetch now."""
    return structs(DueFile, connection.execute(_FILES_DUE, {"now": now, "count": limit}).all())


def attachments_to_send(connection: Connection, entry_id: int) -> list[tuple[int, str, str, int]]:
    """The files of an outgoing entry in order: (id, name, content type, size)."""
    return [tuple(row) for row in connection.execute(_FILES_TO_SEND, {"entry": entry_id})]
