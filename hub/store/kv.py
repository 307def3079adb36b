"""What plugins keep: a small value under a key, for each channel."""

from __future__ import annotations

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
_GET = sa.select(*columns(t.plugin_kv, "value", "version")).where(*_NAMED)
_LOCK = sa.select(t.plugin_kv.c.version).where(*_NAMED).with_for_update()
_COUNT = sa.select(sa.func.count()).where(*_CHANNEL)
_UPDATE = (
    sa.update(t.plugin_kv)
    .where(*_NAMED)
    .values(value=sa.bindparam("new_value"), version=sa.bindparam("new_version"))
)
_INSERT = sa.insert(t.plugin_kv)
_DELETE = sa.delete(t.plugin_kv).where(*_NAMED)


def get(connection: Connection, channel: ChannelKey, key: str) -> Kept | None:
    """A stored value."""
    row = connection.execute(_GET, _names(channel, key)).first()
    return None if row is None else struct(Kept, row)


def put(
    connection: Connection,
    channel: ChannelKey,
    key: str,
    value: str,
    version: int | None,
    *,
    most: int,
) -> bool:
    """Store a value, if ``version`` is still the stored one (0: nothing is stored). Raises
    ``TooManyKeys``."""
    names = _names(channel, key)
    known = connection.execute(_LOCK, names).scalar()
    if version is not None and version != (known or 0):
        return False
    if known is not None:
        connection.execute(_UPDATE, {**names, "new_value": value, "new_version": known + 1})
        return True
    if connection.execute(_COUNT, names).scalar_one() >= most:
        raise TooManyKeys
    row = {"organisation_id": channel[0], "channel_id": channel[1], "key": key}
    connection.execute(_INSERT, {**row, "value": value, "version": 1})
    return True


def delete(connection: Connection, channel: ChannelKey, key: str) -> None:
    """Forget a value."""
    connection.execute(_DELETE, _names(channel, key))


def _names(channel: ChannelKey, key: str) -> dict[str, int | str]:
    return {"org": channel[0], "channel": channel[1], "name": key}
