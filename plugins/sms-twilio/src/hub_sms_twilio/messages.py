"""Messages by the REST API: making one, and finding out whether one was made. The same for texts
and for what goes over WhatsApp."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from hub.plugin import (
    Accepted,
    Context,
    Outbound,
    OutcomeUnknown,
    Reconciled,
    Temporary,
    WirePart,
)
from hub_sms_twilio import api, failures
from hub_sms_twilio.account import Account
from hub_sms_twilio.failures import Failure
from hub_sms_twilio.forms import STATUSES

TIMEOUT = 15.0
MEDIA_SECONDS = 36_000.0
"""How long Twilio may take to fetch a file: it gives a message up after as long in its queue
(``ValidityPeriod``, at most 36,000 s by the OpenAPI document)."""
SID = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")
LOOKED_AT = 50
CLOCKS_APART = timedelta(minutes=1)
SETTLED = timedelta(minutes=2)
"""After so long, a request that Twilio has not made a message of is taken for lost."""


def limit_of(ctx: Context, message: Outbound) -> float:
    """Seconds that the attempt may take. Raises ``Temporary`` when there are none left."""
    left = (message.deadline - ctx.clock.now()).total_seconds()
    if left <= 0:
        raise Temporary("The deadline has passed")
    return min(TIMEOUT, left)


async def create(
    ctx: Context,
    account: Account,
    parameters: Mapping[str, Any],
    limit: float,
    codes: Mapping[int, Failure] = failures.CODES,
) -> Accepted:
    """One attempt (``POST …/Messages.json``) within ``limit`` seconds. Twilio knows no idempotency
    key for it, so whatever may have reached it is never repeated blindly."""
    client = api.client(ctx, account.account_sid, account.credentials, limit, codes)
    answer = await client.messages.create_async(**parameters)
    sid, status = answer.sid or "", STATUSES.get(str(answer.status))
    if status == "failed":
        raise failures.of_code(answer.error_code, codes)
    if not SID.fullmatch(sid) or status is None:
        raise OutcomeUnknown("Twilio answered without a message's id or state")
    return Accepted(external_id=sid, status=status)


async def find(
    ctx: Context,
    account: Account,
    message: Outbound,
    is_it: Callable[[Any], bool],
    wanted: Mapping[str, Any],
) -> Reconciled:
    """Look for the message among the newest to its recipient (``wanted``: ``to``, and ``from_``),
    made since the attempt began; ``is_it`` knows it by its content.

    Not by ``DateSent``, by which the API can filter: what waits in the queue has none yet.
    """
    if message.started_at is None:
        return Reconciled(outcome="unknown")
    since = message.started_at - CLOCKS_APART
    client = api.client(ctx, account.account_sid, account.credentials, TIMEOUT)
    page = await client.messages.page_async(**wanted, page_size=LOOKED_AT)
    newest = list(page)
    sent = [each for each in newest if _is_since(each, since) and _is_sent(each)]
    same = [each for each in sent if is_it(each)]
    if same:
        earliest = min(same, key=lambda each: each.date_created)
        status = STATUSES.get(str(earliest.status), "queued")
        return Reconciled(outcome="found", external_id=earliest.sid, status=status)
    full = len(newest) == LOOKED_AT and all(_is_since(each, since) for each in newest)
    settled = ctx.clock.now() - message.started_at >= SETTLED
    return Reconciled(outcome="absent" if settled and not full else "unknown")


def says(part: WirePart) -> Callable[[Any], bool]:
    """Knows a message by its words, and by how many files it has."""

    def is_it(candidate: Any) -> bool:
        files = str(candidate.num_media or "0")
        words = (candidate.body or "").strip()
        return words == part.text.strip() and files == str(len(part.attachment_ids))

    return is_it


def _is_sent(candidate: Any) -> bool:
    return str(candidate.direction).startswith("outbound")


def _is_since(candidate: Any, since: datetime) -> bool:
    return isinstance(candidate.date_created, datetime) and candidate.date_created >= since
