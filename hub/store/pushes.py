"""Alerts for browsers in which no page of the hub is open: where each is told, and what it is to be
told. A browser's address stands with the session that it was given in, and ends with it.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection

from hub.rules.alerts import AlertKind
from hub.rules.sign_in import IDLE
from hub.store import tables as t
from hub.store.rows import struct, structs
from hub.store.statements import among, bound, fields

_sessions, _members, _own = t.sessions.c, t.members.c, t.pushes.c
_NOW = sa.bindparam("now", type_=t.Time)
_OPEN = [
    _sessions.push_key.is_not(None),
    _sessions.expires_at > _NOW,
    _sessions.seen_at > sa.bindparam("idle", type_=t.Time),
]


# ------------------------------------------------------------------ where browsers are told


class Device(Struct, frozen=True, kw_only=True):
    """A browser that wants to be told. ``push``: by which address and keys, encrypted."""

    token_hash: str
    user_id: int
    push: str
    push_key: str


class Listener(Struct, frozen=True, kw_only=True):
    """A browser as one of an organisation's members has it. ``alerts``: what they want to hear of
    (``hub.rules.alerts.AlertChoices`` as JSON); ``since``: from when on it is told."""

    token_hash: str
    push_key: str
    since: int
    member_id: int
    alerts: str


_DEVICES = sa.select(*fields(t.sessions, Device)).where(*_OPEN)
_BY_KEY = _DEVICES.where(among(_sessions.push_key, "keys"))
_KEY_OF = sa.select(_sessions.push_key).where(*bound(hashed=_sessions.token_hash))
_LISTENERS = (
    sa.select(
        _sessions.token_hash,
        _sessions.push_key,
        _sessions.push_at,
        _members.id,
        _members.alerts,
    )
    .join(t.members, _members.user_id == _sessions.user_id)
    .where(*_OPEN, _members.deactivated_at.is_(None), *bound(organisation=_members.organisation_id))
)
_HEARD_IN = (
    sa.select(_members.organisation_id)
    .join(t.sessions, _members.user_id == _sessions.user_id)
    .where(*_OPEN, _members.deactivated_at.is_(None))
    .distinct()
)
_OTHERS = (
    sa.select(sa.func.count())
    .select_from(t.sessions)
    .where(
        *_OPEN,
        *bound(user=_sessions.user_id),
        _sessions.token_hash != sa.bindparam("hashed", type_=sa.Text),
    )
)


def _open(now: int) -> dict[str, int]:
    return {"now": now, "idle": now - IDLE}


def put_device(connection: Connection, token_hash: str, push: str, push_key: str, now: int) -> bool:
    """The browser of this session is told there from now on; ``False``: the session has ended."""
    values = {"push": push, "push_key": push_key, "push_at": now}
    statement = sa.update(t.sessions).where(_sessions.token_hash == token_hash).values(**values)
    return bool(connection.execute(statement).rowcount)


def remove_device(
    connection: Connection,
    *,
    token_hash: str | None = None,
    push_key: str | None = None,
    but: str | None = None,
) -> int:
    """The browser of a session, or what is known by ``push_key``, is told no more; of how many
    sessions that was so. ``but``: not of the session with that hash."""
    statement = sa.update(t.sessions).where(_sessions.push_key.is_not(None))
    if token_hash is not None:
        statement = statement.where(_sessions.token_hash == token_hash)
    if push_key is not None:
        statement = statement.where(_sessions.push_key == push_key)
    if but is not None:
        statement = statement.where(_sessions.token_hash != but)
    return connection.execute(statement.values(push=None, push_key=None, push_at=None)).rowcount


def key_of(connection: Connection, token_hash: str) -> str | None:
    """What the browser of a session is known by, if it is told."""
    return connection.execute(_KEY_OF, {"hashed": token_hash}).scalar()


def count_others(connection: Connection, user_id: int, token_hash: str, now: int) -> int:
    """In how many of a user's other sessions a browser is told."""
    values = {"user": user_id, "hashed": token_hash, **_open(now)}
    return connection.execute(_OTHERS, values).scalar_one()


def devices(connection: Connection, push_keys: list[str], now: int) -> dict[str, Device]:
    """Of these keys the browsers that are still to be told."""
    rows = connection.execute(_BY_KEY, {"keys": push_keys, **_open(now)})
    return {one.push_key: one for one in structs(Device, rows.all())}


def heard_in(connection: Connection, now: int) -> set[int]:
    """The organisations of which anybody's browser is told."""
    return set(connection.execute(_HEARD_IN, _open(now)).scalars())


def listeners(connection: Connection, organisation_id: int, now: int) -> list[Listener]:
    """The browsers of an organisation's members. What each of them may see is another question."""
    values = {"organisation": organisation_id, **_open(now)}
    return structs(Listener, connection.execute(_LISTENERS, values).all())


