"""What an operator says about a mailbox."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from hub.plugin import Secret

Mailbox = Annotated[str, msgspec.Meta(pattern=r"^[^\s@<>,;:\"\\]+@[^\s@<>,;:\"\\]+$")]
"""An address as it is typed: ``help@example.com``."""
Host = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9.-]+$", max_length=253)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Tls = Literal["tls", "starttls", "none"]
Https = Annotated[str, msgspec.Meta(pattern=r"^https://[^\s<>]+$")]


class Oauth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Login by OAuth 2.0 (SASL XOAUTH2), which Google and Microsoft ask for."""

    token_url: Https
    client_id: str
    refresh_token: Secret
    client_secret: Secret | None = None
    scope: str | None = None


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of one mailbox: where mail is read, where it is sent, and as whom."""

    address: Mailbox
    """The mailbox's own address: what goes out is from it."""
    aliases: tuple[Mailbox, ...] = ()
    """Further addresses that end in this mailbox, and may be sent from."""
    name: str | None = None
    """Who the recipient reads that it is from."""
    username: str | None = None
    """Of both servers; the address, where nothing is said."""
    password: Secret | None = None
    oauth: Oauth | None = None

    imap_host: Host | None = None
    """Where mail is read; without it, and without POP3, the channel only sends."""
    imap_port: Port = 993
    imap_tls: Tls = "tls"
    folder: str = "INBOX"
    """Where mail arrives."""
    sent_folder: str | None = None
    """Where the server keeps what was sent; found by its special use where nothing is said."""
    since_beginning: bool = False
    """Whether what lay in the folder before the channel began is taken in, too."""
    max_bytes: Annotated[int, msgspec.Meta(ge=100_000, le=100_000_000)] = 30_000_000
    """Of a larger mail only the beginning is taken in."""

    pop3_host: Host | None = None
    """Where mail is read by POP3, which offers less: only where there is no IMAP."""
    pop3_port: Port = 995
    pop3_tls: Tls = "tls"
    pop3_delete: bool = False
    """Whether mail that the hub has kept is deleted there at the next look."""

    smtp_host: Host
    smtp_port: Port = 465
    smtp_tls: Tls = "tls"
    max_sent_bytes: Annotated[int, msgspec.Meta(ge=100_000, le=100_000_000)] = 25_000_000
    """Of a mail with its files, as the server takes it."""

    plus_replies: bool = False
    """Answers are asked for at ``help+c_…@``, so that they find their message whatever the other
    side does to the headers. The mailbox has to take such addresses."""
    trusted_authserv: tuple[str, ...] = ()
    """Names (authserv-id, RFC 8601) of one's own receiving servers, whose word on SPF, DKIM and
    DMARC is shown when it is a bad one."""
    forms: tuple[Mailbox, ...] = ()
    """Senders that write for somebody else, such as a web form: ``Reply-To`` is the customer."""
    automatic: bool = False
    """Everything that goes out is written by machines (``Auto-Submitted``, RFC 3834)."""
    unsubscribe: Literal["none", "automatic", "all"] = "automatic"
    """What goes out with a way to end all mail (RFC 8058): what machines write, or everything."""
    unsubscribe_label: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] = "Unsubscribe"
    """What the link below the words says."""
    track_opens: bool = False
    """Whether a picture in what goes out tells when it is shown."""
    track_clicks: bool = False
    """Whether links in what goes out lead through the hub and tell when they are followed."""

    @property
    def login(self) -> str:
        """The user name."""
        return self.username or self.address
