"""What providers that wait were told, to tell them the same when they ask again."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.rows import struct
from hub.store.statements import bound, fields

ChannelKey = tuple[int, str]


class Told(Struct, frozen=True):
    """A reply as it was given."""

    status: int
    content_type: str
    body: bytes


_own = t.replies.c
_QUESTION = bound(org=_own.organisation_id, channel=_own.channel_id, name=_own.question)
_GET = sa.select(*fields(t.replies, Told)).where(*_QUESTION)
_INSERT = sa.insert(t.replies)
_FORGET = sa.delete(t.replies).where(_own.created_at < sa.bindparam("before", type_=t.Time))


def get(connection: Connection, channel: ChannelKey, question: str) -> Told | None:
    """What was said to a question; ``None`` when it was never answered."""
    row = connection.execute(_GET, _named(channel, question)).first()
    return None if row is None else struct(Told, row)


def keep(
    connection: Connection, channel: ChannelKey, question: str, told: Told, *, now: int
) -> Told:
    """Keep what is to be said; what another process has said meanwhile goes first."""
    before = get(connection, channel, question)
    if before is not None:
        return before
    row = {"organisation_id": channel[0], "channel_id": channel[1], "question": question}
    said = {"status": told.status, "content_type": told.content_type, "body": told.body}
    connection.execute(_INSERT, [{**row, **said, "created_at": now}])
    return told


def forget(connection: Connection, before: int) -> None:
    """Those given before then, in milliseconds: nobody asks again so late."""
    connection.execute(_FORGET, {"before": before})


def _named(channel: ChannelKey, question: str) -> dict[str, int | str]:
    return {"org": channel[0], "channel": channel[1], "name": question}
