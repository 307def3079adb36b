"""What Twilio's webhooks say: a message came in, or what became of one that went out.

Sources: Twilio docs, messaging/guides/webhook-request and
messaging/guides/track-outbound-message-status (2026), and recorded webhooks. New parameters appear
without notice, so whatever is not known is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count, takewhile
from typing import Literal

from hub.plugin import (
    ChannelNotice,
    Delivery,
    Event,
    IngestResult,
    Malformed,
    MediaRef,
    Message,
    OptIn,
    OptOut,
    Receipt,
    ReceiptStatus,
    Reply,
)
from hub_sms_twilio import failures, numbers
from hub_sms_twilio.settings import Settings

NOTHING_TO_SAY = Reply(
    content_type="text/xml; charset=utf-8",
    body=b'<?xml version="1.0" encoding="UTF-8"?><Response/>',
)
"""TwiML that sends no answer by itself; JSON would be an error to Twilio."""

TRANSMISSION = "transmission"
"""Query parameter of the StatusCallback address: our id of the message. Twilio calls the address
as it was given, so a receipt finds its message even when the answer to the request was lost."""

STATUSES: dict[str, ReceiptStatus] = {
    "accepted": "queued",
    "scheduled": "queued",
    "queued": "queued",
    "sending": "queued",
    "sent": "sent",
    "partially_delivered": "sent",
    "delivered": "delivered",
    "read": "read",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "failed",
}
"""``MessageStatus`` of the OpenAPI document (message_enum_status), except ``receiving`` and
``received``, which are of messages that come in. They arrive in any order, by Twilio's docs."""

STOP = frozenset({"STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"})
"""Twilio's default words (docs, messaging/tutorials/advanced-opt-out); only as the whole text."""
START = frozenset({"START", "UNSTOP"})
"""YES opts in again with Twilio, too, but is an answer to many a question: taken for an opt-in
only when Twilio says so (``OptOutType``)."""

SID = re.compile(r"[A-Za-z0-9]{1,64}")
CONTENT_TYPE = re.compile(r"[A-Za-z0-9][\w.+-]*/[A-Za-z0-9][\w.+-]*", re.ASCII)


class Form:
    """The fields of a webhook. A name that comes twice with two values is refused: which of them
    was meant is not for us to guess."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        self._ambiguous: set[str] = set()
        for name, value in pairs:
            if self._values.setdefault(name, value) != value:
                self._ambiguous.add(name)

    def get(self, name: str) -> str:
        """The value, or an empty text. Raises ``Malformed`` when there are two."""
        if name in self._ambiguous:
            raise Malformed(f"{name} has several values")
        return self._values.get(name, "")


def read(delivery: Delivery, settings: Settings) -> IngestResult:
    """The events of a verified delivery. Raises ``Malformed``."""
    form = Form(delivery.form())
    account = form.get("AccountSid")
    if account and account != settings.account_sid:
        return _ignored("it is for another account than this channel's")
    status = form.get("MessageStatus")
    if status and status not in {"receiving", "received"}:
        return _status(form, status, Form(delivery.query()).get(TRANSMISSION) or None)
    if form.get("CallSid"):
        return _ignored("it is about a call; this channel takes messages")
    return IngestResult(events=_message(form), reply=NOTHING_TO_SAY)


def _ignored(why: str) -> IngestResult:
    return IngestResult(ignored=why, reply=NOTHING_TO_SAY)


def _status(form: Form, said: str, transmission: str | None) -> IngestResult:
    status = STATUSES.get(said)
    if status is None:
        return _ignored(f"the status {said[:40]!r} is not known")
    sid = _sid(form)
    if status != "failed":
        # ErrorCode has been seen beside "delivered" as well, where it means nothing.
        receipt = Receipt(
            status=status,
            external_id=sid,
            transmission_id=transmission,
            occurred_at=_time(form),
        )
        return IngestResult(events=(receipt,), reply=NOTHING_TO_SAY)
    code = _number(form.get("ErrorCode"))
    failure = failures.meaning(code)
    words = "It was canceled" if said == "canceled" and code is None else failure.words
    receipt = Receipt(
        status=status,
        external_id=sid,
        transmission_id=transmission,
        occurred_at=_time(form),
        reason=failure.reason,
        detail=words,
        provider_code=None if code is None else str(code),
    )
    events: tuple[Event, ...] = (receipt,)
    if failure.then == "stop":
        events += (ChannelNotice(text=words, state="needs_attention"),)
    return IngestResult(events=events, reply=NOTHING_TO_SAY)


def _message(form: Form) -> tuple[Event, ...]:
    sid = _sid(form)
    sender = numbers.sender(form.get("From"))
    if sender is None:
        raise Malformed("From is missing, or no sender of text messages")
    to = numbers.sender(form.get("To"))
    own_address = to.value if to is not None else ""
    text = form.get("Body")
    at = _time(form)
    message = Message(
        external_id=sid,
        sender=(sender,),
        own_address=own_address,
        text=text,
        media=_media(form),
        occurred_at=at,
        facts=_place(form),
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


def _media(form: Form) -> tuple[MediaRef, ...]:
    urls = takewhile(bool, (form.get(f"MediaUrl{n}") for n in count()))
    return tuple(
        MediaRef(url=url, content_type=_content_type(form.get(f"MediaContentType{n}")))
        for n, url in enumerate(urls)
    )


def _content_type(text: str) -> str | None:
    return text.lower() if CONTENT_TYPE.fullmatch(text) else None


def _place(form: Form) -> dict[str, str]:
    """A shared location, if there is one."""
    latitude, longitude = form.get("Latitude"), form.get("Longitude")
    named = {"Place": form.get("Label"), "Address": form.get("Address")}
    if latitude and longitude:
        named["Location"] = f"{latitude}, {longitude}"
    return {name: value for name, value in named.items() if value}


def _sid(form: Form) -> str:
    """``SmsSid`` and ``SmsMessageSid`` are the old names, and differ in some recordings."""
    for name in ("MessageSid", "SmsMessageSid", "SmsSid"):
        sid = form.get(name)
        if SID.fullmatch(sid):
            return sid
        if sid:
            raise Malformed(f"{name} is no id")
    raise Malformed("MessageSid is missing")


def _time(form: Form) -> datetime | None:
    """``Timestamp`` is there in newer webhooks; ``RawDlrDoneDate`` names no time zone."""
    try:
        at = datetime.fromisoformat(form.get("Timestamp"))
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
