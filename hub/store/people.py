"""Users, members, roles, sessions and organisations."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.store import tables as t
from hub.store.rows import facts, struct, structs


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


_ORGANISATION = [t.organisations.c[name] for name in Organisation.__struct_fields__]
_USER = [t.users.c[name] for name in User.__struct_fields__]


async def organisations(connection: AsyncConnection) -> list[Organisation]:
    """All of them."""
    rows = (await connection.execute(sa.select(*_ORGANISATION))).all()
    return structs(Organisation, rows)


async def user_by_email(connection: AsyncConnection, email: str) -> User | None:
    """An active user."""
    statement = sa.select(*_USER).where(
        t.users.c.email == email.strip().lower(), t.users.c.deactivated_at.is_(None)
    )
    row = (await connection.execute(statement)).first()
    return None if row is None else struct(User, row)


async def session_by_token(
    connection: AsyncConnection, token_hash: str, now: int
) -> Session | None:
    """Who is signed in with a session that has not ended."""
    statement = (
        sa.select(t.sessions.c.csrf_token, *_USER)
        .join(t.users, t.users.c.id == t.sessions.c.user_id)
        .where(
            t.sessions.c.token_hash == token_hash,
            t.sessions.c.expires_at > now,
            t.users.c.deactivated_at.is_(None),
        )
    )
    row = (await connection.execute(statement)).first()
    if row is None:
        return None
    values = dict(facts(row))
    return Session(csrf_token=values.pop("csrf_token"), user=User(**values))


async def memberships(connection: AsyncConnection, user_id: int) -> list[Membership]:
    """Where a user is an active member, and with what rights."""
    members, roles = t.members.c, t.roles.c
    statement = (
        sa.select(
            members.id.label("member_id"),
            roles.name.label("role"),
            roles.capabilities,
            roles.channel_ids,
            *_ORGANISATION,
        )
        .join(t.roles, roles.id == members.role_id)
        .join(t.organisations, t.organisations.c.id == members.organisation_id)
        .where(members.user_id == user_id, members.deactivated_at.is_(None))
        .order_by(t.organisations.c.name)
    )
    found: list[Membership] = []
    for row in (await connection.execute(statement)).all():
        channels = None if row.channel_ids is None else _names(row.channel_ids)
        found.append(
            Membership(
                member_id=row.member_id,
                role=row.role,
                capabilities=_names(row.capabilities),
                channels=channels,
                organisation=Organisation(
                    id=row.id, slug=row.slug, name=row.name, time_zone=row.time_zone
                ),
            )
        )
    return found


async def members_of(connection: AsyncConnection, organisation_id: int) -> list[Member]:
    """Everybody who is or was a member, by name."""
    members, users = t.members.c, t.users.c
    statement = (
        sa.select(
            members.id,
            users.name,
            users.email,
            sa.type_coerce(
                sa.and_(members.deactivated_at.is_(None), users.deactivated_at.is_(None)),
                sa.Boolean(),
            ).label("active"),
        )
        .join(t.users, users.id == members.user_id)
        .where(members.organisation_id == organisation_id)
        .order_by(users.name, members.id)
    )
    rows = (await connection.execute(statement)).all()
    return [
        Member(id=row.id, name=row.name, email=row.email, active=bool(row.active)) for row in rows
    ]


def _names(text: str) -> frozenset[str]:
    return msgspec.json.decode(text, type=frozenset[str])
