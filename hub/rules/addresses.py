"""Addresses as people read them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from contextlib import suppress

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


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


def phone(typed: str) -> str:
    """What a person typed, as a phone number in E.164. Raises ``ValueError`` with what is wrong."""
    import phonenumbers  # noqa: PLC0415 — as above

    try:
        number = phonenumbers.parse(typed)
    except phonenumbers.NumberParseException as error:
        if error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE:
            raise ValueError("Begin with + and the country code, as in +1 202 555 0123.") from None
        raise ValueError("This is no phone number.") from None
    if number.extension or not phonenumbers.is_possible_number(number):
        raise ValueError("This is no phone number that can be rung.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def canonical(scheme: str, value: str) -> str:
    """The one form in which an address is stored and looked for, in whatever form it came: somebody
    who is written with other spaces or capitals is the same contact."""
    if scheme == "email":
        return value.strip().lower()
    if scheme != "phone" or _E164.fullmatch(value):
        return value
    try:
        return phone(value)
    except ValueError:
        return value


def valid_phone(typed: str, ours: Iterable[str] = ()) -> str | None:
    """What a person typed in E.164, if it is a whole number that exists in its country's plan.
    Without a country code it is one of the country that all numbers of ``ours`` are of."""
    import phonenumbers  # noqa: PLC0415 — as above

    regions = set[str]()
    for one in ours:
        with suppress(phonenumbers.NumberParseException):
            code = phonenumbers.parse(one).country_code or 0
            regions.add(phonenumbers.region_code_for_country_code(code))
    plain = len(regions) == 1 and not any(letter.isalpha() for letter in typed)
    region = regions.pop() if plain else None
    try:
        number = phonenumbers.parse(typed, region)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
