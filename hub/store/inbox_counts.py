"""How many conversations there are of each kind, kept by whoever changes one.

Counting what is there takes as long as it is much. So each change of a conversation adds to and
takes from ``thread_counts``, in its own transaction: how many there are of a status, assignee,
anything unread or not, response needed or not, that were last active within a block of time. Blocks
are of an hour, of 32 of those, and so on up: a range that ends now is made of a few of each length,
all that there is of some of the longest. What is left of an hour at its beginning is counted.

The lists of roles that see a part (``hub.store.sights``) are counted in the same way, each apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from hub.rules.states import Thread
from hub.store import tables as t
from hub.store.statements import Many, aside, bound

HOUR = 3_600_000
"""Milliseconds of the shortest block."""
LEVELS = 4
"""How many lengths of blocks there are, ..."""
STEP = 5
"""... each 2 to this power times as long as the one before: the longest is of four years."""
NOBODY = -1
"""Whom a conversation is assigned to that is assigned to nobody."""
_NEVER = 1 << 40
_ZERO: sa.ColumnElement[Any] = sa.literal_column("0", sa.Integer)
# As partial indexes have them.
NEEDS_RESPONSE: Any = sa.text("threads.needs_response")
LATER: Any = sa.text("threads.active_at > threads.sort_at")
"""Something was done since the last message, note or call: closed, say."""


class Kind(NamedTuple):
    """What conversations are counted by."""

    status: str
    assignee_id: int
    unread: bool
    needs_response: bool


class Place(NamedTuple):
    """Where a conversation counts: in whose list, in which hour, and as what."""

    whose: int
    hour: int
    kind: Kind


class Book:
    """The counts of lists of one sort: those of organisations, or those of limited roles."""

    def __init__(self, counts: sa.Table, rows: sa.Table, whose: str) -> None:
        self.counts, self.rows, self.whose = counts, rows, whose
        self.add = Many(counts, counts.c.keys(), sums=("n",))
        self.in_blocks, self.edge, self.patient = _in_blocks(self), _edge(self), _patient(self)

    @property
    def is_everybodys(self) -> bool:
        """Whether it is of organisations."""
        return self.rows is t.threads


def keep(connection: Connection, before: Mapping[int, Thread], after: Mapping[int, Thread]) -> None:
    """Threads that were as ``before`` are as ``after`` now. Rows are written in the order of their
    keys, so that two processes never wait for each other."""
    move(
        connection,
        EVERYBODYS,
        (
            (None if was is None else _place(was), _place(now))
            for id_, now in after.items()
            if (was := before.get(id_)) is not now
        ),
    )


def move(
    connection: Connection, book: Book, moves: Iterable[tuple[Place | None, Place | None]]
) -> None:
    """Conversations that counted in the one place do so in the other."""
    by: dict[tuple[int, int, int, str, int, bool, bool], int] = defaultdict(int)
    for old, new in moves:
        if old == new:
            continue
        for place, change in ((old, -1), (new, 1)):
            if place is not None:
                for level in range(LEVELS):
                    by[place.whose, level, place.hour >> STEP * level, *place.kind] += change
    rows = [
        dict(zip(book.counts.c.keys(), (*key, by[key]), strict=True))
        for key in sorted(by)
        if by[key]
    ]
    if rows:
        book.add.run(connection, rows)


def _place(thread: Thread) -> Place | None:
    """Where a thread counts; one in which nothing is left counts nowhere."""
    if not thread.sort_at:
        return None
    assignee_id = NOBODY if thread.assignee_id is None else thread.assignee_id
    kind = Kind(thread.status, assignee_id, thread.unread > 0, thread.needs_response)
    return Place(thread.organisation_id, thread.active_at // HOUR, kind)


def forget_empty(connection: Connection) -> None:
    """Remove what has come down to nothing, unless somebody is adding to it."""
    for table in (t.thread_counts, t.sight_counts):
        key = table.primary_key.columns
        empty = sa.select(*key).where(table.c.n == 0).with_for_update(skip_locked=True)
        connection.execute(sa.delete(table).where(sa.tuple_(*key).in_(empty)))


def fill(connection: Connection) -> None:
    """Count every thread of a database in which none is counted."""
    own = t.threads.c
    for level in range(LEVELS):
        block = own.active_at // sa.literal_column(str(HOUR << STEP * level), t.Time)
        place = (own.organisation_id, sa.literal_column(str(level), sa.Integer), block)
        kind = kind_of(t.threads, own.unread)
        counted = (
            sa.select(*place, *kind, sa.func.count())
            .where(own.sort_at > _ZERO)
            .group_by(own.organisation_id, block, *kind)
        )
        columns = t.thread_counts.c.keys()
        connection.execute(sa.insert(t.thread_counts).from_select(columns, counted))


# ---------------------------------------------------------------------- reading


def kind_of(rows: sa.Table, unread: sa.ColumnElement[int]) -> tuple[sa.ColumnElement[Any], ...]:
    """The columns of ``Kind``, of a list's ``rows``; what is ``unread`` depends on who looks."""
    own = rows.c
    assignee = sa.func.coalesce(own.assignee_id, sa.literal_column(str(NOBODY)))
    unseen = (unread > _ZERO).label("unread")
    return own.status, assignee.label("assignee_id"), unseen, own.needs_response


