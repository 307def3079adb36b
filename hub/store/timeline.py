"""The entries of a thread, in time order, from anywhere in it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.rows import struct, structs
from hub.store.scope import Scope
from hub.store.statements import among, bound, fields


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
    organisation_id: int
    entry_id: int | None
    channel_id: str | None
    uploaded_by: int | None
    name: str
    content_type: str
    size: int | None
    sha256: str | None
    state: str
    reason: str | None
    width: int | None
    height: int | None


Place = tuple[int, int]
"""Where an entry stands: (``sort_at``, id)."""


@cache
def _timeline(
    *, limited: bool, grouped: bool, before: bool, after: bool
) -> sa.Select[*tuple[Any, ...]]:
    own = t.entries.c
    conditions = [*bound(thread=own.thread_id), *Scope.entries(limited=limited)]
    place = sa.tuple_(sa.bindparam("at", type_=t.Time), sa.bindparam("id", type_=t.Id))
    if grouped:
        conditions += bound(grouping=own.grouping)
    if before:
        conditions.append(sa.tuple_(own.sort_at, own.id) < place)
    if after:
        conditions.append(sa.tuple_(own.sort_at, own.id) > place)
    order = (own.sort_at, own.id) if after else (own.sort_at.desc(), own.id.desc())
    return (
        sa.select(*fields(t.entries, EntryRow))
        .where(*conditions)
        .order_by(*order)
        .limit(sa.bindparam("count", type_=sa.Integer))
    )


@cache
def _by_id(*, limited: bool) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(*fields(t.entries, EntryRow)).where(
        among(t.entries.c.id, "ids"), *Scope.entries(limited=limited)
    )


_OF_REQUEST = sa.select(t.idempotency_keys.c.entry_id).where(
    *bound(
        org=t.idempotency_keys.c.organisation_id,
        member=t.idempotency_keys.c.member_id,
        key=t.idempotency_keys.c.key,
        request=t.idempotency_keys.c.request,
    )
)
_AT_SEQ = sa.select(t.entries.c.id).where(*bound(thread=t.entries.c.thread_id, seq=t.entries.c.seq))
_FILES = sa.select(*fields(t.attachments, AttachmentRow))
_FILES_OF = _FILES.where(among(t.attachments.c.entry_id, "ids")).order_by(
    t.attachments.c.entry_id, t.attachments.c.place
)
_FILE = _FILES.where(*bound(id=t.attachments.c.id))


def thread_timeline(
    connection: Connection,
    scope: Scope,
    thread_id: int,
    *,
    limit: int,
    grouping: str | None = None,
    before: Place | None = None,
    after: Place | None = None,
) -> list[EntryRow]:
    """``limit`` entries in time order: the last ones, those before a place, or those after it."""
    statement = _timeline(
        limited=scope.limited,
        grouped=grouping is not None,
        before=before is not None,
        after=after is not None,
    )
    at, id_ = before or after or (None, None)
    values = {"thread": thread_id, "grouping": grouping, "at": at, "id": id_, "count": limit}
    rows = structs(EntryRow, connection.execute(statement, {**scope.values, **values}).all())
    return rows if after is not None else rows[::-1]


def entries_by_id(connection: Connection, scope: Scope, ids: Sequence[int]) -> list[EntryRow]:
    """Single entries, those that the role may see."""
    if not ids:
        return []
    statement = _by_id(limited=scope.limited)
    return structs(EntryRow, connection.execute(statement, {**scope.values, "ids": ids}).all())


def entry_of_request(
    connection: Connection, organisation_id: int, member_id: int, key: str, request: str
) -> int | None:
    """The entry that a member's request under an idempotency key has made."""
    values = {"org": organisation_id, "member": member_id, "key": key, "request": request}
    return connection.execute(_OF_REQUEST, values).scalar()


def entry_at_seq(connection: Connection, thread_id: int, seq: int) -> int | None:
    """The entry that was the thread's ``seq``-th."""
    return connection.execute(_AT_SEQ, {"thread": thread_id, "seq": seq}).scalar()


def attachments_of(
    connection: Connection, entry_ids: Sequence[int]
) -> dict[int, list[AttachmentRow]]:
    """The files of entries, in order."""
    found: dict[int, list[AttachmentRow]] = {}
    if entry_ids:
        for row in connection.execute(_FILES_OF, {"ids": entry_ids}):
            found.setdefault(row.entry_id, []).append(struct(AttachmentRow, row))
    return found


def attachment_by_id(
    connection: Connection, organisation_id: int, id_: int
) -> AttachmentRow | None:
    """One file of an organisation."""
    own = t.attachments.c.organisation_id == sa.bindparam("org")
    row = connection.execute(_FILE.where(own), {"id": id_, "org": organisation_id}).first()
    return None if row is None else struct(AttachmentRow, row)


def attachment_anywhere(connection: Connection, id_: int) -> AttachmentRow | None:
    """One file, for whoever holds a signed link to it."""
    row = connection.execute(_FILE, {"id": id_}).first()
    return None if row is None else struct(AttachmentRow, row)
