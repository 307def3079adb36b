"""The second factor: codes from somebody's device (TOTP, RFC 6238), and recovery codes for when it
is lost. Passkeys, which are one as well, have a module of their own.

The secret is encrypted with the hub's key, bound to its user. A code counts once, and none that is
older than the last one that counted. Recovery codes are known by a keyed hash.
"""

from __future__ import annotations

import io
import secrets
import time

import segno
from msgspec import Struct
from pyotp import random_base32
from pyotp.totp import TOTP
from sqlalchemy import Connection

from hub.edge import recovery
from hub.edge.attempts import key_of
from hub.edge.keys import Keys
from hub.edge.sessions import Browser, Sessions, SignedIn
from hub.flow.accounts import Accounts, told
from hub.flow.host import now_ms
from hub.flow.writer import Writer
from hub.rules.sign_in import CODES, CODES_A_DAY, Way
from hub.rules.states import Refusal
from hub.store import people
from hub.store import sign_in as store
from hub.store.database import Database
from hub.store.ids import Ids

STEP = 30
"""Seconds for which a code holds."""
DRIFT = 1
"""Steps by which a device's clock may be wrong."""
RECOVERY_CODES = 10
ISSUER = "Channel Hub"
CODES_OF_APP = "totp"
"""Which factor the codes are; a passkey is its id."""
TOTP_SECRETS = "totp secrets"
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class Enrolling(Struct, frozen=True, kw_only=True):
    """What a device is given. ``svg``: ``uri`` as a QR code."""

    secret: str
    uri: str
    svg: str


class Enrolled(Struct, frozen=True, kw_only=True):
    """It is asked for from now on. ``recovery_codes``: none where some are left; ``token``: what
    the session goes on with."""

    recovery_codes: list[str]
    token: str


class State(Struct, frozen=True, kw_only=True):
    """What a user has."""

    totp_since: int | None
    passkeys: list[store.Passkey]
    recovery_codes: int


