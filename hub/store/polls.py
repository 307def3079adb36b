"""Where each channel that polls stands: what it goes on from, and when."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.rows import struct
from hub.store.statements import bound, fields

ChannelKey = tuple[int, str]


class Stand(Struct, frozen=True, kw_only=True):
    """``version`` counts the polls that were told of; ``failures`` those that failed in a row;
    ``due_at``, in milliseconds: the next one."""

    cursor: str | None
    version: int
    failures: int
    due_at: int


NEW = Stand(cursor=None, version=0, failures=0, due_at=0)

_own = t.polls.c
_CHANNEL = bound(org=_own.organisation_id, channel=_own.channel_id)
_GET = sa.select(*fields(t.polls, Stand)).where(*_CHANNEL)
_MOVE = (
    sa.update(t.polls)
    .where(*_CHANNEL, *bound(since=_own.version))
    .values(
        cursor=sa.bindparam("new_cursor"),
        version=sa.bindparam("new_version"),
        failures=sa.bindparam("new_failures"),
        due_at=sa.bindparam("new_due_at", type_=t.Time),
    )
)
_INSERT = sa.insert(t.polls)


def get(connection: Connection, channel: ChannelKey) -> Stand:
    """How it stands."""
    row = connection.execute(_GET, {"org": channel[0], "channel": channel[1]}).first()
    return NEW if row is None else struct(Stand, row)


def move(
    connection: Connection,
    channel: ChannelKey,
    since: Stand,
    *,
    cursor: str | None,
    failures: int,
    due_at: int,
) -> bool:
    """Go on from where it stood; ``False`` when it stands there no more: another process was
    faster."""
    values = {"new_cursor": cursor, "new_failures": failures, "new_due_at": due_at}
    named = {"org": channel[0], "channel": channel[1], "since": since.version}
    changed = connection.execute(_MOVE, {**named, **values, "new_version": since.version + 1})
    if changed.rowcount:
        return True
    if since.version or get(connection, channel).version:
        return False
    row = {"organisation_id": channel[0], "channel_id": channel[1], "cursor": cursor}
    connection.execute(_INSERT, [{**row, "version": 1, "failures": failures, "due_at": due_at}])
    return True
