"""What a delivery is verified by may have to be fetched: ``ingest`` asks nobody, the hub does."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from hub.flow.host import documents
from hub.plugin import Delivery
from hub.plugin.kit import signing
from hub.store import tables as t
from tests.inlets.conftest import House, until
from tests.plugin_kit.test_public_keys import CERTIFICATE_URL, certificate, key_set, private
from tests.standins.courier import Courier

TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
KEY, OTHER = (rsa.generate_private_key(65537, 2048) for _ in range(2))
PATH = CERTIFICATE_URL.partition(".com")[2]


def sns(text: str = "hello", key: Any = KEY, url: str = CERTIFICATE_URL) -> bytes:
    told = {
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": TOPIC,
        "Message": json.dumps({"id": f"c-{text}", "text": text}),
        "Timestamp": datetime.now(UTC).isoformat(),
    }
    plain = Delivery(body=json.dumps(told).encode(), received_at=datetime.now(UTC))
    return signing.sns(plain, private(key), certificate_url=url, version="2").body


def token(text: str, key: Any, name: str) -> Delivery:
    body = json.dumps({"id": f"c-{text}", "text": text}).encode()
    plain = Delivery(body=body, received_at=datetime.now(UTC))
    return signing.jwt(plain, private(key), "RS256", key_id=name, body_hash="payload_hash")


def asked(courier: Courier, path: str) -> int:
    return sum(one == path for one, _ in courier.asked)


@pytest.fixture(autouse=True)
def _certificate(courier: Courier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.plugin_kit.test_public_keys.NOW", datetime.now(UTC))
    courier.files[PATH] = certificate(KEY)


async def test_a_certificate_is_fetched_once_and_forgeries_are_turned_away(
    house: House, courier: Courier
) -> None:
    async with house.open("courier-sns"):
        texts = [f"number {number}" for number in range(5)]
        answers = await asyncio.gather(*(house.deliver(sns(text)) for text in texts))
        assert {answer.status_code for answer in answers} == {200}
        assert sorted(await house.texts()) == texts
        assert asked(courier, PATH) == 1
        assert (await house.deliver(sns("forged", OTHER))).status_code == 403
        assert (await house.deliver(sns().replace(b"hello", b"hullo"))).status_code == 403
        elsewhere = CERTIFICATE_URL.replace("sns.eu-west-1", "sns.evil.example/")
        assert (await house.deliver(sns(url=elsewhere))).status_code == 403
        missing = CERTIFICATE_URL.replace("0123", "9999")
        for _ in range(3):
            assert (await house.deliver(sns(url=missing))).status_code == 403
        assert len(courier.asked) == 2, "what is not there is not asked for again and again"
        assert len(await house.rows(t.deliveries)) == len(texts), "no forgery is kept"
        assert {row.proof is None for row in await house.rows(t.deliveries)} == {False}


async def test_while_a_certificate_cannot_be_had_nothing_is_lost(
    house: House, courier: Courier, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "FRESH", 0.2)
    courier.status[PATH] = 503
    async with house.open("courier-sns"):
        assert (await house.deliver(sns())).status_code == 200
        ((row),) = await house.rows(t.deliveries)
        assert row.state == "unverified"
        assert "and cannot be had: answered 503" in row.reason
        assert await house.texts() == []
        courier.status.clear()
        await until(house.texts)
        ((row),) = await house.rows(t.deliveries)
        assert (row.state, row.proof is None) == ("done", False)


async def test_a_key_set_is_fetched_again_for_a_key_it_does_not_have(
    house: House, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    courier.files["/keys"] = key_set(first=KEY)

    async def post(one: Delivery) -> int:
        return (await house.deliver(one.body, one.headers)).status_code

    async with house.open("courier-sns"):
        assert await post(token("one", KEY, "first")) == 200
        assert await post(token("two", OTHER, "second")) == 403
        assert asked(courier, "/keys") == 1, "not for everybody who makes up a name"
        courier.files["/keys"] = key_set(first=KEY, second=OTHER)
        monkeypatch.setattr(documents, "FRESH", 0.0)
        assert await post(token("two", OTHER, "second")) == 200
        assert await post(token("three", KEY, "first")) == 200
        assert asked(courier, "/keys") == 2
        assert await house.texts() == ["one", "two", "three"]
