"""Which conversations have something in common, kept as sets by whoever changes one.

In how many conversations something happened between two moments is no sum of anything that could
be kept, nor is how many of them went through one of two channels: a conversation may be both. What
can be kept is which they are. Every conversation has a small number in its organisation, and there
is a set of these, as a compressed bitmap, for each of:

- ``active LEVEL BLOCK``: something happened within the block of time (``hub.store.inbox_counts``);
- ``channel ID``, ``own ADDRESS``: something went through it;
- ``status S``, ``assignee ID``, ``unread``, ``needs``: it stands in the list as that;
- ``sorted LEVEL BLOCK``: its place in the list lies within the block.

A list that is narrowed by any of these is what their sets have in common; its counts are how much
that is, and its order is found block by block. A set lies in rows of 65,536 numbers each, so that
a change writes little however many conversations there are. Rows are changed under the lock of the
organisation's row: of two who change one the second sees what the first wrote.

The lists of roles that see a part (``hub.store.sights``) have sets of their own: of the entries
that such a role sees, and of what its list has of a conversation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from pyroaring import BitMap
from sqlalchemy import Connection

from hub.rules.states import Entry, Thread, ThreadChannel
from hub.store import inbox_counts
from hub.store import tables as t
from hub.store.inbox_counts import LEVELS, NOBODY, STEP
from hub.store.scope import Scope
from hub.store.statements import Many, among, bound, columns

PART = 16
"""A row has the numbers that are equal but for so many bits."""
DIRECT = 400
"""Conversations that are put in order by reading them, rather than by blocks."""
UNREAD, NEEDS = "unread", "needs"
_PAGE = 10_000
_END = 1 << 42
"""Nothing happens later, in the year 2109."""
_ZERO: sa.ColumnElement[Any] = sa.literal_column("0", sa.Integer)

_NUMBERS = sa.select(t.threads.c.id, t.threads.c.number).where(among(t.threads.c.id, "ids"))
_LAST = sa.select(sa.func.max(t.threads.c.number)).where(*bound(org=t.threads.c.organisation_id))
_NUMBER = Many(t.threads, ("number",), keys=("id",))
_HAVE = sa.select(
    t.entries.c.thread_id, t.entries.c.sort_at, t.entries.c.channel_id, t.entries.c.own_address
).where(among(t.entries.c.thread_id, "ids"))
_SINCE, _UNTIL = sa.bindparam("since", type_=t.Time), sa.bindparam("until", type_=t.Time)
_BETWEEN = (
    sa.select(t.threads.c.number)
    .join(t.entries, t.entries.c.thread_id == t.threads.c.id)
    .where(
        *bound(org=t.entries.c.organisation_id),
        t.entries.c.sort_at >= _SINCE,
        t.entries.c.sort_at < _UNTIL,
    )
)
_SEEN_BETWEEN = _BETWEEN.where(*Scope.entries(limited=True))
_PATIENT = sa.select(t.threads.c.number).where(
    *bound(org=t.threads.c.organisation_id),
    inbox_counts.NEEDS_RESPONSE,
    t.threads.c.waiting_since > sa.bindparam("late", type_=t.Time),
)


class Book:
    """The sets of lists of one sort: those of organisations, or those of limited roles."""

    def __init__(self, sets: sa.Table, rows: sa.Table, whose: str) -> None:
        own, threads = sets.c, t.threads.c
        self.whose = whose
        of = bound(whose=own[whose])
        self.read_all = sa.select(own.name, own.part, own.numbers).where(*of)
        self.read = self.read_all.where(among(own.name, "names"))
        self.read_parts = self.read.where(among(own.part, "parts"))
        self.keep = Many(sets, own.keys(), again=("numbers",))
        self.drop = sa.delete(sets).where(*of, *bound(of=own.name, at=own.part))
        listed = bound(whose=rows.c[whose])
        reached = t.threads if rows is t.threads else rows.join(t.threads, _is_row_of(rows))
        self.places = (
            sa.select(rows.c.sort_at, threads.id)
            .select_from(reached)
            .where(*listed, *bound(org=threads.organisation_id), among(threads.number, "numbers"))
        )
        self.placed = (
            sa.select(threads.number)
            .select_from(reached)
            .where(*listed, rows.c.sort_at >= _SINCE, rows.c.sort_at < _UNTIL)
        )


def _is_row_of(rows: sa.Table) -> sa.ColumnElement[bool]:
    return rows.c.thread_id == t.threads.c.id


EVERYBODYS = Book(t.thread_sets, t.threads, "organisation_id")
OF_SIGHTS = Book(t.sight_sets, t.sight_threads, "sight_id")


class Owner(NamedTuple):
    """Whose list sets are of: everybody's, or a ``sight``'s, that of roles with this scope."""

    scope: Scope
    sight: int | None = None

    @property
    def book(self) -> Book:
        """Where they are."""
        return EVERYBODYS if self.sight is None else OF_SIGHTS

    @property
    def id(self) -> int:
        """What they are kept by."""
        return self.scope.organisation_id if self.sight is None else self.sight


class Listed(Protocol):
    """What of a conversation says how it stands in a list."""

    @property
    def status(self) -> str: ...
    @property
    def assignee_id(self) -> int | None: ...
    @property
    def unread(self) -> int: ...
    @property
    def needs_response(self) -> bool: ...
    @property
    def sort_at(self) -> int: ...


class Moves:
    """Of a list: which conversations come into which sets, and which may have left them, as an
    entry has that put them there."""

    def __init__(self) -> None:
        self.into: dict[str, set[int]] = defaultdict(set)
        self.out: dict[str, set[int]] = defaultdict(set)
        self.left: dict[int, set[str]] = defaultdict(set)
        self.came: list[Entry] = []
        self.went: list[Entry] = []

    def row(self, id_: int, before: Listed | None, after: Listed | None) -> None:
        """A conversation stands in the list in another way, or not any more."""
        if before is not None and after is not None and _facts(before) == _facts(after):
            return
        was, now = _of_row(before), _of_row(after)
        for name in now - was:
            self.into[name].add(id_)
        for name in was - now:
            self.out[name].add(id_)

    def added(
        self, entry: Entry, before: Thread | None = None, used: ThreadChannel | None = None
    ) -> None:
        """An entry came into a conversation that was so ``before``, as was what its channel had
        contributed (``used``): these tell of most sets that it is in them already."""
        self.came.append(entry)
        self._added(entry, None if before is None else before.active_at, new_channel=used is None)

    def _added(self, entry: Entry, active_at: int | None, *, new_channel: bool) -> None:
        hour = entry.sort_at // inbox_counts.HOUR
        if active_at is None or active_at // inbox_counts.HOUR != hour:
            for name in _blocks("active", hour):
                self.into[name].add(entry.thread_id)
        if entry.channel_id is not None and new_channel:
            self.into[through_channel(entry.channel_id)].add(entry.thread_id)
        if entry.own_address:
            self.into[through_own(entry.own_address)].add(entry.thread_id)

    def gone(self, entry: Entry) -> None:
        """An entry is no longer where, or as, it was."""
        self.went.append(entry)
        self.left[entry.thread_id] |= _of_entry(entry.sort_at, entry.channel_id, entry.own_address)

    def seen_by(self, scope: Scope, before: Mapping[int, Listed]) -> Moves:
        """The same of entries that a limited role sees, in whose list were these rows."""
        seen = Moves()
        for entry in self.came:
            if scope.sees_at(entry.channel_id, entry.own_address):
                row = before.get(entry.thread_id)
                seen._added(entry, None if row is None else row.sort_at, new_channel=True)
        for entry in self.went:
            if scope.sees_at(entry.channel_id, entry.own_address):
                seen.gone(entry)
        return seen


def _facts(row: Listed) -> tuple[Any, ...]:
    """What of a conversation says which sets it is in."""
    hour = row.sort_at // inbox_counts.HOUR if row.sort_at else None
    return hour, row.status, row.assignee_id, row.unread > 0, row.needs_response


@lru_cache(256)
def _blocks(what: str, hour: int) -> list[str]:
    return [f"{what} {level} {hour >> STEP * level}" for level in range(LEVELS)]


def _of_row(row: Listed | None) -> set[str]:
    if row is None:
        return set()
    return _listed(row.status, row.assignee_id, row.unread, row.needs_response, row.sort_at)


def _listed(
    status_: str, assignee_id: int | None, unread: int, needs_response: bool, sort_at: int
) -> set[str]:
    """The sets a conversation is in by itself; one in which nothing is left stands in no list."""
    if not sort_at:
        return set()
    names = {status(status_), assigned(assignee_id)}
    names.update(_blocks("sorted", sort_at // inbox_counts.HOUR))
    if unread > 0:
        names.add(UNREAD)
    if needs_response:
        names.add(NEEDS)
    return names


def _of_entry(sort_at: int, channel_id: str | None, own_address: str | None) -> set[str]:
    """The sets a conversation is in because it has such an entry."""
    names = set(_blocks("active", sort_at // inbox_counts.HOUR))
    if channel_id is not None:
        names.add(through_channel(channel_id))
    if own_address:
        names.add(through_own(own_address))
    return names


def status(name: str) -> str:
    """The set of what stands in the list with a status."""
    return f"status {name}"


def assigned(assignee_id: int | None) -> str:
    """The set of what somebody has, or nobody."""
    return f"assignee {NOBODY if assignee_id is None else assignee_id}"


def through_channel(channel_id: str) -> str:
    """The set of that of which anything went through a channel."""
    return f"channel {channel_id}"


def through_own(address: str) -> str:
    """The set of that of which anything went through an address of ours."""
    return f"own {address}"


def keep(connection: Connection, owner: Owner, moves: Moves) -> None:
    """Everything else has been written, and the organisation's row is locked."""
    out = _out(connection, owner, moves)
    ids = {one for ids in (*moves.into.values(), *out.values()) for one in ids}
    if not ids:
        return
    number = _numbers(connection, owner.scope.organisation_id, sorted(ids))
    changes: Changes = defaultdict(lambda: (BitMap(), BitMap()))
    for way, names in enumerate((moves.into, out)):
        for name, members in names.items():
            for one in members:
                changes[name, number[one] >> PART][way].add(number[one])
    _change(connection, owner, changes)


