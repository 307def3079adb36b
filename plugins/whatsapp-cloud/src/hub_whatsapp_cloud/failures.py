"""Meta's error codes, as the hub understands them.

Source: Meta's list of error codes of the Cloud API (2026). The same code may come at once, as the
answer to a request, or later, as the status of a message.
"""

from __future__ import annotations

import json
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


def _template(words: str, reason: FailureReason = "unsupported_content") -> Failure:
    return Failure(reason, f"The template {words}")


def _busy(words: str) -> Failure:
    return Failure("other", words, "retry")


def _stop(words: str) -> Failure:
    return Failure("configuration", words, "stop")


TOKEN = _stop("Meta refuses the access token")
PERMISSION = _stop("The access token lacks a permission for this number or account")

CODES = {
    0: TOKEN,
    1: _busy("Meta failed for a reason it does not know"),
    2: _busy("Meta's service is down for now"),
    3: PERMISSION,
    4: _busy("The app has made too many requests"),
    10: PERMISSION,
    190: TOKEN,
    368: Failure(
        "policy", "WhatsApp has blocked the account for a while: its policies were broken"
    ),
    80007: _busy("The account has made too many requests"),
    130429: _busy("The number has sent too many messages at once"),
    130472: Failure("policy", "WhatsApp sends this person no marketing: an experiment of Meta's"),
    130497: Failure("policy", "The account may not write to this country"),
    131000: _busy("Meta failed for a reason it does not know"),
    131005: PERMISSION,
    131008: Failure("other", "Meta misses something in the request"),
    131009: Failure("other", "Meta finds a value of the request wrong"),
    131016: _busy("Meta's service is down for now"),
    131021: Failure("bad_address", "Sender and recipient are the same"),
    131026: Failure("bad_address", "WhatsApp cannot reach this person"),
    131030: Failure("configuration", "A test number writes to its listed recipients only"),
    131031: _stop("The WhatsApp account is locked"),
    131037: Failure("configuration", "The number's display name is not approved yet"),
    131042: Failure("configuration", "The account's payment is in trouble"),
    131044: Failure("configuration", "The account has no way to pay"),
    131045: _stop("The number is not registered: its certificate is wrong"),
    131047: Failure("window_closed", "Their last message is more than 24 hours ago"),
    131048: Failure("policy", "Too many people blocked or reported this number"),
    131049: Failure("policy", "WhatsApp sends this person no more marketing for now"),
    131050: Failure("opted_out", "The recipient has stopped marketing messages"),
    131051: Failure("unsupported_content", "WhatsApp does not carry this type of message"),
    131052: Failure("unsupported_content", "Meta could not fetch the file that they sent"),
    131053: Failure("unsupported_content", "Meta could not take the file"),
    131056: _busy("Too many messages to this person at once"),
    131057: _busy("The account is under maintenance"),
    131062: Failure("bad_address", "This template cannot go to a user without a number"),
    132000: _template("has another number of values"),
    132001: _template("is not there in this language", "configuration"),
    132005: _template("is too long with these values", "too_large"),
    132007: _template("breaks a policy of WhatsApp's", "policy"),
    132012: _template("has a value of another kind"),
    132015: _template("is paused: too many people have blocked it", "policy"),
    132016: _template("was disabled: it was paused too often", "policy"),
    132018: _template("has a value that WhatsApp does not take"),
    132068: _template("has a flow that is blocked", "configuration"),
    132069: _template("has a flow that is throttled", "configuration"),
    133004: _busy("Meta's service is down for now"),
    133010: _stop("The number is not registered with the Cloud API"),
    134011: Failure("configuration", "The terms of WhatsApp Payments are not accepted"),
    135000: _busy("Meta failed for a reason it does not know"),
}

PERMISSIONS = range(200, 300)
"""Codes of permissions that the token lacks."""


def meaning(code: int | None) -> Failure:
    """What a code means; what is not in the table, in general words."""
    if code is not None:
        known = CODES.get(code)
        if known is not None:
            return known
        if code in PERMISSIONS:
            return PERMISSION
    named = f"error {code}" if code is not None else "no reason given"
    return Failure("other", f"WhatsApp did not deliver it ({named})")


def of_response(response: HttpResponse, now: datetime) -> HookError:
    """What an answer that is no success means. Meta's own errors (JSON with ``error``) say that
    nothing was done; a gateway's page in front of Meta says nothing of the kind."""
    error = _error(response)
    code = _number(error.get("code"))
    wait = retry_after(response, now)
    status = response.status
    if code in CODES or (code is not None and code in PERMISSIONS):
        return _raised(meaning(code), code, wait)
    if status == 401:
        return CredentialsInvalid(TOKEN.words)
    if status in {429, 503}:
        return Temporary(f"Meta is busy (HTTP {status})", retry_after=wait)
    if error and (status >= 500 or error.get("is_transient") is True):
        return Temporary(f"Meta failed (HTTP {status})", retry_after=wait)
    if 400 <= status < 500 and status != 408:
        reason: FailureReason = "configuration" if status in {403, 404} else "other"
        named = f"error {code}" if code is not None else f"HTTP {status}"
        return Permanent(reason, f"Meta refused it ({named})", provider_code=_text(code))
    return OutcomeUnknown(f"Meta's answer tells nothing (HTTP {status})")


def _raised(failure: Failure, code: int | None, wait: float | None) -> HookError:
    match failure.then:
        case "stop":
            return CredentialsInvalid(failure.words)
        case "retry":
            return Temporary(failure.words, retry_after=wait)
        case "fail":
            return Permanent(failure.reason, failure.words, provider_code=_text(code))


def _error(response: HttpResponse) -> dict[str, Any]:
    try:
        answer: Any = json.loads(response.body)
    except (ValueError, RecursionError):
        return {}
    error = cast("dict[str, Any]", answer).get("error") if isinstance(answer, dict) else None
    return cast("dict[str, Any]", error) if isinstance(error, dict) else {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(code: int | None) -> str | None:
    return None if code is None else str(code)
