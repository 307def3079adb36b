"""When something may go out by itself."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from hub.rules.days import moment, next_moment
from hub.rules.settings import QuietHours


def may_go_at(quiet: QuietHours, at: int, zone: ZoneInfo) -> int:
    """The first moment from ``at`` on (both in milliseconds) outside of the quiet hours, by the
    clocks of ``zone``."""
    if not quiet.on:
        return at
    start, end = time.fromisoformat(quiet.start), time.fromisoformat(quiet.end)
    today = datetime.fromtimestamp(at / 1000, zone).date()
    for day in (today - timedelta(days=1), today):
        begins = moment(day, start, zone)
        ends = next_moment(begins, end, zone)
        if begins <= at < ends:
            return ends
    return at


def zone_of(scheme: str, value: str, at: int, otherwise: ZoneInfo) -> ZoneInfo:
    """By which clocks somebody lives: those of the time zones that a phone number may belong to,
    if they agree at that moment; ``otherwise`` where they do not, or nobody can tell."""
    zones = _zones_of_number(value) if scheme == "phone" else ()
    moment_ = datetime.fromtimestamp(at / 1000, UTC)
    agreed = {moment_.astimezone(zone).utcoffset() for zone in zones}
    return next(iter(zones), otherwise) if len(agreed) == 1 else otherwise


@lru_cache(maxsize=20_000)
def _zones_of_number(value: str) -> tuple[ZoneInfo, ...]:
    import phonenumbers  # noqa: PLC0415 — a tenth of a second, and the zones as much again
    from phonenumbers import timezone  # noqa: PLC0415

    try:
        names = timezone.time_zones_for_number(phonenumbers.parse(value))
        return tuple(map(ZoneInfo, sorted(set(names) - {timezone.UNKNOWN_TIMEZONE})))
    except (phonenumbers.NumberParseException, OSError, ValueError):
        return ()  # no number, or a zone that is newer than the machine's
