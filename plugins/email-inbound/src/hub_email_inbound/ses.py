"""Amazon SES: messages of SNS, mail in S3, and its API."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast
from urllib.parse import quote, urlsplit

import msgspec
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
    FetchRef,
    Finding,
    HookError,
    HttpResponse,
    IngestResult,
    Malformed,
    Message,
    Opened,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Temporary,
    Verification,
    reading,
    sending,
)
from hub_email_inbound import answers, events, mails, sigv4
from hub_email_inbound.findings import credentials
from hub_email_inbound.mails import Headers, Letter
from hub_email_inbound.settings import Ses, Settings

CONFIRMED = "X-Hub-Subscription-Confirmed"
"""Header of a delivery that was fetched: which topic delivers here from now on."""
LARGEST = 45_000_000
"""Bytes of a mail in S3; SES takes 40 MB."""
OURS = re.compile(r"<([0-9a-f][0-9a-f-]{20,100})@(?:email|[a-z0-9-]+)\.amazonses\.com>")
"""The Message-ID that SES gives a mail, whatever it was sent with."""
SUBTYPES: dict[str, FailureReason] = {
    "NoEmail": "bad_address",
    "Suppressed": "bad_address",
    "OnAccountSuppressionList": "bad_address",
    "MessageTooLarge": "too_large",
    "ContentRejected": "policy",
    "AttachmentRejected": "unsupported_content",
}
ERRORS: dict[str, FailureReason] = {
    "MessageRejected": "policy",
    "MailFromDomainNotVerifiedException": "configuration",
    "AccountSuspendedException": "configuration",
    "SendingPausedException": "configuration",
    "NotFoundException": "configuration",
    "BadRequestException": "other",
}
BUSY = frozenset({"TooManyRequestsException", "ThrottlingException", "LimitExceededException"})
KEYS = frozenset(
    {"UnrecognizedClientException", "InvalidClientTokenId", "SignatureDoesNotMatch"}
    | {"IncompleteSignature", "MissingAuthenticationToken", "ExpiredTokenException"}
    | {"AccessDeniedException", "AccessDenied", "InvalidSignatureException"}
)


class Notification(Struct, frozen=True, kw_only=True, rename="pascal"):
    """What SNS posts."""

    type: str
    message_id: str
    topic_arn: str = ""
    message: str = ""
    subscribe_url: str | None = msgspec.field(name="SubscribeURL", default=None)


class Verdict(Struct, frozen=True, kw_only=True):
    status: str | None = None


class Action(Struct, frozen=True, kw_only=True, rename="camel"):
    type: str | None = None
    encoding: str | None = None
    bucket_name: str | None = None
    object_key: str | None = None


class Received(Struct, frozen=True, kw_only=True, rename="camel"):
    recipients: list[str] | None = None
    spf_verdict: Verdict | None = None
    dkim_verdict: Verdict | None = None
    dmarc_verdict: Verdict | None = None
    action: Action | None = None


class Mail(Struct, frozen=True, kw_only=True, rename="camel"):
    message_id: str | None = None
    source: str | None = None
    destination: list[str] | None = None


class Bounced(Struct, frozen=True, kw_only=True, rename="camel"):
    email_address: str | None = None
    status: str | None = None
    diagnostic_code: str | None = None


class Fact(Struct, frozen=True, kw_only=True, rename="camel"):
    """What all kinds of events say of themselves, as far as it is read."""

    timestamp: str | None = None
    bounce_type: str | None = None
    bounce_sub_type: str | None = None
    bounced_recipients: list[Bounced] | None = None
    complained_recipients: list[Bounced] | None = None
    complaint_feedback_type: str | None = None
    link: str | None = None
    reason: str | None = None
    error_message: str | None = None
    new_topic_preferences: dict[str, Any] | None = None


class Told(Struct, frozen=True, kw_only=True, rename="camel"):
    """What SES says in it: of a mail that came, or of one that went out."""

    notification_type: str | None = None
    event_type: str | None = None
    mail: Mail | None = None
    receipt: Received | None = None
    content: str | None = None
    bounce: Fact | None = None
    complaint: Fact | None = None
    delivery: Fact | None = None
    send: Fact | None = None
    open: Fact | None = None
    click: Fact | None = None
    reject: Fact | None = None
    failure: Fact | None = None
    subscription: Fact | None = None


def proof(ctx: Context, delivery: Delivery, settings: Settings) -> Verification | None:
    """The signature of SNS, for one of our own topics. What the hub has fetched needs none. Raises
    ``Unverified``."""
    if delivery.source == "fetch":
        return None
    return ctx.verify.sns(topics=_of(settings).topics)


def _of(settings: Settings) -> Ses:
    return cast("Ses", settings.ses)


def read(ctx: Context, delivery: Delivery, settings: Settings, account: Account) -> IngestResult:
    """A message of SNS, or what was fetched because of one. Raises ``Malformed``."""
    if delivery.source == "fetch":
        topic = delivery.header(CONFIRMED)
        if topic is not None:
            said = f"{topic.rpartition(':')[2]} delivers to this channel from now on"
            return IngestResult(events=(ChannelNotice(text=said, state="ok"),))
        return _answering(mails.read(ctx, delivery.body, delivery, account))
    note = reading.read_json(delivery, Notification)
    topic = note.topic_arn.rpartition(":")[2][:200]
    match note.type:
        case "SubscriptionConfirmation":
            data = {"confirm": note.subscribe_url or "", "topic": note.topic_arn}
            return IngestResult(fetch=(FetchRef(id=note.message_id, data=data),))
        case "UnsubscribeConfirmation":
            said = f"The SNS topic {topic} delivers to this channel no more"
            return IngestResult(events=(ChannelNotice(text=said, state="needs_attention"),))
        case "Notification":
            return _notified(ctx, delivery, note, settings, account)
        case _:
            return IngestResult(ignored=f"SNS: {events.line(note.type, 60)}")


def _notified(
    ctx: Context, delivery: Delivery, note: Notification, settings: Settings, account: Account
) -> IngestResult:
    if note.message.startswith("Successfully validated SNS topic"):
        return IngestResult(ignored="SES has tried its topic")
    told = _decoded(note)
    kind = told.event_type or told.notification_type or ""
    if kind == "Received" or told.receipt is not None:
        return _received(ctx, delivery, told, settings, account)
    if not kind:
        raise Malformed("SNS has brought what is neither a mail nor an event of SES")
    found = tuple(_told(told, kind))
    ignored = f"SES: {events.line(kind, 60)}"
    return IngestResult(events=found) if found else IngestResult(ignored=ignored)


def _decoded(note: Notification) -> Told:
    try:
        return msgspec.json.decode(note.message, type=Told)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Malformed(f"SNS has brought what is not of SES: {str(error)[:200]}") from error


# ------------------------------------------------------------------------- mail


def raw(delivery: Delivery) -> bytes:
    """The mail that a delivery has brought. Raises ``Malformed``."""
    if delivery.source == "fetch" or not delivery.body.lstrip().startswith(b"{"):
        return delivery.body
    return _content(_decoded(reading.read_json(delivery, Notification)))


def _received(
    ctx: Context, delivery: Delivery, told: Told, settings: Settings, account: Account
) -> IngestResult:
    action = (told.receipt.action if told.receipt else None) or Action()
    if told.content is None and action.bucket_name and action.object_key:
        name = (told.mail.message_id if told.mail else None) or action.object_key
        data = {
            "bucket": action.bucket_name,
            "key": action.object_key,
            "top": json.dumps(_top(told)),
        }
        return IngestResult(fetch=(FetchRef(id=name, data=data),))
    del settings
    return _answering(mails.read(ctx, _content(told), delivery, account))


def _content(told: Told) -> bytes:
    if told.content is None:
        raise Malformed("the mail itself is not in the notification: add it to SES's receipt rule")
    action = (told.receipt.action if told.receipt else None) or Action()
    body = told.content.encode("utf-8", "replace")
    if (action.encoding or "").upper() == "BASE64":
        try:
            body = base64.b64decode(body)
        except (binascii.Error, ValueError) as error:
            raise Malformed("the mail is not base64") from error
    return mails.topped(body, _top(told))


def _top(told: Told) -> Headers:
    """What SES knows of the mail's way, as headers above its own."""
    receipt = told.receipt or Received()
    top = [("X-Original-To", each) for each in (receipt.recipients or [])[:50]]

    def word(verdict: Verdict | None) -> str | None:
        said = ((verdict.status if verdict else None) or "").lower()
        return said if said in {"pass", "fail"} else None  # GRAY and the like say nothing

    return top + mails.verdict(
        spf=word(receipt.spf_verdict),
        dkim=word(receipt.dkim_verdict),
        dmarc=word(receipt.dmarc_verdict),
    )


