"""What ``[channels.settings]`` may say."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from hub.plugin import Secret

GraphId = Annotated[str, Meta(pattern=r"^[0-9]{5,30}$")]
OwnNumber = Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{6,14}$")]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]
Version = Annotated[str, Meta(pattern=r"^v[1-9][0-9]?\.[0-9]$")]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One WhatsApp number of a business account, and the app that serves it."""

    phone_number_id: GraphId
    """Meta's id of the number; messages of other numbers are none of this channel's."""
    number: OwnNumber
    """The number itself, in E.164."""
    business_account_id: GraphId
    """The WhatsApp Business Account (WABA): it has the templates."""
    access_token: Secret
    """Opens the API; a system user's, which does not run out."""
    app_secret: Secret
    """Signs what Meta sends."""
    app_secrets: tuple[Secret, ...] = ()
    """Further secrets that still (or already) sign while one is being replaced."""
    verify_token: Secret
    """What Meta says when it asks whether the webhook's address is ours."""
    country: Country | None = None
    """Where a number written without ``+`` belongs (ISO 3166, ``US``); else the own number's."""
    api_version: Version = "v24.0"
    """Of the Graph API."""

    def __post_init__(self) -> None:
        if self.phone_number_id == self.business_account_id:
            raise ValueError(
                "business_account_id: this is phone_number_id; Meta shows both side by side"
            )

    @property
    def signing_secrets(self) -> tuple[Secret, ...]:
        """All app secrets that may have signed a webhook."""
        return self.app_secret, *self.app_secrets
