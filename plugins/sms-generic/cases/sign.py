"""Signs the cases as their settings say: HMAC-SHA256 of the address, a line end and the body."""

from __future__ import annotations

import hmac
from typing import cast

from hub_sms_generic.settings import ByHmac, Settings
from msgspec.structs import replace

from hub.plugin import Delivery


def sign(delivery: Delivery, settings: Settings) -> Delivery:
    """The delivery with the signature that belongs to it."""
    by = cast("ByHmac", settings.verify)
    key = by.keys[0].reveal().encode()
    digest = hmac.digest(key, delivery.url.encode() + b"\n" + delivery.body, "sha256")
    return replace(delivery, headers=(*delivery.headers, ("X-Signature", f"sha256={digest.hex()}")))
