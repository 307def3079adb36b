"""Signs the cases as Meta does: HMAC-SHA256 of the raw body with the app secret. What Meta asks by
GET has its token in the address."""

from __future__ import annotations

import hmac

from hub_whatsapp_cloud.settings import Settings
from msgspec.structs import replace

from hub.plugin import Delivery


def sign(delivery: Delivery, settings: Settings) -> Delivery:
    """The delivery with the signature that belongs to it."""
    if delivery.method == "GET":
        return delivery
    digest = hmac.digest(settings.app_secret.reveal().encode(), delivery.body, "sha256").hex()
    return replace(
        delivery, headers=(*delivery.headers, ("X-Hub-Signature-256", f"sha256={digest}"))
    )
