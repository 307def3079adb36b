"""When somebody is there, and how long a time is that counts those hours alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hub.rules.days import moment
from hub.rules.settings import DAYS, Hours

FARTHEST = 800
"""Days that are looked at; where nobody is there for longer, nothing is ever due."""


def in_hours(hours: Hours, at: int, zone: ZoneInfo) -> bool:
    """Whether somebody is there at a moment (milliseconds), by the clocks of ``zone``."""
    local = datetime.fromtimestamp(at / 1000, zone)
    if any(holiday.date == local.date() for holiday in hours.holidays):
        return False
    time = f"{local:%H:%M}"
    return any(span.opens <= time < span.closes for span in hours.of(DAYS[local.weekday()]))


def due_at(hours: Hours, zone: ZoneInfo, since: int, minutes: int) -> int | None:
    """When somebody will have been there for so many minutes since a moment (milliseconds, as the
    answer); ``None``: never."""
    left = minutes * 60_000
    for opens, closes in _spans(hours, zone, since, 1):
        begins = max(opens, since)
        if left <= closes - begins:
            return begins + left
        left -= max(closes - begins, 0)
    return None


def late_since(hours: Hours, zone: ZoneInfo, now: int, minutes: int) -> int | None:
    """The last moment since which somebody has been there for so many minutes: what has waited
    since then, or longer, was due by ``now``. The inverse of ``due_at``; ``None``: nothing was."""
    left = minutes * 60_000
    for opens, closes in _spans(hours, zone, now, -1):
        ends = min(closes, now)
        if left <= ends - opens:
            return ends - left
        left -= max(ends - opens, 0)
    return None


def _spans(hours: Hours, zone: ZoneInfo, start: int, step: int) -> Iterator[tuple[int, int]]:
    """From when until when somebody is there, day by day from that of ``start``, forwards or
    (``step`` -1) back."""
    if not any(hours.of(name) for name in DAYS):
        return
    away = {holiday.date for holiday in hours.holidays}
    # A day before: the first moments of a day may belong to the last by another zone's clocks.
    day = datetime.fromtimestamp(start / 1000, zone).date() - timedelta(days=step)
    for _ in range(FARTHEST):
        if day not in away:
            spans = sorted(hours.of(DAYS[day.weekday()]), key=lambda one: one.opens)
            for span in spans[::step]:
                yield _moment(day, span.opens, zone), _moment(day, span.closes, zone)
        day += timedelta(days=step)


def _moment(day: date, at: str, zone: ZoneInfo) -> int:
    if at == "24:00":
        return moment(day + timedelta(days=1), time(), zone)
    return moment(day, time.fromisoformat(at), zone)
