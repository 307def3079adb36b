"""Mailgun: forms and JSON with a signature among their fields, and its API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import msgspec
from hub_email.settings import Settings as Account
from msgspec import Struct

from hub.plugin import (
    Accepted,
    Clicked,
    Context,
    CredentialsInvalid,
    Delivery,
    Event,
    FailureReason,
    Finding,
    HookError,
    HttpResponse,
    IngestResult,
    Malformed,
    Opened,
    OutcomeUnknown,
    Permanent,
    Unverified,
    Upload,
    Verification,
    reading,
    sending,
)
from hub_email_inbound import answers, events, forms, mails
from hub_email_inbound.findings import credentials, webhook
from hub_email_inbound.forms import Form
from hub_email_inbound.mails import File, Headers, Letter
from hub_email_inbound.settings import Mailgun, Settings

HOSTS = {"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
TOLERANCE = 12 * 3600.0
"""Seconds: Mailgun posts for eight hours what was not taken, under the first signature."""
FIELDS = ("From", "To", "Cc", "Subject", "Date", "Message-Id", "In-Reply-To", "References")
"""Headers that Mailgun also posts as fields, under these names."""
SUPPRESSED: dict[str, FailureReason] = {
    "suppress-bounce": "bad_address",
    "suppress-complaint": "opted_out",
    "suppress-unsubscribe": "opted_out",
    "espblock": "policy",
}


class Signature(Struct, frozen=True, kw_only=True):
    timestamp: str = ""
    token: str = ""
    signature: str = ""


class Signed(Struct, frozen=True, kw_only=True):
    signature: Signature


class About(Struct, frozen=True, kw_only=True):
    headers: dict[str, Any] | None = None


class Status(Struct, frozen=True, kw_only=True):
    code: int | str | None = None
    message: str | None = None
    description: str | None = None
    enhanced_code: str | None = msgspec.field(name="enhanced-code", default=None)


class Data(Struct, frozen=True, kw_only=True):
    event: str | None = None
    timestamp: float | None = None
    severity: str | None = None
    reason: str | None = None
    recipient: str | None = None
    url: str | None = None
    message: About | None = None
    status: Status | None = msgspec.field(name="delivery-status", default=None)


class Post(Struct, frozen=True, kw_only=True):
    data: Data = msgspec.field(name="event-data")


def proof(ctx: Context, delivery: Delivery, settings: Settings) -> Verification:
    """The signature, which is of the time and a token alone: they stand in the body. Raises
    ``Unverified``."""
    try:
        given = _signature(delivery)
    except Malformed as error:
        raise Unverified("the post has no signature") from error
    if not (given.timestamp.isascii() and given.timestamp.isdigit() and len(given.timestamp) < 12):
        raise Unverified("the signature's timestamp is no time")
    found = ctx.verify.hmac(
        keys=_of(settings).signing_keys,
        given=given.signature,
        signed=(given.timestamp + given.token).encode("utf-8", "replace"),
    )
    if abs(ctx.clock.now().timestamp() - int(given.timestamp)) > TOLERANCE:
        raise Unverified("the signature is too old")
    return found


def _of(settings: Settings) -> Mailgun:
    return cast("Mailgun", settings.mailgun)


def _is_json(delivery: Delivery) -> bool:
    return "json" in (delivery.header("content-type") or "").lower()


def _signature(delivery: Delivery) -> Signature:
    if _is_json(delivery):
        return reading.read_json(delivery, Signed).signature
    form = forms.read(delivery)
    return Signature(
        timestamp=form.text("timestamp"),
        token=form.text("token"),
        signature=form.text("signature"),
    )


def read(ctx: Context, delivery: Delivery, settings: Settings, account: Account) -> IngestResult:
    """A mail, or what became of one. Raises ``Malformed``."""
    del settings
    if not _is_json(delivery):
        return mails.read(ctx, raw(delivery), delivery, account)
    data = reading.read_json(delivery, Post).data
    told = tuple(_told(data))
    kind = f"{events.line(data.event, 40)} {events.line(data.severity, 20)}".strip()
    return IngestResult(events=told) if told else IngestResult(ignored=f"{kind}: nothing to tell")


# ------------------------------------------------------------------------- mail


def raw(delivery: Delivery) -> bytes:
    """The mail that a delivery has brought. Raises ``Malformed``."""
    form = forms.read(delivery)
    given = _headers(form)
    top = [("X-Original-To", form.text("recipient")), ("Return-Path", f"<{form.text('sender')}>")]
    top = [pair for pair in top if pair[1] not in {"", "<>"}]
    said = {name.lower(): value for name, value in reversed(given)}
    top += mails.verdict(spf=said.get("x-mailgun-spf"), dkim=said.get(_DKIM))
    whole = form.raw("body-mime")
    if whole is not None:
        return mails.topped(whole, top)
    known = [(name, form.text(name)) for name in FIELDS]
    if not form.text("From"):
        known.append(("From", form.text("from")))
    if not form.text("Subject"):
        known.append(("Subject", form.text("subject")))
    headers: Headers = [*top, *(pair for pair in known if pair[1])]
    names = {name.lower() for name, _ in headers}
    headers += [pair for pair in given if pair[0].lower() not in names]
    if not any(name.lower() == "from" for name, _ in headers):
        headers.append(("From", form.text("sender")))
    inside = {field: id_ for id_, field in form.texts("content-id-map").items()}
    files = [
        File(
            name=each.name,
            content_type=each.content_type,
            body=each.body,
            content_id=inside.get(each.field, ""),
        )
        for each in form.files
    ]
    return mails.written(headers, form.text("body-plain"), form.text("body-html"), files)


_DKIM = "x-mailgun-dkim-check-result"


def _headers(form: Form) -> Headers:
    """All headers as Mailgun lists them; where it lists none, or what is no list, none."""
    try:
        found: Any = json.loads(form.raw("message-headers") or b"[]")
    except (ValueError, RecursionError):
        return []
    if not isinstance(found, list):
        return []
    lists: list[Any] = [each for each in cast("list[Any]", found)[:1000] if isinstance(each, list)]
    pairs = [each for each in cast("list[list[Any]]", lists) if len(each) == 2]
    return [(a, b) for a, b in pairs if isinstance(a, str) and isinstance(b, str)]


# ------------------------------------------------------------------------- what became of one


def _told(data: Data) -> Iterator[Event]:
    at = events.when(data.timestamp)
    about = _about(data)
    match data.event:
        case "delivered" if about:
            yield events.receipt("delivered", about, at)
        case "failed" | "rejected" if about and data.severity != "temporary":
            status = data.status or Status()
            said = status.message or status.description or data.reason
            reason = SUPPRESSED.get(data.reason or "")
            if data.event == "rejected":
                reason = "policy"
            yield events.failed(about, at, said, reason=reason, status=status.enhanced_code)
        case "opened" if about:
            yield Opened(external_id=about, occurred_at=at)
        case "clicked" if about:
            yield Clicked(external_id=about, url=(data.url or "")[:2000], occurred_at=at)
        case "complained":
            yield from events.opted_out(data.recipient, "reported a mail as spam", at)
        case "unsubscribed":
            yield from events.opted_out(data.recipient, "unsubscribed from mail", at)
        case _:
            return


def _about(data: Data) -> str:
    """The Message-ID; Mailgun tells it without its brackets."""
    headers = data.message.headers if data.message else None
    said = (headers or {}).get("message-id")
    found = said.strip().strip("<>") if isinstance(said, str) else ""
    return f"<{found}>" if found and not any(char.isspace() for char in found) else ""


# ------------------------------------------------------------------------- sending


def sends(settings: Settings) -> bool:
    """Whether there is something to send with."""
    return bool(_of(settings).api_key)


def _domain(settings: Settings) -> str:
    return _of(settings).domain or settings.address.rpartition("@")[2]


async def send(ctx: Context, letter: Letter, settings: Settings) -> Accepted:
    """One attempt, with the whole mail as it is."""
    whole = Upload(field="message", name="message.eml", body=letter.raw)
    path = f"/v3/{_domain(settings)}/messages.mime"
    answer = await _asked(ctx, settings, "POST", path, ", ".join(letter.people), whole)
    if answer.status != 200:
        raise _refusal(ctx, answer)
    if not isinstance(answers.told(answer).get("id"), str):
        raise OutcomeUnknown("Mailgun answered a success without an id")
    return Accepted(external_id=letter.message_id, status="queued")


def _refusal(ctx: Context, answer: HttpResponse) -> HookError:
    words = events.line(answers.told(answer).get("message"), 200)
    if answer.status == 401:
        return CredentialsInvalid("Mailgun refuses the API key")
    if answer.status in {402, 403, 404}:
        detail = f"Mailgun refuses it (HTTP {answer.status}): {words or 'is the domain right?'}"
        return Permanent("configuration", detail, provider_code=str(answer.status))
    if answer.status == 400:
        start = words.lower().lstrip("'\"`")
        reason: FailureReason = "other"
        if start.startswith(("to ", "to'", 'to"', "to`")):
            reason = "bad_address"
        elif start.startswith("from"):
            reason = "configuration"
        return Permanent(reason, f"Mailgun refuses it: {words}", provider_code="400")
    return sending.refusal(ctx, answer)


async def _asked(
    ctx: Context,
    settings: Settings,
    method: str,
    path: str,
    to: str | None = None,
    whole: Upload | None = None,
) -> HttpResponse:
    key = _of(settings).api_key
    return await ctx.http.request(
        method,
        HOSTS[_of(settings).region] + path,
        auth=("api", key or ""),
        form=[("to", to)] if to is not None else None,
        files=[whole] if whole is not None else (),
    )


# ------------------------------------------------------------------------- looking


async def look(ctx: Context, settings: Settings) -> None:
    """Raises what is wrong with the credentials."""
    answer = await _asked(ctx, settings, "GET", f"/v3/domains/{_domain(settings)}/webhooks")
    if answer.status != 200:
        raise _refusal(ctx, answer)


async def check(ctx: Context, settings: Settings) -> AsyncIterator[Finding]:
    """The key, the domain's webhooks, and the route of incoming mail."""
    answer = await _asked(ctx, settings, "GET", f"/v3/domains/{_domain(settings)}/webhooks")
    yield credentials("Mailgun", answer.status, "Use the account's API key, of the same region")
    if answer.status != 200:
        return
    kinds = answers.told(answer).get("webhooks")
    urls: list[Any] = []
    for each in cast("dict[str, Any]", kinds).values() if isinstance(kinds, dict) else ():
        if isinstance(each, dict):
            urls += cast("dict[str, Any]", each).get("urls") or []
    yield webhook(ctx, "event webhooks", urls)
    routes = answers.told(await _asked(ctx, settings, "GET", "/v3/routes")).get("items")
    actions = json.dumps(routes if isinstance(routes, list) else [])
    forwarded = ctx.public_url() in actions.replace("\\/", "/")
    yield webhook(ctx, "route of incoming mail", [ctx.public_url()] if forwarded else [])
