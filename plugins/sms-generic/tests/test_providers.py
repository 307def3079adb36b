"""The ready settings of the README, against stand-ins that behave as the providers document."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hub_sms_generic import GenericSms

from hub.plugin import (
    Address,
    CredentialsInvalid,
    Delivery,
    Event,
    Message,
    OptOut,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Receipt,
    Temporary,
    Unverified,
    WirePart,
)
from tests.plugin_kit.provider import Request, running
from tests.small_context import SmallContext
from tests.standins.generic_sms import HOOK, TOKEN, channel, ready

Answering = Callable[[Request], tuple[int, Any]]


async def sent(
    plugin: GenericSms, host: str, answering: Answering, text: str = "Thursday at nine"
) -> tuple[Any, Request]:
    """What ``send`` made of the provider's answer, and what the provider was asked."""

    async def behave(request: Request) -> None:
        status, body = answering(request)
        await request.answer(
            status, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )

    async with running(behave) as provider:
        ctx = SmallContext(public=HOOK, routes={host: provider.url})
        message = Outbound(
            id="t-7",
            address=Address(scheme="phone", value="+447700900142"),
            own_address=plugin.own_addresses()[0].value,
            deadline=datetime.now(UTC) + timedelta(minutes=5),
            wire=(WirePart(text=text),),
        )
        try:
            told: Any = await plugin.send(ctx, message)
        except (Permanent, Temporary, CredentialsInvalid, OutcomeUnknown) as error:
            told = error
        finally:
            await ctx.aclose()
        (request,) = provider.requests
        return told, request


async def took_in(plugin: GenericSms, delivery: Delivery) -> tuple[Event, ...]:
    result = await plugin.ingest(SmallContext(public=HOOK).at(delivery), delivery)
    assert result.events or result.ignored
    return result.events


def posted(body: Any, url: str = f"{HOOK}?token={TOKEN}") -> Delivery:
    at = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    if isinstance(body, list):
        kind, content = "application/x-www-form-urlencoded", urlencode(body).encode()
    else:
        kind, content = "application/json", json.dumps(body).encode()
    return Delivery(url=url, headers=(("Content-Type", kind),), body=content, received_at=at)


def got(parameters: list[tuple[str, str]]) -> Delivery:
    """The same as a GET."""
    query = urlencode([("token", TOKEN), *parameters])
    at = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    return Delivery(method="GET", url=f"{HOOK}?{query}", received_at=at)


@pytest.mark.parametrize("provider", ["Vonage", "Infobip", "Plivo"])
async def test_a_stranger_is_refused(provider: str) -> None:
    plugin = channel(ready(provider))
    for url in (HOOK, f"{HOOK}?token=another", f"{HOOK}?token=", f"{HOOK}?token=a&token=b"):
        delivery = posted({"text": "hello"}, url)
        with pytest.raises(Unverified):
            await plugin.ingest(SmallContext().at(delivery), delivery)
    assert plugin.info.can.verifies == "token"


# ---- Vonage: success and failure are told in the body, with HTTP 200


def vonage(status: str, **more: Any) -> Answering:
    def answer(request: Request) -> tuple[int, Any]:
        form = dict(parse_qsl(request.body.decode()))
        known = (form["api_key"], form["api_secret"]) == ("a1b2c3d4", "secret VONAGE_API_SECRET")
        one = {"to": form["to"], "status": status if known else "4", **more}
        return 200, {"message-count": "1", "messages": [one]}

    return answer


async def test_vonage_takes_a_message() -> None:
    plugin = channel(ready("Vonage"))
    fine = vonage("0", **{"message-id": "0C00000021AA", "remaining-balance": "9.1"})
    told, request = await sent(plugin, "rest.nexmo.com", fine)
    assert told.external_id == "0C00000021AA"
    form = dict(parse_qsl(request.body.decode()))
    assert (form["from"], form["to"], form["text"], form["type"], form["client-ref"]) == (
        *("447700900100", "447700900142", "Thursday at nine"),
        *("text", "t-7"),
    )
    called = urlsplit(form["callback"])
    assert dict(parse_qsl(called.query)) == {"token": TOKEN}
    _, request = await sent(plugin, "rest.nexmo.com", fine, text="Es schneit ❄")
    assert dict(parse_qsl(request.body.decode()))["type"] == "unicode"


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        ("1", Temporary, None),
        ("2", Permanent, "other"),
        ("6", Permanent, "bad_address"),
        ("9", CredentialsInvalid, None),
    ],
)
async def test_vonage_refuses_with_http_200(
    status: str, error: type[Exception], reason: str | None
) -> None:
    told, _ = await sent(channel(ready("Vonage")), "rest.nexmo.com", vonage(status))
    assert type(told) is error
    assert getattr(told, "reason", None) == reason


