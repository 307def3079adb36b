"""What Twilio's webhooks mean, and what Twilio is told to do: whatever stands in them."""

from __future__ import annotations

import asyncio
import importlib.metadata
import inspect
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hub_voice_twilio import TwilioVoice
from hub_voice_twilio.answering import following
from hub_voice_twilio.hours import Hours
from hub_voice_twilio.settings import Agent, Reports, Settings
from hub_voice_twilio.webhooks import DIALLED, ENDED, UNDER_WAY
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import ImmutableMultiDict

from hub.conformance.settings import settings_of
from hub.plugin import (
    Address,
    BadAddress,
    CallEnded,
    CallFacts,
    CallStarted,
    ComposeFacts,
    Delivery,
    IngestResult,
    Malformed,
    Secret,
    Unverified,
    Voicemail,
)
from hub.plugin.kit.checks import check_class, check_package, load
from hub.plugin.kit.recorded import SetClock
from tests import recorded
from tests.small_context import SmallContext
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN

HOOK = "https://hub.example/hooks/main/voice"
CALL = {
    "AccountSid": ACCOUNT, "CallSid": "CA1", "CallStatus": "ringing", "Direction": "inbound",
    "From": "+12125550142", "To": NUMBER,
}  # fmt: skip
SETTINGS = Settings(
    account_sid=ACCOUNT,
    auth_token=Secret(TOKEN),
    numbers=(NUMBER,),
    ring=("+14155550111", "+14155550112"),
)
NOW = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)  # a Monday
HOSTILE = '"/><Dial>+1900</Dial><x y="&\x00\x1b\ud7ff'


def posted(fields: dict[str, str], query: str = "", *, token: str = TOKEN) -> Delivery:
    """A delivery that Twilio's own package has signed."""
    url = f"{HOOK}?{query}" if query else HOOK
    signature = RequestValidator(token).compute_signature(url, ImmutableMultiDict(fields))
    return Delivery(
        url=url,
        body=urlencode(fields).encode(),
        headers=(
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("X-Twilio-Signature", signature),
        ),
        received_at=NOW,
    )


def ingested(
    fields: dict[str, str], query: str = "", settings: Settings = SETTINGS, **more: Any
) -> IngestResult:
    delivery = posted(fields, query, **more)
    ctx = SmallContext(public=HOOK, clock=SetClock(NOW)).at(delivery)
    return asyncio.run(TwilioVoice(settings).ingest(ctx, delivery))


def answered(
    result: IngestResult, settings: Settings = SETTINGS, *, now: datetime = NOW, **facts: Any
) -> ET.Element:
    assert result.answer is not None
    given_: dict[str, Any] = {"in_hours": True, "on_duty": (), "assistant": True}
    asked = CallFacts(external_id=result.answer, events=result.events, **(given_ | facts))
    ctx = SmallContext(public=HOOK, clock=SetClock(now))
    reply = asyncio.run(TwilioVoice(settings).answer(ctx, asked))
    assert reply.content_type == "text/xml; charset=utf-8"
    return ET.fromstring(reply.body)


def verbs(response: ET.Element) -> list[str]:
    return [each.tag for each in response]


def numbers(response: ET.Element) -> list[str | None]:
    return [each.text for each in response.iter("Number")]


# ---- what Twilio is told to do


def test_all_phones_at_once_or_one_after_the_other() -> None:
    rings = ingested(CALL)
    both = answered(rings)
    assert numbers(both) == list(SETTINGS.ring)
    (dial,) = both.iter("Dial")
    assert dial.attrib["timeout"] == "20"
    assert "callerId" not in dial.attrib
    turns = replace(SETTINGS, ring_order="in_turn")
    assert numbers(answered(rings, turns)) == ["+14155550111"]
    second = ingested(CALL | {"DialCallStatus": "no-answer"}, "step=rang&turn=1")
    assert numbers(answered(second, turns)) == ["+14155550112"]
    assert verbs(answered(second)) == ["Say", "Record", "Hangup"]
    last = ingested(CALL | {"DialCallStatus": "busy"}, "step=rang&turn=2")
    assert verbs(answered(last, turns)) == ["Say", "Record", "Hangup"]


def test_whom_the_hub_knows_on_duty_is_rung_instead() -> None:
    duty = (
        Address(scheme="email", value="a@b.example"),
        Address(scheme="phone", value="+14155550133"),
    )
    assert numbers(answered(ingested(CALL), on_duty=duty)) == ["+14155550133"]
    assert verbs(answered(ingested(CALL), in_hours=False))[-2:] == ["Record", "Hangup"]


