"""What Twilio's webhooks say: a text came in, or what became of one that went out."""

from __future__ import annotations

from typing import Literal

from hub.plugin import (
    Delivery,
    Event,
    IngestResult,
    Malformed,
    Message,
    OptIn,
    OptOut,
)
from hub_sms_twilio import forms, numbers
from hub_sms_twilio.forms import NOTHING_TO_SAY, Form, ignored
from hub_sms_twilio.settings import Settings

STOP = frozenset({"STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"})
"""Twilio's default words (docs, messaging/tutorials/advanced-opt-out); only as the whole text."""
START = frozenset({"START", "UNSTOP"})
"""YES opts in again with Twilio, too, but is an answer to many a question: taken for an opt-in
only when Twilio says so (``OptOutType``)."""


def read(delivery: Delivery, settings: Settings) -> IngestResult:
    """The events of a verified delivery. Raises ``Malformed``."""
    form = Form(delivery.form())
    account = form.get("AccountSid")
    if account and account != settings.account_sid:
        return ignored("it is for another account than this channel's")
    status = form.get("MessageStatus")
    if status and status not in {"receiving", "received"}:
        return forms.status(delivery, form, status)
    if form.get("CallSid"):
        return ignored("it is about a call; this channel takes messages")
    return IngestResult(events=_message(form), reply=NOTHING_TO_SAY)


def _message(form: Form) -> tuple[Event, ...]:
    sid = forms.sid(form)
    sender = numbers.sender(form.get("From"))
    if sender is None:
        raise Malformed("From is missing, or no sender of text messages")
    to = numbers.sender(form.get("To"))
    own_address = to.value if to is not None else ""
    text = form.get("Body")
    at = forms.time(form)
    message = Message(
        external_id=sid,
        sender=(sender,),
        own_address=own_address,
        text=text,
        media=forms.media(form),
        occurred_at=at,
        facts=forms.place(form),
    )
    consent = _consent(form, text)
    # With a Messaging Service the choice holds for all of its numbers, else for this one
    # (Twilio docs, messaging/tutorials/advanced-opt-out).
    only = None if form.get("MessagingServiceSid") else own_address or None
    how = f"replied {text.strip()[:40]}"
    match consent:
        case "STOP":
            return message, OptOut(address=sender, how=how, own_address=only, occurred_at=at)
        case "START":
            return message, OptIn(address=sender, how=how, own_address=only, occurred_at=at)
        case None:
            return (message,)


def _consent(form: Form, text: str) -> Literal["STOP", "START"] | None:
    said = form.get("OptOutType").strip().upper()
    if said:
        return "STOP" if said == "STOP" else "START" if said == "START" else None
    word = text.strip().upper()
    return "STOP" if word in STOP else "START" if word in START else None
