"""What ``[channels.settings]`` may say."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hub_sms_twilio.account import Account, ServiceSid

OwnNumber = Annotated[str, Meta(pattern=r"^(\+[1-9][0-9]{6,14}|[0-9]{3,8})$")]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]


class Settings(Account, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Twilio account and the numbers of it that are this channel."""

    numbers: tuple[OwnNumber, ...] = ()
    """Own numbers, in E.164, or short codes; the first sends where no other is asked for."""
    messaging_service_sid: ServiceSid | None = None
    """Sends through this Messaging Service; which of its numbers then is Twilio's choice, unless
    the conversation has one of ``numbers``."""
    country: Country | None = None
    """Where a number written without ``+`` belongs (ISO 3166, ``US``); else the country of the
    first own number."""
    status_callbacks: bool = True
    """Ask Twilio to report what becomes of each message. Without it, point the Messaging
    Service's own callback at the channel's address."""

    def __post_init__(self) -> None:
        if not self.numbers and self.messaging_service_sid is None:
            raise ValueError("numbers or messaging_service_sid: one of them is needed to send")
        Account.__post_init__(self)
