"""Whose eyes a query reads with: an organisation, and the channels a role may see."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from hub.store import tables as t
from hub.store.statements import among, aside, bound


class Scope(Struct, frozen=True):
    """``channels`` is ``None`` for a role that sees them all."""

    organisation_id: int
    channels: frozenset[str] | None = None

    @property
    def limited(self) -> bool:
        """Whether only some channels may be seen."""
        return self.channels is not None

    @property
    def values(self) -> dict[str, Any]:
        """What its conditions bind: ``org``, and ``channels`` if it is limited."""
        if self.channels is None:
            return {"org": self.organisation_id}
        return {"org": self.organisation_id, "channels": sorted(self.channels)}

    def sees(self, channel_id: str | None) -> bool:
        """Whether entries of that channel may be seen; what has no channel is the team's."""
        return self.channels is None or channel_id is None or channel_id in self.channels

    @staticmethod
    def entries(*, limited: bool) -> list[sa.ColumnElement[bool]]:
        """Conditions on ``entries``."""
        conditions = bound(org=aside(t.entries.c.organisation_id))
        if limited:
            column = t.entries.c.channel_id
            conditions.append(sa.or_(column.is_(None), among(column, "channels")))
        return conditions
