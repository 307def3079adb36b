"""What happens to a thread when something is added to it, and what members may do to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from msgspec.structs import replace

from hub.rules.states import Entry, Thread, ThreadChannel

CLOCK_BOUND_MS = 15 * 60 * 1000
"""How far a provider's time may lie before the receipt and still order the timeline."""
NOWHERE = 0
"""The ``sort_at`` of a thread in which nothing is left: no list has it until there is something."""


def sort_time(received: int, occurred: int | None) -> int:
    """What orders an entry: the provider's time when it lies shortly before the receipt, else
    the receipt. A provider whose clock is wrong must not bury a message or pin it to the top."""
    if occurred is not None and received - CLOCK_BOUND_MS <= occurred <= received:
        return occurred
    return received


def _shows(thread: Thread, entry: Entry) -> bool:
    """Whether ``entry`` is later than the one the preview shows."""
    return thread.last_entry_id is None or (entry.sort_at, entry.id) > (
        thread.sort_at,
        thread.last_entry_id,
    )


def _previewed(thread: Thread, entry: Entry) -> Thread:
    if not _shows(thread, entry):
        return thread
    return replace(
        thread,
        sort_at=entry.sort_at,
        last_entry_id=entry.id,
        preview=entry.preview,
        preview_direction=entry.direction,
        preview_channel_id=entry.channel_id,
        preview_status=entry.status,
    )


def needing(thread: Thread, since: int) -> Thread:
    """A response is needed, since a moment or for longer already."""
    if thread.needs_response:
        return thread
    return replace(thread, needs_response=True, waiting_since=since)


def answered(thread: Thread) -> Thread:
    """No response is needed any more."""
    return replace(thread, needs_response=False, waiting_since=None)


def after_inbound(thread: Thread, entry: Entry, *, asks: bool) -> Thread:
    """The contact has written, or called. ``asks``: it wants a response (a STOP or an auto-reply
    does not).

    The first inbound message makes the thread open; one on a closed thread reopens it. A call is
    nothing that is read: it counts once it is unresolved.
    """
    latest = thread.last_inbound_at is None or entry.sort_at >= thread.last_inbound_at
    begins = asks and not thread.needs_response
    return replace(
        _previewed(thread, entry),
        seq=entry.seq,
        has_inbound=True,
        status="open",
        unread=thread.unread + (entry.kind == "message"),
        needs_response=thread.needs_response or asks,
        waiting_since=entry.sort_at if begins else thread.waiting_since,
        active_at=max(thread.active_at, entry.sort_at),
        channel_id=entry.channel_id if latest else thread.channel_id,
        last_inbound_at=entry.sort_at if latest else thread.last_inbound_at,
    )


def after_outbound(thread: Thread, entry: Entry, *, answers: bool) -> Thread:
    """A message to the contact was written. ``answers``: by a person, so that nothing more is
    asked of the team. A closed thread stays closed."""
    return replace(
        _previewed(thread, entry),
        seq=entry.seq,
        needs_response=thread.needs_response and not answers,
        waiting_since=None if answers else thread.waiting_since,
        active_at=max(thread.active_at, entry.sort_at),
        channel_id=thread.channel_id if thread.has_inbound else entry.channel_id,
    )


def after_approval(thread: Thread, entry: Entry, *, answers: bool) -> Thread:
    """A message that waited in the thread for approval is sent. It counts from now on."""
    return replace(after_outbound(thread, entry, answers=answers), seq=thread.seq)


def after_echo(thread: Thread, entry: Entry, *, answers: bool) -> Thread:
    """The organisation has written to the contact elsewhere. It ``answers`` what the contact wrote
    before, not what came since."""
    since = thread.last_inbound_at is not None and entry.sort_at < thread.last_inbound_at
    return after_outbound(thread, entry, answers=answers and not since)


def without_echo(thread: Thread, echo: Entry, rest: Sequence[Entry]) -> Thread:
    """A thread without an echo that turned out to be the double of a message in it; ``rest``: as of
    ``moved``. What the contact has written between the two is open again, because the echo has
    answered nothing."""
    thread = moved(thread, rest)
    last = max((one for one in rest if one.kind != "system"), key=_place)
    unanswered = last.direction == "in" and last.sort_at <= echo.sort_at
    if unanswered and thread.status != "closed":
        return needing(thread, last.sort_at)
    return thread


def after_note(thread: Thread, entry: Entry) -> Thread:
    """A member left a note for the team."""
    return replace(
        _previewed(thread, entry), seq=entry.seq, active_at=max(thread.active_at, entry.sort_at)
    )


def after_system(thread: Thread, entry: Entry) -> Thread:
    """Something was done to the thread: activity, but no reason to rise in the list."""
    return replace(thread, seq=entry.seq, active_at=max(thread.active_at, entry.sort_at))


def closed(thread: Thread) -> Thread:
    """Nothing more to do; a closed thread needs no response."""
    return replace(answered(thread), status="closed")


def reopened(thread: Thread) -> Thread:
    """Back to what it was before it was closed."""
    return replace(thread, status="open" if thread.has_inbound else "outbound_only")


