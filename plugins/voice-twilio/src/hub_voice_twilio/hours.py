"""Opening hours: "Mon-Fri 08:00-17:00", several lines of them, and days on which it is closed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from msgspec import Struct

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LINE = re.compile(
    r"(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))? +(?P<from>\d\d:\d\d)-(?P<until>\d\d:\d\d)",
    re.ASCII,
)
DAY_ENDS = "24:00"

Span = tuple[int, time, time | None]
"""A weekday (0 is Monday), from when, and until when; ``None``: the end of the day."""


class Hours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When somebody takes calls."""

    timezone: str
    """As in the IANA database: ``America/New_York``."""
    open: tuple[str, ...]
    """Each ``Mon-Fri 08:00-17:00`` or ``Sat 09:00-12:00``; a day may have several."""
    closed: tuple[date, ...] = ()
    """Days on which it is closed all the same: holidays."""

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.timezone)
        except (KeyError, OSError, ValueError):
            words = f"timezone: {self.timezone!r} is no time zone such as Europe/Vienna"
            raise ValueError(words) from None
        for line in self.open:
            list(_spans(line))

    def includes(self, now: datetime) -> bool:
        """Whether it is open at ``now``."""
        here = now.astimezone(ZoneInfo(self.timezone))
        if here.date() in self.closed:
            return False
        at = here.time()
        return any(
            day == here.weekday() and start <= at and (end is None or at < end)
            for line in self.open
            for day, start, end in _spans(line)
        )


def _spans(line: str) -> Iterator[Span]:
    """The spans of a line. Raises ``ValueError``."""
    found = LINE.fullmatch(line.strip().lower())
    if found is None:
        raise ValueError(f"open: {line!r} does not read as Mon-Fri 08:00-17:00")
    first, last = found["first"], found["last"] or found["first"]
    if first not in DAYS or last not in DAYS:
        raise ValueError(f"open: {line!r} names no day; days are Mon Tue Wed Thu Fri Sat Sun")
    try:
        start = time.fromisoformat(found["from"])
        end = None if found["until"] == DAY_ENDS else time.fromisoformat(found["until"])
    except ValueError:
        raise ValueError(f"open: {line!r} names no time of the day") from None
    if end is not None and end <= start:
        raise ValueError(f"open: {line!r} ends before it begins; give the night as two lines")
    begin = DAYS.index(first)
    for number in range((DAYS.index(last) - begin) % 7 + 1):
        yield (begin + number) % 7, start, end
