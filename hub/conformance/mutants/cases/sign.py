"""Signs the cases as the made-up provider does."""

from __future__ import annotations

import hmac

from msgspec.structs import replace

from hub.conformance.mutants.reference import SIGNATURE, Settings
from hub.plugin import Delivery


def sign(delivery: Delivery, settings: Settings) -> Delivery:
    """HMAC-SHA256 over address, line end and body."""
    signed = delivery.url.encode() + b"\n" + delivery.body
    digest = hmac.digest(settings.key.reveal().encode(), signed, "sha256").hex()
    return replace(delivery, headers=(*delivery.headers, (SIGNATURE, digest)))
