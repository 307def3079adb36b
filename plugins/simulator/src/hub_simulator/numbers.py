"""Phone numbers as people type them."""

from __future__ import annotations

import phonenumbers

from hub.plugin import Address, BadAddress


def normalise(text: str, region: str) -> Address:
    """``text`` as E.164, with the international form for people to read.

    Any *possible* number is taken, not only those in use: newcomers type 555 numbers. Raises
    ``BadAddress``.
    """
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise BadAddress(f"{text[:40]!r} is no phone number") from error
    if number.extension:
        raise BadAddress("a text message reaches no extension")
    if not phonenumbers.is_possible_number(number):
        raise BadAddress(f"{text[:40]!r} is too short or too long for a phone number")
    return Address(
        scheme="phone",
        value=phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        display=phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL),
    )


def display(value: str) -> str:
    """An E.164 number as people read it."""
    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        return value
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
