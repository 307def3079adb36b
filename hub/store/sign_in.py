"""What signing in rests on besides passwords: sessions, invitations, links to reset a password,
second factors, and tries. Rows, without a decision. Whoever holds a token is known by its hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.rules.sign_in import IDLE, STEP_FOR, Limit
from hub.store import tables as t
from hub.store.rows import struct, structs
from hub.store.statements import among, bound, fields

_NOW = sa.bindparam("now", type_=t.Time)


# ------------------------------------------------------------------ sessions


class Open(Struct, frozen=True, kw_only=True):
    """A session that has not ended. ``begun_with``: ways of signing in, by spaces."""

    token_hash: str
    created_at: int
    seen_at: int
    expires_at: int
    remote: str | None
    user_agent: str | None
    begun_with: str
    push_key: str | None = None
    """What its browser is known by where that is told of alerts while no page is open."""

    @property
    def id(self) -> str:
        """What it is called. It tells nothing of the token."""
        return self.token_hash[:20]


_sessions = t.sessions.c
_OPEN = (
    sa.select(*fields(t.sessions, Open))
    .where(
        *bound(user=_sessions.user_id),
        _sessions.expires_at > _NOW,
        _sessions.seen_at > sa.bindparam("idle", type_=t.Time),
    )
    .order_by(_sessions.seen_at.desc(), _sessions.token_hash)
)
_SEEN = (
    sa.update(t.sessions)
    .where(*bound(hashed=_sessions.token_hash), _sessions.seen_at < _NOW)
    .values(seen_at=_NOW)
)
_SEEN_USER = (
    sa.update(t.users)
    .where(
        t.users.c.id
        == sa.select(_sessions.user_id).where(*bound(hashed=_sessions.token_hash)).scalar_subquery()
    )
    .values(last_seen_at=_NOW)
)
_ENDED = sa.delete(t.sessions).where(
    sa.or_(
        _sessions.expires_at <= _NOW,
        _sessions.seen_at <= sa.bindparam("idle", type_=t.Time),
    )
)


def open_sessions(connection: Connection, user_id: int, now: int) -> list[Open]:
    """A user's, the one that was used last first."""
    rows = connection.execute(_OPEN, {"user": user_id, "now": now, "idle": now - IDLE})
    return structs(Open, rows.all())


def add_session(connection: Connection, user_id: int, opened: Open, *, csrf_token: str) -> None:
    """Somebody is signed in. Sessions that have ended go."""
    now = opened.created_at
    connection.execute(_ENDED, {"now": now, "idle": now - IDLE})
    row = {"user_id": user_id, "csrf_token": csrf_token, **msgspec.structs.asdict(opened)}
    connection.execute(sa.insert(t.sessions), [row])
    connection.execute(_SEEN_USER, {"hashed": opened.token_hash, "now": now})


def seen(connection: Connection, token_hash: str, now: int) -> None:
    """It was used."""
    for statement in (_SEEN, _SEEN_USER):
        connection.execute(statement, {"hashed": token_hash, "now": now})


def end_sessions(
    connection: Connection, user_id: int, *, only: str | None = None, but: str | None = None
) -> int:
    """End a user's sessions; how many. ``only``, ``but``: one by its hash."""
    statement = sa.delete(t.sessions).where(_sessions.user_id == user_id)
    if only is not None:
        statement = statement.where(_sessions.token_hash == only)
    if but is not None:
        statement = statement.where(_sessions.token_hash != but)
    return connection.execute(statement).rowcount


def renew_session(connection: Connection, before: str, after: str) -> bool:
    """Another token for a session; ``False``: it has ended meanwhile."""
    statement = sa.update(t.sessions).where(_sessions.token_hash == before)
    return bool(connection.execute(statement.values(token_hash=after)).rowcount)


# ------------------------------------------------------------------ users


class Person(Struct, frozen=True, kw_only=True):
    """A user, whether or not they may still come in."""

    id: int
    email: str
    name: str
    active: bool
    super_user: bool
    second_factor: bool


