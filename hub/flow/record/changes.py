"""The differences a batch makes, and how they are written.

Rows are inserted plainly: should another process have inserted the same key meanwhile, the
database refuses, and the whole batch is carried out again upon what is there now.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec.structs import asdict
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from hub.flow.record.world import ExternalId, ExternalKey, World
from hub.store import tables as t

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


def _ordered(rows: list[Row], keys: tuple[str, ...]) -> list[Row]:
    return sorted(rows, key=lambda row: [row[key] for key in keys])


def _update_statement(table: sa.Table, keys: tuple[str, ...], columns: list[str]) -> sa.Update:
    return (
        sa.update(table)
        .where(*(table.c[key] == sa.bindparam(f"key_{key}") for key in keys))
        .values({column: sa.bindparam(column) for column in columns})
    )


class Writer:
    """Writes changes on one database."""

    def __init__(self, dialect: str) -> None:
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        kept = insert(t.deliveries)
        self._keep = kept.on_conflict_do_update(
            index_elements=["id"],
            set_={
                name: kept.excluded[name]
                for name in ("state", "reason", "proof", "attempts", "due_at")
            },
        )
        self._advance = (
            sa.update(t.organisations)
            .where(t.organisations.c.id == sa.bindparam("org"))
            .values(position=t.organisations.c.position + sa.bindparam("by"))
            .returning(t.organisations.c.position, t.organisations.c.audit_digest)
        )
        self._updates: dict[tuple[str, tuple[str, ...]], sa.Update] = {}

    def write(
        self, connection: Connection, before: Snapshot, world: World, changes: Changes
    ) -> dict[int, int]:
        """Write everything; answers with the last position of each organisation it moved."""
        for name, table, keys in _STATES:
            self._write_states(connection, table, keys, before.states[name], getattr(world, name))
        for table, keys in _PLAIN_INSERTS:
            if rows := changes.inserts.get(table.name):
                connection.execute(sa.insert(table), _ordered(rows, keys))
        self._write_external(connection, before.external, world.external)
        if changes.deliveries:
            connection.execute(self._keep, list(changes.deliveries.values()))
        return self._write_journal(connection, changes)

    def _write_states(
        self,
        connection: Connection,
        table: sa.Table,
        keys: tuple[str, ...],
        before: dict[Any, Any],
        after: dict[Any, Any],
    ) -> None:
        new: list[Row] = []
        changed: list[Row] = []
        for key in sorted(after):
            state = after[key]
            known = before.get(key)
            if known is state:
                continue
            if known is None:
                new.append(asdict(state))
            elif known != state:
                changed.append(asdict(state))
        if new:
            connection.execute(sa.insert(table), new)
        if changed:
            columns = [name for name in changed[0] if name not in keys]
            statement = self._updates.get((table.name, keys))
            if statement is None:
                statement = _update_statement(table, keys, columns)
                self._updates[table.name, keys] = statement
            for row in changed:
                for key in keys:
                    row[f"key_{key}"] = row.pop(key)
            connection.execute(statement, changed)

    def _write_external(
        self,
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
            row = asdict(names)
            if key in before:
                row |= dict(
                    zip(
                        ("key_organisation_id", "key_channel_id", "key_external_id"),
                        key,
                        strict=True,
                    )
                )
                changed.append(row)
            else:
                row |= dict(zip(("organisation_id", "channel_id", "external_id"), key, strict=True))
                new.append(row)
        if new:
            connection.execute(sa.insert(t.external_ids), new)
        if changed:
            connection.execute(
                _update_statement(
                    t.external_ids,
                    ("organisation_id", "channel_id", "external_id"),
                    ["thread_id", "entry_id", "transmission_id"],
                ),
                changed,
            )

    def _write_journal(self, connection: Connection, changes: Changes) -> dict[int, int]:
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
            row = connection.execute(self._advance, {"org": org, "by": len(lines[org])}).one()
            first = row.position - len(lines[org]) + 1
            for place, line in enumerate(lines[org]):
                line["position"] = first + place
            if lines[org]:
                positions[org] = row.position
                connection.execute(sa.insert(t.journal), lines[org])
            if audits[org]:
                self._write_audit(connection, org, row.audit_digest, audits[org])
        return positions

    def _write_audit(self, connection: Connection, org: int, digest: str, lines: list[Row]) -> None:
        for line in lines:
            digest = hashlib.sha256(digest.encode() + _json.encode(line)).hexdigest()
            line["digest"] = digest
        connection.execute(sa.insert(t.audit), lines)
        connection.execute(
            sa.update(t.organisations)
            .where(t.organisations.c.id == org)
            .values(audit_digest=digest)
        )


class Snapshot:
    """What was loaded, before the fold."""

    def __init__(self, world: World) -> None:
        self.states: dict[str, dict[Any, Any]] = {
            name: dict(getattr(world, name)) for name, _, _ in _STATES
        }
        self.external = dict(world.external)
