"""Proves the cases as Postmark does: by the user and password of the webhook's address."""

from __future__ import annotations

import base64
from typing import cast

from hub_email_inbound.settings import Postmark, Settings
from msgspec.structs import replace

from hub.plugin import Delivery


def sign(delivery: Delivery, settings: Settings) -> Delivery:
    """The delivery with the proof that belongs to it."""
    said = cast("Postmark", settings.postmark)
    password = said.passwords[0].reveal()
    if not password:
        raise ValueError("nobody has an empty password")
    proof = base64.b64encode(f"{said.username}:{password}".encode()).decode()
    return replace(delivery, headers=(*delivery.headers, ("Authorization", f"Basic {proof}")))
