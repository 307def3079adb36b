"""Shapes of other providers' webhooks, requests and answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hub_sms_generic import GenericSms
from hypothesis import given
from hypothesis import strategies as st

from hub.plugin import (
    Address,
    BadAddress,
    ComposeFacts,
    Delivery,
    Event,
    HookError,
    IngestResult,
    Item,
    Malformed,
    Message,
    OptIn,
    OptOut,
    Outbound,
    OutcomeUnknown,
    Receipt,
    Temporary,
    Unsupported,
    Unverified,
    WirePart,
)
from hub.plugin.kit.recorded import NOW, Answer, Call, RecordedContext
from tests.small_context import SmallContext
from tests.standins.generic_sms import channel, settings

INCOMING = {"id": "id", "from": "from", "to": "to", "text": "text", "time": "time"}
PLAIN: dict[str, Any] = {"verify": {"by": "none"}, "incoming": INCOMING}
SEND = {"url": "https://sms.example/send", "json": {"to": "{to}", "text": "{text}"}, "id": "id"}


async def ingest(plugin: GenericSms, delivery: Delivery) -> IngestResult:
    return await plugin.ingest(RecordedContext().at(delivery), delivery)


def post(body: Any, **more: Any) -> Delivery:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    more.setdefault("url", "https://hub.example/hooks/main/texts")
    return Delivery(body=content, received_at=NOW, **more)


async def events(body: Any, **change: Any) -> tuple[Event, ...]:
    return (await ingest(channel(PLAIN | change), post(body))).events


# ---- webhooks


async def test_a_list_at_the_top() -> None:
    found = await events(
        [{"id": 1, "from": "4512345678", "text": "a"}, {"id": 2, "from": "4512345679", "text": "b"}]
    )
    assert [event.external_id for event in found if isinstance(event, Message)] == ["1", "2"]


async def test_arrays_in_arrays_and_what_stands_above() -> None:
    rule = {
        "id": "join('/', [request.body.batch, code])",
        "status": "status",
        "statuses": {"Delivered": "delivered", "Failed": "failed"},
        # JMESPath cannot look up from within a projection: what stands above is named outright.
        "each": "[groups[?s=='ok'].to[].{status: 'Delivered', code: @}, "
        "groups[?s=='no'].to[].{status: 'Failed', code: @}][]",
    }
    body = {
        "batch": "b1",
        "groups": [{"s": "no", "to": ["z"]}, {"s": "ok", "to": ["x", "y"]}],
    }
    found = await events(body, send=SEND, receipts=rule)
    assert [e.external_id for e in found if isinstance(e, Receipt)] == ["b1/x", "b1/y", "b1/z"]


async def test_both_kinds_at_one_address_told_apart_by_an_event_and_its_header() -> None:
    incoming = INCOMING | {"each": "data", "when": "request.body.event == 'in'", "from": "from.no"}
    receipts = {
        "each": "data",
        "when": "request.headers.\"x-event\" == 'report'",
        "own_id": "request.query.id",
        "status": "status",
        "statuses": {"ok": "delivered"},
    }
    plugin = channel(PLAIN | {"incoming": incoming, "receipts": receipts, "send": SEND})
    message = {"id": "1", "from": {"no": "+4512345678"}, "text": "a", "status": "received"}
    (first,) = (await ingest(plugin, post({"event": "in", "data": message}))).events
    assert isinstance(first, Message)
    report = post(
        {"event": "out", "data": [{"status": "ok", "text": "our own words"}]},
        url="https://hub.example/hooks/main/texts?id=t-9",
        headers=(("X-Event", "report"),),
    )
    (second,) = (await ingest(plugin, report)).events
    assert second == Receipt(status="delivered", transmission_id="t-9")


async def test_what_has_a_text_beside_a_status_is_not_lost() -> None:
    receipts = {"id": "id", "status": "status", "statuses": {"ok": "delivered"}}
    body = {"id": "1", "from": "+4512345678", "text": "Hello", "status": "received"}
    (message,) = await events(body, receipts=receipts, send=SEND)
    assert isinstance(message, Message)


@pytest.mark.parametrize(
    ("said", "at"),
    [
        (1772443800, datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("1772443800", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        (1772443800.5, datetime(2026, 3, 2, 9, 30, 0, 500_000, tzinfo=UTC)),
        (1772443800500, datetime(2026, 3, 2, 9, 30, 0, 500_000, tzinfo=UTC)),
        ("1772443800500000", datetime(2026, 3, 2, 9, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-03-02T09:30:00Z", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("2026-03-02T10:30:00.000+0100", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("2026-03-02 09:30:00", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("Mon, 02 Mar 2026 09:30:00 +0000", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        *((nothing, None) for nothing in ("", "soon", None, [], -5, 1e300, True, "9" * 40)),
        ("2026-99-99", None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
async def test_times(said: Any, at: datetime | None) -> None:
    (message,) = await events({"id": "1", "from": "+4512345678", "text": "a", "time": said})
    assert isinstance(message, Message)
    assert message.occurred_at == at


async def test_times_of_a_format_and_a_zone_of_its_own() -> None:
    incoming = INCOMING | {"time_format": "%y%m%d%H%M", "time_zone": "Europe/Copenhagen"}
    body = {"id": "1", "from": "+4512345678", "text": "a", "time": "2607021130"}
    (message,) = await events(body, incoming=incoming)
    assert isinstance(message, Message)
    assert message.occurred_at == datetime(2026, 7, 2, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "change", "value"),
    [
        ("+45 12 34 56 78", {}, "+4512345678"),
        ("004512345678", {}, "+4512345678"),
        ("4512345678", {}, "+4512345678"),
        (4512345678, {}, "+4512345678"),
        ("2442", {}, "2442"),
        ("4155550142", {"digits": "national", "country": "US"}, "+14155550142"),
        ("04155550142", {"digits": "national", "numbers": ["+4915112345678"]}, "+494155550142"),
        ("14155550142", {"digits": "national", "country": "US"}, "+14155550142"),
        ("Northbank", {}, "Northbank"),
    ],
)
async def test_numbers(written: Any, change: dict[str, Any], value: str) -> None:
    (message,) = await events({"id": "1", "from": written, "text": "a"}, **change)
    assert isinstance(message, Message)
    assert message.sender[0].value == value


async def test_a_text_that_is_missing_nothing_or_a_number() -> None:
    body: dict[str, Any] = {"id": "1", "from": "+4512345678"}
    for text, read in ((None, ""), ("", ""), (17, "17")):
        (message,) = await events(body | {"text": text})
        assert isinstance(message, Message)
        assert message.text == read
    for text in (1.5, True, [], {"a": 1}):
        with pytest.raises(Malformed, match=r"incoming\.text"):
            await events(body | {"text": text})


async def test_a_form_and_its_own_id_in_the_address() -> None:
    receipts = {
        "own_id": "request.query.ours",
        "status": "state",
        "statuses": {"1": "delivered", "2": "failed"},
        "error": "reason",
        "errors": {"7": "opted_out"},
    }
    plugin = channel(PLAIN | {"receipts": receipts, "send": SEND})
    delivery = post(
        b"state=2&reason=7",
        url="https://hub.example/hooks/main/texts?ours=t-1",
        headers=(("content-type", "application/x-www-form-urlencoded; charset=utf-8"),),
    )
    (receipt,) = (await ingest(plugin, delivery)).events
    assert isinstance(receipt, Receipt)
    assert (receipt.transmission_id, receipt.status, receipt.reason) == (
        "t-1",
        "failed",
        "opted_out",
    )


async def test_opt_outs_by_the_provider_alone() -> None:
    choice = {"stop": [], "start": [], "stop_when": "kind=='stop'", "start_when": "kind=='start'"}
    body = {"id": "1", "from": "+4512345678", "text": "STOP"}
    assert len(await events(body, opt_out=choice)) == 1
    for kind, event in (("stop", OptOut), ("start", OptIn)):
        _, told = await events(body | {"kind": kind}, opt_out=choice)
        assert type(told) is event


async def test_too_many_at_once_are_kept_aside() -> None:
    with pytest.raises(Malformed, match="more than"):
        await events([{"id": str(n)} for n in range(1001)])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["id", "from", "to", "text", "time", "status", "data", "x"]),
                inner,
                max_size=6,
            )
        ),
        max_leaves=20,
    )
)
async def test_nothing_that_is_posted_breaks_it(body: Any) -> None:
    receipts = {"id": "id", "status": "status", "each": "data || @", "statuses": {"a": "sent"}}
    plugin = channel(PLAIN | {"receipts": receipts, "send": SEND})
    try:
        result = await ingest(plugin, post(body))
    except HookError:
        return
    assert result.events or result.ignored


# ---- proofs


async def test_a_signature_over_a_time_and_the_body() -> None:
    by = {
        "by": "hmac",
        "keys": ["k"],
        "header": "X-Sign",
        "algorithm": "sha512",
        "encoding": "base64",
        "signed": "{header.X-Time}.{body}",
        "prefix": "v1=",
    }
    plugin = channel(PLAIN | {"verify": by})
    assert plugin.info.can.verifies == "signature"
    body = json.dumps({"id": "1", "from": "+4512345678", "text": "a"}).encode()
    digest = hmac.digest(b"k", b"1700000000." + body, hashlib.sha512)
    sign = base64.b64encode(digest).decode()
    headers = (("X-Time", "1700000000"), ("X-Sign", f"v1={sign}"))
    assert (await ingest(plugin, post(body, headers=headers))).events
    for wrong in ((("X-Time", "1700000001"), headers[1]), headers[:1], headers[1:]):
        with pytest.raises(Unverified):
            await ingest(plugin, post(body, headers=wrong))


async def test_who_proves_nothing_is_marked() -> None:
    plugin = channel(PLAIN)
    assert plugin.info.can.verifies == "none"
    result = await ingest(plugin, post({"id": "1", "from": "+4512345678", "text": "a"}))
    assert result.verification is None
    basic = channel(PLAIN | {"verify": {"by": "basic", "user": "u", "keys": ["p"]}})
    assert basic.info.can.verifies == "basic"
    for headers, fine in (((("Authorization", "Basic dTpw"),), True), ((), False)):
        delivery = post({"id": "1", "from": "+4512345678", "text": "a"}, headers=headers)
        if fine:
            assert (await ingest(basic, delivery)).verification is not None
        else:
            with pytest.raises(Unverified):
                await ingest(basic, delivery)


def test_settings_decide_what_it_can() -> None:
    can = channel(PLAIN).info.can
    assert (can.outbound, can.receipts, can.inbound) == (False, frozenset(), frozenset({"http"}))
    can = channel({"verify": {"by": "none"}, "send": SEND}).info.can
    assert (can.outbound, can.receipts, can.inbound) == (True, frozenset(), frozenset())


# ---- requests and answers


def outbound(text: str = 'Hello {to} & "you"', to: str = "+4512345678", own: str = "") -> Outbound:
    return Outbound(
        id="t-7",
        address=Address(scheme="phone", value=to),
        own_address=own,
        deadline=datetime(2100, 1, 1, tzinfo=UTC),
        wire=(WirePart(text=text),),
    )


async def asked(send: dict[str, Any], answer: Answer, **change: Any) -> tuple[Any, Call]:
    calls: list[Call] = []

    async def provider(call: Call) -> Answer:
        calls.append(call)
        return answer

    plugin = channel({"verify": {"by": "none"}, "send": send} | change)
    try:
        told: Any = await plugin.send(RecordedContext(answering=provider), outbound())
    except HookError as error:
        told = error
    return told, calls[0]


async def test_a_get_with_everything_in_the_address_and_an_answer_in_words() -> None:
    send = {
        "method": "GET",
        "url": "https://sms.example/{to_digits}/send",
        "query": {"key": "{secret.key}", "message": "{text}", "ref": "{id}", "from": "{from}"},
        "id_pattern": r"OK:\s*(\S+)",
        "errors": {"HTTP 400": "bad_address"},
    }
    more = {"secrets": {"key": "s3 cret"}, "numbers": ["Roofs", "+4512345600"]}
    told, call = await asked(send, Answer(body=b"OK: 4711\n"), **more)
    assert told.external_id == "4711"
    parts = urlsplit(call.url)
    assert (parts.path, call.body) == ("/4512345678/send", b"")
    assert dict(parse_qsl(parts.query)) == {
        "key": "s3 cret",
        "message": 'Hello {to} & "you"',
        "ref": "t-7",
        "from": "Roofs",
    }
    told, _ = await asked(send, Answer(body=b"ERROR: who?"), **more)
    assert type(told) is OutcomeUnknown
    told, _ = await asked(send, Answer(status=400, body=b"no such number"), **more)
    assert told.reason == "bad_address"


async def test_numbers_as_numbers_and_a_list_at_the_top() -> None:
    send = {
        "url": "https://sms.example/send",
        "json": [{"recipients": [{"msisdn": "{to_number}"}], "text": "{text}", "flash": False}],
        "id": "ids[0]",
        "headers": {"X-Key": "{secret.key}"},
    }
    told, call = await asked(
        send, Answer(body=b'{"ids": [9007199254740993]}'), secrets={"key": "k"}
    )
    assert told.external_id == "9007199254740993"
    assert json.loads(call.body) == [
        {"recipients": [{"msisdn": 4512345678}], "text": 'Hello {to} & "you"', "flash": False}
    ]
    assert call.headers["x-key"] == "k"


async def test_our_own_id_names_a_message() -> None:
    send = {
        "url": "https://sms.example/send",
        "form": {"to": "{to}", "text": "{text}", "ref": "{id}"},
    }
    told, call = await asked(send, Answer(status=202))
    assert told.external_id == "t-7"
    assert dict(call.form())["ref"] == "t-7"
    receipts = {"own_id": "ref", "status": "s", "statuses": {"ok": "delivered"}}
    plugin = channel({"verify": {"by": "none"}, "send": send, "receipts": receipts})
    (receipt,) = (await ingest(plugin, post({"ref": "t-7", "s": "ok"}))).events
    assert receipt == Receipt(status="delivered", external_id="t-7", transmission_id="t-7")


async def test_a_busy_provider_says_when_by_its_own_code() -> None:
    send = SEND | {"ok": "ok", "error": "errors[*].code", "errors": {"77": "temporary"}}
    answer = Answer(headers={"Retry-After": "30"}, body=b'{"ok": false, "errors": [{"code": 77}]}')
    told, _ = await asked(send, answer)
    assert (type(told), told.retry_after) == (Temporary, 30.0)


async def test_a_channel_that_only_takes_in_sends_nothing() -> None:
    with pytest.raises(Unsupported):
        await channel(PLAIN).send(SmallContext(), outbound())


# ---- what people see


def test_the_composer() -> None:
    plugin = channel({"verify": {"by": "none"}, "send": SEND, "max_length": 200})
    item = Item(direction="out", text="é" * 161)
    assert plugin.render(item, "composer").warnings == ("2 segments",)
    item = Item(direction="out", text="x" * 201)
    assert plugin.render(item, "composer").warnings == ("Too long: 201 of 200 characters",)
    name = Address(scheme="sms-generic:sender", value="Northbank")
    facts = ComposeFacts(address=name, own_address="", now=NOW, last_inbound_at=None)
    assert plugin.compose_rules(facts).may == "closed"
    with pytest.raises(BadAddress):
        plugin.normalise_address("415 555 0142")
    american = channel({"verify": {"by": "none"}, "send": SEND, "country": "US"})
    assert american.normalise_address("(415) 555-0142").value == "+14155550142"


# ---- settings


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"verify": None}, "verify"),
        ({"verify": {"by": "trust"}}, "verify"),
        ({"verify": {"by": "header", "keys": [], "header": "X"}}, "verify.keys"),
        ({"verify": {"by": "hmac", "keys": ["k"], "header": "X", "signed": "{text}"}}, "signed"),
        ({"verify": {"by": "hmac", "keys": ["k"], "header": "X", "signed": "x"}}, "signed"),
        (
            {"incoming": INCOMING | {"id": "message-id"}},
            "id: 'message-id'.*double quotes.*incoming",
        ),
        ({"incoming": INCOMING | {"from": "a["}}, "from: .*incoming"),
        ({"incoming": INCOMING | {"time_zone": "Mars"}}, "time_zone"),
        ({"incoming": {"id": "id", "text": "text"}}, "`from`.*incoming"),
        ({"incoming": INCOMING | {"form": "x"}}, "form.*incoming"),
        ({"send": SEND | {"json": {"a": "{too}"}}}, "send.json: {too}"),
        ({"send": SEND | {"headers": {"A": "{secret.key}"}}}, "secrets: send.headers names 'key'"),
        ({"send": SEND | {"json": {"from": "{from}"}}}, "numbers: send.json"),
        ({"send": SEND | {"form": {}}}, "form and json.*send"),
        ({"send": SEND | {"id": None}}, "id: "),
        ({"send": SEND | {"id_pattern": "x"}}, "id and id_pattern"),
        ({"send": {"url": "https://x.example", "id_pattern": "("}}, "id_pattern"),
        ({"send": {"url": "https://x.example", "id_pattern": "OK"}}, "id_pattern.*group"),
        ({"send": SEND | {"url": "ftp://x.example"}}, "send.url"),
        ({"send": SEND | {"method": "GET"}}, "method"),
        ({"send": SEND | {"errors": {"1": "sad"}}}, "send.errors"),
        ({"receipts": {"id": "id", "status": "s", "statuses": {"a": "sent"}}}, "receipts"),
        (
            {"send": SEND, "receipts": {"status": "s", "statuses": {"a": "sent"}}},
            "own_id.*receipts",
        ),
        (
            {"send": SEND, "receipts": {"id": "i", "status": "s", "statuses": {}}},
            "receipts.statuses",
        ),
        ({"health": {"url": "https://x.example/{to}"}}, "health.url: {to}"),
        ({"incoming": None}, "send and incoming"),
        ({"numbers": ["555-0100"]}, "numbers"),
        ({"country": "usa"}, "country"),
        ({"max_length": 0}, "max_length"),
        ({"answer": {"content_type": "x"}}, "answer.content_type"),
    ],
)
def test_mistakes_are_told_by_their_key(change: dict[str, Any], words: str) -> None:
    given = {key: value for key, value in (PLAIN | change).items() if value is not None}
    if isinstance(given.get("send"), dict):
        given["send"] = {k: v for k, v in given["send"].items() if v is not None}
    with pytest.raises(msgspec.ValidationError, match=words):
        settings(given)
