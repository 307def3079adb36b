"""What is read of conversations and entries before they can be shown, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.targets import due_times
from hub.rules import content as contents
from hub.rules.states import Approval
from hub.store import approvals, contacts, inbox, people, timeline
from hub.store.approvals import Queued
from hub.store.contacts import AddressRow, ChannelUse, ConsentRow
from hub.store.inbox import ThreadRow
from hub.store.scope import Scope
from hub.store.timeline import AttachmentRow, EntryRow, Quoted


class Threads(Struct, frozen=True):
    """Rows of the list with what is told of them: everybody who may be assigned, the addresses of
    contacts without a name, the channels of each, and when each is to be answered."""

    rows: Sequence[ThreadRow]
    members: Sequence[people.Member]
    addresses: dict[int, list[AddressRow]]
    channels: dict[int, list[str]]
    due: dict[int, int]


class Entries(Struct, frozen=True):
    """Entries of a timeline with their files, with what they answer, and with their approvals, by
    their ids."""

    rows: Sequence[EntryRow]
    files: dict[int, list[AttachmentRow]]
    quoted: dict[int, Quoted]
    approvals: dict[int, Approval]


class Queue(Struct, frozen=True):
    """Messages of the approval queue with their entries and threads, and what says whether they
    could be sent now: consents, and how the contact of each thread used each channel."""

    rows: Sequence[Queued]
    entries: Entries
    threads: Threads
    consents: Sequence[ConsentRow]
    uses: dict[tuple[int, str], ChannelUse]


def threads(connection: Connection, scope: Scope, rows: Sequence[ThreadRow]) -> Threads:
    """What rows of the list need."""
    if not rows:
        return Threads(rows, (), {}, {}, {})
    nameless = [row.contact_id for row in rows if not row.contact_name]
    return Threads(
        rows,
        people.members_of(connection, scope.organisation_id),
        contacts.addresses_of(connection, nameless),
        inbox.channels_of(connection, scope, [row.id for row in rows]),
        due_times(connection, scope.organisation_id, rows),
    )


def entries(connection: Connection, scope: Scope, rows: Sequence[EntryRow]) -> Entries:
    """What entries need."""
    files = timeline.attachments_of(connection, [row.id for row in rows])
    theirs = [row.id for row in rows if row.direction == "out" and row.kind == "message"]
    return Entries(
        rows,
        files,
        _quoted(connection, scope, rows),
        approvals.of_entries(connection, theirs),
    )


def queue(connection: Connection, scope: Scope, rows: Sequence[Queued]) -> Queue:
    """What messages of the approval queue need."""
    if not rows:
        return Queue(rows, Entries((), {}, {}, {}), Threads((), (), {}, {}, {}), (), {})
    of_rows = [row.entry for row in rows]
    thread_ids = sorted({row.thread_id for row in of_rows})
    return Queue(
        rows,
        entries(connection, scope, of_rows),
        threads(connection, scope, inbox.threads_by_id(connection, scope, thread_ids)),
        contacts.consents_of_entries(connection, scope.organisation_id, of_rows),
        contacts.uses_of(connection, thread_ids),
    )


def _quoted(connection: Connection, scope: Scope, rows: Sequence[EntryRow]) -> dict[int, Quoted]:
    """What entries answer, if it stands in the same conversation: whoever names the id of another
    one's message is shown nothing of it."""
    answers: dict[str, list[tuple[EntryRow, str]]] = defaultdict(list)
    for row in rows:
        if row.channel_id is not None and (named := contents.answers(row.content)):
            answers[row.channel_id].append((row, named))
    found: dict[int, Quoted] = {}
    for channel_id, pairs in answers.items():
        ids = sorted({named for _, named in pairs})
        known = timeline.quoted(connection, scope.organisation_id, channel_id, ids)
        for row, named in pairs:
            one = known.get(named)
            if one is not None and one.thread_id == row.thread_id and one.id != row.id:
                found[row.id] = one
    if scope.width == "numbers":
        ids = sorted({one.id for one in found.values()})
        seen = {one.id for one in timeline.entries_by_id(connection, scope, ids)}
        found = {id_: one for id_, one in found.items() if one.id in seen}
    return found
