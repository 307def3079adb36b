"""Lines of the audit as the API and its export carry them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.views.present import when
from hub.store import audit_log
from hub.store.audit_log import Names
from hub.store.ids import parse
from hub.store.rows import Row

ActorKind = Literal["member", "token", "operator", "system"]
_ASSIGNED = "thread.assignee"
_LARGEST = (1 << 53) - 1
"""What a program that keeps numbers as JavaScript does can hold."""
_COMPUTED = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that spreadsheets take for a formula."""
COLUMNS = (
    "seq", "id", "at", "actor_kind", "actor_id", "actor", "remote", "action", "object_kind",
    "object_id", "object", "before", "after", "digest",
)  # fmt: skip


class AuditActor(Struct, kw_only=True):
    """Who did it: a member, a token of theirs, the operator of the hub's machine, or the hub."""

    kind: ActorKind
    id: str | None
    name: str | None
    """As they are called now."""
    member: str | None
    """Whose token it is."""


class AuditObject(Struct, kw_only=True):
    """What it was done to."""

    kind: str
    id: str
    name: str | None
    """As it is called now, or was called then."""
    thread_id: str | None
    """The conversation it is, or stands in."""


class AuditLine(Struct, kw_only=True):
    """Something that was changed. ``before`` and ``after`` hold what differs, as JSON."""

    id: str
    seq: int
    """Its place in the organisation's chain."""
    at: datetime
    actor: AuditActor
    remote: str | None
    """The network address that it was asked from."""
    action: str
    object: AuditObject
    before: Any
    after: Any
    digest: str
    """Of this line and the digest before it."""


class AuditPage(Struct, kw_only=True):
    """A page may hold fewer than were asked for, or none, and go on: only without a
    ``next_cursor`` it is the last."""

    items: list[AuditLine]
    next_cursor: str | None


class Lines(Struct, frozen=True):
    """Lines with what they say, decoded, and what is called how."""

    rows: Sequence[Row]
    said: list[tuple[Any, Any]]
    names: Names


def read(connection: Connection, organisation_id: int, rows: Sequence[Row]) -> Lines:
    """What is needed to show lines."""
    said = [(_decoded(row.before), _decoded(row.after)) for row in rows]
    members = {
        one
        for row, both in zip(rows, said, strict=True)
        if row.action == _ASSIGNED
        for one in both
        if isinstance(one, int)
    }
    return Lines(rows, said, audit_log.names_of(connection, organisation_id, rows, members))


def lines(found: Lines) -> list[AuditLine]:
    """Them as they are shown."""
    return [
        _line(row, before, after, found.names)
        for row, (before, after) in zip(found.rows, found.said, strict=True)
    ]


def _line(row: Row, before: Any, after: Any, names: Names) -> AuditLine:
    if row.action == _ASSIGNED:
        before, after = (_member(one, names) for one in (before, after))
    token = names.tokens.get(row.actor_id) if row.actor_kind == "token" else None
    name = names.members.get(row.actor_id) if row.actor_kind == "member" else token and token[0]
    return AuditLine(
        id=str(row.id),
        seq=row.seq,
        at=when(row.at),
        actor=AuditActor(
            kind=row.actor_kind,
            id=None if row.actor_id is None else str(row.actor_id),
            name=name,
            member=token and token[1],
        ),
        remote=row.remote,
        action=row.action,
        object=_object(row, before, after, names),
        before=_exact(before),
        after=_exact(after),
        digest=row.digest,
    )


def _object(row: Row, before: Any, after: Any, names: Names) -> AuditObject:
    id_ = parse(row.object_id)
    thread_id = name = None
    if id_ is not None:
        named: dict[str, dict[int, str]] = {"member": names.members, "role": names.roles}
        name = named.get(row.object_kind, {}).get(id_)
        if row.object_kind == "token" and (token := names.tokens.get(id_)) is not None:
            name = token[0]
        stands_in = {"thread": {id_: id_}, "entry": names.entries, "contact": names.contacts}
        thread = stands_in.get(row.object_kind, {}).get(id_)
        if thread in names.threads:
            thread_id, name = thread, names.threads[thread]
    return AuditObject(
        kind=row.object_kind,
        id=row.object_id,
        name=name or _called(after) or _called(before) or _known_by_id(row),
        thread_id=None if thread_id is None else str(thread_id),
    )


def _called(said: Any) -> str | None:
    """What it was called when the line was written."""
    if not isinstance(said, dict):
        return None
    known = cast("dict[str, Any]", said)
    name = known.get("name") or known.get("email")
    return name if isinstance(name, str) else None


def _known_by_id(row: Row) -> str | None:
    """What the configuration names has an id that people chose."""
    return row.object_id if row.object_kind in {"assistant", "channel"} else None


def _member(id_: Any, names: Names) -> Any:
    return {"id": str(id_), "name": names.members.get(id_)} if isinstance(id_, int) else id_


def _exact(said: Any) -> Any:
    """Ids as texts: a program that keeps them as numbers would round them."""
    if isinstance(said, int) and not isinstance(said, bool) and abs(said) > _LARGEST:
        return str(said)
    if isinstance(said, list):
        return [_exact(one) for one in cast("list[Any]", said)]
    if isinstance(said, dict):
        return {name: _exact(one) for name, one in cast("dict[str, Any]", said).items()}
    return said


def _decoded(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


# ---------------------------------------------------------------------- the export


def csv_head() -> bytes:
    """The first row, behind the mark by which spreadsheets know UTF-8."""
    return b"\xef\xbb\xbf" + _csv([COLUMNS])


def csv_rows(found: Iterable[AuditLine]) -> bytes:
    """A row for each line."""
    return _csv(
        (
            one.seq,
            one.id,
            one.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            one.actor.kind,
            one.actor.id,
            _named(one.actor),
            one.remote,
            one.action,
            one.object.kind,
            one.object.id,
            one.object.name,
            _encoded(one.before),
            _encoded(one.after),
            one.digest,
        )
        for one in found
    )


def _named(actor: AuditActor) -> str | None:
    return actor.name if actor.member is None else f"{actor.name} (token of {actor.member})"


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([_cell(one) for one in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet computes, whatever a customer's name begins with."""
    if isinstance(value, str) and value.startswith(_COMPUTED):
        return f"'{value}"
    return value


def _encoded(said: Any) -> str | None:
    return None if said is None else msgspec.json.encode(said).decode()
