"""Who calls: a phone, a SIP address, a client of an app, or nobody who wants to be known."""

from __future__ import annotations

import re

from hub_sms_twilio import numbers as phones

from hub.plugin import Address, BadAddress

SIP = "voice-twilio:sip"
CLIENT = "voice-twilio:client"
"""Schemes of callers that have no number. Nobody can call them back from here."""

WITHHELD = frozenset({"+266696687", "+7378742833", "+86282452253", "+2562533", "+8656696"})
"""What Twilio writes where a caller is not to be known: ANONYMOUS, RESTRICTED, UNAVAILABLE,
BLOCKED, UNKNOWN on the keys of a phone. Some are numbers that the plan would allow."""
PHONE = re.compile(r"\+?[0-9]{2,20}")
CALLABLE = re.compile(r"\+[1-9][0-9]{6,14}")
NAMED = re.compile(r"(sip|sips|client):([!-~]{1,200})", re.IGNORECASE)


def caller(text: str) -> tuple[Address, ...]:
    """Whose call it is; nobody where the number is withheld, or is none. A word such as
    ``Restricted`` is nobody, too: all of them would be one contact."""
    text = text.strip()
    if text in WITHHELD or f"+{text}" in WITHHELD:
        return ()
    if PHONE.fullmatch(text):
        return (phones.own(text),)
    named = NAMED.fullmatch(text)
    if named is None or named[2].lower().startswith(("anonymous", "unavailable", "unknown")):
        return ()
    if named[1].lower() == "client":
        return (Address(scheme=CLIENT, value=named[2], display=named[2]),)
    where = named[2].partition(";")[0].lower()
    return (Address(scheme=SIP, value=where, display=where),)


def own(text: str) -> str:
    """The organisation's side of a call: a number of its own, or where else it was called."""
    found = caller(text)
    return found[0].value if found else text.strip()[:200]


def can_be_called(address: Address) -> bool:
    """Whether it is a phone number in full."""
    return address.scheme == "phone" and CALLABLE.fullmatch(address.value) is not None


def typed(text: str, country: str | None) -> Address:
    """What a person typed. Raises ``BadAddress``."""
    address = phones.typed(text, country)
    if not can_be_called(address):
        raise BadAddress("a short code cannot be called")
    return address
