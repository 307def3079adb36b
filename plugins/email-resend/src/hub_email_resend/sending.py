"""Sending, under a key by which Resend sends once, and finding out what became of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

from hub_email import composing, ids
from hub_email.addresses import in_header
from hub_email.settings import Settings as Account
from hub_email_inbound import answers, events, mails
from hub_email_inbound.mails import Letter

from hub.plugin import (
    Accepted,
    Context,
    Outbound,
    OutcomeUnknown,
    ReceiptStatus,
    Reconciled,
)
from hub_email_resend import api
from hub_email_resend.settings import Settings

TAG = "hub"
"""The name of the tag that brings a transmission back in webhooks."""
PAGES = 5
"""Of a hundred mails each: so far back a lost one is looked for."""
SETTLED = timedelta(minutes=2)
"""After so long a mail that is not in Resend's list never came there."""
LAST: dict[str, ReceiptStatus] = {
    "queued": "queued",
    "scheduled": "queued",
    "sent": "sent",
    "delivery_delayed": "sent",
    "delivered": "delivered",
    "opened": "delivered",
    "clicked": "delivered",
    "complained": "delivered",
    "bounced": "failed",
    "canceled": "failed",
    "failed": "failed",
    "suppressed": "failed",
}


async def send(ctx: Context, message: Outbound, settings: Settings, account: Account) -> Accepted:
    """One attempt."""
    letter = await mails.letter(ctx, message, account)
    mails.needs_words(letter, "Resend")
    answer = await api.request(
        ctx,
        settings,
        "POST",
        "/emails",
        wanted=_wanted(letter),
        headers={"Idempotency-Key": message.id},
    )
    if not 200 <= answer.status < 300:
        raise api.refusal(ctx, answer)
    id_ = answers.told(answer).get("id")
    if not isinstance(id_, str) or not id_:
        raise OutcomeUnknown("Resend answered a success without an id")
    return Accepted(external_id=letter.message_id, status="queued")


def _wanted(letter: Letter) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        "from": letter.sender,
        "to": [letter.recipient],
        "cc": list(letter.cc),
        "bcc": list(letter.bcc),
        "subject": letter.subject,
        "text": letter.text or None,
        "html": letter.html,
        "reply_to": letter.reply_to,
        "headers": {"Message-ID": letter.message_id, **dict(letter.headers)},
        "attachments": [
            {
                "filename": each.name or "file",
                "content": mails.encoded(each),
                "content_type": each.content_type,
            }
            for each in letter.files
        ],
        "tags": [{"name": TAG, "value": _mark(letter.message_id)}],
    }
    return {name: value for name, value in wanted.items() if value not in (None, [])}


def _mark(message_id: str) -> str:
    """What a tag may say of our Message-ID: it takes letters, digits, lines and dashes."""
    return message_id.strip("<>").partition(ids.MARK)[0].replace(".", "_")


def marked(tag: str, sender: str) -> str:
    """The Message-ID that a tag tells of, of a mail from the address ``sender``."""
    transmission, _, proof = tag.rpartition("_")
    return ids.ours(f"{transmission}.{proof}", sender) if transmission else ""


async def reconcile(
    ctx: Context, message: Outbound, settings: Settings, account: Account
) -> Reconciled:
    """Look for the mail among those that Resend has taken since the attempt began: to the same
    recipient, with the same subject and words. Of several it could be, none is named."""
    now = ctx.clock.now()
    began = message.started_at or now - timedelta(hours=1)
    found: list[dict[str, Any]] = []
    after = ""
    for _ in range(PAGES):
        params = {"limit": "100", **({"after": after} if after else {})}
        answer = await api.request(ctx, settings, "GET", "/emails", params=params)
        if answer.status != 200:
            raise api.refusal(ctx, answer)
        page = answers.objects(answers.told(answer).get("data"))
        recent = [each for each in page if _since(each, began - timedelta(minutes=1))]
        for each in recent:
            if _to_the_same(each, message):
                found += await _whole(ctx, message, settings, each)
        more = answers.told(answer).get("has_more") is True and len(recent) == len(page)
        if not more or not page:
            name = await composing.message_id(ctx, message, account)
            return _concluded(found, name, settled=now - began > SETTLED)
        after = str(page[-1].get("id") or "")
    return Reconciled(outcome="unknown")


def _concluded(found: list[dict[str, Any]], name: str, *, settled: bool) -> Reconciled:
    if not found:
        return Reconciled(outcome="absent" if settled else "unknown")
    if len(found) > 1:
        return Reconciled(outcome="unknown")
    status = LAST.get(str(found[0].get("last_event")), "sent")
    return Reconciled(outcome="found", external_id=name, status=status)


def _since(listed: dict[str, Any], began: datetime) -> bool:
    at = events.when(listed.get("created_at"))
    return at is not None and at >= began


def _to_the_same(listed: dict[str, Any], message: Outbound) -> bool:
    to: Any = listed.get("to")
    several = cast("list[Any]", to) if isinstance(to, list) else []
    known = [address for each in several if isinstance(each, str) for _, address in in_header(each)]
    subject = (message.wire[0].subject or "") if message.wire else ""
    there = any(each.value == message.address.value for each in known)
    return there and listed.get("subject") == subject


async def _whole(
    ctx: Context, message: Outbound, settings: Settings, listed: dict[str, Any]
) -> list[dict[str, Any]]:
    """The listed mail with its words, if they are the message's."""
    answer = await api.request(ctx, settings, "GET", f"/emails/{listed.get('id')}")
    if answer.status != 200:
        raise api.refusal(ctx, answer)
    whole = answers.told(answer)
    words = whole.get("text")
    same = not isinstance(words, str) or words.strip() == message.wire[0].text.strip()
    return [whole] if same else []
