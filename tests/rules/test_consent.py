"""Words that mean something, which consent holds, and quiet hours."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from hub.rules.consent import WORDS, in_force, meaning_of, normalised
from hub.rules.hours import in_hours
from hub.rules.quiet import may_go_at, zone_of
from hub.rules.settings import Consent, Holiday, Hours, QuietHours, Span

PLAIN = Consent()
EVERY = Consent(languages=("de", "en", "es", "fr", "it", "nl", "pt"))


@pytest.mark.feature("CONT-03")
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("STOP", "stop"),
        (" stop.\n", "stop"),
        ("«Stop»!!", "stop"),
        ("Stop all", "stop"),
        ("STOPALL", "stop"),
        ("opt-out", "stop"),
        *((word, "stop") for word in ("UNSUBSCRIBE", "Cancel", "END", "quit", "REVOKE", "OPTOUT")),
        ("Start", "start"),
        ("UNSTOP?", "start"),
        ("help", "help"),
        ("Info", "help"),
        ("ⓢⓣⓞⓟ", "stop"),
        ("STOP please", None),
        ("Please stop the drilling at noon", None),
        ("the end", None),
        ("YES", None),
        ("ARRÊT", None),
        ("", None),
        ("...", None),
        ("stop" * 1000, None),
        ("🛑", None),
    ],
)
def test_only_a_word_by_itself_means_something(text: str, meant: str | None) -> None:
    assert meaning_of(text, PLAIN) == meant


@pytest.mark.feature("CONT-03")
def test_words_are_known_in_the_languages_of_the_organisation() -> None:
    for language, words in WORDS.items():
        said = Consent(languages=(language,))
        for meant in ("stop", "start", "help"):
            for word in getattr(words, meant):
                assert meaning_of(f" {word.upper()}! ", said) == meant, (language, word)
    assert meaning_of("Arrêt", EVERY) == meaning_of("ARRET", EVERY) == "stop"
    assert meaning_of("Começar", EVERY) == "start"
    assert meaning_of("parar", PLAIN) is None
    assert meaning_of("STOP", Consent(languages=())) == "stop", "in every language"
    for one in WORDS.values():
        assert not one.stop & (one.start | one.help)
        assert not one.start & one.help
        assert all(normalised(word) == word for word in one.stop | one.start | one.help)


@pytest.mark.feature("CONT-03")
def test_own_words_count_too_and_stopping_wins() -> None:
    said = Consent(stop_words=("Basta ya", "Enough"), start_words=("ENOUGH", "Moin"))
    assert meaning_of("¡basta  ya!", said) == "stop"
    assert meaning_of("enough", said) == "stop"
    assert meaning_of("moin.", said) == "start"
    assert meaning_of("Yes!", Consent(yes_opts_in=True)) == "yes"


class Told(Struct, frozen=True):
    own_address: str
    state: str
    at: int


told = st.builds(
    Told,
    own_address=st.sampled_from(["", "a", "b"]),
    state=st.sampled_from(["in", "out"]),
    at=st.integers(0, 5),
)


@pytest.mark.feature("CONT-03")
@given(st.lists(told, max_size=6), st.sampled_from(["a", "b"]))
def test_what_was_said_last_holds(tellings: list[Told], own: str) -> None:
    about = [one for one in tellings if one.own_address in {"", own}]
    held = in_force(tellings, own)
    assert (held is None) == (not about)
    if held is not None:
        last = [one for one in about if one.at == max(each.at for each in about)]
        assert held.at == last[0].at
        assert held.state == ("out" if any(one.state == "out" for one in last) else "in")
    unknown = in_force(tellings, "")
    named = {one.own_address for one in tellings} - {""}
    if any(held and held.state == "out" for held in (in_force(tellings, one) for one in named)):
        assert unknown is not None
        assert unknown.state == "out", "from whichever address it may go"


NEW_YORK, BERLIN = ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin")
QUIET = QuietHours(on=True, start="21:00", end="08:00")


def moment(text: str, zone: ZoneInfo) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


@pytest.mark.feature("CONT-03", "AUTO-03")
@pytest.mark.parametrize(
    ("at", "goes"),
    [
        ("2026-11-21T20:59:59", "2026-11-21T20:59:59"),
        ("2026-11-21T21:00:00", "2026-11-22T08:00:00"),
        ("2026-11-22T00:00:00", "2026-11-22T08:00:00"),
        ("2026-11-22T07:59:59", "2026-11-22T08:00:00"),
        ("2026-11-22T08:00:00", "2026-11-22T08:00:00"),
        ("2026-10-24T23:00:00", "2026-10-25T08:00:00"),  # the night is an hour longer
        ("2026-03-28T23:00:00", "2026-03-29T08:00:00"),  # an hour shorter
    ],
)
def test_what_goes_by_itself_waits_for_the_end_of_the_quiet_hours(at: str, goes: str) -> None:
    assert may_go_at(QUIET, moment(at, BERLIN), BERLIN) == moment(goes, BERLIN)


@given(
    st.integers(1_500_000_000_000, 2_000_000_000_000),
    st.times(),
    st.times(),
    st.sampled_from([NEW_YORK, BERLIN, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("UTC")]),
)
def test_the_end_of_quiet_hours_is_never_quiet(
    at: int, start: datetime, end: datetime, zone: ZoneInfo
) -> None:
    one, other = f"{start:%H:%M}", f"{end:%H:%M}"
    if one == other:
        return
    quiet = QuietHours(on=True, start=one, end=other)
    goes = may_go_at(quiet, at, zone)
    assert at <= goes <= at + 26 * 3_600_000
    assert may_go_at(quiet, goes, zone) == goes
    assert may_go_at(QuietHours(start=one, end=other), at, zone) == at, "switched off"


@pytest.mark.parametrize(
    ("number", "zone"),
    [
        ("+12125550100", "America/New_York"),
        ("+491701234567", "Europe/Berlin"),
        ("+18005550100", "Asia/Kathmandu"),  # all over the country
        ("+34600123456", "Asia/Kathmandu"),  # with islands an hour behind
        ("+999", "Asia/Kathmandu"),
        ("nobody", "Asia/Kathmandu"),
    ],
)
def test_a_number_tells_its_time_zone_where_that_is_certain(number: str, zone: str) -> None:
    at = round(datetime(2026, 11, 21, tzinfo=UTC).timestamp() * 1000)
    otherwise = ZoneInfo("Asia/Kathmandu")
    assert zone_of("phone", number, at, otherwise).key == zone
    assert zone_of("email", number, at, otherwise) is otherwise


def test_hours_are_by_the_day_and_holidays_are_closed() -> None:
    hours = Hours(
        saturday=(Span(opens="09:00", closes="12:00"), Span(opens="13:00", closes="24:00")),
        sunday=(),
        holidays=(Holiday(date=datetime(2026, 12, 25).date()),),  # noqa: DTZ001
    )
    for text, there in (
        ("2026-11-21T08:59:59", False),
        ("2026-11-21T09:00:00", True),
        ("2026-11-21T12:00:00", False),
        ("2026-11-21T23:59:59", True),
        ("2026-11-22T12:00:00", False),
        ("2026-11-23T03:00:00", True),
        ("2026-12-25T12:00:00", False),
    ):
        assert in_hours(hours, moment(text, NEW_YORK), NEW_YORK) is there, text
