"""SendGrid: incoming mail as a form behind a token, events as signed JSON, and its API."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from hub_email.settings import Settings as Account
from msgspec import Struct

from hub.plugin import (
    Accepted,
    Clicked,
    Context,
    Delivery,
    Event,
    FailureReason,
    Finding,
    HookError,
    HttpResponse,
    IngestResult,
    Opened,
    OutcomeUnknown,
    Permanent,
    Verification,
    reading,
    sending,
)
from hub_email_inbound import answers, events, forms, mails
from hub_email_inbound.events import MARK
from hub_email_inbound.findings import credentials, webhook
from hub_email_inbound.forms import Form
from hub_email_inbound.mails import File, Headers, Letter
from hub_email_inbound.settings import SendGrid, Settings

HOSTS = {"global": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}
SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
TOLERANCE = 26 * 3600.0
"""Seconds: SendGrid posts for a day what was not taken."""
SUFFIX = re.compile(r"\.(?:filter|recvd|geopod)[^\s]*$")
"""What stands behind our message's id in events: the machine that handled it."""
DROPPED: tuple[tuple[str, FailureReason], ...] = (
    ("bounced", "bad_address"),
    ("invalid", "bad_address"),
    ("unsubscribed", "opted_out"),
    ("spam reporting", "opted_out"),
    ("spam", "policy"),
)
LEAVES = {
    "spamreport": "reported a mail as spam",
    "unsubscribe": "unsubscribed from mail",
    "group_unsubscribe": "unsubscribed from mail",
}
FOLD = re.compile(r"\r?\n(?![ \t])")


class Told(Struct, frozen=True, kw_only=True):
    """An event. Of the fields that SendGrid does not know, ours is read."""

    event: str | None = None
    email: str | None = None
    timestamp: float | None = None
    sg_message_id: str | None = None
    hub_message: str | None = None
    reason: str | None = None
    response: str | None = None
    status: str | None = None
    type: str | None = None
    url: str | None = None


def proof(ctx: Context, delivery: Delivery, settings: Settings) -> Verification:
    """The signature of events; of incoming mail, the token of the address. Raises
    ``Unverified``."""
    said = _of(settings)
    if _is_json(delivery):
        return ctx.verify.ecdsa(
            keys=said.public_keys,
            header=SIGNATURE,
            timestamp_header=TIMESTAMP,
            tolerance=TOLERANCE,
        )
    return ctx.verify.token(keys=said.tokens, query="token")


def _of(settings: Settings) -> SendGrid:
    return cast("SendGrid", settings.sendgrid)


def _is_json(delivery: Delivery) -> bool:
    return "json" in (delivery.header("content-type") or "").lower()


def read(ctx: Context, delivery: Delivery, settings: Settings, account: Account) -> IngestResult:
    """A mail, or what became of several. Raises ``Malformed``."""
    del settings
    if not _is_json(delivery):
        return mails.read(ctx, raw(delivery), delivery, account)
    several = reading.read_json(delivery, list[Told])
    found = tuple(event for each in several for event in _told(each))
    kinds = sorted({events.line(each.event, 30) for each in several})
    nothing = f"{', '.join(kinds)[:200]}: nothing to tell"
    return IngestResult(events=found) if found else IngestResult(ignored=nothing)


# ------------------------------------------------------------------------- mail


def raw(delivery: Delivery) -> bytes:
    """The mail that a delivery has brought. Raises ``Malformed``."""
    form = forms.read(delivery)
    charsets = form.texts("charsets")

    def text(name: str) -> str:
        return form.text(name, charsets.get(name, "utf-8"))

    top = [*_envelope(form), *mails.verdict(spf=text("SPF"), dkim=_dkim(text("dkim")))]
    whole = form.raw("email")
    if whole is not None:
        return mails.topped(whole, top)
    given = _lines(text("headers"))
    # These are decoded already, where those of the block are as they came.
    fields = ("From", "To", "Cc", "Subject")
    headers: Headers = [*top, *((name, text(name.lower())) for name in fields)]
    headers = [pair for pair in headers if pair[1].strip()]
    known = {name.lower() for name, _ in headers} - {"x-original-to"}
    headers += [pair for pair in given if pair[0].lower() not in known]
    return mails.written(headers, text("text"), text("html"), list(_files(form)))


