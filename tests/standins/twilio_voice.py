"""Twilio's stand-in, as far as calls go: it makes calls, keeps recordings, has numbers, and asks
the hub what to do with a caller.

    with TwilioVoiceStandIn(spec_path) as twilio:
        line = twilio.rings(hook, from_="+15550001")   # the TwiML that the hub answered
        line = twilio.goes_on(line, "Dial", DialCallStatus="no-answer")
        twilio.leaves(line, seconds=17)
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import httpx2

from tests.standins.twilio import (
    NUMBER,
    Answer,
    Hang,
    Refuse,
    Request,
    TwilioStandIn,
    _credentials,
    _refusal,
)

SOUND = b"ID3\x03\x00\x00\x00\x00\x00\x00 sound"


@dataclass
class Line:
    """A call that came in, and what the hub has said last to do with it."""

    sid: str
    fields: dict[str, str]
    status: int
    body: bytes

    @property
    def xml(self) -> ET.Element:
        """The TwiML."""
        assert self.status == 200, self.body
        return ET.fromstring(self.body)

    @property
    def verbs(self) -> list[str]:
        """What is done, in order."""
        return [each.tag for each in self.xml]

    @property
    def said(self) -> list[str]:
        """What is said."""
        return [each.text or "" for each in self.xml.iter("Say")]

    def of(self, verb: str, attribute: str) -> str:
        """An attribute of the first such verb."""
        found = self.xml.find(f".//{verb}")
        assert found is not None, self.body
        return found.attrib[attribute]


@dataclass
class MadeCall:
    """A call that the hub has made: ``resource`` is what the API shows of it."""

    resource: dict[str, Any]
    twiml: str
    status_callback: str
    events: list[str]

    @property
    def sid(self) -> str:
        return self.resource["sid"]

    @property
    def dial(self) -> ET.Element:
        """The second half, which calls the contact."""
        found = ET.fromstring(self.twiml).find("Dial")
        assert found is not None, self.twiml
        return found


class TwilioVoiceStandIn(TwilioStandIn):
    """Twilio with calls besides texts."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.calls: list[MadeCall] = []
        self.recordings: dict[str, bytes | None] = {}
        """By id; ``None``: announced, and not there yet."""
        self.configured: dict[str, dict[str, Any]] = {}
        """What each number does with a call, as its resource says."""

    # ---- calls that come in

    def rings(self, hook: str, *, from_: str, to: str = NUMBER, **more: str) -> Line:
        """Somebody calls."""
        fields = {
            "CallSid": self._sid("CA"),
            "AccountSid": self.account_sid,
            "ApiVersion": "2010-04-01",
            "Direction": "inbound",
            "From": from_,
            "Caller": from_,
            "To": to,
            "Called": to,
        }
        return self._asks(hook, fields, {"CallStatus": "ringing", **more})

    def goes_on(self, line: Line, verb: str, **more: str) -> Line:
        """A verb is over, and its action says what is next."""
        told = {"CallStatus": "in-progress", **more}
        return self._asks(line.of(verb, "action"), line.fields, told)

    def ends(self, line: Line, hook: str, status: str = "completed", **more: str) -> None:
        """The number's status callback."""
        told = {"CallStatus": status, **progress(), **more}
        answer = self.post(hook, list({**line.fields, **told}.items()))
        assert answer.status_code == 200, answer.text

    def leaves(self, line: Line, *, seconds: int, sound: bytes = SOUND) -> str:
        """A message is spoken on the voicemail; the recording's id. It is told twice."""
        recording, url = self.records(sound)
        told = {"RecordingSid": recording, "RecordingUrl": url, "RecordingDuration": str(seconds)}
        self.goes_on(line, "Record", Digits="hangup", **told)
        self.told_of_recording(line.of("Record", "recordingStatusCallback"), line.sid, told)
        return recording

    def writes_down(self, line: Line, text: str, *, status: str = "completed") -> None:
        """The transcription of a voicemail."""
        self.post(
            line.of("Record", "transcribeCallback"),
            [
                ("AccountSid", self.account_sid),
                ("TranscriptionSid", self._sid("TR")),
                ("TranscriptionStatus", status),
                ("TranscriptionText", text),
            ],
        )

    def records(self, sound: bytes | None = SOUND) -> tuple[str, str]:
        """A new recording: its id and where it lies."""
        recording = self._sid("RE")
        self.recordings[recording] = sound
        path = f"/2010-04-01/Accounts/{self.account_sid}/Recordings/{recording}"
        return recording, f"https://api.twilio.com{path}"

    def told_of_recording(self, where: str, call: str, told: dict[str, str]) -> None:
        """A recording's status callback."""
        fields = {"AccountSid": self.account_sid, "CallSid": call, "RecordingStatus": "completed"}
        answer = self.post(where, list({**fields, **told}.items()))
        assert answer.status_code == 200, answer.text

    def _asks(self, where: str, fields: dict[str, str], more: dict[str, str]) -> Line:
        answer: httpx2.Response = self.post(where, list({**fields, **more}.items()))
        return Line(fields["CallSid"], fields, answer.status_code, answer.content)

    # ---- calls that are made

    def progresses(self, made: MadeCall, status: str, **more: str) -> None:
        """The status callback of a call that the hub has made."""
        made.resource["status"] = status
        self.post(made.status_callback, list({**self._of(made), **progress(), **more}.items()))

    def reaches(self, made: MadeCall, status: str, **more: str) -> Line:
        """The contact's half is over."""
        told = {"DialCallStatus": status, **more}
        return self._asks(made.dial.attrib["action"], self._of(made), told)

    def _of(self, made: MadeCall) -> dict[str, str]:
        return {
            "CallSid": made.sid,
            "AccountSid": self.account_sid,
            "Direction": "outbound-api",
            "From": made.resource["from"],
            "To": made.resource["to"],
            "CallStatus": made.resource["status"],
        }

    def _create_call(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        form = dict(request.form)
        to, own = form.get("To", ""), form.get("From", "")
        mood = self.moods.get(to)
        if isinstance(mood, Refuse):
            return _refusal(mood)
        if not re.fullmatch(r"\+[1-9]\d{6,14}", to):
            return _refusal(Refuse(400, 21211))
        if own not in self.numbers:
            return _refusal(Refuse(400, 21210))
        if isinstance(mood, Hang) and not mood.after:
            self._stopping.wait()
        made = MadeCall(
            resource=self._call(to, own),
            twiml=form["Twiml"],
            status_callback=form["StatusCallback"],
            events=[value for name, value in request.form if name == "StatusCallbackEvent"],
        )
        ET.fromstring(made.twiml)
        with self._lock:
            self.calls.append(made)
        if isinstance(mood, Hang):
            self._stopping.wait()
        if isinstance(mood, Answer):
            return mood.status, {}, mood.body
        return 201, {}, json.dumps(made.resource).encode()

    def _call(self, to: str, own: str) -> dict[str, Any]:
        sid, now = self._sid("CA"), format_datetime(datetime.now(UTC))
        uri = f"/2010-04-01/Accounts/{self.account_sid}/Calls/{sid}.json"
        nothing = (
            *("answered_by", "caller_name", "duration", "end_time", "forwarded_from"),
            *("group_sid", "parent_call_sid", "price", "start_time", "trunk_sid"),
        )
        return {
            **dict.fromkeys(nothing),
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "date_created": now,
            "date_updated": now,
            "direction": "outbound-api",
            "from": own,
            "from_formatted": own,
            "phone_number_sid": "PN" + "0" * 32,
            "price_unit": "USD",
            "queue_time": "0",
            "sid": sid,
            "status": "queued",
            "subresource_uris": {},
            "to": to,
            "to_formatted": to,
            "uri": uri,
        }

    # ---- its API

    def _answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        base = f"/2010-04-01/Accounts/{self.account_sid}"
        path = request.path.removeprefix(base)
        known = ("/Calls.json", "/Recordings/", "/IncomingPhoneNumbers.json")
        if path == request.path or not path.startswith(known):
            return super()._answer(request)
        user, password = _credentials(request.headers)
        if user is None or self._accounts.get(user) != password:
            return _refusal(Refuse(401, 20003))
        if path == "/Calls.json":
            if request.method == "POST":
                return self._create_call(request)
            return self._page(request, "calls", self._calls_of(dict(request.query)))
        if path == "/IncomingPhoneNumbers.json":
            wanted = dict(request.query).get("PhoneNumber", "")
            found = [
                self._number(one, said) for one, said in self.configured.items() if one == wanted
            ]
            return self._page(request, "incoming_phone_numbers", found)
        return self._recording(path.removeprefix("/Recordings/"))

    def _calls_of(self, query: dict[str, str]) -> list[dict[str, Any]]:
        with self._lock:
            return [
                each.resource
                for each in reversed(self.calls)
                if query.get("To", each.resource["to"]) == each.resource["to"]
                and query.get("From", each.resource["from"]) == each.resource["from"]
            ]

    def _recording(self, name: str) -> tuple[int, dict[str, str], bytes]:
        recording, _, kind = name.partition(".")
        if recording not in self.recordings:
            return _refusal(Refuse(404, 20404))
        sound = self.recordings[recording]
        if kind == "mp3":
            if sound is None:
                return _refusal(Refuse(404, 20404))
            return 200, {"Content-Type": "audio/mpeg"}, sound
        state = "processing" if sound is None else "completed"
        return 200, {}, json.dumps({"sid": recording, "status": state}).encode()

    def _number(self, number: str, said: dict[str, Any]) -> dict[str, Any]:
        return {
            "sid": "PN" + "0" * 32,
            "account_sid": self.account_sid,
            "phone_number": number,
            "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
            "trunk_sid": None,
            "voice_application_sid": None,
            "sms_application_sid": None,
            "sms_url": None,
            "sms_method": "POST",
            "voice_url": None,
            "voice_method": "POST",
            "status_callback": None,
            "status_callback_method": "POST",
            **said,
        }

    def _page(
        self, request: Request, name: str, found: list[dict[str, Any]]
    ) -> tuple[int, dict[str, str], bytes]:
        query = dict(request.query)
        size = int(query.get("PageSize", "50"))
        first = f"{request.path}?{urlencode(request.query)}"
        page = {
            name: found[:size],
            "end": max(0, min(size, len(found)) - 1),
            "first_page_uri": first,
            "next_page_uri": None,
            "page": 0,
            "page_size": size,
            "previous_page_uri": None,
            "start": 0,
            "uri": first,
        }
        return 200, {}, json.dumps(page).encode()


def progress() -> dict[str, str]:
    """What stands in a status callback besides."""
    now = format_datetime(datetime.now(UTC))
    return {"CallbackSource": "call-progress-events", "SequenceNumber": "0", "Timestamp": now}
