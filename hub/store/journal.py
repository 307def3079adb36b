"""The journal: what changed, in order, by organisation."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.store import tables as t
from hub.store.rows import structs


class Line(Struct, kw_only=True, frozen=True):
    """One committed change."""

    position: int
    type: str
    thread_id: int | None
    entry_id: int | None
    channel_id: str | None


_LINE = [t.journal.c[name] for name in Line.__struct_fields__]


async def changes_since(
    connection: AsyncConnection, organisation_id: int, position: int, limit: int
) -> list[Line]:
    """The lines after ``position``, in order."""
    table = t.journal.c
    statement = (
        sa.select(*_LINE)
        .where(table.organisation_id == organisation_id, table.position > position)
        .order_by(table.position)
        .limit(limit)
    )
    return structs(Line, (await connection.execute(statement)).all())
