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
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from pyroaring import BitMap
from sqlalchemy import Connection

from hub.rules.states import Entry, Thread, ThreadChannel
from hub.store import inbox_counts
from hub.store import tables as t
from hub.store.inbox_counts import LEVELS, NOBODY, STEP
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

_own = t.thread_sets.c
_READ = sa.select(_own.name, _own.part, _own.numbers).where(
    *bound(org=_own.organisation_id), among(_own.name, "names")
)
_READ_PARTS = _READ.where(among(_own.part, "parts"))
_KEEP = Many(t.thread_sets, t.thread_sets.c.keys(), again=("numbers",))
_DROP = sa.delete(t.thread_sets).where(*bound(org=_own.organisation_id, of=_own.name, at=_own.part))
_NUMBERS = sa.select(t.threads.c.id, t.threads.c.number).where(among(t.threads.c.id, "ids"))
_LAST = sa.select(sa.func.max(t.threads.c.number)).where(*bound(org=t.threads.c.organisation_id))
_NUMBER = Many(t.threads, ("number",), keys=("id",))
_LEFT = sa.select(
    t.entries.c.thread_id, t.entries.c.sort_at, t.entries.c.channel_id, t.entries.c.own_address
).where(among(t.entries.c.thread_id, "ids"))
_BETWEEN = (
    sa.select(t.threads.c.number)
    .join(t.entries, t.entries.c.thread_id == t.threads.c.id)
    .where(
        *bound(org=t.entries.c.organisation_id),
        t.entries.c.sort_at >= sa.bindparam("since", type_=t.Time),
        t.entries.c.sort_at < sa.bindparam("until", type_=t.Time),
    )
)
_PATIENT = sa.select(t.threads.c.number).where(
    *bound(org=t.threads.c.organisation_id),
    inbox_counts.NEEDS_RESPONSE,
    t.threads.c.waiting_since > sa.bindparam("late", type_=t.Time),
)
_PLACES = sa.select(t.threads.c.sort_at, t.threads.c.id).where(
    *bound(org=t.threads.c.organisation_id), among(t.threads.c.number, "numbers")
)


class Moves:
    """Of an organisation: which conversations come into which sets, and which may have left them,
    as an entry has that put them there."""

    def __init__(self) -> None:
        self.into: dict[str, set[int]] = defaultdict(set)
        self.out: dict[str, set[int]] = defaultdict(set)
        self.left: dict[int, set[str]] = defaultdict(set)

    def thread(self, before: Thread | None, after: Thread) -> None:
        """A conversation that was changed."""
        if before is not None and _facts(before) == _facts(after):
            return
        was = set[str]() if before is None else _of_thread(before)
        now = _of_thread(after)
        for name in now - was:
            self.into[name].add(after.id)
        for name in was - now:
            self.out[name].add(after.id)

    def added(
        self, entry: Entry, before: Thread | None = None, used: ThreadChannel | None = None
    ) -> None:
        """An entry came into a conversation that was so ``before``, as was what its channel had
        contributed (``used``): these tell of most sets that it is in them already."""
        hour = entry.sort_at // inbox_counts.HOUR
        if before is None or before.active_at // inbox_counts.HOUR != hour:
            for name in _blocks("active", hour):
                self.into[name].add(entry.thread_id)
        if entry.channel_id is not None and used is None:
            self.into[through_channel(entry.channel_id)].add(entry.thread_id)
        if entry.own_address:
            self.into[through_own(entry.own_address)].add(entry.thread_id)

    def gone(self, entry: Entry) -> None:
        """An entry is no longer where, or as, it was."""
        self.left[entry.thread_id] |= _of_entry(entry.sort_at, entry.channel_id, entry.own_address)


def _facts(thread: Thread) -> tuple[Any, ...]:
    """What of a conversation says which sets it is in."""
    hour = thread.sort_at // inbox_counts.HOUR if thread.sort_at else None
    return hour, thread.status, thread.assignee_id, thread.unread > 0, thread.needs_response


@lru_cache(256)
def _blocks(what: str, hour: int) -> list[str]:
    return [f"{what} {level} {hour >> STEP * level}" for level in range(LEVELS)]


def _of_thread(thread: Thread) -> set[str]:
    return _listed(
        thread.status, thread.assignee_id, thread.unread, thread.needs_response, thread.sort_at
    )


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


