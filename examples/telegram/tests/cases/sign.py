"""Adds what Telegram adds to each update: the secret that `setWebhook` was given."""

from hub_telegram.channel import HEADER, Settings
from msgspec.structs import replace

from hub.plugin import Delivery


def sign(delivery: Delivery, settings: Settings) -> Delivery:
    """The delivery with the secret in its header."""
    return replace(delivery, headers=(*delivery.headers, (HEADER, settings.secret.reveal())))
