"""What each provider's module does over real HTTP, and what it makes of bad posts and answers."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hub_email import mime
from hub_email_inbound import EmailInbound, sigv4
from hub_email_inbound.settings import Settings
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.plugin import (
    Address,
    ChannelNotice,
    CredentialsInvalid,
    Delivery,
    FetchRef,
    HookError,
    IngestResult,
    MediaRef,
    Message,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Secret,
    Temporary,
    Unsupported,
    Unverified,
    WirePart,
)
from hub.plugin.kit.verify import Verifier
from tests.plugin_kit.provider import Request, running
from tests.small_context import SmallContext
from tests.standins.mail_hooks import (
    CERTIFICATE,
    JSON,
    TOKEN,
    TOPIC,
    Answer,
    Asked,
    Headers,
    Keys,
    Providers,
    form,
    said,
)

ZOE = Address(scheme="email", value="zoe@customer.example")
HOOK = "https://hub.example/hooks/main/under-test"
NAMES = ("postmark", "mailgun", "sendgrid", "ses")
RAW = (
    "From: Zoe <zoe@customer.example>\r\nTo: help@example.com\r\nSubject: Hi\r\n"
    "Message-ID: <in-1@customer.example>\r\n\r\nIs Thursday fine?\r\n"
)
TAKEN: dict[str, Answer] = {
    "postmark": said(200, {"ErrorCode": 0, "Message": "OK", "MessageID": "g-1"}),
    "mailgun": said(200, {"id": "<41.hub@example.com>", "message": "Queued. Thank you."}),
    "sendgrid": (202, {"X-Message-Id": "sg-1"}, b""),
    "ses": said(200, {"MessageId": "0102019579c8ab20-aabbccdd-000000"}),
}


def message(ctx: SmallContext, **more: Any) -> Outbound:
    known: dict[str, Any] = {
        "id": "41",
        "address": ZOE,
        "own_address": "help@example.com",
        "deadline": ctx.clock.now() + timedelta(minutes=10),
        "reply_to": "<in-1@customer.example>",
        "wire": (WirePart(text="At nine. 🙂", subject="Grüße", html="<p>At nine.</p>"),),
    }
    return Outbound(**(known | more))


@asynccontextmanager
async def over(
    answering: Callable[[Asked], Answer],
) -> AsyncIterator[tuple[SmallContext, Providers]]:
    with Providers(answering) as providers:
        ctx = SmallContext(routes=providers.routes)
        yield ctx, providers
        await ctx.aclose()


async def read(
    channel: EmailInbound,
    body: bytes,
    headers: Headers,
    *,
    query: str = "",
    keys: Keys | None = None,
    source: Any = "http",
) -> IngestResult:
    ctx = SmallContext()
    came = Delivery(
        body=body,
        headers=headers,
        url=HOOK + query,
        source=source,
        received_at=ctx.clock.now(),
    )
    documents = {CERTIFICATE: keys.certificate} if keys else {}
    return await channel.ingest(ctx.at(came, Verifier(came, ctx.clock, documents)), came)


# ------------------------------------------------------------------------- sending


@pytest.mark.parametrize("name", NAMES)
async def test_an_answer_goes_out_with_all_that_belongs_to_it(
    settings: dict[str, Settings], name: str
) -> None:
    async with over(lambda _: TAKEN[name]) as (ctx, providers):
        accepted = await EmailInbound(settings[name]).send(ctx, message(ctx))
        (asked,) = providers.asked
    assert accepted.external_id
    sent = asked.body.decode("utf-8", "replace")
    if name == "ses":
        told = asked.json()
        assert told["Destination"] == {"ToAddresses": [ZOE.value]}
        sent = base64.b64decode(told["Content"]["Raw"]["Data"]).decode()
        assert "Signature=" in asked.headers["authorization"]
    assert "<in-1@customer.example>" in sent
    assert "zoe@customer.example" in sent
    if name in {"ses", "mailgun"}:  # the whole mail
        start = sent.index("From:")
        mail = mime.read(sent[start:].encode())
        assert mail.words("subject") == "Grüße"
        assert mail.parts[0].text().strip() == "At nine. 🙂"
    else:
        told = asked.json()
        assert "Grüße" in json.dumps(told, ensure_ascii=False)
        assert "<p>At nine.</p>" in json.dumps(told)
        assert accepted.external_id in json.dumps(told)


async def test_ses_answers_by_the_names_that_it_gives(settings: dict[str, Settings]) -> None:
    id_ = "0102019579c8ab20-aabbccdd-1122-000000"
    async with over(lambda _: TAKEN["ses"]) as (ctx, providers):
        wanted = message(ctx, reply_to=id_)
        await EmailInbound(settings["ses"]).send(ctx, wanted)
        (asked,) = providers.asked
    raw = base64.b64decode(asked.json()["Content"]["Raw"]["Data"])
    assert mime.read(raw).raw("in-reply-to") == f"<{id_}@eu-west-1.amazonses.com>"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((500, {}, b"<html>oops</html>"), OutcomeUnknown),
        ((503, {"Content-Type": "text/html"}, b"<html>closed</html>"), Temporary),
        ((429, {"Retry-After": "3"}, b"{}"), Temporary),
        ((401, {}, b"Forbidden"), CredentialsInvalid),
        ((200, {}, b"<html>Welcome</html>"), OutcomeUnknown),
    ],
)
async def test_what_becomes_of_strange_answers(
    settings: dict[str, Settings], name: str, answer: Answer, error: type[HookError]
) -> None:
    async with over(lambda _: answer) as (ctx, _):
        with pytest.raises(error) as refused:
            await EmailInbound(settings[name]).send(ctx, message(ctx))
    assert type(refused.value) is error


@pytest.mark.parametrize("name", NAMES)
async def test_a_connection_that_is_lost_after_the_request_tells_nothing(
    settings: dict[str, Settings], name: str
) -> None:
    async def lost(request: Request) -> None:
        request.writer.close()

    async with running(lost) as provider:
        ctx = SmallContext(routes=dict.fromkeys(Providers.hosts, provider.url))
        with pytest.raises(OutcomeUnknown):
            await EmailInbound(settings[name]).send(ctx, message(ctx))
        await ctx.aclose()


@pytest.mark.parametrize("name", NAMES)
async def test_a_provider_that_never_answers_can_be_given_up(
    settings: dict[str, Settings], name: str
) -> None:
    asked = asyncio.Event()

    async def never(_: Request) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with running(never) as provider:
        ctx = SmallContext(routes=dict.fromkeys(Providers.hosts, provider.url))
        task = asyncio.create_task(EmailInbound(settings[name]).send(ctx, message(ctx)))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await ctx.aclose()


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("postmark", {"server_token": None}),
        ("mailgun", {"api_key": None}),
        ("sendgrid", {"api_key": None}),
        ("ses", {"secret_access_key": None}),
    ],
)
async def test_without_keys_it_only_takes_in(
    settings: dict[str, Settings], name: str, without: dict[str, Any]
) -> None:
    own = replace(getattr(settings[name], name), **without)
    channel = EmailInbound(replace(settings[name], **{name: own}))
    assert not channel.info.can.outbound
    assert channel.info.can.media_out is None
    ctx = SmallContext()
    with pytest.raises(Unsupported):
        await channel.send(ctx, message(ctx))
    assert (await channel.health(ctx)).state == "ok"
    (found,) = await channel.check(ctx)
    assert found.state == "unknown"


def test_settings_say_what_is_missing() -> None:
    given: dict[str, Any] = {"provider": "mailgun", "address": "help@example.com"}
    with pytest.raises(msgspec.ValidationError, match=r"mailgun.*missing"):
        msgspec.convert(given, Settings)


# ------------------------------------------------------------------------- proofs


async def test_mailguns_signature_holds_for_half_a_day(
    settings: dict[str, Settings], keys: Keys
) -> None:
    channel = EmailInbound(settings["mailgun"])
    now = datetime.now(UTC)
    for hours, good in ((0, True), (11, True), (13, False), (-13, False)):
        signature = keys.mailgun(now - timedelta(hours=hours))
        told = {"event-data": {"event": "accepted"}, "signature": signature}
        body = json.dumps(told).encode()
        if good:
            assert (await read(channel, body, JSON)).ignored
            continue
        with pytest.raises(Unverified):
            await read(channel, body, JSON)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"signature": 7}', b'{"signature": {"timestamp": "\xc3\xa9"}}'],
)
async def test_what_has_no_signature_is_refused_and_not_stumbled_over(
    settings: dict[str, Settings], body: bytes
) -> None:
    for name in NAMES:
        with pytest.raises(Unverified):
            await read(EmailInbound(settings[name]), body, JSON)


async def test_sendgrids_events_need_a_key_and_its_mail_the_token(
    settings: dict[str, Settings], keys: Keys
) -> None:
    body = json.dumps([{"event": "processed"}]).encode()
    channel = EmailInbound(settings["sendgrid"])
    assert (await read(channel, body, keys.sendgrid(body))).ignored
    bare = replace(settings["sendgrid"].sendgrid, public_keys=())  # type: ignore[type-var]
    with pytest.raises(Unverified):
        await read(
            EmailInbound(replace(settings["sendgrid"], sendgrid=bare)), body, keys.sendgrid(body)
        )
    mail, headers = form([("email", RAW), ("to", "help@example.com")])
    assert (await read(channel, mail, headers, query=f"?token={TOKEN}")).events
    for query in ("", "?token=another", f"?token={TOKEN}&token={TOKEN}"):
        with pytest.raises(Unverified):
            await read(channel, mail, headers, query=query)


async def test_a_subscription_is_confirmed_for_our_own_topic_alone(
    settings: dict[str, Settings], keys: Keys
) -> None:
    channel = EmailInbound(settings["ses"])
    url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
    more = {"SubscribeURL": url, "Token": "t"}
    body = keys.sns("Subscribe", "SubscriptionConfirmation", **more)
    asks = await read(channel, body, JSON, keys=keys)
    (ref,) = asks.fetch
    other = keys.sns("Subscribe", "SubscriptionConfirmation", f"{TOPIC}-of-somebody", **more)
    with pytest.raises(Unverified):
        await read(channel, other, JSON, keys=keys)
    async with over(lambda _: (200, {}, b"<ConfirmSubscriptionResponse/>")) as (ctx, providers):
        came = await channel.fetch(ctx, ref)
        (asked,) = providers.asked
        elsewhere = replace(ref, data={**ref.data, "confirm": "https://evil.example/?Token=t"})
        with pytest.raises(Permanent):
            await channel.fetch(ctx, elsewhere)
        assert len(providers.asked) == 1
    assert asked.path == "/?Action=ConfirmSubscription&Token=t"
    (told,) = (await read(channel, came.body, came.headers, source="fetch")).events
    assert isinstance(told, ChannelNotice)
    assert told.state == "ok"


async def test_who_posts_what_the_hub_would_fetch_has_to_prove_it(
    settings: dict[str, Settings], keys: Keys
) -> None:
    for headers in (
        (("Content-Type", "message/rfc822"),),
        (("X-Hub-Subscription-Confirmed", TOPIC),),
    ):
        with pytest.raises(Unverified):
            await read(EmailInbound(settings["ses"]), RAW.encode(), headers, keys=keys)


# ------------------------------------------------------------------------- mail in S3


def test_requests_to_amazon_are_signed_as_its_own_example_is() -> None:
    """ "Authenticating requests", AWS Signature Version 4, the GET of an object."""
    headers = sigv4.signed(
        "GET",
        "https://examplebucket.s3.amazonaws.com/test.txt",
        service="s3",
        region="us-east-1",
        key_id="AKIAIOSFODNN7EXAMPLE",
        secret=Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        now=datetime(2013, 5, 24, tzinfo=UTC),
        headers={"Range": "bytes=0-9"},
    )
    signature = headers["authorization"].rpartition("Signature=")[2]
    assert signature == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"


async def test_a_mail_in_a_bucket_is_fetched(settings: dict[str, Settings], keys: Keys) -> None:
    channel = EmailInbound(settings["ses"])
    told = {
        "notificationType": "Received",
        "mail": {"messageId": "m-1"},
        "receipt": {
            "recipients": ["sales@example.com"],
            "spfVerdict": {"status": "FAIL"},
            "action": {"type": "S3", "bucketName": "hub-mail", "objectKey": "in/m 1"},
        },
    }
    asks = await read(channel, keys.sns(json.dumps(told)), JSON, keys=keys)
    (ref,) = asks.fetch
    raw = RAW.replace("To: help@example.com", "To: a list <list@example.net>").encode()
    async with over(lambda _: (200, {}, raw)) as (ctx, providers):
        came = await channel.fetch(ctx, ref)
        (asked,) = providers.asked
    assert (asked.host, asked.path) == ("hub-mail.s3.eu-west-1.amazonaws.com", "/in/m%201")
    assert asked.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIA")
    (mail,) = (await read(channel, came.body, came.headers, source="fetch")).events
    assert isinstance(mail, Message)
    assert (mail.text, mail.own_address) == ("Is Thursday fine?\n", "sales@example.com")
    assert "SPF fail" in mail.facts["Warning"]
    for status in (403, 404, 500):
        async with over(lambda _, status=status: (status, {}, b"<Error/>")) as (ctx, _):
            with pytest.raises(Temporary):
                await channel.fetch(ctx, ref)
    with pytest.raises(Permanent):
        await channel.fetch(SmallContext(), FetchRef(id="x", data={"bucket": "a/b", "key": "k"}))
    for name in ("postmark", "mailgun", "sendgrid"):
        with pytest.raises(Permanent):
            await EmailInbound(settings[name]).fetch(SmallContext(), ref)


# ------------------------------------------------------------------------- looking


LOOKS: dict[str, dict[str, Answer]] = {
    "postmark": {
        "/server": said(200, {"InboundHookUrl": HOOK.replace("//", "//hub:x@")}),
        "/webhooks": said(200, {"Webhooks": [{"Url": "https://elsewhere.example/"}]}),
    },
    "mailgun": {
        "/v3/domains/example.com/webhooks": said(200, {"webhooks": {"opened": {"urls": [HOOK]}}}),
        "/v3/routes": said(200, {"items": [{"actions": [f'forward("{HOOK}")']}]}),
    },
    "sendgrid": {
        "/v3/scopes": said(200, {"scopes": ["stats.read"]}),
        "/v3/user/webhooks/parse/settings": said(200, {"result": [{"url": f"{HOOK}?token=x"}]}),
    },
    "ses": {
        "/v2/email/account": said(200, {"SendingEnabled": True, "ProductionAccessEnabled": False}),
        "/v2/email/identities/example.com": said(200, {"VerifiedForSendingStatus": True}),
    },
}
WRONG = {
    "postmark": {"event webhooks"},
    "mailgun": set[str](),
    "sendgrid": {"API key"},
    "ses": {"account"},
}


@pytest.mark.parametrize("name", NAMES)
async def test_a_look_at_the_provider_says_what_to_change(
    settings: dict[str, Settings], name: str
) -> None:
    channel = EmailInbound(settings[name])
    answers = LOOKS[name]
    async with over(lambda asked: answers.get(asked.path, (404, {}, b"{}"))) as (ctx, _):
        found = await channel.check(ctx)
        assert {each.about for each in found if each.state == "wrong"} == WRONG[name]
        assert all(each.advice for each in found if each.state == "wrong")
        assert (await channel.health(ctx)).state == "ok"
    async with over(lambda _: (401, {}, b"{}")) as (ctx, _):
        (refused,) = await channel.check(ctx)
        assert (refused.about, refused.state) == ("credentials", "wrong")
        assert (await channel.health(ctx)).state == "needs_attention"
    async with over(lambda _: (503, {}, b"<html>")) as (ctx, _):
        assert (await channel.health(ctx)).state == "transient"


# ------------------------------------------------------------------------- hostile mail


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = {
    "postmark": ["RecordType", "FromFull", "Headers", "Attachments", "RawEmail", "Type", "Email"],
    "mailgun": ["from", "From", "message-headers", "body-mime", "body-plain", "recipient"],
    "sendgrid": ["from", "headers", "envelope", "charsets", "email", "text", "dkim", "SPF"],
}


@effort(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_whatever_is_posted_ends_in_a_word_of_the_api(
    settings: dict[str, Settings], keys: Keys, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from([*FIELDS, "ses"]))
    channel = EmailInbound(settings[name])
    headers: Headers = JSON
    query = ""
    if name == "ses":
        names = ["notificationType", "receipt", "mail", "content", "bounce", "complaint"]
        told = data.draw(st.dictionaries(st.sampled_from(names), JUNK))
        body = keys.sns(json.dumps({"eventType": "Bounce"} | told))
    elif name == "postmark":
        body = json.dumps(data.draw(st.dictionaries(st.sampled_from(FIELDS[name]), JUNK))).encode()
        headers = keys.postmark()
    else:
        drawn = data.draw(st.dictionaries(st.sampled_from(FIELDS[name]), st.text(max_size=60)))
        drawn |= keys.mailgun() if name == "mailgun" else {}
        body = urlencode(drawn).encode()
        headers = (("Content-Type", "application/x-www-form-urlencoded"),)
        query = f"?token={TOKEN}"
    try:
        result = await read(channel, body, headers, query=query, keys=keys)
    except HookError:
        return
    assert result.events or result.ignored or result.fetch


async def test_headers_cannot_be_smuggled_in(settings: dict[str, Settings], keys: Keys) -> None:
    told = {
        "FromFull": {"Email": "zoe@customer.example", "Name": 'Z"\r\nAuto-Submitted: auto-replied'},
        "Subject": "Hi\r\nIn-Reply-To: <41.hub@example.com>",
        "Headers": [
            {"Name": "X-A: b\r\nReferences", "Value": "<x@y.example>"},
            {"Name": "Message-ID", "Value": "<in-1@customer.example>"},
        ],
        "TextBody": "Hello",
    }
    body = json.dumps(told).encode()
    (came,) = (await read(EmailInbound(settings["postmark"]), body, keys.postmark())).events
    assert isinstance(came, Message)
    assert came.reply_to is None
    assert not came.automatic
    assert came.subject == "Hi In-Reply-To: <41.hub@example.com>"


PICTURE = b"\x89PNG\r\n\x1a\n a picture"
WITH_PICTURE = (
    b"From: zoe@customer.example\r\nTo: help@example.com\r\nSubject: Pump\r\n"
    b"Message-ID: <in-1@customer.example>\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/related; boundary="b"\r\n\r\n--b\r\n'
    b'Content-Type: text/html\r\n\r\n<p>Leaks</p><img src="cid:pump@phone">\r\n--b\r\n'
    b"Content-Type: image/png\r\nContent-ID: <pump@phone>\r\nContent-Disposition: inline\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(PICTURE) + b"\r\n--b--\r\n"
)


def with_a_picture(name: str, keys: Keys) -> tuple[bytes, Headers, str]:
    """A letter with a picture in its text, as each provider posts it."""
    html = '<p>Leaks</p><img src="cid:pump@phone">'
    if name == "postmark":
        file = {
            "Name": "pump.png",
            "ContentType": "image/png",
            "Content": base64.b64encode(PICTURE).decode(),
            "ContentID": "pump@phone",
        }
        told = {"From": "zoe@customer.example", "HtmlBody": html, "Attachments": [file]}
        return json.dumps(told).encode(), keys.postmark(), ""
    if name == "ses":
        told = {
            "notificationType": "Received",
            "mail": {"messageId": "m-1", "destination": ["help@example.com"]},
            "receipt": {"action": {"type": "SNS", "encoding": "UTF-8"}},
            "content": WITH_PICTURE.decode(),
        }
        return keys.sns(json.dumps(told)), JSON, ""
    if name == "mailgun":
        field = "attachment-1"
        named = {"body-html": html, "content-id-map": json.dumps({"<pump@phone>": field})}
        named |= keys.mailgun()
    else:
        field = "attachment1"
        named = {"html": html, "content-ids": json.dumps({"pump@phone": field})}
    fields = [("from", "zoe@customer.example"), *named.items()]
    return *form(fields, [(field, "pump.png", "image/png", PICTURE)]), f"?token={TOKEN}"


@pytest.mark.parametrize("name", NAMES)
async def test_a_picture_that_stands_in_the_text_is_known_as_the_text_has_it(
    settings: dict[str, Settings], keys: Keys, name: str
) -> None:
    body, headers, query = with_a_picture(name, keys)
    channel = EmailInbound(settings[name])
    (came,) = (await read(channel, body, headers, query=query, keys=keys)).events
    assert isinstance(came, Message)
    assert came.html is not None
    assert "cid:pump@phone" in came.html.html
    (file,) = came.media
    assert (file.content_id, file.content_type) == ("pump@phone", "image/png")
    assert file.size == len(PICTURE)


async def test_files_come_from_deliveries_alone(settings: dict[str, Settings]) -> None:
    for name in NAMES:
        for ref in (MediaRef(url="https://elsewhere.example/x"), MediaRef(part=1), MediaRef()):
            with pytest.raises(Permanent):
                await EmailInbound(settings[name]).fetch_media(ref)
