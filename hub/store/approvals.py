"""The approval queue: what waits in it, what was decided, and how much waits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.rules.states import Approval
from hub.store import tables as t
from hub.store.rows import struct, structs
from hub.store.scope import Scope, at_numbers
from hub.store.statements import among, bound, fields, fixed
from hub.store.timeline import EntryRow


class Queued(Struct, frozen=True, kw_only=True):
    """A message of the queue, and whether its author, if that is a member, is still active."""

    approval: Approval
    entry: EntryRow
    author_active: bool


_own = t.approvals.c
_OF_APPROVAL = len(Approval.__struct_fields__)
_OF_ENTRIES = sa.select(*fields(t.approvals, Approval)).where(among(_own.entry_id, "ids"))
_QUEUED = (
    sa.select(
        *fields(t.approvals, Approval),
        *fields(t.entries, EntryRow),
        sa.type_coerce(
            sa.or_(
                _own.member_id.is_(None),
                sa.and_(
                    t.members.c.id.is_not(None),
                    t.members.c.deactivated_at.is_(None),
                    t.users.c.deactivated_at.is_(None),
                ),
            ),
            sa.Boolean(),
        ),
    )
    .join(t.entries, t.entries.c.id == _own.entry_id)
    .outerjoin(t.members, t.members.c.id == _own.member_id)
    .outerjoin(t.users, t.users.c.id == t.members.c.user_id)
)


def _seen(*, limited: bool) -> list[sa.ColumnElement[bool]]:
    conditions = bound(org=_own.organisation_id)
    if limited:
        waits = t.entries.alias("waits")
        conditions.append(
            sa.or_(
                among(_own.channel_id, "channels"),
                sa.exists().where(waits.c.id == _own.entry_id, at_numbers(waits)),
            )
        )
    return conditions


@cache
def _page(*, limited: bool, waiting: bool, state: bool, after: bool) -> sa.Select[Any]:
    conditions = _seen(limited=limited)
    if waiting:
        conditions.append(fixed(_own.state, "waiting"))
    elif state:
        conditions += bound(state=_own.state)
    after_id = sa.bindparam("after", type_=t.Id)
    if after:
        conditions.append(_own.entry_id > after_id if waiting else _own.entry_id < after_id)
    order = _own.entry_id if waiting else _own.entry_id.desc()
    count = sa.bindparam("count", type_=sa.Integer)
    return _QUEUED.where(*conditions).order_by(order).limit(count)


@cache
def _by_id(*, limited: bool) -> sa.Select[Any]:
    return _QUEUED.where(*_seen(limited=limited), among(_own.entry_id, "ids")).order_by(
        _own.entry_id
    )


@cache
def _waiting(*, limited: bool) -> sa.Select[Any]:
    others = sa.or_(
        _own.member_id.is_(None), _own.member_id != sa.bindparam("me", type_=_own.member_id.type)
    )
    return (
        sa.select(sa.func.count())
        .select_from(t.approvals)
        .where(*_seen(limited=limited), fixed(_own.state, "waiting"), others)
    )


def queue(
    connection: Connection,
    scope: Scope,
    *,
    state: str | None,
    limit: int,
    after: int | None = None,
) -> list[Queued]:
    """A page of the queue: what waits, the longest first; what was decided (``state``), or all of
    it (``None``), the newest first. ``after``: the id that the page before ended with."""
    statement = _page(
        limited=scope.limited,
        waiting=state == "waiting",
        state=state is not None,
        after=after is not None,
    )
    values = {**scope.values, "state": state, "after": after, "count": limit}
    return _rows(connection, statement, values)


def queued_by_id(connection: Connection, scope: Scope, ids: Sequence[int]) -> list[Queued]:
    """Single messages of the queue, those that the role may see."""
    if not ids:
        return []
    return _rows(connection, _by_id(limited=scope.limited), {**scope.values, "ids": ids})


def waiting_for(connection: Connection, scope: Scope, member_id: int) -> int:
    """How many messages wait that a member may decide on: those of others."""
    values = {**scope.values, "me": member_id}
    return connection.execute(_waiting(limited=scope.limited), values).scalar_one()


def of_entries(connection: Connection, ids: Sequence[int]) -> dict[int, Approval]:
    """The approvals of entries, of those that have one."""
    if not ids:
        return {}
    rows = structs(Approval, connection.execute(_OF_ENTRIES, {"ids": ids}).all())
    return {row.entry_id: row for row in rows}


def _rows(
    connection: Connection, statement: sa.Select[Any], values: dict[str, Any]
) -> list[Queued]:
    return [
        Queued(
            approval=struct(Approval, row[:_OF_APPROVAL]),
            entry=struct(EntryRow, row[_OF_APPROVAL:-1]),
            author_active=bool(row[-1]),
        )
        for row in connection.execute(statement, values)
    ]
