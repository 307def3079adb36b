"""The journal: what changed, in order, by organisation."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.rows import structs
from hub.store.statements import bound, fields


class Line(Struct, kw_only=True, frozen=True):
    """One committed change."""

    position: int
    type: str
    thread_id: int | None
    entry_id: int | None
    channel_id: str | None
    created_at: int


_SINCE = (
    sa.select(*fields(t.journal, Line))
    .where(*bound(org=t.journal.c.organisation_id), t.journal.c.position > sa.bindparam("position"))
    .order_by(t.journal.c.position)
    .limit(sa.bindparam("count", type_=sa.Integer))
)


def changes_since(
    connection: Connection, organisation_id: int, position: int, limit: int
) -> list[Line]:
    """The lines after ``position``, in order."""
    values = {"org": organisation_id, "position": position, "count": limit}
    return structs(Line, connection.execute(_SINCE, values).all())
