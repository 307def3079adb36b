"""What Resend posts: what became of a mail, and that one has come in. Older accounts leave out
much of what its description calls required, so nearly all of it is optional here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec
from hub_email import ids
from hub_email.addresses import in_header
from hub_email_inbound import events
from msgspec import Struct
from msgspec.structs import replace

from hub.plugin import (
    ChannelNotice,
    Clicked,
    Delivery,
    Event,
    FailureReason,
    FetchRef,
    IngestResult,
    Malformed,
    Opened,
    Receipt,
    reading,
)
from hub_email_resend.sending import TAG, marked

SUBTYPES: dict[str, FailureReason] = {
    "NoEmail": "bad_address",
    "Suppressed": "bad_address",
    "OnAccountSuppressionList": "bad_address",
    "MessageTooLarge": "too_large",
    "ContentRejected": "policy",
    "AttachmentRejected": "unsupported_content",
}
"""Kinds of bounces that are sure of their reason."""
WRONG = frozenset({"failed", "partially_failed"})
"""States in which a domain does not work."""


class Bounce(Struct, frozen=True, kw_only=True, rename="camel"):
    message: str | None = None
    type: str | None = None
    sub_type: str | None = None
    diagnostic_code: list[str] | str | None = None


class Click(Struct, frozen=True, kw_only=True):
    link: str | None = None
    timestamp: str | None = None


class Failed(Struct, frozen=True, kw_only=True):
    reason: str | None = None


class Suppressed(Struct, frozen=True, kw_only=True, rename="camel"):
    message: str | None = None
    reason: str | None = None
    diagnostic_code: list[str] | str | None = None


class Header(Struct, frozen=True, kw_only=True):
    name: str | None = None
    value: str | None = None


class Data(Struct, frozen=True, kw_only=True):
    """Of a mail, or of a domain (``name``, ``status``)."""

    email_id: str | None = None
    sender: str | None = msgspec.field(name="from", default=None)
    to: list[str] | str | None = None
    tags: dict[str, Any] | list[Any] | None = None
    headers: list[Header] | None = None
    bounce: Bounce | None = None
    click: Click | None = None
    failed: Failed | None = None
    suppressed: Suppressed | None = None
    name: str | None = None
    status: str | None = None


class Post(Struct, frozen=True, kw_only=True):
    type: str
    created_at: str | None = None
    data: Data


def read(delivery: Delivery) -> IngestResult:
    """What is told. Raises ``Malformed``."""
    post = reading.read_json(delivery, Post)
    if post.type == "email.received":
        if not post.data.email_id:
            raise Malformed("a mail has come in, and the webhook does not say which")
        return IngestResult(fetch=(FetchRef(id=post.data.email_id),))
    found = tuple(_told(post))
    return IngestResult(events=found) if found else IngestResult(ignored=_nothing(post))


def _nothing(post: Post) -> str:
    return f"{events.line(post.type, 60)}: nothing follows from it"


def _told(post: Post) -> Iterator[Event]:
    data, at = post.data, events.when(post.created_at)
    about = _about(data)
    match post.type:
        case "email.sent" if about:
            yield _marked(events.receipt("sent", about, at), data)
        case "email.scheduled" if about:
            yield _marked(events.receipt("queued", about, at), data)
        case "email.delivered" if about:
            yield _marked(events.receipt("delivered", about, at), data)
        case "email.bounced" if about:
            yield _marked(_bounced(data.bounce or Bounce(), about, at), data)
        case "email.suppressed" if about:
            yield _marked(_suppressed(data.suppressed or Suppressed(), about, at), data)
        case "email.failed" if about:
            said = data.failed.reason if data.failed else None
            failed = events.failed(about, at, said, reason="configuration")
            words = events.line(said) or "Resend does not say why"
            yield _marked(replace(failed, detail=f"It was not sent: {words}"[:250]), data)
        case "email.opened" if about:
            yield Opened(external_id=about, occurred_at=at)
        case "email.clicked" if about:
            click = data.click or Click()
            url = (click.link or "")[:2000]
            yield Clicked(
                external_id=about, url=url, occurred_at=events.when(click.timestamp) or at
            )
        case "email.complained":
            yield from _complained(data, at)
        case "domain.updated" if data.status in WRONG:
            said = f"Resend cannot use the domain {events.line(data.name, 100)}: its records fail"
            yield ChannelNotice(text=said, state="needs_attention")
        case "domain.deleted":
            said = f"The domain {events.line(data.name, 100)} was deleted at Resend"
            yield ChannelNotice(text=said, state="needs_attention")
        case _:
            return


def _about(data: Data) -> str:
    """The mail by the Message-ID that we gave it, where Resend tells what went out with it; else by
    Resend's own id."""
    for each in data.headers or ():
        if (each.name or "").lower() == "message-id" and ids.transmission(each.value or ""):
            return each.value or ""
    sender = in_header(data.sender or "")
    found = marked(_mark(data), sender[0][1].value) if sender else ""
    return found or data.email_id or ""


def _mark(data: Data) -> str:
    """The transmission, out of the tags: an object, and in older webhooks a list."""
    if isinstance(data.tags, dict):
        found = data.tags.get(TAG)
        return found if isinstance(found, str) else ""
    for each in data.tags or ():
        pair = cast("dict[str, Any]", each) if isinstance(each, dict) else {}
        value = pair.get("value")
        if pair.get("name") == TAG and isinstance(value, str):
            return value
    return ""


def _marked(receipt: Receipt, data: Data) -> Receipt:
    """With the transmission, also where the mail is known by Resend's own id alone."""
    mark = _mark(data).rpartition("_")[0]
    return replace(receipt, transmission_id=receipt.transmission_id or mark or None)


def _words(said: list[str] | str | None) -> str:
    several = [said] if isinstance(said, str) else said or []
    return events.line(next(iter(several), "").removeprefix("smtp; "))


def _bounced(bounce: Bounce, about: str, at: Any) -> Receipt:
    reason = SUBTYPES.get(bounce.sub_type or "")
    words = _words(bounce.diagnostic_code)
    if reason is None and not events.STATUS.search(words) and bounce.type in {"Permanent", None}:
        reason = "bad_address"
    return events.failed(about, at, words or bounce.message, reason=reason)


def _suppressed(told: Suppressed, about: str, at: Any) -> Receipt:
    complained = told.reason == "previous_complaint"
    reason: FailureReason = "opted_out" if complained else "bad_address"
    failed = events.failed(about, at, _words(told.diagnostic_code), reason=reason)
    why = "has reported an earlier mail as spam" if complained else "an earlier mail came back"
    detail = (
        f"Resend did not send it: the recipient {why}"
        if complained
        else (f"Resend did not send it: {why}")
    )
    return replace(failed, detail=detail)


def _complained(data: Data, at: Any) -> Iterator[Event]:
    to = [data.to] if isinstance(data.to, str) else data.to or []
    for each in to:
        for _, address in in_header(each)[:1]:
            yield from events.opted_out(address.value, "reported a mail as spam", at)
    if to:
        text = "A recipient has reported a mail of this channel as spam"
        yield ChannelNotice(text=text)
