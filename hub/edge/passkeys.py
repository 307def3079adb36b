"""Passkeys (WebAuthn): key pairs of somebody's devices, which sign for this host alone.

Besides the password one is as good as a code. By itself it signs in where the device has made
sure who holds it, and counts for both. What is to be signed is random, good once and for ten
minutes, and only in the session, or with the ticket, that asked for it.
"""

from __future__ import annotations

import json
from typing import Any, Final

import structlog
from cbor2 import CBORError
from cryptography.exceptions import UnsupportedAlgorithm
from msgspec import Struct
from sqlalchemy import Connection
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    options_to_json_dict,
    parse_authentication_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialCreationOptions,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialRequestOptions,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from hub.edge.attempts import key_of, key_of_address
from hub.edge.party import Asked, NotShown, RelyingParty
from hub.edge.second import ISSUER, SecondFactors
from hub.edge.sessions import LONGEST_TOKEN, Browser, Sessions, SignedIn, new_token, token_hash
from hub.flow.accounts import Accounts, told
from hub.flow.host import now_ms
from hub.flow.writer import Writer
from hub.rules.content import storable
from hub.rules.sign_in import (
    BY_ADDRESS,
    CODES,
    CODES_A_DAY,
    LONGEST_PASSKEY_NAME,
    MOST_PASSKEYS,
    PASSKEYS_BY_ADDRESS,
    check_name,
)
from hub.rules.states import Refusal
from hub.store import people
from hub.store import sign_in as store
from hub.store.database import Database
from hub.store.ids import Ids
from hub.store.sign_in import Passkey

