"""Webhooks: whose they are, and bodies that are odd or hostile."""

from __future__ import annotations

import asyncio
import hmac
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hub_whatsapp_cloud import WhatsAppCloud
from hub_whatsapp_cloud.settings import Settings
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.plugin import Delivery, IngestResult, Malformed, Message, Secret, Unverified
from tests.small_context import SmallContext
from tests.standins.meta import ACCOUNT, NUMBER, NUMBER_ID, SECRET, TOKEN, VERIFY

URL = "https://hub.example/hooks/main/under-test"
KNOWN = Settings(
    phone_number_id=NUMBER_ID,
    number=NUMBER,
    business_account_id=ACCOUNT,
    access_token=Secret(TOKEN),
    app_secret=Secret(SECRET),
    verify_token=Secret(VERIFY),
)


def delivered(body: bytes, secret: str = SECRET, *, header: str | None = None) -> Delivery:
    digest = hmac.digest(secret.encode(), body, "sha256").hex()
    return Delivery(
        body=body,
        url=URL,
        headers=(
            ("Content-Type", "application/json"),
            ("X-Hub-Signature-256", f"sha256={digest}" if header is None else header),
        ),
        received_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


def ingested(delivery: Delivery, settings: Settings = KNOWN) -> IngestResult:
    ctx = SmallContext()
    return asyncio.run(WhatsAppCloud(settings).ingest(ctx.at(delivery), delivery))


def payload(*messages: Any, field: str = "messages", **value: Any) -> bytes:
    metadata = {"display_phone_number": "15550100200", "phone_number_id": NUMBER_ID}
    whole = {"messaging_product": "whatsapp", "metadata": metadata, **value}
    if messages:
        whole["messages"] = list(messages)
    change = {"field": field, "value": whole}
    entry = {"id": ACCOUNT, "changes": [change]}
    body = {"object": "whatsapp_business_account", "entry": [entry]}
    return json.dumps(body, ensure_ascii=False).encode()


def text(body: str = "Hello", **more: Any) -> dict[str, Any]:
    return {
        "id": "wamid.1",
        "from": "46701740605",
        "timestamp": "1772443800",
        "type": "text",
        "text": {"body": body},
    } | more


def test_the_signature_is_of_the_bytes() -> None:
    """Escaped or not, the same text has two signatures; only that of what came is good."""
    body = payload(text("Hé 😀"))
    assert ingested(delivered(body)).events
    escaped = json.dumps(json.loads(body)).encode()
    assert escaped != body
    with pytest.raises(Unverified):
        ingested(replace(delivered(body), body=escaped))


@pytest.mark.parametrize("header", ["", "sha256=", "sha1=00", "00" * 32, "sha256=ü", None])
def test_what_is_not_signed_is_refused(header: str | None) -> None:
    signed = delivered(payload(text()), header=header)
    if header is None:
        signed = replace(signed, headers=signed.headers[:1])
    with pytest.raises(Unverified):
        ingested(signed)


def test_a_secret_that_is_being_replaced() -> None:
    body = payload(text())
    both = replace(KNOWN, app_secrets=(Secret("the next"),))
    assert ingested(delivered(body, "the next"), both).events
    assert ingested(delivered(body), both).events
    with pytest.raises(Unverified):
        ingested(delivered(body, "the next"))


def challenge(**asked: str) -> Delivery:
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    return Delivery(
        method="GET", url=f"{URL}?{query}", received_at=datetime(2026, 11, 20, tzinfo=UTC)
    )


def test_the_challenge_is_given_back() -> None:
    right = {"hub.mode": "subscribe", "hub.challenge": "4711", "hub.verify_token": "is%20it%20you?"}
    result = ingested(challenge(**right))
    assert result.reply is not None
    assert (result.reply.status, result.reply.body) == (200, b"4711")
    assert result.reply.content_type.startswith("text/plain")
    for wrong in (
        {"hub.verify_token": "nobody"},
        {"hub.verify_token": ""},
        {"hub.mode": "unsubscribe"},
    ):
        with pytest.raises(Unverified):
            ingested(challenge(**(right | wrong)))
    del right["hub.verify_token"]
    with pytest.raises(Unverified):
        ingested(challenge(**right))


def events(*messages: Any, **value: Any) -> tuple[Any, ...]:
    return ingested(delivered(payload(*messages, **value))).events


def test_names_belong_to_who_wrote() -> None:
    one = {"profile": {"name": "One"}, "wa_id": "46701740605", "user_id": "SE.1"}
    two = {"profile": {"username": "two"}, "wa_id": "4681234567"}
    first, second, third = events(
        text(),
        text(id="wamid.2", **{"from": "4681234567"}),
        text(id="wamid.3", **{"from": "4689999999"}),
        contacts=[two, one],
    )
    assert (first.sender_name, second.sender_name, third.sender_name) == ("One", "two", None)
    assert [address.value for address in first.sender] == ["+46701740605", "SE.1"]
    assert [address.value for address in third.sender] == ["+4689999999"]


def test_a_name_in_another_spelling_of_the_number() -> None:
    (message,) = events(
        text(**{"from": "553187654321"}),
        contacts=[{"profile": {"name": "Caio"}, "wa_id": "5531987654321", "user_id": "BR.1"}],
    )
    assert message.sender_name == "Caio"
    assert [address.value for address in message.sender] == ["+5531987654321", "BR.1"]


@pytest.mark.parametrize(
    ("stamp", "when"),
    [
        ("1772443800", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        (1772443800, datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("", None),
        ("yesterday", None),
        (0, None),
        (-5, None),
        ("9" * 11, datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
        ("9" * 12, None),
        (10**30, None),
        (None, None),
    ],
)
def test_times(stamp: Any, when: datetime | None) -> None:
    (message,) = events(text(timestamp=stamp))
    assert message.occurred_at == when


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "image", "image": {}},
        {"type": "image", "image": None},
        {"type": "location"},
        {"type": "contacts", "contacts": []},
        {"type": "interactive", "interactive": {"type": "button_reply"}},
        {"type": "interactive", "interactive": {"type": "call_permission_reply"}},
        {"type": "order"},
        {"type": "button"},
        {"type": "text", "text": None},
        {"type": ""},
        {"type": "__class__"},
        {"type": "reaction"},
        {"type": "edit"},
        {"type": "revoke"},
        {"type": "system"},
        {"type": "text", "text": None, "errors": [{}]},
    ],
)
def test_what_cannot_be_read_is_shown_as_such(odd: dict[str, Any]) -> None:
    (message,) = events(text() | {"text": None} | odd)
    assert isinstance(message, Message)
    assert (message.external_id, message.text, message.media) == ("wamid.1", "", ())
    assert message.facts["Unsupported"] == (odd["type"] or "message")


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"id": None},
        {"id": "a b"},
        {"from": None},
        {"from": "nobody"},
        {"from": ["46701740605"]},
        {"text": "Hello"},
        {"text": {"body": 7}},
        {"type": "reaction", "reaction": {"emoji": "x"}},
        {"type": "reaction", "reaction": {"message_id": "m"}, "from": None},
        {"type": "revoke", "revoke": {}},
        {"type": "edit", "edit": {"original_message_id": "m"}},
        {"context": []},
    ],
)
def test_what_is_broken_is_kept_aside(wrong: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        ingested(delivered(payload(text(**wrong))))


def test_an_echo_to_nobody_is_kept_aside() -> None:
    with pytest.raises(Malformed):
        ingested(delivered(payload(field="smb_message_echoes", message_echoes=[text()])))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'{"object": "whatsapp_business_account", "entry": {}}',
        b'{"object": "whatsapp_business_account", "entry": [{"changes": [7]}]}',
        payload().replace(b'{"messaging_product"', b'7, "was": {"messaging_product"'),
        b'{"object": "' + b"[" * 100_000,
        b'{"object": "whatsapp_business_account", "entry": '
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}",
        b'\xff{"object": 7}',
    ],
)
def test_a_body_that_is_none(body: bytes) -> None:
    with pytest.raises(Malformed):
        ingested(delivered(body))


def test_nesting_within_a_value_breaks_nothing() -> None:
    deep = b"[" * 50_000 + b"]" * 50_000
    body = payload(text()).replace(b'"type": "text"', b'"anything": ' + deep + b', "type": "text"')
    with pytest.raises(Malformed):
        ingested(delivered(body))
    form = {"nfm_reply": {"response_json": deep.decode()}, "type": "nfm_reply"}
    (message,) = events(text(type="interactive", interactive=form))
    assert message.facts["Form"].startswith("[[")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "from", "type", "text", "image", "context", "system", "errors", "contacts"]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@tried(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["messages", "message_echoes", "statuses", "contacts", "errors", "metadata"]),
    JSON,
    st.sampled_from(
        ["messages", "smb_message_echoes", "message_template_status_update", "security"]
    ),
)
def test_anything_is_understood_or_refused(name: str, value: Any, field: str) -> None:
    body = payload(text(), field=field, **{name: value})
    with suppress(Malformed):
        result = ingested(delivered(body))
        assert result.events or result.ignored
