"""What is encrypted with the hub's key, found by the key that it was encrypted with."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.store import tables as t

KEPT = "sealed:1:"
"""What plugins keep begins so. What an older hub has kept does not, until it is written again."""
_KEY = "secret_key"
_RECOVERY = "recovery_keys"
_PUSH = "push_key"
_kv = t.plugin_kv.c
_totps = t.totps.c
_sessions = t.sessions.c


class Sealed(Struct, frozen=True):
    """Something encrypted, or what should be. ``at``: where it stands among those of its kind."""

    at: tuple[int | str, ...]
    text: str


def name_of_key(connection: Connection) -> str | None:
    """The key that everything was last encrypted anew with; ``None``: it never was."""
    return _meta(connection, _KEY)


def put_name_of_key(connection: Connection, name: str) -> None:
    """From now on it is this one."""
    _put_meta(connection, _KEY, name)


def recovery_keys(connection: Connection) -> str | None:
    """The keys that recovery codes are hashed with, encrypted."""
    return _meta(connection, _RECOVERY)


def put_recovery_keys(connection: Connection, sealed: str) -> None:
    """These, in place of what is there."""
    _put_meta(connection, _RECOVERY, sealed)


def push_key(connection: Connection) -> str | None:
    """The key by which push services know the hub, encrypted."""
    return _meta(connection, _PUSH)


def hold_push_key(connection: Connection) -> None:
    """Nobody else makes that key before the transaction ends."""
    if connection.dialect.name == "postgresql":  # SQLite writes one transaction at a time
        connection.execute(sa.text("LOCK TABLE meta IN EXCLUSIVE MODE"))


def set_push_key(connection: Connection, sealed: str) -> None:
    """This one, in place of what is there."""
    _put_meta(connection, _PUSH, sealed)


def hold(connection: Connection) -> None:
    """Wait until every transaction has ended that encrypts something. Who only reads goes on."""
    if connection.dialect.name == "postgresql":  # SQLite writes one transaction at a time
        connection.execute(sa.text("LOCK TABLE plugin_kv, totps, sessions, meta IN EXCLUSIVE MODE"))


def kept(
    connection: Connection, mark: str, after: tuple[int | str, ...] | None, count: int
) -> list[Sealed]:
    """What plugins keep that does not begin with ``mark``: the first behind ``after``."""
    place = (_kv.organisation_id, _kv.channel_id, _kv.key)
    statement = sa.select(*place, _kv.value).where(
        ~_kv.value.startswith(KEPT + mark, autoescape=True)
    )
    if after is not None:
        statement = statement.where(sa.tuple_(*place) > sa.tuple_(*map(sa.literal, after)))
    rows = connection.execute(statement.order_by(*place).limit(count)).all()
    return [Sealed((row.organisation_id, row.channel_id, row.key), row.value) for row in rows]


def put_kept(connection: Connection, before: Sealed, text: str) -> bool:
    """The same in another form, if it is still there as it was."""
    organisation_id, channel_id, key = before.at
    return _put(
        connection,
        sa.update(t.plugin_kv)
        .where(
            _kv.organisation_id == organisation_id,
            _kv.channel_id == channel_id,
            _kv.key == key,
            _kv.value == before.text,
        )
        .values(value=text),
    )


def codes(
    connection: Connection, mark: str, after: tuple[int | str, ...] | None, count: int
) -> list[Sealed]:
    """The same of the secrets of codes."""
    statement = sa.select(_totps.user_id, _totps.secret).where(
        ~_totps.secret.startswith(mark, autoescape=True)
    )
    if after is not None:
        statement = statement.where(_totps.user_id > after[0])
    rows = connection.execute(statement.order_by(_totps.user_id).limit(count)).all()
    return [Sealed((row.user_id,), row.secret) for row in rows]


def put_codes(connection: Connection, before: Sealed, text: str) -> bool:
    """The same in another form, if it is still there as it was."""
    return _put(
        connection,
        sa.update(t.totps)
        .where(_totps.user_id == before.at[0], _totps.secret == before.text)
        .values(secret=text),
    )


def subscriptions(
    connection: Connection, mark: str, after: tuple[int | str, ...] | None, count: int
) -> list[Sealed]:
    """The same of where browsers are told of alerts; ``at``: the hash of the session, whose it is,
    and what the browser is known by."""
    place = (_sessions.token_hash, _sessions.user_id, _sessions.push_key)
    statement = sa.select(*place, _sessions.push).where(
        _sessions.push_key.is_not(None), ~_sessions.push.startswith(mark, autoescape=True)
    )
    if after is not None:
        statement = statement.where(_sessions.token_hash > after[0])
    rows = connection.execute(statement.order_by(_sessions.token_hash).limit(count)).all()
    return [Sealed((row.token_hash, row.user_id, row.push_key), row.push) for row in rows]


def put_subscriptions(connection: Connection, before: Sealed, text: str) -> bool:
    """The same in another form, if it is still there as it was."""
    return _put(
        connection,
        sa.update(t.sessions)
        .where(_sessions.token_hash == before.at[0], _sessions.push == before.text)
        .values(push=text),
    )


def push_keys(
    connection: Connection, mark: str, after: tuple[int | str, ...] | None, count: int
) -> list[Sealed]:
    """The same of the key by which push services know the hub: there is one, or none yet."""
    found = None if after is not None or count < 1 else push_key(connection)
    return [] if found is None or found.startswith(mark) else [Sealed((_PUSH,), found)]


def put_push_keys(connection: Connection, before: Sealed, text: str) -> bool:
    """The same in another form, if it is still there as it was."""
    meta = t.meta.c
    return _put(
        connection,
        sa.update(t.meta).where(meta.key == _PUSH, meta.value == before.text).values(value=text),
    )


def _put(connection: Connection, statement: sa.Update) -> bool:
    return bool(connection.execute(statement).rowcount)


Page = Callable[[Connection, str, tuple[int | str, ...] | None, int], list[Sealed]]
Put = Callable[[Connection, Sealed, str], bool]


def _meta(connection: Connection, key: str) -> str | None:
    return connection.execute(sa.select(t.meta.c.value).where(t.meta.c.key == key)).scalar()


def _put_meta(connection: Connection, key: str, value: str) -> None:
    changed = connection.execute(
        sa.update(t.meta).where(t.meta.c.key == key).values(value=value)
    ).rowcount
    if not changed:
        connection.execute(sa.insert(t.meta), [{"key": key, "value": value}])