Changes = dict[tuple[str, int], tuple[BitMap, BitMap]]
"""By name and part of a set, the numbers that come and those that go."""


def _change(connection: Connection, owner: Owner, changes: Changes) -> None:
    book = owner.book
    values = {
        "whose": owner.id,
        "names": sorted({name for name, _ in changes}),
        "parts": sorted({part for _, part in changes}),
    }
    there = {(name, part): data for name, part, data in connection.execute(book.read_parts, values)}
    kept: list[dict[str, Any]] = []
    empty: list[dict[str, Any]] = []
    for (name, part), (come, go) in sorted(changes.items(), key=itemgetter(0)):
        data = there.get((name, part))
        was = BitMap() if data is None else BitMap.deserialize(data)
        now = (was | come) - go
        if not now:
            empty.append({"whose": owner.id, "of": name, "at": part})
        elif now != was:
            kept.append(_row(owner, name, part, now))
    if kept:
        book.keep.run(connection, kept)
    if empty:
        connection.execute(book.drop, empty)


def _out(connection: Connection, owner: Owner, moves: Moves) -> dict[str, set[int]]:
    """Which conversations leave which sets: where entries left them, by what is there still."""
    if not moves.left:
        return moves.out
    still = _entered(connection, owner.scope, sorted(moves.left))
    out = moves.out.copy()
    for thread_id, names in moves.left.items():
        for name in names - still[thread_id]:
            out[name].add(thread_id)
    return out


