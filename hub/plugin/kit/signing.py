"""What providers do: deliveries signed, for tests of plugins that verify with public keys."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from msgspec.structs import replace

from hub.plugin.context import JwtAlgorithm
from hub.plugin.kit.sns_signature import HASHES, signed
from hub.plugin.types import Delivery

_HASHES = {"sha1": hashes.SHA1, "sha256": hashes.SHA256}


def ecdsa(
    delivery: Delivery,
    private_key: str,
    *,
    header: str,
    timestamp_header: str | None = None,
    at: datetime | None = None,
) -> Delivery:
    """Signed as ``ctx.verify.ecdsa`` wants it, with a private key in PEM; ``at``: when, by default
    when it was received."""
    key = serialization.load_pem_private_key(private_key.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 — a test's own mistake
    stamp = "" if timestamp_header is None else _seconds(at or delivery.received_at)
    made = key.sign(stamp.encode() + delivery.body, ec.ECDSA(hashes.SHA256()))
    headers = {header: base64.b64encode(made).decode()}
    return _with(
        delivery, headers if timestamp_header is None else headers | {timestamp_header: stamp}
    )


def sns(
    delivery: Delivery, private_key: str, *, certificate_url: str, version: str = "1"
) -> Delivery:
    """The body, a message of SNS, signed with a private key in PEM of the certificate there."""
    key = serialization.load_pem_private_key(private_key.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101
    told = {**json.loads(delivery.body), "SignatureVersion": version}
    made = key.sign(signed(told), padding.PKCS1v15(), _HASHES[HASHES[version]]())
    told |= {"SigningCertURL": certificate_url, "Signature": base64.b64encode(made).decode()}
    return replace(delivery, body=json.dumps(told).encode())


def jwt(
    delivery: Delivery,
    key: str,
    algorithm: JwtAlgorithm,
    *,
    claims: Mapping[str, Any] | None = None,
    key_id: str | None = None,
    body_hash: str | None = None,
    header: str = "Authorization",
    prefix: str = "Bearer ",
) -> Delivery:
    """With a token made when the delivery was received; ``key``: a secret, or a private key in
    PEM."""
    import jwt as tokens  # noqa: PLC0415 — the name is the function's

    told: dict[str, Any] = {"iat": int(delivery.received_at.timestamp()), **(claims or {})}
    if body_hash is not None:
        told[body_hash] = hashlib.sha256(delivery.body).hexdigest()
    named = None if key_id is None else {"kid": key_id}
    token = tokens.encode(told, key, algorithm, headers=named)
    return _with(delivery, {header: prefix + token})


def _seconds(at: datetime) -> str:
    return str(int(at.timestamp()))


def _with(delivery: Delivery, headers: Mapping[str, str]) -> Delivery:
    """With these headers in place of what was there under their names."""
    names = {name.lower() for name in headers}
    others = [pair for pair in delivery.headers if pair[0].lower() not in names]
    return replace(delivery, headers=(*others, *headers.items()))
