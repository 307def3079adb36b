"""The conversation list: a page of it, its counts, and single rows.

A role that sees every channel reads ``threads`` alone, by the index of its filter. One that is
limited to channels reads what those have contributed (``thread_channels``): order, unread and
preview are made from the entries it may see.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.rows import facts, structs
from hub.store.scope import Scope
from hub.store.statements import among, aside, bound, columns

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

    @property
    def values(self) -> dict[str, Any]:
        """What its conditions bind."""
        return {"me": self.me, "assignee": self.assignee_id}


# As the partial index has it.
_NEEDS_RESPONSE: Any = sa.text("threads.needs_response")


class Source:
    """The list as a role reads it, limited to channels or not: where rows come from and what their
    columns are. Statements bind ``org``, ``channels`` (if limited), ``ids`` (if some are wanted
    ``by_id``) and what a filter needs."""

    def __init__(self, *, limited: bool, by_id: bool = False) -> None:
        threads = t.threads.c
        self.base: sa.FromClause = t.threads
        self.sort_at: sa.ColumnElement[int] = threads.sort_at
        self.unread: sa.ColumnElement[int] = threads.unread
        self.active_at: sa.ColumnElement[int] = threads.active_at
        self.conditions = bound(org=threads.organisation_id)
        seen = t.thread_channels.c
        of_own = bound(org=seen.organisation_id)
        if by_id:
            self.conditions = bound(org=aside(threads.organisation_id))
            self.conditions.append(among(threads.id, "ids"))
            of_own = [among(seen.thread_id, "ids")]
        if limited:
            own = (
                sa.select(
                    seen.thread_id,
                    sa.func.max(seen.sort_at).label("sort_at"),
                    sa.func.max(seen.active_at).label("active_at"),
                    sa.func.sum(seen.unread).label("unread"),
                )
                .where(*of_own, among(seen.channel_id, "channels"))
                .group_by(seen.thread_id)
                .subquery("own")
            )
            self.base = t.threads.join(own, own.c.thread_id == threads.id)
            self.sort_at, self.active_at = own.c.sort_at, own.c.active_at
            self.unread = sa.cast(own.c.unread, sa.Integer)

    def where(
        self, status: str, filter_: str, *, assigned: bool = False
    ) -> list[sa.ColumnElement[bool]]:
        """The conditions of a filter and a status tab together; binds ``me``, ``assignee``.

        The narrowest one is searched by (the fewest are unread, then those that need a response,
        then one member's), the others are checked on the way.
        """
        threads = t.threads.c
        unread = "unread" in (status, filter_)
        needs = filter_ == "needs_response"
        theirs = assigned or filter_ in ("mine", "unassigned")
        assignee = aside(threads.assignee_id) if unread or needs else threads.assignee_id
        tab = aside(threads.status) if unread or needs or theirs else threads.status
        conditions = list(self.conditions)
        if unread:
            conditions.append(self.unread > sa.literal_column("0"))
        if needs:
            conditions.append(aside(threads.needs_response) if unread else _NEEDS_RESPONSE)
        if filter_ == "unassigned":
            conditions.append(assignee.is_(None))
        if filter_ == "mine":
            conditions += bound(me=assignee)
        if assigned:
            conditions += bound(assignee=assignee)
        if status in ("open", "closed"):
            conditions.append(tab == sa.literal_column(f"'{status}'"))
        return conditions

    def rows(self) -> sa.Select[*tuple[Any, ...]]:
        """The columns of a row, joined with its contact."""
        threads = t.threads.c
        selected: list[sa.ColumnElement[Any]] = [
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
        return sa.select(*selected).select_from(
            sa.join(self.base, t.contacts, t.contacts.c.id == threads.contact_id)
        )


Counts = tuple[dict[str, int], dict[str, int], int]
"""By filter, by status, and how many conversations have anything unread."""


@cache
def _page(
    *, limited: bool, status: str, filter_: str, assigned: bool, further: bool
) -> sa.Select[*tuple[Any, ...]]:
    source = Source(limited=limited)
    conditions = source.where(status, filter_, assigned=assigned)
    if further:
        at, id_ = sa.bindparam("after_at", type_=t.Time), sa.bindparam("after_id", type_=t.Id)
        conditions.append(sa.tuple_(source.sort_at, t.threads.c.id) < sa.tuple_(at, id_))
    order: list[sa.ColumnElement[Any]] = [source.sort_at.desc(), t.threads.c.id.desc()]
    if filter_ == "unassigned" and status != "unread":
        # They are all NULL, which PostgreSQL does not see by itself.
        order.insert(0, t.threads.c.assignee_id)
    return (
        source.rows()
        .where(*conditions)
        .order_by(*order)
        .limit(sa.bindparam("count", type_=sa.Integer))
    )


@cache
def _by_id(*, limited: bool) -> sa.Select[*tuple[Any, ...]]:
    source = Source(limited=limited, by_id=True)
    return source.rows().where(*source.conditions)


@cache
def _counts(
    *, limited: bool, status: str, filter_: str, assigned: bool
) -> sa.Select[*tuple[Any, ...]]:
    source = Source(limited=limited)

    def count(status: str, filter_: str, *, assigned: bool) -> sa.ScalarSelect[int]:
        return (
            sa.select(sa.func.count())
            .select_from(source.base)
            .where(*source.where(status, filter_, assigned=assigned))
            .scalar_subquery()
        )

    counted = [count(status, name, assigned=assigned).label(f"filter_{name}") for name in FILTERS]
    counted += [
        count(name, filter_, assigned=assigned).label(f"status_{name}") for name in STATUSES
    ]
    counted.append(count("unread", "all", assigned=False).label("unread_total"))
    return sa.select(*counted)


@cache
def _channels(*, limited: bool) -> sa.Select[*tuple[Any, ...]]:
    seen = t.thread_channels.c
    conditions = [among(seen.thread_id, "ids")]
    if limited:
        conditions.append(among(seen.channel_id, "channels"))
    return (
        sa.select(seen.thread_id, seen.channel_id)
        .where(*conditions)
        .order_by(seen.thread_id, seen.sort_at.desc())
    )


_POSITION = sa.select(t.organisations.c.position).where(*bound(org=t.organisations.c.id))
_LAST_SEEN = (
    sa.select(*columns(t.entries, "preview", "direction", "channel_id", "status"))
    .where(
        *bound(thread=t.entries.c.thread_id),
        t.entries.c.kind != "system",
        *Scope.entries(limited=True),
    )
    .order_by(t.entries.c.sort_at.desc(), t.entries.c.id.desc())
    .limit(1)
)


def inbox_page(
    connection: Connection,
    scope: Scope,
    wanted: Filter,
    *,
    limit: int,
    after: tuple[int, int] | None = None,
) -> list[ThreadRow]:
    """A page, newest activity first; ``after`` is the (``sort_at``, id) of the row before it."""
    statement = _page(
        limited=scope.limited,
        status=wanted.status,
        filter_=wanted.filter,
        assigned=wanted.assignee_id is not None,
        further=after is not None,
    )
    values = {**scope.values, **wanted.values, "count": limit}
    if after is not None:
        values |= {"after_at": after[0], "after_id": after[1]}
    rows = structs(ThreadRow, connection.execute(statement, values).all())
    return _as_seen(connection, scope, rows)


def threads_by_id(connection: Connection, scope: Scope, ids: Sequence[int]) -> list[ThreadRow]:
    """Single rows, those of them that the role may see."""
    if not ids:
        return []
    found = connection.execute(_by_id(limited=scope.limited), {**scope.values, "ids": ids}).all()
    return _as_seen(connection, scope, structs(ThreadRow, found))


def filter_counts(connection: Connection, scope: Scope, wanted: Filter) -> Counts:
    """How many rows each filter has within the status, and each status within the filter; and
    how many conversations have anything unread at all."""
    statement = _counts(
        limited=scope.limited,
        status=wanted.status,
        filter_=wanted.filter,
        assigned=wanted.assignee_id is not None,
    )
    row = facts(connection.execute(statement, {**scope.values, **wanted.values}).one())
    return (
        {name: row[f"filter_{name}"] for name in FILTERS},
        {name: row[f"status_{name}"] for name in STATUSES},
        row["unread_total"],
    )


def channels_of(
    connection: Connection, scope: Scope, thread_ids: Sequence[int]
) -> dict[int, list[str]]:
    """The channels each thread has entries of, the one used last first."""
    found: dict[int, list[str]] = {}
    statement = _channels(limited=scope.limited)
    for row in connection.execute(statement, {**scope.values, "ids": thread_ids}):
        found.setdefault(row.thread_id, []).append(row.channel_id)
    return found


def position_of(connection: Connection, organisation_id: int) -> int:
    """How far the organisation's journal reaches in this snapshot."""
    return connection.execute(_POSITION, {"org": organisation_id}).scalar_one()


def _as_seen(connection: Connection, scope: Scope, rows: list[ThreadRow]) -> list[ThreadRow]:
    """The previews of rows whose last entry a limited role may not see, made from what it may."""
    if scope.channels is None:
        return rows
    hidden: list[ThreadRow] = []
    for row in rows:
        if row.channel_id is not None and row.channel_id not in scope.channels:
            row.channel_id = None
        if row.has_preview and not scope.sees(row.preview_channel_id):
            hidden.append(row)
    for row in hidden:
        last = connection.execute(_LAST_SEEN, {**scope.values, "thread": row.id}).first()
        row.has_preview = last is not None
        row.preview, row.preview_direction, row.preview_channel_id, row.preview_status = (
            tuple(last) if last is not None else ("", "internal", None, None)
        )
    return rows
