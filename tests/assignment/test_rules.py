"""Who is next, and how long a time is that counts the hours somebody is there."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rules.assignment import Candidate, chosen, takes_part
from hub.rules.hours import due_at, in_hours, late_since
from hub.rules.settings import DAYS, Assignment, ChannelAssignment, Holiday, Hours, Span

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
RIGHTS = st.frozensets(
    st.sampled_from(["messages.view", "messages.send", "messages.send_gated", "audit.view"])
)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    return [
        Candidate(
            id=id_,
            name=f"M{id_}",
            active=draw(st.booleans() | st.just(True)),
            available=draw(st.booleans() | st.just(True)),
            capabilities=draw(st.just(frozenset({"messages.view", "messages.send"})) | RIGHTS),
            channels=draw(st.none() | st.frozensets(st.sampled_from(["a", "b"]))),
        )
        for id_ in range(1, draw(st.integers(0, 6)) + 1)
    ]


WAYS = st.builds(
    Assignment,
    mode=st.sampled_from(["off", "round_robin", "least_busy"]),
    members=st.none() | st.lists(st.sampled_from(list("123456"))).map(tuple),
    channels=st.just(())
    | st.just((ChannelAssignment(channel_id="b", mode="round_robin", members=("2", "3")),)),
)


@pytest.mark.feature("ASGN-03")
@given(
    candidates(),
    WAYS,
    st.sampled_from(["a", "b"]),
    st.dictionaries(st.integers(1, 6), st.integers(0, 9)),
)
def test_only_who_is_there_and_may_is_ever_chosen(
    members: list[Candidate], settings: Assignment, channel: str, turns: dict[int, int]
) -> None:
    way = settings.of(channel)
    found = chosen(way, channel, members, turns, lambda _: 0)
    may = [one for one in members if takes_part(one, way, channel)]
    assert (found is None) == (way.mode == "off" or not may), "nobody is passed over for no reason"
    if found is not None:
        assert found.active
        assert found.available
        assert "messages.view" in found.capabilities
        assert found.capabilities & {"messages.send", "messages.send_gated"}
        assert found.channels is None or channel in found.channels
        assert way.members is None or str(found.id) in way.members


@pytest.mark.feature("ASGN-03")
@given(candidates(), st.integers(1, 40), st.dictionaries(st.integers(1, 6), st.integers(0, 9)))
def test_in_turn_nobody_has_two_more_than_anybody(
    members: list[Candidate], rounds: int, turns: dict[int, int]
) -> None:
    way, given_ = Assignment(mode="round_robin"), Counter[int]()
    for _ in range(rounds):
        found = chosen(way, "a", members, turns, lambda _: 0)
        if found is None:
            assert not any(takes_part(one, way, "a") for one in members)
            return
        turns[found.id] = max(turns.values(), default=0) + 1
        given_[found.id] += 1
    counts = [given_[one.id] for one in members if takes_part(one, way, "a")]
    assert max(counts) - min(counts) <= 1


@pytest.mark.feature("ASGN-03")
@given(candidates(), st.dictionaries(st.integers(1, 6), st.integers(0, 5)))
def test_least_busy_is_who_has_the_fewest_and_then_waited_longest(
    members: list[Candidate], busy: dict[int, int]
) -> None:
    way = Assignment(mode="least_busy")
    turns = {id_: 9 - id_ for id_ in range(1, 7)}
    found = chosen(way, "a", members, turns, lambda id_: busy.get(id_, 0))
    may = [one for one in members if takes_part(one, way, "a")]
    if found is not None:
        fewest = min(busy.get(one.id, 0) for one in may)
        assert busy.get(found.id, 0) == fewest
        assert found.id == max(one.id for one in may if busy.get(one.id, 0) == fewest)


OFFICE = Hours(
    **{day: (Span(opens="09:00", closes="17:00"),) for day in DAYS[:5]},
    saturday=(),
    sunday=(),
    holidays=(Holiday(date=dt.date(2026, 12, 25), name="Christmas"),),
)
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN) -> int:
    return round(dt.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


@pytest.mark.feature("ASGN-04")
@pytest.mark.parametrize(
    ("since", "minutes", "due"),
    [
        ("2026-11-19 10:00", 60, "2026-11-19 11:00"),
        ("2026-11-19 16:30", 60, "2026-11-20 09:30"),  # overnight
        ("2026-11-19 16:00", 60, "2026-11-19 17:00"),  # to the minute they go
        ("2026-11-20 16:30", 60, "2026-11-23 09:30"),  # over a weekend
        ("2026-11-21 12:00", 60, "2026-11-23 10:00"),  # written on a Saturday
        ("2026-12-24 16:30", 60, "2026-12-28 09:30"),  # Christmas is a Friday
        ("2026-11-19 08:00", 480, "2026-11-19 17:00"),
        ("2026-11-19 08:00", 481, "2026-11-20 09:01"),
    ],
)
def test_only_hours_in_which_somebody_is_there_count(since: str, minutes: int, due: str) -> None:
    assert due_at(OFFICE, BERLIN, at(since), minutes) == at(due)


def test_a_day_on_which_the_clocks_change_has_the_hours_it_has() -> None:
    around = Hours()
    assert due_at(around, BERLIN, at("2026-03-29 00:00"), 23 * 60) == at("2026-03-30 00:00")
    assert due_at(around, BERLIN, at("2026-10-25 00:00"), 25 * 60) == at("2026-10-26 00:00")


def test_where_nobody_is_ever_there_nothing_is_due() -> None:
    never = Hours(**dict.fromkeys(DAYS, ()))
    assert due_at(never, BERLIN, at("2026-11-19 10:00"), 1) is None
    assert late_since(never, BERLIN, at("2026-11-19 10:00"), 1) is None


SPANS = st.sampled_from(
    [
        (),
        (Span(opens="00:00", closes="24:00"),),
        (Span(opens="09:00", closes="12:30"), Span(opens="13:00", closes="17:00")),
        (Span(opens="22:00", closes="24:00"), Span(opens="00:00", closes="02:30")),
    ]
)
HOURS = st.builds(
    Hours,
    **dict.fromkeys(DAYS, SPANS),
    holidays=st.just(()) | st.just((Holiday(date=dt.date(2026, 10, 25)),)),
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]).map(
    ZoneInfo
)


@pytest.mark.feature("ASGN-04")
@given(
    HOURS, ZONES, st.integers(0, 40 * DAY), st.integers(1, 3_000), st.integers(-2 * DAY, 2 * DAY)
)
def test_late_is_what_was_due(
    hours: Hours, zone: ZoneInfo, offset: int, minutes: int, beside: int
) -> None:
    """Which conversations are late is asked of the database by since when they wait; which moment
    each is due at is told in its row. Both say the same, to the millisecond."""
    now = at("2026-10-10 00:00", ZoneInfo("UTC")) + offset
    late = late_since(hours, zone, now, minutes)
    for since in {
        now - 1,
        now - minutes * MINUTE,
        now + beside,
        *([] if late is None else [late, late + 1]),
    }:
        due = due_at(hours, zone, since, minutes)
        assert (due is not None and due <= now) == (late is not None and since <= late)


@given(HOURS, ZONES, st.integers(0, 40 * DAY), st.integers(1, 600))
def test_what_is_due_is_due_while_somebody_is_there(
    hours: Hours, zone: ZoneInfo, offset: int, minutes: int
) -> None:
    due = due_at(hours, zone, at("2026-10-10 00:00", zone) + offset, minutes)
    assert due is None or in_hours(hours, due - 1, zone)
