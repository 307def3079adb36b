"""The outbox's own statements: leasing what is to be sent, finding what was left behind.

Order is kept per thread, channel and address: a message is not leased while an earlier one of
the same kind waits, is being sent or backs off. One that is scheduled, unknown or waits for
approval holds up nothing.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.rules.states import Transmission
from hub.store import tables as t
from hub.store.rows import struct, structs

_TRANSMISSION = [t.transmissions.c[name] for name in Transmission.__struct_fields__]


def lease(
    connection: Connection,
    *,
    now: int,
    until: int,
    token: str,
    limit: int,
    channels: Collection[tuple[int, str]],
) -> list[Transmission]:
    """Take up to ``limit`` messages that are due on these channels; nobody else gets them before
    ``until``."""
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
            earlier.c.status.in_(("pending", "sending")),
        )
        .exists()
    )
    due = (
        sa.select(own.id)
        .where(
            own.status.in_(("pending", "scheduled")),
            own.due_at <= now,
            sa.or_(own.lease_until.is_(None), own.lease_until < now),
            sa.or_(
                *(
                    sa.and_(own.organisation_id == org, own.channel_id == channel)
                    for org, channel in sorted(channels)
                )
            ),
            ~held_up,
        )
        .order_by(own.due_at, own.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = (
        sa.update(t.transmissions)
        .where(own.id.in_(due))
        .values(lease_token=token, lease_until=until)
        .returning(*_TRANSMISSION)
    )
    rows = connection.execute(taken).all()
    return sorted((struct(Transmission, row) for row in rows), key=lambda one: one.id)


def forget_leases(connection: Connection) -> None:
    """On a database of one process only: whoever held a lease is gone."""
    own = t.transmissions.c
    connection.execute(
        sa.update(t.transmissions)
        .where(own.lease_until.is_not(None), own.status.in_(("pending", "scheduled", "sending")))
        .values(lease_until=0)
    )


async def left_behind(connection: AsyncConnection, now: int, limit: int) -> list[Transmission]:
    """What was being sent when its process died, and what the provider is to be asked about."""
    own = t.transmissions.c
    statement = (
        sa.select(*_TRANSMISSION)
        .where(
            sa.or_(
                sa.and_(own.status == "sending", own.lease_until < now),
                sa.and_(own.status == "unknown", own.due_at <= now),
            )
        )
        .order_by(own.due_at)
        .limit(limit)
    )
    return structs(Transmission, (await connection.execute(statement)).all())


async def next_due(connection: AsyncConnection) -> int | None:
    """When something waits to be sent next, in milliseconds."""
    own = t.transmissions.c
    statement = sa.select(sa.func.min(own.due_at)).where(own.status.in_(("pending", "scheduled")))
    return (await connection.execute(statement)).scalar()


class DueFile(Struct, kw_only=True, frozen=True):
    """A file of a message that is to be fetched; ``ref`` is its ``MediaRef`` as JSON."""

    id: int
    organisation_id: int
    channel_id: str
    ref: str
    attempts: int
    name: str


_DUE_FILE = [t.attachments.c[name] for name in DueFile.__struct_fields__]


async def files_due(connection: AsyncConnection, now: int, limit: int) -> list[DueFile]:
    """Files to fetch now."""
    own = t.attachments.c
    statement = (
        sa.select(*_DUE_FILE)
        .where(own.state == "pending", own.due_at <= now)
        .order_by(own.due_at)
        .limit(limit)
    )
    return structs(DueFile, (await connection.execute(statement)).all())


async def attachments_to_send(
    connection: AsyncConnection, entry_id: int
) -> list[tuple[int, str, str, int]]:
    """The files of an outgoing entry in order: (id, name, content type, size)."""
    own = t.attachments.c
    statement = (
        sa.select(own.id, own.name, own.content_type, own.size)
        .where(own.entry_id == entry_id, own.state == "ready")
        .order_by(own.place)
    )
    rows = (await connection.execute(statement)).all()
    return [(row.id, row.name, row.content_type, row.size) for row in rows]


def note_blob(connection: Connection, sha256: str, size: int, now: int) -> None:
    """That a blob is kept; again changes nothing."""
    known = sa.select(t.blobs.c.sha256).where(t.blobs.c.sha256 == sha256)
    if connection.execute(known).first() is None:
        row = {"sha256": sha256, "size": size, "created_at": now}
        connection.execute(sa.insert(t.blobs), [row])
