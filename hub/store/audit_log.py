"""Lines of the audit, for who reads it: a page of those that are asked for, the newest first.

However many lines there are, a page looks at few. The narrowest thing that is asked for has an
index, by which lines are walked from the newest on; what else is asked for is checked on the way,
and a page in which little of it was found ends early and says where to go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.rules.addresses import shown
from hub.store import contacts
from hub.store import tables as t
from hub.store.ids import first_at, parse
from hub.store.rows import Row
from hub.store.statements import among, aside, bound

LOOKED_AT = 20_000
"""Lines that are looked through for a page."""
CLOCKS = 60_000
"""Milliseconds that a line's id, which is made when it is written, may lie from its time."""


class Wanted(Struct, frozen=True, kw_only=True):
    """Which lines: since and before a time (milliseconds), of an actor, an action, an object, or
    with ``words`` in the action."""

    since: int | None = None
    before: int | None = None
    actor_kind: str | None = None
    actor_id: int | None = None
    action: str | None = None
    object_kind: str | None = None
    object_id: str | None = None
    words: tuple[str, ...] = ()


class Page(Struct, frozen=True):
    """Lines, the newest first, and below which id the next page goes on, if it does."""

    rows: Sequence[Row]
    next: int | None


_own = t.audit.c
_org = bound(org=_own.organisation_id)
_earlier = _own.id < sa.bindparam("before", type_=t.Id)
_from = _own.id >= sa.bindparam("first", type_=t.Id)

_ACTIONS = sa.text(
    "WITH RECURSIVE named(action) AS ("
    "SELECT min(action) FROM audit WHERE organisation_id = :org UNION ALL "
    "SELECT (SELECT min(audit.action) FROM audit WHERE organisation_id = :org "
    "AND audit.action > named.action) FROM named WHERE named.action IS NOT NULL) "
    "SELECT action FROM named WHERE action IS NOT NULL"
)
_OF_ACTIONS = sa.select(t.audit).where(*_org, among(_own.action, "actions")).order_by(_own.seq)
_MEMBERS = (
    sa.select(t.members.c.id, t.users.c.name)
    .join(t.users, t.users.c.id == t.members.c.user_id)
    .where(*bound(org=aside(t.members.c.organisation_id)), among(t.members.c.id, "ids"))
)
_TOKENS = (
    sa.select(t.tokens.c.id, t.tokens.c.name, t.users.c.name.label("member"))
    .join(t.members, t.members.c.id == t.tokens.c.member_id)
    .join(t.users, t.users.c.id == t.members.c.user_id)
    .where(*bound(org=aside(t.tokens.c.organisation_id)), among(t.tokens.c.id, "ids"))
)
_ROLES = sa.select(t.roles.c.id, t.roles.c.name).where(
    *bound(org=aside(t.roles.c.organisation_id)), among(t.roles.c.id, "ids")
)
_THREADS = (
    sa.select(t.threads.c.id, t.threads.c.contact_id, t.contacts.c.name)
    .join(t.contacts, t.contacts.c.id == t.threads.c.contact_id)
    .where(*bound(org=aside(t.threads.c.organisation_id)), among(t.threads.c.id, "ids"))
)
_OF_CONTACTS = sa.select(t.threads.c.contact_id, t.threads.c.id).where(
    *bound(org=aside(t.threads.c.organisation_id)), among(t.threads.c.contact_id, "ids")
)
_ENTRIES = sa.select(t.entries.c.id, t.entries.c.thread_id).where(
    *bound(org=aside(t.entries.c.organisation_id)), among(t.entries.c.id, "ids")
)


def actions(connection: Connection, organisation_id: int) -> list[str]:
    """Every action that there is a line of, however many lines."""
    return list(connection.scalars(_ACTIONS, {"org": organisation_id}))


def lines_of(connection: Connection, organisation_id: int, actions: Sequence[str]) -> Sequence[Row]:
    """Every line of some actions, which are rare ones, in the order in which they were added."""
    values = {"org": organisation_id, "actions": actions}
    return connection.execute(_OF_ACTIONS, values).all()


def page(
    connection: Connection, organisation_id: int, wanted: Wanted, *, before: int, limit: int
) -> Page:
    """Lines with ids below ``before``. One of a rare combination may be short, or empty, and yet
    have a next one."""
    if wanted.before is not None:
        before = min(before, first_at(wanted.before + CLOCKS))
    values = {"org": organisation_id, "before": before}
    if wanted.action is not None:
        named = [wanted.action] if all(one in wanted.action for one in wanted.words) else []
    elif wanted.words:
        found = actions(connection, organisation_id)
        named = [name for name in found if all(one in name for one in wanted.words)]
    else:
        named = [None]
    rows: list[Row] = []
    reach = -1
    for action in named:
        some, ends = _walk(connection, wanted, action, values, limit + 1)
        rows += some
        reach = max(reach, ends)
    # What lies below where one of the walks has ended is not known of all of them yet.
    rows = sorted((row for row in rows if row.id >= reach), key=lambda row: row.id, reverse=True)
    if len(rows) > limit:
        return Page(rows[:limit], rows[limit - 1].id)
    return Page(rows, reach if reach >= 0 else None)


