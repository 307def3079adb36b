"""What ``[channels.settings]`` may say."""

from __future__ import annotations

from typing import Annotated

from hub_sms_twilio.account import Account, ServiceSid
from msgspec import Meta

OwnNumber = Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{6,14}$")]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]


class Settings(Account, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Twilio account and the WhatsApp senders of it that are this channel."""

    numbers: Annotated[tuple[OwnNumber, ...], Meta(min_length=1)]
    """WhatsApp senders in E.164, without ``whatsapp:``; the first sends where no other is asked
    for. What comes to another number is none of this channel's."""
    messaging_service_sid: ServiceSid | None = None
    """Send through this Messaging Service, from the number of the conversation."""
    country: Country | None = None
    """Where a number written without ``+`` belongs (ISO 3166, ``US``); else the country of the
    first own number."""
    status_callbacks: bool = True
    """Ask Twilio to report what becomes of each message. Without it, give the sender the channel's
    address as its own status callback."""