def test_opening_hours_by_the_clock_of_the_place() -> None:
    hours = Hours(timezone="America/Los_Angeles", open=("Mon-Fri 08:00-17:00",))
    settings = replace(SETTINGS, hours=hours)
    rings = ingested(CALL)
    assert "Dial" in verbs(answered(rings, settings))  # 10:00 there
    early = datetime(2026, 3, 2, 15, 59, 59, tzinfo=UTC)
    shut = answered(rings, settings, now=early)
    assert verbs(shut) == ["Say", "Say", "Record", "Hangup"]
    assert shut[0].text == "We are closed at the moment."


def test_without_a_voicemail_callers_hear_a_word() -> None:
    settings = replace(SETTINGS, voicemail=False, ring=())
    said = answered(ingested(CALL), settings)
    assert verbs(said) == ["Say", "Hangup"]
    assert said[0].text == settings.unavailable


def test_callbacks_come_to_the_channel_and_try_again() -> None:
    mailbox = answered(ingested(CALL), replace(SETTINGS, ring=(), transcribe=True))
    (record,) = mailbox.iter("Record")
    for name in ("action", "recordingStatusCallback", "transcribeCallback"):
        assert record.attrib[name].startswith(f"{HOOK}?step=")
        assert record.attrib[name].endswith("#rc=3&rp=all")
    query = parse_qs(urlsplit(record.attrib["transcribeCallback"]).query)
    assert query == {"step": ["words"], "call": ["CA1"]}
    assert record.attrib["maxLength"] == "120"


def test_a_key_is_asked_for_where_mailboxes_pick_up() -> None:
    settings = replace(SETTINGS, accept_by_key=True)
    (first, _) = answered(ingested(CALL), settings).iter("Number")
    assert "step=accept" in first.attrib["url"]
    asked = ingested(CALL | {"Direction": "outbound-dial"}, "step=accept", settings)
    assert asked.reply is not None
    assert verbs(ET.fromstring(asked.reply.body)) == ["Gather", "Hangup"]
    pressed = ingested(CALL | {"Digits": "1"}, "step=accepted", settings)
    assert pressed.reply is not None
    assert verbs(ET.fromstring(pressed.reply.body)) == []


def test_the_contact_is_called_once_the_member_has_pressed_a_key() -> None:
    settings = replace(SETTINGS, accept_by_key=True, record=True)
    there = urlencode({"step": "call", "to": "+12125550142", "own": NUMBER})
    result = ingested(CALL | {"Digits": "1"}, there, settings)
    assert result.reply is not None
    assert numbers(ET.fromstring(result.reply.body)) == ["+12125550142"]
    (dial,) = ET.fromstring(result.reply.body).iter("Dial")
    assert dial.attrib["callerId"] == NUMBER


@pytest.mark.parametrize("to", ["", "38383", "sip:a@b.example", HOSTILE, "+266696687"])
def test_nobody_else_is_called_by_an_address(to: str) -> None:
    with pytest.raises(Malformed):
        ingested(CALL, urlencode({"step": "call", "to": to, "own": NUMBER}))
    with pytest.raises(Malformed):
        ingested(CALL, urlencode({"step": "call", "to": "+12125550142", "own": "+19005550100"}))


AGENT = Agent(greeting="Hello & welcome", hints="boiler, Baker", voice="en-US-Journey-O")


def test_the_assistant_takes_the_calls_that_are_its() -> None:
    rings = ingested(CALL)
    first = answered(rings, replace(SETTINGS, agent=AGENT))
    (relay,) = first.iter("ConversationRelay")
    assert relay.attrib["url"] == f"wss://{HOOK.removeprefix('https://')}/relay"
    assert relay.attrib["welcomeGreeting"] == "Hello & welcome"
    unanswered = replace(SETTINGS, agent=replace(AGENT, takes="unanswered"))
    assert "Dial" in verbs(answered(rings, unanswered))
    rang = ingested(CALL | {"DialCallStatus": "no-answer"}, "step=rang&turn=1")
    assert verbs(answered(rang, unanswered)) == ["Connect"]
    handed = ingested(
        CALL | {"SessionStatus": "ended", "HandoffData": '{"reason": "asks for a person"}'},
        "step=agent",
    )
    through = answered(handed, replace(SETTINGS, agent=AGENT))
    assert verbs(through) == ["Say", "Dial"]
    assert through[0].text == AGENT.transfer
    assert "Record" in verbs(answered(handed, unanswered))  # they did not answer before either
    nobody = answered(rings, replace(SETTINGS, agent=AGENT), assistant=False)
    assert "Dial" in verbs(nobody)  # the channel names no assistant, or that is off


