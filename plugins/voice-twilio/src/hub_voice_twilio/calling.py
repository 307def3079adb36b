"""Making a call for a member, and finding out whether one was made.

Twilio rings the member; when they are there, it calls the contact and connects the two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hub_sms_twilio import api, failures
from hub_sms_twilio.failures import Failure

from hub.plugin import (
    Accepted,
    Context,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Reconciled,
    Temporary,
    Unsupported,
)
from hub_voice_twilio import numbers, twiml
from hub_voice_twilio.settings import Settings
from hub_voice_twilio.steps import address

TIMEOUT = 15.0
SID = re.compile(r"CA[0-9a-fA-F]{32}")
TOLD = ["initiated", "ringing", "answered", "completed"]
TAKEN = frozenset({"queued", "ringing", "in-progress", "completed"})
LOOKED_AT = 50
CLOCKS_APART = timedelta(seconds=5)
SETTLED = timedelta(minutes=2)
"""After so long, a request that Twilio has not made a call of is taken for lost."""

CODES = failures.CODES | {
    10001: Failure("configuration", "The Twilio account is not active", "stop"),
    10002: Failure("configuration", "A trial account does not do this"),
    10004: Failure("other", "Twilio makes no more calls at once", "retry"),
    13223: Failure("bad_address", "It is no valid phone number"),
    13224: Failure("bad_address", "Twilio does not call this number"),
    13225: Failure("policy", "Twilio does not call this number"),
    13227: Failure("configuration", "The account may not call this region"),
    21201: Failure("bad_address", "The number to call is missing"),
    21210: Failure("configuration", "The own number is not verified for calls"),
    21212: Failure("configuration", "The own number is no valid caller's number"),
    21213: Failure("configuration", "The own number is missing"),
    21214: Failure("bad_address", "The number cannot be reached"),
    21215: Failure("configuration", "The account may not call this region"),
    21216: Failure("policy", "The account may not call this number"),
    21217: Failure("bad_address", "It is no valid phone number"),
    21219: Failure("configuration", "A trial account calls verified numbers only"),
}
"""Errors of calls (Twilio docs, api/errors/N)."""


async def send(ctx: Context, message: Outbound, settings: Settings) -> Accepted:
    """One attempt (``POST …/Calls.json``). Twilio knows no idempotency key for it, so whatever may
    have reached it is never repeated blindly."""
    member, own = _halves(message, settings)
    left = (message.deadline - ctx.clock.now()).total_seconds()
    if left <= 0:
        raise Temporary("The deadline has passed")
    client = api.client(ctx, settings.account_sid, settings.credentials, min(TIMEOUT, left), CODES)
    answer = await client.calls.create_async(
        to=member,
        from_=own,
        twiml=str(twiml.place(ctx, settings, to=message.address.value, own=own)),
        timeout=settings.ring_seconds,
        status_callback=address(ctx, "made", transmission=message.id),
        status_callback_event=TOLD,
    )
    sid, status = answer.sid or "", str(answer.status)
    if status in {"failed", "busy", "no-answer", "canceled"}:
        raise Permanent("other", f"Twilio gave the call up at once ({status})")
    if not SID.fullmatch(sid) or status not in TAKEN:
        raise OutcomeUnknown("Twilio answered without a call's id or state")
    return Accepted(external_id=sid, status="sent")


async def reconcile(ctx: Context, message: Outbound, settings: Settings) -> Reconciled:
    """Look for the call among those to the member's phone since the attempt began. It names the
    member alone: of several nobody can say which is meant."""
    if message.started_at is None:
        return Reconciled(outcome="unknown")
    member, own = _halves(message, settings)
    since = message.started_at - CLOCKS_APART
    client = api.client(ctx, settings.account_sid, settings.credentials, TIMEOUT, CODES)
    page = list(await client.calls.page_async(to=member, from_=own, page_size=LOOKED_AT))
    made = [one for one in page if _is_since(one, since) and one.direction == "outbound-api"]
    if len(made) == 1 and SID.fullmatch(made[0].sid or ""):
        return Reconciled(outcome="found", external_id=made[0].sid, status="sent")
    settled = ctx.clock.now() - message.started_at >= SETTLED
    absent = not made and settled and not _full(page, since)
    return Reconciled(outcome="absent" if absent else "unknown")


def _full(page: Sequence[Any], since: datetime) -> bool:
    """Whether there may be more of them than were looked at."""
    return len(page) == LOOKED_AT and all(_is_since(one, since) for one in page)


def _is_since(candidate: Any, since: datetime) -> bool:
    return isinstance(candidate.date_created, datetime) and candidate.date_created >= since


def _halves(message: Outbound, settings: Settings) -> tuple[str, str]:
    """The member's phone and the own number. Raises before anything has touched the network."""
    if message.kind != "call":
        raise Unsupported(f"This channel carries calls, and no {message.kind}")
    if not numbers.can_be_called(message.address):
        raise Permanent("bad_address", "This address cannot be called")
    member = message.member_address
    if member is None or not numbers.can_be_called(member):
        raise Permanent("configuration", "The member who calls has no phone number")
    if member.value == message.address.value:
        raise Permanent("bad_address", "The member's own phone is on both ends of the call")
    own = message.own_address or settings.numbers[0]
    if own not in settings.numbers:
        raise Permanent("configuration", "The number to call from is none of this channel's")
    return member.value, own
