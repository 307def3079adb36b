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
from typing import Literal

from hub.plugin.context import Clock
from hub.plugin.errors import Malformed, Unverified
from hub.plugin.kit import twilio_signature
from hub.plugin.settings import Secret
from hub.plugin.types import (
    _SEAL,  # pyright: ignore[reportPrivateUsage]  # the kit is its holder
    Delivery,
    Verification,
)

MAX_HEADER = 4096
SECRET_PREFIX = "whsec_"  # noqa: S105  # Standard Webhooks' mark of a secret, not a secret


def stored_proof(method: str, detail: str = "") -> Verification:
    """The proof of a delivery verified before, as it was stored with it."""
    return Verification(method, detail, _seal=_SEAL)


class Verifier:
    """Checks one delivery and remembers the ``proof``. Implements ``hub.plugin.Verify``."""

    def __init__(self, delivery: Delivery, clock: Clock) -> None:
        self._delivery = delivery
        self._clock = clock
        self.proof: Verification | None = None

    def hmac(
        self,
        *,
        keys: Sequence[Secret],
        header: str,
        algorithm: Literal["sha1", "sha256", "sha512"] = "sha256",
        encoding: Literal["hex", "base64"] = "hex",
        prefix: str = "",
        signed: bytes | None = None,
    ) -> Verification:
        """See ``hub.plugin.Verify``."""
        given = self._header(header)
        if not given.startswith(prefix):
            raise Unverified(f"{header} does not begin with {prefix!r}")
        given = given.removeprefix(prefix)
        if encoding == "hex":
            given = given.lower()
        content = self._delivery.body if signed is None else signed
        for number, key in enumerate(_usable(keys), 1):
            digest = hmac.digest(key, content, algorithm)
            wanted = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
            if hmac.compare_digest(wanted, given):
                return self._proven("hmac", f"{header}, {algorithm}, key {number}")
        raise Unverified(f"{header} does not match")

    def token(self, *, keys: Sequence[Secret], header: str, prefix: str = "") -> Verification:
        """See ``hub.plugin.Verify``."""
        given = self._header(header)
        if not given.startswith(prefix):
            raise Unverified(f"{header} does not begin with {prefix!r}")
        offered = given.removeprefix(prefix).encode()
        for number, key in enumerate(_usable(keys), 1):
            if hmac.compare_digest(key, offered):
                return self._proven("token", f"{header}, key {number}")
        raise Unverified(f"{header} does not match")

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
        if abs(self._clock.now().timestamp() - int(stamp)) > tolerance:
            raise Unverified(f"{family}-timestamp is too far from now")
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
        header: str,  # noqa: ARG002
        algorithm: Literal["sha1", "sha256", "sha512"] = "sha256",  # noqa: ARG002
        encoding: Literal["hex", "base64"] = "hex",  # noqa: ARG002
        prefix: str = "",  # noqa: ARG002
        signed: bytes | None = None,  # noqa: ARG002
    ) -> Verification:
        """The stored proof."""
        return self._proof

    def token(self, *, keys: Sequence[Secret], header: str, prefix: str = "") -> Verification:  # noqa: ARG002
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


__all__ = ["Replayed", "Verifier", "stored_proof"]
