"""Webhooks, recorded and made, with true signatures."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

import pytest
from hub_sms_twilio import TwilioSms
from hub_sms_twilio.settings import Settings
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st
from msgspec.structs import replace
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import ImmutableMultiDict

from hub.plugin import (
    Address,
    ChannelNotice,
    Delivery,
    IngestResult,
    Malformed,
    MediaRef,
    Message,
    OptIn,
    OptOut,
    Receipt,
    Secret,
    Unverified,
)
from hub.plugin.kit.verify import Replayed
from tests import recorded
from tests.plugin_kit.provider import Request, running
from tests.small_context import SmallContext
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN, TwilioStandIn

URL = "https://hub.example/hooks/main/under-test"
ME = "+14155550001"
SID = "SM" + "1" * 32
TEXT = {"MessageSid": SID, "AccountSid": ACCOUNT, "From": ME, "To": NUMBER, "Body": "Hello"}


def delivered(
    body: bytes | dict[str, str] | list[tuple[str, str]], url: str = URL, token: str = TOKEN
) -> Delivery:
    """A form as Twilio posts it, signed by Twilio's own package."""
    raw = body if isinstance(body, bytes) else urlencode(body).encode()
    pairs = parse_qsl(raw.decode(errors="replace"), keep_blank_values=True)
    signature = RequestValidator(token).compute_signature(url, ImmutableMultiDict(pairs))
    return Delivery(
        body=raw,
        url=url,
        headers=(
            ("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"),
            ("X-Twilio-Signature", signature),
        ),
        received_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


def ingested(delivery: Delivery, settings: Settings | None = None) -> IngestResult:
    known = Settings(account_sid=ACCOUNT, auth_token=Secret(TOKEN), numbers=(NUMBER,))
    ctx = SmallContext()
    return asyncio.run(TwilioSms(settings or known).ingest(ctx.at(delivery), delivery))


def recording(name: str) -> IngestResult:
    """A recorded body, to a channel of its account."""
    body = recorded.path(f"twilio/{name}.form").read_bytes()
    account = dict(parse_qsl(body.decode())).get("AccountSid", ACCOUNT)
    settings = Settings(account_sid=account, auth_token=Secret(TOKEN), numbers=(NUMBER,))
    result = ingested(delivered(body), settings)
    assert result.verification is not None
    assert result.verification.method == "twilio"
    assert result.reply is not None
    assert (result.reply.status, result.reply.content_type[:8]) == (200, "text/xml")
    assert b"<Response/>" in result.reply.body
    return result


def phone(value: str, display: str | None = None) -> Address:
    return Address(scheme="phone", value=value, display=display, verified=True)


# ---- recorded


def test_recorded_text() -> None:
    assert recording("sms_inbound_us_geo").events == (
        Message(
            external_id="SM7067f0beef82c65fb6785v46754v6754",
            sender=(phone("+15005550006", "+1 500-555-0006"),),
            own_address="+14158161286",
            text="Hello, it me",
        ),
    )


def test_recorded_text_with_numbers_no_plan_knows() -> None:
    (message,) = recording("sms_inbound_botbuilder").events
    assert isinstance(message, Message)
    assert (message.external_id, message.text) == ("3333", "Hello")
    assert message.sender == (phone("+2222"),)
    assert message.own_address == "+1111"


def test_recorded_text_with_parameters_nobody_told_of() -> None:
    (message,) = recording("sms_inbound_with_addons").events
    assert isinstance(message, Message)
    assert message.text == "This is a test message."
    assert message.sender[0].value == "+12425551212"


def test_recorded_stop() -> None:
    message, out = recording("sms_inbound_stop_optouttype").events
    at = datetime(2026, 7, 17, 12, 1, tzinfo=UTC)
    assert isinstance(message, Message)
    assert (message.text, message.occurred_at) == ("STOP", at)
    assert out == OptOut(
        address=phone("+15550000001", "+1 555-000-0001"),
        how="replied STOP",
        own_address="+15550000002",
        occurred_at=at,
    )


def test_recorded_picture_without_words_to_a_short_code() -> None:
    (message,) = recording("mms_inbound_shortcode_empty_body").events
    assert isinstance(message, Message)
    assert (message.text, message.own_address) == ("", "38383")
    (media,) = message.media
    assert media.content_type == "image/png"
    assert (media.url or "").startswith("https://api.twilio.com/2010-04-01/Accounts/AC")


def test_recorded_picture_with_an_address_that_is_none() -> None:
    (message,) = recording("mms_inbound_botbuilder_bad_media_url").events
    assert isinstance(message, Message)
    assert message.text == "Hello"
    assert message.media == (MediaRef(url="www.contoso.com"),)


@pytest.mark.parametrize("name", ["status_delivered", "status_delivered_with_errorcode_30007"])
def test_recorded_delivered(name: str) -> None:
    assert recording(name).events == (
        Receipt(status="delivered", external_id="SM86006fa9b56c465597ce14987a3f85a2"),
    )


def test_recorded_delivered_with_a_time() -> None:
    (receipt,) = recording("status_delivered_rawdlr").events
    assert isinstance(receipt, Receipt)
    assert receipt.occurred_at == datetime(2026, 7, 17, 12, 6, tzinfo=UTC)


def test_recorded_undelivered_with_nothing_but_the_needed() -> None:
    assert recording("status_undelivered_30008_minimal").events == (
        Receipt(
            status="failed",
            external_id="SM123",
            reason="other",
            detail="The carrier gave no reason",
            provider_code="30008",
        ),
    )


@pytest.mark.parametrize("name", ["voice_inbound_ringing", "voice_status_completed_outbound"])
def test_recorded_calls_are_not_this_channels(name: str) -> None:
    result = recording(name)
    assert result.events == ()
    assert "call" in (result.ignored or "")


@pytest.mark.parametrize("name", ["whatsapp_inbound_text", "whatsapp_inbound_voice_note_no_body"])
def test_recorded_whatsapp_is_kept_for_a_person_to_see(name: str) -> None:
    with pytest.raises(Malformed, match="no sender of text messages"):
        recording(name)


# ---- who it is from


@pytest.mark.parametrize(
    ("from_", "address"),
    [
        ("+14155550001", phone("+14155550001", "+1 415-555-0001")),
        (" 14155550001", phone("14155550001")),
        ("38383", phone("38383")),
        ("ACME Shop", Address(scheme="sms-twilio:sender", value="ACME Shop", display="ACME Shop")),
    ],
)
def test_the_sender(from_: str, address: Address) -> None:
    (message,) = ingested(delivered(TEXT | {"From": from_})).events
    assert isinstance(message, Message)
    assert message.sender == (address,)


@pytest.mark.parametrize("from_", ["", " ", "whatsapp:+14155550001", "rcs:x", "messenger:1"])
def test_no_sender_of_texts(from_: str) -> None:
    with pytest.raises(Malformed):
        ingested(delivered(TEXT | {"From": from_}))


@pytest.mark.parametrize("missing", ["MessageSid", "From"])
def test_what_has_to_be_there(missing: str) -> None:
    with pytest.raises(Malformed):
        ingested(delivered({name: value for name, value in TEXT.items() if name != missing}))


@pytest.mark.parametrize("optional", ["AccountSid", "To", "Body"])
def test_what_may_be_missing(optional: str) -> None:
    (message,) = ingested(
        delivered({name: value for name, value in TEXT.items() if name != optional})
    ).events
    assert isinstance(message, Message)


def test_an_older_name_of_the_id() -> None:
    old = {"SmsSid" if name == "MessageSid" else name: value for name, value in TEXT.items()}
    (message,) = ingested(delivered(old)).events
    assert isinstance(message, Message)
    assert message.external_id == SID


def test_another_account_is_not_this_channels() -> None:
    result = ingested(delivered(TEXT | {"AccountSid": "AC" + "9" * 32}))
    assert result.events == ()
    assert "another account" in (result.ignored or "")
    assert result.verification is not None


def test_a_field_with_two_values_is_refused() -> None:
    with pytest.raises(Malformed, match="several values"):
        ingested(delivered([*TEXT.items(), ("From", "+14155550002")]))
    (message,) = ingested(
        delivered([*TEXT.items(), ("From", ME), ("New", "1"), ("New", "2")])
    ).events
    assert isinstance(message, Message)


# ---- what it says


@pytest.mark.parametrize(
    "text", ["😀 שלום\u202e e\u0301", "a\x00b", " \n", "x" * 65536, "<script>&amp;", "é+%2B&=;"]
)
def test_words_come_unchanged(text: str) -> None:
    (message,) = ingested(delivered(TEXT | {"Body": text})).events
    assert isinstance(message, Message)
    assert message.text == text


def test_several_files_in_order() -> None:
    media = {f"MediaUrl{n}": f"https://api.twilio.com/{n}" for n in range(3)}
    types = {"MediaContentType0": "image/jpeg", "MediaContentType2": "text/vcard"}
    (message,) = ingested(delivered(TEXT | media | types | {"NumMedia": "x"})).events
    assert isinstance(message, Message)
    assert [(m.url, m.content_type) for m in message.media] == [
        ("https://api.twilio.com/0", "image/jpeg"),
        ("https://api.twilio.com/1", None),
        ("https://api.twilio.com/2", "text/vcard"),
    ]


def test_a_place() -> None:
    place = {"Latitude": "48.2", "Longitude": "16.4", "Label": "Office", "Address": "1 Street"}
    (message,) = ingested(delivered(TEXT | place)).events
    assert isinstance(message, Message)
    assert message.facts == {
        "Place": "Office",
        "Address": "1 Street",
        "Location": "48.2, 16.4",
    }


@pytest.mark.parametrize("word", ["STOP", " stop\n", "Unsubscribe", "quit", "OPTOUT", "Revoke"])
def test_a_word_that_stops(word: str) -> None:
    message, out = ingested(delivered(TEXT | {"Body": word})).events
    assert isinstance(message, Message)
    assert isinstance(out, OptOut)
    assert (out.address, out.own_address) == (message.sender[0], NUMBER)


@pytest.mark.parametrize(
    "text", ["please stop", "STOP it", "stopp", "cancel my visit", "HELP", "yes", "", "end."]
)
def test_words_that_only_look_like_it(text: str) -> None:
    (message,) = ingested(delivered(TEXT | {"Body": text})).events
    assert isinstance(message, Message)


def test_start_and_the_words_of_advanced_opt_out() -> None:
    service = {"MessagingServiceSid": "MG" + "0" * 32}
    _, back = ingested(delivered(TEXT | {"Body": "Start"})).events
    assert back == OptIn(
        address=phone(ME, "+1 415-555-0001"), how="replied Start", own_address=NUMBER
    )
    # Words of the account's own choice, known to Twilio alone; they hold for the whole service.
    _, out = ingested(delivered(TEXT | {"Body": "Basta", "OptOutType": "STOP"} | service)).events
    assert isinstance(out, OptOut)
    assert (out.how, out.own_address) == ("replied Basta", None)
    _, back = ingested(delivered(TEXT | {"Body": "yes", "OptOutType": "START"})).events
    assert isinstance(back, OptIn)
    # Twilio has said what it is: a stop word that it does not take for one is none.
    assert len(ingested(delivered(TEXT | {"Body": "END", "OptOutType": "HELP"})).events) == 1


# ---- what became of ours


STATUS = {"MessageSid": SID, "AccountSid": ACCOUNT, "From": NUMBER, "To": ME}


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("accepted", "queued"),
        ("scheduled", "queued"),
        ("queued", "queued"),
        ("sending", "queued"),
        ("sent", "sent"),
        ("partially_delivered", "sent"),
        ("delivered", "delivered"),
        ("read", "read"),
        ("undelivered", "failed"),
        ("failed", "failed"),
        ("canceled", "failed"),
    ],
)
def test_every_status_of_the_specification(said: str, status: str) -> None:
    schemas = recorded.load("openapi/twilio_api_v2010.json")["components"]["schemas"]
    known = set(schemas["message_enum_status"]["enum"]) - {"receiving", "received"}
    from hub_sms_twilio.forms import STATUSES

    assert known == set(STATUSES)
    (receipt,) = ingested(delivered(STATUS | {"MessageStatus": said, "SmsStatus": said})).events
    assert isinstance(receipt, Receipt)
    assert (receipt.status, receipt.external_id) == (status, SID)
    assert (receipt.reason is not None) == (status == "failed")


