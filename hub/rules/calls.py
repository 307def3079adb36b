"""What is told of a call, added up: in any order, and however often it is told.

A call is one entry. What it says, and what search finds, is what is left of it in words.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from hub.plugin.types import MediaRef
from hub.rules.news import CallEnd, CallNews, CallReport, Recorded, Said, Transcribed, VoicemailLeft

Later = TypeVar("Later", Transcribed, CallReport)

QUIET_MS = 4 * 3600 * 1000
"""After so long without any news a call is over, though no end of it was told."""
UNKNOWN = "unknown"
"""The outcome of a call of which nobody was told how it ended."""
_RANK = {
    UNKNOWN: 0,
    "canceled": 1,
    "failed": 2,
    "busy": 3,
    "missed": 4,
    "answered": 5,
    "voicemail": 6,
}
"""Of several outcomes that are told of one call, the one that says most."""
UNANSWERED = frozenset({"missed", "busy", "failed", "canceled", "voicemail", UNKNOWN})
"""Outcomes of a call from a contact that leave, or may leave, somebody without an answer."""


class Resolution(Struct, frozen=True, kw_only=True):
    """A member has seen to a call, as far as it was told then: its ``outcome``, and whether it had
    been ``handed_over``. ``at`` in milliseconds."""

    at: int
    by: str
    outcome: str | None
    handed_over: bool


class Call(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call as far as it was told. ``outcome``: ``None`` while it lasts, ``UNKNOWN`` when its end
    was waited for in vain (what came of it says ``outcome_of``); ``duration`` in seconds;
    ``turns``: what was said while it lasted, by number; ``transcript``: (seconds from the start,
    speaker, words) each; ``message``: seconds of the voicemail; ``voicemail``: its words;
    ``report``: of the provider's own agent; ``handed_over``: any such report said so; ``sounds``:
    where recordings and voicemails lay, each of which is a file of the entry. What members did:
    ``resolution``, and when what was promised was done (``followed_up_at``). ``asks``: the
    conversation needs a response because of this call alone."""

    outcome: str | None = None
    duration: float | None = None
    ended_at: int | None = None
    turns: tuple[Said, ...] = ()
    transcript: Transcribed | None = None
    message: float | None = None
    voicemail: str | None = None
    report: CallReport | None = None
    handed_over: bool = False
    sounds: tuple[MediaRef, ...] = ()
    resolution: Resolution | None = None
    followed_up_at: int | None = None
    asks: bool = False


def after(call: Call, news: CallNews) -> Call:
    """``call`` after ``news`` of it."""
    match news:
        case CallEnd():
            return replace(
                _came_to(call, news.outcome),
                duration=_longest(call.duration, news.duration),
                ended_at=news.at if call.ended_at is None else min(call.ended_at, news.at),
            )
        case Said():
            return replace(call, turns=_with_turn(call.turns, news))
        case Recorded():
            return _with_sound(call, news.media)
        case Transcribed():
            return replace(call, transcript=_later(call.transcript, news))
        case VoicemailLeft():
            call = _came_to(call, "voicemail")
            call = replace(call, message=_longest(call.message, news.duration))
            call = _with_sound(call, news.media)
            # Told once without its words and once with them: the words stay.
            said = max(filter(None, (call.voicemail, news.text)), key=_length, default=None)
            return replace(call, voicemail=said)
        case CallReport():
            return replace(
                call,
                report=_later(call.report, news),
                handed_over=call.handed_over or news.handed_over,
            )


def heard_at(call: Call) -> int | None:
    """When the last thing was said that was told while the call lasted, in milliseconds."""
    return max((one.at for one in call.turns), default=None)


def given_up(call: Call) -> Call:
    """``call`` when nothing was told of it for so long that it must be over. Whatever is told of
    its end later says more."""
    return _came_to(call, UNKNOWN)


def outcome_of(call: Call) -> str | None:
    """What came of a call; ``None`` while it lasts. One whose end was never told was answered, if
    there is what only comes of that: a recording, its words, an agent's report."""
    taken = call.sounds or call.transcript is not None or call.report is not None
    return "answered" if call.outcome == UNKNOWN and taken else call.outcome