def _entered(connection: Connection, scope: Scope, ids: Sequence[int]) -> dict[int, set[str]]:
    """The sets that conversations are in because of their entries, of those that are seen."""
    names: dict[int, set[str]] = defaultdict(set)
    for thread_id, sort_at, channel_id, own_address in connection.execute(_HAVE, {"ids": ids}):
        if scope.sees_at(channel_id, own_address):
            names[thread_id] |= _of_entry(sort_at, channel_id, own_address)
    return names


def _row(owner: Owner, name: str, part: int, numbers: BitMap) -> dict[str, Any]:
    numbers.run_optimize()
    data = numbers.serialize()
    return {owner.book.whose: owner.id, "name": name, "part": part, "numbers": data}


def _numbers(connection: Connection, organisation_id: int, ids: Sequence[int]) -> dict[int, int]:
    """The numbers of these conversations; new ones are given theirs."""
    found = dict(map(tuple, connection.execute(_NUMBERS, {"ids": ids})))
    if new := [id_ for id_ in ids if found[id_] is None]:
        last = connection.execute(_LAST, {"org": organisation_id}).scalar_one()
        first = 0 if last is None else last + 1
        rows = [{"id": id_, "number": number} for number, id_ in enumerate(new, first)]
        _NUMBER.run(connection, rows)
        found.update((row["id"], row["number"]) for row in rows)
    return found


