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