# ------------------------------------------------------------------ what they are told


class Push(Struct, frozen=True, kw_only=True):
    """Something that a browser is to be told. Its words are made when it is sent, by what whoever
    it is for may see then. ``version``: what is told again of the same has no greater one."""

    id: int
    organisation_id: int
    push_key: str
    about: str
    """Of what there is one push at a time."""
    kind: AlertKind
    thread_id: int | None = None
    entry_id: int | None = None
    channel_id: str | None = None
    version: int
    attempts: int = 0
    due_at: int
    created_at: int


class Held(Struct, frozen=True, kw_only=True):
    """A push that was there before."""

    id: int
    version: int
    state: str
    due_at: int
    tried_at: int | None


_HELD = (
    sa.select(*fields(t.pushes, Held))
    .where(*bound(key=_own.push_key, organisation=_own.organisation_id, about_=_own.about))
    .with_for_update()
)
_FREE = sa.or_(_own.lease_until.is_(None), _own.lease_until <= _NOW)
_READY = [_own.state == sa.literal_column("'waiting'"), _own.due_at <= _NOW, _FREE]
_WAITS = sa.select(_own.id).where(*_READY).limit(1)
_NEXT = sa.select(sa.func.min(_own.due_at)).where(
    _own.state == sa.literal_column("'waiting'"), _FREE
)
_LEASE = (
    sa.update(t.pushes)
    .where(
        _own.id.in_(
            sa.select(_own.id)
            .where(*_READY)
            .order_by(_own.due_at, _own.id)
            .limit(sa.bindparam("count", type_=sa.Integer))
            .with_for_update(skip_locked=True)
        )
    )
    .values(
        lease_token=sa.bindparam("token"),
        lease_until=sa.bindparam("until", type_=t.Time),
        tried_at=_NOW,
        attempts=_own.attempts + 1,
    )
    .returning(*fields(t.pushes, Push))
)
_LEASED = bound(id_=_own.id, token_=_own.lease_token)
_END = sa.update(t.pushes).where(*_LEASED).values(state="ended", lease_token=None, lease_until=None)
_DEFER = (
    sa.update(t.pushes)
    .where(*_LEASED)
    .values(due_at=sa.bindparam("due", type_=t.Time), lease_token=None, lease_until=None)
)
_DROP = sa.delete(t.pushes).where(*bound(key=_own.push_key))
_FORGET = sa.delete(t.pushes).where(_own.created_at < sa.bindparam("before", type_=t.Time))
_FORGET_LEASES = (
    sa.update(t.pushes).where(_own.lease_until.is_not(None)).values(lease_until=sa.null())
)


def held(connection: Connection, push: Push) -> Held | None:
    """What the same browser was, or is to be, told of the same; nobody changes it before the
    transaction ends."""
    values = {"key": push.push_key, "organisation": push.organisation_id, "about_": push.about}
    row = connection.execute(_HELD, values).first()
    return None if row is None else struct(Held, row)


def put(connection: Connection, push: Push, before: Held | None) -> None:
    """It waits from now on, in place of what was there. Whoever sends that just now settles
    nothing any more."""
    values = asdict(push) | {"state": "waiting", "lease_token": None, "lease_until": None}
    if before is None:
        connection.execute(sa.insert(t.pushes), [values])
        return
    del values["id"]
    connection.execute(sa.update(t.pushes).where(_own.id == before.id).values(**values))


def waits(connection: Connection, now: int) -> bool:
    """Whether there is something to send."""
    return connection.execute(_WAITS, {"now": now}).first() is not None


def next_due(connection: Connection, now: int) -> int | None:
    """When there will be."""
    return connection.execute(_NEXT, {"now": now}).scalar()


def lease(connection: Connection, *, token: str, now: int, until: int, limit: int) -> list[Push]:
    """Take up to ``limit`` that are due; nobody else gets them before ``until``."""
    values = {"token": token, "now": now, "until": until, "count": limit}
    return structs(Push, connection.execute(_LEASE, values).all())


def end(connection: Connection, id_: int, token: str) -> None:
    """Nothing more is to be done about it."""
    connection.execute(_END, {"id_": id_, "token_": token})


def defer(connection: Connection, id_: int, token: str, due_at: int) -> None:
    """It is tried again then."""
    connection.execute(_DEFER, {"id_": id_, "token_": token, "due": due_at})


def drop(connection: Connection, push_key: str) -> None:
    """Nothing more is told there."""
    connection.execute(_DROP, {"key": push_key})


def forget(connection: Connection, before: int) -> None:
    """What nobody will be told again, nor is told of a second time: it is from before."""
    connection.execute(_FORGET, {"before": before})


def forget_leases(connection: Connection) -> None:
    """On a database of one process only: whoever held a lease is gone."""
    connection.execute(_FORGET_LEASES)
