"""What is told of a message adds up to the same in any order, and however often it is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.rules import calls, updates
from hub.rules import content as contents
from hub.rules.content import Content
from hub.rules.news import (
    CallEnd,
    CallReport,
    Click,
    Deletion,
    Edit,
    News,
    Open,
    Reaction,
    Said,
    Transcribed,
    VoicemailLeft,
)
from hub.rules.states import Entry

ENTRY = Entry(
    id=1, organisation_id=1, thread_id=1, seq=1, kind="message", grouping="texts", direction="out",
    author_kind="member", content=contents.encode(Content(text="first")), preview="first",
    occurred_at=1_000, sort_at=1_000, created_at=1_000,
)  # fmt: skip

CALL = replace(ENTRY, kind="call", direction="in", preview="Incoming call")

at = st.integers(0, 4)
counted = st.builds(Open, at=at) | st.builds(Click, at=at, url=st.sampled_from("ab"))
kept = st.one_of(
    st.builds(Edit, at=at, text=st.sampled_from(["", "one", "two"]), html=st.none()),
    st.builds(Deletion, at=at),
    st.builds(
        Reaction,
        at=at,
        scheme=st.just("phone"),
        value=st.sampled_from("xyz"),
        emoji=st.sampled_from(["👍", "❤️", None]),
    ),
)


@given(
    st.lists(counted | kept, max_size=8).flatmap(
        lambda n: st.tuples(st.just(n), st.permutations(n))
    )
)
def test_the_order_does_not_matter(told: tuple[list[News], list[News]]) -> None:
    one, other = told
    assert updates.after(ENTRY, *one) == updates.after(ENTRY, *other)


@given(st.lists(kept, max_size=6))
def test_what_is_told_again_changes_nothing(news: list[News]) -> None:
    once = updates.after(ENTRY, *news)
    assert updates.after(once, *news) is once


@pytest.mark.feature("THRD-12")
def test_every_wording_is_kept_and_the_newest_is_shown() -> None:
    entry = updates.after(ENTRY, Edit(at=20, text="third"), Edit(at=10, text="second"))
    assert contents.decode(entry.content).text == entry.preview == "third"
    wordings = updates.decode(entry.updates).wordings
    assert [one.text for one in wordings] == ["first", "second", "third"]


@pytest.mark.feature("THRD-12")
def test_what_is_taken_back_keeps_its_words() -> None:
    entry = updates.after(ENTRY, Deletion(at=10), Edit(at=5, text="second"))
    assert entry.preview == updates.TAKEN_BACK
    assert contents.decode(entry.content).text == "second"


@pytest.mark.feature("THRD-04")
def test_engagement_is_counted_with_the_link_followed_last() -> None:
    news = (Open(at=9), Click(at=8, url="b"), Open(at=3), Click(at=4, url="a"))
    told = updates.decode(updates.after(ENTRY, *news).updates)
    assert told.opens == updates.Times(count=2, first_at=3, last_at=9)
    assert told.clicks == updates.Times(count=2, first_at=4, last_at=8)
    assert told.clicked_url == "b"


text = st.sampled_from(["", "yes", "no"])
of_calls = st.one_of(
    st.builds(
        CallEnd,
        at=at,
        outcome=st.sampled_from(["answered", "missed", "busy", "failed", "voicemail", "canceled"]),
        duration=st.none() | st.integers(0, 99).map(float),
    ),
    st.builds(Said, at=at, number=st.integers(1, 3), speaker=st.just("customer"), text=text),
    st.builds(Transcribed, at=at, turns=st.tuples(st.tuples(st.none(), st.just("agent"), text))),
    st.builds(VoicemailLeft, at=at, attachment_id=st.just(0), text=st.none() | text),
    st.builds(CallReport, at=at, summary=text, facts=st.just({"Address": "1 Way"})),
)


@pytest.mark.feature("VOIC-01")
@given(st.lists(of_calls, max_size=8).flatmap(lambda n: st.tuples(st.just(n), st.permutations(n))))
def test_a_call_is_the_same_in_any_order_and_however_often(
    told: tuple[list[News], list[News]],
) -> None:
    one, other = told
    call = updates.after(CALL, *one)
    assert call == updates.after(CALL, *other)
    assert updates.after(call, *one) is call


@given(st.lists(of_calls), st.lists(counted | kept))
def test_calls_are_not_edited_and_messages_do_not_ring(
    of_call: list[News], of_message: list[News]
) -> None:
    assert updates.after(ENTRY, *of_call) is ENTRY
    assert updates.after(CALL, *of_message) is CALL


@pytest.mark.feature("VOIC-01")
@pytest.mark.parametrize(
    ("direction", "outcome", "line"),
    [
        ("in", "missed", "Missed call"),
        ("in", "voicemail", "Voicemail"),
        ("out", "missed", "Voice call - not answered"),
        ("out", "failed", "Voice call - failed"),
        ("in", "answered", "Voice call - 4m 12s - ended"),
    ],
)
def test_a_call_in_one_line(direction: str, outcome: str, line: str) -> None:
    call = calls.after(calls.Call(), CallEnd(at=0, outcome=outcome, duration=252.0))
    assert calls.preview(direction, call) == line
