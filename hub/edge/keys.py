"""Keys made of the hub's secret key, one for each use: what is encrypted, hashed or signed for one
thing means nothing to another.

There is more than one secret key only while one is replaced: what is new is made with the first of
them, what is there is read with any. What is encrypted names the key, so that a query finds what is
left of a former one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable

from hub.plugin import Secret

_NONCE = 12
_NAME = 4
"""Bytes of a key's name."""

Ring = Callable[[], tuple[Secret, ...]]
"""The secret keys as they are now: first what new things are made with, then what else is read."""


class Keys:
    """The keys."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._derived: dict[tuple[str, Secret], bytes] = {}

    def _key(self, use: str, secret: Secret) -> bytes:
        if (known := self._derived.get((use, secret))) is not None:
            return known
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 — not at start
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"channel-hub {use}".encode())
        made = self._derived[use, secret] = derived.derive(secret.reveal().encode())
        return made

    def _name(self, secret: Secret) -> str:
        return self._key("names of keys", secret)[:_NAME].hex()

    @property
    def names(self) -> list[str]:
        """By what those who do not have the keys tell them apart; first the one that is written
        with."""
        return [self._name(secret) for secret in self._ring()]

    @property
    def mark(self) -> str:
        """What everything begins with that is encrypted with the present key."""
        return f"{self._name(self._ring()[0])}:"

    def encrypt(self, use: str, text: str, about: str) -> str:
        """``text`` as nobody reads it without the key; ``about``: whose it is, so that it is of no
        use elsewhere. To be called in the transaction that writes it, after it has locked or
        changed rows of that table: whoever replaces the key waits for those who began with the
        former one."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        secret = self._ring()[0]
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(self._key(use, secret)).encrypt(nonce, text.encode(), about.encode())
        return f"{self._name(secret)}:{base64.b64encode(nonce + sealed).decode()}"

    def decrypt(self, use: str, sealed: str, about: str) -> str | None:
        """What was encrypted; ``None``: with another key, or for somebody else."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        name, named, code = sealed.rpartition(":")
        try:
            raw = base64.b64decode(code, validate=True)
        except (ValueError, binascii.Error):
            return None
        for secret in self._ring():
            if named and name != self._name(secret):
                continue  # an older hub named none
            try:
                key = AESGCM(self._key(use, secret))
                return key.decrypt(raw[:_NONCE], raw[_NONCE:], about.encode()).decode()
            except (InvalidTag, ValueError):
                continue
        return None

    def each(self, use: str) -> list[bytes]:
        """The keys of a use, for what is to outlive them: keep them encrypted."""
        return [self._key(use, secret) for secret in self._ring()]

    def signed(self, use: str, text: str) -> str:
        """What shows that ``text`` comes from here."""
        return keyed(self._key(use, self._ring()[0]), text)

    def is_signed(self, use: str, text: str, signature: str) -> bool:
        """Whether it was made here, with a key that is still accepted."""
        given = signature.encode()
        return any(hmac.compare_digest(keyed(key, text).encode(), given) for key in self.each(use))


def keyed(key: bytes, text: str) -> str:
    """What ``text`` is known by, to those who have the key."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
