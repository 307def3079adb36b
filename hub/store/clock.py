"""Things due later: each has a kind and a key of its own in its organisation, and a moment.

``put``, ``move`` and ``cancel`` belong into the transaction of what the thing is about.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.rows import struct, structs
from hub.store.statements import bound, fields


class Due(Struct, frozen=True, kw_only=True):
    """What is due. Times are milliseconds; ``payload`` is JSON."""

    organisation_id: int
    kind: str
    key: str
    due_at: int
    payload: str
    attempts: int
    look_at: int | None
    """When to try: ``due_at``, or later after a failure; ``None`` for what was given up."""
    reason: str | None


_own = t.due.c
_NAMED = bound(org=_own.organisation_id, kind_=_own.kind, key_=_own.key)
_LOOK = sa.bindparam("look", type_=t.Time)
_AT = {
    "due_at": sa.bindparam("at", type_=t.Time),
    "look_at": sa.bindparam("at", type_=t.Time),
    "attempts": 0,
    "reason": sa.null(),
}
_MOVE = sa.update(t.due).where(*_NAMED).values(_AT)
_REPLACE = sa.update(t.due).where(*_NAMED).values({**_AT, "payload": sa.bindparam("content")})
_INSERT = sa.insert(t.due)
_CANCEL = sa.delete(t.due).where(*_NAMED)
_GET = sa.select(*fields(t.due, Due)).where(*_NAMED)
_READY = (
    sa.select(*fields(t.due, Due))
    .where(_own.look_at <= sa.bindparam("now", type_=t.Time))
    .order_by(_own.look_at, _own.organisation_id, _own.kind, _own.key)
    .limit(sa.bindparam("count", type_=sa.Integer))
)
_NEXT = sa.select(sa.func.min(_own.look_at))
# Whoever is working on it has it; a second process takes up another one rather than wait.
_TAKE = (
    sa.select(*fields(t.due, Due))
    .where(*_NAMED, _own.look_at == _LOOK)
    .with_for_update(skip_locked=True)
)
_PUT_OFF = (
    sa.update(t.due)
    .where(*_NAMED, _own.look_at == _LOOK)
    .values(attempts=_own.attempts + 1, look_at=sa.bindparam("later", type_=t.Time),
            reason=sa.bindparam("why", type_=sa.Text))
)  # fmt: skip
_GIVEN_UP = sa.select(*fields(t.due, Due)).where(_own.look_at.is_(None)).order_by(_own.due_at)

_RETRY = (
    sa.update(t.due)
    .where(*_NAMED, _own.look_at.is_(None))
    .values(look_at=sa.bindparam("now", type_=t.Time), attempts=0)
)
_DROP = _CANCEL.where(_own.look_at.is_(None))


def put(
    connection: Connection, organisation_id: int, kind: str, key: str, due_at: int, payload: str
) -> None:
    """Set a thing, in place of one with the same key."""
    named = _names(organisation_id, kind, key)
    changed = connection.execute(_REPLACE, {**named, "at": due_at, "content": payload})
    if not changed.rowcount:
        row = {
            "organisation_id": organisation_id,
            "kind": kind,
            "key": key,
            "due_at": due_at,
            "payload": payload,
            "attempts": 0,
            "look_at": due_at,
        }
        connection.execute(_INSERT, [row])


def move(connection: Connection, organisation_id: int, kind: str, key: str, due_at: int) -> bool:
    """Let it be due at another time; ``False`` when it is not set, or done already."""
    named = _names(organisation_id, kind, key)
    return bool(connection.execute(_MOVE, {**named, "at": due_at}).rowcount)


def cancel(connection: Connection, organisation_id: int, kind: str, key: str) -> bool:
    """Forget it; ``False`` when it is not set, or done already."""
    return bool(connection.execute(_CANCEL, _names(organisation_id, kind, key)).rowcount)


def get(connection: Connection, organisation_id: int, kind: str, key: str) -> Due | None:
    """A thing that is still to be done."""
    row = connection.execute(_GET, _names(organisation_id, kind, key)).first()
    return None if row is None else struct(Due, row)


def ready(connection: Connection, now: int, limit: int) -> list[Due]:
    """What is due, the longest due first."""
    return structs(Due, connection.execute(_READY, {"now": now, "count": limit}).all())


def next_look(connection: Connection) -> int | None:
    """When something is to be tried next."""
    return connection.execute(_NEXT).scalar()


def take(connection: Connection, due: Due) -> Due | None:
    """Take a thing away to do it in this transaction, as it is now; ``None`` when it was moved,
    canceled or done meanwhile, or somebody else is doing it."""
    named = _names(due.organisation_id, due.kind, due.key)
    row = connection.execute(_TAKE, {**named, "look": due.look_at}).first()
    if row is None:
        return None
    connection.execute(_CANCEL, named)
    return struct(Due, row)


def put_off(connection: Connection, due: Due, later: int | None, reason: str) -> None:
    """It failed: try again ``later``, or (``None``) give it up."""
    named = _names(due.organisation_id, due.kind, due.key)
    connection.execute(_PUT_OFF, {**named, "look": due.look_at, "later": later, "why": reason})


def given_up(connection: Connection) -> list[Due]:
    """What failed too often."""
    return structs(Due, connection.execute(_GIVEN_UP).all())


def retry(connection: Connection, organisation_id: int, kind: str, key: str, now: int) -> bool:
    """Let what was given up be tried again now; ``False`` when it was not."""
    values = _names(organisation_id, kind, key)
    return bool(connection.execute(_RETRY, {**values, "now": now}).rowcount)


def drop(connection: Connection, organisation_id: int, kind: str, key: str) -> bool:
    """Forget what was given up; ``False`` when it was not."""
    return bool(connection.execute(_DROP, _names(organisation_id, kind, key)).rowcount)


def _names(organisation_id: int, kind: str, key: str) -> dict[str, int | str]:
    return {"org": organisation_id, "kind_": kind, "key_": key}