@given(
    step=st.sampled_from(["start", "rang", "agent"]),
    takes=st.sampled_from([None, "all", "closed", "unanswered"]),
    open_=st.booleans(),
    phones=st.integers(0, 3),
    in_turn=st.booleans(),
)
def test_every_call_ends_somewhere(
    step: str, takes: Any, open_: bool, phones: int, in_turn: bool
) -> None:
    """However it goes on, each is tried once, and the voicemail is last."""
    settings = replace(SETTINGS, ring_order="in_turn" if in_turn else "at_once")
    steps, turn = [step], 1
    while True:
        then = following(steps[-1], settings, takes, open_=open_, phones=phones, turn=turn)
        if then == "mailbox":
            break
        turn = turn + 1 if steps[-1] == "rang" else 1
        steps.append("rang" if then == "ring" else "agent")
        assert len(steps) <= phones + 4, steps
    assert steps.count("agent") <= 2


# ---- what it says


@pytest.mark.parametrize(
    ("said", "scheme", "value"),
    [
        ("+12125550142", "phone", "+12125550142"),
        ("12125550142", "phone", "12125550142"),
        ("+49 30 1234", None, None),
        ("38383", "phone", "38383"),
        ("sip:Zoe@Phones.example;transport=udp", "voice-twilio:sip", "zoe@phones.example"),
        ("client:kiosk-4", "voice-twilio:client", "kiosk-4"),
        ("client:", None, None),
        ("sip:anonymous@anonymous.invalid", None, None),
        *((one, None, None) for one in ("", "  ", "anonymous", "Restricted", "private", "x")),
        *((one, None, None) for one in ("+266696687", "266696687", "+7378742833", "+86282452253")),
        *((one, None, None) for one in ("+2562533", "+8656696", HOSTILE)),
    ],
)
def test_who_calls(said: str, scheme: str | None, value: str | None) -> None:
    started = ingested(CALL | {"From": said}).events[0]
    assert isinstance(started, CallStarted)
    found = [(one.scheme, one.value) for one in started.caller]
    assert found == ([] if scheme is None else [(scheme, value)])


def test_every_status_of_the_specification_is_known() -> None:
    schemas = recorded.load("openapi/twilio_api_v2010.json")["components"]["schemas"]
    known = set(schemas["call_enum_status"]["enum"])
    assert known <= set(ENDED) | UNDER_WAY
    for status in known:
        said = ingested(CALL | {"CallStatus": status, "CallbackSource": "call-progress-events"})
        ended = [one for one in said.events if isinstance(one, CallEnded)]
        assert bool(ended) == (status in ENDED)
        assert isinstance(said.events[0], CallStarted)
    assert set(DIALLED) >= set(ENDED)


@pytest.mark.parametrize("at", ["", "soon", "Thurs, 20 July 1989 18:30:43 +0000", "x" * 5000])
def test_a_time_is_twilios_or_none(at: str) -> None:
    more = {"CallStatus": "completed", "CallDuration": "999999999", "Timestamp": at}
    started, ended = ingested(CALL | more).events
    assert isinstance(started, CallStarted)
    assert isinstance(ended, CallEnded)
    assert (ended.occurred_at is None) == (not at.startswith("Thurs"))
    assert ended.occurred_at is None or ended.occurred_at.year == 1989
    assert ended.outcome == "missed"


def test_a_voicemail_is_what_was_said_and_no_more() -> None:
    words = {"TranscriptionStatus": "completed", "TranscriptionText": f"<b>{HOSTILE}"}
    (said,) = ingested({"AccountSid": ACCOUNT, **words}, "step=words&call=CA9").events
    assert said == Voicemail(external_id="CA9", media=None, text=f"<b>{HOSTILE}")
    old = {"RecordingUrl": "http://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1.wav"}
    ready = {"CallSid": "CA9", "RecordingStatus": "completed", "RecordingDuration": "x", **old}
    (left,) = ingested(ready, "step=voicemail").events
    assert isinstance(left, Voicemail)
    assert left.media is not None
    assert left.media.url == ("https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1.mp3")
    assert left.duration is None
    with pytest.raises(Malformed):
        ingested({"CallSid": "CA9", "RecordingStatus": "completed"}, "step=recording")


