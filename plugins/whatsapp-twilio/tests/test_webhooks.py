"""Webhooks with true signatures: whose they are, and what they say."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hub_whatsapp_twilio import TwilioWhatsApp
from hub_whatsapp_twilio.settings import Settings
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st
from msgspec.structs import replace
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import ImmutableMultiDict

from hub.plugin import Delivery, IngestResult, Malformed, Message, Receipt, Secret, Unverified
from tests.small_context import SmallContext
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN

URL = "https://hub.example/hooks/main/under-test"
SID = "SM" + "1" * 32
KNOWN = Settings(account_sid=ACCOUNT, auth_token=Secret(TOKEN), numbers=(NUMBER,))
TEXT = {
    "MessageSid": SID,
    "AccountSid": ACCOUNT,
    "From": "whatsapp:+4915112345678",
    "To": f"whatsapp:{NUMBER}",
    "WaId": "4915112345678",
    "ProfileName": "Karla",
    "Body": "Hello",
}


def delivered(fields: dict[str, str] | bytes, url: str = URL, token: str = TOKEN) -> Delivery:
    """A form as Twilio posts it, signed by Twilio's own package."""
    raw = fields if isinstance(fields, bytes) else urlencode(fields).encode()
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


def ingested(delivery: Delivery, settings: Settings = KNOWN) -> IngestResult:
    ctx = SmallContext()
    return asyncio.run(TwilioWhatsApp(settings).ingest(ctx.at(delivery), delivery))


def message(**fields: str) -> Message:
    (event,) = ingested(delivered(TEXT | fields)).events
    assert isinstance(event, Message)
    return event


def test_a_message_is_answered_with_empty_twiml() -> None:
    result = ingested(delivered(TEXT))
    assert result.verification is not None
    assert result.reply is not None
    assert b"<Response/>" in result.reply.body
    assert result.reply.content_type.startswith("text/xml")


@pytest.mark.parametrize("token", ["another", ""])
def test_what_is_not_signed_is_refused(token: str) -> None:
    with pytest.raises(Unverified):
        ingested(delivered(TEXT, token=token))


def test_a_token_that_is_being_replaced() -> None:
    both = replace(KNOWN, auth_tokens=(Secret("the next"),))
    assert ingested(delivered(TEXT, token="the next"), both).events


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        ({}, ["+4915112345678"]),
        ({"ExternalUserId": "DE.77"}, ["+4915112345678", "DE.77"]),
        ({"ExternalUserId": "whatsapp:DE.77"}, ["+4915112345678", "DE.77"]),
        ({"From": "whatsapp:DE.77"}, ["DE.77"]),
        ({"From": "whatsapp:DE.77", "ExternalUserId": "DE.77"}, ["DE.77"]),
        ({"From": "whatsapp:+541112345678"}, ["+5491112345678"]),
        ({"ExternalUserId": "nobody"}, ["+4915112345678"]),
    ],
)
def test_who_wrote(fields: dict[str, str], values: list[str]) -> None:
    assert [address.value for address in message(**fields).sender] == values


@pytest.mark.parametrize(
    "fields",
    [
        {"From": ""},
        {"From": "whatsapp:"},
        {"From": "whatsapp:nobody"},
        {"From": "+4915112345678"},
        {"From": "messenger:4711"},
        {"From": "rcs:+4915112345678"},
        {"MessageSid": ""},
        {"MessageSid": "a b"},
        {"Body": "\x00", "From": "whatsapp:+0"},
    ],
)
def test_what_is_broken_is_kept_aside(fields: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        ingested(delivered(TEXT | fields))


def test_a_field_that_comes_twice_is_not_guessed_at() -> None:
    twice = urlencode(TEXT).encode() + b"&Body=Another"
    with pytest.raises(Malformed):
        ingested(delivered(twice))


@pytest.mark.parametrize("status", ["queued", "sent", "delivered", "read", "undelivered", "failed"])
def test_statuses_come_in_any_order_and_name_our_id(status: str) -> None:
    told = {**TEXT, "MessageStatus": status, "ErrorCode": "63016", "ChannelPrefix": "whatsapp"}
    (receipt,) = ingested(delivered(told, f"{URL}?transmission=7")).events
    assert isinstance(receipt, Receipt)
    failed = status in {"undelivered", "failed"}
    assert receipt.status == ("failed" if failed else status)
    assert (receipt.external_id, receipt.transmission_id) == (SID, "7")
    assert receipt.reason == ("window_closed" if failed else None)


@pytest.mark.parametrize(
    ("fields", "facts"),
    [
        ({"FlowData": "7"}, {"Form": "7"}),
        ({"FlowData": "[" * 100_000}, None),
        ({"InteractiveData": '{"a": {"b": 1}}'}, {"a": '{"b": 1}'}),
        ({"InteractiveData": '{"flowResponse": [1, "x"]}'}, {"Form": "1, x"}),
        ({"Latitude": "52.5"}, {}),
        ({"Latitude": "52.5", "Longitude": "13.4"}, {"Location": "52.5, 13.4"}),
        ({"Forwarded": "false"}, {}),
        ({"ListId": "a"}, {"Choice": "a"}),
    ],
)
def test_odd_answers(fields: dict[str, str], facts: dict[str, str] | None) -> None:
    found = message(**fields)
    assert (found.facts == facts) if facts is not None else found.facts


def test_a_message_that_says_nothing_is_shown_as_such() -> None:
    assert message(Body="", MessageType="reaction").facts == {"Unsupported": "reaction"}
    assert message(Body="").facts == {"Unsupported": "message"}


NAMES = (
    *("From", "To", "Body", "ButtonText", "FlowData", "InteractiveData", "MessageStatus"),
    *("Latitude", "Longitude", "MediaUrl0", "NumMedia", "ErrorCode", "OptOutType", "Timestamp"),
    *("ExternalUserId", "MessageSid", "ReferralBody", "Forwarded"),
)
VALUES = ("whatsapp:+1", "failed", "STOP", "{}", "[]", "true", "63016", "1e400")
FIELDS = st.dictionaries(
    st.sampled_from(NAMES), st.text(max_size=12) | st.sampled_from(VALUES), max_size=6
)


@tried(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(FIELDS)
def test_anything_is_understood_or_refused(fields: dict[str, Any]) -> None:
    with suppress(Malformed):
        result = ingested(delivered(TEXT | fields))
        assert result.events or result.ignored