PROMPT_FOR: Final = 300_000
"""Milliseconds for which a browser waits for its user."""
LARGEST: Final = 20_000
"""Characters of what a device says."""
NEW, ALONE, SECOND = "passkey_new", "passkey", "passkey_second"
"""Kinds of steps: a passkey is made; it signs in by itself; it does after the password."""
_WRONG = (
    WebAuthnException,
    CBORError,
    UnsupportedAlgorithm,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""What comes of reading what is no passkey's answer."""
log = structlog.get_logger()


class Made(Struct, frozen=True, kw_only=True):
    """A new passkey. ``recovery_codes``: none where some are left; ``token``: what the session goes
    on with."""

    passkey: Passkey
    recovery_codes: list[str]
    token: str


class Passkeys:
    """Makes them, and asks for them."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        ids: Ids,
        sessions: Sessions,
        second_factors: SecondFactors,
        accounts: Accounts,
        party: RelyingParty | None,
    ) -> None:
        self._database = database
        self._writer = writer
        self._ids = ids
        self._sessions = sessions
        self._second_factors = second_factors
        self._accounts = accounts
        self.party = party

    def has(self, held: list[Passkey]) -> bool:
        """Whether any of them signs in here."""
        return self.party is not None and bool(_described(held, self.party))

    # -------------------------------------------------------------- one's own

    async def begin(self, user: people.User, *, session: str) -> Asked:
        """Ask a device for a passkey. Raises ``Refusal``."""
        party = self._party()
        held = await self._database.read(lambda connection: store.passkeys(connection, user.id))
        _check_count(held)
        options = generate_registration_options(
            rp_id=party.id,
            rp_name=ISSUER,
            user_id=_handle(user.id),
            user_name=user.email,
            user_display_name=user.name,
            timeout=PROMPT_FOR,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.PREFERRED,
            ),
            exclude_credentials=_described(held, party),
        )
        return await self._ask(new_token(), options, NEW, user.id, token_hash(session))

    async def confirm(
        self,
        user: people.User,
        ticket: str,
        credential: dict[str, Any],
        name: str,
        *,
        session: str,
        remote: str | None,
    ) -> Made:
        """A device has made one, which signs in from now on. Raises ``Refusal``."""
        party, named = self._party(), _named(name)
        asked = await self._take(ticket, NEW)
        if asked is None or asked.user_id != user.id or asked.binding != token_hash(session):
            raise Refusal(
                "no_enrolment", "Begin again: this was finished or took too long.", kind="conflict"
            )
        made = self._made(user, credential, named, asked.challenge, party)
        codes = self._second_factors.new_codes()

        def work(connection: Connection) -> Made | Refusal:
            found = store.person(connection, user.id)
            if refusal := _too_many(store.passkeys(connection, user.id)):
                return refusal
            if store.passkey_by_credential(connection, made.credential_id) is not None:
                return Refusal("passkey_there", "This passkey is there already.", kind="conflict")
            token = self._sessions.renew(connection, user.id, session)
            if token is None or found is None:
                return Refusal("session_ended", "Your session has ended.", kind="conflict")
            store.add_passkey(connection, made)
            given = self._second_factors.give_codes(connection, user.id, codes)
            told(
                connection, self._ids, user.id, "passkey.added",
                remote=remote, after={"name": named},
            )  # fmt: skip
            self._accounts.warn(
                connection,
                found,
                f"The passkey “{named}” was added to your account: it signs you in from now on. "
                "You were signed out everywhere else.",
            )
            return Made(passkey=made, recovery_codes=given, token=token)

        done = await self._writer.execute(work)
        if isinstance(done, Refusal):
            raise done
        return done

    async def rename(
        self, user: people.User, id_: int, name: str, *, remote: str | None
    ) -> Passkey:
        """Another name for one. Raises ``Refusal``."""
        named = _named(name)

        def work(connection: Connection) -> Passkey | None:
            held = {one.id: one for one in store.passkeys(connection, user.id)}
            if id_ not in held:
                return None
            if held[id_].name != named:
                store.rename_passkey(connection, id_, named)
                change = {"from": held[id_].name, "to": named}
                told(connection, self._ids, user.id, "passkey.renamed", remote=remote, after=change)
            return next(one for one in store.passkeys(connection, user.id) if one.id == id_)

        renamed = await self._writer.execute(work)
        if renamed is None:
            raise Refusal("no_passkey", "There is no such passkey.", kind="missing")
        return renamed

    def _made(
        self,
        user: people.User,
        credential: dict[str, Any],
        name: str,
        challenge: bytes,
        party: RelyingParty,
    ) -> Passkey:
        try:
            _check_size(credential)
            verified = verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=party.id,
                expected_origin=party.origin,
            )
        except _WRONG as error:
            log.info("passkey.not_made", user=user.id, reason=str(error)[:200])
            raise Refusal(
                "bad_passkey",
                "This passkey could not be checked. Try again, or use another device.",
            ) from None
        said: Any = credential["response"].get("transports")
        ways = [
            way.value for way in AuthenticatorTransport if isinstance(said, list) and way in said
        ]
        return Passkey(
            id=self._ids.new(),
            user_id=user.id,
            credential_id=bytes_to_base64url(verified.credential_id),
            public_key=bytes_to_base64url(verified.credential_public_key),
            sign_count=verified.sign_count,
            rp_id=party.id,
            transports=json.dumps(ways),
            name=name,
            created_at=now_ms(),
            used_at=None,
        )

    # -------------------------------------------------------------- signing in by one alone

    async def ask(self, remote: str) -> Asked:
        """Ask whoever it is for a passkey. Raises ``Refusal``, ``TooManyAttempts``."""
        party = self._party()
        await self._sessions.attempts.begin(
            {key_of_address("passkeys from", remote): PASSKEYS_BY_ADDRESS}
        )
        options = generate_authentication_options(
            rp_id=party.id,
            timeout=PROMPT_FOR,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return await self._ask(new_token(), options, ALONE, None, "")

    async def sign_in(self, ticket: str, credential: dict[str, Any], browser: Browser) -> SignedIn:
        """The session that a passkey opens. Whatever is wrong, the answer is the same. Raises
        ``NotShown``, ``TooManyAttempts``."""
        address = key_of_address("address", browser.remote)
        await self._sessions.attempts.begin({address: BY_ADDRESS})
        asked = await self._take(ticket, ALONE)
        if asked is None:
            raise NotShown(late=True)
        held, count = await self._shown(credential, asked.challenge, alone=True)
        user = await self._sessions.user(held.user_id)
        signed = user and await self._sessions.open(
            user, browser, "passkey", proof=lambda connection: self._use(connection, held, count)
        )
        if not signed:
            raise NotShown
        await self._sessions.attempts.right(
            take_back=(address, key_of_address("passkeys from", browser.remote))
        )
        return signed

    # -------------------------------------------------------------- signing in by one besides

    async def ask_second(self, ticket: str) -> Asked:
        """Ask whose password was right for a passkey. Raises ``Refusal``, ``NotShown``."""
        party = self._party()
        user = await self._sessions.user_of_step(ticket)
        if user is None:
            raise NotShown(late=True)
        held = await self._database.read(lambda connection: store.passkeys(connection, user.id))
        described = _described(held, party)
        if not described:
            raise Refusal("no_passkey", "There is no passkey for this address.", kind="conflict")
        options = generate_authentication_options(
            rp_id=party.id,
            timeout=PROMPT_FOR,
            allow_credentials=described,
            user_verification=UserVerificationRequirement.DISCOURAGED,
        )
        asked = await self._ask(f"{SECOND}:{ticket}", options, SECOND, user.id, "")
        return Asked(ticket, asked.options)

    async def second(self, ticket: str, credential: dict[str, Any], browser: Browser) -> SignedIn:
        """The session that a ticket and a passkey open. Raises ``NotShown``,
        ``TooManyAttempts``."""
        user = await self._sessions.user_of_step(ticket)
        if user is None:
            raise NotShown(late=True)
        now_and_then = key_of("codes of", str(user.id))
        in_a_day = key_of("codes a day of", str(user.id))
        await self._sessions.attempts.begin({now_and_then: CODES, in_a_day: CODES_A_DAY})
        asked = await self._take(f"{SECOND}:{ticket}", SECOND)
        if asked is None or asked.user_id != user.id:
            raise NotShown
        held, count = await self._shown(credential, asked.challenge, alone=False)
        if held.user_id != user.id:
            raise NotShown
        signed = await self._sessions.open(
            user,
            browser,
            "passkey",
            ticket=ticket,
            proof=lambda connection: self._use(connection, held, count),
        )
        if signed is None:
            raise NotShown
        await self._sessions.attempts.right(forget=(now_and_then,), take_back=(in_a_day,))
        return signed

    # -------------------------------------------------------------- what is asked and answered

    async def _ask(
        self,
        token: str,
        options: PublicKeyCredentialCreationOptions | PublicKeyCredentialRequestOptions,
        kind: str,
        user_id: int | None,
        binding: str,
    ) -> Asked:
        challenge = bytes_to_base64url(options.challenge)
        step = store.Step(kind=kind, user_id=user_id, data=f"{challenge} {binding}")
        await self._writer.execute(
            lambda connection: store.put_step(connection, token_hash(token), step, now_ms())
        )
        return Asked(token, options_to_json_dict(options))

    async def _take(self, token: str, kind: str) -> _Step | None:
        """What was asked for; nobody answers it another time."""
        hashed = token_hash(token[: LONGEST_TOKEN + len(SECOND)])
        step = await self._writer.execute(
            lambda connection: store.take_step(connection, hashed, kind, now_ms())
        )
        if step is None:
            return None
        challenge, _, binding = step.data.partition(" ")
        return _Step(base64url_to_bytes(challenge), binding, step.user_id)

    async def _shown(
        self, credential: dict[str, Any], challenge: bytes, *, alone: bool
    ) -> tuple[Passkey, int]:
        """Which passkey has signed, and how often it says it has. Raises ``NotShown``."""
        party = self._party()
        try:
            _check_size(credential)
            given = parse_authentication_credential_json(credential)
            id_ = bytes_to_base64url(given.raw_id)
            held = await self._database.read(lambda one: store.passkey_by_credential(one, id_))
            if held is None or held.rp_id != party.id:
                raise ValueError("nobody has this passkey here")
            handle = given.response.user_handle
            if handle != _handle(held.user_id) and (alone or handle):
                raise ValueError("it says that it is another user's")
            verified = verify_authentication_response(
                credential=given,
                expected_challenge=challenge,
                expected_rp_id=party.id,
                expected_origin=party.origin,
                credential_public_key=base64url_to_bytes(held.public_key),
                credential_current_sign_count=0,  # looked at where it is used up
                require_user_verification=alone,
            )
        except _WRONG as error:
            log.info("passkey.refused", reason=str(error)[:200])
            raise NotShown from None
        return held, verified.new_sign_count

    def _use(self, connection: Connection, held: Passkey, count: int) -> bool:
        """It was used so often now. Who has a copy of it counts by themselves, and is told by
        that."""
        if store.use_passkey(connection, held.id, count, now_ms()):
            return True
        found = store.person(connection, held.user_id)
        if found is not None and any(
            one.id == held.id for one in store.passkeys(connection, held.user_id)
        ):
            told(
                connection, self._ids, held.user_id, "passkey.refused",
                after={"name": held.name, "reason": "its counter went back: there may be a copy"},
            )  # fmt: skip
            self._accounts.warn(
                connection,
                found,
                f"Somebody tried to sign in with your passkey “{held.name}” and was refused: it "
                "may have been copied. Remove it, and add another.",
            )
        return False

    def _party(self) -> RelyingParty:
        if self.party is None:
            raise Refusal(
                "no_passkeys_here",
                "Passkeys need a hub with a name and HTTPS: its address (public_url) is set to "
                "something else.",
                kind="conflict",
            )
        return self.party


class _Step(Struct, frozen=True):
    challenge: bytes
    binding: str
    user_id: int | None


def _handle(user_id: int) -> bytes:
    """What a device calls a user. It says nothing of them."""
    return user_id.to_bytes(8, "big")


def _named(name: str) -> str:
    return check_name(storable(name), longest=LONGEST_PASSKEY_NAME)


def _too_many(held: list[Passkey]) -> Refusal | None:
    if len(held) < MOST_PASSKEYS:
        return None
    return Refusal(
        "too_many_passkeys",
        f"You have {MOST_PASSKEYS} passkeys, which is the most. Remove one first.",
        kind="conflict",
    )


def _check_count(held: list[Passkey]) -> None:
    if refusal := _too_many(held):
        raise refusal


def _check_size(credential: dict[str, Any]) -> None:
    if len(json.dumps(credential)) > LARGEST:
        raise ValueError("it is too large")


def _described(held: list[Passkey], party: RelyingParty) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(one.credential_id),
            transports=[AuthenticatorTransport(way) for way in json.loads(one.transports)] or None,
        )
        for one in held
        if one.rp_id == party.id
    ]
