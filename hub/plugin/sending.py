"""What a send over HTTP has to look at before the request and after it, for plugins that need no
more than that: the refusals that every channel owes, and what a status means by HTTP alone."""

from __future__ import annotations

import json
import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from hub.plugin.context import Context, HttpResponse
from hub.plugin.errors import (
    CredentialsInvalid,
    FailureReason,
    HookError,
    OutcomeUnknown,
    Permanent,
    Temporary,
    Unsupported,
)
from hub.plugin.types import Accepted, Outbound

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_REASONS: dict[int, FailureReason] = {403: "configuration", 413: "too_large"}


def text_of(ctx: Context, message: Outbound) -> str:
    """The words that a channel of plain texts is to send. Raises before anything has touched the
    network: ``Unsupported`` for another kind of transmission than a message, ``Temporary`` when
    the deadline has passed, ``Permanent`` for files, for nothing at all, for several parts, and
    for an address with line ends or other control characters."""
    if message.kind != "message":
        raise Unsupported(f"this channel knows no {message.kind}")
    if ctx.clock.now() >= message.deadline:
        raise Temporary("the deadline has passed")
    if not message.address.value or _CONTROL.search(message.address.value):
        raise Permanent("bad_address", "this is no address")
    if len(message.wire) != 1 or message.wire[0].attachment_ids:
        raise Permanent("unsupported_content", "a message is one text without files")
    text = message.wire[0].text
    if not text.strip():
        raise Permanent("unsupported_content", "there is no text")
    return text


def accepted(ctx: Context, response: HttpResponse, key: str) -> Accepted:
    """The message as the provider took it, named by ``key`` of the JSON object it answered. Raises
    ``refusal`` for a status that is no success, ``OutcomeUnknown`` for a success without an id."""
    if not 200 <= response.status < 300:
        raise refusal(ctx, response)
    try:
        answer: Any = json.loads(response.body)
    except (ValueError, RecursionError):
        answer = None
    given = cast("dict[str, Any]", answer).get(key) if isinstance(answer, dict) else None
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    if not isinstance(given, str) or not given:
        raise OutcomeUnknown("the provider answered a success without an id")
    return Accepted(external_id=given)


def refusal(ctx: Context, response: HttpResponse) -> HookError:
    """What an answer that is no success means by its status alone: ``CredentialsInvalid`` (401),
    ``Temporary`` (429 and 503, with ``retry_after``), ``Permanent`` (the rest of 4xx), and
    ``OutcomeUnknown`` where something on the way may have let the message through. A provider that
    has codes of its own says more; look at those first."""
    status = response.status
    if status == 401:
        return CredentialsInvalid("the provider refuses the credentials (HTTP 401)")
    if status in {429, 503}:
        wait = retry_after(response, ctx.clock.now())
        return Temporary(f"the provider is busy (HTTP {status})", retry_after=wait)
    if 400 <= status < 500 and status != 408:
        return Permanent(_REASONS.get(status, "other"), f"the provider refused it (HTTP {status})")
    return OutcomeUnknown(f"the provider's answer tells nothing (HTTP {status})")


def retry_after(response: HttpResponse, now: datetime) -> float | None:
    """Seconds to wait from ``now``, as the header ``Retry-After`` says, in seconds or as a date
    (RFC 9110); ``None``: it does not say."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 8:
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError):
        return None