def _envelope(form: Form) -> Headers:
    try:
        found: Any = json.loads(form.raw("envelope") or b"{}")
    except (ValueError, RecursionError):
        return []
    told = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    to: Any = told.get("to")
    several = cast("list[Any]", to)[:50] if isinstance(to, list) else []
    sender: Any = told.get("from")
    top = [("X-Original-To", each) for each in several if isinstance(each, str)]
    return [*top, ("Return-Path", f"<{sender}>")] if isinstance(sender, str) and sender else top


def _dkim(told: str) -> str | None:
    """``{@example.com : pass}``, one for each signature: a good one is enough."""
    said = re.findall(r":\s*([a-z]+)", told[:2000].lower())
    return None if not said else "pass" if "pass" in said else said[0]


def _lines(block: str) -> Headers:
    pairs = (line.partition(":") for line in FOLD.split(block.lstrip("\r\n"))[:1000])
    return [(name.strip(), value.strip()) for name, colon, value in pairs if colon]


def _files(form: Form) -> Iterator[File]:
    """The files; those within the text are named in ``content-ids``."""
    ids = {field: id_ for id_, field in form.texts("content-ids").items()}
    for each in form.files:
        yield File(
            name=each.name,
            content_type=each.content_type,
            body=each.body,
            content_id=ids.get(each.field, ""),
        )


# ------------------------------------------------------------------------- what became of one


def _told(one: Told) -> Iterator[Event]:
    at = events.when(one.timestamp)
    about = one.hub_message or SUFFIX.sub("", one.sg_message_id or "")
    kind = one.event or ""
    if kind in LEAVES:
        yield from events.opted_out(one.email, LEAVES[kind], at)
    elif kind == "group_resubscribe":
        yield from events.opted_in(one.email, "subscribed again", at)
    elif not about:
        return
    elif kind == "delivered":
        yield events.receipt("delivered", about, at)
    elif kind == "open":
        yield Opened(external_id=about, occurred_at=at)
    elif kind == "click":
        yield Clicked(external_id=about, url=(one.url or "")[:2000], occurred_at=at)
    elif kind == "bounce":
        said = one.reason or one.response
        blocked: FailureReason | None = "policy" if one.type == "blocked" else None
        told = events.failed(about, at, said, status=one.status)
        # A block whose words say more than that is what the words say.
        sure = blocked if told.reason == "other" else None
        yield events.failed(about, at, said, reason=sure, status=one.status)
    elif kind == "dropped":
        reason = _dropped((one.reason or "").lower())
        yield events.failed(about, at, one.reason, reason=reason, status=one.status)


def _dropped(said: str) -> FailureReason | None:
    return next((why for words, why in DROPPED if words in said), None)


# ------------------------------------------------------------------------- sending


def sends(settings: Settings) -> bool:
    """Whether there is something to send with."""
    return bool(_of(settings).api_key)


async def send(ctx: Context, letter: Letter, settings: Settings) -> Accepted:
    """One attempt."""
    mails.needs_words(letter, "SendGrid")
    sender = {"email": letter.sender_address}
    if settings.name:
        sender["name"] = settings.name
    content = [("text/plain", letter.text), ("text/html", letter.html)]
    wanted: dict[str, Any] = {
        "personalizations": [_people(letter)],
        "from": sender,
        "reply_to": {"email": letter.reply_to} if letter.reply_to else None,
        "subject": letter.subject,
        "content": [{"type": kind, "value": words} for kind, words in content if words],
        "attachments": [
            {
                "content": mails.encoded(each),
                "type": each.content_type,
                "filename": each.name or "file",
                "disposition": "attachment",
            }
            for each in letter.files
        ],
        "headers": {"Message-ID": letter.message_id, **dict(letter.headers)},
        "custom_args": {MARK: letter.message_id},
    }
    sent = {name: value for name, value in wanted.items() if value not in (None, [])}
    answer = await _asked(ctx, settings, "POST", "/v3/mail/send", sent)
    if not 200 <= answer.status < 300:
        raise _refusal(ctx, answer)
    if not answer.headers.get("x-message-id"):
        raise OutcomeUnknown("SendGrid answered a success without an id")
    return Accepted(external_id=letter.message_id, status="queued")


