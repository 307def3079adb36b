"""``ctx.verify``: proofs that a delivery comes from who it claims.

Whatever a sender puts into a header ends in ``Unverified``, never in a crash: headers count only
when there is exactly one of the name, in ASCII, of a sane length. Comparisons take constant time,
and an empty key is never accepted.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, cast

from hub.plugin.context import Clock, JwtAlgorithm
from hub.plugin.errors import Malformed, Temporary, Unverified
from hub.plugin.kit import twilio_signature
from hub.plugin.settings import Secret
from hub.plugin.types import (
    _SEAL,  # pyright: ignore[reportPrivateUsage]  # the kit is its holder
    Delivery,
    Verification,
)

MAX_HEADER = 4096
SECRET_PREFIX = "whsec_"  # noqa: S105  # Standard Webhooks' mark of a secret, not a secret


_NOTHING: Mapping[str, bytes] = {}


def stored_proof(method: str, detail: str = "") -> Verification:
    """The proof of a delivery verified before, as it was stored with it."""
    return Verification(method, detail, _seal=_SEAL)


class Missing(Temporary):
    """What is at ``url`` is needed to tell whether the delivery is genuine. The hub fetches it and
    asks again. ``newer``: the copy that is there does not have it."""

    def __init__(self, url: str, *, newer: bool = False) -> None:
        super().__init__(f"{url} is needed to verify it")
        self.url = url
        self.newer = newer


class Verifier:
    """Checks one delivery and remembers the ``proof``. Implements ``hub.plugin.Verify``.
    ``documents``: certificates and key sets by their addresses, as far as they were fetched."""

    def __init__(
        self, delivery: Delivery, clock: Clock, documents: Mapping[str, bytes] | None = None
    ) -> None:
        self._delivery = delivery
        self._clock = clock
        self._documents: Mapping[str, bytes] = _NOTHING if documents is None else documents
        self.proof: Verification | None = None

    def hmac(
        self,
        *,
        keys: Sequence[Secret],
        header: str | None = None,
        algorithm: Literal["sha1", "sha256", "sha512"] = "sha256",
        encoding: Literal["hex", "base64"] = "hex",
        prefix: str = "",
        signed: bytes | None = None,
        given: str | None = None,
    ) -> Verification:
        """See ``hub.plugin.Verify``."""
        if (header is None) == (given is None):
            raise ValueError("ctx.verify.hmac: header or given, one of them")
        place = "the signature" if header is None else header
        found = cast("str", given) if header is None else self._header(header)
        if not found.isascii():
            raise Unverified(f"{place} is not ASCII")
        if not found.startswith(prefix):
            raise Unverified(f"{place} does not begin with {prefix!r}")
        found = found.removeprefix(prefix)
        if encoding == "hex":
            found = found.lower()
        content = self._delivery.body if signed is None else signed
        for number, key in enumerate(_usable(keys), 1):
            digest = hmac.digest(key, content, algorithm)
            wanted = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
            if hmac.compare_digest(wanted, found):
                return self._proven("hmac", f"{place}, {algorithm}, key {number}")
        raise Unverified(f"{place} does not match")

    def token(
        self,
        *,
        keys: Sequence[Secret],
        header: str | None = None,
        prefix: str = "",
        query: str | None = None,
    ) -> Verification:
        """See ``hub.plugin.Verify``."""
        if (header is None) == (query is None):
            raise ValueError("ctx.verify.token: header or query, one of them")
        if query is not None:
            found = [value for name, value in self._delivery.query() if name == query]
            if len(found) != 1:
                raise Unverified(f"there are {len(found)} parameters {query}, not one")
            place, offered = f"parameter {query}", found[0].encode()
        else:
            place = cast("str", header)
            given = self._header(place)
            if not given.startswith(prefix):
                raise Unverified(f"{place} does not begin with {prefix!r}")
            offered = given.removeprefix(prefix).encode()
        for number, key in enumerate(_usable(keys), 1):
            if hmac.compare_digest(key, offered):
                return self._proven("token", f"{place}, key {number}")
        raise Unverified(f"{place} does not match")

    def basic(self, *, username: str, passwords: Sequence[Secret]) -> Verification:
        """See ``hub.plugin.Verify``."""
        scheme, _, encoded = self._header("Authorization").partition(" ")
        if scheme.lower() != "basic":
            raise Unverified("Authorization is not basic")
        try:
            user, _, offered = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        except binascii.Error as error:
            raise Unverified("Authorization is not base64") from error
        for number, key in enumerate(_usable(passwords), 1):
            # Both are compared whatever the first says, so that time tells nothing.
            same_user = hmac.compare_digest(username.encode(), user)
            if hmac.compare_digest(key, offered) and same_user:
                return self._proven("basic", f"password {number}")
        raise Unverified("wrong user or password")

    def twilio(
        self, *, tokens: Sequence[Secret], shared_keys: Mapping[str, Secret] | None = None
    ) -> Verification:
        """See ``hub.plugin.Verify``; the rules are in ``twilio_signature``."""
        delivery = self._delivery
        given = self._header("X-Twilio-Signature")
        settings = self._header("X-Twilio-Webhooks-Signature-Settings", missing="")
        key_id, algorithm = twilio_signature.read_settings(settings)
        if algorithm == twilio_signature.SHARED_KEY:
            shared = (shared_keys or {}).get(key_id)
            keys = list(_usable([shared] if shared else []))
        elif algorithm == twilio_signature.AUTH_TOKEN:
            keys = list(_usable(tokens))
        else:
            raise Unverified("the signature's algorithm is unknown")
        try:
            form = _form(delivery)
        except Malformed as error:
            raise Unverified(f"not what could have been signed: {error.detail}") from error
        if not form and not twilio_signature.body_matches(
            delivery.url, delivery.body, form=form is not None
        ):
            raise Unverified("the body does not match the bodySHA256 of the URL")
        for how, signed in twilio_signature.candidates(delivery.url, form or []):
            for number, key in enumerate(keys, 1):
                digest = hmac.digest(key, signed, twilio_signature.HASHES[algorithm])
                if hmac.compare_digest(base64.b64encode(digest).decode(), given):
                    named = f"shared key {key_id}" if settings else f"auth token {number}"
                    return self._proven("twilio", ", ".join(filter(None, (named, how))))
        raise Unverified("X-Twilio-Signature does not match")

    def standard_webhooks(
        self, *, secrets: Sequence[Secret], tolerance: float = 300.0
    ) -> Verification:
        """See ``hub.plugin.Verify``.

        ``v1,`` and base64 of HMAC-SHA256 over ``id.timestamp.body``; the key is the base64 after
        ``whsec_``; several signatures are separated by spaces (standardwebhooks.com; Svix names
        the headers ``svix-…``)."""
        family = "webhook" if self._delivery.header("webhook-signature") else "svix"
        identifier = self._header(f"{family}-id")
        stamp = self._header(f"{family}-timestamp")
        offered = self._header(f"{family}-signature").split(" ")
        if not (stamp.isdigit() and len(stamp) <= 12):
            raise Unverified(f"{family}-timestamp is no time")
        self._near(int(stamp), tolerance, f"{family}-timestamp")
        signed = f"{identifier}.{stamp}.".encode() + self._delivery.body
        for number, secret in enumerate(_usable(secrets), 1):
            try:
                key = base64.b64decode(
                    secret.decode().removeprefix(SECRET_PREFIX).encode(), validate=True
                )
            except binascii.Error as error:
                raise Unverified("a configured secret is not base64") from error
            if not key:
                continue
            digest = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
            if any(hmac.compare_digest(f"v1,{digest}", each) for each in offered):
                return self._proven("standard_webhooks", f"secret {number}")
        raise Unverified(f"{family}-signature does not match")

    def ecdsa(
        self,
        *,
        keys: Sequence[str],
        header: str,
        timestamp_header: str | None = None,
        tolerance: float | None = 300.0,
    ) -> Verification:
        """See ``hub.plugin.Verify``."""
        from hub.plugin.kit import public_keys  # noqa: PLC0415 — not every hub needs them

        given = self._header(header)
        stamp = "" if timestamp_header is None else self._header(timestamp_header)
        if timestamp_header is not None and tolerance is not None:
            if not (stamp.isdigit() and len(stamp) <= 12):
                raise Unverified(f"{timestamp_header} is no time")
            self._near(float(stamp), tolerance, timestamp_header)
        number = public_keys.ecdsa(keys, given, stamp.encode() + self._delivery.body)
        if number is None:
            raise Unverified(f"{header} does not match")
        return self._proven("ecdsa", f"{header}, key {number}")

    def sns(self, *, topics: Sequence[str], tolerance: float = 3600.0) -> Verification:
        """See ``hub.plugin.Verify``; the rules are in ``sns_signature``."""
        from hub.plugin.kit import public_keys, sns_signature  # noqa: PLC0415

        message = sns_signature.read(self._delivery.body)
        if message.topic not in topics:
            raise Unverified("it is not of a topic of this channel's")
        self._near(message.at, tolerance, "Timestamp")
        certificate = self._documents.get(message.certificate)
        if certificate is None:
            raise Missing(message.certificate)
        if not public_keys.rsa_by_certificate(
            certificate, message.signature, message.signed, message.hash, self._clock.now()
        ):
            raise Unverified("Signature does not match")
        return self._proven("sns", f"{message.topic}, version {message.version}")

    def jwt(  # noqa: PLR0913 — the promise's own arguments
        self,
        *,
        algorithms: Sequence[JwtAlgorithm],
        keys: Sequence[Secret] = (),
        jwks: str | None = None,
        jwks_url: str | None = None,
        header: str = "Authorization",
        prefix: str = "Bearer ",
        audience: str | None = None,
        issuer: str | None = None,
        body_hash: str | None = None,
        tolerance: float = 300.0,
    ) -> Verification:
        """See ``hub.plugin.Verify``; the rules are in ``json_web_token``."""
        from hub.plugin.kit import json_web_token as token  # noqa: PLC0415

        given = self._header(header)
        if not given.startswith(prefix):
            raise Unverified(f"{header} does not begin with {prefix!r}")
        rules = token.Rules(
            algorithms=tuple(algorithms),
            audience=audience,
            issuer=issuer,
            body_hash=body_hash,
            tolerance=tolerance,
        )
        candidates = token.of_secrets(keys) if keys else []
        if jwks is not None:
            candidates += token.of_set(jwks.encode())
        fetched = None if jwks_url is None else self._documents.get(jwks_url)
        if jwks_url is not None and fetched is None:
            raise Missing(jwks_url)
        if fetched is not None:
            candidates += token.of_set(fetched)
        if not candidates:
            raise Unverified("no key is configured for it")
        try:
            how = token.check(given.removeprefix(prefix), candidates, rules, self._delivery.body,
                              self._clock.now().timestamp())  # fmt: skip
        except token.NoSuchKey as error:
            if jwks_url is not None:
                raise Missing(jwks_url, newer=True) from error
            raise
        return self._proven("jwt", f"{header}, {how}")

    def _near(self, at: float, tolerance: float, what: str) -> None:
        if abs(self._clock.now().timestamp() - at) > tolerance:
            raise Unverified(f"{what} is too far from now")

    def _proven(self, method: str, detail: str) -> Verification:
        self.proof = stored_proof(method, detail)
        return self.proof

    def _header(self, name: str, *, missing: str | None = None) -> str:
        wanted = name.lower()
        values = [value for key, value in self._delivery.headers if key.lower() == wanted]
        if not values and missing is not None:
            return missing
        if len(values) != 1:
            raise Unverified(f"{name} is {'repeated' if values else 'missing'}")
        if len(values[0]) > MAX_HEADER or not values[0].isascii():
            raise Unverified(f"{name} is too long or not ASCII")
        return values[0]


class Replayed:
    """``ctx.verify`` of a delivery verified before: every method gives its proof back, so that an
    old time or a rotated secret does not turn a stored delivery away."""

    def __init__(self, proof: Verification) -> None:
        self.proof: Verification | None = proof
        self._proof = proof

    def hmac(
        self,
        *,
        keys: Sequence[Secret],  # noqa: ARG002
        header: str | None = None,  # noqa: ARG002
        algorithm: Literal["sha1", "sha256", "sha512"] = "sha256",  # noqa: ARG002
        encoding: Literal["hex", "base64"] = "hex",  # noqa: ARG002
        prefix: str = "",  # noqa: ARG002
        signed: bytes | None = None,  # noqa: ARG002
        given: str | None = None,  # noqa: ARG002
    ) -> Verification:
        """The stored proof."""
        return self._proof

    def token(
        self,
        *,
        keys: Sequence[Secret],  # noqa: ARG002
        header: str | None = None,  # noqa: ARG002
        prefix: str = "",  # noqa: ARG002
        query: str | None = None,  # noqa: ARG002
    ) -> Verification:
        """The stored proof."""
        return self._proof

    def basic(self, *, username: str, passwords: Sequence[Secret]) -> Verification:  # noqa: ARG002
        """The stored proof."""
        return self._proof

    def twilio(
        self,
        *,
        tokens: Sequence[Secret],  # noqa: ARG002
        shared_keys: Mapping[str, Secret] | None = None,  # noqa: ARG002
    ) -> Verification:
        """The stored proof."""
        return self._proof

    def standard_webhooks(
        self,
        *,
        secrets: Sequence[Secret],  # noqa: ARG002
        tolerance: float = 300.0,  # noqa: ARG002
    ) -> Verification:
        """The stored proof."""
        return self._proof

    def ecdsa(
        self,
        *,
        keys: Sequence[str],  # noqa: ARG002
        header: str,  # noqa: ARG002
        timestamp_header: str | None = None,  # noqa: ARG002
        tolerance: float | None = 300.0,  # noqa: ARG002
    ) -> Verification:
        """The stored proof."""
        return self._proof

    def sns(self, *, topics: Sequence[str], tolerance: float = 3600.0) -> Verification:  # noqa: ARG002
        """The stored proof."""
        return self._proof

    def jwt(  # noqa: PLR0913 — the promise's own arguments
        self,
        *,
        algorithms: Sequence[JwtAlgorithm],  # noqa: ARG002
        keys: Sequence[Secret] = (),  # noqa: ARG002
        jwks: str | None = None,  # noqa: ARG002
        jwks_url: str | None = None,  # noqa: ARG002
        header: str = "Authorization",  # noqa: ARG002
        prefix: str = "Bearer ",  # noqa: ARG002
        audience: str | None = None,  # noqa: ARG002
        issuer: str | None = None,  # noqa: ARG002
        body_hash: str | None = None,  # noqa: ARG002
        tolerance: float = 300.0,  # noqa: ARG002
    ) -> Verification:
        """The stored proof."""
        return self._proof


def _usable(keys: Sequence[Secret]) -> Iterator[bytes]:
    """The keys that may count. Raises ``Unverified`` when there is none."""
    filled = [key.reveal().encode() for key in keys if key]
    if not filled:
        raise Unverified("no key is configured for it")
    yield from filled


def _form(delivery: Delivery) -> list[tuple[str, str]] | None:
    """The fields that Twilio signs after the URL; ``None``: the body is signed by its hash."""
    if delivery.method == "GET":
        return []
    kind = (delivery.header("content-type") or "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded" or not (kind or delivery.body):
        return delivery.form() if kind else []
    return None


__all__ = ["Missing", "Replayed", "Verifier", "stored_proof"]
