"""The stand-in itself: it must notice what Twilio would, or it proves nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from tests import recorded
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN, TwilioStandIn

CUSTOMER = "+15550199999"
BASIC = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"


@pytest.fixture
def twilio() -> Iterator[TwilioStandIn]:
    with TwilioStandIn(recorded.path("openapi/twilio_api_v2010.json")) as twilio:
        yield twilio


class ToTheStandIn(TwilioHttpClient):
    def __init__(self, base_url: str) -> None:
        super().__init__(pool_connections=False)
        self.base_url = base_url

    def request(self, method: str, url: str, *args: Any, **rest: Any):
        there = url.replace("https://api.twilio.com", self.base_url)
        return super().request(method, there, *args, **rest)


@pytest.fixture
def client(twilio: TwilioStandIn) -> Client:
    return Client(ACCOUNT, TOKEN, http_client=ToTheStandIn(twilio.base_url))


def test_the_official_client_finds_nothing_amiss(twilio: TwilioStandIn, client: Client) -> None:
    made = client.messages.create(to=CUSTOMER, from_=NUMBER, body="Hello")
    assert made.sid
    assert client.messages(made.sid).fetch().body == "Hello"
    assert [each.sid for each in client.messages.list(to=CUSTOMER, limit=5)] == [made.sid]
    assert client.messages.list(to="+15550100009", limit=5) == []
    assert client.api.v2010.accounts(ACCOUNT).fetch().status == "active"
    assert twilio.spec_errors == []


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"From": NUMBER, "Body": "x"}, "'To' is a required property"),
        ({"To": CUSTOMER, "MessagingServiceSid": "MG1", "Body": "x"}, "MG1"),
        ({"To": CUSTOMER, "From": NUMBER, "Body": "x", "ScheduleType": "never"}, "never"),
        ({"To": CUSTOMER, "From": NUMBER, "StatusCallback": "notaurl"}, "StatusCallback"),
        ({"To": CUSTOMER, "From": NUMBER, "StatusCallback": "https://a_b.c/"}, "StatusCallback"),
    ],
)
def test_what_the_specification_forbids_is_noticed(
    twilio: TwilioStandIn, form: dict[str, str], said: str
) -> None:
    httpx2.post(twilio.base_url + MESSAGES, data=form, headers={"Authorization": BASIC})
    assert any(said in error for error in twilio.spec_errors), twilio.spec_errors


def test_json_and_missing_credentials_are_noticed(twilio: TwilioStandIn) -> None:
    httpx2.post(twilio.base_url + MESSAGES, json={}, headers={"Authorization": BASIC})
    assert len(twilio.spec_errors) == 1
    answer = httpx2.post(twilio.base_url + MESSAGES, data={"To": CUSTOMER})
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)
    assert len(twilio.spec_errors) == 2


def test_its_own_answers_are_checked_too(twilio: TwilioStandIn, client: Client) -> None:
    made = client.messages.create(to=CUSTOMER, from_=NUMBER, body="Hello")
    twilio.sent[0].resource["status"] = "teleported"
    client.messages(made.sid or "").fetch()
    assert any("teleported" in error for error in twilio.spec_errors)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"to": "banana", "from_": NUMBER, "body": "x"}, 21211),
        ({"to": CUSTOMER, "body": "x"}, 21603),
        ({"to": CUSTOMER, "from_": "+15550100099", "body": "x"}, 21606),
        ({"to": CUSTOMER, "from_": NUMBER}, 21619),
        ({"to": CUSTOMER, "from_": NUMBER, "body": "x" * 1601}, 21617),
        ({"to": "+15005550001", "from_": NUMBER, "body": "x"}, 21211),
    ],
)
def test_it_refuses_as_twilio_does(
    twilio: TwilioStandIn, client: Client, form: dict[str, str], code: int
) -> None:
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(**form)
    assert refused.value.code == code
    assert twilio.sent == []


def test_who_has_stopped_is_refused(twilio: TwilioStandIn, client: Client) -> None:
    with pytest.raises(httpx2.TransportError):
        twilio.inbound("http://127.0.0.1:1/", CUSTOMER, NUMBER, "STOP")
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(to=CUSTOMER, from_=NUMBER, body="x")
    assert refused.value.code == 21610


def test_webhooks_are_signed_over_the_public_address(twilio: TwilioStandIn, client: Client) -> None:
    public = "https://hub.example/hooks/main/sms"
    # The stand-in itself takes the post: what it records is what the hub would get.
    twilio._reach[public] = twilio.base_url + "/taken"
    made = client.messages.create(
        to=CUSTOMER, from_=NUMBER, body="x", status_callback=f"{public}?transmission=1"
    )
    twilio.callback(made.sid or "", "undelivered", 30003)
    twilio.inbound(public, CUSTOMER, NUMBER, "é", [("image/png", b"x")], OptOutType="HELP")
    status, inbound = twilio.requests[-2:]
    official = RequestValidator(TOKEN)
    for request, url in ((status, f"{public}?transmission=1"), (inbound, public)):
        signature = request.headers["x-twilio-signature"]
        assert official.validate(url, dict(request.form), signature)
        assert not official.validate(twilio.base_url, dict(request.form), signature)
    assert dict(status.form)["MessageStatus"] == "undelivered"
    assert dict(status.form)["ErrorCode"] == "30003"
    fields = dict(inbound.form)
    assert (fields["Body"], fields["NumMedia"], fields["OptOutType"]) == ("é", "1", "HELP")