_users = t.users.c
_PERSON = sa.select(
    _users.id,
    _users.email,
    _users.name,
    _users.deactivated_at,
    _users.super_user,
    _users.second_factor,
)


def person_by_email(connection: Connection, email: str) -> Person | None:
    """Whose email it is."""
    return _person(connection.execute(_PERSON.where(_users.email == email)).first())


def person(connection: Connection, user_id: int) -> Person | None:
    """A user."""
    return _person(connection.execute(_PERSON.where(_users.id == user_id)).first())


def _person(row: Any) -> Person | None:
    if row is None:
        return None
    return Person(
        id=row.id,
        email=row.email,
        name=row.name,
        active=row.deactivated_at is None,
        super_user=bool(row.super_user),
        second_factor=bool(row.second_factor),
    )


def add_user(
    connection: Connection, id_: int, email: str, name: str, password_hash: str, now: int
) -> bool:
    """A new user; ``False``: somebody has this email."""
    row = {
        "id": id_,
        "email": email,
        "name": name,
        "password_hash": password_hash,
        "must_change_password": False,
        "created_at": now,
    }
    if person_by_email(connection, email) is not None:
        return False
    connection.execute(sa.insert(t.users), [row])
    return True


def set_password(connection: Connection, user_id: int, password_hash: str) -> None:
    """Another password, chosen by the user. Links to reset it are of no use any more."""
    connection.execute(
        sa.update(t.users)
        .where(_users.id == user_id)
        .values(password_hash=password_hash, must_change_password=False)
    )
    drop_resets(connection, user_id)


# ------------------------------------------------------------------ invitations


class Invitation(Struct, frozen=True, kw_only=True):
    """Somebody who may become a member."""

    id: int
    organisation_id: int
    email: str
    name: str | None
    role_id: int
    invited_by: int | None
    created_at: int
    expires_at: int


_invitations = t.invitations.c
_INVITATIONS = sa.select(*fields(t.invitations, Invitation))


def invitations(connection: Connection, organisation_id: int) -> list[Invitation]:
    """Those that nobody has accepted, the newest first."""
    rows = connection.execute(
        _INVITATIONS.where(_invitations.organisation_id == organisation_id).order_by(
            _invitations.id.desc()
        )
    )
    return structs(Invitation, rows.all())


def invitation_by_token(connection: Connection, token_hash: str, now: int) -> Invitation | None:
    """The one that a link names, if it can still be accepted."""
    row = connection.execute(
        _INVITATIONS.where(_invitations.token_hash == token_hash, _invitations.expires_at > now)
    ).first()
    return None if row is None else struct(Invitation, row)


def invitations_of(connection: Connection, email: str, now: int) -> list[Invitation]:
    """Those that somebody can accept, wherever."""
    rows = connection.execute(
        _INVITATIONS.where(_invitations.email == email, _invitations.expires_at > now).order_by(
            _invitations.organisation_id
        )
    )
    return structs(Invitation, rows.all())


def put_invitation(connection: Connection, invitation: Invitation, token_hash: str) -> None:
    """A new one, or a new link for one that is there."""
    values = msgspec.structs.asdict(invitation) | {"token_hash": token_hash}
    connection.execute(sa.delete(t.invitations).where(_invitations.id == invitation.id))
    connection.execute(sa.insert(t.invitations), [values])


def move_invitations(
    connection: Connection, organisation_id: int, role_id: int, other_id: int
) -> None:
    """Who is invited with a role is invited with another one."""
    connection.execute(
        sa.update(t.invitations)
        .where(_invitations.organisation_id == organisation_id, _invitations.role_id == role_id)
        .values(role_id=other_id)
    )


def take_invitation(connection: Connection, id_: int) -> bool:
    """It is good for nothing any more; ``False``: it was not before."""
    return bool(connection.execute(sa.delete(t.invitations).where(_invitations.id == id_)).rowcount)


# ------------------------------------------------------------------ links to reset a password