@pytest.mark.parametrize("call", ["", "CA 1", "CA1/../x", "CA<1>", "C" * 65, "CÄ1"])
def test_a_call_without_an_id_is_malformed(call: str) -> None:
    with pytest.raises(Malformed):
        ingested(CALL | {"CallSid": call})


def test_a_field_that_comes_twice_is_refused() -> None:
    delivery = posted(CALL)
    twice = delivery.body + b"&From=%2B19005550100"
    fields = ImmutableMultiDict([*CALL.items(), ("From", "+19005550100")])
    signature = RequestValidator(TOKEN).compute_signature(HOOK, fields)
    headers = (delivery.headers[0], ("X-Twilio-Signature", signature))
    doubled = replace(delivery, body=twice, headers=headers)
    ctx = SmallContext(public=HOOK).at(doubled)
    with pytest.raises(Malformed):
        asyncio.run(TwilioVoice(SETTINGS).ingest(ctx, doubled))


NAMES = (
    *("CallSid", "CallStatus", "Direction", "From", "To", "DialCallStatus", "DialCallDuration"),
    *("RecordingStatus", "RecordingUrl", "RecordingDuration", "TranscriptionStatus", "Timestamp"),
    *("TranscriptionText", "SessionStatus", "HandoffData", "CallerName", "ParentCallSid"),
)
VALUES = st.one_of(
    st.sampled_from(["", "CA1", "completed", "ringing", "inbound", "outbound-api", HOSTILE, "-1"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)
QUERIES = st.one_of(
    st.sampled_from(["", "step=rang", "step=left", "step=voicemail", "step=words", "step=agent"]),
    st.sampled_from(["step=call", "step=made", "step=reached", "step=accept", "step=announce"]),
    st.builds(urlencode, st.dictionaries(st.sampled_from(["step", "call", "turn", "to"]), VALUES)),
)


@given(fields=st.dictionaries(st.sampled_from(NAMES), VALUES), query=QUERIES)
def test_whatever_stands_in_a_form(fields: dict[str, str], query: str) -> None:
    """It is understood or malformed; what Twilio is told is well formed, and of our own words."""
    try:
        result = ingested(fields, query)
    except Malformed:
        return
    replies = [result.reply.body] if result.reply is not None else []
    if result.answer is not None:
        replies.append(ET.tostring(answered(result)))
    for body in replies:
        for element in ET.fromstring(body).iter():
            assert element.tag in {
                "Response",
                "Say",
                "Dial",
                "Number",
                "Record",
                "Hangup",
                "Gather",
            }
            assert HOSTILE not in (element.text or "")
        assert b"+1900" not in body


def test_only_what_is_signed_is_read() -> None:
    good = posted(CALL)
    bad = (
        posted(CALL, token="another"),
        replace(good, headers=good.headers[:1]),
        replace(good, body=good.body + b"&x=1"),
        replace(good, url=f"{HOOK}?step=left"),
        replace(good, url=f"{HOOK}/agent"),
    )
    for one in bad:
        with pytest.raises(Unverified):
            asyncio.run(TwilioVoice(SETTINGS).ingest(SmallContext(public=HOOK).at(one), one))


# ---- as a plugin, and its settings


def test_it_loads_by_its_entry_point() -> None:
    (entry,) = importlib.metadata.entry_points(group="hub.plugins", name="voice-twilio")
    assert entry.dist is not None
    assert check_package(entry.dist, "0.1.0") == []
    plugin = entry.load()
    assert check_class(plugin) == []
    load(plugin, SETTINGS)


VALID: dict[str, Any] = {"account_sid": ACCOUNT, "auth_token": "t", "numbers": [NUMBER]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"numbers": []}, "numbers"),
        ({"numbers": ["38383"]}, "numbers"),
        ({"ring": ["0664 1234567"]}, "ring"),
        ({"ring": [f"+1415555{n:04}" for n in range(11)]}, "ring"),
        ({"ring_order": "random"}, "ring_order"),
        ({"ring_seconds": 4}, "ring_seconds"),
        ({"voicemail_seconds": 4000}, "voicemail_seconds"),
        ({"greeting": "x" * 1001}, "greeting"),
        ({"greeting": "x\x00"}, "greeting"),
        ({"language": "english"}, "language"),
        ({"api_key": "SK" + "a" * 32}, "api_key and api_secret"),
        ({"record": True, "record_announcement": " "}, "record_announcement"),
        ({"agent": {"takes": "unanswered"}}, "agent.takes"),
        ({"agent": {"takes": "some"}}, "takes"),
        ({"reports": {"keys": []}}, "keys"),
        ({"voicemail": False, "unavailable": ""}, "ring, voicemail or agent"),
        ({"hours": {"timezone": "Vienna", "open": []}}, "timezone"),
        ({"hours": {"timezone": "Europe", "open": []}}, "timezone"),
        ({"hours": {"timezone": "", "open": []}}, "timezone"),
        ({"hours": {"timezone": "../UTC", "open": []}}, "timezone"),
        ({"hours": {"timezone": "UTC", "open": ["Mon 8-17"]}}, "open"),
        ({"hours": {"timezone": "UTC", "open": ["Mo-Fr 08:00-17:00"]}}, "open"),
        ({"hours": {"timezone": "UTC", "open": ["Mon-Foo 08:00-17:00"]}}, "names no day"),
        ({"hours": {"timezone": "UTC", "open": ["Mon 25:00-26:00"]}}, "time of the day"),
        ({"hours": {"timezone": "UTC", "open": ["Mon 22:00-06:00"]}}, "two lines"),
        ({"hours": {"timezone": "UTC", "open": [], "closed": ["Christmas"]}}, "closed"),
        ({"voicemial": True}, "voicemial"),
    ],
)
def test_settings_that_are_wrong(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        settings_of(Settings, VALID | changes)


def test_settings_in_full() -> None:
    full = settings_of(
        Settings,
        VALID
        | {
            "hours": {"timezone": "Europe/Vienna", "open": ["Fri-Mon 00:00-24:00"]},
            "agent": {"takes": "closed", "voice": "de-DE-Standard-A", "language": "de-AT"},
            "reports": {"keys": ["a", "b"]},
            "country": "AT",
        },
    )
    assert full.reports == Reports(keys=(Secret("a"), Secret("b")))
    assert TwilioVoice(full).normalise_address("0664 1234567").value == "+436641234567"


def test_hours() -> None:
    hours = Hours(
        timezone="America/New_York",
        open=("Fri-Mon 08:00-12:00", "Sat 13:00-24:00", "tue 00:00-00:30"),
        closed=(datetime(2026, 12, 25).date(),),  # noqa: DTZ001
    )
    assert hours.includes(datetime(2026, 3, 1, 13, 0, tzinfo=UTC))  # Sunday, 08:00
    assert not hours.includes(datetime(2026, 3, 1, 17, 0, tzinfo=UTC))
    assert hours.includes(datetime(2026, 3, 8, 4, 59, tzinfo=UTC))  # Saturday, 23:59
    assert hours.includes(datetime(2026, 3, 10, 4, 29, tzinfo=UTC))  # Tuesday, in summer time
    assert not hours.includes(datetime(2026, 3, 10, 4, 30, tzinfo=UTC))
    assert not hours.includes(datetime(2026, 12, 25, 14, 0, tzinfo=UTC))  # a Friday


def test_who_can_be_called() -> None:
    channel = TwilioVoice(SETTINGS)
    facts = ComposeFacts(
        address=Address(scheme="phone", value="+12125550142"),
        own_address=NUMBER,
        now=NOW,
        last_inbound_at=None,
    )
    assert channel.compose_rules(facts).may == "free"
    client = Address(scheme="voice-twilio:client", value="kiosk-4")
    rules = channel.compose_rules(replace(facts, address=client))
    assert (rules.may, bool(rules.why)) == ("closed", True)
    assert channel.normalise_address("(415) 555-0123").value == "+14155550123"
    for text in ("", "38383", "hello", "+1"):
        with pytest.raises(BadAddress):
            channel.normalise_address(text)
    (own,) = channel.own_addresses()
    assert own.value == NUMBER


def test_the_readme_names_every_setting() -> None:
    from pathlib import Path

    readme = (Path(__file__).parents[1] / "README.md").read_text()
    for kind in (Settings, Agent, Reports, Hours):
        for name in kind.__struct_fields__:
            assert f"`{name}`" in readme or f"`{kind.__name__.lower()}.{name}`" in readme, name
    assert inspect.getdoc(TwilioVoice)