async def test_vonage_does_not_know_the_secret() -> None:
    given = ready("Vonage")
    given["secrets"]["api_secret"] = "another"
    told, _ = await sent(channel(given), "rest.nexmo.com", vonage("0", **{"message-id": "1"}))
    assert type(told) is CredentialsInvalid


@pytest.mark.parametrize("deliver", [got, posted, lambda pairs: posted(dict(pairs))])
async def test_vonage_delivers_in_three_ways(
    deliver: Callable[[list[tuple[str, str]]], Delivery],
) -> None:
    plugin = channel(ready("Vonage"))
    (message,) = await took_in(
        plugin,
        deliver(
            [
                *(("msisdn", "447700900142"), ("to", "447700900100"), ("messageId", "0B01")),
                *(("text", "Hello 🙂"), ("type", "unicode"), ("keyword", "HELLO")),
                ("message-timestamp", "2026-03-02 09:29:58"),
            ]
        ),
    )
    assert isinstance(message, Message)
    assert message.external_id == "0B01"
    assert message.sender[0].value == "+447700900142"
    assert (message.own_address, message.text) == ("+447700900100", "Hello 🙂")
    assert message.occurred_at == datetime(2026, 3, 2, 9, 29, 58, tzinfo=UTC)
    receipt = [
        *(("msisdn", "447700900142"), ("to", "447700900100"), ("messageId", "0C00000021AA")),
        *(("network-code", "23410"), ("scts", "2603020930"), ("client-ref", "t-7")),
        ("message-timestamp", "2026-03-02 09:30:10"),
    ]
    (done,) = await took_in(plugin, deliver([*receipt, ("status", "delivered"), ("err-code", "0")]))
    assert isinstance(done, Receipt)
    assert (done.status, done.external_id, done.transmission_id) == (
        *("delivered", "0C00000021AA"),
        "t-7",
    )
    (failed,) = await took_in(plugin, deliver([*receipt, ("status", "failed"), ("err-code", "9")]))
    assert isinstance(failed, Receipt)
    assert (failed.status, failed.reason, failed.provider_code) == ("failed", "opted_out", "9")


# ---- Infobip: arrays of messages and of reports


def infobip(request: Request) -> tuple[int, Any]:
    if request.headers.get("authorization") != "App secret INFOBIP_API_KEY":
        words = {"messageId": "UNAUTHORIZED", "text": "Invalid login details"}
        return 401, {"requestError": {"serviceException": words}}
    (message,) = json.loads(request.body)["messages"]
    (to,) = message["destinations"]
    status = {"groupId": 1, "groupName": "PENDING", "id": 26, "name": "PENDING_ACCEPTED"}
    if message["content"]["text"] == "no credit":
        status = {"groupId": 5, "groupName": "REJECTED", "name": "REJECTED_NOT_ENOUGH_CREDITS"}
    one = {"messageId": "2250be2d4219", "status": status, "destination": to["to"]}
    return 200, {"bulkId": "b-1", "messages": [one]}


async def test_infobip_takes_a_message() -> None:
    plugin = channel(ready("Infobip"))
    told, request = await sent(plugin, "yours.api.infobip.com", infobip)
    assert told.external_id == "2250be2d4219"
    (message,) = json.loads(request.body)["messages"]
    assert message == {
        "sender": "447700900100",
        "destinations": [{"to": "447700900142"}],
        "content": {"text": "Thursday at nine"},
        "webhooks": {"delivery": {"url": f"{HOOK}?token={TOKEN}"}, "callbackData": "t-7"},
    }
    told, _ = await sent(plugin, "yours.api.infobip.com", infobip, text="no credit")
    assert type(told) is CredentialsInvalid
    given = ready("Infobip")
    given["secrets"]["key"] = "another"
    told, _ = await sent(channel(given), "yours.api.infobip.com", infobip)
    assert type(told) is CredentialsInvalid


async def test_infobip_delivers_several_at_once() -> None:
    plugin = channel(ready("Infobip"))
    one = {"from": "447700900142", "to": "447700900100", "text": "One", "cleanText": "One"}
    two = {"from": "447700900143", "to": "447700900100", "text": "STOP", "smsCount": 1}
    body = {
        "results": [
            {"messageId": "81", **one, "receivedAt": "2026-03-02T09:29:58.000+0000"},
            {"messageId": "82", **two, "receivedAt": "2026-03-02T10:29:59.500+0100"},
        ],
        "messageCount": 2,
        "pendingMessageCount": 0,
    }
    first, second, stop = await took_in(plugin, posted(body))
    assert isinstance(first, Message)
    assert isinstance(second, Message)
    assert [first.external_id, second.external_id] == ["81", "82"]
    assert second.occurred_at == datetime(2026, 3, 2, 9, 29, 59, 500_000, tzinfo=UTC)
    assert isinstance(stop, OptOut)
    assert stop.address.value == "+447700900143"


