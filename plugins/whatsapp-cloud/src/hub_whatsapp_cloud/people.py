"""Who writes on WhatsApp: a phone number, a user id, or both.

This module, ``messages``, ``parts``, ``showing`` and ``window`` are what WhatsApp is, whoever
carries it; the channel of another provider may import them.
"""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
from msgspec.structs import replace

from hub.plugin import Address, BadAddress

USER = "whatsapp:user"
"""Scheme of a business-scoped user id: who has chosen a user name may write without a number. It is
good for the numbers of one business, and another one when the person changes the number."""

USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
NUMBER = re.compile(r"\+?[1-9][0-9]{6,14}")
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
MARKS = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Invisible direction marks that come along when a number is copied from a contact."""
WRITTEN = re.compile(r"\+?[\d ().\-/\u00a0\u2010-\u2015]+")

_ONE_LINE = (
    # Brazil: mobiles have had a ninth digit since 2016; WhatsApp names older ones without it.
    (re.compile(r"\+55([1-9][1-9])([6-9][0-9]{7})"), r"+55\g<1>9\g<2>"),
    # Argentina: a 9 stands before the area code of mobiles, and is left out here and there.
    (re.compile(r"\+54([1-3][0-9]{9})"), r"+549\g<1>"),
    # Mexico: the 1 after the country was given up in 2019; WhatsApp still has it.
    (re.compile(r"\+521([0-9]{10})"), r"+52\g<1>"),
)


def phone(text: str) -> Address | None:
    """A number as WhatsApp writes it, with or without ``+``; ``None`` when it is none."""
    return _phone(f"+{text.removeprefix('+')}") if NUMBER.fullmatch(text) else None


def own(number: str) -> Address:
    """One of the organisation's own numbers, in E.164."""
    return replace(_phone(number), value=number)


def user(text: str) -> Address | None:
    """A business-scoped user id; ``None`` when it is none."""
    if not USER_ID.fullmatch(text):
        return None
    return Address(scheme=USER, value=text, verified=True)


def known_by(number: str | None, user_id: str | None) -> tuple[Address, ...]:
    """Everything that names one person, the number first: other channels know it, too. Where a
    number is expected there may be a user id."""
    number, user_id = number or "", user_id or ""
    found = (phone(number), user(user_id) or user(number))
    return tuple(address for address in found if address is not None)


def can_receive(address: Address) -> bool:
    """Whether a message can be sent to it."""
    if address.scheme == USER:
        return USER_ID.fullmatch(address.value) is not None
    return address.scheme == "phone" and E164.fullmatch(address.value) is not None


def typed(text: str, country: str | None) -> Address:
    """What a person typed: a number as it is written in ``country``, or a user id. Raises
    ``BadAddress``."""
    written = MARKS.sub("", text).strip()
    as_user = user(written)
    if as_user is not None:
        return as_user
    if not WRITTEN.fullmatch(written):
        raise BadAddress("a phone number has digits, and a + before the country's")
    parsed = _parse(written, country)
    if parsed is not None:
        formats = phonenumbers.PhoneNumberFormat
        found = _phone(phonenumbers.format_number(parsed, formats.E164))
        known = _parse(found.value, None)
        if known is not None and phonenumbers.is_possible_number(known):
            return found
    if country is None and not written.startswith("+"):
        raise BadAddress("write the number with its country: +1 555 010 0000")
    raise BadAddress("no phone number has so many digits, or begins so")


def country_of(number: str) -> str | None:
    """The country of a number in E.164, the main one where several share a code."""
    parsed = _parse(number, None)
    if parsed is None or parsed.country_code is None:
        return None
    exact = phonenumbers.region_code_for_number(parsed)
    main = phonenumbers.region_code_for_country_code(parsed.country_code)
    return exact or (main if main.isalpha() and main != phonenumbers.UNKNOWN_REGION else None)


@lru_cache(maxsize=8_192)  # the same customers write again and again
def _phone(number: str) -> Address:
    for pattern, replacement in _ONE_LINE:
        if pattern.fullmatch(number):
            number = pattern.sub(replacement, number)
            break
    parsed = _parse(number, None)
    if parsed is None:
        return Address(scheme="phone", value=number, verified=True)
    formats = phonenumbers.PhoneNumberFormat
    display = phonenumbers.format_number(parsed, formats.INTERNATIONAL)
    return Address(scheme="phone", value=number, display=display, verified=True)


def _parse(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
