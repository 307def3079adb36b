"""Whose eyes a query reads with: an organisation, and the channels and numbers a role may see."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from msgspec import Struct

from hub.rules import sight
from hub.store import tables as t
from hub.store.statements import among, aside, bound

Width = Literal["all", "channels", "numbers"]
"""How a role is limited: not at all, to whole channels, to single own addresses (besides)."""


class Scope(Struct, frozen=True):
    """``channels`` is ``None`` for a role that sees them all; else as of ``hub.rules.sight``."""

    organisation_id: int
    channels: frozenset[str] | None = None

    @property
    def limited(self) -> bool:
        """Whether only some channels or numbers may be seen."""
        return self.channels is not None

    @property
    def width(self) -> Width:
        """How it is limited: statements that go by an index differ by it."""
        if self.channels is None:
            return "all"
        return "numbers" if sight.sight(self.channels).numbers else "channels"

    @property
    def values(self) -> dict[str, Any]:
        """What its conditions bind: ``org``, and if it is limited ``channels`` (seen whole),
        ``numbers`` of others, and these others (``part``)."""
        if self.channels is None:
            return {"org": self.organisation_id}
        seen = sight.sight(self.channels)
        return {
            "org": self.organisation_id,
            "channels": sorted(seen.whole),
            "numbers": sorted(seen.numbers),
            "part": sorted(seen.part),
        }

    @property
    def some_of(self) -> frozenset[str]:
        """Channels of which anything may be seen, if it is limited."""
        seen = sight.sight(frozenset[str]() if self.channels is None else self.channels)
        return seen.whole | seen.part

    def sees(self, channel_id: str | None) -> bool:
        """Whether anything of that channel may be seen; what has no channel is the team's."""
        return self.channels is None or channel_id is None or channel_id in self.some_of

    def sees_whole(self, channel_id: str | None) -> bool:
        """Whether everything of that channel may be seen."""
        return self.channels is None or channel_id is None or channel_id in self.channels

    def sees_at(self, channel_id: str | None, own_address: str | None) -> bool:
        """Whether entries of that channel at one of our addresses may be seen."""
        return sight.sees(self.channels, channel_id, own_address)

    @staticmethod
    def entries(*, limited: bool) -> list[sa.ColumnElement[bool]]:
        """Conditions on ``entries``."""
        conditions = bound(org=aside(t.entries.c.organisation_id))
        if limited:
            column = t.entries.c.channel_id
            conditions.append(
                sa.or_(column.is_(None), among(column, "channels"), at_numbers(t.entries))
            )
        return conditions

    @staticmethod
    def part_of(thread_id: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """Whether a limited role sees anything of a thread that is not the team's alone."""
        used, own = t.thread_channels.alias("used"), t.entries.alias("own")
        return sa.or_(
            sa.exists().where(used.c.thread_id == thread_id, among(used.c.channel_id, "channels")),
            sa.exists().where(own.c.thread_id == thread_id, at_numbers(own)),
        )


def at_numbers(rows: sa.FromClause) -> sa.ColumnElement[bool]:
    """That a row with ``channel_id`` and ``own_address`` is of the ``numbers`` that are seen."""
    place = rows.c.channel_id.concat(sa.literal_column("' '")).concat(rows.c.own_address)
    return among(sa.type_coerce(place, sa.Text), "numbers")