class SecondFactors:
    """Sets them up and asks for them."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        ids: Ids,
        keys: Keys,
        sessions: Sessions,
        accounts: Accounts,
    ) -> None:
        self._database = database
        self._writer = writer
        self._ids = ids
        self._keys = keys
        self._sessions = sessions
        self._accounts = accounts

    async def state(self, user_id: int) -> State:
        """What a user has."""

        def look(connection: Connection) -> State:
            held = store.totp(connection, user_id)
            return State(
                totp_since=None if held is None else held.confirmed_at,
                passkeys=store.passkeys(connection, user_id),
                recovery_codes=store.count_recovery_codes(connection, user_id),
            )

        return await self._database.read(look)

    # -------------------------------------------------------------- signing in

    async def sign_in(self, ticket: str, code: str, browser: Browser) -> SignedIn | None:
        """The session that a ticket and a code open; ``None``: the ticket is none any more. Raises
        ``Refusal`` for a wrong code, ``TooManyAttempts``."""
        user = await self._sessions.user_of_step(ticket)
        if user is None:
            return None
        way = await self._check(user, code)
        if way is None:
            raise wrong_code()
        return await self._sessions.open(user, browser, way, ticket=ticket)

    async def _check(self, user: people.User, code: str) -> Way | None:
        """What a code is, if it is right; it is used then. Raises ``TooManyAttempts``."""
        now_and_then = key_of("codes of", str(user.id))
        in_a_day = key_of("codes a day of", str(user.id))
        await self._sessions.attempts.begin({now_and_then: CODES, in_a_day: CODES_A_DAY})
        tidy = "".join(mark for mark in code[:100].lower() if mark.isalnum())

        def use(connection: Connection) -> Way | None:
            if tidy.isdecimal() and tidy.isascii() and len(tidy) == 6:
                return "code" if self._use_code(connection, user.id, tidy) else None
            known = recovery.hashes(connection, self._keys, user.id, tidy)
            if not store.use_recovery_code(connection, user.id, known):
                return None
            left = store.count_recovery_codes(connection, user.id)
            told(connection, self._ids, user.id, "recovery_code.used", after={"left": left})
            found = store.person(connection, user.id)
            if found is not None:
                self._accounts.warn(
                    connection,
                    found,
                    f"A recovery code was used to sign in to your account; {left} are left.",
                )
            return "recovery_code"

        way = await self._writer.execute(use)
        if way is not None:
            await self._sessions.attempts.right(forget=(now_and_then,), take_back=(in_a_day,))
        return way

    def _use_code(self, connection: Connection, user_id: int, code: str) -> bool:
        held = store.totp(connection, user_id)
        if held is None or held.confirmed_at is None:
            return False
        step = self._step_of(held, user_id, code)
        return step is not None and store.use_step(connection, user_id, held.created_at, step)

    def _step_of(self, held: store.Totp, user_id: int, code: str) -> int | None:
        """The step that a code is of, if it may still be used."""
        secret = self._keys.decrypt(TOTP_SECRETS, held.secret, str(user_id))
        if secret is None:
            return None
        maker, now = TOTP(secret, interval=STEP), int(time.time()) // STEP
        for step in range(now - DRIFT, now + DRIFT + 1):
            right = secrets.compare_digest(maker.generate_otp(step).encode(), code.encode())
            if right and step > held.last_step:
                return step
        return None

    # -------------------------------------------------------------- setting one up

    async def begin(self, user: people.User) -> Enrolling:
        """A secret for a device, which has to show that it makes codes before they are asked for.
        Raises ``Refusal`` where one is there."""
        secret = random_base32()

        def work(connection: Connection) -> bool:
            held = store.totp(connection, user.id)
            if held is not None and held.confirmed_at is not None:
                return False
            store.remove_totp(connection, user.id)
            made = store.Totp(
                secret=self._keys.encrypt(TOTP_SECRETS, secret, str(user.id)),
                last_step=0,
                created_at=now_ms(),
                confirmed_at=None,
            )
            store.put_totp(connection, user.id, made)
            return True

        if not await self._writer.execute(work):
            raise Refusal(
                "totp_there",
                "Codes are asked for already. To use another device, remove this one first.",
                kind="conflict",
            )
        uri = TOTP(secret, interval=STEP).provisioning_uri(name=user.email, issuer_name=ISSUER)
        return Enrolling(secret=secret, uri=uri, svg=_qr(uri))

    async def confirm(
        self, user: people.User, code: str, *, session: str, remote: str | None
    ) -> Enrolled:
        """The device makes codes: they are asked for from now on. Raises ``Refusal``,
        ``TooManyAttempts``."""
        key = key_of("codes of", str(user.id))
        await self._sessions.attempts.begin({key: CODES})
        tidy = "".join(mark for mark in code[:100] if mark.isalnum())
        codes = self.new_codes()

        def work(connection: Connection) -> Enrolled | Refusal:
            held = store.totp(connection, user.id)
            found = store.person(connection, user.id)
            if held is None or held.confirmed_at is not None or found is None:
                return Refusal(
                    "no_enrolment", "Begin again: this was finished or given up.", kind="conflict"
                )
            step = self._step_of(held, user.id, tidy)
            if step is None or not store.use_step(connection, user.id, held.created_at, step):
                return wrong_code()
            token = self._sessions.renew(connection, user.id, session)
            if token is None:
                return Refusal("session_ended", "Your session has ended.", kind="conflict")
            store.confirm_totp(connection, user.id, now_ms())
            given = self.give_codes(connection, user.id, codes)
            told(connection, self._ids, user.id, "second_factor.added", remote=remote)
            self._accounts.warn(
                connection,
                found,
                "Codes from an authenticator app are asked for now when you sign in, and you were "
                "signed out everywhere else.",
            )
            return Enrolled(recovery_codes=given, token=token)

        done = await self._writer.execute(work)
        if isinstance(done, Refusal):
            raise done
        await self._sessions.attempts.right(forget=(key,))
        return done

    async def remove(
        self,
        user: people.User,
        which: str | None = None,
        *,
        last: bool,
        session: str,
        remote: str | None,
    ) -> str:
        """One factor less, or none at all (``which`` is ``None``), and with the last one the
        recovery codes; the token that the session goes on with. ``last``: it may be one that an
        organisation asks for. Raises ``Refusal``."""

        def work(connection: Connection) -> str | Refusal:
            found, held = store.person(connection, user.id), _held(connection, user.id)
            if which is not None and which not in held:
                return Refusal("no_second_factor", "This was removed already.", kind="missing")
            left = {} if which is None else {one: held[one] for one in held if one != which}
            if held and not left and not last and (refusal := _asked_for(connection, user.id)):
                return refusal
            token = self._sessions.renew(connection, user.id, session)
            if found is None or token is None:
                return Refusal("session_ended", "Your session has ended.", kind="conflict")
            if which is not None:
                self._remove_one(connection, found, which, held[which], remote)
            if not left:
                store.remove_second_factors(connection, user.id)
                told(connection, self._ids, user.id, "second_factor.removed", remote=remote)
                self._accounts.warn(
                    connection,
                    found,
                    "No second factor is asked for any more when you sign in: your password is "
                    "enough.",
                )
            return token

        done = await self._writer.execute(work)
        if isinstance(done, Refusal):
            raise done
        return done

    def _remove_one(
        self,
        connection: Connection,
        user: store.Person,
        which: str,
        name: str,
        remote: str | None,
    ) -> None:
        if which == CODES_OF_APP:
            store.remove_totp(connection, user.id)
            told(connection, self._ids, user.id, "totp.removed", remote=remote)
            self._accounts.warn(
                connection, user, "Your authenticator app signs you in no longer: it was removed."
            )
            return
        store.remove_passkey(connection, int(which))
        told(connection, self._ids, user.id, "passkey.removed", remote=remote, after={"name": name})
        self._accounts.warn(
            connection, user, f"The passkey “{name}” signs you in no longer: it was removed."
        )

    async def renew_codes(self, user: people.User, *, remote: str | None) -> list[str]:
        """Recovery codes in place of those there are. Raises ``Refusal``."""
        codes = self.new_codes()

        def work(connection: Connection) -> bool:
            found = store.person(connection, user.id)
            if found is None or not found.second_factor:
                return False
            self._put_codes(connection, user.id, codes)
            told(connection, self._ids, user.id, "recovery_codes.made", remote=remote)
            return True

        if not await self._writer.execute(work):
            raise Refusal("no_second_factor", "Set up a second factor first.", kind="conflict")
        return codes

    def new_codes(self) -> list[str]:
        """Three groups of five letters and digits: 74 bits each."""
        return [
            "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(3))
            for _ in range(RECOVERY_CODES)
        ]

    def give_codes(self, connection: Connection, user_id: int, codes: list[str]) -> list[str]:
        """Somebody has one factor more: ``codes``, unless they have some. In the transaction that
        adds it."""
        if store.count_recovery_codes(connection, user_id):
            return []
        self._put_codes(connection, user_id, codes)
        return codes

    def _put_codes(self, connection: Connection, user_id: int, codes: list[str]) -> None:
        recovery.keep(connection, self._keys)
        hashes = [
            recovery.hashes(connection, self._keys, user_id, code.replace("-", ""))[0]
            for code in codes
        ]
        store.put_recovery_codes(connection, user_id, hashes)


def wrong_code() -> Refusal:
    """A code that is wrong, or was used before."""
    detail = "This code is wrong, or was used already. Wait for the next one."
    return Refusal("wrong_code", detail, fields={"code": detail})


def _held(connection: Connection, user_id: int) -> dict[str, str]:
    """Somebody's factors, with their names."""
    held = {str(one.id): one.name for one in store.passkeys(connection, user_id)}
    totp = store.totp(connection, user_id)
    if totp is not None and totp.confirmed_at is not None:
        held[CODES_OF_APP] = ""
    return held


def _asked_for(connection: Connection, user_id: int) -> Refusal | None:
    """Why somebody had better keep one."""
    names = [
        one.organisation.name
        for one in people.memberships(connection, user_id)
        if one.needs_second_factor
    ]
    if not names:
        return None
    many = ", ".join(names[:5])
    return Refusal(
        "last_factor",
        f"{many} {'asks' if len(names) == 1 else 'ask'} for two-factor sign-in. Without it you can "
        "do nothing there until you set it up again.",
        kind="conflict",
    )


def _qr(uri: str) -> str:
    out = io.BytesIO()
    segno.make(uri, error="m").save(
        out, kind="svg", xmldecl=False, svgns=True, border=4, scale=1, omitsize=True
    )
    return out.getvalue().decode()