def test_a_status_of_tomorrow_is_passed_over() -> None:
    result = ingested(delivered(STATUS | {"MessageStatus": "teleported"}))
    assert result.events == ()
    assert "teleported" in (result.ignored or "")


def test_a_receipt_names_our_message_too() -> None:
    given = delivered(STATUS | {"MessageStatus": "sent"}, url=f"{URL}?transmission=t%201")
    (receipt,) = ingested(given).events
    assert isinstance(receipt, Receipt)
    assert (receipt.external_id, receipt.transmission_id) == (SID, "t 1")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("30003", "other"),
        ("30005", "bad_address"),
        ("30006", "bad_address"),
        ("30007", "policy"),
        ("30034", "configuration"),
        ("21610", "opted_out"),
        ("39999", "other"),
        ("", "other"),
        ("x", "other"),
    ],
)
def test_why_it_was_not_delivered(code: str, reason: str) -> None:
    (receipt,) = ingested(
        delivered(STATUS | {"MessageStatus": "undelivered", "ErrorCode": code})
    ).events
    assert isinstance(receipt, Receipt)
    assert receipt.reason == reason
    assert receipt.provider_code == (code if code.isdigit() else None)
    assert receipt.detail


def test_a_suspended_account_asks_for_a_person() -> None:
    suspended = STATUS | {"MessageStatus": "failed", "ErrorCode": "30002"}
    receipt, notice = ingested(delivered(suspended)).events
    assert isinstance(receipt, Receipt)
    assert notice == ChannelNotice(text="The account is suspended", state="needs_attention")