async def test_infobip_reports_several_at_once() -> None:
    plugin = channel(ready("Infobip"))

    def report(id_: str, group: str, name: str, error: str) -> dict[str, Any]:
        return {
            "bulkId": "b-1",
            "messageId": id_,
            "to": "447700900142",
            "callbackData": "t-7",
            "sentAt": "2026-03-02T09:30:00.000+0000",
            "doneAt": "2026-03-02T09:30:04.000+0000",
            "status": {"groupName": group, "name": name},
            "error": {"groupId": 0, "name": error, "permanent": error != "NO_ERROR"},
        }

    done, unknown, poor = await took_in(
        plugin,
        posted(
            {
                "results": [
                    report("91", "DELIVERED", "DELIVERED_TO_HANDSET", "NO_ERROR"),
                    report("92", "UNDELIVERABLE", "UNDELIVERABLE_NOT_DELIVERED",
                           "EC_UNKNOWN_SUBSCRIBER"),
                    report("93", "REJECTED", "REJECTED_DESTINATION", "NO_ERROR"),
                ]
            }
        ),
    )  # fmt: skip
    assert isinstance(done, Receipt)
    assert isinstance(unknown, Receipt)
    assert isinstance(poor, Receipt)
    assert (done.status, done.external_id, done.transmission_id) == ("delivered", "91", "t-7")
    assert (unknown.reason, unknown.provider_code) == ("bad_address", "EC_UNKNOWN_SUBSCRIBER")
    assert (poor.reason, poor.provider_code) == ("bad_address", "REJECTED_DESTINATION")


# ---- Plivo: JSON out, forms in, XML as the answer


def plivo(request: Request) -> tuple[int, Any]:
    wanted = base64.b64encode(b"MAXXXXXXXXXXXXXXXXXX:secret PLIVO_AUTH_TOKEN").decode()
    if request.headers.get("authorization") != f"Basic {wanted}":
        return 401, "Could not verify your access level"
    if json.loads(request.body)["dst"] == json.loads(request.body)["src"]:
        return 400, {"api_id": "a-1", "error": "src and dst are the same"}
    uuid = "1d27a4e2-0000-11ee-8af9-0242ac110002"
    return 202, {"api_id": "a-1", "message": "message(s) queued", "message_uuid": [uuid]}


async def test_plivo_takes_a_message() -> None:
    plugin = channel(ready("Plivo"))
    told, request = await sent(plugin, "api.plivo.com", plivo)
    assert told.external_id == "1d27a4e2-0000-11ee-8af9-0242ac110002"
    assert request.target == "/v1/Account/MAXXXXXXXXXXXXXXXXXX/Message/"
    assert json.loads(request.body) == {
        "src": "+14155550100",
        "dst": "+447700900142",
        "text": "Thursday at nine",
        "url": f"{HOOK}?token={TOKEN}",
        "method": "POST",
    }
    told, _ = await sent(channel(ready("Plivo"), numbers=["+447700900142"]), "api.plivo.com", plivo)
    assert (type(told), told.reason) == (Permanent, "other")
    given = ready("Plivo")
    given["send"]["basic"]["password"] = "another"
    told, _ = await sent(channel(given), "api.plivo.com", plivo)
    assert type(told) is CredentialsInvalid


async def test_plivo_delivers_forms() -> None:
    plugin = channel(ready("Plivo"))
    delivery = posted(
        [
            *(("From", "447700900142"), ("To", "14155550100"), ("Type", "sms")),
            *(("Text", "Is it & is it + not?"), ("MessageUUID", "5b40a428")),
        ]
    )
    result = await plugin.ingest(SmallContext().at(delivery), delivery)
    (message,) = result.events
    assert isinstance(message, Message)
    assert (message.text, message.own_address) == ("Is it & is it + not?", "+14155550100")
    assert result.reply is not None
    assert (result.reply.content_type, result.reply.body) == ("text/xml", b"<Response/>")
    report = [("MessageUUID", "1d27a4e2"), ("From", "14155550100"), ("To", "447700900142")]
    events: list[Event] = []
    for status, code in (("queued", ""), ("sent", ""), ("delivered", ""), ("undelivered", "200")):
        pairs = [*report, ("Status", status), *([("ErrorCode", code)] if code else [])]
        events += await took_in(plugin, posted(pairs))
    assert [event.status for event in events if isinstance(event, Receipt)] == [
        *("queued", "sent", "delivered"),
        "failed",
    ]
    last = events[-1]
    assert isinstance(last, Receipt)
    assert (last.reason, last.provider_code) == ("opted_out", "200")
