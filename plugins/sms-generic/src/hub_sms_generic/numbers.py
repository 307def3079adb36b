"""Phone numbers, short codes and sender names, as providers and people write them."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

from hub.plugin import Address, BadAddress
from hub_sms_generic.settings import Settings

SENDER_NAME = "sms-generic:sender"
"""Scheme of a sender that is no number: a name. Nobody can answer it."""
SHORT_CODE = re.compile(r"[0-9]{3,8}")
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
SIGNS = re.compile(r"[\s().\-/\u200e\u200f\u202a-\u202e\u2066-\u2069\u2010-\u2015]+")
WRITTEN = re.compile(r"(\+|00)?[0-9]{2,15}")
NAME = re.compile(r"[^\x00-\x1f\x7f]{1,40}")


class Numbering:
    """How the channel's provider writes numbers."""

    def __init__(self, settings: Settings) -> None:
        own = (country_of(number) for number in settings.numbers)
        self.country = settings.country or next((each for each in own if each), None)
        self.national = settings.digits == "national"

    def sender(self, text: str) -> Address | None:
        """Who a message is from, or to; ``None`` for nobody."""
        text = text.strip()
        digits = SIGNS.sub("", text)
        if not WRITTEN.fullmatch(digits):
            name = NAME.fullmatch(text)
            return Address(scheme=SENDER_NAME, value=text, display=text) if name else None
        return _phone(_with_plus(digits, self.country if self.national else None))

    def typed(self, text: str) -> Address:
        """What a person typed. Raises ``BadAddress``."""
        written = SIGNS.sub("", text)
        if not WRITTEN.fullmatch(written):
            raise BadAddress("a phone number has digits, and a + before the country's")
        parsed = _parsed(written, self.country)
        if parsed is not None and phonenumbers.is_possible_number(parsed):
            return _phone(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
        if SHORT_CODE.fullmatch(written):
            return _phone(written)
        if self.country is None and not written.startswith("+"):
            raise BadAddress("write the number with its country: +1 555 010 0000")
        raise BadAddress("no phone number has so many digits, or begins so")


def can_receive(address: Address) -> bool:
    """Whether it is a number, in full or a short code, that a text can be sent to."""
    value = address.value
    return address.scheme == "phone" and bool(E164.fullmatch(value) or SHORT_CODE.fullmatch(value))


def own(number: str) -> Address:
    """One of the organisation's own numbers, or its sender's name."""
    if number[0].isalpha():
        return Address(scheme=SENDER_NAME, value=number, display=number)
    return _phone(number)


def country_of(number: str) -> str | None:
    """The country of a number in E.164; ``None`` for short codes and names."""
    parsed = _parsed(number, None) if number.startswith("+") else None
    if parsed is None or parsed.country_code is None:
        return None
    exact = phonenumbers.region_code_for_number(parsed)
    main = phonenumbers.region_code_for_country_code(parsed.country_code)
    return exact or (main if main.isalpha() and main != phonenumbers.UNKNOWN_REGION else None)


def _with_plus(digits: str, country: str | None) -> str:
    """In E.164; short codes as they are. Digits without a plus are national where a ``country`` is
    given, else international."""
    if digits.startswith("+"):
        return digits
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    if country is None:
        return f"+{digits}" if len(digits) > 8 and digits[0] != "0" else digits
    parsed = _parsed(digits, country)
    if parsed is None or not phonenumbers.is_possible_number(parsed):
        return digits
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=8_192)  # the same customers write again and again
def _phone(text: str) -> Address:
    """As E.164 where the plan of numbers knows it, else as it is: what cannot be parsed today may
    be a new range, and short codes have no international form."""
    parsed = _parsed(text, None) if text.startswith("+") else None
    if parsed is None:
        return Address(scheme="phone", value=text, verified=True)
    formats = phonenumbers.PhoneNumberFormat
    return Address(
        scheme="phone",
        value=phonenumbers.format_number(parsed, formats.E164),
        display=phonenumbers.format_number(parsed, formats.INTERNATIONAL),
        verified=True,
    )


def _parsed(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
