"""What deliveries only name and the hub is still to fetch.

Who claims one tries it until ``due_at``, and tells of it by the number of the attempt: whoever is
slower than that has lost it to another, and is not heard any more.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from hub.store import tables as t
from hub.store.rows import struct, structs
from hub.store.statements import bound, fields, fixed


class Fetch(Struct, frozen=True, kw_only=True):
    """One reference. ``data``: JSON; ``delivery_id``: what named it; ``attempts``: with the one
    under way."""

    id: int
    organisation_id: int
    channel_id: str
    ref_id: str
    data: str
    delivery_id: int
    attempts: int


class NewFetch(Struct, frozen=True, kw_only=True):
    """A reference, to be fetched from ``due_at`` on (milliseconds)."""

    id: int
    organisation_id: int
    channel_id: str
    ref_id: str
    data: str
    delivery_id: int
    due_at: int


_own = t.fetches.c
_WAITING = fixed(_own.state, "waiting")
_DUE = (
    sa.select(*fields(t.fetches, Fetch))
    .where(_WAITING, _own.due_at <= sa.bindparam("now", type_=t.Time))
    .order_by(_own.due_at, _own.id)
    .limit(sa.bindparam("count", type_=sa.Integer))
)
_ATTEMPT = [_WAITING, *bound(id_=_own.id, attempt=_own.attempts)]
_CLAIM = (
    sa.update(t.fetches)
    .where(*_ATTEMPT)
    .values(attempts=_own.attempts + 1, due_at=sa.bindparam("until", type_=t.Time))
    .returning(*fields(t.fetches, Fetch))
)
_TELL = (
    sa.update(t.fetches)
    .where(*_ATTEMPT)
    .values(
        state=sa.bindparam("new_state"),
        reason=sa.bindparam("new_reason"),
        due_at=sa.bindparam("new_due_at", type_=t.Time),
        attempts=sa.bindparam("new_attempts", type_=sa.Integer),
    )
)
_QUARANTINE = (
    sa.update(t.deliveries)
    .where(*bound(id_=t.deliveries.c.id, org=t.deliveries.c.organisation_id))
    .values(state="quarantined", reason=sa.bindparam("new_reason"), due_at=None)
)


def add(connection: Connection, wanted: Sequence[NewFetch]) -> None:
    """Have them fetched. One that was fetched, or waits, is left alone; one that was given up is
    begun anew."""
    rows = [
        {
            "id": one.id,
            "organisation_id": one.organisation_id,
            "channel_id": one.channel_id,
            "ref_id": one.ref_id,
            "data": one.data,
            "delivery_id": one.delivery_id,
            "state": "waiting",
            "reason": None,
            "attempts": 0,
            "due_at": one.due_at,
            "created_at": one.due_at,
        }
        for one in wanted
    ]
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(t.fetches)
    again = ("data", "delivery_id", "state", "reason", "attempts", "due_at")
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["ref_id", "channel_id", "organisation_id"],
            set_={name: statement.excluded[name] for name in again},
            where=_own.state == "failed",
        ),
        rows,
    )


def due(connection: Connection, now: int, count: int) -> list[Fetch]:
    """What may be claimed, the longest due first."""
    return structs(Fetch, connection.execute(_DUE, {"now": now, "count": count}).all())


def claim(connection: Connection, found: Fetch, until: int) -> Fetch | None:
    """Make the next attempt ours until then; ``None`` when another process has it."""
    values = {"id_": found.id, "attempt": found.attempts, "until": until}
    row = connection.execute(_CLAIM, values).first()
    return None if row is None else struct(Fetch, row)


def done(connection: Connection, fetch: Fetch) -> bool:
    """It is there; ``False`` when another attempt has taken over."""
    return _tell(connection, fetch, "done", None, None)


def later(connection: Connection, fetch: Fetch, due_at: int, reason: str | None) -> bool:
    """Not now. Without a ``reason`` nothing was tried, and it does not count as an attempt."""
    attempts = fetch.attempts - (reason is None)
    return _tell(connection, fetch, "waiting", reason, due_at, attempts)


def give_up(connection: Connection, fetch: Fetch, reason: str) -> bool:
    """It cannot be had: what named it is quarantined with the reason."""
    if not _tell(connection, fetch, "failed", reason, None):
        return False
    named = {"id_": fetch.delivery_id, "org": fetch.organisation_id}
    connection.execute(_QUARANTINE, {**named, "new_reason": reason})
    return True


def _tell(
    connection: Connection,
    fetch: Fetch,
    state: str,
    reason: str | None,
    due_at: int | None,
    attempts: int | None = None,
) -> bool:
    values = {
        "id_": fetch.id,
        "attempt": fetch.attempts,
        "new_state": state,
        "new_reason": reason,
        "new_due_at": due_at,
        "new_attempts": fetch.attempts if attempts is None else attempts,
    }
    return bool(connection.execute(_TELL, values).rowcount)
