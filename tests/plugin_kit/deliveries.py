"""Deliveries and a clock for the kit's tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from hub.plugin import Delivery

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class FixedClock:
    def __init__(self, now: datetime = NOW) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def pass_by(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


def delivery(
    body: bytes = b"",
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    url: str = "https://hub.example/hooks/main/sms",
    method: str = "POST",
) -> Delivery:
    pairs = tuple(headers.items()) if isinstance(headers, dict) else tuple(headers or ())
    return Delivery(body=body, headers=pairs, url=url, method=method, received_at=NOW)


def form(
    fields: list[tuple[str, str]], headers: dict[str, str] | None = None, **rest: str
) -> Delivery:
    kind = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    return delivery(urlencode(fields).encode(), kind | (headers or {}), **rest)
