"""Roles and members as they are managed, and tokens: rows, without a decision.

Who changes one has the organisation's row locked (``hub.store.audit.lock``), so what was read under
that lock is still so when it is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.people import capabilities_of, channels_of
from hub.store.statements import bound

_encode = msgspec.json.Encoder().encode


class Role(Struct, frozen=True, kw_only=True):
    """A role. ``ready``: which of the ready-made ones it is; ``channels`` is ``None`` where it sees
    them all."""

    id: int
    name: str
    ready: str | None
    capabilities: frozenset[str]
    channels: frozenset[str] | None


class Held(Struct, frozen=True, kw_only=True):
    """A member, and whether they may still come in. ``there``: the organisation takes them for a
    member; ``active``: they can sign in besides."""

    id: int
    organisation_id: int
    user_id: int
    name: str
    email: str
    role_id: int
    there: bool
    active: bool
    super_user: bool
    second_factor: bool
    last_seen_at: int | None
    """To five minutes; ``None``: never."""
    available: bool
    available_at: int | None


class Token(Struct, frozen=True, kw_only=True):
    """An API token, without what it is known by."""

    id: int
    member_id: int
    member_name: str
    name: str
    capabilities: frozenset[str]
    created_at: int
    expires_at: int | None
    last_used_at: int | None


_own = t.roles.c
_ROLES = (
    sa.select(_own.id, _own.name, _own.ready, _own.capabilities, _own.channel_ids)
    .where(*bound(org=_own.organisation_id))
    .order_by(_own.id)
)
_HELD = sa.select(
    t.members.c.id,
    t.members.c.organisation_id,
    t.members.c.user_id,
    t.members.c.role_id,
    t.members.c.deactivated_at,
    t.users.c.name,
    t.users.c.email,
    t.users.c.deactivated_at.label("user_deactivated_at"),
    t.users.c.super_user,
    t.users.c.second_factor,
    t.users.c.last_seen_at,
    t.members.c.available,
    t.members.c.available_at,
).join(t.users, t.users.c.id == t.members.c.user_id)
_OF_ORGANISATION = _HELD.where(*bound(org=t.members.c.organisation_id)).order_by(
    t.users.c.name, t.members.c.id
)
_ONE = _HELD.where(*bound(org=t.members.c.organisation_id, id_=t.members.c.id))
_OF_USER = _HELD.where(*bound(user=t.members.c.user_id)).order_by(t.members.c.organisation_id)
_TOKENS = (
    sa.select(
        t.tokens.c.id,
        t.tokens.c.member_id,
        t.users.c.name.label("member_name"),
        t.tokens.c.name,
        t.tokens.c.capabilities,
        t.tokens.c.created_at,
        t.tokens.c.expires_at,
        t.tokens.c.last_used_at,
    )
    .join(t.members, t.members.c.id == t.tokens.c.member_id)
    .join(t.users, t.users.c.id == t.members.c.user_id)
    .where(*bound(org=t.tokens.c.organisation_id), t.tokens.c.revoked_at.is_(None))
    .order_by(t.tokens.c.id)
)
_TOKENS_OF_MEMBER = _TOKENS.where(*bound(member=t.tokens.c.member_id))
_REVOKE = (
    sa.update(t.tokens)
    .where(
        *bound(org=t.tokens.c.organisation_id, member=t.tokens.c.member_id),
        t.tokens.c.revoked_at.is_(None),
    )
    .values(revoked_at=sa.bindparam("at", type_=t.Time))
)
_ASSIGNED = (
    sa.select(t.threads.c.id)
    .where(*bound(org=t.threads.c.organisation_id, member=t.threads.c.assignee_id))
    .order_by(t.threads.c.id)
    .limit(sa.bindparam("count"))
)


def roles(connection: Connection, organisation_id: int) -> dict[int, Role]:
    """An organisation's roles by id, the oldest first."""
    return {
        row.id: Role(
            id=row.id,
            name=row.name,
            ready=row.ready,
            capabilities=capabilities_of(row.ready, row.capabilities),
            channels=channels_of(row.channel_ids),
        )
        for row in connection.execute(_ROLES, {"org": organisation_id})
    }


def write_role(connection: Connection, organisation_id: int, role: Role, at: int) -> None:
    """A new role, or another form of one that is there."""
    values: dict[str, Any] = {
        "name": role.name,
        "capabilities": _encode(sorted(role.capabilities)).decode(),
        "channel_ids": None if role.channels is None else _encode(sorted(role.channels)).decode(),
    }
    changed = connection.execute(
        sa.update(t.roles)
        .where(_own.organisation_id == organisation_id, _own.id == role.id)
        .values(**values)
    )
    if not changed.rowcount:
        row = {"id": role.id, "organisation_id": organisation_id, "ready": role.ready} | values
        connection.execute(sa.insert(t.roles), [{**row, "created_at": at}])


