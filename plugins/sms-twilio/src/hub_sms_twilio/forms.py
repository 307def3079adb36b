"""Reading Twilio's webhooks, which are forms: what all its messages have in common.

Sources: Twilio docs, messaging/guides/webhook-request and
messaging/guides/track-outbound-message-status (2026), and recorded webhooks. New parameters appear
without notice, so whatever is not known is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import count, takewhile

from hub.plugin import (
    ChannelNotice,
    Delivery,
    Event,
    IngestResult,
    Malformed,
    MediaRef,
    Receipt,
    ReceiptStatus,
    Reply,
)
from hub_sms_twilio import failures
from hub_sms_twilio.failures import Failure

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


def ignored(why: str) -> IngestResult:
    """What Twilio tells is nothing to the channel; ``why`` says so."""
    return IngestResult(ignored=why, reply=NOTHING_TO_SAY)


def status(
    delivery: Delivery, form: Form, said: str, codes: Mapping[int, Failure] = failures.CODES
) -> IngestResult:
    """A status callback: what became of a message, by what ``codes`` mean where it failed. A
    failure after which nothing will go out any more is a notice of the channel, too."""
    became = STATUSES.get(said)
    if became is None:
        return ignored(f"the status {said[:40]!r} is not known")
    transmission = Form(delivery.query()).get(TRANSMISSION) or None
    if became != "failed":
        # ErrorCode has been seen beside "delivered" as well, where it means nothing.
        receipt = Receipt(
            status=became,
            external_id=sid(form),
            transmission_id=transmission,
            occurred_at=time(form),
        )
        return IngestResult(events=(receipt,), reply=NOTHING_TO_SAY)
    code = number(form.get("ErrorCode"))
    failure = failures.meaning(code, codes)
    words = "It was canceled" if said == "canceled" and code is None else failure.words
    receipt = Receipt(
        status=became,
        external_id=sid(form),
        transmission_id=transmission,
        occurred_at=time(form),
        reason=failure.reason,
        detail=words,
        provider_code=None if code is None else str(code),
    )
    events: tuple[Event, ...] = (receipt,)
    if failure.then == "stop":
        events += (ChannelNotice(text=words, state="needs_attention"),)
    return IngestResult(events=events, reply=NOTHING_TO_SAY)


def media(form: Form) -> tuple[MediaRef, ...]:
    """The files of a message, in order."""
    urls = takewhile(bool, (form.get(f"MediaUrl{n}") for n in count()))
    return tuple(
        MediaRef(url=url, content_type=_content_type(form.get(f"MediaContentType{n}")))
        for n, url in enumerate(urls)
    )


def _content_type(text: str) -> str | None:
    return text.lower() if CONTENT_TYPE.fullmatch(text) else None


def place(form: Form) -> dict[str, str]:
    """A shared location, if there is one."""
    latitude, longitude = form.get("Latitude"), form.get("Longitude")
    named = {"Place": form.get("Label"), "Address": form.get("Address")}
    if latitude and longitude:
        named["Location"] = f"{latitude}, {longitude}"
    return {name: value for name, value in named.items() if value}


def sid(form: Form) -> str:
    """The message's id; ``SmsSid`` and ``SmsMessageSid`` are the old names, and differ in some
    recordings. Raises ``Malformed``."""
    for name in ("MessageSid", "SmsMessageSid", "SmsSid"):
        said = form.get(name)
        if SID.fullmatch(said):
            return said
        if said:
            raise Malformed(f"{name} is no id")
    raise Malformed("MessageSid is missing")


def time(form: Form) -> datetime | None:
    """When it happened: ``Timestamp``, in newer webhooks. ``RawDlrDoneDate`` names no time zone."""
    try:
        at = datetime.fromisoformat(form.get("Timestamp"))
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def number(text: str) -> int | None:
    """A number as Twilio writes codes and counts."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
