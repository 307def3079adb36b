"""The conversation list: a page of it, its counts, and single rows.

A role that sees every channel reads ``threads`` alone, by the index of its filter, and counts that
are kept (``hub.store.inbox_counts``); what only the entries tell, times that are over, channels and
numbers of ours, by sets (``hub.store.inbox_sets``). One that sees a part reads a list, counts and
sets of its own, kept in the same way (``hub.store.sights``).

What such a role's list has to be follows from what its channels have contributed
(``thread_channels``), and of a channel of which it sees some numbers only, from the entries
themselves: order, unread and preview are made from those it may see. The kept list is made by that,
and until it is, everything is read so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace
from pyroaring import BitMap
from sqlalchemy import Connection

from hub.rules import calls, date_ranges, sight, updates
from hub.store import inbox_counts, inbox_sets
from hub.store import tables as t
from hub.store.inbox_counts import (
    EVERYBODYS,
    LATER,
    NOBODY,
    OF_SIGHTS,
    Kind,
    kind_of,
    needs_response_of,
)
from hub.store.inbox_sets import NEEDS, UNREAD, Owner, Sets
from hub.store.rows import structs
from hub.store.scope import Scope, Width, at_numbers
from hub.store.statements import among, aside, bound, columns, of_rows

Place = tuple[int, int]
"""Of a row in the list: its ``sort_at`` and id."""
STATUSES = ("open", "unread", "closed", "all")
LISTED = ("open", "closed", "outbound_only")
"""What conversations in the list may be."""
FILTERS = ("all", "unread", "unassigned", "mine", "needs_response", "late")


class ThreadRow(Struct, kw_only=True):
    """A row of the list as it is stored; times in milliseconds."""

    id: int
    contact_id: int
    contact_name: str | None
    status: str
    needs_response: bool
    unread: int
    unresolved: int
    assignee_id: int | None
    preview: str
    preview_direction: str
    preview_channel_id: str | None
    preview_status: str | None
    preview_author_id: int | None
    """The member who wrote it."""
    channel_id: str | None
    sort_at: int
    active_at: int
    created_at: int
    read_through: int
    waiting_since: int | None
    has_preview: bool


class Filter(Struct, frozen=True, kw_only=True):
    """What of the list is wanted. ``me`` is the member who asks, for ``mine``; ``late_since`` since
    when a conversation must have waited, or longer, to be ``late``, ``None`` where none is.
    ``since`` and ``until`` are what ``range`` means now: with any activity from the one until
    before the other. ``own``: with anything at one of these addresses of ours; ``channels``: with
    anything on one of these."""

    status: str = "open"
    filter: str = "all"
    me: int | None = None
    assignee_id: int | None = None
    late_since: int | None = None
    range: date_ranges.Range = date_ranges.ALL
    since: int | None = None
    until: int | None = None
    own: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, Any]:
        """What its conditions bind."""
        return {
            "me": self.me,
            "assignee": self.assignee_id,
            "late": self.late_since,
            "since": self.since or 0,
            "until": self.until,
            "own": self.own,
            "on_channels": self.channels,
        }

    @property
    def exact(self) -> bool:
        """Whether an index has these conversations and no others, but for a range of time."""
        narrowed = self.status != "all", self.filter != "all", self.assignee_id is not None
        return sum(narrowed) <= 1 and self.filter != "late"

    @property
    def by_kind(self) -> bool:
        """Whether it asks for nothing that only the entries tell."""
        return self.until is None and not self.own and not self.channels

    @property
    def narrowed(self) -> Narrowed:
        """What it asks for besides status and quick filter."""
        return Narrowed(
            assigned=self.assignee_id is not None,
            since=self.since is not None,
            until=self.until is not None,
            own=bool(self.own),
            channels=bool(self.channels),
        )


class Narrowed(Struct, frozen=True, kw_only=True):
    """By what a list is narrowed besides status and quick filter; statements differ by it."""

    assigned: bool = False
    since: bool = False
    until: bool = False
    own: bool = False
    channels: bool = False


_WHOLE = Narrowed()


_ZERO: sa.ColumnElement[Any] = sa.literal_column("0", sa.Integer)
Eyes = Width | Literal["kept"]
"""As of a scope, or limited with a list that is kept."""


class Source:
    """The list as a role reads it, limited or not: where rows come from and what their columns are.
    Statements bind what ``_values`` gives, ``ids`` (if some are wanted ``by_id``) and what a filter
    needs."""

    def __init__(self, *, width: Eyes, by_id: bool = False) -> None:
        limited = width != "all"
        threads = t.threads.c
        self.limited = limited
        self.walked = not limited or width == "kept"
        """Whether there is an index for each filter."""
        self.table = t.sight_threads if width == "kept" else t.threads
        self.id: sa.ColumnElement[int] = threads.id
        if width == "kept":
            self._kept()
            return
        self.base: sa.FromClause = t.threads
        self.sort_at: sa.ColumnElement[int] = threads.sort_at
        self.unread: sa.ColumnElement[int] = threads.unread
        self.unresolved: sa.ColumnElement[int] = threads.unresolved
        self.active_at: sa.ColumnElement[int] = threads.active_at
        self.conditions = bound(org=threads.organisation_id)
        seen = t.thread_channels.c
        of_own = bound(org=seen.organisation_id)
        if by_id:
            self.conditions = bound(org=aside(threads.organisation_id))
            self.conditions.append(among(threads.id, "ids"))
            of_own = [among(seen.thread_id, "ids")]
        if limited:
            whole = sa.select(
                *columns(
                    t.thread_channels, "thread_id", "sort_at", "active_at", "unread", "unresolved"
                )
            ).where(*of_own, among(seen.channel_id, "channels"))
            # Both ways a sum of their rows by thread; of numbers it is made once for all counts.
            if width == "channels":
                own = _by_thread(whole.subquery("whole")).subquery("own")
            else:
                both = whole.union_all(_of_numbers(by_id=by_id)).subquery("both")
                own = _by_thread(both).cte("own").prefix_with("MATERIALIZED")
            self.base = t.threads.join(own, own.c.thread_id == threads.id)
            self.sort_at, self.active_at = own.c.sort_at, own.c.active_at
            self.unread = sa.cast(own.c.unread, sa.Integer)
            self.unresolved = sa.cast(own.c.unresolved, sa.Integer)

    def _kept(self) -> None:
        own = t.sight_threads.c
        self.id = own.thread_id
        self.base = t.sight_threads.join(t.threads, t.threads.c.id == own.thread_id)
        self.sort_at = self.active_at = own.sort_at
        self.unread, self.unresolved = own.unread, own.unresolved
        self.conditions = bound(sight=own.sight_id)

    def where(
        self, status: str, filter_: str, narrowed: Narrowed = _WHOLE, *, found: bool = False
    ) -> list[sa.ColumnElement[bool]]:
        """The conditions of a filter and a status tab together, and of what the list is narrowed by
        besides; binds what ``Filter.values`` gives.

        Threads in which nothing is left have no place there (``sort_at`` 0).
        The narrowest one is searched by (the fewest are unread, then those that need a response,
        then one member's), the others are checked on the way. If the rows are ``found`` in another
        way already, all of them are.
        """
        threads = self.table.c
        unread = found or "unread" in (status, filter_)
        needs = filter_ in ("needs_response", "late")
        theirs = narrowed.assigned or filter_ in ("mine", "unassigned")
        assignee = aside(threads.assignee_id) if unread or needs else threads.assignee_id
        tab = aside(threads.status) if unread or needs or theirs else threads.status
        conditions = [] if found else list(self.conditions)
        if found:
            conditions += bound(org=aside(t.threads.c.organisation_id))
        if self.walked:  # who is limited reads of threads what there is in them alone
            searched = unread or needs or theirs or status != "all"
            sort_at = aside(threads.sort_at) if searched else threads.sort_at
            conditions.append(sort_at > _ZERO)
        if "unread" in (status, filter_):
            conditions.append((aside(self.unread) if found else self.unread) > _ZERO)
        if needs:
            needing = needs_response_of(self.table)
            conditions.append(aside(threads.needs_response) if unread else needing)
        if filter_ == "late":
            # A sum has no index: PostgreSQL would take the one of who has waited, and sort.
            waited = threads.waiting_since + _ZERO
            conditions.append(waited <= sa.bindparam("late", type_=t.Time))
        if filter_ == "unassigned":
            conditions.append(assignee.is_(None))
        if filter_ == "mine":
            conditions += bound(me=assignee)
        if narrowed.assigned:
            conditions += bound(assignee=assignee)
        if status in ("open", "closed"):
            conditions.append(tab == sa.literal_column(f"'{status}'"))
        return conditions + self.within(narrowed)

    def within(self, narrowed: Narrowed) -> list[sa.ColumnElement[bool]]:
        """That a limited role sees any activity in a range, or anything that went through addresses
        of ours, or channels: only the entries tell."""
        conditions: list[sa.ColumnElement[bool]] = []
        if narrowed.since:
            conditions.append(aside(self.active_at) >= sa.bindparam("since", type_=t.Time))

        def some(*wanted: sa.ColumnElement[bool]) -> sa.Exists:
            here = t.entries.c.thread_id == t.threads.c.id
            seen = Scope.entries(limited=True)
            return sa.exists(
                sa.select(sa.literal(1)).where(here, *seen, *wanted).correlate_except(t.entries)
            )

        if narrowed.until:
            own = t.entries.c
            within = [own.sort_at < sa.bindparam("until", type_=t.Time)]
            if narrowed.since:
                within.append(own.sort_at >= sa.bindparam("since", type_=t.Time))
            conditions.append(some(*within))
        if narrowed.own:
            conditions.append(some(among(t.entries.c.own_address, "own")))
        if narrowed.channels:
            conditions.append(some(among(t.entries.c.channel_id, "on_channels")))
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
            self.unresolved.label("unresolved"),
            threads.assignee_id,
            threads.preview,
            threads.preview_direction,
            threads.preview_channel_id,
            threads.preview_status,
            _LAST_AUTHOR.label("preview_author_id"),
            threads.channel_id,
            self.sort_at.label("sort_at"),
            self.active_at.label("active_at"),
            threads.created_at,
            threads.read_through,
            threads.waiting_since,
            threads.last_entry_id.is_not(None).label("has_preview"),
        ]
        return sa.select(*selected).select_from(
            sa.join(self.base, t.contacts, t.contacts.c.id == threads.contact_id)
        )


_member_who_wrote = sa.case((t.entries.c.author_kind == "member", t.entries.c.author_id))
_LAST_AUTHOR = (
    sa.select(_member_who_wrote)
    .where(t.entries.c.id == t.threads.c.last_entry_id)
    .correlate(t.threads)
    .scalar_subquery()
)


def _by_thread(rows: sa.FromClause) -> sa.Select[*tuple[Any, ...]]:
    own = rows.c
    return sa.select(
        own.thread_id,
        sa.func.max(own.sort_at).label("sort_at"),
        sa.func.max(own.active_at).label("active_at"),
        sa.func.sum(own.unread).label("unread"),
        sa.func.sum(own.unresolved).label("unresolved"),
    ).group_by(own.thread_id)


def _of_numbers(*, by_id: bool) -> sa.Select[*tuple[Any, ...]]:
    """What each entry of the numbers that are seen adds to its thread."""
    own, read, used = t.entries.c, t.threads.alias("read"), t.thread_channels.alias("used")
    unresolved = sa.case((among(own.id, "unresolved"), 1), else_=0)
    unread = sa.and_(own.direction == "in", own.kind == "message", own.seq > read.c.read_through)
    reached: sa.FromClause = used.join(
        t.entries,
        sa.and_(own.thread_id == used.c.thread_id, own.channel_id == used.c.channel_id),
    )
    conditions = [*bound(org=used.c.organisation_id), among(used.c.channel_id, "part")]
    if by_id:
        reached, conditions = t.entries, [among(own.thread_id, "ids")]
    return (
        sa.select(
            own.thread_id,
            own.sort_at,
            own.sort_at.label("active_at"),
            sa.case((unread, 1), else_=unresolved).label("unread"),
            unresolved.label("unresolved"),
        )
        .select_from(reached.join(read, read.c.id == own.thread_id))
        .where(*conditions, at_numbers(t.entries))
    )


Counts = tuple[dict[str, int], dict[str, int], int]
"""By filter, by status, and how many conversations have anything unread."""
Part = Literal["", "sorted", "later"]
"""Of a range of time: what conditions on each row tell; what stands in the list since then; what
was active since then and stands before."""


class Wanted(NamedTuple):
    """What makes one statement of a page another one."""

    width: Eyes
    status: str
    filter: str
    narrowed: Narrowed
    further: bool
    part: Part = ""


@cache
def _page(wanted: Wanted) -> sa.Select[*tuple[Any, ...]]:
    source = Source(width=wanted.width)
    by_index = wanted.part != "later"
    conditions = source.where(wanted.status, wanted.filter, wanted.narrowed, found=not by_index)
    if wanted.part == "sorted":
        conditions.append(source.sort_at >= sa.bindparam("since", type_=t.Time))
    elif wanted.part == "later":
        conditions.append(of_rows(t.threads.c.id, _LATER_SINCE))
    if wanted.further:
        at, id_ = sa.bindparam("after_at", type_=t.Time), sa.bindparam("after_id", type_=t.Id)
        conditions.append(sa.tuple_(source.sort_at, source.id) < sa.tuple_(at, id_))
    sort_at = source.sort_at if by_index else aside(source.sort_at)
    order: list[sa.ColumnElement[Any]] = [sort_at.desc(), source.id.desc()]
    if wanted.filter == "unassigned" and wanted.status != "unread" and by_index and source.walked:
        # They are all NULL, which PostgreSQL does not see by itself.
        order.insert(0, source.table.c.assignee_id)
    limit = sa.bindparam("count", type_=sa.Integer)
    return source.rows().where(*conditions).order_by(*order).limit(limit)


_LATER_SINCE = sa.select(t.threads.c.id).where(
    *bound(org=t.threads.c.organisation_id),
    LATER,
    t.threads.c.active_at >= sa.bindparam("since", type_=t.Time),
    aside(t.threads.c.sort_at) < sa.bindparam("since", type_=t.Time),
)


@cache
def _by_id(*, width: Width) -> sa.Select[*tuple[Any, ...]]:
    source = Source(width=width, by_id=True)
    return source.rows().where(*source.conditions)


@cache
def _listed(*, width: Width) -> sa.Select[*tuple[Any, ...]]:
    source, threads = Source(width=width, by_id=True), t.threads.c
    return (
        sa.select(
            threads.id,
            threads.status,
            threads.assignee_id,
            threads.needs_response,
            threads.waiting_since,
            source.unread,
            source.unresolved,
            source.sort_at,
        )
        .select_from(source.base)
        .where(*source.conditions)
    )


@cache
def _scan(width: Eyes, narrowed: Narrowed) -> sa.Select[*tuple[Any, ...]]:
    """How many a limited role sees of each kind, which of them are late, and which are within what
    the list is narrowed by; it has no other count of the rest, unless it is kept."""
    source = Source(width=width)
    own = source.table.c
    late = sa.and_(own.needs_response, own.waiting_since <= sa.bindparam("late", type_=t.Time))
    conditions = source.where("all", "all", narrowed if source.walked else _WHOLE)
    within = sa.true() if source.walked else sa.and_(sa.true(), *source.within(narrowed))
    every = (
        sa.select(
            *kind_of(source.table, source.unread),
            sa.func.coalesce(late, sa.false()).label("late"),
            within.label("within"),
        )
        .select_from(source.base)
        .where(*conditions)
        .subquery("every")
    )
    return sa.select(*every.c, sa.func.count()).group_by(*every.c)


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


_of_seen = (
    sa.select(t.entries.c.thread_id, t.entries.c.channel_id)
    .where(among(t.entries.c.thread_id, "ids"), at_numbers(t.entries))
    .group_by(t.entries.c.thread_id, t.entries.c.channel_id)
    .order_by(t.entries.c.thread_id, sa.func.max(t.entries.c.sort_at).desc())
)
"""The channels of which a thread has entries of numbers that are seen."""
_calls = sa.select(*columns(t.entries, "id", "direction", "updates", "channel_id", "own_address"))
_calls = _calls.join(
    t.thread_channels,
    sa.and_(
        t.thread_channels.c.thread_id == t.entries.c.thread_id,
        t.thread_channels.c.channel_id == t.entries.c.channel_id,
    ),
).where(
    among(t.thread_channels.c.channel_id, "part"),
    t.thread_channels.c.unresolved > 0,
    t.entries.c.kind == "call",
    at_numbers(t.entries),
)
_CALLS = _calls.where(*bound(org=t.thread_channels.c.organisation_id))
_CALLS_OF = _calls.where(among(t.thread_channels.c.thread_id, "ids"))
_KEPT = sa.select(t.sights.c.id, t.sights.c.sets).where(
    *bound(org=t.sights.c.organisation_id, places=t.sights.c.places),
    t.sights.c.state == sa.literal_column("'kept'"),
)
_POSITION = sa.select(t.organisations.c.position).where(*bound(org=t.organisations.c.id))
_LAST_SEEN = (
    sa.select(
        *columns(t.entries, "preview", "direction", "channel_id", "status"), _member_who_wrote
    )
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
    after: Place | None = None,
) -> list[ThreadRow]:
    """A page, newest activity first; ``after`` is the (``sort_at``, id) of the row before it."""
    own = kept(connection, scope)
    if not wanted.by_kind and (owner := _owner(scope, own)) is not None:
        return _by_sets(connection, owner, wanted, limit, after)
    values = {**_values(connection, scope, list_=own), **wanted.values}
    counted = own is not None or not scope.limited
    if counted and wanted.by_kind and not wanted.exact and not _any(connection, scope, wanted):
        return []  # an index of others would be gone through to its end
    if scope.limited:
        until_now = wanted.since is not None and wanted.until is None
        part: Part = "sorted" if own is not None and until_now else ""
        rows = _rows(connection, scope, wanted, values, limit, after, part)
        return _as_seen(connection, scope, rows)
    if wanted.since is None:
        return _rows(connection, scope, wanted, values, limit, after)
    rows: list[ThreadRow] = []
    if after is None or after[0] >= wanted.since:
        rows = _rows(connection, scope, wanted, values, limit, after, "sorted")
        after = None
    if len(rows) < limit:
        rows += _rows(connection, scope, wanted, values, limit - len(rows), after, "later")
    return rows


def _rows(
    connection: Connection,
    scope: Scope,
    wanted: Filter,
    values: dict[str, Any],
    limit: int,
    after: Place | None,
    part: Part = "",
) -> list[ThreadRow]:
    statement = _page(_statement(_eyes(scope, values), wanted, after, part))
    values = {**values, **_behind(after), "count": limit}
    return structs(ThreadRow, connection.execute(statement, values).all())


def _eyes(scope: Scope, values: dict[str, Any]) -> Eyes:
    return scope.width if values.get("sight") is None else "kept"


def _statement(eyes: Eyes, wanted: Filter, after: Place | None, part: Part = "") -> Wanted:
    narrowed = wanted.narrowed
    if part or eyes == "all":  # the range is looked for in another way
        narrowed = replace(narrowed, since=False, until=False)
    further = after is not None
    return Wanted(eyes, wanted.status, wanted.filter, narrowed, further, part)


def _behind(after: Place | None) -> dict[str, int]:
    return {} if after is None else {"after_at": after[0], "after_id": after[1]}


def _any(connection: Connection, scope: Scope, wanted: Filter) -> bool:
    by_filter, _, _ = filter_counts(connection, scope, wanted)
    return by_filter[wanted.filter] > 0


def _owner(scope: Scope, own: Kept | None) -> Owner | None:
    """Whose sets tell of a list, if they are filled."""
    if own is not None:
        return Owner(scope, own.id) if own.sets else None
    return None if scope.limited else Owner(scope)


def _by_sets(
    connection: Connection, owner: Owner, wanted: Filter, limit: int, after: Place | None
) -> list[ThreadRow]:
    """A page of what no index has in the list's order."""
    sets, within = _within(connection, owner, wanted)
    found = _tab(sets, within, wanted.status) & _filter(sets, within, wanted)
    rows = threads_by_id(connection, owner.scope, sets.newest(found, limit, after))
    return sorted(rows, key=lambda row: (row.sort_at, row.id), reverse=True)


def _within(connection: Connection, owner: Owner, wanted: Filter) -> tuple[Sets, BitMap]:
    """The sets that tell of a list, and what it is narrowed to besides status and quick filter."""
    sets = Sets(connection, owner)
    listed = [inbox_sets.status(one) for one in LISTED]
    own = [inbox_sets.through_own(one) for one in wanted.own]
    channels = [inbox_sets.through_channel(one) for one in wanted.channels]
    who = [inbox_sets.assigned(one) for one in (None, wanted.me, wanted.assignee_id)]
    ranged = wanted.since is not None or wanted.until is not None
    hours = inbox_sets.blocks("active", wanted.since, wanted.until) if ranged else []
    sets.of([*listed, UNREAD, NEEDS, *own, *channels, *who, *hours])
    found = sets.any_of(listed)
    if ranged:
        found &= sets.active(wanted.since, wanted.until)
    if owner.scope.limited and wanted.since is not None:
        # What has no channel tells a limited role nothing of how late something happened.
        found &= sets.placed(wanted.since)
    if own:
        found &= sets.any_of(own)
    if channels:
        found &= sets.any_of(channels)
    if wanted.assignee_id is not None:
        found &= sets.any_of(who[2:])
    return sets, found


def _tab(sets: Sets, within: BitMap, status: str) -> BitMap:
    if status == "all":
        return within
    return within & sets.any_of([UNREAD if status == "unread" else inbox_sets.status(status)])


def _filter(sets: Sets, within: BitMap, wanted: Filter) -> BitMap:
    """Of what it is narrowed to, what its quick filter lets through."""
    match wanted.filter:
        case "all":
            return within
        case "unread":
            return within & sets.any_of([UNREAD])
        case "unassigned":
            return within & sets.any_of([inbox_sets.assigned(None)])
        case "mine" if wanted.me is not None:
            return within & sets.any_of([inbox_sets.assigned(wanted.me)])
        case "needs_response":
            return within & sets.any_of([NEEDS])
        case "late" if wanted.late_since is not None:
            return (within & sets.any_of([NEEDS])) - sets.patient(wanted.late_since)
        case _:
            return BitMap()


def threads_by_id(connection: Connection, scope: Scope, ids: Sequence[int]) -> list[ThreadRow]:
    """Single rows, those of them that the role may see."""
    if not ids:
        return []
    values = {**_values(connection, scope, ids), "ids": ids}
    found = connection.execute(_by_id(width=scope.width), values).all()
    return _as_seen(connection, scope, structs(ThreadRow, found))


def filter_counts(connection: Connection, scope: Scope, wanted: Filter) -> Counts:
    """How many rows each filter has within the status, and each status within the filter; and
    how many conversations have anything unread at all, whenever they were active."""
    own = kept(connection, scope)
    book, whose = EVERYBODYS, scope.organisation_id
    if own is not None:
        book, whose = OF_SIGHTS, own.id
    everything: Counter[Kind] = Counter()
    if own is not None or not scope.limited:
        everything = inbox_counts.counted(connection, book, whose)
    if not wanted.by_kind and (owner := _owner(scope, own)) is not None:
        sets, within = _within(connection, owner, wanted)
        tabs = {name: _tab(sets, within, name) for name in STATUSES}
        filters = {name: _filter(sets, within, replace(wanted, filter=name)) for name in FILTERS}
        chosen, shown = tabs[wanted.status], filters[wanted.filter]
        return (
            {name: chosen.intersection_cardinality(filters[name]) for name in FILTERS},
            {name: shown.intersection_cardinality(tabs[name]) for name in STATUSES},
            sum(count for kind, count in everything.items() if kind.unread),
        )
    if (scope.limited and own is None) or not wanted.by_kind:
        counts, late, scanned = _scanned(connection, scope, wanted, own)
        everything = everything or scanned
    else:
        counts = everything
        if wanted.since:
            counts = inbox_counts.counted(connection, book, whose, wanted.since)
        late: Counter[Kind] = Counter()
        if wanted.late_since is not None:
            since = wanted.since or 0
            late = inbox_counts.late(connection, book, whose, counts, wanted.late_since, since)
    by_filter: dict[str, int] = dict.fromkeys(FILTERS, 0)
    by_status: dict[str, int] = dict.fromkeys(STATUSES, 0)
    for kind, count in counts.items():
        if wanted.assignee_id not in (None, kind.assignee_id):
            continue
        numbers = {
            "all": count,
            "unread": count * kind.unread,
            "unassigned": count * (kind.assignee_id == NOBODY),
            "mine": count * (kind.assignee_id == wanted.me),
            "needs_response": count * kind.needs_response,
            "late": late[kind],
        }
        tabs = {"all", kind.status, *(("unread",) if kind.unread else ())}
        if wanted.status in tabs:
            for name, number in numbers.items():
                by_filter[name] += number
        for name in tabs & by_status.keys():
            by_status[name] += numbers[wanted.filter]
    unread = sum(count for kind, count in everything.items() if kind.unread)
    return by_filter, by_status, unread


def _scanned(
    connection: Connection, scope: Scope, wanted: Filter, own: Kept | None
) -> tuple[Counter[Kind], Counter[Kind], Counter[Kind]]:
    """What a limited role sees in the range, what of it is late, and what was looked at, counted
    one by one."""
    counts, late, everything = Counter[Kind](), Counter[Kind](), Counter[Kind]()
    values = {**_values(connection, scope, list_=own), **wanted.values}
    for row in connection.execute(_scan(_eyes(scope, values), wanted.narrowed), values):
        status, assignee_id, unread, needs_response, is_late, within, count = row
        kind = Kind(status, assignee_id, bool(unread), bool(needs_response))
        everything[kind] += count
        if within:
            counts[kind] += count
            late[kind] += count * bool(is_late)
    return counts, late, everything


def channels_of(
    connection: Connection, scope: Scope, thread_ids: Sequence[int]
) -> dict[int, list[str]]:
    """The channels each thread has entries of, the one used last first."""
    found: dict[int, list[str]] = {}
    statement = _channels(limited=scope.limited)
    for row in connection.execute(statement, {**scope.values, "ids": thread_ids}):
        found.setdefault(row.thread_id, []).append(row.channel_id)
    if scope.width == "numbers":
        for row in connection.execute(_of_seen, {**scope.values, "ids": thread_ids}):
            found.setdefault(row.thread_id, []).append(row.channel_id)
    return found


def position_of(connection: Connection, organisation_id: int) -> int:
    """How far the organisation's journal reaches in this snapshot."""
    return connection.execute(_POSITION, {"org": organisation_id}).scalar_one()


class Kept(NamedTuple):
    """A list that is kept, and whether its sets are filled, too."""

    id: int
    sets: bool


def kept(connection: Connection, scope: Scope) -> Kept | None:
    """The list that is kept of what a limited role sees, if it is filled."""
    if scope.channels is None:
        return None
    values = {"org": scope.organisation_id, "places": sight.text_of(scope.channels)}
    row = connection.execute(_KEPT, values).first()
    return None if row is None else Kept(*row)


class Listed(Struct, frozen=True, kw_only=True):
    """What a limited role's list has of a conversation, but for what is shown of it."""

    thread_id: int
    status: str
    assignee_id: int | None
    needs_response: bool
    waiting_since: int | None
    unread: int
    unresolved: int
    sort_at: int


def listed(connection: Connection, scope: Scope, ids: Sequence[int]) -> list[Listed]:
    """Of threads those that a limited role sees, from what there is in them."""
    values = {**_values(connection, scope, ids), "ids": ids}
    return structs(Listed, connection.execute(_listed(width=scope.width), values))


def _values(
    connection: Connection,
    scope: Scope,
    ids: Sequence[int] | None = None,
    *,
    list_: Kept | None = None,
) -> dict[str, Any]:
    """What a ``Source`` binds: what the scope does, the ``sight`` whose list is kept and, where
    calls of some numbers are counted one by one, those that are ``unresolved`` (of threads with
    ``ids``, or of all)."""
    if list_ is not None:
        return {**scope.values, "sight": list_.id}
    if scope.width != "numbers":
        return scope.values
    statement = _CALLS if ids is None else _CALLS_OF
    rows = connection.execute(statement, {**scope.values, "ids": ids}).all()
    unresolved = [
        row.id
        for row in rows
        if calls.unresolved(row.direction, updates.decode(row.updates).call or calls.Call())
    ]
    return {**scope.values, "unresolved": unresolved}


def _as_seen(connection: Connection, scope: Scope, rows: list[ThreadRow]) -> list[ThreadRow]:
    """The previews of rows whose last entry a limited role may not see, made from what it may."""
    if scope.channels is None:
        return rows
    hidden: list[ThreadRow] = []
    part = [row.id for row in rows if not scope.sees_whole(row.channel_id)]
    seen = channels_of(connection, scope, part) if scope.width == "numbers" else {}
    for row in rows:
        if not scope.sees_whole(row.channel_id) and row.channel_id not in seen.get(row.id, ()):
            row.channel_id = None
        if row.has_preview and not scope.sees_whole(row.preview_channel_id):
            hidden.append(row)
    for row in hidden:
        last = connection.execute(_LAST_SEEN, {**scope.values, "thread": row.id}).first()
        row.has_preview = last is not None
        shown = tuple(last) if last is not None else ("", "internal", None, None, None)
        row.preview, row.preview_direction, row.preview_channel_id, *others = shown
        row.preview_status, row.preview_author_id = others
    return rows
