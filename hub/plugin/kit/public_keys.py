"""Signatures by public keys. Imported when a channel first needs one: it takes a while."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from hub.plugin.errors import Unverified

_HASHES = {"sha1": hashes.SHA1, "sha256": hashes.SHA256}


def ecdsa(keys: Sequence[str], signature: str, signed: bytes) -> int | None:
    """Which of ``keys`` has signed, counted from 1. Raises ``Unverified`` for what is no signature
    or no key."""
    usable = [_curve_key(key) for key in keys if key.strip()]
    if not usable:
        raise Unverified("no key is configured for it")
    raw = _decoded(signature)
    for number, key in enumerate(usable, 1):
        try:
            key.verify(raw, signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            continue
        return number
    return None


def rsa_by_certificate(
    pem: bytes, signature: str, signed: bytes, hash_: Literal["sha1", "sha256"], now: datetime
) -> bool:
    """Whether the holder of a certificate that is good ``now`` has signed. Raises ``Unverified``
    for what is no certificate or signature."""
    certificate = _certificate(pem)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise Unverified("the certificate is not good at this time")
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise Unverified("the certificate is not of an RSA key")
    try:
        key.verify(_decoded(signature), signed, padding.PKCS1v15(), _HASHES[hash_]())
    except InvalidSignature:
        return False
    return True


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except binascii.Error as error:
        raise Unverified("the signature is not base64") from error


@lru_cache(maxsize=32)
def _curve_key(text: str) -> ec.EllipticCurvePublicKey:
    try:
        if "-----BEGIN" in text:
            key = serialization.load_pem_public_key(text.encode())
        else:
            key = serialization.load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unverified("a configured key is no public key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Unverified("a configured key is not of an elliptic curve")
    return key


@lru_cache(maxsize=32)
def _certificate(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise Unverified("what should be a certificate is none") from error
