"""The differences a batch makes, and how they are written.

Rows are inserted plainly: should another process have inserted the same key meanwhile, the
database refuses, and the whole batch is carried out again upon what is there now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict, astuple
from sqlalchemy import Connection

from hub.flow.record.world import AddressKey, ExternalId, ExternalKey, World
from hub.rules.rights import Actor
from hub.rules.states import Entry, Thread
from hub.store import audit, inbox_counts, inbox_sets, search
from hub.store import tables as t
from hub.store.inbox_sets import Owner
from hub.store.scope import Scope
from hub.store.sights import keep as keep_lists
from hub.store.statements import Many, among, bound

Row = dict[str, Any]


class Changes:
    """What the fold has made: new rows by table, journal and audit."""

    def __init__(self) -> None:
        self.inserts: dict[str, list[Row]] = defaultdict(list)
        self.moved: dict[AddressKey, tuple[int, int]] = {}
        """Addresses that are another contact's now: from whom and to whom."""
        self.deliveries: dict[int, Row] = {}
        self.journal: list[Row] = []
        self.audit: list[Row] = []
        self.sights: dict[int, int] = {}
        """How many lists are kept of organisations whose rows are locked."""

    def insert(self, table: sa.Table, row: Row) -> None:
        """A new row."""
        self.inserts[table.name].append(row)

    def announce(
        self,
        type_: str,
        organisation_id: int,
        at: int,
        *,
        thread_id: int | None = None,
        entry_id: int | None = None,
        channel_id: str | None = None,
    ) -> None:
        """A line for the journal; its position is given when it is written."""
        self.journal.append(
            {
                "organisation_id": organisation_id,
                "type": type_,
                "thread_id": thread_id,
                "entry_id": entry_id,
                "channel_id": channel_id,
                "data": None,
                "created_at": at,
            }
        )

    def audited(
        self,
        id_: int,
        organisation_id: int,
        at: int,
        *,
        actor: Actor,
        action: str,
        object_: tuple[str, str],
        before: Any,
        after: Any,
    ) -> None:
        """A line for the audit."""
        self.audit.append(
            audit.line(
                id_,
                organisation_id,
                at,
                actor=actor,
                action=action,
                object_=object_,
                before=before,
                after=after,
            )
        )


# Which states are rows of which table; their keys name the row, everything else is written.
_STATES: tuple[tuple[str, sa.Table, tuple[str, ...]], ...] = (
    ("contacts", t.contacts, ("id",)),
    ("threads", t.threads, ("id",)),
    ("channels", t.thread_channels, ("thread_id", "channel_id")),
    ("entries", t.entries, ("id",)),
    ("transmissions", t.transmissions, ("id",)),
    ("approvals", t.approvals, ("entry_id",)),
    ("attachments", t.attachments, ("id",)),
    (
        "consents",
        t.consents,
        ("organisation_id", "channel_id", "scheme", "value", "own_address"),
    ),
    ("rotations", t.rotations, ("organisation_id",)),
)
# Rows that are only ever added, and what is unique of them. Like the states they are written in
# the order of their keys, so that two processes that add the same ones never wait for each other.
_MOVE = sa.update(t.addresses).where(
    *bound(org=t.addresses.c.organisation_id, of=t.addresses.c.scheme, at=t.addresses.c.value)
)
_REMOVE = sa.delete(t.entries).where(among(t.entries.c.id, "ids"))
_REMOVE_FILES = sa.delete(t.attachments).where(among(t.attachments.c.entry_id, "ids"))
_PLAIN_INSERTS: tuple[tuple[sa.Table, tuple[str, ...]], ...] = (
    (t.addresses, ("organisation_id", "scheme", "value")),
    (t.receipts, ("organisation_id", "channel_id", "external_id", "status")),
    (t.message_events, ("organisation_id", "channel_id", "external_id", "key")),
    (t.idempotency_keys, ("organisation_id", "member_id", "key")),
    (t.consent_events, ("id",)),
    (t.due, ("organisation_id", "kind", "key")),
    (t.notices, ("id",)),
)


def _differing(before: Struct, after: Struct) -> list[str]:
    """The fields in which two states of a kind differ."""
    pairs = zip(before.__struct_fields__, astuple(before), astuple(after), strict=True)
    return [name for name, was, now in pairs if was != now]


def _ordered(rows: list[Row], keys: tuple[str, ...]) -> list[Row]:
    return sorted(rows, key=lambda row: [row[key] for key in keys])


