"""Times, in whatever way a provider writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

from hub_sms_generic import paths
from hub_sms_generic.settings import Times

UNITS = ((11, 1), (14, 1_000), (17, 1_000_000))
"""Up to so many digits: parts of a second in seconds, milliseconds and microseconds since 1970."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read(rule: Times, message: Any) -> datetime | None:
    """When it happened; ``None`` where that is not said, or in no way that is understood."""
    found = paths.find(rule.time, message)
    if isinstance(found, float) and 0 <= found < 1e17:
        found = f"{found:.0f}" if found >= 1e11 else f"{found:.6f}"
    said = (paths.text(found) or "").strip()
    if not said or len(said) > 80:
        return None
    try:
        at = _by_format(rule, said)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(rule.time_zone))
    try:
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _by_format(rule: Times, said: str) -> datetime:
    if rule.time_format is not None:
        return datetime.strptime(said, rule.time_format)  # noqa: DTZ007 — the zone comes later
    whole, _, part = said.partition(".")
    if whole.isascii() and whole.isdigit() and (not part or part.isdigit()):
        for digits, parts in UNITS:
            if len(whole) <= digits:
                seconds = float(said) / parts
                return EPOCH + timedelta(seconds=seconds)
    try:
        return datetime.fromisoformat(said)
    except ValueError:
        return parsedate_to_datetime(said)