def keep(connection: Connection, organisation_id: int, moves: Moves) -> None:
    """Everything else has been written, and the organisation's row is locked."""
    out = _out(connection, moves)
    ids = {one for ids in (*moves.into.values(), *out.values()) for one in ids}
    if not ids:
        return
    number = _numbers(connection, organisation_id, sorted(ids))
    changes: dict[tuple[str, int], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for way, names in enumerate((moves.into, out)):
        for name, members in names.items():
            for one in members:
                changes[name, number[one] >> PART][way].append(number[one])
    values = {
        "org": organisation_id,
        "names": sorted({name for name, _ in changes}),
        "parts": sorted({part for _, part in changes}),
    }
    there = {(name, part): data for name, part, data in connection.execute(_READ_PARTS, values)}
    kept: list[dict[str, Any]] = []
    empty: list[dict[str, Any]] = []
    for (name, part), (come, go) in sorted(changes.items()):
        data = there.get((name, part))
        was = BitMap() if data is None else BitMap.deserialize(data)
        now = (was | BitMap(come)) - BitMap(go)
        if not now:
            empty.append({"org": organisation_id, "of": name, "at": part})
        elif now != was:
            kept.append(_row(organisation_id, name, part, now))
    if kept:
        _KEEP.run(connection, kept)
    if empty:
        connection.execute(_DROP, empty)


def _out(connection: Connection, moves: Moves) -> dict[str, set[int]]:
    """Which conversations leave which sets: where entries left them, by what is there still."""
    if not moves.left:
        return moves.out
    still: dict[int, set[str]] = defaultdict(set)
    for thread_id, *entry in connection.execute(_LEFT, {"ids": sorted(moves.left)}):
        still[thread_id] |= _of_entry(*entry)
    out = moves.out.copy()
    for thread_id, names in moves.left.items():
        for name in names - still[thread_id]:
            out[name].add(thread_id)
    return out


def _row(organisation_id: int, name: str, part: int, numbers: BitMap) -> dict[str, Any]:
    numbers.run_optimize()
    data = numbers.serialize()
    return {"organisation_id": organisation_id, "name": name, "part": part, "numbers": data}


def _numbers(connection: Connection, organisation_id: int, ids: list[int]) -> dict[int, int]:
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
        parts = range(numbers.min() >> PART, (numbers.max() >> PART) + 1)
        pieces = {part: numbers & BitMap(range(part << PART, part + 1 << PART)) for part in parts}
        rows = [_row(org, name, part, some) for part, some in pieces.items() if some]
        _KEEP.run(connection, rows)


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
    """An organisation's sets, in one snapshot; each is read once."""

    def __init__(self, connection: Connection, organisation_id: int) -> None:
        self._connection = connection
        self._org = {"org": organisation_id}
        self._read: dict[str, BitMap] = {}

    def of(self, names: Collection[str]) -> dict[str, BitMap]:
        """Each of these sets; what is not read yet is so with one question."""
        if unread := [name for name in names if name not in self._read]:
            parts: dict[str, list[BitMap]] = {name: [] for name in unread}
            rows = self._connection.execute(_READ, {**self._org, "names": unread})
            for name, _, numbers in rows:
                parts[name].append(BitMap.deserialize(numbers))
            self._read |= {name: BitMap().union(*some) for name, some in parts.items()}
        return {name: self._read[name] for name in names}

    def any_of(self, names: Collection[str]) -> BitMap:
        """What is in any of these sets."""
        return BitMap().union(*self.of(names).values())

    def patient(self, late_since: int) -> BitMap:
        """Those that need a response and have not waited since then: they are few."""
        values = {**self._org, "late": late_since}
        return BitMap(self._connection.scalars(_PATIENT, values))

    def active(self, since: int | None, until: int | None) -> BitMap:
        """Those to which anything happened from the one moment until before the other: by whole
        hours, and by entries where one is begun or left."""
        hours = _hours(since, until)
        found = self.any_of(active(since, until))
        edges = [(since or 0, until or 0)] if not hours else []
        if hours and since is not None:
            edges.append((since, hours.start * inbox_counts.HOUR))
        if hours and until is not None:
            edges.append((hours.stop * inbox_counts.HOUR, until))
        for edge in edges:
            if edge[0] < edge[1]:
                found |= self._between(*edge)
        return found

    def _between(self, since: int, until: int) -> BitMap:
        values = {**self._org, "since": since, "until": until}
        return BitMap(self._connection.scalars(_BETWEEN, values))

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
            rows = self._connection.execute(_PLACES, {**self._org, "numbers": list(wanted)})
            yield from sorted((Place(*row) for row in rows), reverse=True)
            return
        level -= 1
        first = block << STEP
        last = _longest() if level == LEVELS - 1 else first + (1 << STEP)
        if after is not None:
            last = min(last, (after[0] // inbox_counts.HOUR >> STEP * level) + 1)
        blocks = {f"sorted {level} {one}": one for one in range(first, last)}
        sets = self.of(blocks)
        for name in reversed(blocks):
            yield from self._in_order(wanted & sets[name], level, blocks[name], after)


def _hours(since: int | None, until: int | None) -> range:
    """Those that lie in a range from beginning to end."""
    hour = inbox_counts.HOUR
    end = _longest() << STEP * (LEVELS - 1) if until is None else until // hour
    return range(-(-(since or 0) // hour), end)


def _longest() -> int:
    """How many blocks of the longest length there are."""
    return (_END // inbox_counts.HOUR >> STEP * (LEVELS - 1)) + 1


def active(since: int | None, until: int | None) -> list[str]:
    """The sets of the longest blocks that together are the whole hours of a range."""
    names: list[str] = []
    hours = _hours(since, until)
    first, last = hours.start, max(hours.start, hours.stop)
    for level in range(LEVELS):
        inner, outer = -(-first >> STEP), last >> STEP  # of the next length
        if level == LEVELS - 1 or inner >= outer:
            names += (f"active {level} {block}" for block in range(first, last))
            break
        for some in (range(first, inner << STEP), range(outer << STEP, last)):
            names += (f"active {level} {block}" for block in some)
        first, last = inner, outer
    return names
