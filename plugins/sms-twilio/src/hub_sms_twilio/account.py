"""A Twilio account: what opens its API and what signs its webhooks.

This module, ``api``, ``failures``, ``forms``, ``media.fetch`` and ``messages`` are what the other
channels of Twilio's share with this one; they may import it.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from hub.plugin import Context, Secret, Verification

AccountSid = Annotated[str, Meta(pattern=r"^AC[0-9A-Za-z]{32}$")]
ServiceSid = Annotated[str, Meta(pattern=r"^MG[0-9A-Za-z]{32}$")]
ApiKey = Annotated[str, Meta(pattern=r"^SK[0-9A-Za-z]{32}$")]


class Account(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the settings of every channel of Twilio's say of the account; each has its own besides.
    One that has a ``__post_init__`` calls this one."""

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

    def __post_init__(self) -> None:
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
    def owner(self) -> tuple[str, Secret]:
        """User and password of the account itself, which a key does not replace everywhere."""
        return self.account_sid, self.auth_token


def proof(ctx: Context, account: Account) -> Verification:
    """That a webhook comes from the account: signed by one of its tokens or shared keys."""
    tokens = (account.auth_token, *account.auth_tokens)
    return ctx.verify.twilio(tokens=tokens, shared_keys=account.shared_keys)