# ---------------------------------------------------------------------- filling


def fill(connection: Connection) -> None:
    """Number every conversation of a database, and make every set anew."""
    connection.execute(sa.delete(t.thread_sets))
    placed = sa.func.row_number().over(
        partition_by=t.threads.c.organisation_id, order_by=t.threads.c.id
    )
    numbers = sa.select(t.threads.c.id, (placed - 1).label("number")).subquery("numbers")
    connection.execute(
        sa.update(t.threads).where(t.threads.c.id == numbers.c.id).values(number=numbers.c.number)
    )
    thread, entry = t.threads.c, t.entries.c
    listed = columns(t.threads, "status", "assignee_id", "unread", "needs_response", "sort_at")
    threads = sa.select(thread.id, thread.organisation_id, thread.number, *listed)
    said = columns(t.entries, "sort_at", "channel_id", "own_address")
    entries = sa.select(entry.id, thread.organisation_id, thread.number, *said)
    entries = entries.where(entry.thread_id == thread.id)
    sets: dict[tuple[int, str], BitMap] = defaultdict(BitMap)
    for rows, id_, names_of in ((threads, thread.id, _listed), (entries, entry.id, _of_entry)):
        for _, org, number, *facts in _each(connection, rows, id_):
            for name in names_of(*facts):
                sets[org, name].add(number)
    for (org, name), numbers in sets.items():
        owner, parts = Owner(Scope(org)), range(numbers.min() >> PART, (numbers.max() >> PART) + 1)
        pieces = {part: numbers & BitMap(range(part << PART, part + 1 << PART)) for part in parts}
        rows = [_row(owner, name, part, some) for part, some in pieces.items() if some]
        EVERYBODYS.keep.run(connection, rows)


def fill_some(
    connection: Connection, owner: Owner, ids: Sequence[int], rows: Mapping[int, Listed]
) -> None:
    """Put these conversations into every set they should be in; ``rows`` are those of them that
    stand in the list. The organisation's row is locked."""
    number = _numbers(connection, owner.scope.organisation_id, ids)
    names = _entered(connection, owner.scope, ids)
    changes: Changes = defaultdict(lambda: (BitMap(), BitMap()))
    for id_ in ids:
        for name in names[id_] | _of_row(rows.get(id_)):
            changes[name, number[id_] >> PART][0].add(number[id_])
    _change(connection, owner, changes)


def _each(
    connection: Connection, rows: sa.Select[*tuple[Any, ...]], id_: sa.ColumnElement[int]
) -> Iterator[sa.Row[*tuple[Any, ...]]]:
    """Every row, in the order of its id, which comes first, a page at a time."""
    page = rows.where(id_ > sa.bindparam("after", type_=t.Id)).order_by(id_).limit(_PAGE)
    after = -1
    while found := connection.execute(page, {"after": after}).all():
        yield from found
        after = found[-1][0]


# ---------------------------------------------------------------------- reading


class Place(NamedTuple):
    """Of a row in the list."""

    sort_at: int
    id: int


