"""The lists of roles that see a part, each kept as it changes.

What a conversation is to such a role depends on the entries it sees, so no index of ``threads`` has
its list. For each set of places that any role sees there is a row for each conversation in its list
(``sight_threads``), with the indexes that ``threads`` has, and counts of these (``sight_counts``).

Rows are never put together from changes: of conversations that were changed they are made anew,
from what there is (``inbox.listed``), and what differs is written. All of it is done with the
organisation's row locked, in the transaction of the change or by whoever fills a list, so that of
two who do it the second sees the first. Only a list that is filled is read. Then its sets
(``hub.store.inbox_sets``, in ``sight_sets``) are filled, and read from then on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.rules import sight
from hub.store import audit, inbox, inbox_counts, inbox_sets
from hub.store import tables as t
from hub.store.ids import Ids
from hub.store.inbox import Listed
from hub.store.inbox_counts import NOBODY, OF_SIGHTS, Kind, Place
from hub.store.inbox_sets import Moves, Owner
from hub.store.rows import struct, structs
from hub.store.scope import Scope
from hub.store.statements import Many, among, bound, columns, fields

AT_ONCE = 250
"""Conversations with which a list is filled, or emptied, in a step."""
SETS_AT_ONCE = 2_000
"""The same of its sets: most are written once for all that come into them."""


class Sight(Struct, frozen=True, kw_only=True):
    """A list. ``state``: ``filling`` (up to the thread ``through``), ``kept``, or ``gone``: no role
    sees so any more. ``sets``: whether these are filled (``through`` which thread, once the list
    is)."""

    id: int
    organisation_id: int
    places: str
    state: str
    through: int
    sets: bool

    @property
    def scope(self) -> Scope:
        """Of the roles that see so."""
        return Scope(self.organisation_id, sight.of_text(self.places))

    @property
    def owner(self) -> Owner:
        """Of its sets."""
        return Owner(self.scope, self.id)


_own, _rows = t.sights.c, t.sight_threads.c
_ALL: sa.Select[*tuple[Any, ...]] = sa.select(*fields(t.sights, Sight)).order_by(_own.id)
_KEPT = _ALL.where(*bound(org=_own.organisation_id), _own.state != sa.literal_column("'gone'"))
_WAS = sa.select(_rows.sight_id, *columns(t.sight_threads, *Listed.__struct_fields__)).where(
    among(_rows.thread_id, "ids")
)
_KEEP = Many(
    t.sight_threads,
    ("sight_id", *Listed.__struct_fields__),
    again=[name for name in Listed.__struct_fields__ if name != "thread_id"],
)
_LISTED: sa.Select[*tuple[Any, ...]] = sa.select(
    *columns(t.sight_threads, *Listed.__struct_fields__)
).where(*bound(sight=_rows.sight_id), among(_rows.thread_id, "ids"))
_DROP = sa.delete(t.sight_threads).where(
    *bound(sight=_rows.sight_id), among(_rows.thread_id, "ids")
)
_NEXT = (
    sa.select(t.threads.c.id)
    .where(
        *bound(org=t.threads.c.organisation_id), t.threads.c.id > sa.bindparam("after", type_=t.Id)
    )
    .order_by(t.threads.c.id)
    .limit(sa.bindparam("count", type_=sa.Integer))
)
_LEFT = (
    sa.select(_rows.thread_id)
    .where(*bound(sight=_rows.sight_id))
    .limit(sa.bindparam("count", type_=sa.Integer))
)
_LEFT_SETS = (
    sa.select(t.sight_sets.c.name)
    .where(*bound(sight=t.sight_sets.c.sight_id))
    .limit(sa.bindparam("count", type_=sa.Integer))
)
_DROP_SETS = sa.delete(t.sight_sets).where(
    *bound(sight=t.sight_sets.c.sight_id), among(t.sight_sets.c.name, "names")
)
_ROLES = sa.select(t.roles.c.organisation_id, t.roles.c.channel_ids).where(
    t.roles.c.channel_ids.is_not(None)
)


def keep(
    connection: Connection, organisation_id: int, thread_ids: Collection[int], entries: Moves
) -> None:
    """These threads were changed, by ``entries`` that came and went among other things, and stand
    in the lists as they are now. The organisation's row is locked."""
    lists = structs(Sight, connection.execute(_KEPT, {"org": organisation_id}))
    _keep(connection, lists, sorted(thread_ids), entries)


def _keep(
    connection: Connection, lists: Sequence[Sight], ids: Sequence[int], entries: Moves
) -> None:
    was = {
        (row.sight_id, row.thread_id): struct(Listed, row[1:])
        for row in connection.execute(_WAS, {"ids": ids})
    }
    changed: list[dict[str, Any]] = []
    moves: list[tuple[Place | None, Place | None]] = []
    for one in lists:
        now = {row.thread_id: row for row in inbox.listed(connection, one.scope, ids)}
        before = {thread_id: row for (id_, thread_id), row in was.items() if id_ == one.id}
        in_sets = entries.seen_by(one.scope, before)  # filled only once the list is
        if gone := sorted(before.keys() - now.keys()):
            connection.execute(_DROP, {"sight": one.id, "ids": gone})
        for thread_id in sorted(before.keys() | now.keys()):
            old, new = before.get(thread_id), now.get(thread_id)
            if old == new:
                continue
            moves.append((_place(one.id, old), _place(one.id, new)))
            in_sets.row(thread_id, old, new)
            if new is not None:
                row = {name: getattr(new, name) for name in new.__struct_fields__}
                changed.append({"sight_id": one.id, **row})
        if one.state == "kept":
            inbox_sets.keep(connection, one.owner, in_sets)
    if changed:
        _KEEP.run(connection, changed)
    inbox_counts.move(connection, OF_SIGHTS, moves)


