"""What an operator says: whose webhooks come in, and how to prove them."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec
from hub_email.settings import Mailbox

from hub.plugin import Secret

Provider = Literal["postmark", "mailgun", "sendgrid", "ses"]
Some = Annotated[tuple[Secret, ...], msgspec.Meta(min_length=1)]
"""Several while one is being replaced."""
Region = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
Domain = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$")]
Topic = Annotated[str, msgspec.Meta(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}$")]


class Postmark(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of a server at Postmark."""

    passwords: Some
    """Of the webhooks' addresses: ``https://hub:PASSWORD@…``."""
    username: str = "hub"
    server_token: Secret | None = None
    """To send with; without it the channel only takes in."""
    stream: str = "outbound"
    """The message stream that mail goes out by."""


class Mailgun(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of a domain at Mailgun."""

    signing_keys: Some
    """The HTTP webhook signing key."""
    api_key: Secret | None = None
    """To send with; without it the channel only takes in."""
    domain: Domain | None = None
    """The sending domain; that of the address, where nothing is said."""
    region: Literal["us", "eu"] = "us"


class SendGrid(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of an account at SendGrid."""

    tokens: Some
    """Of the Inbound Parse webhook's address (``?token=…``), which SendGrid does not sign."""
    public_keys: tuple[str, ...] = ()
    """Of the Event Webhook's signature; without one its events are refused."""
    api_key: Secret | None = None
    """To send with; without it the channel only takes in."""
    region: Literal["global", "eu"] = "global"


class Ses(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of Amazon SES in a region."""

    topics: Annotated[tuple[Topic, ...], msgspec.Meta(min_length=1)]
    """ARNs of the SNS topics that deliver here."""
    region: Region = "us-east-1"
    access_key_id: str | None = None
    secret_access_key: Secret | None = None
    """To send with, and to fetch mail from S3."""
    configuration_set: str | None = None
    """What publishes the events of mail that goes out."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of one address, or several, that a provider takes mail for."""

    provider: Provider
    address: Mailbox
    """The channel's own address: what goes out is from it."""
    aliases: tuple[Mailbox, ...] = ()
    """Further addresses that end here, and may be sent from."""
    name: str | None = None
    """Who the recipient reads that it is from."""
    plus_replies: bool = False
    """Answers are asked for at ``help+c_…@``, so that they find their message whatever the other
    side does to the headers."""
    trusted_authserv: tuple[str, ...] = ()
    """Names (authserv-id, RFC 8601) of one's own servers before the provider's."""
    forms: tuple[Mailbox, ...] = ()
    """Senders that write for somebody else, such as a web form: ``Reply-To`` is the customer."""
    automatic: bool = False
    """Everything that goes out is written by machines (``Auto-Submitted``, RFC 3834)."""

    postmark: Postmark | None = None
    mailgun: Mailgun | None = None
    sendgrid: SendGrid | None = None
    ses: Ses | None = None

    def __post_init__(self) -> None:
        for name in get_args(Provider):
            there = getattr(self, name) is not None
            if there != (name == self.provider):
                words = "this is another provider's" if there else "this is missing"
                raise ValueError(f'{name}: the provider is "{self.provider}", and {words}')
