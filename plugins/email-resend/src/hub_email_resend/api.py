"""Requests to Resend, and what its answers mean."""

from __future__ import annotations

import re
from typing import Any

from hub_email_inbound import answers, events

from hub.plugin import (
    Context,
    CredentialsInvalid,
    FailureReason,
    HookError,
    HttpResponse,
    OutcomeUnknown,
    Permanent,
    Temporary,
    sending,
)
from hub_email_resend.settings import Settings

API = "https://api.resend.com"
KEYS = frozenset({"missing_api_key", "invalid_api_key", "restricted_api_key"})
REASONS: dict[str, FailureReason] = {
    "invalid_attachment": "unsupported_content",
    "invalid_from_address": "configuration",
    "invalid_access": "configuration",
    "invalid_region": "configuration",
    "missing_required_field": "unsupported_content",
    "monthly_quota_exceeded": "configuration",
    "not_found": "configuration",
    "security_error": "policy",
}
A_DAY = 3600.0
"""Seconds until a daily quota is looked at again."""


async def request(
    ctx: Context,
    settings: Settings,
    method: str,
    path: str,
    *,
    wanted: Any = None,
    headers: dict[str, str] | None = None,
    params: dict[str, str] | None = None,
    max_bytes: int = 10_000_000,
) -> HttpResponse:
    """One request with the key."""
    return await ctx.http.request(
        method,
        API + path,
        headers={"Authorization": f"Bearer {settings.api_key.reveal()}", **(headers or {})},
        params=params,
        json=wanted,
        max_bytes=max_bytes,
    )


def refusal(ctx: Context, answer: HttpResponse) -> HookError:
    """What an answer that is no success means: by Resend's name of the error, else by HTTP."""
    said = answers.told(answer)
    given = said.get("name")
    name = given if isinstance(given, str) and re.fullmatch(r"[a-z_]{1,60}", given) else ""
    words = events.line(said.get("message"), 180)
    if name in KEYS or answer.status == 401:
        return CredentialsInvalid(f"Resend refuses the API key ({name or answer.status})")
    if answer.status == 409 and name == "concurrent_idempotent_requests":
        return Temporary("Resend is still at an earlier attempt", retry_after=5.0)
    if answer.status == 409:
        return OutcomeUnknown("Resend knows this message already, with other words")
    if name == "daily_quota_exceeded":
        wait = sending.retry_after(answer, ctx.clock.now()) or A_DAY
        return Temporary("Resend's quota of the day is used up", retry_after=wait)
    reason = REASONS.get(name)
    if name in {"validation_error", "invalid_parameter"} and answer.status < 500:
        reason = _by_field(answer.status, words)
    if reason is not None:
        return Permanent(reason, f"Resend refuses it ({name}): {words}", provider_code=name)
    return sending.refusal(ctx, answer)


def _by_field(status: int, words: str) -> FailureReason:
    """What is wrong with a request, by the field that its message names."""
    field = re.search(r"`(\w+)`", words)
    named = field[1] if field else ""
    if status == 403 or named in {"from", "reply_to"} or "domain is not verified" in words:
        return "configuration"
    if named == "to":
        return "bad_address"
    return "unsupported_content" if named in {"html", "text", "subject", "attachments"} else "other"
