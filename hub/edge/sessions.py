"""Signing in: passwords with argon2, a second factor where there is one, sessions kept on the
server, tries limited.

The cookie holds a random token, the database its SHA-256: who reads the database cannot sign in
with it. Changes need the session's CSRF token in a header besides.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable

import sqlalchemy as sa
import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Struct
from sqlalchemy import Connection

from hub.edge.attempts import Attempts, TooManyAttempts, key_of, key_of_address
from hub.edge.keys import Keys
from hub.flow.accounts import Accounts, told
from hub.flow.host import now_ms
from hub.flow.writer import Unavailable, Writer
from hub.rules.content import storable
from hub.rules.sign_in import (
    BY_ADDRESS,
    BY_EMAIL,
    KNOWN_FOR,
    LASTS,
    LONGEST_EMAIL,
    LONGEST_PASSWORD,
    SEEN_EVERY,
    WAYS,
    Limit,
    Way,
)
from hub.store import people
from hub.store import sign_in as store
from hub.store import tables as t
from hub.store.database import Database
from hub.store.ids import Ids

__all__ = ["Sessions", "hash_password", "named", "token_hash"]

COOKIE = "hub_session"
KNOWN_COOKIE = "hub_known"
"""Says that somebody has signed in with this browser before."""
CSRF_HEADER = "X-CSRF-Token"
LONGEST_TOKEN = 200
"""Characters of what may be a token."""
REMEMBERED = 10_000
AT_ONCE = max(2, os.cpu_count() or 2)
"""Passwords that are hashed at a time: each takes 64 MB and a core for a moment."""
BUSY = 10
"""Seconds after which it is worth another try."""
MOST_QUEUED = 200
"""Passwords that wait for it. More are sent away at once."""
SECOND = "second"
"""The step between the password and the second factor."""

_hasher = PasswordHasher()
_MARKS = "known browsers"
_KNOWN = re.compile(r"([\w-]{20,40})\.(\d{1,15})\.([0-9a-f]{64})", re.ASCII)
log = structlog.get_logger()


@functools.cache
def _nobody() -> str:
    """Verified against when there is no such user, so that the answer takes as long."""
    return _hasher.hash(secrets.token_hex(16))


def named(cookie: str, public_url: str, *, path: str = "/") -> str:
    """What a cookie is called. Where the hub is reached by TLS its name has the browser see to it
    that it was set by TLS and, where it is for every path, by this very host."""
    if not public_url.startswith("https://"):
        return cookie
    return f"__Host-{cookie}" if path == "/" else f"__Secure-{cookie}"


def hash_password(password: str) -> str:
    """For storing."""
    return _hasher.hash(password)


def new_token() -> str:
    """A random token: nobody guesses it."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """A session's token as the database knows it."""
    return hashlib.sha256(token.encode()).hexdigest()


class Browser(Struct, frozen=True, kw_only=True):
    """What somebody signs in with. ``known``: the cookie that tells of an earlier time;
    ``session``: the token of a session that it had until now."""

    remote: str
    user_agent: str
    known: str | None
    session: str | None


class SignedIn(Struct, frozen=True, kw_only=True):
    """A new session. ``known`` is kept by the browser for the next time."""

    token: str
    csrf_token: str
    user: people.User
    known: str


class Unfinished(Struct, frozen=True, kw_only=True):
    """The password was right, and a second factor is missing, which goes with the ``ticket``."""

    ticket: str


