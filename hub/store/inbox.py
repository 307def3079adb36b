"""The conversation list: a page of it, its counts, and single rows.

A role that sees every channel reads ``threads`` alone, by the index of its filter. One that is
limited to channels reads what those have contributed (``thread_channels``): order, unread and
preview are made from the entries it may see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.store import tables as t
from hub.store.rows import facts, structs
from hub.store.scope import Scope

STATUSES = ("open", "unread", "closed", "all")
FILTERS = ("all", "unread", "unassigned", "mine", "needs_response")


class ThreadRow(Struct, kw_only=True):
    """A row of the list as it is stored; times in milliseconds."""

    id: int
    contact_id: int
    contact_name: str | None
    status: str
    needs_response: bool
    unread: int
    assignee_id: int | None
    preview: str
    preview_direction: str
    preview_channel_id: str | None
    preview_status: str | None
    channel_id: str | None
    sort_at: int
    active_at: int
    created_at: int
    read_through: int
    has_preview: bool


class Filter(Struct, frozen=True, kw_only=True):
    """What of the list is wanted. ``me`` is the member who asks, for ``mine``."""

    status: str = "open"
    filter: str = "all"
    me: int | None = None
    assignee_id: int | None = None


class _Source:
    """The list as one role reads it: where rows come from and what their columns are."""

    def __init__(self, scope: Scope) -> None:
        threads = t.threads.c
        self.base: sa.FromClause = t.threads
        self.sort_at: sa.ColumnElement[int] = threads.sort_at
        self.unread: sa.ColumnElement[int] = threads.unread
        self.active_at: sa.ColumnElement[int] = threads.active_at
        self.conditions = [threads.organisation_id == scope.organisation_id]
        if scope.channels is not None:
            seen = t.thread_channels.c
            own = (
                sa.select(
                    seen.thread_id,
                    sa.func.max(seen.sort_at).label("sort_at"),
                    sa.func.max(seen.active_at).label("active_at"),
                    sa.func.sum(seen.unread).label("unread"),
                )
                .where(
                    seen.organisation_id == scope.organisation_id,
                    seen.channel_id.in_(scope.channels),
                )
                .group_by(seen.thread_id)
                .subquery("own")
            )
            self.base = t.threads.join(own, own.c.thread_id == threads.id)
            self.sort_at, self.active_at = own.c.sort_at, own.c.active_at
            self.unread = sa.cast(own.c.unread, sa.Integer)

    def where(self, wanted: Filter) -> list[sa.ColumnElement[bool]]:
        """The conditions of a filter and a status tab together."""
        threads = t.threads.c
        by_status: dict[str, list[sa.ColumnElement[bool]]] = {
            "open": [threads.status == "open"],
            "closed": [threads.status == "closed"],
            "unread": [self.unread > 0],
            "all": [],
        }
        by_filter: dict[str, list[sa.ColumnElement[bool]]] = {
            "all": [],
            "unread": [self.unread > 0],
            "unassigned": [threads.assignee_id.is_(None)],
            "mine": [threads.assignee_id == wanted.me],
            "needs_response": [threads.needs_response.is_(True)],
        }
        conditions = [*self.conditions, *by_status[wanted.status], *by_filter[wanted.filter]]
        if wanted.assignee_id is not None:
            conditions.append(threads.assignee_id == wanted.assignee_id)
        return conditions

    def rows(self) -> sa.Select[*tuple[Any, ...]]:
        """The columns of a row, joined with its contact."""
        threads = t.threads.c
        columns: list[sa.ColumnElement[Any]] = [
            threads.id,
            threads.contact_id,
            t.contacts.c.name.label("contact_name"),
            threads.status,
            threads.needs_response,
            self.unread.label("unread"),
            threads.assignee_id,
            threads.preview,
            threads.preview_direction,
            threads.preview_channel_id,
            threads.preview_status,
            threads.channel_id,
            self.sort_at.label("sort_at"),
            self.active_at.label("active_at"),
            threads.created_at,
            threads.read_through,
            threads.last_entry_id.is_not(None).label("has_preview"),
        ]
        return sa.select(*columns).select_from(
            sa.join(self.base, t.contacts, t.contacts.c.id == threads.contact_id)
        )


async def inbox_page(
    connection: AsyncConnection,
    scope: Scope,
    wanted: Filter,
    *,
    limit: int,
    after: tuple[int, int] | None = None,
) -> list[ThreadRow]:
    """A page, newest activity first; ``after`` is the (``sort_at``, id) of the row before it."""
    source = _Source(scope)
    conditions = source.where(wanted)
    key = sa.tuple_(source.sort_at, t.threads.c.id)
    if after is not None:
        conditions.append(key < sa.tuple_(sa.literal(after[0]), sa.literal(after[1])))
    statement = (
        source.rows()
        .where(*conditions)
        .order_by(source.sort_at.desc(), t.threads.c.id.desc())
        .limit(limit)
    )
    rows = structs(ThreadRow, (await connection.execute(statement)).all())
    return await _as_seen(connection, scope, rows)


async def threads_by_id(
    connection: AsyncConnection, scope: Scope, ids: Sequence[int]
) -> list[ThreadRow]:
    """Single rows, those of them that the role may see."""
    if not ids:
        return []
    source = _Source(scope)
    statement = source.rows().where(*source.conditions, t.threads.c.id.in_(ids))
    rows = structs(ThreadRow, (await connection.execute(statement)).all())
    return await _as_seen(connection, scope, rows)


async def filter_counts(
    connection: AsyncConnection, scope: Scope, wanted: Filter
) -> tuple[dict[str, int], dict[str, int], int]:
    """How many rows each filter has within the status, and each status within the filter; and
    how many conversations have anything unread at all."""
    source = _Source(scope)

    def count(some: Filter) -> sa.ScalarSelect[int]:
        return (
            sa.select(sa.func.count())
            .select_from(source.base)
            .where(*source.where(some))
            .scalar_subquery()
        )

    def like(status: str, filter_: str) -> Filter:
        return Filter(status=status, filter=filter_, me=wanted.me, assignee_id=wanted.assignee_id)

    columns = [count(like(wanted.status, name)).label(f"filter_{name}") for name in FILTERS]
    columns += [count(like(name, wanted.filter)).label(f"status_{name}") for name in STATUSES]
    columns.append(count(Filter(status="unread")).label("unread_total"))
    row = facts((await connection.execute(sa.select(*columns))).one())
    return (
        {name: row[f"filter_{name}"] for name in FILTERS},
        {name: row[f"status_{name}"] for name in STATUSES},
        row["unread_total"],
    )


async def channels_of(
    connection: AsyncConnection, scope: Scope, thread_ids: Sequence[int]
) -> dict[int, list[str]]:
    """The channels each thread has entries of, the one used last first."""
    seen = t.thread_channels.c
    conditions = [seen.thread_id.in_(thread_ids)]
    if scope.channels is not None:
        conditions.append(seen.channel_id.in_(scope.channels))
    statement = (
        sa.select(seen.thread_id, seen.channel_id)
        .where(*conditions)
        .order_by(seen.thread_id, seen.sort_at.desc())
    )
    found: dict[int, list[str]] = {}
    for row in (await connection.execute(statement)).all():
        found.setdefault(row.thread_id, []).append(row.channel_id)
    return found


async def position_of(connection: AsyncConnection, organisation_id: int) -> int:
    """How far the organisation's journal reaches in this snapshot."""
    organisations = t.organisations.c
    statement = sa.select(organisations.position).where(organisations.id == organisation_id)
    return (await connection.execute(statement)).scalar_one()


async def _as_seen(
    connection: AsyncConnection, scope: Scope, rows: list[ThreadRow]
) -> list[ThreadRow]:
    """The previews of rows whose last entry a limited role may not see, made from what it may."""
    if scope.channels is None:
        return rows
    entries = t.entries.c
    hidden: list[ThreadRow] = []
    for row in rows:
        if row.channel_id is not None and row.channel_id not in scope.channels:
            row.channel_id = None
        if row.has_preview and not scope.sees(row.preview_channel_id):
            hidden.append(row)
    for row in hidden:
        statement = (
            sa.select(entries.preview, entries.direction, entries.channel_id, entries.status)
            .where(entries.thread_id == row.id, entries.kind != "system", *scope.entries())
            .order_by(entries.sort_at.desc(), entries.id.desc())
            .limit(1)
        )
        last = (await connection.execute(statement)).first()
        row.has_preview = last is not None
        row.preview, row.preview_direction, row.preview_channel_id, row.preview_status = (
            tuple(last) if last is not None else ("", "internal", None, None)
        )
    return rows
