"""Segments as Twilio's own calculator has them, and what holds for every text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.plugin.sms import GSM7_BASIC, GSM7_EXTENDED, LIMITS, count
from tests import recorded

GSM7 = st.text(st.sampled_from(sorted(GSM7_BASIC | GSM7_EXTENDED)), max_size=500)
ANY = st.text(max_size=300)


def test_the_providers_own_cases() -> None:
    for case in recorded.load("twilio/segment_cases.json"):
        counted = count(case["body"])
        assert counted.encoding == case["encoding"], case["testDescription"]
        assert counted.segments == case["segments"], case["testDescription"]
        unit = 7 if counted.encoding == "GSM-7" else 16
        assert counted.units * unit == case["messageSize"], case["testDescription"]


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments", "left", "wide"),
    [
        ("", "GSM-7", 0, 0, 160, None),
        ("a", "GSM-7", 1, 1, 159, None),
        ("€", "GSM-7", 2, 1, 158, None),
        ("\f", "GSM-7", 2, 1, 158, None),
        ("ç", "UCS-2", 1, 1, 69, "ç"),
        ("tab\tand \u2019", "UCS-2", 9, 1, 61, "\t"),
        ("😀", "UCS-2", 2, 1, 68, "😀"),
        ("a" * 160, "GSM-7", 160, 1, 0, None),
        ("a" * 161, "GSM-7", 161, 2, 145, None),
        ("a" * 306, "GSM-7", 306, 2, 0, None),
        ("ж" * 71, "UCS-2", 71, 2, 63, "ж"),
        # The escape pair does not fit into the last septet of the first part.
        ("a" * 152 + "€" + "a" * 10, "GSM-7", 164, 2, 141, None),
        ("ж" * 66 + "😀" + "ж" * 10, "UCS-2", 78, 2, 55, "ж"),
    ],
)
def test_the_boundaries(text, encoding, units, segments, left, wide) -> None:
    counted = count(text)
    assert (counted.encoding, counted.units, counted.segments) == (encoding, units, segments)
    assert (counted.left, counted.wide) == (left, wide)


def test_the_alphabet_is_whole() -> None:
    assert len(GSM7_BASIC) == 127  # 128 places, one of which is the escape
    assert len(GSM7_EXTENDED) == 10
    assert not GSM7_BASIC & GSM7_EXTENDED


@given(GSM7)
def test_the_alphabet_stays_narrow(text: str) -> None:
    counted = count(text)
    assert counted.encoding == "GSM-7"
    assert counted.wide is None
    assert counted.units == len(text) + sum(text.count(c) for c in GSM7_EXTENDED)


@given(ANY)
def test_units_fill_the_segments(text: str) -> None:
    counted = count(text)
    alone, part = LIMITS[counted.encoding]
    assert (counted.units <= alone) == (counted.segments <= 1)
    if counted.segments > 1:
        wasted = counted.segments * part - counted.units - counted.left
        assert 0 <= wasted < counted.segments
    if counted.encoding == "UCS-2":
        assert counted.units == len(text.encode("utf-16-le", "surrogatepass")) // 2


@given(ANY, st.characters())
def test_writing_on_never_takes_a_segment_away(text: str, letter: str) -> None:
    before, after = count(text), count(text + letter)
    if before.encoding == after.encoding:
        assert before.segments <= after.segments <= before.segments + 1
    else:
        assert after.wide == letter


@given(ANY)
def test_what_is_left_is_what_still_fits(text: str) -> None:
    counted = count(text)
    filler = "a" if counted.encoding == "GSM-7" else "ж"
    segments = max(1, counted.segments)
    assert count(text + filler * counted.left).segments == segments
    assert count(text + filler * (counted.left + 1)).segments == segments + 1
