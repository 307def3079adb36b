"""Users, members, roles, sessions and organisations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.rows import facts, struct, structs
from hub.store.statements import among, bound, fields


class Organisation(Struct, kw_only=True, frozen=True):
    id: int
    slug: str
    name: str
    time_zone: str


class User(Struct, kw_only=True, frozen=True):
    id: int
    email: str
    name: str
    password_hash: str
    must_change_password: bool


class Membership(Struct, kw_only=True, frozen=True):
    """A user in an organisation, with what their role allows there."""

    member_id: int
    organisation: Organisation
    role: str
    capabilities: frozenset[str]
    channels: frozenset[str] | None


class Member(Struct, kw_only=True, frozen=True):
    id: int
    name: str
    email: str
    active: bool


class Session(Struct, kw_only=True, frozen=True):
    user: User
    csrf_token: str


_ORGANISATIONS = sa.select(*fields(t.organisations, Organisation))
_USER = sa.select(*fields(t.users, User)).where(
    *bound(email=t.users.c.email), t.users.c.deactivated_at.is_(None)
)
_SESSION = (
    sa.select(*fields(t.users, User), t.sessions.c.csrf_token)
    .join(t.sessions, t.users.c.id == t.sessions.c.user_id)
    .where(
        *bound(token_hash=t.sessions.c.token_hash),
        t.sessions.c.expires_at > sa.bindparam("now"),
        t.users.c.deactivated_at.is_(None),
    )
)
_MEMBERSHIP = (
    sa.select(
        t.members.c.id.label("member_id"),
        t.roles.c.name.label("role"),
        t.roles.c.capabilities,
        t.roles.c.channel_ids,
        *fields(t.organisations, Organisation),
    )
    .join(t.roles, t.roles.c.id == t.members.c.role_id)
    .join(t.organisations, t.organisations.c.id == t.members.c.organisation_id)
    .where(t.members.c.deactivated_at.is_(None))
)
_MEMBERSHIPS = _MEMBERSHIP.where(*bound(user=t.members.c.user_id)).order_by(t.organisations.c.name)
_WATCHING = (
    _MEMBERSHIP.add_columns(t.sessions.c.token_hash)
    .join(t.sessions, t.sessions.c.user_id == t.members.c.user_id)
    .join(t.users, t.users.c.id == t.members.c.user_id)
    .where(
        *bound(org=t.members.c.organisation_id),
        among(t.sessions.c.token_hash, "token_hashes"),
        t.sessions.c.expires_at > sa.bindparam("now"),
        t.users.c.deactivated_at.is_(None),
    )
)
_MEMBERS = (
    sa.select(
        t.members.c.id,
        t.users.c.name,
        t.users.c.email,
        sa.type_coerce(
            sa.and_(t.members.c.deactivated_at.is_(None), t.users.c.deactivated_at.is_(None)),
            sa.Boolean(),
        ).label("active"),
    )
    .join(t.users, t.users.c.id == t.members.c.user_id)
    .where(*bound(org=t.members.c.organisation_id))
    .order_by(t.users.c.name, t.members.c.id)
)


def organisations(connection: Connection) -> list[Organisation]:
    """All of them."""
    return structs(Organisation, connection.execute(_ORGANISATIONS).all())


def user_by_email(connection: Connection, email: str) -> User | None:
    """An active user."""
    row = connection.execute(_USER, {"email": email.strip().lower()}).first()
    return None if row is None else struct(User, row)


def session_by_token(connection: Connection, token_hash: str, now: int) -> Session | None:
    """Who is signed in with a session that has not ended."""
    row = connection.execute(_SESSION, {"token_hash": token_hash, "now": now}).first()
    if row is None:
        return None
    values = dict(facts(row))
    return Session(csrf_token=values.pop("csrf_token"), user=User(**values))


def memberships(connection: Connection, user_id: int) -> list[Membership]:
    """Where a user is an active member, and with what rights."""
    return [_membership(row) for row in connection.execute(_MEMBERSHIPS, {"user": user_id})]


def watching(
    connection: Connection, organisation_id: int, token_hashes: Iterable[str], now: int
) -> dict[str, Membership]:
    """What each of these sessions may in the organisation now; those that have ended, and those
    of who is no member there any more, are left out. ``now`` in milliseconds."""
    values = {"org": organisation_id, "token_hashes": list(token_hashes), "now": now}
    return {row.token_hash: _membership(row) for row in connection.execute(_WATCHING, values)}


def members_of(connection: Connection, organisation_id: int) -> list[Member]:
    """Everybody who is or was a member, by name."""
    rows = connection.execute(_MEMBERS, {"org": organisation_id})
    return [
        Member(id=row.id, name=row.name, email=row.email, active=bool(row.active)) for row in rows
    ]


def _membership(row: sa.Row[Any]) -> Membership:
    return Membership(
        member_id=row.member_id,
        role=row.role,
        capabilities=_names(row.capabilities),
        channels=None if row.channel_ids is None else _names(row.channel_ids),
        organisation=Organisation(id=row.id, slug=row.slug, name=row.name, time_zone=row.time_zone),
    )


def _names(text: str) -> frozenset[str]:
    return msgspec.json.decode(text, type=frozenset[str])
