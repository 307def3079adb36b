"""Times of day in a time zone, right across the change to daylight saving and back.

A time that a day does not have (the clocks go forward over it) is moved to the next that it has;
one that a day has twice (the clocks go back) is the first of the two.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def moment(day: date, at: time, zone: ZoneInfo) -> int:
    """When it is ``at`` on that day there, in milliseconds since 1970 in UTC."""
    local = datetime.combine(day, at.replace(fold=0, tzinfo=None), tzinfo=zone)
    found = local.astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        found = _change(local.replace(fold=1).astimezone(UTC), found, zone)
    return round(found.timestamp() * 1000)


def next_moment(after: int, at: time, zone: ZoneInfo) -> int:
    """The first moment after ``after`` (milliseconds) at which a day has the time ``at``."""
    day = datetime.fromtimestamp(after / 1000, zone).date() - timedelta(days=1)
    while (found := moment(day, at, zone)) <= after:
        day += timedelta(days=1)
    return found


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The second at which the clocks go forward, which lies between two moments in UTC."""
    offset = after.astimezone(zone).utcoffset()
    while (gap := after - before) > timedelta(seconds=1):
        middle = before + timedelta(seconds=gap // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
