"""What a database needs before the hub can work on it: organisations, roles, a first admin."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.app.errors import StartupError
from hub.config import HubConfig
from hub.edge.sessions import SHORTEST_PASSWORD, hash_password
from hub.flow.host import now_ms
from hub.plugin import Secret
from hub.rules.rights import READY_ROLES
from hub.store import tables as t
from hub.store.ids import Ids

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
    ready-made roles. Names and time zones follow the configuration."""
    known = {
        row.slug: row.id
        for row in connection.execute(sa.select(t.organisations.c.slug, t.organisations.c.id))
    }
    now = now_ms()
    found: dict[str, int] = {}
    for organisation in config.organisations:
        id_ = known.get(organisation.slug)
        values = {"name": organisation.name, "time_zone": organisation.time_zone}
        if id_ is None:
            id_ = ids.new()
            row = {"id": id_, "slug": organisation.slug, "created_at": now, **values}
            connection.execute(sa.insert(t.organisations), [row])
            roles = [
                {
                    "id": ids.new(),
                    "organisation_id": id_,
                    "name": name,
                    "capabilities": _encode(sorted(capabilities)).decode(),
                    "channel_ids": None,
                    "created_at": now,
                }
                for name, capabilities in READY_ROLES.items()
            ]
            connection.execute(sa.insert(t.roles), roles)
        else:
            connection.execute(
                sa.update(t.organisations).where(t.organisations.c.id == id_).values(**values)
            )
        found[organisation.slug] = id_
    return found


def ensure_admin(
    connection: Connection, ids: Ids, organisations: Mapping[str, int], environ: Mapping[str, str]
) -> FirstAdmin | None:
    """A first admin, in every organisation, if there is no user at all."""
    if connection.execute(sa.select(t.users.c.id).limit(1)).first() is not None:
        return None
    email = (environ.get("HUB_ADMIN_EMAIL") or DEFAULT_ADMIN).strip().lower()
    given = environ.get("HUB_ADMIN_PASSWORD") or None
    if given is not None and len(given) < SHORTEST_PASSWORD:
        raise StartupError(
            f"HUB_ADMIN_PASSWORD is too short: {SHORTEST_PASSWORD} characters at least"
        )
    password = given or new_password()
    user_id = insert_user(connection, ids, email, "Admin", password, one_time=given is None)
    for organisation_id in organisations.values():
        insert_member(connection, ids, user_id, organisation_id, "Admin")
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
) -> None:
    """Make a user a member. Raises ``StartupError`` for a role that does not exist."""
    roles = t.roles.c
    role_id = connection.execute(
        sa.select(roles.id).where(roles.organisation_id == organisation_id, roles.name == role)
    ).scalar()
    if role_id is None:
        known = connection.scalars(
            sa.select(roles.name).where(roles.organisation_id == organisation_id)
        )
        raise StartupError(f'there is no role "{role}"; there are: {", ".join(sorted(known))}')
    row = {
        "id": ids.new(),
        "organisation_id": organisation_id,
        "user_id": user_id,
        "role_id": role_id,
        "created_at": now_ms(),
        "deactivated_at": None,
    }
    connection.execute(sa.insert(t.members), [row])


def new_password() -> str:
    """A password that can be read out: four groups of letters and digits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))


def secret_key(config: HubConfig) -> Secret:
    """What links are signed with: the configured one, or one made once and kept in the data
    folder, readable to the hub's own user only."""
    if config.hub.secret_key is not None:
        return config.hub.secret_key
    path = config.hub.data / "secret_key"
    if not path.exists():
        _make_key(path)
    return Secret(path.read_text(encoding="ascii").strip())


def _make_key(path: Path) -> None:
    """Whole or not at all: half a key, or none, would sign what anybody can forge. Of two
    processes that start together one makes it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)  # readable to its owner only
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
