"""Postmark: webhooks as JSON behind a password, and its API."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from hub_email.settings import Settings as Account
from msgspec import Struct

from hub.plugin import (
    Accepted,
    ChannelNotice,
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
    Temporary,
    Verification,
    reading,
    sending,
)
from hub_email_inbound import answers, events, mails
from hub_email_inbound.events import MARK
from hub_email_inbound.findings import credentials, webhook
from hub_email_inbound.mails import File, Letter
from hub_email_inbound.settings import Postmark, Settings

API = "https://api.postmarkapp.com"
LONGEST_MARK = 80
"""Characters of a value that Postmark keeps with a mail."""
BOUNCES: dict[str, FailureReason | None] = {
    "HardBounce": None,
    "SoftBounce": None,
    "DnsError": None,
    "Unknown": None,
    "BadEmailAddress": "bad_address",
    "SpamNotification": "policy",
    "VirusNotification": "policy",
    "Blocked": "policy",
    "DMARCPolicy": "policy",
    "SMTPApiError": "configuration",
    "TemplateRenderingFailed": "configuration",
    "Unconfirmed": "configuration",
    "ManuallyDeactivated": "opted_out",
}
"""Kinds of bounces that are final; ``None``: the receiving server's words say why."""
LEAVES = frozenset({"SpamComplaint", "Unsubscribe"})
CODES: dict[int, FailureReason] = {
    400: "configuration",
    401: "configuration",
    405: "configuration",
    406: "opted_out",
    411: "unsupported_content",
    412: "configuration",
    413: "configuration",
}
"""Codes of the API; 406: an address that has bounced, complained or been taken out."""


class Person(Struct, frozen=True, kw_only=True):
    Email: str | None = None
    Name: str | None = None

    def shown(self) -> str:
        return mails.person(self.Name or "", self.Email or "")


class Header(Struct, frozen=True, kw_only=True):
    Name: str | None = None
    Value: str | None = None


class Attached(Struct, frozen=True, kw_only=True):
    Name: str | None = None
    Content: str | None = None
    Data: str | None = None
    ContentType: str | None = None
    ContentID: str | None = None


class Post(Struct, frozen=True, kw_only=True):
    """What Postmark posts: a mail, or what became of one."""

    RecordType: str | None = None
    MessageID: str | None = None
    # of a mail
    From: str | None = None
    FromFull: Person | None = None
    To: str | None = None
    ToFull: list[Person] | None = None
    Cc: str | None = None
    CcFull: list[Person] | None = None
    OriginalRecipient: str | None = None
    ReplyTo: str | None = None
    Subject: str | None = None
    Date: str | None = None
    TextBody: str | None = None
    HtmlBody: str | None = None
    Headers: list[Header] | None = None
    Attachments: list[Attached] | None = None
    RawEmail: str | None = None
    # of what became of one
    Metadata: dict[str, Any] | None = None
    Type: str | None = None
    Email: str | None = None
    Recipient: str | None = None
    Description: str | None = None
    Details: str | None = None
    OriginalLink: str | None = None
    SuppressSending: bool | None = None
    SuppressionReason: str | None = None
    DeliveredAt: str | None = None
    BouncedAt: str | None = None
    ReceivedAt: str | None = None
    ChangedAt: str | None = None


def proof(ctx: Context, delivery: Delivery, settings: Settings) -> Verification:
    """The password of the address. Raises ``Unverified``."""
    said = _of(settings)
    del delivery  # ctx.verify has it
    return ctx.verify.basic(username=said.username, passwords=said.passwords)


def _of(settings: Settings) -> Postmark:
    return cast("Postmark", settings.postmark)


def read(ctx: Context, delivery: Delivery, settings: Settings, account: Account) -> IngestResult:
    """A mail, or what became of one. Raises ``Malformed``."""
    del settings
    post = reading.read_json(delivery, Post)
    if post.RecordType in {None, "Inbound"}:
        return mails.read(ctx, _raw(post), delivery, account)
    told = tuple(_told(post))
    return IngestResult(events=told) if told else IngestResult(ignored=_nothing(post))


def _nothing(post: Post) -> str:
    kind = events.line(post.Type or post.SuppressionReason or "", 40)
    return f"{events.line(post.RecordType, 40)} {kind}".strip() + ": nothing follows from it"