def _answering(result: IngestResult) -> IngestResult:
    """What answers one of ours names it as SES has named it there: we know it by its bare id."""
    found = tuple(_bare(event) if isinstance(event, Message) else event for event in result.events)
    return msgspec.structs.replace(result, events=found)


def _bare(message: Message) -> Message:
    ours = OURS.fullmatch(message.reply_to or "")
    return msgspec.structs.replace(message, reply_to=ours[1]) if ours else message


# ------------------------------------------------------------------------- fetching


async def fetch(ctx: Context, ref: FetchRef, settings: Settings) -> Delivery:
    """A mail out of S3; or the answer of SNS to who wants a topic's messages."""
    if "confirm" in ref.data:
        return await _confirm(ctx, ref)
    bucket, key = ref.data.get("bucket", ""), ref.data.get("key", "")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,62}", bucket):
        raise Permanent("policy", "this is no bucket's name")
    region = _of(settings).region
    # A name with dots has no certificate of its own.
    host = f"s3.{region}.amazonaws.com"
    path = quote(key, safe="/~")
    dotted = "." in bucket
    url = f"https://{host}/{bucket}/{path}" if dotted else f"https://{bucket}.{host}/{path}"
    headers = _proof(ctx, "GET", url, settings, "s3")
    answer = await ctx.http.request("GET", url, headers=headers, timeout=45.0, max_bytes=LARGEST)
    if answer.status in {403, 404}:
        detail = f"S3 has no such mail for these keys (HTTP {answer.status})"
        raise Temporary(detail)  # a policy may be mended, and an object comes late
    if answer.status != 200:
        raise Temporary(f"S3 does not give the mail (HTTP {answer.status})")
    top = [(str(a), str(b)) for a, b in json.loads(ref.data.get("top", "[]"))]
    return Delivery(
        body=mails.topped(answer.body, top),
        headers=(("Content-Type", "message/rfc822"),),
        received_at=ctx.clock.now(),
    )


