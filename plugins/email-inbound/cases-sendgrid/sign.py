"""Proves the cases as SendGrid does: events by a signature, incoming mail by the address's token.
The keys are made for the cases."""

from __future__ import annotations

import base64
from typing import cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hub_email_inbound.sendgrid import SIGNATURE, TIMESTAMP
from hub_email_inbound.settings import SendGrid, Settings
from msgspec.structs import replace

from hub.plugin import Delivery

KEY = """
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgyt49vYc9/DAI9vpf
G2GXbYVrxNqHEUu8V9WXDFEOsKmhRANCAARATJQ3gCdHXeGhyo866QTnEugapPdX
3BzP0uOjVlIzUiW4L/8Gk+LFQAfl0dwq0vfWR4l1oM/vYBTTZRcl1NEg
-----END PRIVATE KEY-----
"""
ANOTHER = """
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgYKVPjul6ycWPQqL9
s3j6WqmQeuMCog/yH+Pklp2FLPmhRANCAAShpQR+kdBkd1tmn8m5cvGmYawqzyaA
D82q21nNLD2OF1dl7068Fr0nTjKuzu2ubKrK9QUj+aX8Eulva/PdZCuI
-----END PRIVATE KEY-----
"""


def sign(delivery: Delivery, settings: Settings) -> Delivery:
    """The delivery with the proof that belongs to it."""
    return _proven(delivery, cast("SendGrid", settings.sendgrid).tokens[0].reveal(), KEY)


def forge(delivery: Delivery, settings: Settings) -> Delivery:
    """The same by somebody else."""
    del settings
    return _proven(delivery, "a-token-of-somebody-else", ANOTHER)


def _proven(delivery: Delivery, token: str, pem: str) -> Delivery:
    if "json" not in (delivery.header("content-type") or ""):
        parts = urlsplit(delivery.url)
        pairs = [pair for pair in parse_qsl(parts.query, True) if pair[0] != "token"]
        query = urlencode([*pairs, ("token", token)])
        return replace(delivery, url=urlunsplit(parts._replace(query=query)))
    stamp = str(int(delivery.received_at.timestamp()))
    key = serialization.load_pem_private_key(pem.strip().encode(), None)
    signed = cast("ec.EllipticCurvePrivateKey", key).sign(
        stamp.encode() + delivery.body, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    )
    proof = ((SIGNATURE, base64.b64encode(signed).decode()), (TIMESTAMP, stamp))
    return replace(delivery, headers=(*delivery.headers, *proof))
