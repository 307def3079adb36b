"""Signs the cases as Resend does: the way of Standard Webhooks, under the header names of Svix."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from hub_email_resend.settings import Settings
from msgspec.structs import replace

from hub.plugin import Delivery


def sign(delivery: Delivery, settings: Settings) -> Delivery:
    """The delivery with the signature that belongs to it."""
    secret = settings.signing_secrets[0].reveal().removeprefix("whsec_")
    if not secret:
        raise ValueError("nobody signs with an empty secret")
    try:
        key = base64.b64decode(secret, validate=True)
    except binascii.Error:  # a secret of another kind than Resend's
        key = secret.encode()
    name = "msg_" + hashlib.sha256(delivery.body).hexdigest()[:24]
    stamp = str(int(delivery.received_at.timestamp()))
    digest = hmac.digest(key, f"{name}.{stamp}.".encode() + delivery.body, "sha256")
    signed = (
        ("svix-id", name),
        ("svix-timestamp", stamp),
        ("svix-signature", f"v1,{base64.b64encode(digest).decode()}"),
    )
    return replace(delivery, headers=(*delivery.headers, *signed))