def put_reset(
    connection: Connection, token_hash: str, user_id: int, now: int, expires_at: int
) -> None:
    """A link; those made before for the same user, and those that have expired, go."""
    resets = t.password_resets.c
    connection.execute(
        sa.delete(t.password_resets).where(
            sa.or_(resets.user_id == user_id, resets.expires_at <= now)
        )
    )
    row = {
        "token_hash": token_hash,
        "user_id": user_id,
        "created_at": now,
        "expires_at": expires_at,
    }
    connection.execute(sa.insert(t.password_resets), [row])


def reset_of(connection: Connection, token_hash: str, now: int) -> int | None:
    """Whose password a link resets."""
    resets = t.password_resets.c
    return connection.execute(
        sa.select(resets.user_id).where(resets.token_hash == token_hash, resets.expires_at > now)
    ).scalar()


def drop_resets(connection: Connection, user_id: int) -> None:
    """A user's links are of no use any more."""
    connection.execute(sa.delete(t.password_resets).where(t.password_resets.c.user_id == user_id))


def take_reset(connection: Connection, token_hash: str, now: int) -> int | None:
    """The same, and it is of no use any more: of two who use it at once one does."""
    user_id = reset_of(connection, token_hash, now)
    resets = t.password_resets.c
    gone = connection.execute(sa.delete(t.password_resets).where(resets.token_hash == token_hash))
    return user_id if gone.rowcount else None


# ------------------------------------------------------------------ second factors


class Totp(Struct, frozen=True, kw_only=True):
    """A secret from which somebody's device makes codes."""

    secret: str
    last_step: int
    created_at: int
    confirmed_at: int | None


_totps = t.totps.c
_TOTP = sa.select(*fields(t.totps, Totp)).where(*bound(user=_totps.user_id))


def totp(connection: Connection, user_id: int) -> Totp | None:
    """A user's, confirmed or not."""
    row = connection.execute(_TOTP, {"user": user_id}).first()
    return None if row is None else struct(Totp, row)


def put_totp(connection: Connection, user_id: int, made: Totp) -> None:
    """A new one in place of what is there."""
    connection.execute(sa.delete(t.totps).where(_totps.user_id == user_id))
    row = {"user_id": user_id, **msgspec.structs.asdict(made)}
    connection.execute(sa.insert(t.totps), [row])


def use_step(connection: Connection, user_id: int, created_at: int, step: int) -> bool:
    """A code of ``step`` was used; ``False``: it, or a later one, was before, or there is another
    secret by now."""
    changed = connection.execute(
        sa.update(t.totps)
        .where(_totps.user_id == user_id, _totps.created_at == created_at, _totps.last_step < step)
        .values(last_step=step)
    )
    return bool(changed.rowcount)


def confirm_totp(connection: Connection, user_id: int, now: int) -> None:
    """Its codes are asked for from now on."""
    connection.execute(sa.update(t.totps).where(_totps.user_id == user_id).values(confirmed_at=now))
    _set_second_factor(connection, user_id, there=True)


def remove_totp(connection: Connection, user_id: int) -> None:
    """No codes any more, whether or not anything else is left."""
    connection.execute(sa.delete(t.totps).where(_totps.user_id == user_id))


class Passkey(Struct, frozen=True, kw_only=True):
    """A key pair of somebody's device. ``credential_id`` and ``public_key``: base64url;
    ``transports``: JSON, how the device is reached; ``rp_id``: for which host it signs."""

    id: int
    user_id: int
    credential_id: str
    public_key: str
    sign_count: int
    rp_id: str
    transports: str
    name: str
    created_at: int
    used_at: int | None


_passkeys = t.passkeys.c
_PASSKEY = sa.select(*fields(t.passkeys, Passkey))


def passkeys(connection: Connection, user_id: int) -> list[Passkey]:
    """A user's, in the order they were made in."""
    rows = connection.execute(_PASSKEY.where(_passkeys.user_id == user_id).order_by(_passkeys.id))
    return structs(Passkey, rows.all())


