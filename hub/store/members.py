"""What members have chosen for themselves."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.rows import struct
from hub.store.statements import bound, fields


class Choice(Struct, frozen=True, kw_only=True):
    """Whether conversations may be assigned to a member by themselves, since when that is so,
    whether they want a mail of what is assigned to them, what stands below their letters, and what
    they are alerted of (``hub.rules.alerts.AlertChoices`` as JSON)."""

    available: bool
    available_at: int | None
    assignment_mail: bool
    signature: str
    alerts: str


_CHOICE = sa.select(*fields(t.members, Choice)).where(*bound(id=t.members.c.id))
_ROTATION = (
    sa.select(t.rotations.c.turns)
    .where(*bound(org=t.rotations.c.organisation_id))
    .with_for_update()
)


def choice_of(connection: Connection, member_id: int) -> Choice:
    """What a member has chosen."""
    return struct(Choice, connection.execute(_CHOICE, {"id": member_id}).one())


def lock_rotation(connection: Connection, organisation_id: int) -> None:
    """Nobody else assigns in this organisation before the transaction ends."""
    if connection.execute(_ROTATION, {"org": organisation_id}).first() is None:
        row = {"organisation_id": organisation_id, "turns": "{}"}
        connection.execute(sa.insert(t.rotations), [row])
