"""From end to end: a real hub, callers at Twilio's stand-in, and what the API shows of them."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests import recorded
from tests.hubs import Client, HubProcess, wait_for
from tests.services import free_port
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN, Refuse
from tests.standins.twilio_voice import SOUND, Line, MadeCall, TwilioVoiceStandIn, progress

STAFF = ("+14155550111", "+14155550112")
MEMBER = "+14155550177"
KEY = "a key for the reports"


def config(public_url: str) -> str:
    account = f'account_sid = "{ACCOUNT}"\nauth_token = "{TOKEN}"\nnumbers = ["{NUMBER}"]'
    return f"""
[hub]
public_url = "{public_url}"

[[organisations]]
slug = "main"
name = "Main"

[[channels]]
id = "voice"
organisation = "main"
plugin = "voice-twilio"
[channels.settings]
{account}
greeting = "Welcome to Baker & Daughters."
ring = ["{STAFF[0]}", "{STAFF[1]}"]
transcribe = true
record = true
reports = {{ keys = ["{KEY}"], proof = "hmac", header = "X-Report-Signature", prefix = "" }}

[[channels]]
id = "night"
organisation = "main"
plugin = "voice-twilio"
[channels.settings]
{account}
ring = ["{STAFF[0]}"]
ring_order = "in_turn"
closed = "We are closed <now>."
hours = {{ timezone = "Europe/Vienna", open = [] }}
"""


class Voice:
    """A hub, and Twilio beside it."""

    def __init__(self, hub: HubProcess, twilio: TwilioVoiceStandIn) -> None:
        self.hub, self.twilio = hub, twilio
        self.client: Client = hub.client()
        self._callers = count(1)

    def hook(self, channel: str = "voice") -> str:
        return f"{self.hub.base_url}/hooks/main/{channel}"

    def caller(self) -> str:
        return f"+1212555{next(self._callers):04}"

    def thread(self, phone: str) -> dict[str, Any]:
        shown = f"+1 212-555-{phone[-4:]}"
        return wait_for(lambda: self.client.thread_of(shown), what=f"the thread of {shown}")

    def calls(self, phone: str) -> list[dict[str, Any]]:
        entries = self.client.entries(self.thread(phone)["id"])
        return [one for one in entries if one["kind"] == "call"]

    def call(self, phone: str) -> dict[str, Any]:
        (entry,) = self.calls(phone)
        return entry

    def quarantined(self) -> list[dict[str, Any]]:
        page = self.client.get("channels/voice/deliveries", state="quarantined")
        return page["items"]


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voice]:
    port = free_port()
    folder: Path = tmp_path_factory.mktemp("hub")
    with TwilioVoiceStandIn(recorded.path("openapi/twilio_api_v2010.json")) as twilio:
        routes = ",".join(f"{host}={base}" for host, base in twilio.routes.items())
        hub = HubProcess(
            folder,
            config=config(f"http://127.0.0.1:{port}"),
            environ={"HUB_HTTP_ROUTES": routes},
        )
        with hub.start(port=port):
            yield Voice(hub, twilio)
        assert twilio.spec_errors == []


# ---- calls that come in


@pytest.mark.feature("VOIC-01", "THRD-07")
def test_a_call_that_a_member_takes(voice: Voice) -> None:
    phone, twilio = voice.caller(), voice.twilio
    line = twilio.rings(voice.hook(), from_=phone, CallerName="ZOE BAKER")
    assert line.verbs == ["Say", "Say", "Dial"]
    assert line.said == ["Welcome to Baker & Daughters.", "This call is recorded."]
    assert tuple(each.text for each in line.xml.iter("Number")) == STAFF
    thread = wait_for(lambda: voice.client.thread_of("ZOE BAKER"), what="the caller")
    (ringing,) = voice.client.entries(thread["id"])
    assert (ringing["call"]["outcome"], ringing["call"]["live"]) == (None, True)
    over = twilio.goes_on(
        line, "Dial", DialCallStatus="completed", DialCallDuration="41", DialBridged="true"
    )
    assert over.verbs == ["Hangup"]
    twilio.ends(line, voice.hook(), CallDuration="55")
    _, url = twilio.records()
    told = {"RecordingSid": "RE1", "RecordingUrl": url, "RecordingDuration": "41"}
    twilio.told_of_recording(line.of("Dial", "recordingStatusCallback"), line.sid, told)

    def fetched() -> dict[str, Any] | None:
        (entry,) = voice.client.entries(thread["id"])
        files = entry["attachments"]
        return entry if files and files[0]["state"] == "ready" else None

    entry = wait_for(fetched, what="the recording")
    call = entry["call"]
    assert (call["outcome"], call["duration"], call["live"]) == ("answered", 41.0, False)
    assert not call["unresolved"]
    (file,) = entry["attachments"]
    answer = voice.client.http.get(file["url"])
    assert answer.content == SOUND
    (shown,) = [one for one in voice.client.threads() if one["id"] == thread["id"]]
    assert shown["preview"]["text"] == "Voice call - 41s - ended"


@pytest.mark.feature("VOIC-01", "VOIC-02")
def test_a_missed_call_and_a_voicemail_with_its_words(voice: Voice) -> None:
    phone, twilio = voice.caller(), voice.twilio
    line = twilio.rings(voice.hook(), from_=phone)
    mailbox = twilio.goes_on(line, "Dial", DialCallStatus="no-answer")
    assert mailbox.verbs == ["Say", "Record", "Hangup"]
    twilio.leaves(mailbox, seconds=38)
    twilio.writes_down(mailbox, "My boiler leaks <b>badly</b>")
    twilio.ends(line, voice.hook(), CallDuration="70")

    def whole() -> dict[str, Any] | None:
        entry = voice.call(phone)
        ready = [one for one in entry["attachments"] if one["state"] == "ready"]
        return entry if ready and entry["call"]["voicemail"] else None

    entry = wait_for(whole, what="the voicemail")
    call = entry["call"]
    assert (call["outcome"], call["duration"]) == ("voicemail", 38.0)
    assert call["voicemail"] == "My boiler leaks <b>badly</b>"
    assert call["unresolved"]
    assert len(entry["attachments"]) == 1, "told twice, and one file"
    assert voice.thread(phone)["preview"]["text"] == "Voicemail - 0:38"
    (found,) = voice.client.threads(q="boiler leaks")
    assert found["id"] == voice.thread(phone)["id"]

    other = voice.caller()
    line = twilio.rings(voice.hook(), from_=other)
    mailbox = twilio.goes_on(line, "Dial", DialCallStatus="no-answer")
    twilio.ends(line, voice.hook(), CallDuration="22")  # hung up at the tone
    call = voice.call(other)["call"]
    assert (call["outcome"], call["duration"], call["voicemail"]) == ("missed", None, None)
    assert call["unresolved"]


@pytest.mark.feature("VOIC-01")
@pytest.mark.parametrize(
    ("status", "outcome"),
    [("busy", "busy"), ("failed", "failed"), ("no-answer", "missed"), ("canceled", "canceled")],
)
def test_a_call_that_never_came_through(voice: Voice, status: str, outcome: str) -> None:
    phone = voice.caller()
    line = voice.twilio.rings(voice.hook(), from_=phone)
    voice.twilio.ends(line, voice.hook(), status)
    call = voice.call(phone)["call"]
    assert (call["outcome"], call["unresolved"]) == (outcome, True)


def told_of(voice: Voice, phone: str, number: int) -> dict[str, tuple[str, dict[str, str]]]:
    """All that Twilio tells of a call that ended on the voicemail: where, and what."""
    hook, sid = voice.hook(), f"CA{number:032x}"
    url = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/RE{number:032x}"
    call = {
        "AccountSid": ACCOUNT, "CallSid": sid, "Direction": "inbound", "From": phone, "To": NUMBER,
    }  # fmt: skip
    recording = {"RecordingUrl": url, "RecordingDuration": "17"}
    said = {"TranscriptionStatus": "completed", "TranscriptionText": "Call me back"}
    ready = {"AccountSid": ACCOUNT, "RecordingStatus": "completed"}
    ended = {"CallStatus": "completed", "CallDuration": "50", **progress()}
    return {
        "rings": (hook, {**call, "CallStatus": "ringing"}),
        "goes on": (hook, {**call, "CallStatus": "in-progress", **progress()}),
        "rang": (f"{hook}?step=rang&turn=1", {**call, "DialCallStatus": "busy"}),
        "left": (f"{hook}?step=left", {**call, "CallStatus": "completed", **recording}),
        "ready": (f"{hook}?step=voicemail&call={sid}", {**ready, **recording}),
        "words": (f"{hook}?step=words&call={sid}", {"AccountSid": ACCOUNT, **said}),
        "ended": (hook, {**call, **ended}),
    }


@pytest.mark.feature("VOIC-01")
def test_the_order_makes_no_difference(voice: Voice) -> None:
    orders = list(itertools.permutations(range(7)))[:: 5040 // 12]
    assert len(orders) >= 12
    for number, order in enumerate(orders):
        phone = voice.caller()
        told = list(told_of(voice, phone, 0xABC00 + number).values())
        for place in (*order, order[0]):
            where, fields = told[place]
            assert voice.twilio.post(where, list(fields.items())).status_code == 200
        entry = voice.call(phone)
        call = entry["call"]
        assert (call["outcome"], call["duration"]) == ("voicemail", 17.0), order
        assert (call["voicemail"], call["live"]) == ("Call me back", False), order
        assert len(entry["attachments"]) == 1, order
        assert voice.thread(phone)["preview"]["text"] == "Voicemail - 0:17", order
    assert voice.quarantined() == []


@pytest.mark.feature("VOIC-01")
def test_the_same_question_has_the_same_answer(voice: Voice) -> None:
    phone, twilio = voice.caller(), voice.twilio
    line = twilio.rings(voice.hook(), from_=phone)
    fields = [*line.fields.items(), ("CallStatus", "ringing")]
    assert twilio.post(voice.hook(), fields).content == line.body
    told = {"DialCallStatus": "no-answer", "CallStatus": "in-progress"}
    first = twilio.goes_on(line, "Dial", **told)
    assert twilio.goes_on(line, "Dial", **told).body == first.body
    assert len(voice.calls(phone)) == 1


@pytest.mark.feature("VOIC-01")
def test_a_recording_that_is_gone_is_no_fault_of_the_call(voice: Voice) -> None:
    phone, twilio = voice.caller(), voice.twilio
    line = twilio.rings(voice.hook(), from_=phone)
    mailbox = twilio.goes_on(line, "Dial", DialCallStatus="no-answer")
    recording, url = twilio.records()
    del twilio.recordings[recording]
    told = {"RecordingSid": recording, "RecordingUrl": url, "RecordingDuration": "9"}
    twilio.told_of_recording(mailbox.of("Record", "recordingStatusCallback"), line.sid, told)

    def failed() -> dict[str, Any] | None:
        entry = voice.call(phone)
        return entry if [one["state"] for one in entry["attachments"]] == ["failed"] else None

    entry = wait_for(failed, what="the failure")
    assert "no longer at Twilio" in json.dumps(entry["attachments"])
    assert entry["call"]["outcome"] == "voicemail"


@pytest.mark.feature("ROUT-02")
def test_a_number_has_one_conversation_and_each_withheld_call_its_own(voice: Voice) -> None:
    phone, twilio = voice.caller(), voice.twilio
    before = {one["id"] for one in voice.client.threads()}
    lines = [twilio.rings(voice.hook(), from_=phone) for _ in range(2)]
    for line in lines:
        twilio.ends(line, voice.hook())
    assert len(voice.calls(phone)) == 2
    withheld = ("+266696687", "anonymous", "", "Restricted", "+7378742833")
    hidden: list[Line] = [twilio.rings(voice.hook(), from_=who) for who in withheld]
    for line in hidden:
        assert line.of("Dial", "callerId") == NUMBER
        twilio.ends(line, voice.hook())
    new = [one for one in voice.client.threads(limit=50) if one["id"] not in before]
    names = sorted(one["contact"]["display"] for one in new)
    assert names == [f"+1 212-555-{phone[-4:]}", *["Withheld number"] * 5]
    (detail,) = {
        one["calls"][0]["reason"]
        for one in (voice.client.get(f"threads/{each['id']}") for each in new)
        if one["contact"]["display"] == "Withheld number"
    }
    assert detail == "No number is known"


@pytest.mark.feature("VOIC-01")
def test_outside_hours_it_is_the_voicemail_at_once(voice: Voice) -> None:
    line = voice.twilio.rings(voice.hook("night"), from_=voice.caller())
    assert line.verbs == ["Say", "Say", "Record", "Hangup"]
    assert line.said[0] == "We are closed <now>."


def test_outside_the_hours_of_the_organisation_too_and_from_the_next_call_on(
    voice: Voice,
) -> None:
    nobody = {f"{day}day": [] for day in ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun")}
    voice.client.patch("settings", {"hours": nobody})
    try:
        line = voice.twilio.rings(voice.hook(), from_=voice.caller())
        assert "Record" in line.verbs
        assert "Dial" not in line.verbs
    finally:
        voice.client.patch("settings", {"hours": {}})
    line = voice.twilio.rings(voice.hook(), from_=voice.caller())
    assert "Dial" in line.verbs


# ---- calls that members make


@pytest.mark.feature("VOIC-05", "VOIC-01")
def test_a_member_calls_a_contact(voice: Voice) -> None:
    phone, twilio = voice.caller(), voice.twilio
    voice.twilio.ends(twilio.rings(voice.hook(), from_=phone), voice.hook(), "no-answer")
    answer = voice.client.http.patch("/api/v1/me", json={"phone": MEMBER})
    assert answer.is_success, answer.text

    def places() -> tuple[str, MadeCall]:
        known = len(twilio.calls)
        thread = voice.thread(phone)
        entry = voice.client.post(
            f"threads/{thread['id']}/calls",
            {"channel_id": "voice", "contact_id": thread["contact"]["id"]},
        )
        wait_for(lambda: len(twilio.calls) > known, what="the call at Twilio")
        return entry["id"], twilio.calls[-1]

    def shown(entry_id: str) -> dict[str, Any]:
        return next(one for one in voice.calls(phone) if one["id"] == entry_id)

    entry_id, made = places()
    assert (made.resource["to"], made.resource["from"]) == (MEMBER, NUMBER)
    assert [each.text for each in made.dial] == [phone]
    for status in ("initiated", "ringing", "in-progress"):
        twilio.progresses(made, status)
    entry = shown(entry_id)
    assert (entry["direction"], entry["call"]["live"]) == ("out", True)
    told = twilio.reaches(made, "completed", DialCallDuration="97", DialBridged="true")
    assert told.verbs == ["Hangup"]
    twilio.progresses(made, "completed", CallDuration="110")

    def ended() -> dict[str, Any] | None:
        found = shown(entry_id)
        return found if found["call"]["outcome"] else None

    entry = wait_for(ended, what="the end of the call")
    call = entry["call"]
    assert (call["outcome"], call["duration"], call["live"]) == ("answered", 97.0, False)
    assert entry["status"] == "sent"

    entry_id, made = places()
    twilio.progresses(made, "no-answer")
    entry = wait_for(ended, what="the end of the call")
    assert entry["call"]["outcome"] == "canceled", "the member was not there"

    entry_id, made = places()
    assert twilio.reaches(made, "busy").said == ["The call was not answered."]
    twilio.progresses(made, "completed", CallDuration="8")
    entry = wait_for(ended, what="the end of the call")
    assert entry["call"]["outcome"] == "busy"
    assert len(voice.calls(phone)) == 4


@pytest.mark.feature("VOIC-05")
def test_a_call_that_twilio_refuses_says_why(voice: Voice) -> None:
    phone, twilio = voice.caller(), voice.twilio
    voice.twilio.ends(twilio.rings(voice.hook(), from_=phone), voice.hook(), "no-answer")
    refusing = "+14155550178"
    assert voice.client.http.patch("/api/v1/me", json={"phone": refusing}).is_success
    twilio.moods[refusing] = Refuse(400, 21215)
    thread = voice.thread(phone)
    wanted = {"channel_id": "voice", "contact_id": thread["contact"]["id"]}
    entry_id = voice.client.post(f"threads/{thread['id']}/calls", wanted)["id"]

    def failed() -> dict[str, Any] | None:
        entry = next(one for one in voice.calls(phone) if one["id"] == entry_id)
        return entry if entry["status"] == "failed" else None

    entry = wait_for(failed, what="the refusal")
    assert "region" in entry["status_reason"]


# ---- other voice agents


def report(voice: Voice, body: bytes, key: str = KEY) -> httpx2.Response:
    proof = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Report-Signature": proof}
    return httpx2.post(f"{voice.hook()}/agent", content=body, headers=headers)


@pytest.mark.feature("VOIC-04", "VOIC-01")
def test_another_voice_agent_reports_its_call(voice: Voice) -> None:
    phone = voice.caller()
    told = {
        "call": f"nd-{phone}",
        "from": phone,
        "to": NUMBER,
        "duration": 120,
        "result": "answered",
        "summary": "Wants a new boiler before winter",
        "facts": {"Address": "12 High Street"},
        "outcome": "qualified",
        "follow_up": "Call back with a price",
        "due_at": "2026-03-02T17:00:00Z",
        "transcript": [{"at": 2, "speaker": "customer", "text": "It leaks"}],
    }
    body = json.dumps(told).encode()
    assert report(voice, body, key="another").status_code == 403
    for _ in range(2):
        assert report(voice, body).status_code == 200
    call = voice.call(phone)["call"]
    assert (call["outcome"], call["summary"]) == ("answered", told["summary"])
    assert call["facts"] == [["Address", "12 High Street"]]
    assert (call["result"], call["follow_up"]) == ("qualified", "Call back with a price")
    assert call["due_at"] == told["due_at"]
    assert [one["text"] for one in call["lines"]] == ["It leaks"]
    assert not call["unresolved"]
    handed = {"call": f"nd-{phone}", "handed_over": True, "summary": "Wants a person"}
    assert report(voice, json.dumps(handed).encode()).status_code == 200
    assert voice.call(phone)["call"]["unresolved"]


def test_what_is_no_report_is_kept_and_what_is_not_signed_is_refused(voice: Voice) -> None:
    before = len(voice.quarantined())
    for body in (b"", b"[]", b'{"call": ""}', b'{"call": "x", "due_at": "tomorrow"}'):
        assert report(voice, body).status_code == 200
    assert len(voice.quarantined()) == before + 4
    assert httpx2.post(f"{voice.hook()}/agent", json={"call": "x"}).status_code == 403
    unset = f"{voice.hook('night')}/agent"
    assert httpx2.post(unset, json={"call": "x"}).status_code == 403
    fields = [("CallSid", "CA1"), ("CallStatus", "ringing"), ("From", "+12125550199")]
    assert voice.twilio.post(voice.hook(), fields, signature="forged").status_code == 403