_EXTERNAL_KEYS = ("organisation_id", "channel_id", "external_id")


@cache
def _update(table: sa.Table, keys: tuple[str, ...], columns: tuple[str, ...]) -> Many:
    return Many(table, columns, keys=keys)


@cache
def _insert(table: sa.Table, columns: tuple[str, ...]) -> Many:
    return Many(table, columns)


_LEFT = sa.delete(t.thread_channels).where(
    *bound(thread=t.thread_channels.c.thread_id, channel=t.thread_channels.c.channel_id)
)
_KEEP = Many(
    t.deliveries,
    t.deliveries.c.keys(),
    again=("state", "reason", "proof", "attempts", "due_at"),
)


def _insert_rows(connection: Connection, table: sa.Table, rows: list[Row]) -> None:
    _insert(table, tuple(rows[0])).run(connection, rows)


_ADVANCE = (
    sa.update(t.organisations)
    .where(t.organisations.c.id == sa.bindparam("org"))
    .values(position=t.organisations.c.position + sa.bindparam("by"))
    .returning(
        t.organisations.c.position,
        t.organisations.c.audit_count,
        t.organisations.c.audit_digest,
        t.organisations.c.sights,
    )
)
_SIGHTS = (
    sa.select(t.organisations.c.sights).where(*bound(org=t.organisations.c.id)).with_for_update()
)


def write(
    connection: Connection, before: Snapshot, world: World, changes: Changes
) -> tuple[dict[int, int], set[str]]:
    """Write everything; answers with the last position of each organisation it moved, and the
    tables of states it wrote to."""
    tables: set[str] = set()
    if removed := before.states["entries"].keys() - world.entries.keys():
        _remove(connection, [before.states["entries"][id_] for id_ in sorted(removed)])
    for name, table, keys in _STATES:
        known, now = before.states[name], getattr(world, name)
        if _write_states(connection, table, keys, known, now):
            tables.add(table.name)
    if gone := before.states["channels"].keys() - world.channels.keys():
        connection.execute(_LEFT, [{"thread": one, "channel": id_} for one, id_ in sorted(gone)])
    for table, keys in _PLAIN_INSERTS:
        if rows := changes.inserts.get(table.name):
            _insert_rows(connection, table, _ordered(rows, keys))
    for (org, scheme, value), (_, contact_id) in sorted(changes.moved.items()):
        names = {"org": org, "of": scheme, "at": value}
        connection.execute(_MOVE.values(contact_id=contact_id), names)
    inbox_counts.keep(connection, before.states["threads"], world.threads)
    _write_search(connection, before, world, changes)
    _write_external(connection, before.external, world.external)
    if changes.deliveries:
        _KEEP.run(connection, list(changes.deliveries.values()))
    positions = write_journal(connection, changes)
    _keep_lists(connection, before, world, changes.sights)
    return positions, tables


# What of an entry says whose list its conversation is in, and where.
_PLACED = attrgetter(
    "thread_id", "channel_id", "own_address", "sort_at", "seq", "kind", "direction", "updates"
)


def _keep_lists(
    connection: Connection, before: Snapshot, world: World, sights: Mapping[int, int]
) -> None:
    """The sets, and the lists of limited roles of organisations that have any (``sights``, where it
    is known already): under the lock of the organisation's row."""
    threads, entries = before.states["threads"], before.states["entries"]
    channels = before.states["channels"]
    touched: dict[int, set[int]] = defaultdict(set)
    moves: dict[int, inbox_sets.Moves] = defaultdict(inbox_sets.Moves)
    for id_, thread in world.threads.items():
        known: Thread | None = threads.get(id_)
        if known is not thread:
            touched[thread.organisation_id].add(id_)
            moves[thread.organisation_id].row(id_, known, thread)
    for id_, entry in world.entries.items():
        was: Entry | None = entries.get(id_)
        if was is entry or (was is not None and _PLACED(was) == _PLACED(entry)):
            continue
        own = entry.thread_id
        touched[entry.organisation_id].add(own)
        used = channels.get((own, entry.channel_id))
        moves[entry.organisation_id].added(entry, threads.get(own), used)
        if was is not None:
            touched[was.organisation_id].add(was.thread_id)
            moves[was.organisation_id].gone(was)
    for id_ in entries.keys() - world.entries.keys():
        gone: Entry = entries[id_]
        touched[gone.organisation_id].add(gone.thread_id)
        moves[gone.organisation_id].gone(gone)
    for org in sorted(touched):
        count = sights.get(org)
        if count is None:
            count = connection.execute(_SIGHTS, {"org": org}).scalar_one()
        inbox_sets.keep(connection, Owner(Scope(org)), moves[org])
        if count:
            keep_lists(connection, org, touched[org], moves[org])


