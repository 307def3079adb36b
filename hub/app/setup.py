"""What a database needs before the hub can work on it: organisations, roles, a first admin."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.app.errors import StartupError
from hub.config import HubConfig
from hub.edge.sessions import hash_password
from hub.flow.audited import tell
from hub.flow.host import now_ms
from hub.flow.people import People, Place
from hub.rules.rights import OPERATOR, READY_ROLES, SUPER_USER, SYSTEM, Actor
from hub.rules.sign_in import check_password
from hub.rules.states import Refusal
from hub.store import tables as t
from hub.store.ids import Ids
from hub.store.people import Organisation, organisations
from hub.store.roles import add_member

DEFAULT_ADMIN = "admin@localhost"
_encode = msgspec.json.Encoder().encode


class FirstAdmin(Struct, frozen=True):
    """The first admin of a new hub. ``password`` is ``None`` when it was given, not made."""

    email: str
    password: str | None


def take_node(connection: Connection) -> int:
    """A number for this process, for its ids; never the same for two that run at once."""
    meta = t.meta.c
    value = connection.execute(
        sa.select(meta.value).where(meta.key == "node").with_for_update()
    ).scalar()
    if value is None:
        connection.execute(sa.insert(t.meta), [{"key": "node", "value": "1"}])
        return 1
    node = int(value) + 1
    connection.execute(sa.update(t.meta).where(meta.key == "node").values(value=str(node)))
    return node


def ensure_organisations(connection: Connection, ids: Ids, config: HubConfig) -> dict[str, int]:
    """The ids of the configured organisations by slug; those that are new are made, with the
    ready-made roles. Names and time zones follow the configuration, which is audited."""
    known = {one.slug: one for one in organisations(connection)}
    now = now_ms()
    found: dict[str, int] = {}
    for organisation in config.organisations:
        there = known.get(organisation.slug)
        id_ = ids.new() if there is None else there.id
        values = {"name": organisation.name, "time_zone": organisation.time_zone}
        if there is None:
            row = {"id": id_, "slug": organisation.slug, "created_at": now, **values}
            connection.execute(sa.insert(t.organisations), [row])
            connection.execute(
                sa.insert(t.roles), [_ready_role(ids, id_, name, now) for name in READY_ROLES]
            )
        elif (before := {"name": there.name, "time_zone": there.time_zone}) != values:
            connection.execute(
                sa.update(t.organisations).where(t.organisations.c.id == id_).values(**values)
            )
            tell(
                connection,
                ids,
                id_,
                OPERATOR,
                "organisation.changed",
                ("organisation", str(id_)),
                before=before,
                after=values,
            )
        found[organisation.slug] = id_
    return found


def ensure_super_users(connection: Connection, ids: Ids, people: People) -> None:
    """Every organisation has the role of Super Users, and each of them is a member with it."""
    roles = t.roles.c
    there = set(
        connection.scalars(sa.select(roles.organisation_id).where(roles.ready == SUPER_USER))
    )
    users = list(connection.scalars(sa.select(t.users.c.id).where(t.users.c.super_user)))
    for organisation in organisations(connection):
        if organisation.id not in there:
            row = _ready_role(ids, organisation.id, SUPER_USER, now_ms())
            connection.execute(sa.insert(t.roles), [row])
        people.ensure_super_users(connection, organisation, users, SYSTEM)


def _ready_role(ids: Ids, organisation_id: int, name: str, now: int) -> dict[str, Any]:
    return {
        "id": ids.new(),
        "organisation_id": organisation_id,
        "name": name,
        "capabilities": _encode(sorted(READY_ROLES[name])).decode(),
        "channel_ids": None,
        "created_at": now,
        "ready": name,
    }


def ensure_admin(
    connection: Connection, ids: Ids, slugs: Mapping[str, int], environ: Mapping[str, str]
) -> FirstAdmin | None:
    """A first admin, in every organisation, if there is no user at all."""
    if connection.execute(sa.select(t.users.c.id).limit(1)).first() is not None:
        return None
    email = (environ.get("HUB_ADMIN_EMAIL") or DEFAULT_ADMIN).strip().lower()
    given = environ.get("HUB_ADMIN_PASSWORD") or None
    if given is not None:
        try:
            check_password(given, "HUB_ADMIN_PASSWORD", email)
        except Refusal as refusal:
            raise StartupError(f"HUB_ADMIN_PASSWORD: {refusal.detail}") from None
    password = given or new_password()
    user_id = insert_user(connection, ids, email, "Admin", password, one_time=given is None)
    for organisation in organisations(connection):
        if organisation.slug in slugs:
            enrol(connection, ids, organisation, user_id, email, "Admin", SYSTEM)
    return FirstAdmin(email, None if given else password)


def insert_user(
    connection: Connection, ids: Ids, email: str, name: str, password: str, *, one_time: bool
) -> int:
    """A new user; ``one_time``: they choose another password when they first sign in."""
    id_ = ids.new()
    row = {
        "id": id_,
        "email": email.strip().lower(),
        "name": name,
        "password_hash": hash_password(password),
        "must_change_password": one_time,
        "created_at": now_ms(),
        "deactivated_at": None,
    }
    connection.execute(sa.insert(t.users), [row])
    return id_


def insert_member(
    connection: Connection, ids: Ids, user_id: int, organisation_id: int, role: str
) -> int:
    """Make a user a member; the member's id. Raises ``StartupError`` for a role that is none."""
    roles = t.roles.c
    role_id = connection.execute(
        sa.select(roles.id).where(roles.organisation_id == organisation_id, roles.name == role)
    ).scalar()
    if role_id is None:
        known = connection.scalars(
            sa.select(roles.name).where(roles.organisation_id == organisation_id)
        )
        raise StartupError(f'there is no role "{role}"; there are: {", ".join(sorted(known))}')
    id_ = ids.new()
    add_member(connection, id_, organisation_id, user_id, role_id, now_ms())
    return id_


def enrol(
    connection: Connection,
    ids: Ids,
    organisation: Organisation,
    user_id: int,
    email: str,
    role: str,
    actor: Actor,
) -> None:
    """The same, audited."""
    id_ = insert_member(connection, ids, user_id, organisation.id, role)
    after = {"email": email.lower(), "role": role}
    Place(connection, organisation, ids).audit(actor, "member.added", ("member", id_), None, after)


def new_password() -> str:
    """A password that can be read out: four groups of letters and digits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))
