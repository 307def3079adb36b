"""What a call asks of the team, and what a conversation is after one was moved."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from hub.plugin import MediaRef
from hub.rules import calls, threads
from hub.rules.calls import Call
from hub.rules.news import CallEnd, CallNews, CallReport, Recorded, Said, VoicemailLeft
from hub.rules.states import Entry, Thread, ThreadChannel


class GivenUp(Struct, frozen=True):
    """The clock has waited long enough."""


outcomes = st.sampled_from(["answered", "missed", "busy", "failed", "voicemail", "canceled"])
at = st.integers(0, 4)
told = st.one_of(
    st.builds(CallEnd, at=at, outcome=outcomes, duration=st.none() | st.just(41.0)),
    st.builds(VoicemailLeft, at=at, attachment_id=st.just(0), text=st.sampled_from([None, "Hi"])),
    st.builds(
        CallReport, at=at, summary=st.sampled_from(["a", "b"]), facts=st.just({}),
        handed_over=st.booleans(),
    ),
    st.builds(Recorded, at=at, attachment_id=st.just(0), media=st.just(MediaRef(url="a"))),
    st.builds(Said, at=at, number=st.integers(1, 2), speaker=st.just("a"), text=st.just("b")),
    st.builds(GivenUp),
)  # fmt: skip
histories = st.lists(told, max_size=6)


def after(news: Sequence[CallNews | GivenUp], call: Call | None = None) -> Call:
    def one(call: Call, told: CallNews | GivenUp) -> Call:
        return calls.given_up(call) if isinstance(told, GivenUp) else calls.after(call, told)

    return reduce(one, news, call or Call())


@pytest.mark.feature("VOIC-02")
@given(histories.flatmap(lambda one: st.tuples(st.just(one), st.permutations(one))))
def test_whatever_comes_first_the_same_calls_are_unresolved(
    both: tuple[list[CallNews | GivenUp], list[CallNews | GivenUp]],
) -> None:
    one, other = map(after, both)
    assert one == other
    assert calls.preview("in", one) == calls.preview("in", other)
    ends = [told for told in both[0] if isinstance(told, CallEnd | VoicemailLeft)]
    taken = any(isinstance(told, Recorded | CallReport) for told in both[0])
    given_up = any(isinstance(told, GivenUp) for told in both[0])
    if ends or not given_up:
        assert calls.outcome_of(one) == one.outcome != "unknown"
        assert (one.outcome is None) == (not ends)
    else:
        assert calls.outcome_of(one) == ("answered" if taken else "unknown")
    left_alone = calls.outcome_of(one) not in {None, "answered"}
    assert calls.unresolved("in", one) == (left_alone or one.handed_over)
    assert not calls.unresolved("out", one)


@pytest.mark.feature("VOIC-02")
@given(histories, histories)
def test_who_has_seen_to_a_call_is_asked_again_only_for_more(
    before: list[CallNews | GivenUp], later: list[CallNews | GivenUp]
) -> None:
    known = after(before)
    done = calls.resolved(known, 5, "Ana")
    assert not calls.unresolved("in", done)
    again = after(before, done)
    assert not calls.unresolved("in", again), "told again it says nothing new"
    more = after(later, done)
    if calls.unresolved("in", more):
        assert (more.outcome, more.handed_over) != (known.outcome, known.handed_over)
        assert calls.outcome_of(more) != "unknown" or more.handed_over
        assert not calls.unresolved("in", calls.resolved(more, 6, "Ben"))


def test_a_promise_is_kept_once() -> None:
    call = calls.followed_up(Call(), 5, done=True)
    assert calls.followed_up(call, 6, done=True).followed_up_at == 5
    assert calls.followed_up(call, 6, done=False) == Call()


# ------------------------------------------------------------------ moving

THREAD = Thread(id=1, organisation_id=1, contact_id=1, created_at=3)


@st.composite
def timelines(draw: st.DrawFn) -> list[Entry]:
    """Entries in the order of their arrival; what they are ordered by may be another one."""
    kinds = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["message", "call", "note", "system"]),
                st.sampled_from(["in", "out"]),
                st.sampled_from(["sms", "voice"]),
                st.integers(10, 20),
            ),
            min_size=1,
            max_size=8,
        )
    )
    return [
        Entry(
            id=number,
            organisation_id=1,
            thread_id=1,
            seq=number,
            kind=kind,
            grouping="texts",
            direction=direction if kind in {"message", "call"} else "internal",
            channel_id=channel if kind in {"message", "call"} else None,
            address=f"+1{number}",
            own_address=f"+2{number}",
            author_kind="contact",
            content="{}",
            preview=f"no. {number}",
            occurred_at=sort_at,
            sort_at=sort_at,
            created_at=sort_at,
        )
        for number, (kind, direction, channel, sort_at) in enumerate(kinds, 1)
    ]


def built(entries: list[Entry]) -> tuple[Thread, dict[str, ThreadChannel]]:
    """A conversation as it grows."""
    thread, channels = THREAD, dict[str, ThreadChannel]()
    for entry in entries:
        if entry.kind == "system":
            thread = threads.after_system(thread, entry)
        elif entry.kind == "note":
            thread = threads.after_note(thread, entry)
        elif entry.direction == "in":
            thread = threads.after_inbound(thread, entry, asks=False)
        else:
            thread = threads.after_outbound(thread, entry, answers=False)
        row = threads.channel_after(channels.get(entry.channel_id or ""), thread, entry)
        if row is not None:
            channels[row.channel_id] = row
    return thread, channels


@pytest.mark.feature("VOIC-03")
@given(timelines(), st.integers(0, 7))
def test_a_conversation_without_a_call_is_as_if_it_had_never_been_there(
    entries: list[Entry], pick: int
) -> None:
    gone = entries[pick % len(entries)]
    if gone.kind != "call":
        gone = replace(gone, kind="call", direction="in", channel_id="voice")
        entries[pick % len(entries)] = gone
    others = [one for one in entries if one is not gone]
    (thread, channels), (wanted, rows) = built(entries), built(others)
    found = threads.moved(thread, others)
    kept = ["seq", "unread"]
    if wanted.last_entry_id is None:
        kept += ["sort_at", "active_at"]
        assert found.sort_at == threads.NOWHERE
    if not wanted.has_inbound:
        kept.append("channel_id")  # whichever was sent on last: by arrival, or by its time
    assert replace(found, **{name: getattr(wanted, name) for name in kept}) == wanted

    assert gone.channel_id is not None
    own = [one for one in others if one.channel_id == gone.channel_id]
    row = threads.channel_moved(channels[gone.channel_id], thread, gone.channel_id, own)
    assert row == rows.get(gone.channel_id)


@pytest.mark.feature("VOIC-03")
@given(timelines())
def test_a_call_moved_in_is_as_if_it_had_come_there(entries: list[Entry]) -> None:
    call = replace(entries[-1], kind="call", direction="in", channel_id="voice", sort_at=15)
    before, rows = built(entries[:-1])
    wanted, wanted_rows = built([*entries[:-1], call])
    found = threads.moved(replace(before, seq=call.seq), [*entries[:-1], call])
    assert found == wanted
    own = [one for one in (*entries[:-1], call) if one.channel_id == "voice"]
    row = threads.channel_moved(rows.get("voice"), before, "voice", own)
    assert row == wanted_rows["voice"]