def _remove(connection: Connection, entries: list[Entry]) -> None:
    """Take out what turned out to be the same as another entry, with its files."""
    ids = [entry.id for entry in entries]
    connection.execute(_REMOVE_FILES, {"ids": ids})
    connection.execute(_REMOVE, {"ids": ids})
    search.forget_entries(connection, map(_said, entries))


def _write_states(
    connection: Connection,
    table: sa.Table,
    keys: tuple[str, ...],
    before: dict[Any, Any],
    after: dict[Any, Any],
) -> bool:
    new: list[Struct] = []
    changed: list[Struct] = []
    columns: set[str] = set()  # that differ in any row: an index of no other is touched
    for key in sorted(after):
        state: Struct = after[key]
        known: Struct | None = before.get(key)
        if known is None:
            new.append(state)
        elif known is not state and (differing := _differing(known, state)):
            columns.update(differing)
            changed.append(state)
    if new:
        _insert(table, new[0].__struct_fields__).run(connection, new)
    if changed:
        _update(table, keys, tuple(sorted(columns))).run(connection, changed)
    return bool(new or changed)


def _write_search(connection: Connection, before: Snapshot, world: World, changes: Changes) -> None:
    """What new entries say, what others say now, and who contacts are."""
    known = before.states["entries"]
    new = [entry for id_, entry in world.entries.items() if id_ not in known]
    search.index_entries(connection, map(_said, new))
    search.change_entries(
        connection,
        [
            (_said(was), _said(entry))
            for id_, entry in world.entries.items()
            if (was := known.get(id_)) is not None
            and was is not entry
            and was.content != entry.content
        ],
    )
    people = before.states["contacts"]
    changed = {id_ for id_, one in world.contacts.items() if people.get(id_) is not one}
    changed.update(row["contact_id"] for row in changes.inserts.get(t.addresses.name, ()))
    changed.update(contact_id for both in changes.moved.values() for contact_id in both)
    search.index_contacts(connection, changed)


def _said(entry: Entry) -> search.Said:
    return search.Said(entry.id, entry.organisation_id, entry.channel_id, entry.kind, entry.content)


def _write_external(
    connection: Connection,
    before: dict[ExternalKey, ExternalId],
    after: dict[ExternalKey, ExternalId],
) -> None:
    new: list[Row] = []
    changed: list[Row] = []
    for key in sorted(after):
        names = after[key]
        if before.get(key) == names:
            continue
        row = asdict(names) | dict(zip(_EXTERNAL_KEYS, key, strict=True))
        (changed if key in before else new).append(row)
    if new:
        _insert_rows(connection, t.external_ids, new)
    if changed:
        fields = ExternalId.__struct_fields__
        _update(t.external_ids, _EXTERNAL_KEYS, fields).run(connection, changed)


def write_journal(connection: Connection, changes: Changes) -> dict[int, int]:
    """Journal and audit; how far each organisation's journal reaches then. The organisation's row
    is locked last; positions come from it, and so are seen in order by whoever reads the journal.
    """
    lines: dict[int, list[Row]] = defaultdict(list)
    for line in changes.journal:
        lines[line["organisation_id"]].append(line)
    audits: dict[int, list[Row]] = defaultdict(list)
    for line in changes.audit:
        audits[line["organisation_id"]].append(line)
    positions: dict[int, int] = {}
    for org in sorted({*lines, *audits}):
        row = connection.execute(_ADVANCE, {"org": org, "by": len(lines[org])}).one()
        changes.sights[org] = row.sights
        first = row.position - len(lines[org]) + 1
        for place, line in enumerate(lines[org]):
            line["position"] = first + place
        if lines[org]:
            positions[org] = row.position
            _insert_rows(connection, t.journal, lines[org])
        if audits[org]:
            audit.chain(connection, org, audit.Last(row.audit_count, row.audit_digest), audits[org])
    return positions


class Snapshot:
    """What was loaded, before the fold."""

    def __init__(self, world: World) -> None:
        self.states: dict[str, dict[Any, Any]] = {
            name: dict(getattr(world, name)) for name, _, _ in _STATES
        }
        self.external = dict(world.external)