class Sets:
    """The sets of a list, in one snapshot; each is read once."""

    def __init__(self, connection: Connection, owner: Owner) -> None:
        self._connection = connection
        self._limited = owner.sight is not None
        self._book = owner.book
        self._whose = {**owner.scope.values, "whose": owner.id}
        self._read: dict[str, BitMap] = {}

    def of(self, names: Collection[str]) -> dict[str, BitMap]:
        """Each of these sets; what is not read yet is so with one question."""
        if unread := [name for name in names if name not in self._read]:
            parts: dict[str, list[BitMap]] = {name: [] for name in unread}
            rows = self._connection.execute(self._book.read, {**self._whose, "names": unread})
            for name, _, numbers in rows:
                parts[name].append(BitMap.deserialize(numbers))
            self._read |= {name: BitMap().union(*some) for name, some in parts.items()}
        return {name: self._read[name] for name in names}

    def any_of(self, names: Collection[str]) -> BitMap:
        """What is in any of these sets."""
        return BitMap().union(*self.of(names).values())

    def patient(self, late_since: int) -> BitMap:
        """Those that need a response and have not waited since then: they are few."""
        return self._numbers(_PATIENT, late=late_since)

    def active(self, since: int | None, until: int | None) -> BitMap:
        """Those to which anything happened from the one moment until before the other: by whole
        hours, and by entries where one is begun or left."""
        return self._within("active", since, until, _SEEN_BETWEEN if self._limited else _BETWEEN)

    def placed(self, since: int) -> BitMap:
        """Those whose place in the list is not before a moment."""
        return self._within("sorted", since, None, self._book.placed)

    def _within(
        self, what: str, since: int | None, until: int | None, between: sa.Select[Any]
    ) -> BitMap:
        hours = _hours(since, until)
        found = self.any_of(blocks(what, since, until))
        edges = [(since or 0, until or 0)] if not hours else []
        if hours and since is not None:
            edges.append((since, hours.start * inbox_counts.HOUR))
        if hours and until is not None:
            edges.append((hours.stop * inbox_counts.HOUR, until))
        for first, last in edges:
            if first < last:
                found |= self._numbers(between, since=first, until=last)
        return found

    def _numbers(self, statement: sa.Select[Any], **values: int) -> BitMap:
        return BitMap(self._connection.scalars(statement, {**self._whose, **values}))

    def newest(self, wanted: BitMap, count: int, after: tuple[int, int] | None) -> list[int]:
        """The ids of the first ``count`` of them in the list, behind a place in it."""
        found: list[int] = []
        for place in self._in_order(wanted, LEVELS, 0, after):
            if after is None or place < after:
                found.append(place.id)
                if len(found) == count:
                    break
        return found

    def _in_order(
        self, wanted: BitMap, level: int, block: int, after: tuple[int, int] | None
    ) -> Iterator[Place]:
        """Of a block, or at the highest level of all, in the order of the list; not all that is
        before a place."""
        if not wanted:
            return
        if level == 0 or len(wanted) <= DIRECT:
            values = {**self._whose, "numbers": list(wanted)}
            rows = self._connection.execute(self._book.places, values)
            yield from sorted((Place(*row) for row in rows), reverse=True)
            return
        level -= 1
        first = block << STEP
        last = _longest() if level == LEVELS - 1 else first + (1 << STEP)
        if after is not None:
            last = min(last, (after[0] // inbox_counts.HOUR >> STEP * level) + 1)
        inner = {f"sorted {level} {one}": one for one in range(first, last)}
        sets = self.of(inner)
        for name in reversed(inner):
            yield from self._in_order(wanted & sets[name], level, inner[name], after)


def _hours(since: int | None, until: int | None) -> range:
    """Those that lie in a range from beginning to end."""
    hour = inbox_counts.HOUR
    end = _longest() << STEP * (LEVELS - 1) if until is None else until // hour
    return range(-(-(since or 0) // hour), end)


def _longest() -> int:
    """How many blocks of the longest length there are."""
    return (_END // inbox_counts.HOUR >> STEP * (LEVELS - 1)) + 1


def blocks(what: str, since: int | None, until: int | None) -> list[str]:
    """The sets (``active`` or ``sorted``) of the longest blocks that together are the whole hours
    of a range."""
    names: list[str] = []
    hours = _hours(since, until)
    first, last = hours.start, max(hours.start, hours.stop)
    for level in range(LEVELS):
        inner, outer = -(-first >> STEP), last >> STEP  # of the next length
        if level == LEVELS - 1 or inner >= outer:
            names += (f"{what} {level} {block}" for block in range(first, last))
            break
        for some in (range(first, inner << STEP), range(outer << STEP, last)):
            names += (f"{what} {level} {block}" for block in some)
        first, last = inner, outer
    return names
