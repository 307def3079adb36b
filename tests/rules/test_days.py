"""Times of day across daylight saving."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rules.days import moment, next_moment

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",  # half an hour
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Asia/Beirut",  # over midnight
    "America/Nuuk",
]
zones = st.sampled_from(ZONES).map(ZoneInfo)
days = st.dates(date(2000, 1, 1), date(2037, 12, 31))
times = st.times().map(lambda at: at.replace(microsecond=0))
SECOND = 1000


def shown(at: int, zone: ZoneInfo) -> datetime:
    """What a clock on the wall shows."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("zone", "day", "at", "expected"),
    [
        ("Europe/Berlin", "2026-03-28", "09:00", "2026-03-28T08:00:00"),
        ("Europe/Berlin", "2026-03-29", "09:00", "2026-03-29T07:00:00"),
        ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:00:00"),  # not there: 03:00
        ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30:00"),  # twice: the first
        ("America/New_York", "2026-03-08", "02:00", "2026-03-08T07:00:00"),
        ("America/New_York", "2026-11-01", "01:00", "2026-11-01T05:00:00"),
        ("America/Sao_Paulo", "2018-11-04", "00:00", "2018-11-04T03:00:00"),  # no midnight: 01:00
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30:00"),
        ("Pacific/Apia", "2011-12-30", "09:00", "2011-12-30T10:00:00"),  # no such day
    ],
)
def test_known_days(zone: str, day: str, at: str, expected: str) -> None:
    found = moment(date.fromisoformat(day), time.fromisoformat(at), ZoneInfo(zone))
    assert datetime.fromtimestamp(found / 1000, UTC).replace(tzinfo=None).isoformat() == expected


@given(zones, days, times)
def test_it_is_that_time_or_the_next_there_is(zone: ZoneInfo, day: date, at: time) -> None:
    found = moment(day, at, zone)
    wanted = datetime.combine(day, at)
    if shown(found, zone) != wanted:
        assert shown(found, zone) > wanted
        assert shown(found - SECOND, zone) < wanted, "the clocks go forward right there"


@given(zones, days, times)
def test_of_two_it_is_the_first(zone: ZoneInfo, day: date, at: time) -> None:
    found = moment(day, at, zone)
    wanted = datetime.combine(day, at)
    assert all(shown(found - minutes * 60_000, zone) != wanted for minutes in range(1, 181))


@given(zones, st.integers(946_684_800_000, 2_114_380_800_000), times)  # 2000 to 2036
def test_the_next_ones_follow_day_by_day(zone: ZoneInfo, after: int, at: time) -> None:
    found = [next_moment(after, at, zone)]
    for _ in range(3):
        found.append(next_moment(found[-1], at, zone))
    assert found[0] > after
    first = shown(found[0], zone).date()
    assert [moment(first + timedelta(days=n), at, zone) for n in range(4)] == found
    assert moment(first - timedelta(days=1), at, zone) <= after
