"""A device that makes passkeys and signs with them, as a browser would hand on what it says."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Struct

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def encoded(raw: bytes) -> str:
    """As WebAuthn writes bytes."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """And reads them."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Key(Struct):
    """One passkey."""

    id: bytes
    private: ec.EllipticCurvePrivateKey
    rp_id: str
    user: bytes
    count: int = 0


class Authenticator:
    """The device. ``origin``: the page that its browser shows; ``verifies``: it asks for a finger
    or a PIN; ``counts``: it counts how often it has signed."""

    def __init__(self, origin: str, *, verifies: bool = True, counts: bool = True) -> None:
        self.origin = origin
        self.verifies = verifies
        self.counts = counts
        self.keys: list[Key] = []

    def make(self, options: dict[str, Any], **wrong: Any) -> dict[str, Any]:
        """``navigator.credentials.create()``. ``wrong``: what it gets wrong."""
        excluded = {one["id"] for one in options["excludeCredentials"]}
        assert not excluded & {encoded(one.id) for one in self.keys}, "a browser refuses by itself"
        key = Key(
            id=secrets.token_bytes(32),
            private=ec.generate_private_key(ec.SECP256R1()),
            rp_id=options["rp"]["id"],
            user=decoded(options["user"]["id"]),
        )
        numbers = key.private.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + len(key.id).to_bytes(2) + key.id + cbor2.dumps(public)
        said = self._said(key, ATTESTED, **wrong) + attested
        statement = {"fmt": "none", "attStmt": {}, "authData": said}
        self.keys.append(key)
        return self._credential(
            key,
            clientDataJSON=self._client_data("webauthn.create", options, **wrong),
            attestationObject=encoded(cbor2.dumps(statement)),
            transports=["internal", "hybrid", "hybrid", "by pigeon"],
        )

    def sign(self, options: dict[str, Any], key: Key | None = None, **wrong: Any) -> dict[str, Any]:
        """``navigator.credentials.get()``, with any key that is asked for."""
        allowed = [one["id"] for one in options.get("allowCredentials") or ()]
        mine = [one for one in self.keys if not allowed or encoded(one.id) in allowed]
        key = key or mine[0]
        key.count += self.counts
        client = self._client_data("webauthn.get", options, **wrong)
        said = self._said(key, 0, **wrong)
        signed = said + hashlib.sha256(decoded(client)).digest()
        by: ec.EllipticCurvePrivateKey = wrong.get("private", key.private)
        return self._credential(
            key,
            clientDataJSON=client,
            authenticatorData=encoded(said),
            signature=encoded(by.sign(signed, ec.ECDSA(SHA256()))),
            userHandle=encoded(wrong.get("user", key.user)),
        )

    def _said(self, key: Key, flags: int, **wrong: Any) -> bytes:
        flags |= (PRESENT if wrong.get("present", True) else 0) | (VERIFIED if self.verifies else 0)
        rp = hashlib.sha256(wrong.get("rp_id", key.rp_id).encode()).digest()
        return rp + bytes([flags]) + wrong.get("count", key.count).to_bytes(4)

    def _client_data(self, kind: str, options: dict[str, Any], /, **wrong: Any) -> str:
        said = {
            "type": wrong.get("kind", kind),
            "challenge": wrong.get("challenge", options["challenge"]),
            "origin": wrong.get("origin", self.origin),
            "crossOrigin": False,
        }
        return encoded(json.dumps(said).encode())

    def _credential(self, key: Key, **response: Any) -> dict[str, Any]:
        return {
            "id": encoded(key.id),
            "rawId": encoded(key.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }
