"""What ``hub.toml`` may say about a simulator."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

E164 = r"^\+[1-9][0-9]{6,14}\Z"
PhoneNumber = Annotated[str, Meta(pattern=E164)]
"""E.164: a plus sign, the country, the number; nothing else."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything has a default: a simulator works without any settings.

    The default numbers are reserved for fiction (NANPA 555-01xx; Ofcom 07700 900xxx).
    """

    numbers: Annotated[tuple[PhoneNumber, ...], Meta(min_length=1, max_length=20)] = (
        "+12025550100",
    )
    """The business's own numbers, E.164."""
    customers: Annotated[tuple[PhoneNumber, ...], Meta(min_length=1, max_length=20)] = (
        "+12025550142",
        "+12025550187",
        "+447700900123",
    )
    """Phones that the page offers before anybody has typed a number, E.164."""
    region: Annotated[str, Meta(pattern="^[A-Z]{2}$")] = "US"
    """Where a number without a country belongs (ISO 3166)."""
    receipt_pause: Annotated[float, Meta(ge=0, le=60)] = 0.4
    """Seconds from one receipt to the next, so that a person can watch them come."""


class MessengerSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A simulator of WhatsApp."""

    window: Annotated[float, Meta(ge=10, le=86_400)] = 86_400.0
    """Seconds after the customer's last message in which anything may be written; WhatsApp's are
    24 hours, and fewer let one watch the window close."""


class CallSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A simulator of calls."""

    ring: Annotated[float, Meta(ge=1, le=120)] = 30.0
    """Seconds for which a call rings before it counts as missed."""


EMAIL = r"^[a-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)+\Z"
EmailAddress = Annotated[str, Meta(pattern=EMAIL, max_length=254)]
"""In lower case, without a name."""


class EmailSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A simulator of email. The default addresses are reserved for examples."""

    addresses: Annotated[tuple[EmailAddress, ...], Meta(min_length=1, max_length=20)] = (
        "hello@business.example",
    )
    """The business's own addresses, in lower case."""
    customers: Annotated[tuple[EmailAddress, ...], Meta(min_length=1, max_length=20)] = (
        "maya@example.com",
        "sam@example.net",
        "li@example.org",
    )
    """Mailboxes that the page offers before anybody has typed an address."""
    receipt_pause: Annotated[float, Meta(ge=0, le=60)] = 0.4
    """Seconds from one receipt to the next, so that a person can watch them come."""