def _people(letter: Letter) -> dict[str, list[dict[str, str]]]:
    people = {"to": (letter.recipient,), "cc": letter.cc, "bcc": letter.bcc}
    return {name: [{"email": one} for one in each] for name, each in people.items() if each}


def _refusal(ctx: Context, answer: HttpResponse) -> HookError:
    field, words = _error(answer)
    if answer.status == 403:
        detail = f"SendGrid refuses it (403): {words}"
        return Permanent("configuration", detail, provider_code="403")
    if answer.status == 400:
        reason: FailureReason = "other"
        if re.match(r"personalizations\.\d+\.(to|cc|bcc)\b", field):
            reason = "bad_address"
        elif field.startswith(("from", "reply_to")):
            reason = "configuration"
        elif field.startswith(("content", "attachments", "subject")):
            reason = "unsupported_content"
        detail = f"SendGrid refuses it: {words}"
        return Permanent(reason, detail, provider_code=field[:100] or "400")
    return sending.refusal(ctx, answer)


def _error(answer: HttpResponse) -> tuple[str, str]:
    """The field that is wrong, and why."""
    several = answers.objects(answers.told(answer).get("errors"))
    said: dict[str, Any] = several[0] if several else {}
    field = said.get("field")
    return field if isinstance(field, str) else "", events.line(said.get("message"), 200)


async def _asked(
    ctx: Context, settings: Settings, method: str, path: str, wanted: Any = None
) -> HttpResponse:
    key = _of(settings).api_key
    headers = {"Authorization": f"Bearer {key.reveal() if key else ''}"}
    url = HOSTS[_of(settings).region] + path
    return await ctx.http.request(method, url, headers=headers, json=wanted)


# ------------------------------------------------------------------------- looking


async def look(ctx: Context, settings: Settings) -> None:
    """Raises what is wrong with the credentials."""
    answer = await _asked(ctx, settings, "GET", "/v3/scopes")
    if answer.status != 200:
        raise _refusal(ctx, answer)


async def check(ctx: Context, settings: Settings) -> AsyncIterator[Finding]:
    """The key, what it may do, and the address of incoming mail."""
    answer = await _asked(ctx, settings, "GET", "/v3/scopes")
    yield credentials("SendGrid", answer.status, "Make a new API key with the right Mail Send")
    if answer.status != 200:
        return
    scopes = answers.told(answer).get("scopes")
    may = "mail.send" in scopes if isinstance(scopes, list) else False
    if not may:
        yield Finding(
            about="API key",
            state="wrong",
            detail="it may not send mail",
            advice="Give it the right Mail Send",
        )
    parsed = await _asked(ctx, settings, "GET", "/v3/user/webhooks/parse/settings")
    if parsed.status == 200:
        results = answers.objects(answers.told(parsed).get("result"))
        found = [each.get("url") for each in results]
        yield webhook(ctx, "inbound parse webhook", found)
    else:
        detail = f"SendGrid answered HTTP {parsed.status}"
        yield Finding(about="inbound parse webhook", state="unknown", detail=detail)
    if not _of(settings).public_keys:
        yield Finding(
            about="event webhook",
            state="wrong",
            detail="there is no public key, so events are refused",
            advice="Turn on Signed Event Webhook and put its key into public_keys",
        )
