"""The audit: what was changed, by whom, from where, before and after.

Lines are only ever added. Each has its place (``seq``) in its organisation's chain and carries a
digest of itself and of the line before it, so that one that is changed or taken out afterwards does
not go unnoticed. How many there are and the last digest stand at the organisation; whoever adds
lines has its row locked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.rules.rights import Actor
from hub.store import tables as t
from hub.store.rows import facts
from hub.store.statements import Many, bound

Line = dict[str, Any]
_json = msgspec.json.Encoder(order="deterministic")
_OF = bound(org=t.organisations.c.id)
_LAST = sa.select(t.organisations.c.audit_count, t.organisations.c.audit_digest).where(*_OF)
_LOCK = _LAST.with_for_update()
_KEEP = (
    sa.update(t.organisations)
    .where(*_OF)
    .values(audit_count=sa.bindparam("count"), audit_digest=sa.bindparam("digest"))
)
_INSERT = Many(t.audit, t.audit.c.keys())
_PLACED = frozenset({"digest", "seq"})


class Last(Struct, frozen=True):
    """Where a chain ends: how many lines it has, and the digest of the last one."""

    count: int = 0
    digest: str = ""


def line(
    id_: int,
    organisation_id: int,
    at: int,
    *,
    actor: Actor,
    action: str,
    object_: tuple[str, str],
    before: Any = None,
    after: Any = None,
) -> Line:
    """One line. ``action`` is ``object.verb`` in the past, ``object_`` a kind and an id, ``before``
    and ``after`` whatever JSON can say, never a secret; ``at`` in milliseconds."""
    return {
        "id": id_,
        "organisation_id": organisation_id,
        "at": at,
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "remote": actor.remote,
        "action": action,
        "object_kind": object_[0],
        "object_id": object_[1],
        "before": None if before is None else _json.encode(before).decode(),
        "after": None if after is None else _json.encode(after).decode(),
    }


def digest_of(previous: str, one: Line) -> str:
    """The digest of a line that follows the one with the digest ``previous``, which says with it
    where it stands. Lines of unknown origin have the digests they had before origins were kept."""
    said = {name: value for name, value in one.items() if name not in _PLACED}
    if said["remote"] is None:
        del said["remote"]
    return hashlib.sha256(previous.encode() + _json.encode(said)).hexdigest()


def last(connection: Connection, organisation_id: int) -> Last:
    """Where an organisation's chain ends in this snapshot."""
    return Last(*connection.execute(_LAST, {"org": organisation_id}).one())


def lock(connection: Connection, organisation_id: int) -> Last:
    """Lock the organisation's row until the transaction ends, and with it everything that is
    changed under this lock; where its chain ends."""
    return Last(*connection.execute(_LOCK, {"org": organisation_id}).one())


def append(connection: Connection, organisation_id: int, lines: Sequence[Line]) -> None:
    """Add lines of an organisation in the transaction of what they tell."""
    if lines:
        chain(connection, organisation_id, lock(connection, organisation_id), lines)


def chain(connection: Connection, organisation_id: int, after: Last, lines: Sequence[Line]) -> None:
    """The same where the row is locked already and the chain ends with ``after``."""
    seq, digest = after.count, after.digest
    for one in lines:
        seq += 1
        digest = one["digest"] = digest_of(digest, one)
        one["seq"] = seq
    _INSERT.run(connection, lines)
    connection.execute(_KEEP, {"org": organisation_id, "count": seq, "digest": digest})


# ---------------------------------------------------------------------- is it whole?


class Fault(Struct, frozen=True):
    """The first thing that is wrong with a chain: at which place, and with which line, as far as
    there is one; its time in milliseconds."""

    seq: int
    what: str
    id: int | None = None
    at: int | None = None


_own = t.audit.c
_IN_PLACE = (
    sa.select(t.audit)
    .where(*bound(org=_own.organisation_id), _own.seq > sa.bindparam("after", type_=t.Id))
    .order_by(_own.seq)
    .limit(sa.bindparam("count", type_=sa.Integer))
)
_AT = sa.select(_own.digest).where(*bound(org=_own.organisation_id, seq=_own.seq))
BEFORE_ALL = -(1 << 63)
_DIFFERENT = "was changed, put in or moved, or what stood before it was"


def follow(
    connection: Connection, organisation_id: int, after: Last, *, up_to: int, count: int
) -> tuple[Last, Fault | None]:
    """Check up to ``count`` lines behind ``after``, those with places up to ``up_to``: how far they
    are whole, and what is wrong with the next one, if anything is."""
    first = BEFORE_ALL if after.count == 0 else after.count
    values = {"org": organisation_id, "after": first, "count": count}
    for row in connection.execute(_IN_PLACE, values):
        seq = after.count + 1
        if row.seq > up_to:
            break
        if row.seq > seq:
            return after, Fault(seq, f"{_lines(row.seq - seq)} missing before it", row.id, row.at)
        if row.seq < seq:
            return after, Fault(row.seq, "was put in", row.id, row.at)
        digest = digest_of(after.digest, dict(facts(row)))
        if digest != row.digest:
            return after, Fault(seq, _DIFFERENT, row.id, row.at)
        after = Last(seq, digest)
    return after, None


def ends(connection: Connection, organisation_id: int, known: Last) -> Fault | None:
    """Whether nothing stands behind the end of a chain, which may have gone on since ``known``."""
    told = last(connection, organisation_id)
    if told.count < known.count:
        return Fault(told.count + 1, "is not counted at the organisation")
    values = {"org": organisation_id, "after": told.count, "count": 1}
    if (extra := connection.execute(_IN_PLACE, values).first()) is not None:
        return Fault(extra.seq, "was put in behind the last one", extra.id, extra.at)
    return None


def stands(connection: Connection, organisation_id: int, known: Last) -> bool:
    """Whether the line at a place still has the digest that was noted once."""
    if known.count == 0:
        return known.digest == ""
    values = {"org": organisation_id, "seq": known.count}
    return connection.execute(_AT, values).scalar() == known.digest


def _lines(count: int) -> str:
    return "a line is" if count == 1 else f"{count:,} lines are"
