"""The differences a batch makes, and how they are written.

Rows are inserted plainly: should another process have inserted the same key meanwhile, the
database refuses, and the whole batch is carried out again upon what is there now.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict, astuple
from sqlalchemy import Connection

from hub.flow.record.world import ExternalId, ExternalKey, World
from hub.store import search
from hub.store import tables as t
from hub.store.statements import Many

Row = dict[str, Any]
_json = msgspec.json.Encoder(order="deterministic")


class Changes:
    """What the fold has made: new rows by table, journal and audit."""

    def __init__(self) -> None:
        self.inserts: dict[str, list[Row]] = defaultdict(list)
        self.deliveries: dict[int, Row] = {}
        self.journal: list[Row] = []
        self.audit: list[Row] = []

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
        actor: tuple[str, int | None],
        action: str,
        object_: tuple[str, str],
        before: Any,
        after: Any,
    ) -> None:
        """A line for the audit."""
        self.audit.append(
            {
                "id": id_,
                "organisation_id": organisation_id,
                "at": at,
                "actor_kind": actor[0],
                "actor_id": actor[1],
                "action": action,
                "object_kind": object_[0],
                "object_id": object_[1],
                "before": None if before is None else _json.encode(before).decode(),
                "after": None if after is None else _json.encode(after).decode(),
            }
        )


# Which states are rows of which table; their keys name the row, everything else is written.
_STATES: tuple[tuple[str, sa.Table, tuple[str, ...]], ...] = (
    ("contacts", t.contacts, ("id",)),
    ("threads", t.threads, ("id",)),
    ("channels", t.thread_channels, ("thread_id", "channel_id")),
    ("entries", t.entries, ("id",)),
    ("transmissions", t.transmissions, ("id",)),
    ("attachments", t.attachments, ("id",)),
    (
        "consents",
        t.consents,
        ("organisation_id", "channel_id", "scheme", "value", "own_address"),
    ),
)
# Rows that are only ever added, and what is unique of them. Like the states they are written in
# the order of their keys, so that two processes that add the same ones never wait for each other.
_PLAIN_INSERTS: tuple[tuple[sa.Table, tuple[str, ...]], ...] = (
    (t.addresses, ("organisation_id", "scheme", "value")),
    (t.receipts, ("organisation_id", "channel_id", "external_id", "status")),
    (t.idempotency_keys, ("organisation_id", "member_id", "key")),
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
    .returning(t.organisations.c.position, t.organisations.c.audit_digest)
)
_DIGEST = (
    sa.update(t.organisations)
    .where(t.organisations.c.id == sa.bindparam("org"))
    .values(audit_digest=sa.bindparam("digest"))
)


def write(
    connection: Connection, before: Snapshot, world: World, changes: Changes
) -> tuple[dict[int, int], set[str]]:
    """Write everything; answers with the last position of each organisation it moved, and the
    tables of states it wrote to."""
    tables: set[str] = set()
    for name, table, keys in _STATES:
        known, now = before.states[name], getattr(world, name)
        if _write_states(connection, table, keys, known, now):
            tables.add(table.name)
    for table, keys in _PLAIN_INSERTS:
        if rows := changes.inserts.get(table.name):
            _insert_rows(connection, table, _ordered(rows, keys))
    _write_search(connection, before, world, changes)
    _write_external(connection, before.external, world.external)
    if changes.deliveries:
        _KEEP.run(connection, list(changes.deliveries.values()))
    return _write_journal(connection, changes), tables


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
    """What an entry says never changes; who a contact is may."""
    known = before.states["entries"]
    new = [entry for id_, entry in world.entries.items() if id_ not in known]
    search.index_entries(
        connection,
        [search.Said(e.id, e.organisation_id, e.channel_id, e.kind, e.content) for e in new],
    )
    people = before.states["contacts"]
    changed = {id_ for id_, one in world.contacts.items() if people.get(id_) is not one}
    changed.update(row["contact_id"] for row in changes.inserts.get(t.addresses.name, ()))
    search.index_contacts(connection, changed)


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


def _write_journal(connection: Connection, changes: Changes) -> dict[int, int]:
    """The organisation's row is locked last; positions come from it, and so are seen in
    order by whoever reads the journal."""
    lines: dict[int, list[Row]] = defaultdict(list)
    for line in changes.journal:
        lines[line["organisation_id"]].append(line)
    audits: dict[int, list[Row]] = defaultdict(list)
    for line in changes.audit:
        audits[line["organisation_id"]].append(line)
    positions: dict[int, int] = {}
    for org in sorted({*lines, *audits}):
        row = connection.execute(_ADVANCE, {"org": org, "by": len(lines[org])}).one()
        first = row.position - len(lines[org]) + 1
        for place, line in enumerate(lines[org]):
            line["position"] = first + place
        if lines[org]:
            positions[org] = row.position
            _insert_rows(connection, t.journal, lines[org])
        if audits[org]:
            _write_audit(connection, org, row.audit_digest, audits[org])
    return positions


def _write_audit(connection: Connection, org: int, digest: str, lines: list[Row]) -> None:
    for line in lines:
        digest = hashlib.sha256(digest.encode() + _json.encode(line)).hexdigest()
        line["digest"] = digest
    _insert_rows(connection, t.audit, lines)
    connection.execute(_DIGEST, {"org": org, "digest": digest})


class Snapshot:
    """What was loaded, before the fold."""

    def __init__(self, world: World) -> None:
        self.states: dict[str, dict[Any, Any]] = {
            name: dict(getattr(world, name)) for name, _, _ in _STATES
        }
        self.external = dict(world.external)
