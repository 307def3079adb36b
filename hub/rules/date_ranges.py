"""Date ranges of the conversation list: which days they are, in the organisation's time zone.

A range that reaches until now has no end: what happens while it is shown falls into it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from msgspec import Struct

from hub.rules.days import moment

Name = Literal["all", "today", "week", "month", "30d", "custom"]
NAMES: tuple[Name, ...] = get_args(Name)
MONDAY = 1

Bounds = tuple[int | None, int | None]
"""Since when, and until before when, in milliseconds since 1970 in UTC; ``None``: no bound."""


class Range(Struct, frozen=True, kw_only=True):
    """Some days. ``first`` and ``last`` are those of a ``custom`` one, each may be open;
    ``week_start`` is the day that weeks begin with, 1 (Monday) to 7."""

    name: Name = "all"
    first: date | None = None
    last: date | None = None
    week_start: int = MONDAY

    def bounds(self, now: int, zone: ZoneInfo) -> Bounds:
        """Between which moments these days lie, as of ``now`` (milliseconds)."""
        today = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone).date()
        if self.name == "all":
            return None, None
        if self.name == "custom":
            since = None if self.first is None else _begins(self.first, zone)
            past = self.last is not None and self.last < today
            until = _begins(self.last + timedelta(days=1), zone) if self.last and past else None
            return since, until
        return _begins(self._first_day(today), zone), None

    def _first_day(self, today: date) -> date:
        if self.name == "week":
            return today - timedelta(days=(today.isoweekday() - self.week_start) % 7)
        if self.name == "month":
            return today.replace(day=1)
        return today - timedelta(days=29) if self.name == "30d" else today


ALL = Range()


def _begins(day: date, zone: ZoneInfo) -> int:
    return moment(day, time(), zone)
