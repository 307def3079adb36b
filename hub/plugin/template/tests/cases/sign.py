"""Signs the cases as the provider does: HMAC-SHA256 of the body, in hexadecimal."""

import hmac

from hub_carrier_pigeon.channel import Settings
from msgspec.structs import replace

from hub.plugin import Delivery


def sign(delivery: Delivery, settings: Settings) -> Delivery:
    """The delivery with the signature that belongs to it."""
    digest = hmac.digest(settings.key.reveal().encode(), delivery.body, "sha256").hex()
    signature = ("X-Carrier-Pigeon-Signature", digest)
    return replace(delivery, headers=(*delivery.headers, signature))