def _walk(
    connection: Connection, wanted: Wanted, action: str | None, values: dict[str, Any], count: int
) -> tuple[Sequence[Row], int]:
    """Lines along the index of the narrowest thing, and down to which id all were looked at (-1:
    there are no more)."""
    by: list[sa.ColumnElement[bool]] = []
    rest: list[sa.ColumnElement[bool]] = []
    by_object = wanted.object_kind is not None and wanted.object_id is not None
    if wanted.object_kind is not None:
        (by if by_object else rest).append(_is(_own.object_kind, wanted.object_kind, by_object))
    if wanted.object_id is not None:
        (by if by_object else rest).append(_is(_own.object_id, wanted.object_id, by_object))
    by_action = action is not None and not by_object
    if action is not None:
        (by if by_action else rest).append(_is(_own.action, action, by_action))
    if wanted.actor_kind is not None:
        whole = wanted.actor_id is not None or wanted.actor_kind in {"system", "operator"}
        by_actor = whole and not by_object and not by_action
        chosen = by if by_actor else rest
        chosen.append(_is(_own.actor_kind, wanted.actor_kind, by_actor))
        if whole:
            chosen.append(_is(_own.actor_id, wanted.actor_id, by_actor))
    if wanted.before is not None:
        rest.append(_own.at < wanted.before)
    first = 0
    if wanted.since is not None:
        first = first_at(wanted.since - CLOCKS)
        rest.append(_own.at >= wanted.since)
    values = {**values, "first": first}
    walk = [*_org, _earlier, _from, *by]
    ends = -1
    if rest:
        last = sa.select(_own.id).where(*walk).order_by(_own.id.desc()).limit(1).offset(LOOKED_AT)
        ends = connection.execute(last, values).scalar()
        ends = -1 if ends is None else ends
        values["first"] = max(first, ends)
    statement = sa.select(t.audit).where(*walk, *rest).order_by(_own.id.desc()).limit(count)
    rows = connection.execute(statement, values).all()
    if len(rows) == count:
        ends = rows[-1].id
    return rows, ends


def _is(column: sa.ColumnElement[Any], value: Any, searched: bool) -> sa.ColumnElement[bool]:
    own = column if searched else aside(column)
    return own.is_(None) if value is None else own == value


class Names(Struct, frozen=True):
    """What is called how, as far as it is known."""

    members: dict[int, str]
    tokens: dict[int, tuple[str, str]]
    """A token's name, and its member's."""
    roles: dict[int, str]
    threads: dict[int, str | None]
    """Conversations, by whom they are with."""
    entries: dict[int, int]
    """The conversations that entries stand in."""
    contacts: dict[int, int]
    """The conversations with contacts."""


def names_of(
    connection: Connection, organisation_id: int, rows: Sequence[Row], members: set[int]
) -> Names:
    """Whoever and whatever lines tell of, and some ``members`` besides."""

    def ids(kind: str) -> set[int]:
        objects = {row.object_id for row in rows if row.object_kind == kind}
        actors = {row.actor_id for row in rows if row.actor_kind == kind} - {None}
        return actors | {id_ for one in objects if (id_ := parse(one)) is not None}

    def look(statement: sa.Select[*tuple[Any, ...]], wanted: set[int]) -> Sequence[Row]:
        if not wanted:
            return []
        return connection.execute(statement, {"org": organisation_id, "ids": wanted}).all()

    entries = {row.id: row.thread_id for row in look(_ENTRIES, ids("entry"))}
    people = {row.contact_id: row.id for row in look(_OF_CONTACTS, ids("contact"))}
    threads = look(_THREADS, ids("thread") | {*entries.values(), *people.values()})
    addresses = contacts.addresses_of(
        connection, [row.contact_id for row in threads if row.name is None]
    )
    reached = {
        contact_id: shown(own[0].scheme, own[0].value, own[0].display)
        for contact_id, own in addresses.items()
    }
    return Names(
        members={row.id: row.name for row in look(_MEMBERS, ids("member") | members)},
        tokens={row.id: (row.name, row.member) for row in look(_TOKENS, ids("token"))},
        roles={row.id: row.name for row in look(_ROLES, ids("role"))},
        threads={row.id: row.name or reached.get(row.contact_id) for row in threads},
        entries=entries,
        contacts=people,
    )
