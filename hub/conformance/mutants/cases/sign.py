"""Signs the cases as the made-up provider does."""

from __future__ import annotations

import hmac

from msgspec.structs import replace

from hub.conformance.mutants.reference import SIGNATURE, SIGNED_AT, Settings, head
from hub.plugin import Delivery


def sign(delivery: Delivery, settings: Settings) -> Delivery:
    """HMAC-SHA256 over address, time and body, with a line end after each of the first two."""
    at = (SIGNED_AT, str(int(delivery.received_at.timestamp())))
    delivery = replace(delivery, headers=(*delivery.headers, at))
    signed = head(delivery) + delivery.body
    digest = hmac.digest(settings.key.reveal().encode(), signed, "sha256").hex()
    return replace(delivery, headers=(*delivery.headers, (SIGNATURE, digest)))
