"""Signing in: passwords with argon2, sessions kept on the server, attempts limited.

The cookie holds a random token, the database its SHA-256: who reads the database cannot sign in
with it. Changes need the session's CSRF token in a header besides.
"""

from __future__ import annotations

import asyncio
import functools
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
from hub.rules.content import storable
from hub.store import people
from hub.store import tables as t
from hub.store.database import Database

COOKIE = "hub_session"
CSRF_HEADER = "X-CSRF-Token"
LASTS = 14 * 24 * 3600 * 1000
ATTEMPTS = 10
PER = 15 * 60.0
SHORTEST_PASSWORD = 10
LONGEST_EMAIL = 320

_hasher = PasswordHasher()


@functools.cache
def _nobody() -> str:
    """Verified against when there is no such user, so that the answer takes as long."""
    return _hasher.hash(secrets.token_hex(16))


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
    """Attempts to sign in that were wrong, or are not known to be right yet, by key (an email, a
    network address) within a time. Each counts from its beginning: many at once are no way
    round the limit."""

    def __init__(self, most: int = ATTEMPTS, per: float = PER, keys: int = 10_000) -> None:
        self._most = most
        self._per = per
        self._keys = keys
        self._counted: OrderedDict[str, list[float]] = OrderedDict()

    def begin(self, key: str) -> None:
        """Count an attempt. Raises ``TooManyAttempts``."""
        now = time.monotonic()
        recent = [at for at in self._counted.pop(key, []) if at > now - self._per]
        self._counted[key] = recent
        if len(recent) >= self._most:
            raise TooManyAttempts(int(recent[0] + self._per - now) + 1)
        recent.append(now)
        while len(self._counted) > self._keys:
            self._counted.popitem(last=False)

    def take_back(self, key: str) -> None:
        """The attempt was right after all."""
        if self._counted.get(key):
            self._counted[key].pop()

    def forget(self, key: str) -> None:
        """All of them."""
        self._counted.pop(key, None)


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
        name = storable(email).strip().lower()[:LONGEST_EMAIL]
        self._by_remote.begin(remote)
        self._attempts.begin(name)
        user = await self._database.read(lambda connection: people.user_by_email(connection, name))
        known = await asyncio.to_thread(_nobody) if user is None else user.password_hash
        right = await asyncio.to_thread(_matches, known, password)
        if user is None or not right:
            return None
        self._attempts.forget(name)
        self._by_remote.take_back(remote)
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
        return await self._database.read(
            lambda connection: people.session_by_token(connection, token_hash(token), now_ms())
        )

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
        self._attempts.begin(user.email)
        if not await asyncio.to_thread(_matches, user.password_hash, current):
            return False
        self._attempts.forget(user.email)
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