def passkey_by_credential(connection: Connection, credential_id: str) -> Passkey | None:
    """Whosever it is."""
    row = connection.execute(_PASSKEY.where(_passkeys.credential_id == credential_id)).first()
    return None if row is None else struct(Passkey, row)


def add_passkey(connection: Connection, made: Passkey) -> None:
    """It is asked for from now on."""
    connection.execute(sa.insert(t.passkeys), [msgspec.structs.asdict(made)])
    _set_second_factor(connection, made.user_id, there=True)


def rename_passkey(connection: Connection, id_: int, name: str) -> None:
    """Another name for one."""
    connection.execute(sa.update(t.passkeys).where(_passkeys.id == id_).values(name=name))


def remove_passkey(connection: Connection, id_: int) -> None:
    """It signs nobody in any more, whether or not anything else is left."""
    connection.execute(sa.delete(t.passkeys).where(_passkeys.id == id_))


def use_passkey(connection: Connection, id_: int, sign_count: int, now: int) -> bool:
    """It was used, for the time that it says; ``False``: it was used so often before already, or it
    is gone. Some devices do not count, and say 0 each time."""
    changed = connection.execute(
        sa.update(t.passkeys)
        .where(
            _passkeys.id == id_,
            sa.or_(
                _passkeys.sign_count < sign_count,
                sa.and_(_passkeys.sign_count == 0, sa.literal(sign_count) == 0),
            ),
        )
        .values(sign_count=sign_count, used_at=now)
    )
    return bool(changed.rowcount)


def remove_second_factors(connection: Connection, user_id: int) -> None:
    """All of them, with the recovery codes."""
    remove_totp(connection, user_id)
    connection.execute(sa.delete(t.passkeys).where(_passkeys.user_id == user_id))
    put_recovery_codes(connection, user_id, ())
    _set_second_factor(connection, user_id, there=False)


def _set_second_factor(connection: Connection, user_id: int, *, there: bool) -> None:
    connection.execute(sa.update(t.users).where(_users.id == user_id).values(second_factor=there))


def put_recovery_codes(connection: Connection, user_id: int, hashes: Iterable[str]) -> None:
    """These in place of what is there."""
    codes = t.recovery_codes
    connection.execute(sa.delete(codes).where(codes.c.user_id == user_id))
    if rows := [{"user_id": user_id, "code_hash": one} for one in hashes]:
        connection.execute(sa.insert(codes), rows)


def count_recovery_codes(connection: Connection, user_id: int) -> int:
    """How many are left."""
    codes = t.recovery_codes
    statement = sa.select(sa.func.count()).select_from(codes).where(codes.c.user_id == user_id)
    return connection.execute(statement).scalar_one()


def use_recovery_code(connection: Connection, user_id: int, hashes: Sequence[str]) -> bool:
    """It is used; ``False``: there is none such, or not any more. ``hashes``: what it may be known
    by."""
    codes = t.recovery_codes
    return bool(
        connection.execute(
            sa.delete(codes).where(codes.c.user_id == user_id, codes.c.code_hash.in_(hashes))
        ).rowcount
    )


# ------------------------------------------------------------------ who they are at providers

_identities = t.identities.c


def user_of_identity(connection: Connection, issuer: str, subject: str) -> int | None:
    """Who somebody is here whom a provider calls so."""
    return connection.execute(
        sa.select(_identities.user_id).where(
            _identities.issuer == issuer, _identities.subject == subject
        )
    ).scalar()


def has_identity(connection: Connection, issuer: str, user_id: int) -> bool:
    """Whether the provider calls a user something already."""
    return (
        connection.execute(
            sa.select(_identities.subject).where(
                _identities.issuer == issuer, _identities.user_id == user_id
            )
        ).first()
        is not None
    )


def add_identity(connection: Connection, issuer: str, subject: str, user_id: int, now: int) -> None:
    """From now on a provider's word is enough."""
    row = {"issuer": issuer, "subject": subject, "user_id": user_id, "created_at": now}
    connection.execute(sa.insert(t.identities), [row])


# ------------------------------------------------------------------ between two steps


