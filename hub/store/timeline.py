"""The entries of a thread, in time order, from anywhere in it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.store import tables as t
from hub.store.rows import struct, structs
from hub.store.scope import Scope


class EntryRow(Struct, kw_only=True, frozen=True):
    """An entry as it is stored; times in milliseconds."""

    id: int
    thread_id: int
    seq: int
    kind: str
    grouping: str
    direction: str
    channel_id: str | None
    scheme: str | None
    address: str | None
    own_address: str | None
    author_kind: str
    author_id: int | None
    content: str
    preview: str
    status: str | None
    status_reason: str | None
    status_at: int | None
    idempotency_key: str | None
    occurred_at: int
    sort_at: int


class AttachmentRow(Struct, kw_only=True, frozen=True):
    """A file of an entry."""

    id: int
    entry_id: int | None
    channel_id: str | None
    name: str
    content_type: str
    size: int | None
    sha256: str | None
    state: str
    reason: str | None
    width: int | None
    height: int | None


_ENTRY = [t.entries.c[name] for name in EntryRow.__struct_fields__]
_ATTACHMENT = [t.attachments.c[name] for name in AttachmentRow.__struct_fields__]
_KEY = sa.tuple_(t.entries.c.sort_at, t.entries.c.id)
Place = tuple[int, int]
"""Where an entry stands: (``sort_at``, id)."""


async def thread_timeline(
    connection: AsyncConnection,
    scope: Scope,
    thread_id: int,
    *,
    limit: int,
    grouping: str | None = None,
    before: Place | None = None,
    after: Place | None = None,
) -> list[EntryRow]:
    """``limit`` entries in time order: the last ones, those before a place, or those after it."""
    conditions = [t.entries.c.thread_id == thread_id, *scope.entries()]
    if grouping is not None:
        conditions.append(t.entries.c.grouping == grouping)
    if before is not None:
        conditions.append(sa.tuple_(*map(sa.literal, before)) > _KEY)
    if after is not None:
        conditions.append(sa.tuple_(*map(sa.literal, after)) < _KEY)
    statement = sa.select(*_ENTRY).where(*conditions).limit(limit)
    if after is not None:
        statement = statement.order_by(t.entries.c.sort_at, t.entries.c.id)
    else:
        statement = statement.order_by(t.entries.c.sort_at.desc(), t.entries.c.id.desc())
    rows = structs(EntryRow, (await connection.execute(statement)).all())
    return rows if after is not None else rows[::-1]


async def entries_by_id(
    connection: AsyncConnection, scope: Scope, ids: Sequence[int]
) -> list[EntryRow]:
    """Single entries, those that the role may see."""
    if not ids:
        return []
    statement = sa.select(*_ENTRY).where(t.entries.c.id.in_(ids), *scope.entries())
    return structs(EntryRow, (await connection.execute(statement)).all())


async def entry_of_request(
    connection: AsyncConnection, organisation_id: int, member_id: int, key: str, request: str
) -> int | None:
    """The entry that a member's request under an idempotency key has made."""
    table = t.idempotency_keys.c
    statement = sa.select(table.entry_id).where(
        table.organisation_id == organisation_id,
        table.member_id == member_id,
        table.key == key,
        table.request == request,
    )
    return (await connection.execute(statement)).scalar()


async def entry_at_seq(connection: AsyncConnection, thread_id: int, seq: int) -> int | None:
    """The entry that was the thread's ``seq``-th."""
    statement = sa.select(t.entries.c.id).where(
        t.entries.c.thread_id == thread_id, t.entries.c.seq == seq
    )
    return (await connection.execute(statement)).scalar()


async def attachments_of(
    connection: AsyncConnection, entry_ids: Sequence[int]
) -> dict[int, list[AttachmentRow]]:
    """The files of entries, in order."""
    if not entry_ids:
        return {}
    table = t.attachments.c
    statement = (
        sa.select(*_ATTACHMENT)
        .where(table.entry_id.in_(entry_ids))
        .order_by(table.entry_id, table.place)
    )
    found: dict[int, list[AttachmentRow]] = {}
    for row in (await connection.execute(statement)).all():
        attachment = struct(AttachmentRow, row)
        found.setdefault(row.entry_id, []).append(attachment)
    return found


async def attachment_by_id(
    connection: AsyncConnection, organisation_id: int, id_: int
) -> AttachmentRow | None:
    """One file of an organisation."""
    table = t.attachments.c
    statement = sa.select(*_ATTACHMENT).where(
        table.id == id_, table.organisation_id == organisation_id
    )
    row = (await connection.execute(statement)).first()
    return None if row is None else struct(AttachmentRow, row)


async def attachment_anywhere(connection: AsyncConnection, id_: int) -> AttachmentRow | None:
    """One file, for whoever holds a signed link to it."""
    statement = sa.select(*_ATTACHMENT).where(t.attachments.c.id == id_)
    row = (await connection.execute(statement)).first()
    return None if row is None else struct(AttachmentRow, row)
