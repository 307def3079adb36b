"""What Twilio's webhooks say of WhatsApp: a message came in, or what became of one that went out.

Sources: Twilio docs, messaging/guides/webhook-request (2026), and recorded webhooks. The fields are
those of texts; numbers have ``whatsapp:`` before them.
"""

from __future__ import annotations

import json
from typing import Any, cast

from hub_sms_twilio import forms
from hub_sms_twilio.forms import NOTHING_TO_SAY, Form, ignored
from hub_whatsapp_cloud import people
from hub_whatsapp_cloud.messages import answers_of

from hub.plugin import (
    Address,
    Delivery,
    Event,
    IngestResult,
    Malformed,
    Message,
    OptIn,
    OptOut,
)
from hub_whatsapp_twilio.failures import CODES
from hub_whatsapp_twilio.settings import Settings

PREFIX = "whatsapp:"


def read(delivery: Delivery, settings: Settings) -> IngestResult:
    """The events of a verified delivery. Raises ``Malformed``."""
    form = Form(delivery.form())
    account = form.get("AccountSid")
    if account and account != settings.account_sid:
        return ignored("it is for another account than this channel's")
    status = form.get("MessageStatus")
    if status and status not in {"receiving", "received"}:
        return forms.status(delivery, form, status, CODES)
    if form.get("CallSid"):
        return ignored("it is about a call; this channel takes messages")
    own = form.get("To").removeprefix(PREFIX)
    if form.get("To").startswith(PREFIX) and own not in settings.numbers:
        return ignored(f"it came to {own[:20]}, which is none of this channel's numbers")
    return IngestResult(events=_message(form, own), reply=NOTHING_TO_SAY)


def _message(form: Form, own: str) -> tuple[Event, ...]:
    sender = _sender(form)
    if not sender:
        raise Malformed("From is missing, or nobody on WhatsApp")
    media = forms.media(form)
    words, chosen = _chosen(form)
    text = form.get("Body") or words
    facts = forms.place(form) | chosen | _answers(form) | _circumstances(form)
    if not (text or media or facts):
        facts = {"Unsupported": form.get("MessageType") or "message"}
    at = forms.time(form)
    message = Message(
        external_id=forms.sid(form),
        sender=sender,
        sender_name=form.get("ProfileName").strip() or None,
        own_address=own,
        text=text,
        media=media,
        facts=facts,
        reply_to=form.get("OriginalRepliedMessageSid") or None,
        occurred_at=at,
    )
    # With a Messaging Service the choice holds for all of its numbers, else for this one.
    only = None if form.get("MessagingServiceSid") else own or None
    how = f"replied {text.strip()[:40]}"
    match form.get("OptOutType").strip().upper():
        case "STOP":
            out = (OptOut(address=one, how=how, own_address=only, occurred_at=at) for one in sender)
            return message, *out
        case "START":
            back = (OptIn(address=one, how=how, own_address=only, occurred_at=at) for one in sender)
            return message, *back
        case _:
            return (message,)


def _sender(form: Form) -> tuple[Address, ...]:
    """The number and the user id; who has no number has the id in its place."""
    given = form.get("From").strip()
    if not given.startswith(PREFIX):
        return ()
    user_id = form.get("ExternalUserId").strip().removeprefix(PREFIX)
    return people.known_by(given.removeprefix(PREFIX), user_id)


def _chosen(form: Form) -> tuple[str, dict[str, str]]:
    """What was pressed or chosen: the words for it, and the key that the business gave it."""
    title, key = form.get("ButtonText"), form.get("ButtonPayload")
    if title or key:
        return title or key, {"Button": key or title}
    title, key = form.get("ListTitle"), form.get("ListId")
    if title or key:
        about = form.get("ListDescription")
        return title or key, {"Choice": key or title} | ({"Description": about} if about else {})
    return "", {}


def _answers(form: Form) -> dict[str, str]:
    """A form that was filled in; both fields are texts that need not be JSON."""
    said = form.get("FlowData")
    if not said:
        said = form.get("InteractiveData")
    if not said:
        return {}
    try:
        answers: Any = json.loads(said)
    except (ValueError, RecursionError):
        return {"Form": said}
    if isinstance(answers, dict):
        answers = cast("dict[str, Any]", answers).get("flowResponse", cast("Any", answers))
    return answers_of(answers)


def _circumstances(form: Form) -> dict[str, str]:
    """How a message came about: forwarded, or by an ad."""
    facts = {
        "Came by": form.get("ReferralSourceType"),
        "Headline": form.get("ReferralHeadline"),
        "Ad text": form.get("ReferralBody"),
        "Link": form.get("ReferralSourceUrl"),
        "Ad": form.get("ReferralSourceId"),
    }
    if form.get("FrequentlyForwarded").lower() == "true":
        facts["Forwarded"] = "many times"
    elif form.get("Forwarded").lower() == "true":
        facts["Forwarded"] = "yes"
    return {name: value for name, value in facts.items() if value}
