"""Signing in: passwords with argon2, sessions kept on the server, attempts limited.

The cookie holds a random token, the database its SHA-256: who reads the database cannot sign in
with it. Changes need the session's CSRF token in a header besides.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection

from hub.flow.host import now_ms
from hub.flow.writer import Writer
from hub.store import people
from hub.store import tables as t
from hub.store.database import Database

COOKIE = "hub_session"
CSRF_HEADER = "X-CSRF-Token"
LASTS = 14 * 24 * 3600 * 1000
ATTEMPTS = 10
PER = 15 * 60.0
SHORTEST_PASSWORD = 10

_hasher = PasswordHasher()
_NOBODY = _hasher.hash(secrets.token_hex(16))
"""Verified against when there is no such user, so that the answer takes as long."""


def hash_password(password: str) -> str:
    """For storing."""
    return _hasher.hash(password)


def token_hash(token: str) -> str:
    """A session's token as the database knows it."""
    return hashlib.sha256(token.encode()).hexdigest()


class TooManyAttempts(Exception):
    """Sign-in is refused for ``seconds``."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"again in {seconds} s")
        self.seconds = seconds


class Attempts:
    """Failed sign-ins by key (an email, a network address), within a time."""

    def __init__(self, most: int = ATTEMPTS, per: float = PER, keys: int = 10_000) -> None:
        self._most = most
        self._per = per
        self._keys = keys
        self._failed: OrderedDict[str, list[float]] = OrderedDict()

    def check(self, *keys: str) -> None:
        """Raises ``TooManyAttempts``."""
        now = time.monotonic()
        for key in keys:
            recent = [at for at in self._failed.get(key, []) if at > now - self._per]
            if len(recent) >= self._most:
                raise TooManyAttempts(int(recent[0] + self._per - now) + 1)

    def failed(self, *keys: str) -> None:
        """Count a failure."""
        now = time.monotonic()
        for key in keys:
            recent = [at for at in self._failed.pop(key, []) if at > now - self._per]
            self._failed[key] = [*recent, now][-self._most :]
        while len(self._failed) > self._keys:
            self._failed.popitem(last=False)

    def succeeded(self, *keys: str) -> None:
        """Forget the failures."""
        for key in keys:
            self._failed.pop(key, None)


class Sessions:
    """Signs members in and out, and knows who they are."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._attempts = Attempts()
        self._by_remote = Attempts(most=ATTEMPTS * 5)

    async def sign_in(
        self, email: str, password: str, *, remote: str, user_agent: str
    ) -> tuple[str, people.Session] | None:
        """A new session's token and whose it is; ``None`` if email or password is wrong. Raises
        ``TooManyAttempts``."""
        name = email.strip().lower()
        self._attempts.check(name)
        self._by_remote.check(remote)
        async with self._database.snapshot() as connection:
            user = await people.user_by_email(connection, name)
        known = _NOBODY if user is None else user.password_hash
        right = await asyncio.to_thread(_matches, known, password)
        if user is None or not right:
            self._attempts.failed(name)
            self._by_remote.failed(remote)
            return None
        self._attempts.succeeded(name)
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        now = now_ms()
        row = {
            "token_hash": token_hash(token),
            "user_id": user.id,
            "csrf_token": csrf,
            "created_at": now,
            "expires_at": now + LASTS,
            "remote": remote[:100],
            "user_agent": user_agent[:300],
        }

        def insert(connection: Connection) -> None:
            connection.execute(sa.delete(t.sessions).where(t.sessions.c.expires_at < now))
            connection.execute(sa.insert(t.sessions), [row])

        await self._writer.execute(insert)
        return token, people.Session(user=user, csrf_token=csrf)

    async def find(self, token: str) -> people.Session | None:
        """Whose session a token names."""
        async with self._database.snapshot() as connection:
            return await people.session_by_token(connection, token_hash(token), now_ms())

    async def sign_out(self, token: str) -> None:
        """End a session."""
        hashed = token_hash(token)
        await self._writer.execute(
            lambda connection: _delete_sessions(connection, t.sessions.c.token_hash == hashed)
        )

    async def change_password(
        self, user: people.User, current: str, new: str, *, keep: str
    ) -> bool:
        """Set a new password and end the user's other sessions; ``False`` if ``current`` is
        wrong. Raises ``TooManyAttempts``."""
        self._attempts.check(user.email)
        if not await asyncio.to_thread(_matches, user.password_hash, current):
            self._attempts.failed(user.email)
            return False
        hashed = await asyncio.to_thread(hash_password, new)
        kept = token_hash(keep)

        def change(connection: Connection) -> None:
            connection.execute(
                sa.update(t.users)
                .where(t.users.c.id == user.id)
                .values(password_hash=hashed, must_change_password=False)
            )
            _delete_sessions(
                connection,
                sa.and_(t.sessions.c.user_id == user.id, t.sessions.c.token_hash != kept),
            )

        await self._writer.execute(change)
        return True


def _delete_sessions(connection: Connection, condition: sa.ColumnElement[bool]) -> None:
    connection.execute(sa.delete(t.sessions).where(condition))


def _matches(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False
