"""What ``[channels.settings]`` may say."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from hub.plugin import Secret

AccountSid = Annotated[str, Meta(pattern=r"^AC[0-9A-Za-z]{32}$")]
ServiceSid = Annotated[str, Meta(pattern=r"^MG[0-9A-Za-z]{32}$")]
ApiKey = Annotated[str, Meta(pattern=r"^SK[0-9A-Za-z]{32}$")]
OwnNumber = Annotated[str, Meta(pattern=r"^(\+[1-9][0-9]{6,14}|[0-9]{3,8})$")]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Twilio account and the numbers of it that are this channel."""

    account_sid: AccountSid
    auth_token: Secret
    """Signs what Twilio sends, and opens its API where no API key is set."""
    auth_tokens: tuple[Secret, ...] = ()
    """Further tokens that still (or already) sign while one is being replaced."""
    shared_keys: dict[str, Secret] = field(default_factory=dict[str, Secret])
    """Keys that sign by SHA-256, by the id Twilio names in
    ``X-Twilio-Webhooks-Signature-Settings``."""
    api_key: ApiKey | None = None
    api_secret: Secret | None = None
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
        if (self.api_key is None) != (self.api_secret is None):
            raise ValueError("api_key and api_secret: both or neither")

    @property
    def credentials(self) -> tuple[str, Secret]:
        """User and password of the API, and of media (Twilio docs, messaging/api/media-resource:
        an API key and its secret, or the account SID and its auth token)."""
        if self.api_key is not None and self.api_secret is not None:
            return self.api_key, self.api_secret
        return self.account_sid, self.auth_token

    @property
    def signing_tokens(self) -> tuple[Secret, ...]:
        """All auth tokens that may have signed a webhook."""
        return self.auth_token, *self.auth_tokens
