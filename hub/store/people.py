"""Users, members, sessions and organisations, and who may do what."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from hub.rules import settings
from hub.rules.rights import CAPABILITIES, SUPER_USER
from hub.rules.settings import Settings
from hub.rules.sign_in import IDLE
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
    phone: str | None
    super_user: bool
    second_factor: bool
    """Whether more than the password is asked for when they sign in."""
    range_noted: bool
    """Whether they know that the list begins with the last 30 days."""
    single_keys: bool
    """Whether keys that type a character are commands where nothing is typed."""
    toured: bool
    """Whether they have been shown around."""


class Membership(Struct, kw_only=True, frozen=True):
    """A user in an organisation, with what their role allows there."""

    member_id: int
    organisation: Organisation
    role: str
    capabilities: frozenset[str]
    channels: frozenset[str] | None
    needs_second_factor: bool = False
    """Whether nobody comes in without one."""


class Member(Struct, kw_only=True, frozen=True):
    id: int
    name: str
    email: str
    active: bool


class Session(Struct, kw_only=True, frozen=True):
    user: User
    csrf_token: str
    created_at: int
    seen_at: int


class TokenHolder(Struct, kw_only=True, frozen=True):
    """Whose an API token is. ``membership``: with what the token and its member both may."""

    id: int
    user: User
    membership: Membership
    last_used_at: int | None


_ORGANISATIONS = sa.select(*fields(t.organisations, Organisation))
_SETTINGS = sa.select(t.organisations.c.settings, t.organisations.c.time_zone).where(
    *bound(org=t.organisations.c.id)
)
_LOCKED_SETTINGS = _SETTINGS.with_for_update()
_SET_SETTINGS = (
    sa.update(t.organisations)
    .where(*bound(org=t.organisations.c.id))
    .values(settings=sa.bindparam("text", type_=sa.Text))
)
_USER = sa.select(*fields(t.users, User)).where(
    *bound(email=t.users.c.email), t.users.c.deactivated_at.is_(None)
)
_SESSION = (
    sa.select(
        *fields(t.users, User),
        t.sessions.c.csrf_token,
        t.sessions.c.created_at.label("signed_in_at"),
        t.sessions.c.seen_at,
    )
    .join(t.sessions, t.users.c.id == t.sessions.c.user_id)
    .where(
        *bound(token_hash=t.sessions.c.token_hash),
        t.sessions.c.expires_at > sa.bindparam("now"),
        t.sessions.c.seen_at > sa.bindparam("idle", type_=t.Time),
        t.users.c.deactivated_at.is_(None),
    )
)
_MEMBERSHIP = (
    sa.select(
        t.members.c.id.label("member_id"),
        t.roles.c.name.label("role"),
        t.roles.c.capabilities,
        t.roles.c.channel_ids,
        t.roles.c.ready,
        *fields(t.organisations, Organisation),
        t.organisations.c.settings,
    )
    .join(t.roles, t.roles.c.id == t.members.c.role_id)
    .join(t.organisations, t.organisations.c.id == t.members.c.organisation_id)
    .where(t.members.c.deactivated_at.is_(None))
)
_MEMBERSHIPS = _MEMBERSHIP.where(*bound(user=t.members.c.user_id)).order_by(t.organisations.c.name)
_WATCHING = (
    _MEMBERSHIP.add_columns(t.sessions.c.token_hash, t.users.c.second_factor)
    .join(t.sessions, t.sessions.c.user_id == t.members.c.user_id)
    .join(t.users, t.users.c.id == t.members.c.user_id)
    .where(
        *bound(org=t.members.c.organisation_id),
        among(t.sessions.c.token_hash, "token_hashes"),
        t.sessions.c.expires_at > sa.bindparam("now"),
        t.sessions.c.seen_at > sa.bindparam("idle", type_=t.Time),
        t.users.c.deactivated_at.is_(None),
    )
)
_TOKENS = (
    _MEMBERSHIP.add_columns(
        t.tokens.c.id.label("token_id"),
        t.tokens.c.token_hash,
        t.tokens.c.capabilities.label("chosen"),
        t.tokens.c.last_used_at,
        *(t.users.c[name].label(f"user_{name}") for name in User.__struct_fields__),
    )
    .join(
        t.tokens,
        sa.and_(
            t.tokens.c.member_id == t.members.c.id,
            t.tokens.c.organisation_id == t.members.c.organisation_id,
        ),
    )
    .join(t.users, t.users.c.id == t.members.c.user_id)
    .where(
        among(t.tokens.c.token_hash, "token_hashes"),
        t.tokens.c.revoked_at.is_(None),
        sa.or_(t.tokens.c.expires_at.is_(None), t.tokens.c.expires_at > sa.bindparam("now")),
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


def settings_of(
    connection: Connection, organisation_id: int, *, lock: bool = False
) -> tuple[Settings, str]:
    """What an organisation has set, and its time zone. ``lock``: nobody else changes it before the
    transaction ends."""
    statement = _LOCKED_SETTINGS if lock else _SETTINGS
    row = connection.execute(statement, {"org": organisation_id}).one()
    return settings.decode(row.settings), row.time_zone


def set_settings(connection: Connection, organisation_id: int, changed: Settings) -> None:
    """Keep what an organisation has set."""
    text = settings.encode(changed)
    connection.execute(_SET_SETTINGS, {"org": organisation_id, "text": text})


def user_by_email(connection: Connection, email: str) -> User | None:
    """An active user."""
    row = connection.execute(_USER, {"email": email.strip().lower()}).first()
    return None if row is None else struct(User, row)


def session_by_token(connection: Connection, token_hash: str, now: int) -> Session | None:
    """Who is signed in with a session that has not ended."""
    asked = {"token_hash": token_hash, "now": now, "idle": now - IDLE}
    row = connection.execute(_SESSION, asked).first()
    if row is None:
        return None
    values = dict(facts(row))
    return Session(
        csrf_token=values.pop("csrf_token"),
        created_at=values.pop("signed_in_at"),
        seen_at=values.pop("seen_at"),
        user=User(**values),
    )


def set_own(connection: Connection, user_id: int, own: Mapping[str, str | bool | None]) -> None:
    """What a user has decided of themselves, by column; what is not named stays."""
    connection.execute(sa.update(t.users).where(t.users.c.id == user_id).values(**own))


def memberships(connection: Connection, user_id: int) -> list[Membership]:
    """Where a user is an active member, and with what rights."""
    return [_membership(row) for row in connection.execute(_MEMBERSHIPS, {"user": user_id})]


def token_holder(connection: Connection, token_hash: str, now: int) -> TokenHolder | None:
    """Whose an API token is, if it is good: neither revoked nor expired, and its member active."""
    row = connection.execute(_TOKENS, {"token_hashes": [token_hash], "now": now}).first()
    if row is None:
        return None
    known = facts(row)
    values = {name: known[f"user_{name}"] for name in User.__struct_fields__}
    return TokenHolder(
        id=row.token_id,
        user=User(**values),
        membership=_of_token(row),
        last_used_at=row.last_used_at,
    )


def watching(
    connection: Connection, organisation_id: int, token_hashes: Iterable[str], now: int
) -> dict[str, Membership]:
    """What each of these sessions and API tokens may in the organisation now; those that have
    ended, and those of who is no member there any more, are left out. ``now`` in milliseconds."""
    hashes = set(token_hashes)
    values = {
        "org": organisation_id,
        "token_hashes": list(hashes),
        "now": now,
        "idle": now - IDLE,
    }
    rows = connection.execute(_WATCHING, values)
    held = ((row, _membership(row)) for row in rows)
    found = {
        row.token_hash: one for row, one in held if row.second_factor or not one.needs_second_factor
    }
    if others := list(hashes - found.keys()):
        rows = connection.execute(_TOKENS, {"token_hashes": others, "now": now})
        of_tokens = {row.token_hash: _of_token(row) for row in rows}
        found |= {
            hashed: one
            for hashed, one in of_tokens.items()
            if one.organisation.id == organisation_id
        }
    return found


def members_of(connection: Connection, organisation_id: int) -> list[Member]:
    """Everybody who is or was a member, by name."""
    rows = connection.execute(_MEMBERS, {"org": organisation_id})
    return [
        Member(id=row.id, name=row.name, email=row.email, active=bool(row.active)) for row in rows
    ]


def _of_token(row: sa.Row[Any]) -> Membership:
    held = _membership(row)
    return replace(held, capabilities=held.capabilities & _names(row.chosen))


def _membership(row: sa.Row[Any]) -> Membership:
    return Membership(
        member_id=row.member_id,
        role=row.role,
        capabilities=capabilities_of(row.ready, row.capabilities),
        channels=channels_of(row.channel_ids),
        organisation=Organisation(id=row.id, slug=row.slug, name=row.name, time_zone=row.time_zone),
        needs_second_factor=_second_factor(row.settings),
    )


@functools.lru_cache(maxsize=1000)
def _second_factor(text: str) -> bool:
    return settings.decode(text).sign_in.require_two_factor


def capabilities_of(ready: str | None, text: str) -> frozenset[str]:
    """What a role holds; a Super User's everything there is, whatever was stored."""
    return frozenset(CAPABILITIES) if ready == SUPER_USER else _names(text)


def channels_of(text: str | None) -> frozenset[str] | None:
    """The channels a role sees; ``None``: all of them."""
    return None if text is None else _names(text)


def _names(text: str) -> frozenset[str]:
    return msgspec.json.decode(text, type=frozenset[str])
