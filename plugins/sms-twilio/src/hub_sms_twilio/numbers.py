"""Phone numbers, short codes and sender names."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

from hub.plugin import Address, BadAddress

SENDER_NAME = "sms-twilio:sender"
"""Scheme of a sender that is no number: a name of up to eleven letters (alphanumeric sender id).
Nobody can answer it."""

SHORT_CODE = re.compile(r"[0-9]{3,8}")
DIGITS = re.compile(r"\+?[0-9]{2,15}")
MARKS = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Invisible direction marks that come along when a number is copied from a contact."""
WRITTEN = re.compile(r"\+?[\d ().\-/\u00a0\u2010-\u2015]+")


def own(number: str) -> Address:
    """One of the organisation's own numbers."""
    return _phone(number)


def sender(text: str) -> Address | None:
    """Who a message is from, as Twilio names them; ``None`` when it is no sender of texts, such
    as ``whatsapp:+1555…`` (the part before a colon names another of Twilio's channels)."""
    text = text.strip()
    if not text or ":" in text:
        return None
    if DIGITS.fullmatch(text):
        return _phone(text)
    return Address(scheme=SENDER_NAME, value=text, display=text)


def can_receive(address: Address) -> bool:
    """Whether it is a number, in full or a short code, that a text can be sent to."""
    return address.scheme == "phone" and bool(
        re.fullmatch(r"\+[1-9][0-9]{6,14}", address.value) or SHORT_CODE.fullmatch(address.value)
    )


def typed(text: str, country: str | None) -> Address:
    """What a person typed. Raises ``BadAddress``."""
    written = MARKS.sub("", text).strip()
    if not WRITTEN.fullmatch(written):
        raise BadAddress("a phone number has digits, and a + before the country's")
    parsed = _parse(written, country)
    if parsed is not None and phonenumbers.is_possible_number(parsed):
        return _phone(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    if SHORT_CODE.fullmatch(written):
        return _phone(written)
    if country is None and not written.startswith("+"):
        raise BadAddress("write the number with its country: +1 555 010 0000")
    raise BadAddress("no phone number has so many digits, or begins so")


def country_of(number: str) -> str | None:
    """The country of a number in E.164, the main one where several share a code and its range is
    not in the plan; ``None`` for short codes."""
    parsed = _parse(number, None)
    if parsed is None or parsed.country_code is None:
        return None
    exact = phonenumbers.region_code_for_number(parsed)
    main = phonenumbers.region_code_for_country_code(parsed.country_code)
    return exact or (main if main.isalpha() and main != phonenumbers.UNKNOWN_REGION else None)


@lru_cache(maxsize=8_192)  # the same customers write again and again
def _phone(text: str) -> Address:
    """As E.164 where the plan of numbers knows it, else as it is: what cannot be parsed today may
    be a new range, and short codes have no international form."""
    parsed = _parse(text, None) if text.startswith("+") else None
    if parsed is None:
        return Address(scheme="phone", value=text, verified=True)
    formats = phonenumbers.PhoneNumberFormat
    return Address(
        scheme="phone",
        value=phonenumbers.format_number(parsed, formats.E164),
        display=phonenumbers.format_number(parsed, formats.INTERNATIONAL),
        verified=True,
    )


def _parse(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
