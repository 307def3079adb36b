"""What members are told of while they look elsewhere: of what, who, and when not."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from hub.rules import calls, content, updates
from hub.rules.quiet import may_go_at
from hub.rules.rights import CHANNELS
from hub.rules.settings import QuietHours

AlertKind = Literal[
    "text", "email", "call", "voicemail", "assignment", "mention", "sending", "channel"
]
"""``sending``: a message that needs a person, because it failed or nobody knows whether it went
out; ``channel``: one that is in trouble."""
FRESH_MS = 60_000
"""Nobody is alerted of what was committed longer ago: they see it when they look."""
LATE_MS = 3_600_000
"""Nor of what came so long after it was written: it was fetched from a mailbox, or replayed."""
_FAILED = frozenset({"failed", "unknown"})
_ASSIGNED = frozenset({"assigned", "assigned_automatically"})
_TROUBLE = frozenset({"needs_attention", "off"})


class OwnQuietHours(QuietHours, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a member wants to hear of nothing, by the clocks of ``zone``."""

    zone: Annotated[str, Meta(max_length=60)] = "UTC"

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            ZoneInfo(self.zone)
        except (KeyError, OSError, ValueError):
            raise ValueError(f'there is no time zone "{self.zone}"') from None


class AlertChoices(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a member wants to be alerted of. ``off``: kinds that are not told; ``whose``: of all
    conversations, or only of their own and of those that nobody has; ``sound``: with a sound;
    ``text``: notifications outside of the hub show what was written."""

    off: Annotated[tuple[AlertKind, ...], Meta(max_length=8)] = ()
    whose: Literal["all", "own"] = "all"
    sound: bool = True
    text: bool = False
    quiet: OwnQuietHours = OwnQuietHours()


class Entry(Protocol):
    """As much of an entry as decides."""

    @property
    def kind(self) -> str: ...
    @property
    def grouping(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def status(self) -> str | None: ...
    @property
    def updates(self) -> str | None: ...
    @property
    def content(self) -> str: ...
    @property
    def occurred_at(self) -> int: ...


class Authored(Entry, Protocol):
    """An entry with who wrote it."""

    @property
    def author_id(self) -> int | None: ...


class Hearer(Struct, frozen=True):
    """A member who may be told of something, with what they may."""

    member_id: int
    capabilities: frozenset[str]
    choices: AlertChoices


_decoder = msgspec.json.Decoder(AlertChoices)
_encoder = msgspec.json.Encoder()


def decode(text: str) -> AlertChoices:
    """AlertChoices as they are stored."""
    return _decoder.decode(text)


def encode(choices: AlertChoices) -> str:
    """For storing."""
    return _encoder.encode(choices).decode()


def became(before: Entry, after: Entry) -> bool:
    """Whether what was told of an entry later is an alert of its own: a call turned out to be a
    voicemail, a message did not go out, a note names others now."""
    if after.kind == "note":
        return after.content != before.content and bool(_mentioned(after) - _mentioned(before))
    if after.direction == "out":
        return after.status in _FAILED and before.status not in _FAILED
    if after.kind != "call" or after.updates == before.updates:
        return False
    return _is_voicemail(after) and not _is_voicemail(before)


def kind_of(entry: Entry, committed_at: int, *, new: bool) -> AlertKind | None:
    """What an entry alerts of, when it was added (``new``) or when it ``became`` something."""
    if entry.kind == "system":
        return "assignment" if new and assignee_of(entry) is not None else None
    if entry.kind == "note":
        return "mention" if _mentioned(entry) else None
    if entry.direction == "out":
        return "sending" if entry.status in _FAILED else None
    if entry.direction != "in" or committed_at - entry.occurred_at > LATE_MS:
        return None
    if entry.kind == "call":
        return "voicemail" if _is_voicemail(entry) else "call" if new else None
    return ("email" if entry.grouping == "emails" else "text") if new else None


def concerns(kind: AlertKind, entry: Authored, assignee_id: int | None, hearer: Hearer) -> bool:
    """Whether an alert of an entry that somebody may see is theirs, and of a kind that they want to
    hear of; ``assignee_id``: who has the conversation. Whether at this time ``hushed`` says."""
    member_id, choices = hearer.member_id, hearer.choices
    if kind in choices.off:
        return False
    author = entry.author_id
    if kind == "assignment":
        return assignee_of(entry) == str(member_id) and author != member_id
    if kind == "mention":
        return member_id in _mentioned(entry) and author != member_id
    if kind == "sending":
        return CHANNELS in hearer.capabilities or member_id in {author, assignee_id}
    return choices.whose == "all" or assignee_id in {None, member_id}


def hushed(choices: AlertChoices, now: int) -> bool:
    """Whether somebody wants to hear of nothing now (in milliseconds)."""
    quiet = choices.quiet
    return may_go_at(quiet, now, ZoneInfo(quiet.zone)) > now


def in_trouble(state: str, *, paused: bool) -> bool:
    """Whether a channel needs a person. What somebody has paused is as they want it."""
    return not paused and state in _TROUBLE


def assignee_of(entry: Entry) -> str | None:
    """Whom a line of the system gives a conversation to, if it does."""
    event = content.decode(entry.content).event or {}
    return event.get("assignee_id") if event.get("type") in _ASSIGNED else None


def _mentioned(note: Entry) -> frozenset[int]:
    return frozenset(content.decode(note.content).mentions)


def _is_voicemail(call: Entry) -> bool:
    told = updates.decode(call.updates).call
    return told is not None and calls.outcome_of(told) == "voicemail"