class Sessions:
    """Signs members in and out, and knows who they are."""

    def __init__(
        self, database: Database, writer: Writer, ids: Ids, keys: Keys, accounts: Accounts
    ) -> None:
        self._database = database
        self._writer = writer
        self._ids = ids
        self._keys = keys
        self._accounts = accounts
        self.attempts = Attempts(database, writer)
        self._hashing = asyncio.Semaphore(AT_ONCE)
        self._queued = 0
        self._noted: OrderedDict[str, int] = OrderedDict()
        self._noting: set[asyncio.Task[None]] = set()

    # -------------------------------------------------------------- signing in

    async def sign_in(
        self, email: str, password: str, browser: Browser
    ) -> SignedIn | Unfinished | None:
        """A new session, or the step to it; ``None`` if email or password is wrong. Raises
        ``TooManyAttempts``."""
        name = storable(email).strip().lower()[:LONGEST_EMAIL]
        limits = self._limits(name, browser)
        await self.attempts.begin(limits)
        user = await self._database.read(lambda connection: people.user_by_email(connection, name))
        known = await asyncio.to_thread(_nobody) if user is None else user.password_hash
        right = await self._matches(known, password)
        if user is None or not right:
            log.info("session.refused", user=None if user is None else user.id)
            return None
        address = key_of_address("address", browser.remote)
        own = tuple(key for key in limits if key != address)
        await self.attempts.right(forget=own, take_back=(address,) if address in limits else ())
        return await self.proven(user, browser, "password")

    async def proven(
        self, user: people.User, browser: Browser, way: Way
    ) -> SignedIn | Unfinished | None:
        """Somebody has shown who they are, once: a session, or what is missing. ``None``: they
        cannot come in any more, or have another password since."""
        if not user.second_factor:
            return await self.open(user, browser, way)
        ticket = new_token()
        step = store.Step(kind=SECOND, user_id=user.id, data=way)
        await self._writer.execute(
            lambda connection: store.put_step(connection, token_hash(ticket), step, now_ms())
        )
        return Unfinished(ticket=ticket)

    async def open(
        self,
        user: people.User,
        browser: Browser,
        way: Way,
        *,
        ticket: str | None = None,
        proof: Callable[[Connection], bool] | None = None,
    ) -> SignedIn | None:
        """A new session, in place of the one that the browser had. ``way``: what they have shown
        last; ``ticket``: of the step it is reached by; ``proof``: uses up, in the same transaction,
        what is as good as two factors, if it still can be. ``None``: it is not that step any more,
        or not that user, or no proof."""
        token, csrf = new_token(), secrets.token_urlsafe(24)
        now = now_ms()

        def insert(connection: Connection) -> bool:
            begun_with: list[Way] = [way]
            if ticket is not None:
                step = store.take_step(connection, token_hash(ticket), SECOND, now)
                if step is None or step.user_id != user.id:
                    return False
                begun_with = [*(first for first in WAYS if first == step.data), way]
            found = people.user_by_email(connection, user.email)
            enough = ticket is not None or proof is not None
            if (
                found is None
                or found.password_hash != user.password_hash
                or (found.second_factor and not enough)
                or (proof is not None and not proof(connection))
            ):
                return False
            if browser.session:
                hashed = token_hash(browser.session)
                connection.execute(sa.delete(t.sessions).where(t.sessions.c.token_hash == hashed))
            opened = store.Open(
                token_hash=token_hash(token),
                created_at=now,
                seen_at=now,
                expires_at=now + LASTS,
                remote=browser.remote[:100],
                user_agent=browser.user_agent[:300],
                begun_with=" ".join(begun_with),
            )
            store.add_session(connection, user.id, opened, csrf_token=csrf)
            return True

        if not await self._writer.execute(insert):
            return None
        log.info("session.opened", user=user.id)
        return SignedIn(token=token, csrf_token=csrf, user=user, known=self.make_known(user.email))

    async def user_of_step(self, ticket: str) -> people.User | None:
        """Whose password was right."""

        def look(connection: Connection) -> people.User | None:
            step = store.step(connection, token_hash(ticket[:LONGEST_TOKEN]), SECOND, now_ms())
            found = None if step is None else store.person(connection, step.user_id or 0)
            return None if found is None else people.user_by_email(connection, found.email)

        return await self._database.read(look)

    async def user(self, user_id: int) -> people.User | None:
        """A user who may come in."""

        def look(connection: Connection) -> people.User | None:
            found = store.person(connection, user_id)
            return None if found is None else people.user_by_email(connection, found.email)

        return await self._database.read(look)

    # -------------------------------------------------------------- browsers that are known

    def make_known(self, email: str) -> str:
        """The cookie of a browser that somebody has signed in with."""
        nonce, made = secrets.token_urlsafe(18), now_ms()
        mark = self._keys.signed(_MARKS, _marked(email, nonce, made))
        return f"{nonce}.{made}.{mark}"

    def _limits(self, email: str, browser: Browser) -> dict[str, Limit]:
        """What a try to sign in counts by. A known browser's tries count by themselves: whoever
        guesses elsewhere does not keep its owner out."""
        found = _KNOWN.fullmatch(browser.known or "")
        if found is not None:
            nonce, made, mark = found[1], int(found[2]), found[3]
            right = self._keys.is_signed(_MARKS, _marked(email, nonce, made), mark)
            if right and now_ms() - made < KNOWN_FOR:
                return {key_of("browser", nonce): BY_EMAIL}
        return {
            key_of("email", email): BY_EMAIL,
            key_of_address("address", browser.remote): BY_ADDRESS,
        }

    # -------------------------------------------------------------- who is signed in

    async def find(self, token: str) -> people.Session | None:
        """Whose session a token names."""
        if len(token) > LONGEST_TOKEN:
            return None
        hashed, now = token_hash(token), now_ms()
        found = await self._database.read(
            lambda connection: people.session_by_token(connection, hashed, now)
        )
        if found is not None:
            self._note(hashed, max(found.seen_at, self._noted.get(hashed, 0)), now)
        return found

    def _note(self, hashed: str, before: int, now: int) -> None:
        """Note that it is used, now and then, without anybody waiting for it."""
        if now - before < SEEN_EVERY:
            return
        self._noted[hashed] = now
        self._noted.move_to_end(hashed)
        while len(self._noted) > REMEMBERED:
            self._noted.popitem(last=False)
        task = asyncio.create_task(self._write_note(hashed, now))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _write_note(self, hashed: str, now: int) -> None:
        try:
            await self._writer.execute(lambda connection: store.seen(connection, hashed, now))
        except Unavailable as error:
            log.info("session.use_not_noted", reason=str(error))

    async def sign_out(self, token: str) -> None:
        """End a session."""
        hashed = token_hash(token)
        await self._writer.execute(
            lambda connection: connection.execute(
                sa.delete(t.sessions).where(t.sessions.c.token_hash == hashed)
            )
        )

    # -------------------------------------------------------------- one's own

    async def all_of(self, user_id: int) -> list[store.Open]:
        """A user's sessions."""
        return await self._database.read(
            lambda connection: store.open_sessions(connection, user_id, now_ms())
        )

    async def end(self, user: people.User, id_: str, *, remote: str | None) -> bool:
        """End one of a user's sessions; ``False``: there is none such."""

        def work(connection: Connection) -> bool:
            for one in store.open_sessions(connection, user.id, now_ms()):
                if one.id == id_:
                    store.end_sessions(connection, user.id, only=one.token_hash)
                    told(connection, self._ids, user.id, "session.ended", remote=remote)
                    return True
            return False

        return await self._writer.execute(work)

    async def end_others(self, user: people.User, token: str, *, remote: str | None) -> None:
        """End all of them but one."""

        def work(connection: Connection) -> None:
            if store.end_sessions(connection, user.id, but=token_hash(token)):
                told(connection, self._ids, user.id, "session.others_ended", remote=remote)

        await self._writer.execute(work)

    def renew(self, connection: Connection, user_id: int, before: str) -> str | None:
        """What is signed in by ``before`` goes on with the token that this gives, and the user's
        other sessions end; ``None``: it has ended itself. In the transaction that changes how they
        sign in."""
        after = new_token()
        if not store.renew_session(connection, token_hash(before), token_hash(after)):
            return None
        store.end_sessions(connection, user_id, but=token_hash(after))
        store.drop_steps(connection, user_id)
        return after

    async def check_password(self, user: people.User, password: str) -> bool:
        """Whether it is the user's who is signed in. Raises ``TooManyAttempts``."""
        key = key_of("password of", str(user.id))
        await self.attempts.begin({key: BY_EMAIL})
        if not await self._matches(user.password_hash, password):
            return False
        await self.attempts.right(forget=(key,))
        return True

    async def _matches(self, hashed: str, password: str) -> bool:
        if self._queued >= MOST_QUEUED:
            raise TooManyAttempts(BUSY)
        self._queued += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(_matches, hashed, password)
        finally:
            self._queued -= 1

    async def change_password(
        self, user: people.User, current: str, new: str, *, keep: str, remote: str | None
    ) -> str | None:
        """Set a new password, end the user's other sessions and give this one a new token; ``None``
        if ``current`` is wrong. Raises ``TooManyAttempts``."""
        if not await self.check_password(user, current):
            return None
        hashed = await asyncio.to_thread(hash_password, new)

        def change(connection: Connection) -> str | None:
            found = store.person(connection, user.id)
            after = self.renew(connection, user.id, keep)
            if found is None or after is None:
                return None
            store.set_password(connection, user.id, hashed)
            told(connection, self._ids, user.id, "password.changed", remote=remote)
            self._accounts.warn(
                connection,
                found,
                "Your password was changed, and you were signed out everywhere else.",
            )
            return after

        return await self._writer.execute(change)


def _marked(email: str, nonce: str, made: int) -> str:
    return f"{nonce}.{made}.{email}"


def _matches(hashed: str, password: str) -> bool:
    """Of what is longer than a password can be only the beginning is looked at, and it is wrong."""
    try:
        return _hasher.verify(hashed, password[: LONGEST_PASSWORD + 1])
    except (VerificationError, InvalidHashError, UnicodeError):
        return False
