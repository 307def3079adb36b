"""What the channel claims, how it looks, whom it reaches, and its settings."""

from __future__ import annotations

import importlib.metadata
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hub_sms_twilio import TwilioSms
from hub_sms_twilio.settings import Settings
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.plugin import (
    Address,
    Attachment,
    BadAddress,
    ComposeFacts,
    Fields,
    File,
    Item,
    Secret,
    Text,
    WirePart,
)
from hub.plugin.kit.checks import check_class, check_package, load
from tests import recorded
from tests.standins.twilio import ACCOUNT, NUMBER

SERVICE = "MG" + "0" * 32
VALID: dict[str, Any] = {"account_sid": ACCOUNT, "auth_token": "t", "numbers": [NUMBER]}


@pytest.fixture
def channel(settings: Settings) -> TwilioSms:
    return TwilioSms(settings)


def picture(number: int = 1, size: int = 1000, content_type: str = "image/png") -> Attachment:
    return Attachment(id=f"f{number}", name="a", content_type=content_type, size=size)


# ---- as a plugin


def test_it_loads_by_its_entry_point(settings: Settings) -> None:
    (entry,) = importlib.metadata.entry_points(group="hub.plugins", name="sms-twilio")
    assert entry.dist is not None
    assert check_package(entry.dist, "0.1.0") == []
    assert check_package(entry.dist, "2.0.0") != []
    plugin = entry.load()
    assert check_class(plugin) == []
    load(plugin, settings)


def converted(**changes: Any) -> Settings:
    def secret(wanted: type, value: Any) -> Any:
        return Secret(value) if wanted is Secret else value

    given = {key: value for key, value in (VALID | changes).items() if value is not None}
    return msgspec.convert(given, Settings, dec_hook=secret)


def test_settings() -> None:
    full = converted(
        auth_tokens=["old"],
        shared_keys={"webhooks_1": "s"},
        api_key="SK" + "a" * 32,
        api_secret="x",
        messaging_service_sid=SERVICE,
        numbers=[NUMBER, "38383"],
        country="US",
        status_callbacks=False,
    )
    assert full.credentials[0] == full.api_key
    assert [each.reveal() for each in full.auth_tokens] == ["old"]
    assert "t" not in repr(full.auth_token).replace("Secret", "")
    assert converted(numbers=None, messaging_service_sid=SERVICE).numbers == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"account_sid": "SK" + "0" * 32}, "account_sid"),
        ({"account_sid": None}, "account_sid"),
        ({"auth_token": None}, "auth_token"),
        ({"numbers": ["555-0100"]}, "numbers"),
        ({"numbers": [1]}, "numbers"),
        ({"numbers": None}, "numbers or messaging_service_sid"),
        ({"messaging_service_sid": "MG1"}, "messaging_service_sid"),
        ({"api_key": "SK" + "a" * 32}, "api_key and api_secret"),
        ({"api_secret": "x"}, "api_key and api_secret"),
        ({"country": "usa"}, "country"),
        ({"from_number": NUMBER}, "from_number"),
    ],
)
def test_settings_that_are_wrong(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        converted(**changes)


# ---- whom it reaches


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("+14155550001", "+14155550001"),
        ("(415) 555-0001", "+14155550001"),
        ("415.555.0001", "+14155550001"),
        ("1 415 555 0001", "+14155550001"),
        ("+43 664 1234567", "+436641234567"),
        ("\u202a+1 (415) 555\u20110001\u202c", "+14155550001"),
        ("\u0664\u0661\u0665 555 0001", "+14155550001"),
        ("38383", "38383"),
    ],
)
def test_numbers_as_people_write_them(channel: TwilioSms, text: str, value: str) -> None:
    address = channel.normalise_address(text)
    assert (address.scheme, address.value) == ("phone", value)
    assert channel.normalise_address(value) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "12", "+", "hello", "call +14155550001", "+1415555000", "+14155550001 ext. 5"),
        *("+1415555\r\n0001", "+999999999999999999", "a@b.example", "++14155550001"),
    ],
)
def test_what_is_no_number(channel: TwilioSms, text: str) -> None:
    with pytest.raises(BadAddress):
        channel.normalise_address(text)


def test_the_country_is_the_settings_or_the_first_numbers(settings: Settings) -> None:
    austrian = TwilioSms(replace(settings, country="AT"))
    assert austrian.normalise_address("0664 1234567").value == "+436641234567"
    assert austrian.normalise_address("+1 415 555 0001").value == "+14155550001"
    by_number = TwilioSms(replace(settings, numbers=("38383", "+436641234567")))
    assert by_number.normalise_address("0664 1234567").value == "+436641234567"
    nowhere = TwilioSms(replace(settings, numbers=(), messaging_service_sid=SERVICE))
    with pytest.raises(BadAddress, match="country"):
        nowhere.normalise_address("0664 1234567")


