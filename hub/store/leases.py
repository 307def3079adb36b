"""Leases: who works on something now, so that no two processes do.

A lease keeps others from work that is under way; that nothing is done twice must not rest on it
alone, because its holder may be slow and wake after it has run out. The caller says what time it
is, in milliseconds: the database's clock is asked for nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.rows import struct
from hub.store.statements import bound, fields


class Lease(Struct, frozen=True, kw_only=True):
    """Who holds something, and until when."""

    token: str
    until: int

    def bars(self, token: str, now: int) -> bool:
        """Whether it keeps whoever has ``token`` from it."""
        return self.token != token and self.until > now


_NAMED = bound(name_=t.leases.c.name)
_HELD = [*_NAMED, *bound(token_=t.leases.c.token)]
_UNTIL = sa.bindparam("until_", type_=t.Time)
_GET = sa.select(*fields(t.leases, Lease)).where(*_NAMED)
_TAKE = (
    sa.update(t.leases)
    .where(
        *_NAMED,
        sa.or_(
            t.leases.c.token == sa.bindparam("token_"),
            t.leases.c.until <= sa.bindparam("now_", type_=t.Time),
        ),
    )
    .values(token=sa.bindparam("token_"), until=_UNTIL)
)
_INSERT = sa.insert(t.leases)
_RENEW = sa.update(t.leases).where(*_HELD).values(until=_UNTIL)
_LET_GO = sa.delete(t.leases).where(*_HELD)
_FORGET = sa.delete(t.leases)


def get(connection: Connection, name: str) -> Lease | None:
    """Who holds it; it may have run out."""
    row = connection.execute(_GET, {"name_": name}).first()
    return None if row is None else struct(Lease, row)


def take(connection: Connection, name: str, token: str, *, now: int, until: int) -> bool:
    """Take it, or hold it longer; ``False`` while somebody else holds it."""
    values = {"name_": name, "token_": token, "now_": now, "until_": until}
    if connection.execute(_TAKE, values).rowcount:
        return True
    if get(connection, name) is not None:
        return False
    connection.execute(_INSERT, [{"name": name, "token": token, "until": until}])
    return True


def renew(connection: Connection, name: str, token: str, *, until: int) -> bool:
    """Hold it longer; ``False`` when it is lost: somebody else has taken it."""
    values = {"name_": name, "token_": token, "until_": until}
    return bool(connection.execute(_RENEW, values).rowcount)


def let_go(connection: Connection, name: str, token: str) -> None:
    """Leave it to others; nothing happens when it is lost already."""
    connection.execute(_LET_GO, {"name_": name, "token_": token})


def forget(connection: Connection) -> None:
    """On a database of one process only: whoever held a lease is gone."""
    connection.execute(_FORGET)
