"""Recorded calls through a hub: each is accounted for."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import ImmutableMultiDict

from tests import corpus, recorded
from tests.hubs import running_hub
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN

PUBLIC_URL = "http://127.0.0.1:9"
CONFIG = f"""
[hub]
public_url = "{PUBLIC_URL}"
[[organisations]]
slug = "main"
[[channels]]
id = "voice"
organisation = "main"
plugin = "voice-twilio"
[channels.settings]
account_sid = "{ACCOUNT}"
auth_token = {{ env = "TOKEN" }}
numbers = ["{NUMBER}"]
"""
FAMILIES = ("voice_*.form", "conversationrelay_*.form")
STEPS = {
    "voice_transcription_completed.form": "?step=words&call=CA123456",
    "conversationrelay_end_action.form": "?step=agent",
}
"""Where our TwiML has Twilio tell them: the recorded ones name the call there, or not at all."""
NO_OPS = {
    "voice_recording_completed.form",  # of a call that never came in
    "voice_transcription_completed.form",  # news of the call that rings, and no further entry
}


def signed(name: str, body: bytes) -> corpus.Sent:
    """As Twilio posts it, of the channel's account (those recorded are masked), signed by Twilio's
    own package."""
    pairs = [
        (key, ACCOUNT if key == "AccountSid" else value)
        for key, value in parse_qsl(body.decode(), keep_blank_values=True)
    ]
    path = STEPS.get(name, "")
    url = f"{PUBLIC_URL}/hooks/main/voice{path}"
    signature = RequestValidator(TOKEN).compute_signature(url, ImmutableMultiDict(pairs))
    return corpus.Sent(
        name=name,
        path=path,
        body=urlencode(pairs).encode(),
        headers=(
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("X-Twilio-Signature", signature),
        ),
    )


def test_every_recorded_call_is_accounted_for(request: pytest.FixtureRequest) -> None:
    folder = recorded.path("twilio")
    files = sorted(path for family in FAMILIES for path in folder.glob(family))
    with running_hub(config=CONFIG, environ={"TOKEN": TOKEN}) as hub:
        sent = [signed(path.name, path.read_bytes()) for path in files]
        client = hub.client()
        outcomes = corpus.send(client, "voice", sent)
        entries = [entry for thread in client.threads() for entry in client.entries(thread["id"])]
    corpus.report(request, "Calls of Twilio", outcomes)
    corpus.nothing_lost(outcomes, [path.name for path in files])
    assert {one.name for one in outcomes if one.kind == "no-op"} == NO_OPS
    assert {one.kind for one in outcomes if one.name not in NO_OPS} == {"entry"}
    told = [(one["direction"], one["call"]["outcome"], one["call"]["duration"]) for one in entries]
    assert sorted(told, key=str) == [
        ("in", "answered", None),
        ("in", "voicemail", None),
        ("out", "answered", 11.0),
        ("out", "answered", 42.0),
    ]
