"""Signing in with a provider, by OpenID Connect: authorisation code with PKCE, state and nonce.

What comes back is taken only in the browser that set out (a cookie), once, and from the provider
that it went to. Who somebody is, is their subject at the provider; the first time they are found by
their email, if the provider has verified it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode, urlsplit

import msgspec
import structlog
from msgspec import Struct
from sqlalchemy import Connection

from hub.config import SignInConfig
from hub.edge.sessions import Browser, Sessions, SignedIn, Unfinished, hash_password, token_hash
from hub.flow.accounts import Accounts
from hub.flow.host import now_ms
from hub.flow.writer import Writer
from hub.plugin import HookError
from hub.plugin.kit.http import PluginHttp
from hub.rules.content import storable
from hub.rules.sign_in import LONGEST_EMAIL
from hub.rules.states import Refusal
from hub.store import sign_in as store

if TYPE_CHECKING:
    import jwt

log = structlog.get_logger()

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""With which identity is signed: never with a secret, and never with nothing."""
KIND = "openid"
LEEWAY = 60
"""Seconds that clocks may be apart."""
TIMEOUT = 10.0
LARGEST = 1_000_000
FRESH = 3600.0
"""Seconds for which what a provider says of itself is believed. Its keys are looked at again
whenever it signs with one that is not known."""