async def _confirm(ctx: Context, ref: FetchRef) -> Delivery:
    url = ref.data["confirm"]
    parts = urlsplit(url)
    if parts.scheme != "https" or not re.fullmatch(
        r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?", parts.netloc
    ):
        raise Permanent("policy", "the address to confirm the subscription at is not Amazon's")
    answer = await ctx.http.request("GET", url)
    if answer.status != 200:
        raise Temporary(f"SNS does not confirm the subscription (HTTP {answer.status})")
    return Delivery(
        body=answer.body[:10_000],
        headers=(("Content-Type", "text/xml"), (CONFIRMED, ref.data.get("topic", ""))),
        received_at=ctx.clock.now(),
    )


# ------------------------------------------------------------------------- what became of one


def _told(told: Told, kind: str) -> Iterator[Event]:
    about = (told.mail.message_id if told.mail else None) or ""
    match kind:
        case "Complaint":
            yield from _complained(told)
        case "Subscription":
            yield from _subscribed(told)
        case "Bounce" if about:
            yield _bounced(told.bounce or Fact(), about)
        case "Send" if about:
            yield events.receipt("sent", about, _at(told.send))
        case "Delivery" if about:
            yield events.receipt("delivered", about, _at(told.delivery))
        case "Open" if about:
            yield Opened(external_id=about, occurred_at=_at(told.open))
        case "Click" if about:
            link = (told.click.link if told.click else None) or ""
            yield Clicked(external_id=about, url=link[:2000], occurred_at=_at(told.click))
        case "Reject" if about:
            said = told.reject.reason if told.reject else None
            yield events.failed(about, None, said, reason="policy")
        case "Rendering Failure" if about:
            said = told.failure.error_message if told.failure else None
            yield events.failed(about, None, said, reason="unsupported_content")
        case _:
            return


def _at(fact: Fact | None) -> Any:
    return events.when(fact.timestamp) if fact else None


def _bounced(fact: Fact, about: str) -> Event:
    first = next(iter(fact.bounced_recipients or ()), Bounced())
    reason = SUBTYPES.get(fact.bounce_sub_type or "")
    if reason is None and fact.bounce_type == "Permanent" and first.status is None:
        reason = "bad_address"
    said = first.diagnostic_code or f"{fact.bounce_type or ''} {fact.bounce_sub_type or ''}"
    return events.failed(about, _at(fact), said, reason=reason, status=first.status)


def _complained(told: Told) -> Iterator[Event]:
    fact = told.complaint or Fact()
    if fact.complaint_feedback_type == "not-spam":
        return
    for each in fact.complained_recipients or ():
        yield from events.opted_out(each.email_address, "reported a mail as spam", _at(fact))


def _subscribed(told: Told) -> Iterator[Event]:
    fact = told.subscription or Fact()
    gone = (fact.new_topic_preferences or {}).get("unsubscribeAll")
    for each in (told.mail.destination if told.mail else None) or ():
        if gone is True:
            yield from events.opted_out(each, "unsubscribed from mail", _at(fact))
        elif gone is False:
            yield from events.opted_in(each, "subscribed again", _at(fact))


# ------------------------------------------------------------------------- sending


def sends(settings: Settings) -> bool:
    """Whether there is something to send with."""
    said = _of(settings)
    return bool(said.access_key_id and said.secret_access_key)


