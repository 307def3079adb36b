"""Twilio's error codes, as the hub understands them.

Source: Twilio docs, api/errors/N for each code, and the error lists of the messaging guides.
Codes of scheduling do not occur. The same code may come at once, as the answer to a request, or
later, in a status callback. ``CODES`` are those of texts; a channel of another kind has a table of
its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, cast

from msgspec import Struct

from hub.plugin import (
    CredentialsInvalid,
    FailureReason,
    HookError,
    HttpResponse,
    OutcomeUnknown,
    Permanent,
    Temporary,
)
from hub.plugin.sending import retry_after


class Failure(Struct, frozen=True):
    """What a code means: the reason, words for staff, and what is to be done."""

    reason: FailureReason
    words: str
    then: Literal["fail", "retry", "stop"] = "fail"
    """``retry``: later it may work; ``stop``: nothing will until a person acts."""


CODES = {
    11751: Failure("too_large", "The file is too large for MMS"),
    12300: Failure("unsupported_content", "MMS does not carry this type of file"),
    20003: Failure("configuration", "Twilio refuses the credentials", "stop"),
    20429: Failure("other", "Twilio takes no more requests at once", "retry"),
    21211: Failure("bad_address", "It is no valid phone number"),
    21408: Failure("configuration", "The account may not send to this region"),
    21603: Failure("configuration", "A sender's number is missing"),
    21606: Failure("configuration", "The sender's number cannot send there"),
    21608: Failure("configuration", "A trial account sends to verified numbers only"),
    21610: Failure("opted_out", "The recipient has opted out (STOP)"),
    21612: Failure("bad_address", "There is no route from the sender to this number"),
    21614: Failure("bad_address", "It is no mobile number"),
    21617: Failure("too_large", "The text is longer than 1,600 characters"),
    21619: Failure("unsupported_content", "There is neither text nor a file"),
    21620: Failure("unsupported_content", "Twilio could not fetch the file"),
    21635: Failure("bad_address", "It is a landline"),
    21910: Failure("bad_address", "Sender and recipient are of different kinds"),
    30001: Failure("other", "Twilio's queue is full", "retry"),
    30002: Failure("configuration", "The account is suspended", "stop"),
    30003: Failure("other", "The phone could not be reached"),
    30004: Failure("policy", "The message was blocked"),
    30005: Failure("bad_address", "The number is unknown or no longer in use"),
    30006: Failure("bad_address", "It is a landline, or its carrier takes no texts"),
    30007: Failure("policy", "The carrier filtered the message out"),
    30008: Failure("other", "The carrier gave no reason"),
    30032: Failure("configuration", "The toll-free number is not verified"),
    30034: Failure("configuration", "The number is not registered (US A2P 10DLC)"),
}


def meaning(code: int | None, codes: Mapping[int, Failure] = CODES) -> Failure:
    """What a code means; what is not in the table, in general words."""
    known = codes.get(code) if code is not None else None
    if known is not None:
        return known
    named = f"error {code}" if code is not None else "no reason given"
    return Failure("other", f"Twilio did not deliver it ({named})")


def of_code(code: int | None, codes: Mapping[int, Failure] = CODES) -> HookError:
    """The failure of a message that Twilio took and gave up at once."""
    return _raised(meaning(code, codes), code, None)


def of_response(
    response: HttpResponse, now: datetime, codes: Mapping[int, Failure] = CODES
) -> HookError:
    """What an answer that is no success means.

    Twilio's own errors (JSON with a ``code``) say that nothing was sent. A gateway's page in
    front of Twilio says nothing of the kind, so the outcome is open.
    """
    code = _code(response)
    wait = retry_after(response, now)
    known = codes.get(code) if code is not None else None
    if known is not None:
        return _raised(known, code, wait)
    status = response.status
    if status == 401:
        return CredentialsInvalid("Twilio refuses the credentials")
    if status in {429, 503}:
        return Temporary(f"Twilio is busy (HTTP {status})", retry_after=wait)
    if status >= 500 and code is not None:
        return Temporary(f"Twilio failed (error {code})", retry_after=wait)
    if 400 <= status < 500 and status != 408:
        reason: FailureReason = "configuration" if status in {403, 404} else "other"
        named = f"error {code}" if code is not None else f"HTTP {status}"
        return Permanent(reason, f"Twilio refused it ({named})", provider_code=_text(code))
    return OutcomeUnknown(f"Twilio's answer tells nothing (HTTP {status})")


def _raised(failure: Failure, code: int | None, wait: float | None) -> HookError:
    match failure.then:
        case "stop":
            return CredentialsInvalid(failure.words)
        case "retry":
            return Temporary(failure.words, retry_after=wait)
        case "fail":
            return Permanent(failure.reason, failure.words, provider_code=_text(code))


def _code(response: HttpResponse) -> int | None:
    try:
        answer: Any = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    code = cast("dict[str, Any]", answer).get("code") if isinstance(answer, dict) else None
    return code if isinstance(code, int) else None


def _text(code: int | None) -> str | None:
    return None if code is None else str(code)
