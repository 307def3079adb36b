"""Sending a message, finding out whether one went out, and whether the account works."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from hub.plugin import (
    Accepted,
    Context,
    Health,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Reconciled,
    Temporary,
    Unsupported,
    WirePart,
)
from hub_sms_twilio import api, failures, media, numbers
from hub_sms_twilio.rendering import MAX_LENGTH
from hub_sms_twilio.settings import Settings
from hub_sms_twilio.webhooks import STATUSES, TRANSMISSION

TIMEOUT = 15.0
MEDIA_SECONDS = 36_000.0
"""How long Twilio may take to fetch a file: it gives a message up after as long in its queue
(``ValidityPeriod``, at most 36,000 s by the OpenAPI document)."""
SID = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")
LOOKED_AT = 50
CLOCKS_APART = timedelta(minutes=1)
SETTLED = timedelta(minutes=2)
"""After so long, a request that Twilio has not made a message of is taken for lost."""


async def send(ctx: Context, message: Outbound, settings: Settings) -> Accepted:
    """One attempt (``POST …/Messages.json``). Twilio knows no idempotency key for it, so whatever
    may have reached it is never repeated blindly."""
    part = _part(message)
    limit = _limit(ctx, message)
    parameters: dict[str, Any] = {"to": message.address.value, **_sender(message, settings)}
    if part.text:
        parameters["body"] = part.text
    if part.attachment_ids:
        parameters["media_url"] = [
            ctx.media.signed_url(each, seconds=MEDIA_SECONDS) for each in part.attachment_ids
        ]
    if settings.status_callbacks:
        query = urlencode({TRANSMISSION: message.id})
        parameters["status_callback"] = f"{ctx.public_url()}?{query}"
    client = api.client(ctx, settings.account_sid, settings.credentials, limit)
    answer = await client.messages.create_async(**parameters)
    sid, status = answer.sid or "", STATUSES.get(str(answer.status))
    if status == "failed":
        raise failures.of_code(answer.error_code)
    if not SID.fullmatch(sid) or status is None:
        raise OutcomeUnknown("Twilio answered without a message's id or state")
    return Accepted(external_id=sid, status=status)


async def reconcile(ctx: Context, message: Outbound, settings: Settings) -> Reconciled:
    """Look for the message among the newest to its recipient, made since the attempt began.

    Not by ``DateSent``, by which the API can filter: what waits in the queue has none yet.
    """
    part = _part(message)
    if message.started_at is None:
        return Reconciled(outcome="unknown")
    since = message.started_at - CLOCKS_APART
    client = api.client(ctx, settings.account_sid, settings.credentials, TIMEOUT)
    sender = _sender(message, settings).get("from_")
    wanted = {"to": message.address.value} | ({"from_": sender} if sender else {})
    page = await client.messages.page_async(**wanted, page_size=LOOKED_AT)
    newest = list(page)
    same = [each for each in newest if _is_it(each, part, since)]
    if same:
        earliest = min(same, key=lambda each: each.date_created)
        status = STATUSES.get(str(earliest.status), "queued")
        return Reconciled(outcome="found", external_id=earliest.sid, status=status)
    full = len(newest) == LOOKED_AT and all(_is_since(each, since) for each in newest)
    settled = ctx.clock.now() - message.started_at >= SETTLED
    return Reconciled(outcome="absent" if settled and not full else "unknown")


async def health(ctx: Context, settings: Settings) -> Health:
    """Whether the account is open, and whether the API key may read messages."""
    owner = (settings.account_sid, settings.auth_token)
    client = api.client(ctx, settings.account_sid, owner, TIMEOUT)
    account = await client.api.v2010.accounts(settings.account_sid).fetch_async()
    status = str(account.status)
    if status != "active":
        return Health(state="needs_attention", reason=f"The Twilio account is {status}")
    if settings.api_key is not None:
        keyed = api.client(ctx, settings.account_sid, settings.credentials, TIMEOUT)
        await keyed.messages.page_async(page_size=1)
    return Health(state="ok")


def _part(message: Outbound) -> WirePart:
    """The one part that goes out. Raises before anything has touched the network."""
    if message.kind != "message":
        raise Unsupported(f"Text messages know no {message.kind}")
    if len(message.wire) != 1:
        raise Permanent("unsupported_content", "A text message goes out as one part")
    if not numbers.can_receive(message.address):
        raise Permanent("bad_address", "This address takes no text messages")
    part = message.wire[0]
    if not part.text.strip() and not part.attachment_ids:
        raise Permanent("unsupported_content", "There is neither text nor a file")
    if len(part.text) > MAX_LENGTH:
        raise Permanent("too_large", f"The text is longer than {MAX_LENGTH:,} characters")
    going = [each for each in message.attachments if each.id in part.attachment_ids]
    problem = media.problem(going, media.LIMITS)
    if problem is not None:
        raise problem
    return part


def _limit(ctx: Context, message: Outbound) -> float:
    left = (message.deadline - ctx.clock.now()).total_seconds()
    if left <= 0:
        raise Temporary("The deadline has passed")
    return min(TIMEOUT, left)


def _sender(message: Outbound, settings: Settings) -> dict[str, str]:
    """Own number, Messaging Service, or both: then the service sends from that number (``From``
    with ``MessagingServiceSid``, by the OpenAPI document)."""
    sender: dict[str, str] = {}
    if settings.messaging_service_sid is not None:
        sender["messaging_service_sid"] = settings.messaging_service_sid
    if message.own_address in settings.numbers:
        sender["from_"] = message.own_address
    elif settings.messaging_service_sid is None:
        if message.own_address:
            raise Permanent("configuration", "The sender's number is none of this channel's")
        sender["from_"] = settings.numbers[0]
    return sender


def _is_it(candidate: Any, part: WirePart, since: datetime) -> bool:
    return (
        _is_since(candidate, since)
        and str(candidate.direction).startswith("outbound")
        and (candidate.body or "").strip() == part.text.strip()
        and str(candidate.num_media or "0") == str(len(part.attachment_ids))
    )


def _is_since(candidate: Any, since: datetime) -> bool:
    return isinstance(candidate.date_created, datetime) and candidate.date_created >= since
