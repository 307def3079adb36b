"""What providers tell of mail that went out, as the hub's events."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hub_email import addresses, bounces, ids

from hub.plugin import Address, FailureReason, OptIn, OptOut, Receipt, ReceiptStatus

STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
MARK = "hub_message"
"""The name under which providers keep our Message-ID with a mail, and tell it again."""


def when(value: object) -> datetime | None:
    """A time as a provider says it: ISO 8601, or seconds since 1970."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            at = datetime.fromtimestamp(value, UTC)
        elif isinstance(value, str):
            # Seven digits of a second, as .NET writes them, are one more than Python reads.
            at = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value[:60]))
        else:
            return None
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return at if 1970 <= at.year <= 9000 else None


def line(text: object, most: int = 250) -> str:
    """What a provider says, on one line."""
    if not isinstance(text, str):
        return ""
    return " ".join(re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]+", " ", text).split())[:most]


def receipt(
    status: ReceiptStatus, external_id: str, at: datetime | None, detail: str | None = None
) -> Receipt:
    """What became of a mail."""
    return Receipt(
        status=status,
        external_id=external_id,
        transmission_id=ids.transmission(external_id),
        occurred_at=at,
        detail=detail,
    )


def failed(
    external_id: str,
    at: datetime | None,
    said: object,
    *,
    reason: FailureReason | None = None,
    status: object = None,
) -> Receipt:
    """A mail that came back, or never left. ``reason``: where the provider is sure of it; else the
    enhanced status code (RFC 3463) in ``status`` or in what it ``said`` tells."""
    words = line(said)
    found = STATUS.search(status if isinstance(status, str) else "") or STATUS.search(words)
    return Receipt(
        status="failed",
        external_id=external_id,
        transmission_id=ids.transmission(external_id),
        occurred_at=at,
        reason=reason or bounces.reason_of(found[0] if found else None),
        detail=f"It came back: {words}"[:250] if words else "It came back",
        provider_code=found[0] if found else None,
    )


def address(text: object) -> Address | None:
    """An address that a provider names."""
    return addresses.of(text) if isinstance(text, str) else None


def opted_out(text: object, how: str, at: datetime | None) -> tuple[OptOut, ...]:
    """Somebody who wants no more mail."""
    found = address(text)
    return () if found is None else (OptOut(address=found, how=how, occurred_at=at),)


def opted_in(text: object, how: str, at: datetime | None) -> tuple[OptIn, ...]:
    """Somebody who takes mail again."""
    found = address(text)
    return () if found is None else (OptIn(address=found, how=how, occurred_at=at),)