def test_example_numbers_of_every_country(channel: TwilioSms) -> None:
    for example in recorded.load("phone/example_numbers.json"):
        number = example.get("e164") or example.get("E164")
        if number:
            assert channel.normalise_address(number).value == number


@given(st.text(max_size=25))
def test_any_text_is_an_address_or_none(text: str) -> None:
    channel = TwilioSms(converted())
    try:
        address = channel.normalise_address(text)
    except BadAddress:
        return
    assert channel.normalise_address(address.value).value == address.value


def test_own_addresses(settings: Settings) -> None:
    (own,) = TwilioSms(settings).own_addresses()
    assert (own.value, own.display) == (NUMBER, "+1 555-010-0001")
    both = TwilioSms(replace(settings, messaging_service_sid=SERVICE)).own_addresses()
    assert [each.value for each in both] == [NUMBER]
    (service,) = TwilioSms(
        replace(settings, numbers=(), messaging_service_sid=SERVICE)
    ).own_addresses()
    assert (service.scheme, service.value) == ("sms-twilio:service", SERVICE)


def test_who_may_be_written_to(channel: TwilioSms) -> None:
    facts = ComposeFacts(
        address=Address(scheme="phone", value="+14155550001"),
        own_address=NUMBER,
        now=datetime(2026, 11, 20, tzinfo=UTC),
        last_inbound_at=None,
    )
    rules = channel.compose_rules(facts)
    assert (rules.may, rules.max_length) == ("free", 1600)
    name = Address(scheme="sms-twilio:sender", value="ACME")
    closed = channel.compose_rules(replace(facts, address=name))
    assert (closed.may, bool(closed.why)) == ("closed", True)


# ---- how it looks


def composing(channel: TwilioSms, text: str = "", **more: Any) -> tuple[str, ...]:
    return channel.render(Item(direction="out", text=text, **more), "composer").warnings


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        ("", ()),
        ("a" * 160, ()),
        ("a" * 161, ("2 segments",)),
        ("ж" * 70, ()),
        ("ж" * 71, ("2 segments, since “ж” is no SMS letter",)),
        ("a" * 1600, ("11 segments",)),
        ("a" * 1601, ("Too long: 1,601 of 1,600 characters",)),
    ],
)
def test_what_the_length_means(channel: TwilioSms, text: str, warnings: tuple[str, ...]) -> None:
    assert composing(channel, text) == warnings


def test_what_files_mean(channel: TwilioSms) -> None:
    files = lambda *each: composing(channel, "a" * 500, attachments=each)  # noqa: E731
    assert files(picture()) == ()
    assert files(*map(picture, range(10))) == ()
    assert files(*map(picture, range(11))) == ("11 files: at most 10 go",)
    assert files(picture(size=5_000_000)) == ()
    assert files(picture(1, 3_000_000), picture(2, 2_000_001)) == (
        "The files have more than 5 MB together",
    )
    assert files(picture(content_type="video/mp4", size=500_000)) == ()
    assert files(picture(content_type="video/mp4", size=500_001)) == (
        "video/mp4 may have at most 500 kB",
    )
    assert files(picture(content_type="application/zip")) == ("MMS does not carry application/zip",)


def test_what_is_left_out_is_said(channel: TwilioSms) -> None:
    from hub.plugin.kit.html import clean

    left_out = composing(channel, "x", subject="Hi", html=clean("<b>x</b>"))
    assert left_out == ("The subject will be left out", "The formatting will be left out")
    name = Address(scheme="sms-twilio:sender", value="ACME")
    assert composing(channel, "x", address=name) == ("This address takes no text messages",)


def test_every_surface(channel: TwilioSms) -> None:
    item = Item(
        direction="in",
        text="Line one\n<script>two</script>",
        attachments=(picture(),),
        facts={"Location": "1, 2"},
    )
    blocks = (
        Text(text=item.text),
        File(attachment_id="f1"),
        Fields(fields=(("Location", "1, 2"),)),
    )
    for surface in ("timeline", "preview", "composer", "wire"):
        rendered = channel.render(item, surface)
        assert rendered.blocks == blocks
        assert rendered.preview == "Line one <script>two</script>"
        wire = (WirePart(text=item.text, attachment_ids=("f1",)),) if surface == "wire" else ()
        assert rendered.wire == wire
        assert channel.render(item, surface) == rendered
    long = channel.render(Item(direction="in", text="word " * 100), "notification").preview
    assert len(long) == 140
    assert "\n" not in long


@pytest.mark.parametrize(
    ("attachments", "facts", "preview"),
    [
        ((), {}, ""),
        ((picture(),), {}, "Picture"),
        ((picture(1), picture(2)), {}, "2 pictures"),
        ((picture(1), picture(2, content_type="text/vcard")), {}, "2 files"),
        ((), {"Location": "1, 2"}, "Location"),
    ],
)
def test_a_preview_without_words(
    channel: TwilioSms, attachments: Any, facts: Any, preview: str
) -> None:
    item = Item(direction="in", attachments=attachments, facts=facts)
    assert channel.render(item, "preview").preview == preview
