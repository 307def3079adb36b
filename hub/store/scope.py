"""Whose eyes a query reads with: an organisation, and the channels a role may see."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from hub.store import tables as t


class Scope(Struct, frozen=True):
    """``channels`` is ``None`` for a role that sees them all."""

    organisation_id: int
    channels: frozenset[str] | None = None

    def sees(self, channel_id: str | None) -> bool:
        """Whether entries of that channel may be seen; what has no channel is the team's."""
        return self.channels is None or channel_id is None or channel_id in self.channels

    def entries(self) -> list[sa.ColumnElement[bool]]:
        """Conditions on ``entries``."""
        conditions = [t.entries.c.organisation_id == self.organisation_id]
        if self.channels is not None:
            column = t.entries.c.channel_id
            conditions.append(sa.or_(column.is_(None), column.in_(self.channels)))
        return conditions
