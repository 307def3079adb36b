"""Which days a date range of the list means, in the organisation's time zone."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rules.date_ranges import NAMES, Name, Range

BERLIN, LOS_ANGELES = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Los_Angeles")
ZONES = [BERLIN, LOS_ANGELES, ZoneInfo("Pacific/Apia"), ZoneInfo("Africa/Cairo"), ZoneInfo("UTC")]


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


NOW = at("2026-11-18T02:00:00+01:00")  # a Wednesday in Berlin, still Tuesday in Los Angeles


@pytest.mark.feature("FILT-03")
@pytest.mark.parametrize(
    ("wanted", "since", "until"),
    [
        (Range(), None, None),
        (Range(name="today"), "2026-11-18T00:00:00+01:00", None),
        (Range(name="week"), "2026-11-16T00:00:00+01:00", None),
        (Range(name="week", week_start=7), "2026-11-15T00:00:00+01:00", None),
        (Range(name="week", week_start=4), "2026-11-12T00:00:00+01:00", None),
        (Range(name="month"), "2026-11-01T00:00:00+01:00", None),
        (Range(name="30d"), "2026-10-20T00:00:00+02:00", None),
        (
            Range(name="custom", first=date(2026, 10, 24), last=date(2026, 10, 25)),
            "2026-10-24T00:00:00+02:00",
            "2026-10-26T00:00:00+01:00",
        ),
        (
            Range(name="custom", first=date(2026, 11, 1), last=date(2026, 11, 18)),
            "2026-11-01T00:00:00+01:00",
            None,
        ),
        (Range(name="custom", last=date(2026, 11, 17)), None, "2026-11-18T00:00:00+01:00"),
        (Range(name="custom", first=date(2026, 11, 1)), "2026-11-01T00:00:00+01:00", None),
    ],
)
def test_a_range_is_days_of_the_organisations_zone(
    wanted: Range, since: str | None, until: str | None
) -> None:
    expected = tuple(None if one is None else at(one) for one in (since, until))
    assert wanted.bounds(NOW, BERLIN) == expected


@pytest.mark.feature("FILT-03")
def test_the_same_moment_is_of_another_day_elsewhere() -> None:
    assert Range(name="today").bounds(NOW, LOS_ANGELES) == (at("2026-11-17T00:00:00-08:00"), None)


@given(
    st.sampled_from(NAMES),
    st.integers(at("2000-01-02T00:00:00+00:00"), at("2090-01-01T00:00:00+00:00")),
    st.sampled_from(ZONES),
    st.integers(1, 7),
)
def test_a_range_until_now_holds_this_moment_and_begins_a_day(
    name: Name, now: int, zone: ZoneInfo, week_start: int
) -> None:
    since, until = Range(name=name, week_start=week_start).bounds(now, zone)
    assert until is None
    if since is None:
        return
    begins = datetime.fromtimestamp(since / 1000, zone)
    assert since <= now < since + 32 * 86_400_000
    before = datetime.fromtimestamp(since / 1000 - 1, zone)
    assert before.date() < begins.date()
    if name == "week":
        assert begins.isoweekday() == week_start


@given(st.dates(date(2000, 1, 2), date(2080, 1, 1)), st.integers(0, 400), st.sampled_from(ZONES))
def test_days_that_are_over_end_where_the_next_begins(
    first: date, days: int, zone: ZoneInfo
) -> None:
    last = first + timedelta(days=days)
    now = at("2090-01-01T00:00:00+00:00")
    since, until = Range(name="custom", first=first, last=last).bounds(now, zone)
    following = last + timedelta(days=1)
    assert Range(name="custom", first=following, last=following).bounds(now, zone)[0] == until
    assert since is not None
    assert until is not None
    assert since < until or zone.key == "Pacific/Apia"  # which left out a day