# ------------------------------------------------------------------------- mail


def raw(delivery: Delivery) -> bytes:
    """The mail that a delivery has brought. Raises ``Malformed``."""
    return _raw(reading.read_json(delivery, Post))


def _raw(post: Post) -> bytes:
    given = [(each.Name or "", each.Value or "") for each in post.Headers or ()]
    top = [("X-Original-To", post.OriginalRecipient or "")]
    top += [pair for pair in given if pair[0].lower() == "return-path"][:1]
    for name, value in given:
        if name.lower() == "received-spf":
            top += mails.verdict(spf=value)
            break
    if post.RawEmail:
        return mails.topped(post.RawEmail.encode("utf-8", "replace"), top)
    if not (post.FromFull or post.From or given):
        raise Malformed("the post is neither a mail nor an event")
    sender = (post.FromFull.shown() if post.FromFull else "") or post.From or ""
    known = {
        "From": sender,
        "To": _people(post.ToFull, post.To),
        "Cc": _people(post.CcFull, post.Cc),
        "Reply-To": post.ReplyTo or "",
        "Subject": post.Subject or "",
        "Date": post.Date or "",
    }
    names = {name.lower() for name, _ in given}
    headers = [*top, *((name, value) for name, value in known.items() if value)]
    if "message-id" not in names and post.MessageID:
        headers.append(("Message-ID", f"<{post.MessageID}@postmarkapp.com>"))
    lowered = {name.lower() for name in known}
    headers += [pair for pair in given if pair[0].lower() not in lowered]
    return mails.written(headers, post.TextBody or "", post.HtmlBody or "", list(_files(post)))


def _people(full: list[Person] | None, plain: str | None) -> str:
    return ", ".join(shown for each in full or () if (shown := each.shown())) or plain or ""


def _files(post: Post) -> Iterator[File]:
    for each in post.Attachments or ():
        try:
            body = base64.b64decode(each.Content or each.Data or "")
        except (binascii.Error, ValueError) as error:
            raise Malformed("an attachment is not base64") from error
        yield File(
            name=each.Name or "",
            content_type=each.ContentType or "",
            body=body,
            content_id=each.ContentID or "",
        )


# ------------------------------------------------------------------------- what became of one


def _told(post: Post) -> Iterator[Event]:
    marked = (post.Metadata or {}).get(MARK)
    about = marked if isinstance(marked, str) and marked else post.MessageID or ""
    who = post.Recipient or post.Email
    match post.RecordType:
        case "SubscriptionChange":
            yield from _changed(post)
        case "Bounce" | "SpamComplaint":
            yield from _bounced(post, about, who)
        case "Delivery" if about:
            yield events.receipt("delivered", about, events.when(post.DeliveredAt))
        case "Open" if about:
            yield Opened(external_id=about, occurred_at=events.when(post.ReceivedAt))
        case "Click" if about:
            at = events.when(post.ReceivedAt)
            yield Clicked(external_id=about, url=(post.OriginalLink or "")[:2000], occurred_at=at)
        case _:
            return


def _bounced(post: Post, about: str, who: str | None) -> Iterator[Event]:
    at = events.when(post.BouncedAt)
    kind = post.Type or post.RecordType or ""
    if kind in LEAVES or post.RecordType == "SpamComplaint":
        how = "unsubscribed from mail" if kind == "Unsubscribe" else "reported a mail as spam"
        yield from events.opted_out(who, how, at)
    elif kind in BOUNCES and about:
        said = events.line(post.Details) or post.Description
        yield events.failed(about, at, said, reason=BOUNCES[kind])
    elif kind == "InboundError":
        yield ChannelNotice(text="Postmark could not deliver a mail to the hub", state="degraded")


def _changed(post: Post) -> Iterator[Event]:
    at = events.when(post.ChangedAt)
    if post.SuppressSending is False:
        yield from events.opted_in(post.Recipient, "taken off Postmark's suppressions", at)
    elif post.SuppressSending and post.SuppressionReason == "SpamComplaint":
        yield from events.opted_out(post.Recipient, "reported a mail as spam", at)
    elif post.SuppressSending and post.SuppressionReason == "ManualSuppression":
        yield from events.opted_out(post.Recipient, "unsubscribed from mail", at)


