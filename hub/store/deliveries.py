"""What arrived, raw: to be looked at, and to be read again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.rules.threads import CLOCK_BOUND_MS
from hub.store import tables as t
from hub.store.rows import Row
from hub.store.statements import among, bound, columns, fixed

LOOKED_AT = 5_000
"""Deliveries a page looks through for a state that may be rare; it ends early then, and says where
to go on."""
COUNTED = 1_000
"""A count goes no further."""

_own = t.deliveries.c
WAITING = fixed(_own.state, "quarantined", "unverified")
"""What can be read again; has an index of its own."""

_LISTED = columns(
    t.deliveries,
    "id", "channel_id", "state", "reason", "source", "method", "size", "attempts", "due_at",
    "received_at",
)  # fmt: skip
_OF_CHANNEL = bound(org=_own.organisation_id, channel=_own.channel_id)
_BETWEEN = [
    _own.id >= sa.bindparam("first", type_=t.Id),
    _own.id < sa.bindparam("before", type_=t.Id),
]
_STATE = bound(state=_own.state)
_COUNT = sa.bindparam("count", type_=sa.Integer)
_ALL = sa.select(*_LISTED).where(*_OF_CHANNEL, *_BETWEEN).order_by(_own.id.desc()).limit(_COUNT)
_THAT_WAIT = (
    sa.select(*_LISTED)
    .where(*_OF_CHANNEL, *_BETWEEN, WAITING, *_STATE)
    .order_by(_own.id.desc())
    .limit(_COUNT)
)
_near = (
    sa.select(_own.id, _own.state)
    .where(*_OF_CHANNEL, *_BETWEEN)
    .order_by(_own.id.desc())
    .limit(sa.bindparam("looked_at", type_=sa.Integer))
    .subquery("near")
)
_OF_THOSE = (
    sa.select(*_LISTED)
    .join(_near, _near.c.id == _own.id)
    .where(_near.c.state == sa.bindparam("state"))
    .order_by(_own.id.desc())
    .limit(_COUNT)
)
_REACHES = sa.select(sa.func.min(_near.c.id), sa.func.count(_near.c.id))
_ONE = sa.select(t.deliveries).where(*_OF_CHANNEL, *bound(id_=_own.id))
_CAME = sa.select(_own.id).where(*_OF_CHANNEL).limit(1)
_some = (
    sa.select(_own.state).where(*_OF_CHANNEL, WAITING, *_STATE).limit(COUNTED + 1).subquery("some")
)
_COUNTED = sa.select(sa.func.count()).select_from(_some)
_NEXT = (
    sa.select(t.deliveries).where(*_OF_CHANNEL, WAITING, *_BETWEEN).order_by(_own.id).limit(_COUNT)
)
_SPAN = sa.select(sa.func.max(_own.id), sa.func.count(_own.id)).where(*_OF_CHANNEL, WAITING)

_entries = t.entries.c
_SHOWN = columns(t.entries, "id", "thread_id", "kind", "direction", "preview", "status", "sort_at")
# There is no index on the delivery, which every message would pay for: an entry stands within a
# bound of the time its delivery came.
_MADE = (
    sa.select(*_SHOWN)
    .where(
        *bound(org=_entries.organisation_id, delivery=_entries.delivery_id),
        _entries.sort_at.between(
            sa.bindparam("from_", type_=t.Time), sa.bindparam("to", type_=t.Time)
        ),
    )
    .order_by(_entries.id)
)
_external = t.external_ids.c
_NAMED = (
    sa.select(_external.external_id, _external.entry_id, _entries.thread_id)
    .join(t.entries, _entries.id == _external.entry_id)
    .where(
        *bound(org=_external.organisation_id, channel=_external.channel_id),
        among(_external.external_id, "names"),
    )
)


class Page(Struct, frozen=True):
    """Deliveries, the newest first, and below which id the next page goes on, if it does."""

    rows: Sequence[Row]
    next: int | None


def page(
    connection: Connection,
    organisation_id: int,
    channel_id: str,
    *,
    state: str | None,
    first: int,
    before: int,
    limit: int,
) -> Page:
    """Deliveries of a channel with ids from ``first`` up to, not with, ``before``. One of a rare
    state may be short, or empty, and yet have a next one."""
    values: dict[str, Any] = {"org": organisation_id, "channel": channel_id}
    values |= {"first": first, "before": before, "count": limit + 1}
    if state is None:
        rows = connection.execute(_ALL, values).all()
    elif state in {"quarantined", "unverified"}:
        rows = connection.execute(_THAT_WAIT, values | {"state": state}).all()
    else:
        values |= {"state": state, "looked_at": LOOKED_AT}
        rows = connection.execute(_OF_THOSE, values).all()
        if len(rows) <= limit:
            reaches, looked_at = connection.execute(_REACHES, values).one()
            return Page(rows, reaches if looked_at == LOOKED_AT else None)
    more = len(rows) > limit
    return Page(rows[:limit], rows[limit - 1].id if more else None)


def one(connection: Connection, organisation_id: int, channel_id: str, id_: int) -> Row | None:
    """A delivery of a channel, whole."""
    values = {"org": organisation_id, "channel": channel_id, "id_": id_}
    return connection.execute(_ONE, values).first()


def came_for(connection: Connection, organisation_id: int, channel_id: str) -> bool:
    """Whether anything has ever arrived for a channel."""
    values = {"org": organisation_id, "channel": channel_id}
    return connection.execute(_CAME, values).first() is not None


def waiting(connection: Connection, organisation_id: int, channel_id: str) -> dict[str, int]:
    """How many of a channel's deliveries wait to be read again, by state; ``COUNTED`` + 1 stands
    for more than ``COUNTED``."""
    values = {"org": organisation_id, "channel": channel_id}
    return {
        state: connection.execute(_COUNTED, {**values, "state": state}).scalar_one()
        for state in ("quarantined", "unverified")
    }


def span(connection: Connection, organisation_id: int, channel_id: str) -> tuple[int, int]:
    """The newest of a channel's deliveries that wait, and how many do."""
    values = {"org": organisation_id, "channel": channel_id}
    newest, count = connection.execute(_SPAN, values).one()
    return newest or 0, count


def that_wait(
    connection: Connection,
    organisation_id: int,
    channel_id: str,
    *,
    after: int,
    last: int,
    limit: int,
) -> Sequence[Row]:
    """Deliveries that wait, whole, with ids above ``after`` up to ``last``, the oldest first."""
    values = {"org": organisation_id, "channel": channel_id, "count": limit}
    return connection.execute(_NEXT, values | {"first": after + 1, "before": last + 1}).all()


def entries_of(
    connection: Connection, organisation_id: int, id_: int, received_at: int
) -> Sequence[Row]:
    """The entries that came of a delivery, which was received then (milliseconds)."""
    values = {"org": organisation_id, "delivery": id_}
    values |= {"from_": received_at - CLOCK_BOUND_MS, "to": received_at}
    return connection.execute(_MADE, values).all()


def entries_named(
    connection: Connection, organisation_id: int, channel_id: str, external_ids: Iterable[str]
) -> dict[str, tuple[int, int]]:
    """The entries that a channel's ids name: the entry and its thread."""
    values = {"org": organisation_id, "channel": channel_id, "names": sorted(set(external_ids))}
    rows = connection.execute(_NAMED, values).all()
    return {row.external_id: (row.entry_id, row.thread_id) for row in rows}
