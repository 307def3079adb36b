"""What may become of a transmission: the outbox's steps, a person's, and the provider's.

Each function takes the transmission as it is and gives it as it shall be, or raises ``Refusal``.
A lease token names the attempt: who comes with another one is late.
"""

from __future__ import annotations

import random

import msgspec
from msgspec.structs import replace

from hub.rules import statuses
from hub.rules.states import Refusal, Transmission

BACKOFF_FIRST_MS = 2_000
BACKOFF_LONGEST_MS = 10 * 60 * 1000
NAMED_WITHIN_MS = 10 * 60 * 1000
"""How long after it began a call of ours that no answer came to may still be told of."""

_parts_encoder = msgspec.json.Encoder(order="deterministic")
_parts_decoder = msgspec.json.Decoder(dict[str, str])


def backoff(attempts: int, chance: random.Random) -> int:
    """Milliseconds to wait after ``attempts`` attempts: doubling, with half of it by chance so
    that many that failed together do not come back together."""
    whole = min(BACKOFF_LONGEST_MS, BACKOFF_FIRST_MS * 2 ** max(0, attempts - 1))
    return int(whole * (0.5 + chance.random() / 2))


def leased(transmission: Transmission, now: int) -> bool:
    """Whether somebody is about to send it."""
    return transmission.lease_until is not None and transmission.lease_until > now


_NEVER_HANDED_OVER = statuses.WAITING | {"canceled"}


def _cleared(status: str) -> dict[str, None]:
    """The reasons of a failure, which only a failed transmission keeps."""
    return {} if status == "failed" else dict.fromkeys(("reason", "detail", "provider_code"))


def _held(transmission: Transmission, token: str) -> Transmission:
    if transmission.lease_token != token:
        raise Refusal("lease_lost", "Another attempt has taken this message over.", kind="conflict")
    return transmission


def _free(transmission: Transmission, now: int, status: str) -> Transmission:
    return replace(transmission, status=status, status_at=now, lease_token=None, lease_until=None)


def started(transmission: Transmission, token: str, now: int) -> Transmission:
    """The provider is about to be asked: from here on a crash leaves the outcome unknown."""
    _held(transmission, token)
    if transmission.status not in {"pending", "scheduled"}:
        raise Refusal("not_pending", "The message is not waiting to be sent.", kind="conflict")
    return replace(
        transmission,
        status="sending",
        attempts=transmission.attempts + 1,
        started_at=now,
        status_at=now,
    )


def repeated(transmission: Transmission, token: str, now: int, lease_until: int) -> Transmission:
    """The provider is about to be given a message of unknown outcome again. It sends once, so
    whatever comes of it, at most one has gone out. What began is still the first attempt."""
    if transmission.status != "unknown":
        raise Refusal("not_unknown", "The outcome of this message is known.", kind="conflict")
    return replace(
        transmission,
        status="sending",
        attempts=transmission.attempts + 1,
        lease_token=token,
        lease_until=lease_until,
        status_at=now,
    )


def released(transmission: Transmission, token: str, now: int, due_at: int) -> Transmission:
    """Not sent after all (the channel paused): it waits again."""
    _held(transmission, token)
    return replace(_free(transmission, now, "pending"), due_at=due_at)


def held(transmission: Transmission, token: str, now: int, due_at: int) -> Transmission:
    """It may not go out by itself before ``due_at``, and holds up nothing meanwhile. For how long
    it is tried counts from then."""
    _held(transmission, token)
    later = transmission.deadline + due_at - now
    return replace(_free(transmission, now, "scheduled"), due_at=due_at, deadline=later)


def deferred(
    transmission: Transmission, token: str, now: int, due_at: int, detail: str
) -> Transmission:
    """The provider could not take it now; again at ``due_at``, unless that is too late."""
    _held(transmission, token)
    if due_at > transmission.deadline:
        return failed(
            transmission, token, now, "other", f"Gave up after trying for hours: {detail}", None
        )
    return replace(_free(transmission, now, "pending"), due_at=due_at, detail=detail)


def failed(
    transmission: Transmission,
    token: str | None,
    now: int,
    reason: str,
    detail: str,
    provider_code: str | None,
) -> Transmission:
    """It can never go out as it is."""
    if token is not None:
        _held(transmission, token)
    return replace(
        _free(transmission, now, "failed"),
        reason=reason,
        detail=detail,
        provider_code=provider_code,
    )


