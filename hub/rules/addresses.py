"""Addresses as people read them."""

from __future__ import annotations

import functools


@functools.lru_cache(maxsize=20_000)
def shown(scheme: str, value: str, display: str | None = None) -> str:
    """How an address reads: its plugin's own form, a phone number in its international form."""
    if display:
        return display
    if scheme != "phone" or not value.startswith("+"):
        return value
    import phonenumbers  # noqa: PLC0415 — a tenth of a second, when the first number is shown

    try:
        number = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        return value
    if not phonenumbers.is_possible_number(number):
        return value
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