class Failed(Exception):
    """Nobody is signed in. ``code`` is for the page, the rest for the log."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Start(Struct, frozen=True):
    """Where the browser is sent, and what it has to bring back."""

    url: str
    binding: str


class _Journey(Struct, frozen=True):
    """What is kept until somebody comes back."""

    provider: str
    binding: str
    nonce: str
    verifier: str


class _Metadata(Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Person(Struct, frozen=True):
    """Who the provider says it is."""

    issuer: str
    subject: str
    email: str
    name: str


class Provider:
    """One provider: what it says of itself, and its keys."""

    def __init__(self, config: SignInConfig, public_url: str) -> None:
        self.config = config
        # What a provider says of itself may name any address. Only its own host, and what the
        # configuration allows besides, may be private.
        own = urlsplit(config.issuer).hostname or ""
        self.http = PluginHttp(allowed_hosts=(own, *config.allow_hosts))
        self._redirect = f"{public_url}/sign-in/{config.id}/back"
        self._metadata: tuple[float, _Metadata] | None = None
        self._keys: jwt.PyJWKSet | None = None

    async def url(self, *, state: str, nonce: str, verifier: str) -> str:
        """Where people sign in. Raises ``Failed``."""
        metadata = await self._known()
        digest = hashlib.sha256(verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.config.client_id,
            "redirect_uri": self._redirect,
            "scope": "openid email profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        mark = "&" if "?" in metadata.authorization_endpoint else "?"
        return f"{metadata.authorization_endpoint}{mark}{urlencode(query)}"

    async def person(self, code: str, *, nonce: str, verifier: str) -> Person:
        """Who a code is of. Raises ``Failed``."""
        metadata = await self._known()
        answer = await self._tokens(metadata, code, verifier)
        claims = await self._claims(metadata, str(answer.get("id_token") or ""))
        if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise Failed("failed", "the identity is for another sign-in")
        if "email" not in claims and metadata.userinfo_endpoint is not None:
            token = str(answer.get("access_token") or "")
            claims |= await self._more(metadata.userinfo_endpoint, token, claims["sub"])
        email = claims.get("email")
        if not isinstance(email, str) or claims.get("email_verified") is not True:
            raise Failed("unverified", "the provider has not verified the email")
        email = storable(email).strip().lower()[:LONGEST_EMAIL]
        domains = self.config.email_domains
        if domains and email.rpartition("@")[2] not in domains:
            raise Failed("domain", "the email is of no domain that is let in")
        name = claims.get("name")
        named = storable(name) if isinstance(name, str) and name.strip() else email
        return Person(metadata.issuer, str(claims["sub"]), email, named)

    def iss_is_wrong(self, given: str | None) -> bool:
        """Whether an answer says that it is another provider's (RFC 9207)."""
        return given is not None and given != self.config.issuer

    # -------------------------------------------------------------- what it says of itself

    async def _known(self) -> _Metadata:
        now = time.monotonic()
        if self._metadata is not None and now - self._metadata[0] < FRESH:
            return self._metadata[1]
        address = f"{self.config.issuer.rstrip('/')}/.well-known/openid-configuration"
        found = await self._ask("GET", address)
        try:
            metadata = msgspec.convert(found, _Metadata)
        except msgspec.ValidationError as error:
            raise Failed("failed", f"what the provider says of itself is wrong: {error}") from None
        if metadata.issuer != self.config.issuer:
            raise Failed("failed", f"the provider calls itself {metadata.issuer[:200]}")
        self._metadata = (now, metadata)
        return metadata

    async def _key(self, metadata: _Metadata, kid: str | None) -> jwt.PyJWK:
        for known in (self._keys, None):
            keys = known or await self._read_keys(metadata)
            own = [key for key in keys.keys if kid is None or key.key_id == kid]
            if len(own) == 1:
                return own[0]
        raise Failed("failed", "the identity is signed with a key that the provider does not have")

    async def _read_keys(self, metadata: _Metadata) -> jwt.PyJWKSet:
        import jwt  # noqa: PLC0415 — with cryptography, which few need

        found = await self._ask("GET", metadata.jwks_uri)
        try:
            self._keys = jwt.PyJWKSet.from_dict(found)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
            raise Failed("failed", f"the provider's keys are none: {error}") from None
        return self._keys

    # -------------------------------------------------------------- who it is

    async def _tokens(self, metadata: _Metadata, code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "code_verifier": verifier,
        }
        own, secret = self.config.client_id, self.config.client_secret.reveal()
        methods = metadata.token_endpoint_auth_methods_supported
        if "client_secret_basic" in methods or "client_secret_post" not in methods:
            # RFC 6749, 2.3.1: both are form-encoded before they are put together.
            pair = (urlencode({"": own})[1:], urlencode({"": secret})[1:])
            return await self._ask(
                "POST", metadata.token_endpoint, form=list(form.items()), auth=pair
            )
        form |= {"client_id": own, "client_secret": secret}
        return await self._ask("POST", metadata.token_endpoint, form=list(form.items()))

    async def _claims(self, metadata: _Metadata, token: str) -> dict[str, Any]:
        import jwt  # noqa: PLC0415

        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = await self._key(metadata, kid if isinstance(kid, str) else None)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self.config.client_id,
                issuer=metadata.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise Failed("failed", f"the identity does not hold: {error}") from None
        many = isinstance(claims["aud"], list) and len(cast("list[Any]", claims["aud"])) > 1
        if (many or "azp" in claims) and claims.get("azp") != self.config.client_id:
            raise Failed("failed", "the identity was made for another client")
        return claims

    async def _more(self, address: str, token: str, subject: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        found = await self._ask("GET", address, headers=headers)
        if found.get("sub") != subject:
            raise Failed("failed", "the provider told of somebody else")
        return {name: found[name] for name in ("email", "email_verified", "name") if name in found}

    async def _ask(self, method: str, address: str, **options: Any) -> dict[str, Any]:
        headers = {"Accept": "application/json", **options.pop("headers", {})}
        try:
            answer = await self.http.request(
                method, address, headers=headers, timeout=TIMEOUT, max_bytes=LARGEST, **options
            )
        except HookError as error:
            raise Failed("failed", f"the provider cannot be asked: {error.detail}") from None
        if answer.status != 200:
            raise Failed("failed", f"the provider answered {answer.status}")
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Failed("failed", "the provider answered something that is no JSON object")
        return cast("dict[str, Any]", found)


class OpenId:
    """Signs people in with the providers that are configured."""

    def __init__(
        self,
        configs: Sequence[SignInConfig],
        writer: Writer,
        sessions: Sessions,
        accounts: Accounts,
        public_url: str,
    ) -> None:
        self._writer = writer
        self._sessions = sessions
        self._accounts = accounts
        self.providers = {one.id: Provider(one, public_url) for one in configs}

    async def close(self) -> None:
        """Let go of connections."""
        await asyncio.gather(*(one.http.aclose() for one in self.providers.values()))

    async def begin(self, provider: Provider) -> Start:
        """Somebody sets out. Raises ``Failed``."""
        state, binding = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        journey = _Journey(
            provider=provider.config.id,
            binding=token_hash(binding),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
        )
        url = await provider.url(state=state, nonce=journey.nonce, verifier=journey.verifier)
        data = msgspec.json.encode(journey).decode()
        step = store.Step(kind=KIND, user_id=None, data=data)
        await self._writer.execute(
            lambda connection: store.put_step(connection, token_hash(state), step, now_ms())
        )
        return Start(url, binding)

    async def finish(
        self, provider: Provider, given: Mapping[str, str], binding: str | None, browser: Browser
    ) -> SignedIn | Unfinished:
        """Somebody comes back. Raises ``Failed``."""
        hashed = token_hash(given.get("state", ""))
        step = await self._writer.execute(
            lambda connection: store.take_step(connection, hashed, KIND, now_ms())
        )
        journey = None if step is None else msgspec.json.decode(step.data, type=_Journey)
        if (
            journey is None
            or journey.provider != provider.config.id
            or not secrets.compare_digest(journey.binding, token_hash(binding or ""))
        ):
            raise Failed("late", "nobody set out so, or not with this browser, or long ago")
        if provider.iss_is_wrong(given.get("iss")):
            raise Failed("failed", "the answer is another provider's")
        if "code" not in given:
            raise Failed("refused", f"the provider said {given.get('error', '')[:100]!r}")
        person = await provider.person(
            given["code"], nonce=journey.nonce, verifier=journey.verifier
        )
        password = await asyncio.to_thread(hash_password, secrets.token_urlsafe(32))
        config = provider.config
        joins = None if config.organisation is None else (config.organisation, config.role or "")

        def work(connection: Connection) -> int:
            return self._accounts.by_provider(
                connection,
                issuer=person.issuer,
                subject=person.subject,
                email=person.email,
                name=person.name,
                password_hash=password,
                joins=joins,
                remote=browser.remote,
            )

        try:
            found = await self._accounts.do(work)
        except Refusal as refusal:
            raise Failed(refusal.code, refusal.detail) from None
        user = await self._sessions.user(found)
        signed = None if user is None else await self._sessions.proven(user, browser, "provider")
        if signed is None:
            raise Failed("inactive", "the user cannot come in any more")
        return signed