def unknown(
    transmission: Transmission, token: str | None, now: int, detail: str, due_at: int
) -> Transmission:
    """It may or may not have gone out; the provider is asked at ``due_at``. ``token`` is ``None``
    when the lease ran out, or when the provider was asked and could not say."""
    if transmission.status == "unknown":
        return replace(transmission, due_at=due_at)
    if token is not None:
        _held(transmission, token)
    elif transmission.status != "sending" or leased(transmission, now):
        raise Refusal("not_expired", "The attempt is still under way.", kind="conflict")
    return replace(_free(transmission, now, "unknown"), detail=detail, due_at=due_at)


def may_have_begun(transmission: Transmission, now: int) -> bool:
    """Whether a call that the provider tells of may be this one, which it has not named yet."""
    if transmission.status == "sending":
        return True
    began = transmission.started_at or 0
    return transmission.status == "unknown" and now - began <= NAMED_WITHIN_MS


def absent(transmission: Transmission, now: int) -> Transmission:
    """The provider says that it did not go out: it may be tried again without risk. A call is not:
    who was to be rung may be elsewhere by now."""
    if transmission.status != "unknown":
        raise Refusal("not_unknown", "The outcome of this message is known.", kind="conflict")
    if transmission.kind == "call":
        return failed(transmission, None, now, "other", "The call was never made.", None)
    return replace(_free(transmission, now, "pending"), due_at=now, detail=None)


def accepted(
    transmission: Transmission, token: str, now: int, ids: tuple[str, ...], status: str
) -> Transmission:
    """The provider has it under ``ids``. A late answer to an attempt given up as unknown, or
    overtaken by a receipt, still tells which message it was."""
    if transmission.status in _NEVER_HANDED_OVER:
        raise Refusal("not_started", "The message was not being sent.", kind="conflict")
    if transmission.status == "sending":
        _held(transmission, token)
    known = _parts_decoder.decode(transmission.parts)
    before = "sending" if known else transmission.status
    parts = {id_: statuses.advance(known.get(id_, before), status) for id_ in ids}
    freed = _free(transmission, now, statuses.of_parts(parts))
    return replace(freed, parts=encode_parts(parts), **_cleared(freed.status))


def reported(
    transmission: Transmission,
    external_id: str | None,
    status: str,
    at: int,
    *,
    reason: str | None = None,
    detail: str | None = None,
    provider_code: str | None = None,
) -> Transmission:
    """The provider says what became of it: of the part ``external_id``, or of all of it."""
    if transmission.status in _NEVER_HANDED_OVER:
        return transmission
    parts = _parts_decoder.decode(transmission.parts)
    for part in [*parts] if external_id is None else [external_id]:
        parts[part] = statuses.advance(parts.get(part, "sending"), status)
    after = statuses.of_parts(parts) if parts else statuses.advance(transmission.status, status)
    if after == transmission.status:
        return replace(transmission, parts=encode_parts(parts))
    changed = _free(replace(transmission, parts=encode_parts(parts)), at, after)
    if after == "failed":
        return replace(
            changed, reason=reason or "other", detail=detail, provider_code=provider_code
        )
    return replace(changed, **_cleared(after))


def canceled(transmission: Transmission, now: int) -> Transmission:
    """A person takes it back, unless it has been picked up."""
    if transmission.status not in statuses.WAITING or leased(transmission, now):
        raise Refusal(
            "too_late", "It is too late to cancel: the message was picked up.", kind="conflict"
        )
    return _free(transmission, now, "canceled")


def retried(transmission: Transmission, now: int, deadline: int) -> Transmission:
    """A person wants it tried again after it failed."""
    if transmission.status != "failed":
        raise Refusal("not_failed", "Only a failed message can be retried.", kind="conflict")
    return replace(
        _free(transmission, now, "pending"),
        attempts=0,
        due_at=now,
        deadline=deadline,
        reason=None,
        detail=None,
        provider_code=None,
        parts="{}",
    )


def resolved(transmission: Transmission, now: int, outcome: str) -> Transmission:
    """A person found out what became of a message of unknown outcome."""
    if transmission.status != "unknown":
        raise Refusal("not_unknown", "The outcome of this message is known.", kind="conflict")
    if outcome == "sent":
        return replace(_free(transmission, now, "sent"), reason=None, detail=None)
    return replace(_free(transmission, now, "failed"), reason="other", detail="It did not go out.")


def encode_parts(parts: dict[str, str]) -> str:
    """``parts`` as stored."""
    return _parts_encoder.encode(parts).decode()