def named(message: Outbound, settings: Settings) -> Outbound:
    """A transmission with what it answers named as SES has named it on its way."""
    region = _of(settings).region
    domain = "email.amazonses.com" if region == "us-east-1" else f"{region}.amazonses.com"

    def full(known: str) -> str:
        return known if "@" in known or not known else f"<{known}@{domain}>"

    return msgspec.structs.replace(
        message,
        reply_to=full(message.reply_to) if message.reply_to else message.reply_to,
        earlier=tuple(map(full, message.earlier)),
    )


async def send(ctx: Context, letter: Letter, settings: Settings) -> Accepted:
    """One attempt, with the whole mail as it is."""
    wanted: dict[str, Any] = {
        "Content": {"Raw": {"Data": base64.b64encode(letter.raw).decode()}},
        "Destination": {
            "ToAddresses": [letter.recipient],
            **({"CcAddresses": list(letter.cc)} if letter.cc else {}),
            **({"BccAddresses": list(letter.bcc)} if letter.bcc else {}),
        },
    }
    if _of(settings).configuration_set:
        wanted["ConfigurationSetName"] = _of(settings).configuration_set
    body = json.dumps(wanted).encode()
    answer = await _asked(ctx, settings, "POST", "/v2/email/outbound-emails", body)
    if answer.status != 200:
        raise _refusal(ctx, answer)
    id_ = answers.told(answer).get("MessageId")
    if not isinstance(id_, str) or not id_:
        raise OutcomeUnknown("SES answered a success without an id")
    return Accepted(external_id=id_, status="queued")


def _refusal(ctx: Context, answer: HttpResponse) -> HookError:
    kind = answer.headers.get("x-amzn-errortype", "").partition(":")[0]
    told = answers.told(answer)
    words = events.line(told.get("message") or told.get("Message"), 200)
    if kind in KEYS or answer.status == 401:
        return CredentialsInvalid(f"Amazon refuses the keys ({kind or answer.status})")
    if kind in BUSY:
        wait = sending.retry_after(answer, ctx.clock.now())
        return Temporary(f"SES is busy ({kind})", retry_after=wait)
    if kind in ERRORS:
        reason = ERRORS[kind]
        if "not verified" in words:
            reason = "configuration"
        return Permanent(reason, f"SES refuses it ({kind}): {words}", provider_code=kind)
    return sending.refusal(ctx, answer)


def _proof(
    ctx: Context, method: str, url: str, settings: Settings, service: str, body: bytes = b""
) -> dict[str, str]:
    said = _of(settings)
    if not (said.access_key_id and said.secret_access_key):
        raise Permanent("configuration", "access_key_id and secret_access_key are not set")
    return sigv4.signed(
        method,
        url,
        service=service,
        region=said.region,
        key_id=said.access_key_id,
        secret=said.secret_access_key,
        now=ctx.clock.now(),
        body=body,
        headers={"Content-Type": "application/json"} if body else None,
    )


async def _asked(
    ctx: Context, settings: Settings, method: str, path: str, body: bytes = b""
) -> HttpResponse:
    url = f"https://email.{_of(settings).region}.amazonaws.com{path}"
    headers = _proof(ctx, method, url, settings, "ses", body)
    return await ctx.http.request(method, url, headers=headers, content=body or None)


# ------------------------------------------------------------------------- looking


async def look(ctx: Context, settings: Settings) -> None:
    """Raises what is wrong with the credentials."""
    answer = await _asked(ctx, settings, "GET", "/v2/email/account")
    if answer.status != 200:
        raise _refusal(ctx, answer)


async def check(ctx: Context, settings: Settings) -> AsyncIterator[Finding]:
    """The keys, whether the account may send, and the address."""
    answer = await _asked(ctx, settings, "GET", "/v2/email/account")
    yield credentials("SES", answer.status, "Look at the access key and its policy")
    if answer.status != 200:
        return
    told = answers.told(answer)
    if told.get("SendingEnabled") is not True:
        yield Finding(
            about="account",
            state="wrong",
            detail="it may not send",
            advice="See the reason in SES's console",
        )
    elif told.get("ProductionAccessEnabled") is not True:
        yield Finding(
            about="account",
            state="wrong",
            detail="it is in the sandbox: mail goes to verified addresses alone",
            advice="Ask for production access in SES's console",
        )
    domain = settings.address.rpartition("@")[2].lower()
    found = await _asked(ctx, settings, "GET", f"/v2/email/identities/{quote(domain, safe='')}")
    if found.status == 200 and answers.told(found).get("VerifiedForSendingStatus") is True:
        yield Finding(about=f"sender {domain}", detail="it is verified")
    else:
        words = "it is not verified" if found.status == 200 else f"HTTP {found.status}"
        advice = "Verify the domain in SES's console, in this region"
        yield Finding(about=f"sender {domain}", state="wrong", detail=words, advice=advice)
