"""The outbox's own statements: leasing what is to be sent, finding what was left behind.

Order is kept per thread, channel and address: a message is not leased while an earlier one of
the same kind waits, is being sent or backs off. One that is scheduled or unknown holds up nothing,
and what waits for approval has no transmission yet.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection
from sqlalchemy.sql.dml import ReturningUpdate

from hub.rules import content as contents
from hub.rules.states import Transmission
from hub.store import tables as t
from hub.store.rows import Row, structs
from hub.store.statements import bound, columns, fields, fixed

ChannelKey = tuple[int, str]
Returning = ReturningUpdate[*tuple[Any, ...]]
EARLIER = 20
"""Earlier messages that one names, at most."""


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
_TO_SEND = (
    sa.select(
        *columns(t.entries, "author_kind", "sort_at"),
        *columns(t.attachments, "id", "name", "content_type", "size"),
    )
    .outerjoin(
        t.attachments,
        sa.and_(t.attachments.c.entry_id == t.entries.c.id, t.attachments.c.state == "ready"),
    )
    .where(*bound(entry=t.entries.c.id))
    .order_by(t.attachments.c.place)
)
_SAYS = sa.select(t.entries.c.content).where(*bound(entry=t.entries.c.id))
_EARLIER = (
    sa.select(t.entries.c.external_id)
    .where(
        *bound(thread=t.entries.c.thread_id, channel=t.entries.c.channel_id),
        t.entries.c.external_id.is_not(None),
        sa.tuple_(t.entries.c.sort_at, t.entries.c.id)
        < sa.tuple_(
            sa.bindparam("at", type_=t.Time), sa.bindparam("entry", type_=t.entries.c.id.type)
        ),
    )
    .order_by(t.entries.c.sort_at.desc(), t.entries.c.id.desc())
    .limit(sa.bindparam("count", type_=sa.Integer))
)


class ToSend(Struct, frozen=True, kw_only=True):
    """What goes out with a transmission and stands in other rows: who wrote it, its ``files`` in
    order (id, name, content type, size), and, where the channel threads, the provider's ids of the
    message that it answers and of the ``earlier`` ones, the oldest first. ``cc``, ``bcc``: who else
    gets it, where the channel has copies."""

    author_kind: str
    files: tuple[tuple[int, str, str, int], ...]
    reply_to: str | None = None
    earlier: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()


def files_due(connection: Connection, now: int, limit: int) -> list[DueFile]:
    """Files to fetch now."""
    return structs(DueFile, connection.execute(_FILES_DUE, {"now": now, "count": limit}).all())


def to_send(
    connection: Connection, transmission: Transmission, *, threads: bool, copies: bool
) -> ToSend:
    """What to send besides what the transmission says; ``threads``: whether the channel's messages
    name those they answer; ``copies``: whether they go to people in copy."""
    rows = what_it_has(connection, transmission.entry_id)
    found = ToSend(
        author_kind=rows[0].author_kind,
        files=tuple(
            (row.id, row.name, row.content_type, row.size) for row in rows if row.id is not None
        ),
    )
    if not threads and not copies:
        return found
    said = connection.execute(_SAYS, {"entry": transmission.entry_id}).scalar_one()
    if copies:
        cc, bcc = contents.copies(said)
        found = replace(found, cc=cc, bcc=bcc)
    if not threads:
        return found
    return replace(
        found,
        reply_to=contents.answers(said),
        earlier=earlier(connection, transmission, rows[0].sort_at),
    )


def what_it_has(connection: Connection, entry_id: int) -> Sequence[Row]:
    """An entry with its files: a row for each, or one without."""
    return connection.execute(_TO_SEND, {"entry": entry_id}).all()


def earlier(connection: Connection, transmission: Transmission, sort_at: int) -> tuple[str, ...]:
    """What the provider calls the last messages before one (which stands at ``sort_at``) on its
    channel in its thread, the oldest first."""
    values = {
        "entry": transmission.entry_id,
        "thread": transmission.thread_id,
        "channel": transmission.channel_id,
        "at": sort_at,
        "count": EARLIER,
    }
    return tuple(connection.execute(_EARLIER, values).scalars())[::-1]