class Step(Struct, frozen=True, kw_only=True):
    """Where somebody is who is not signed in yet."""

    kind: str
    user_id: int | None
    data: str


_steps = t.sign_in_steps.c


def put_step(connection: Connection, token_hash: str, step: Step, now: int) -> None:
    """Somebody has come so far; from the same token they set out only once at a time. What others
    have left unfinished goes."""
    connection.execute(
        sa.delete(t.sign_in_steps).where(
            sa.or_(_steps.expires_at <= now, _steps.token_hash == token_hash)
        )
    )
    row = {
        "token_hash": token_hash,
        "expires_at": now + STEP_FOR,
        **msgspec.structs.asdict(step),
    }
    connection.execute(sa.insert(t.sign_in_steps), [row])


def step(connection: Connection, token_hash: str, kind: str, now: int) -> Step | None:
    """Where somebody is."""
    row = connection.execute(
        sa.select(*fields(t.sign_in_steps, Step)).where(
            _steps.token_hash == token_hash, _steps.kind == kind, _steps.expires_at > now
        )
    ).first()
    return None if row is None else struct(Step, row)


def take_step(connection: Connection, token_hash: str, kind: str, now: int) -> Step | None:
    """The same, once: of two who go on from there one does."""
    found = step(connection, token_hash, kind, now)
    gone = connection.execute(
        sa.delete(t.sign_in_steps).where(_steps.token_hash == token_hash, _steps.kind == kind)
    )
    return found if gone.rowcount else None


def drop_steps(connection: Connection, user_id: int) -> None:
    """A user begins anew."""
    connection.execute(sa.delete(t.sign_in_steps).where(_steps.user_id == user_id))


# ------------------------------------------------------------------ tries

_attempts = t.attempts.c
_COUNT = """
INSERT INTO attempts (key, count, began_at, ends_at) VALUES (:key, 1, :now, :ends)
ON CONFLICT (key) DO UPDATE SET
  count = CASE WHEN attempts.ends_at <= :now THEN 1 ELSE attempts.count + 1 END,
  began_at = CASE WHEN attempts.ends_at <= :now THEN :now ELSE attempts.began_at END,
  ends_at = CASE WHEN attempts.ends_at <= :now THEN :ends ELSE attempts.ends_at END
RETURNING count, ends_at
"""
_COUNT_ONE = sa.text(_COUNT).bindparams(
    sa.bindparam("key", type_=sa.Text),
    sa.bindparam("now", type_=t.Time),
    sa.bindparam("ends", type_=t.Time),
)
_TAKE_BACK = (
    sa.update(t.attempts)
    .where(*bound(key_=_attempts.key), _attempts.count > 0)
    .values(count=_attempts.count - 1)
)
_USED = sa.select(_attempts.key, _attempts.count, _attempts.ends_at).where(
    among(_attempts.key, "keys"), _attempts.ends_at > _NOW
)
_OLD = sa.delete(t.attempts).where(_attempts.ends_at <= _NOW)


def count_try(connection: Connection, key: str, limit: Limit, now: int) -> int:
    """Count a try; the milliseconds until there may be another, 0 where this one may be."""
    values = {"key": key, "now": now, "ends": now + limit.per}
    used, ends_at = connection.execute(_COUNT_ONE, values).one()
    return ends_at - now if used > limit.most else 0


def used_up(connection: Connection, limits: Mapping[str, Limit], now: int) -> int:
    """The milliseconds until a try may be counted for each key, 0 where one may be now."""
    rows = connection.execute(_USED, {"keys": sorted(limits), "now": now})
    return max((ends - now for key, used, ends in rows if used >= limits[key].most), default=0)


def take_back_try(connection: Connection, key: str) -> None:
    """It was right."""
    connection.execute(_TAKE_BACK, {"key_": key})


def forget_tries(connection: Connection, key: str) -> None:
    """All of them."""
    connection.execute(sa.delete(t.attempts).where(_attempts.key == key))


def forget_old_tries(connection: Connection, now: int) -> None:
    """Those that count no more."""
    connection.execute(_OLD, {"now": now})
