"""What plugins keep: a small value under a key, for each channel.

What has expired is as good as deleted, whether its row is still there or not.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.rows import struct
from hub.store.statements import bound, columns

ChannelKey = tuple[int, str]


class Kept(Struct, frozen=True):
    """A value, and how often it was written."""

    value: str
    version: int


class TooManyKeys(Exception):
    """The channel keeps as many keys as it may."""


_CHANNEL = bound(org=t.plugin_kv.c.organisation_id, channel=t.plugin_kv.c.channel_id)
_NAMED = [*_CHANNEL, *bound(name=t.plugin_kv.c.key)]
_UNTIL = t.plugin_kv.c.expires_at
_NOW = sa.bindparam("now", type_=t.Time)
_GET = sa.select(*columns(t.plugin_kv, "value", "version")).where(
    *_NAMED, sa.or_(_UNTIL.is_(None), _UNTIL > _NOW)
)
_LOCK = sa.select(*columns(t.plugin_kv, "version", "expires_at")).where(*_NAMED).with_for_update()
_COUNT = sa.select(sa.func.count()).where(*_CHANNEL)
_UPDATE = (
    sa.update(t.plugin_kv)
    .where(*_NAMED)
    .values(
        value=sa.bindparam("new_value"),
        version=sa.bindparam("new_version"),
        expires_at=sa.bindparam("until"),
    )
)
_INSERT = sa.insert(t.plugin_kv)
_DELETE = sa.delete(t.plugin_kv).where(*_NAMED)
_FORGET = sa.delete(t.plugin_kv).where(_UNTIL <= _NOW)
_MAKE_ROOM = _FORGET.where(*_CHANNEL)


def get(connection: Connection, channel: ChannelKey, key: str, *, now: int) -> Kept | None:
    """A stored value, as of ``now`` in milliseconds."""
    row = connection.execute(_GET, {**_names(channel, key), "now": now}).first()
    return None if row is None else struct(Kept, row)


def put(
    connection: Connection,
    channel: ChannelKey,
    key: str,
    seal: Callable[[], str],
    version: int | None,
    *,
    most: int,
    now: int,
    expires_at: int | None = None,
) -> bool:
    """Store a value until ``expires_at`` (milliseconds; ``None``: for good), if ``version`` is
    still the stored one (0: nothing is stored). ``seal`` gives the value, once nobody replaces keys
    meanwhile. Raises ``TooManyKeys``."""
    names = _names(channel, key)
    row = connection.execute(_LOCK, names).first()
    known = 0 if row is None or _is_over(row.expires_at, now) else row.version
    if version is not None and version != known:
        return False
    if row is not None:
        change = {"new_value": seal(), "new_version": known + 1, "until": expires_at}
        connection.execute(_UPDATE, names | change)
        return True
    if connection.execute(_COUNT, names).scalar_one() >= most:
        connection.execute(_MAKE_ROOM, {**names, "now": now})
        if connection.execute(_COUNT, names).scalar_one() >= most:
            raise TooManyKeys
    new = {"organisation_id": channel[0], "channel_id": channel[1], "key": key}
    connection.execute(_INSERT, {**new, "value": seal(), "version": 1, "expires_at": expires_at})
    return True


def _is_over(until: int | None, now: int) -> bool:
    return until is not None and until <= now


def delete(connection: Connection, channel: ChannelKey, key: str) -> None:
    """Forget a value."""
    connection.execute(_DELETE, _names(channel, key))


def forget(connection: Connection, now: int) -> None:
    """Remove what has expired by ``now``, of all channels."""
    connection.execute(_FORGET, {"now": now})


def _names(channel: ChannelKey, key: str) -> dict[str, int | str]:
    return {"org": channel[0], "channel": channel[1], "name": key}
