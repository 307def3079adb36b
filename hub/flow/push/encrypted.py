"""What a browser's push service carries and cannot read (RFC 8291 over one record of RFC 8188), and
who sends it (RFC 8292). Why not by a library: ``docs/decisions/0017-push-without-a-library.md``.
"""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub.rules.pushes import Subscription, decoded, encoded

RECORD = 4096
"""Bytes of a record: services need not take more."""
LONGEST = RECORD - 103
"""Bytes of what can be told: without the header (86), the mark of the end and the tag."""
_LAST = b"\x02"
_LASTS = 12 * 3600
"""Seconds for which a service may be shown the same token; it may be 24 hours."""


def new_key() -> str:
    """The hub's own key, as it is kept: the number that is private, in base64url."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return encoded(number.to_bytes(32))


def private_key(kept: str) -> ec.EllipticCurvePrivateKey:
    """A key as it is kept. Raises ``ValueError``."""
    return ec.derive_private_key(int.from_bytes(decoded(kept)), ec.SECP256R1())


def public_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The point that belongs to a key, uncompressed."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def check_point(point: bytes) -> None:
    """Raises ``ValueError`` for what lies beside the curve."""
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def encrypt(
    text: bytes,
    to: Subscription,
    *,
    own: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """``text`` for one browser. ``own`` and ``salt`` are made for each message: they are given
    only where the standard's example is followed. Raises ``ValueError`` for what is too long, and
    for keys that are none."""
    if len(text) > LONGEST:
        raise ValueError(f"{len(text)} bytes are more than {LONGEST}")
    own = own or ec.generate_private_key(ec.SECP256R1())
    salt = salt or secrets.token_bytes(16)
    theirs = decoded(to.p256dh)
    ours = public_bytes(own)
    shared = own.exchange(
        ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
    )
    info = b"WebPush: info\x00" + theirs + ours
    secret = _derive(shared, decoded(to.auth), info, 32)
    key = _derive(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _derive(secret, salt, b"Content-Encoding: nonce\x00", 12)
    header = salt + RECORD.to_bytes(4) + len(ours).to_bytes(1) + ours
    return header + AESGCM(key).encrypt(nonce, text + _LAST, None)


def _derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def authorization(endpoint: str, key: ec.EllipticCurvePrivateKey, contact: str, now: int) -> str:
    """The header that shows a push service who sends, good for that service alone. ``contact``:
    where its operator reaches ours, a ``mailto:`` or ``https:`` address; ``now`` in milliseconds.
    """
    parts = urlsplit(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": now // 1000 + _LASTS,
        "sub": contact,
    }
    token = jwt.encode(claims, key, algorithm="ES256")
    return f"vapid t={token}, k={encoded(public_bytes(key))}"
