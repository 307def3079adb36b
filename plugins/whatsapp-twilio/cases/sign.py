"""Signs the cases as Twilio does: HMAC-SHA1 by the auth token, over URL and sorted fields."""

from __future__ import annotations

import base64
import hmac

from hub_whatsapp_twilio.settings import Settings
from msgspec.structs import replace

from hub.plugin import Delivery


def sign(delivery: Delivery, settings: Settings) -> Delivery:
    """The delivery with the signature that belongs to it."""
    fields = "".join(name + value for name, value in sorted(set(delivery.form())))
    key = settings.auth_token.reveal().encode()
    digest = hmac.digest(key, (delivery.url + fields).encode(), "sha1")
    signature = ("X-Twilio-Signature", base64.b64encode(digest).decode())
    return replace(delivery, headers=(*delivery.headers, signature))