# ------------------------------------------------------------------------- sending


def sends(settings: Settings) -> bool:
    """Whether there is something to send with."""
    return bool(_of(settings).server_token)


async def send(ctx: Context, letter: Letter, settings: Settings) -> Accepted:
    """One attempt."""
    mails.needs_words(letter, "Postmark")
    marked = len(letter.message_id) <= LONGEST_MARK
    headers = [{"Name": name, "Value": value} for name, value in letter.headers]
    headers += [
        {"Name": "Message-ID", "Value": letter.message_id},
        {"Name": "X-PM-KeepID", "Value": "true"},
    ]
    wanted: dict[str, Any] = {
        "From": letter.sender,
        "To": letter.recipient,
        "Cc": ", ".join(letter.cc) or None,
        "Bcc": ", ".join(letter.bcc) or None,
        "Subject": letter.subject,
        "TextBody": letter.text or None,
        "HtmlBody": letter.html,
        "ReplyTo": letter.reply_to,
        "Headers": headers,
        "Attachments": [
            {
                "Name": each.name or "file",
                "Content": mails.encoded(each),
                "ContentType": each.content_type,
            }
            for each in letter.files
        ],
        "Metadata": {MARK: letter.message_id} if marked else None,
        "MessageStream": _of(settings).stream,
    }
    sent = {name: value for name, value in wanted.items() if value not in (None, [])}
    answer = await _asked(ctx, settings, "POST", "/email", sent)
    told = answers.told(answer)
    code = told.get("ErrorCode")
    if answer.status != 200 or code:
        raise _refusal(ctx, answer, code, told.get("Message"))
    id_ = told.get("MessageID")
    if not isinstance(id_, str) or not id_:
        raise OutcomeUnknown("Postmark answered a success without an id")
    return Accepted(external_id=letter.message_id if marked else id_, status="queued")


def _refusal(ctx: Context, answer: HttpResponse, code: object, said: object) -> HookError:
    words = events.line(said, 200)
    if answer.status == 401 or code == 10:
        return CredentialsInvalid("Postmark refuses the server token")
    if answer.status == 429 or code in {100, 429}:
        wait = sending.retry_after(answer, ctx.clock.now())
        return Temporary("Postmark is busy", retry_after=wait)
    if isinstance(code, int) and code in CODES:
        detail = f"Postmark refuses it ({code}): {words}"
        return Permanent(CODES[code], detail, provider_code=str(code))
    if code == 300:
        reason: FailureReason = "other"
        if "from" in words.lower():
            reason = "configuration"
        elif "'to'" in words.lower() or "recipient" in words.lower() or "email addr" in words:
            reason = "bad_address"
        return Permanent(reason, f"Postmark refuses it (300): {words}", provider_code="300")
    if isinstance(code, int) and 400 <= answer.status < 500:
        return Permanent("other", f"Postmark refuses it ({code}): {words}", provider_code=str(code))
    return sending.refusal(ctx, answer)


async def _asked(
    ctx: Context, settings: Settings, method: str, path: str, wanted: Any = None
) -> HttpResponse:
    token = _of(settings).server_token
    headers = {
        "Accept": "application/json",
        "X-Postmark-Server-Token": token.reveal() if token else "",
    }
    return await ctx.http.request(method, API + path, headers=headers, json=wanted)


# ------------------------------------------------------------------------- looking


async def look(ctx: Context, settings: Settings) -> None:
    """Raises what is wrong with the credentials."""
    answer = await _asked(ctx, settings, "GET", "/server")
    if answer.status != 200:
        raise _refusal(ctx, answer, answers.told(answer).get("ErrorCode"), None)


async def check(ctx: Context, settings: Settings) -> AsyncIterator[Finding]:
    """The token, and where Postmark posts to."""
    answer = await _asked(ctx, settings, "GET", "/server")
    told = answers.told(answer)
    yield credentials("Postmark", answer.status, "Copy the server's API token again")
    if answer.status != 200:
        return
    yield webhook(ctx, "inbound webhook", [told.get("InboundHookUrl")])
    hooks = answers.told(await _asked(ctx, settings, "GET", "/webhooks"))
    found = [each.get("Url") for each in answers.objects(hooks.get("Webhooks"))]
    yield webhook(ctx, "event webhooks", found)
