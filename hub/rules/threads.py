"""What happens to a thread when something is added to it, and what members may do to it."""

from __future__ import annotations

from msgspec.structs import replace

from hub.rules.states import Entry, Thread, ThreadChannel

CLOCK_BOUND_MS = 15 * 60 * 1000
"""How far a provider's time may lie before the receipt and still order the timeline."""


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


def after_inbound(thread: Thread, entry: Entry, *, asks: bool) -> Thread:
    """The contact has written. ``asks``: it wants a response (a STOP or an auto-reply does not).

    The first inbound message makes the thread open; one on a closed thread reopens it.
    """
    latest = thread.last_inbound_at is None or entry.sort_at >= thread.last_inbound_at
    return replace(
        _previewed(thread, entry),
        seq=entry.seq,
        has_inbound=True,
        status="open",
        unread=thread.unread + 1,
        needs_response=thread.needs_response or asks,
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
        active_at=max(thread.active_at, entry.sort_at),
        channel_id=thread.channel_id if thread.has_inbound else entry.channel_id,
    )


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
    return replace(thread, status="closed", needs_response=False)


def reopened(thread: Thread) -> Thread:
    """Back to what it was before it was closed."""
    return replace(thread, status="open" if thread.has_inbound else "outbound_only")


def read(thread: Thread, through: int, unread: int) -> Thread:
    """The team has seen everything up to the entry with seq ``through``; ``unread`` inbound
    messages lie behind it."""
    return replace(thread, read_through=through, unread=unread)


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
    latest = row.last_inbound_at is None or entry.sort_at >= row.last_inbound_at
    return replace(
        row,
        unread=row.unread + 1,
        last_inbound_at=entry.sort_at if latest else row.last_inbound_at,
        last_inbound_address=entry.address if latest else row.last_inbound_address,
        last_inbound_own=entry.own_address if latest else row.last_inbound_own,
    )
