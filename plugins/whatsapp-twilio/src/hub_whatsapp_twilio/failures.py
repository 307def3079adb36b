"""Twilio's error codes of WhatsApp, beside those that all its messages have.

Source: Twilio docs, api/errors/N for each code, and the list of codes beside those of WhatsApp.
"""

from __future__ import annotations

from hub_sms_twilio import failures
from hub_sms_twilio.failures import Failure


def _busy(words: str) -> Failure:
    return Failure("other", words, "retry")


CODES = failures.CODES | {
    11751: Failure("too_large", "The file is too large for WhatsApp"),
    12300: Failure("unsupported_content", "WhatsApp does not carry this type of file"),
    21211: Failure("bad_address", "It is no valid number for WhatsApp"),
    63001: Failure("configuration", "WhatsApp does not know the sender's account", "stop"),
    63003: Failure("bad_address", "WhatsApp does not know this recipient"),
    63005: Failure("policy", "WhatsApp refused the content"),
    63007: Failure("configuration", "The number is no WhatsApp sender of this account"),
    63010: _busy("WhatsApp failed for a reason it does not give"),
    63012: _busy("WhatsApp's service failed"),
    63013: Failure("policy", "The message breaks a policy of WhatsApp's"),
    63015: Failure("configuration", "The sandbox writes to those alone who have joined it"),
    63016: Failure("window_closed", "Their last message is more than 24 hours ago"),
    63018: _busy("Too many messages at once for WhatsApp"),
    63019: Failure("unsupported_content", "WhatsApp could not fetch the file"),
    63020: Failure("configuration", "The business is not approved or cannot pay for WhatsApp"),
    63021: Failure("unsupported_content", "WhatsApp refused the message's content"),
    63022: Failure("configuration", "WhatsApp does not accept the sender's certificate"),
    63024: Failure("bad_address", "WhatsApp cannot reach this recipient"),
    63027: Failure("configuration", "The template is not there in this language"),
    63028: Failure("unsupported_content", "The template has another number of values"),
    63029: Failure("other", "The recipient's phone could not fetch the template"),
    63030: Failure("unsupported_content", "WhatsApp does not take a value of the message"),
    63032: Failure("policy", "WhatsApp sends this person no marketing: an experiment of Meta's"),
    63033: Failure("policy", "WhatsApp does not let this recipient be written to"),
    63049: Failure("policy", "WhatsApp sends this person no more marketing for now"),
}
