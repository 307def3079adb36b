"""What is told of a message after it was written: edits, a withdrawal, reactions, opens and clicks.

Such news come in any order, more than once, and sometimes before the message. What they add up to
depends neither on their order nor on repetition; only opens and clicks are counted, and whoever
counts them sees to it that each is told once.
"""

from __future__ import annotations

from functools import reduce

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hub.rules import calls
from hub.rules import content as contents
from hub.rules.content import one_line
from hub.rules.news import CallNews, Click, Deletion, Edit, News, Open, Reaction
from hub.rules.states import Entry

TAKEN_BACK = "Message was taken back"
"""The preview of a message that its sender has deleted."""


class Wording(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a message said since ``at`` (milliseconds)."""

    at: int
    text: str
    html: str | None = None


class Times(Struct, frozen=True, kw_only=True):
    """How often something happened, and when first and last (milliseconds)."""

    count: int
    first_at: int
    last_at: int


class Updates(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything told of an entry. ``wordings``: what it said, the original first, the newest last;
    empty if it was never edited. ``reactions`` hold those that were taken back, too, so that one
    that comes late does not bring them back. ``clicked_url``: the link followed last.
    ``first_preview``: the preview of the original. ``call``: of an entry that is one."""

    wordings: tuple[Wording, ...] = ()
    first_preview: str | None = None
    deleted_at: int | None = None
    reactions: tuple[Reaction, ...] = ()
    opens: Times | None = None
    clicks: Times | None = None
    clicked_url: str | None = None
    call: calls.Call | None = None


NOTHING = Updates()

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Updates)


def decode(text: str | None) -> Updates:
    """From the store; ``None``: nothing was told."""
    return NOTHING if text is None else _decoder.decode(text)


def withdrawn(entry: Entry) -> bool:
    """Whether its sender has taken a message back."""
    return entry.kind == "message" and decode(entry.updates).deleted_at is not None


def after(entry: Entry, *news: News) -> Entry:
    """``entry`` after ``news`` of it; the same object if they say nothing new. What can be told of
    calls alone says nothing of a message, and the other way round."""
    return reduce(_after, news, entry)


def _after(entry: Entry, news: News) -> Entry:
    before = decode(entry.updates)
    if isinstance(news, CallNews):
        return _called(entry, before, news) if entry.kind == "call" else entry
    if entry.kind == "call":
        return entry
    match news:
        case Edit():
            return _edited(entry, before, news)
        case Deletion():
            changed = replace(
                before,
                deleted_at=_earlier(before.deleted_at, news.at),
                first_preview=_first_preview(entry, before),
            )
        case Reaction():
            changed = replace(before, reactions=_with_reaction(before.reactions, news))
        case Open():
            changed = replace(before, opens=_once_more(before.opens, news.at))
        case Click():
            changed = _clicked(before, news)
    entry = _with(entry, before, changed)
    return entry if changed.deleted_at is None else _previewed(entry, TAKEN_BACK)


def call_of(entry: Entry) -> calls.Call:
    """What was told of a call."""
    return decode(entry.updates).call or calls.Call()


def given_up(entry: Entry) -> Entry:
    """A call when nothing was told of it for so long that it must be over; the same object if that
    says nothing new."""
    before = decode(entry.updates)
    call = calls.given_up(before.call or calls.Call())
    changed = _with(entry, before, replace(before, call=call))
    if changed is entry:
        return entry
    return _previewed(changed, calls.preview(entry.direction, call, entry.status))


def with_call(entry: Entry, call: calls.Call) -> Entry:
    """``entry`` with what members did about the call; the same object if it says nothing new."""
    before = decode(entry.updates)
    return _with(entry, before, replace(before, call=call))


def unresolved(entry: Entry) -> bool:
    """Whether it is a call that a person has to see to."""
    return entry.kind == "call" and calls.unresolved(entry.direction, call_of(entry))


def reached(entry: Entry) -> bool:
    """Whether it is a call to a contact that they have answered."""
    return entry.direction == "out" and calls.outcome_of(call_of(entry)) == "answered"


def _called(entry: Entry, before: Updates, news: CallNews) -> Entry:
    call = calls.after(before.call or calls.Call(), news)
    changed = _with(entry, before, replace(before, call=call))
    if changed is entry:
        return entry
    said = msgspec.structs.replace(contents.decode(entry.content), text=calls.text(call))
    changed = replace(changed, content=contents.encode(said))
    return _previewed(changed, calls.preview(entry.direction, call, entry.status))


def _with(entry: Entry, before: Updates, changed: Updates) -> Entry:
    if changed == before:
        return entry
    return replace(entry, updates=_encoder.encode(changed).decode())


def _previewed(entry: Entry, preview: str) -> Entry:
    return entry if entry.preview == preview else replace(entry, preview=preview)


def _edited(entry: Entry, before: Updates, news: Edit) -> Entry:
    content = contents.decode(entry.content)
    original, *edits = before.wordings or (
        Wording(at=entry.occurred_at, text=content.text, html=content.html),
    )
    wording = Wording(at=news.at, text=news.text, html=news.html)
    if wording in edits:
        return entry
    # The original comes first whatever the clocks say.
    edits = sorted([*edits, wording], key=lambda one: (one.at, one.text, one.html or ""))
    first = _first_preview(entry, before)
    changed = replace(before, wordings=(original, *edits), first_preview=first)
    entry = _with(entry, before, changed)
    newest = edits[-1]
    said = msgspec.structs.replace(content, text=newest.text, html=newest.html)
    entry = replace(entry, content=contents.encode(said))
    if before.deleted_at is not None:
        return entry
    return _previewed(entry, one_line(said.subject or said.text) or first)


def _first_preview(entry: Entry, before: Updates) -> str:
    return entry.preview if before.first_preview is None else before.first_preview


def _earlier(one: int | None, other: int) -> int:
    return other if one is None else min(one, other)


def _with_reaction(known: tuple[Reaction, ...], news: Reaction) -> tuple[Reaction, ...]:
    """Of each person the last one. Of two at the same moment the one that says something, so that
    their order does not matter."""
    kept: list[Reaction] = []
    for one in known:
        if (one.scheme, one.value) != (news.scheme, news.value):
            kept.append(one)
        elif (one.at, one.emoji or "") >= (news.at, news.emoji or ""):
            return known
    return tuple(sorted([*kept, news], key=lambda one: (one.at, one.scheme, one.value)))


def _once_more(times: Times | None, at: int) -> Times:
    if times is None:
        return Times(count=1, first_at=at, last_at=at)
    return Times(
        count=times.count + 1,
        first_at=min(times.first_at, at),
        last_at=max(times.last_at, at),
    )


def _clicked(before: Updates, news: Click) -> Updates:
    last = before.clicks
    later = last is None or (news.at, news.url) >= (last.last_at, before.clicked_url or "")
    return replace(
        before,
        clicks=_once_more(last, news.at),
        clicked_url=news.url if later else before.clicked_url,
    )