def delete_role(connection: Connection, organisation_id: int, role_id: int) -> None:
    """Take a role away. Who left while they had it has none then."""
    connection.execute(
        sa.delete(t.roles).where(_own.organisation_id == organisation_id, _own.id == role_id)
    )


def members(connection: Connection, organisation_id: int) -> list[Held]:
    """Everybody who is or was a member, by name."""
    return [_held(row) for row in connection.execute(_OF_ORGANISATION, {"org": organisation_id})]


def member(connection: Connection, organisation_id: int, member_id: int) -> Held | None:
    """One of them."""
    row = connection.execute(_ONE, {"org": organisation_id, "id_": member_id}).first()
    return None if row is None else _held(row)


def memberships_of(connection: Connection, user_id: int) -> list[Held]:
    """Wherever a user is or was a member, by organisation."""
    return [_held(row) for row in connection.execute(_OF_USER, {"user": user_id})]


def holders(connection: Connection, organisation_id: int) -> Counter[int]:
    """How many active members have each role."""
    return Counter(one.role_id for one in members(connection, organisation_id) if one.active)


def add_member(
    connection: Connection, id_: int, organisation_id: int, user_id: int, role_id: int, at: int
) -> None:
    """A user becomes a member."""
    row = {
        "id": id_,
        "organisation_id": organisation_id,
        "user_id": user_id,
        "role_id": role_id,
        "created_at": at,
        "deactivated_at": None,
    }
    connection.execute(sa.insert(t.members), [row])


def change_member(connection: Connection, held: Held, **values: Any) -> None:
    """Another role, or gone, or back."""
    connection.execute(
        sa.update(t.members)
        .where(t.members.c.organisation_id == held.organisation_id, t.members.c.id == held.id)
        .values(**values)
    )


def set_super_user(connection: Connection, user_id: int, *, is_one: bool) -> None:
    """Whether a user is a Super User."""
    connection.execute(sa.update(t.users).where(t.users.c.id == user_id).values(super_user=is_one))


def assigned_to(
    connection: Connection, organisation_id: int, member_id: int, count: int
) -> list[int]:
    """So many conversations at most that are assigned to a member."""
    values = {"org": organisation_id, "member": member_id, "count": count}
    return list(connection.scalars(_ASSIGNED, values))


def tokens(connection: Connection, organisation_id: int, member_id: int | None) -> list[Token]:
    """Tokens that nobody has revoked: a member's, or (``None``) everybody's."""
    if member_id is None:
        rows: Iterable[Any] = connection.execute(_TOKENS, {"org": organisation_id})
    else:
        values = {"org": organisation_id, "member": member_id}
        rows = connection.execute(_TOKENS_OF_MEMBER, values)
    return [
        Token(
            id=row.id,
            member_id=row.member_id,
            member_name=row.member_name,
            name=row.name,
            capabilities=msgspec.json.decode(row.capabilities, type=frozenset[str]),
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
        )
        for row in rows
    ]


def add_token(connection: Connection, organisation_id: int, token: Token, hashed: str) -> None:
    """A new token; ``hashed``: what it is known by."""
    row = {
        "id": token.id,
        "organisation_id": organisation_id,
        "member_id": token.member_id,
        "name": token.name,
        "token_hash": hashed,
        "capabilities": _encode(sorted(token.capabilities)).decode(),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": None,
        "revoked_at": None,
    }
    connection.execute(sa.insert(t.tokens), [row])


def revoke_token(connection: Connection, organisation_id: int, token_id: int, at: int) -> None:
    """It is good for nothing any more."""
    own = t.tokens.c
    connection.execute(
        sa.update(t.tokens)
        .where(own.organisation_id == organisation_id, own.id == token_id)
        .values(revoked_at=at)
    )


def revoke_tokens(connection: Connection, organisation_id: int, member_id: int, at: int) -> None:
    """The same for all of a member's."""
    connection.execute(_REVOKE, {"org": organisation_id, "member": member_id, "at": at})


def _held(row: Any) -> Held:
    there = row.deactivated_at is None
    return Held(
        available=bool(row.available),
        available_at=row.available_at,
        id=row.id,
        organisation_id=row.organisation_id,
        user_id=row.user_id,
        name=row.name,
        email=row.email,
        role_id=row.role_id,
        there=there,
        active=there and row.user_deactivated_at is None,
        super_user=bool(row.super_user),
        second_factor=bool(row.second_factor),
        last_seen_at=row.last_seen_at,
    )