def _place(sight_id: int, row: Listed | None) -> Place | None:
    if row is None:
        return None
    assignee_id = NOBODY if row.assignee_id is None else row.assignee_id
    kind = Kind(row.status, assignee_id, row.unread > 0, row.needs_response)
    return Place(sight_id, row.sort_at // inbox_counts.HOUR, kind)


# ---------------------------------------------------------------------- which lists there are


def wanted(connection: Connection) -> set[tuple[int, str]]:
    """The organisation and places of each list that there should be: what roles see that see some
    and not all."""
    found: set[tuple[int, str]] = set()
    for org, text in connection.execute(_ROLES):
        if places := sight.of_text(text):
            found.add((org, sight.text_of(places)))
    return found


def waiting(connection: Connection) -> bool:
    """Whether there is anything to do for ``step``."""
    lists = structs(Sight, connection.execute(_ALL))
    there = {(one.organisation_id, one.places) for one in lists if one.state != "gone"}
    return there != wanted(connection) or not all(one.state == "kept" and one.sets for one in lists)


def step(connection: Connection, ids: Ids) -> None:
    """Let there be the lists that should be, as far as one step goes: those of new roles are begun,
    one is filled further, or its sets are, and one that nobody needs is emptied further."""
    lists = structs(Sight, connection.execute(_ALL))
    there = {(one.organisation_id, one.places): one for one in lists if one.state != "gone"}
    needed = wanted(connection)
    for org in sorted({key[0] for key in needed ^ there.keys()}):
        audit.lock(connection, org)
    for key in sorted(needed - there.keys()):
        _begin(connection, ids.new(), *key)
    for key in sorted(there.keys() - needed):
        _set(connection, there[key], state="gone")
        _count(connection, key[0])
    unready = [one for one in lists if (one.organisation_id, one.places) in needed]
    filling = [one for one in unready if one.state == "filling"]
    without_sets = [one for one in unready if one.state == "kept" and not one.sets]
    if filling:
        _fill(connection, filling[0].id)
    elif without_sets:
        _fill_sets(connection, without_sets[0].id)
    gone = [one for one in lists if one.state == "gone"]
    if gone:
        _empty(connection, gone[0])


def fill(connection: Connection, ids: Ids) -> None:
    """All the steps at once."""
    while waiting(connection):
        step(connection, ids)


def _begin(connection: Connection, id_: int, organisation_id: int, places: str) -> None:
    values = {"org": organisation_id}
    if any(one.places == places for one in structs(Sight, connection.execute(_KEPT, values))):
        return  # another process was faster
    row = {"id": id_, "organisation_id": organisation_id, "places": places, "state": "filling"}
    connection.execute(sa.insert(t.sights), [row | {"through": -1, "sets": False}])
    _count(connection, organisation_id)


def _count(connection: Connection, organisation_id: int) -> None:
    """The writer looks for lists only where the organisation has any."""
    kept = sa.select(sa.func.count()).where(
        _own.organisation_id == organisation_id, _own.state != "gone"
    )
    connection.execute(
        sa.update(t.organisations)
        .where(t.organisations.c.id == organisation_id)
        .values(sights=kept.scalar_subquery())
    )


def _set(connection: Connection, one: Sight, **values: Any) -> None:
    connection.execute(sa.update(t.sights).where(_own.id == one.id).values(**values))


def _fill(connection: Connection, id_: int) -> None:
    one = _locked(connection, id_)
    if one is None or one.state != "filling":
        return
    ids = _next(connection, one, AT_ONCE)
    if ids:
        _keep(connection, [one], ids, Moves())
    if len(ids) == AT_ONCE:
        _set(connection, one, through=ids[-1])
    else:
        _set(connection, one, state="kept", through=-1)


def _fill_sets(connection: Connection, id_: int) -> None:
    one = _locked(connection, id_)
    if one is None or one.state != "kept" or one.sets:
        return
    if ids := _next(connection, one, SETS_AT_ONCE):
        found = structs(Listed, connection.execute(_LISTED, {"sight": one.id, "ids": ids}))
        rows = {row.thread_id: row for row in found}
        inbox_sets.fill_some(connection, one.owner, ids, rows)
    if len(ids) == SETS_AT_ONCE:
        _set(connection, one, through=ids[-1])
    else:
        _set(connection, one, sets=True)


def _locked(connection: Connection, id_: int) -> Sight | None:
    """A list as it is once its organisation's row is locked: another process may have gone on."""
    for one in structs(Sight, connection.execute(_ALL.where(_own.id == id_))):
        audit.lock(connection, one.organisation_id)
    found = structs(Sight, connection.execute(_ALL.where(_own.id == id_)))
    return found[0] if found else None


def _next(connection: Connection, one: Sight, count: int) -> list[int]:
    values = {"org": one.organisation_id, "after": one.through, "count": count}
    return list(connection.scalars(_NEXT, values))


def _empty(connection: Connection, one: Sight) -> None:
    audit.lock(connection, one.organisation_id)
    left = list(connection.scalars(_LEFT, {"sight": one.id, "count": AT_ONCE}))
    if left:
        connection.execute(_DROP, {"sight": one.id, "ids": left})
    if len(left) == AT_ONCE:
        return
    values = {"sight": one.id, "count": SETS_AT_ONCE}
    if names := set(connection.scalars(_LEFT_SETS, values)):
        connection.execute(_DROP_SETS, {"sight": one.id, "names": sorted(names)})
        return
    for table in (t.sight_counts, t.sights):
        column = table.c.sight_id if table is t.sight_counts else table.c.id
        connection.execute(sa.delete(table).where(column == one.id))