def unresolved(direction: str, call: Call) -> bool:
    """Whether a person has to see to a call of a contact: nobody has answered it, or the agent who
    did left it to them. What was resolved comes up again only if it turns out to be more than was
    known then, such as a voicemail."""
    if direction != "in":
        return False
    done = call.resolution
    if call.handed_over and (done is None or not done.handed_over):
        return True
    outcome = outcome_of(call)
    if outcome not in UNANSWERED:
        return False
    if done is None:
        return True
    # Who has seen to a call that may have been missed has seen to one that was.
    known = "answered" if done.outcome == UNKNOWN else done.outcome
    return known is not None and _RANK[outcome] > _RANK[known]


def resolved(call: Call, at: int, by: str) -> Call:
    """``call`` after the member ``by`` has seen to it."""
    done = Resolution(at=at, by=by, outcome=outcome_of(call), handed_over=call.handed_over)
    return replace(call, resolution=done)


def followed_up(call: Call, at: int, *, done: bool) -> Call:
    """``call`` with what was promised in it done, or not."""
    if not done:
        return replace(call, followed_up_at=None)
    return call if call.followed_up_at is not None else replace(call, followed_up_at=at)


def _with_sound(call: Call, ref: MediaRef | None) -> Call:
    if ref is None or ref in call.sounds:
        return call
    return replace(call, sounds=tuple(sorted((*call.sounds, ref), key=repr)))


def _came_to(call: Call, outcome: str) -> Call:
    if call.outcome is not None and _RANK[call.outcome] >= _RANK[outcome]:
        return call
    return replace(call, outcome=outcome)


def _longest(one: float | None, other: float | None) -> float | None:
    return max((each for each in (one, other) if each is not None), default=None)


def _length(text: str) -> tuple[int, str]:
    return len(text), text


def _with_turn(known: tuple[Said, ...], news: Said) -> tuple[Said, ...]:
    same = next((one for one in known if one.number == news.number), None)
    if same is not None and _order(same) >= _order(news):
        return known
    others = (one for one in known if one is not same)
    return tuple(sorted((*others, news), key=lambda one: one.number))


def _later(known: Later | None, news: Later) -> Later:
    return news if known is None or _order(news) > _order(known) else known


def _order(news: CallNews) -> tuple[int, str]:
    return news.at, repr(news)


def lines(call: Call) -> list[tuple[float | None, str, str]]:
    """What was said, (seconds from the start, speaker, words) each: the transcript, or, as long as
    there is none, what was heard while the call lasted."""
    if call.transcript is not None:
        return list(call.transcript.turns)
    return [(None, one.speaker, one.text) for one in call.turns]


def text(call: Call) -> str:
    """All of a call's words."""
    parts: list[str] = []
    if call.report is not None:
        parts.append(call.report.summary)
        parts += [f"{label}: {value}" for label, value in call.report.facts.items()]
        parts += [part for part in (call.report.outcome, call.report.follow_up) if part]
    if call.voicemail:
        parts.append(call.voicemail)
    parts += [f"{speaker}: {words}" for _, speaker, words in lines(call)]
    return "\n".join(parts)


_SHORT = {
    ("in", "missed"): "Missed call",
    ("in", "busy"): "Missed call",
    ("in", "canceled"): "Missed call",
    ("out", "missed"): "Voice call - not answered",
    ("out", "busy"): "Voice call - busy",
    ("out", "canceled"): "Voice call - canceled",
    ("out", "voicemail"): "Voicemail left",
}


def preview(direction: str, call: Call, status: str | None = None) -> str:
    """A call in one line: "Voice call - 41s - ended", "Voicemail - 0:38". ``status``: of one that
    is made from here, whether it could be."""
    outcome = outcome_of(call)
    if outcome in {None, UNKNOWN} and status in {"failed", "canceled"}:
        return f"Voice call - {status}"
    if outcome is None and not call.handed_over:
        return "Incoming call" if direction == "in" else "Outgoing call"
    if short := _SHORT.get((direction, outcome or "")):
        return short
    if outcome == "failed":
        return "Voice call - failed"
    if outcome == "voicemail":
        return f"Voicemail{_lasted(call.message, clock=True)}"
    if outcome == UNKNOWN and not call.handed_over:
        return "Voice call - end unknown"
    ended = "handed over" if call.handed_over else "ended"
    return f"Voice call{_lasted(call.duration)} - {ended}"


def _lasted(seconds: float | None, *, clock: bool = False) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    if clock:
        return f" - {minutes}:{rest:02}"
    return f" - {minutes}m {rest}s" if minutes else f" - {rest}s"