# ---- proof


def test_only_what_is_signed_is_read() -> None:
    good = delivered(TEXT)
    for bad in (
        delivered(TEXT, token="another"),
        replace(good, headers=good.headers[:1]),
        replace(good, body=good.body + b"&x=1"),
        replace(good, url=URL.replace("main", "other")),
        replace(good, body=b"%FF=\xff"),
        replace(good, headers=(("Content-Type", "application/json"), good.headers[1])),
    ):
        with pytest.raises(Unverified):
            ingested(bad)


def test_tokens_while_one_is_replaced_and_shared_keys() -> None:
    new = Settings(
        account_sid=ACCOUNT,
        auth_token=Secret("new"),
        auth_tokens=(Secret(TOKEN),),
        shared_keys={"webhooks_1": Secret("shared")},
        numbers=(NUMBER,),
    )
    assert ingested(delivered(TEXT), new).events
    assert ingested(delivered(TEXT, token="new"), new).events
    signature = RequestValidator("shared").compute_signature(URL, TEXT, "HMAC_SHA256")
    settings = "key=webhooks_1,algorithm=HMAC_SHA256"
    headers = (
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("X-Twilio-Signature", signature),
        ("X-Twilio-Webhooks-Signature-Settings", settings),
    )
    assert ingested(replace(delivered(TEXT), headers=headers), new).events
    with pytest.raises(Unverified):
        ingested(replace(delivered(TEXT), headers=headers[:2]), new)


