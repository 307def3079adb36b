"""Signs the cases: HMAC-SHA256 of the address, a line end and the body."""

import hmac

from hub_heron import Settings
from msgspec.structs import replace

from hub.plugin import Delivery


def sign(delivery: Delivery, settings: Settings) -> Delivery:
    """The delivery with the signature that belongs to it."""
    signed = delivery.url.encode() + b"\n" + delivery.body
    digest = hmac.digest(settings.key.reveal().encode(), signed, "sha256").hex()
    return replace(delivery, headers=(*delivery.headers, ("X-Heron-Signature", digest)))
