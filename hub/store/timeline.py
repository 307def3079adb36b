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
from hub.store.scope import Scope, at_numbers
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
    updates: str | None
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
    content_id: str | None


class Quoted(Struct, kw_only=True, frozen=True):
    """An entry that another one answers."""

    id: int
    thread_id: int
    direction: str
    preview: str


class Answered(Struct, kw_only=True, frozen=True):
    """A message that another one is to answer."""

    thread_id: int
    kind: str
    channel_id: str | None
    external_id: str | None
    content: str
    own_address: str | None = None
    direction: str = "in"
    address: str | None = None
    occurred_at: int = 0


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
    conditions = [among(t.entries.c.id, "ids"), *Scope.entries(limited=limited)]
    if limited:  # a note is the team's, but not of a conversation that they do not see
        conditions.append(Scope.part_of(t.entries.c.thread_id))
    return sa.select(*fields(t.entries, EntryRow)).where(*conditions)


_QUOTED = (
    sa.select(t.external_ids.c.external_id, *fields(t.entries, Quoted))
    .join(t.entries, t.entries.c.id == t.external_ids.c.entry_id)
    .where(
        *bound(org=t.external_ids.c.organisation_id, channel=t.external_ids.c.channel_id),
        among(t.external_ids.c.external_id, "ids"),
    )
)
_ANSWERED = sa.select(*fields(t.entries, Answered)).where(
    *bound(id_=t.entries.c.id, org=t.entries.c.organisation_id)
)
_LAST_OF_CHANNEL = (
    sa.select(*fields(t.entries, Answered))
    .join(t.thread_channels, t.thread_channels.c.last_entry_id == t.entries.c.id)
    .where(*bound(thread=t.thread_channels.c.thread_id, channel=t.thread_channels.c.channel_id))
)
_LAST_SEEN_OF_CHANNEL = (
    sa.select(*fields(t.entries, Answered))
    .where(
        *bound(thread=t.entries.c.thread_id, channel=t.entries.c.channel_id),
        at_numbers(t.entries),
    )
    .order_by(t.entries.c.sort_at.desc(), t.entries.c.id.desc())
    .limit(1)
)
_OF_REQUEST = sa.select(t.idempotency_keys.c.entry_id).where(
    *bound(
        org=t.idempotency_keys.c.organisation_id,
        member=t.idempotency_keys.c.member_id,
        key=t.idempotency_keys.c.key,
        request=t.idempotency_keys.c.request,
    )
)
_UP_TO_SEQ = (
    sa.select(t.entries.c.id)
    .where(*bound(thread=t.entries.c.thread_id), t.entries.c.seq <= sa.bindparam("seq"))
    .order_by(t.entries.c.seq.desc())
    .limit(1)
)
_FILES = sa.select(*fields(t.attachments, AttachmentRow))
_FILES_OF = _FILES.where(among(t.attachments.c.entry_id, "ids")).order_by(
    t.attachments.c.entry_id, t.attachments.c.place, t.attachments.c.id
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


def answered(connection: Connection, organisation_id: int, id_: int) -> Answered | None:
    """A message to be answered."""
    row = connection.execute(_ANSWERED, {"id_": id_, "org": organisation_id}).first()
    return None if row is None else struct(Answered, row)


def last_of_channel(
    connection: Connection, scope: Scope, thread_id: int, channel_id: str
) -> Answered | None:
    """What came last on a channel in a thread, as far as it is seen."""
    values = {**scope.values, "thread": thread_id, "channel": channel_id}
    statement = _LAST_OF_CHANNEL if scope.sees_whole(channel_id) else _LAST_SEEN_OF_CHANNEL
    row = connection.execute(statement, values).first()
    return None if row is None else struct(Answered, row)


def entry_of_request(
    connection: Connection, organisation_id: int, member_id: int, key: str, request: str
) -> int | None:
    """The entry that a member's request under an idempotency key has made."""
    values = {"org": organisation_id, "member": member_id, "key": key, "request": request}
    return connection.execute(_OF_REQUEST, values).scalar()


def entry_up_to_seq(connection: Connection, thread_id: int, seq: int) -> int | None:
    """The entry that was the thread's ``seq``-th, or, if that is there no more, the one before
    it."""
    return connection.execute(_UP_TO_SEQ, {"thread": thread_id, "seq": seq}).scalar()


def quoted(
    connection: Connection, organisation_id: int, channel_id: str, external_ids: Sequence[str]
) -> dict[str, Quoted]:
    """The messages that a channel's provider calls so, as far as they are here."""
    values = {"org": organisation_id, "channel": channel_id, "ids": external_ids}
    return {row.external_id: struct(Quoted, row[1:]) for row in connection.execute(_QUOTED, values)}


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