def test_a_stored_delivery_reads_the_same_after_the_token_changed(settings: Settings) -> None:
    given = delivered(TEXT)
    first = ingested(given)
    assert first.verification
    ctx = SmallContext()
    rotated = TwilioSms(replace(settings, auth_token=Secret("rotated")))
    again = asyncio.run(rotated.ingest(ctx.at(given, Replayed(first.verification)), given))
    assert again.events == first.events


FIELDS = st.dictionaries(
    st.sampled_from(
        [
            *("MessageSid", "SmsSid", "From", "To", "Body", "MessageStatus", "ErrorCode"),
            *("MediaUrl0", "MediaContentType0", "NumMedia", "OptOutType", "Timestamp"),
            *("AccountSid", "CallSid", "Latitude", "Longitude", "MessagingServiceSid"),
        ]
    ),
    st.text(st.characters(codec="utf-8"), max_size=20)
    | st.sampled_from([SID, ME, ACCOUNT, "failed", "sent", "30007", "STOP", "9" * 5000, "NaN"]),
)


@given(FIELDS)
@tried(suppress_health_check=[HealthCheck.too_slow], max_examples=300)
def test_whatever_is_signed_ends_in_a_declared_way(fields: dict[str, str]) -> None:
    given = delivered(fields)
    try:
        first = ingested(given)
    except Malformed:
        return
    assert ingested(given).events == first.events
    assert first.verification
    assert first.events or first.ignored
    for event in first.events:
        if isinstance(event, Message):
            assert event.sender[0].value
            assert event.external_id


# ---- from a real Twilio to a real hub-side listener, and the files


async def test_the_stand_ins_webhooks_and_files(
    twilio: TwilioStandIn, ctx: SmallContext, settings: Settings
) -> None:
    channel = TwilioSms(settings)
    results: list[IngestResult] = []

    async def webhook(request: Request) -> None:
        given = Delivery(
            body=request.body,
            url=URL,
            headers=tuple(request.headers.items()),
            received_at=datetime.now(UTC),
        )
        results.append(await channel.ingest(ctx.at(given), given))
        reply = results[-1].reply
        assert reply
        await request.answer(body=reply.body, headers={"Content-Type": reply.content_type})

    async with running(webhook) as hub:
        twilio._reach[URL] = hub.url
        media = [("image/png", b"PNG bytes"), ("text/vcard", b"BEGIN:VCARD")]
        answer = await asyncio.to_thread(twilio.inbound, URL, ME, NUMBER, "Look", media)
    assert (answer.status_code, answer.headers["content-type"][:8]) == (200, "text/xml")
    (message,) = results[0].events
    assert isinstance(message, Message)

    files = [await channel.fetch_media(ctx, ref) for ref in message.media]
    assert [each.body for each in files] == [b"PNG bytes", b"BEGIN:VCARD"]
    assert files[0].content_type == "image/png"
    assert files[0].name == "picture.png"
    at_twilio, at_store = twilio.requests[0], twilio.requests[1]
    assert (at_twilio.host, at_twilio.user) == ("api.twilio.com", ACCOUNT)
    assert at_store.host == "media.store.example"
    assert "authorization" not in at_store.headers