def needs_response_of(rows: sa.Table) -> Any:
    """As partial indexes of a list's rows have it."""
    return NEEDS_RESPONSE if rows is t.threads else sa.text(f"{rows.name}.needs_response")


def _in_blocks(book: Book) -> sa.Select[*tuple[Any, ...]]:
    own = book.counts.c
    kinds = [own[name] for name in Kind._fields]
    parts = [
        sa.select(*kinds, own.n).where(
            *bound(whose=own[book.whose]),
            own.level == sa.literal_column(str(level)),
            own.block >= sa.bindparam(f"from_{level}", type_=t.Id),
            own.block < sa.bindparam(f"to_{level}", type_=t.Id),
        )
        for level in range(LEVELS)
    ]
    every = sa.union_all(*parts).subquery("every")
    kind = [every.c[name] for name in Kind._fields]
    count = sa.cast(sa.func.sum(every.c.n), sa.BigInteger)
    return sa.select(*kind, count).group_by(*kind)


def _one_by_one(book: Book, *conditions: sa.ColumnElement[bool]) -> sa.Select[*tuple[Any, ...]]:
    own = book.rows.c
    return sa.select(*kind_of(book.rows, own.unread)).where(
        *bound(whose=own[book.whose]), *conditions, own.sort_at > _ZERO
    )


def _edge(book: Book) -> sa.Select[*tuple[Any, ...]]:
    """What was last active from ``since`` to ``until``; most of it by its place in the list, to who
    sees a part all of it."""
    own = book.rows.c
    since = sa.bindparam("since", type_=t.Time)
    until = sa.bindparam("until", type_=t.Time)
    within = own.sort_at >= since, own.sort_at < until
    if book.is_everybodys:
        later = LATER, own.active_at >= since, own.active_at < until, own.sort_at < since
        listed = _one_by_one(book, *within, own.active_at < until)
        every = sa.union_all(listed, _one_by_one(book, *later)).subquery("every")
    else:
        every = _one_by_one(book, *within).subquery("every")
    return sa.select(*every.c, sa.func.count()).group_by(*every.c)


def _patient(book: Book) -> sa.Select[*tuple[Any, ...]]:
    """Those that need a response and do not wait long enough to be late: they are few."""
    own = book.rows.c
    every = _one_by_one(
        book,
        needs_response_of(book.rows),
        own.waiting_since > sa.bindparam("late", type_=t.Time),
        aside(own.active_at if book.is_everybodys else own.sort_at)
        >= sa.bindparam("since", type_=t.Time),
    ).subquery("every")
    return sa.select(*every.c, sa.func.count()).group_by(*every.c)


EVERYBODYS = Book(t.thread_counts, t.threads, "organisation_id")
OF_SIGHTS = Book(t.sight_counts, t.sight_threads, "sight_id")


def counted(connection: Connection, book: Book, whose: int, since: int = 0) -> Counter[Kind]:
    """How many of a list there are of each kind that were active ``since`` then."""
    values: dict[str, Any] = {"whose": whose}
    block = hour = -(-since // HOUR)
    for level in range(LEVELS):
        longest = level == LEVELS - 1
        following = -(-block >> STEP)  # the first block of the next length
        values[f"from_{level}"] = block
        values[f"to_{level}"] = _NEVER if longest else following << STEP
        block = following
    found = _of_kinds(connection, book.in_blocks, values)
    if since % HOUR:
        edge = {"whose": whose, "since": since, "until": hour * HOUR}
        found.update(_of_kinds(connection, book.edge, edge))
    return found


def late(
    connection: Connection,
    book: Book,
    whose: int,
    counts: Counter[Kind],
    late_since: int,
    since: int = 0,
) -> Counter[Kind]:
    """How many of those that were ``counted`` have waited since ``late_since``, or longer."""
    values = {"whose": whose, "late": late_since, "since": since}
    found = Counter({kind: count for kind, count in counts.items() if kind.needs_response})
    found.subtract(_of_kinds(connection, book.patient, values))
    return found


def _of_kinds(
    connection: Connection, statement: sa.Select[*tuple[Any, ...]], values: dict[str, Any]
) -> Counter[Kind]:
    found: Counter[Kind] = Counter()
    for status, assignee_id, unread, needs_response, count in connection.execute(statement, values):
        found[Kind(status, assignee_id, bool(unread), bool(needs_response))] += count
    return found
