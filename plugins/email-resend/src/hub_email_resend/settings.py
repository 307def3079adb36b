"""What an operator says about an account at Resend."""

from __future__ import annotations

from typing import Annotated

import msgspec
from hub_email.settings import Mailbox

from hub.plugin import Secret

Signing = Annotated[tuple[Secret, ...], msgspec.Meta(min_length=1)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of one address, or several, of a domain at Resend."""

    api_key: Secret
    """With full access: one that may only send cannot read mail that has come in."""
    signing_secrets: Signing
    """Of the webhook (``whsec_…``); several while one is being replaced."""
    address: Mailbox
    """The channel's own address: what goes out is from it."""
    aliases: tuple[Mailbox, ...] = ()
    """Further addresses that end here, and may be sent from."""
    name: str | None = None
    """Who the recipient reads that it is from."""
    plus_replies: bool = True
    """Answers are asked for at ``help+c_…@``: mail of Resend goes out under a Message-ID of its
    own, so that they would not find their message."""
    trusted_authserv: tuple[str, ...] = ()
    """Names (authserv-id, RFC 8601) of receiving servers whose word on SPF, DKIM and DMARC is
    shown when it is a bad one."""
    forms: tuple[Mailbox, ...] = ()
    """Senders that write for somebody else, such as a web form: ``Reply-To`` is the customer."""
    automatic: bool = False
    """Everything that goes out is written by machines (``Auto-Submitted``, RFC 3834)."""