def read(thread: Thread, through: int, unread: int) -> Thread:
    """The team has seen everything up to the entry with seq ``through``; ``unread`` inbound
    messages lie behind it. Calls that are unresolved stay so."""
    return replace(thread, read_through=through, unread=unread + thread.unresolved)


Counted = TypeVar("Counted", Thread, ThreadChannel)


def unresolved(row: Counted, by: int) -> Counted:
    """A thread, or what a channel has contributed to it, with ``by`` more calls to resolve."""
    return replace(row, unread=row.unread + by, unresolved=row.unresolved + by)


def settled(thread: Thread, call: Entry) -> Thread:
    """Nothing has to be done any more about a call that alone made the thread need a response; what
    the contact has said since may need one all the same."""
    since = thread.last_inbound_at is not None and thread.last_inbound_at > call.sort_at
    return thread if since else answered(thread)


def moved(thread: Thread, entries: Sequence[Entry]) -> Thread:
    """A thread after an entry was moved out of it or into it: what follows from ``entries``, of
    which only the last ones count (of all, of those that are shown, inbound, outbound). A closed
    thread stays closed. One in which nothing is left has no place in the list (``NOWHERE``), and
    nothing to respond to."""
    shown = [one for one in entries if one.kind != "system"]
    inbound = [one for one in shown if one.direction == "in"]
    outbound = [one for one in shown if one.direction == "out"]
    last = max(shown, key=_place, default=None)
    heard = max(inbound, key=_place, default=None)
    told = max(outbound, key=_place, default=None)
    used = heard or told
    status = thread.status if thread.status == "closed" else "open" if heard else "outbound_only"
    active_at = max((one.sort_at for one in entries), default=thread.created_at)
    return replace(
        thread,
        status=status,
        has_inbound=heard is not None,
        needs_response=thread.needs_response and last is not None,
        waiting_since=None if last is None else thread.waiting_since,
        sort_at=NOWHERE if last is None else last.sort_at,
        active_at=active_at,
        last_entry_id=None if last is None else last.id,
        preview="" if last is None else last.preview,
        preview_direction="internal" if last is None else last.direction,
        preview_channel_id=None if last is None else last.channel_id,
        preview_status=None if last is None else last.status,
        channel_id=None if used is None else used.channel_id,
        last_inbound_at=None if heard is None else heard.sort_at,
    )


def _place(entry: Entry) -> tuple[int, int]:
    return entry.sort_at, entry.id


def channel_after(
    known: ThreadChannel | None, thread: Thread, entry: Entry
) -> ThreadChannel | None:
    """What the entry's channel has contributed to the thread, after ``entry``."""
    if entry.channel_id is None:
        return None
    row = known or ThreadChannel(
        thread_id=thread.id,
        channel_id=entry.channel_id,
        organisation_id=thread.organisation_id,
        last_entry_id=entry.id,
    )
    later = (entry.sort_at, entry.id) >= (row.sort_at, row.last_entry_id)
    row = replace(
        row,
        sort_at=entry.sort_at if later else row.sort_at,
        last_entry_id=entry.id if later else row.last_entry_id,
        active_at=max(row.active_at, entry.sort_at),
    )
    if entry.direction != "in":
        return row
    return _heard(replace(row, unread=row.unread + (entry.kind == "message")), entry)


def channel_moved(
    known: ThreadChannel | None, thread: Thread, channel_id: str, entries: Sequence[Entry]
) -> ThreadChannel | None:
    """The same after an entry was moved out of the thread or into it, from the channel's
    ``entries`` there, of which only the last one and the last inbound one count; ``None`` if there
    are none."""
    last = max(entries, key=_place, default=None)
    if last is None:
        return None
    row = known or ThreadChannel(
        thread_id=thread.id,
        channel_id=channel_id,
        organisation_id=thread.organisation_id,
        last_entry_id=last.id,
    )
    row = replace(
        row,
        sort_at=last.sort_at,
        active_at=last.sort_at,
        last_entry_id=last.id,
        last_inbound_at=None,
        last_inbound_address=None,
        last_inbound_own=None,
        wrote_at=None,
    )
    for heard in sorted((one for one in entries if one.direction == "in"), key=_place):
        row = _heard(row, heard)
    return row


def _heard(row: ThreadChannel, entry: Entry) -> ThreadChannel:
    latest = row.last_inbound_at is None or entry.sort_at >= row.last_inbound_at
    return replace(
        row,
        last_inbound_at=entry.sort_at if latest else row.last_inbound_at,
        last_inbound_address=entry.address if latest else row.last_inbound_address,
        last_inbound_own=entry.own_address if latest else row.last_inbound_own,
        wrote_at=max(row.wrote_at or 0, min(entry.occurred_at, entry.sort_at)),
    )


def channel_without(row: ThreadChannel, rest: Sequence[Entry]) -> ThreadChannel:
    """What a channel has contributed, without an echo. ``rest``: entries of it that stay, the last
    one among them."""
    last = max(rest, key=_place)
    return replace(row, sort_at=last.sort_at, active_at=last.sort_at, last_entry_id=last.id)
