"""Recorded webhooks of WhatsApp by Twilio through a hub: each is accounted for."""

from __future__ import annotations

import json
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
id = "whatsapp"
organisation = "main"
plugin = "whatsapp-twilio"
[channels.settings]
account_sid = "{ACCOUNT}"
auth_token = {{ env = "TOKEN" }}
numbers = ["{NUMBER}"]
"""
NO_OPS = {"whatsapp_status_read.form"}  # the receipt of a message that this hub has not sent


def signed(name: str, pairs: list[tuple[str, str]]) -> corpus.Sent:
    """As Twilio posts it to this channel's number (those recorded are masked), signed by Twilio's
    own package."""
    ours = {"AccountSid": ACCOUNT, "To": f"whatsapp:{NUMBER}"}
    inbound = not any(key == "MessageStatus" for key, _ in pairs)
    given = [
        (key, ours[key] if key in ours and (inbound or key != "To") else value)
        for key, value in pairs
    ]
    url = f"{PUBLIC_URL}/hooks/main/whatsapp"
    signature = RequestValidator(TOKEN).compute_signature(url, ImmutableMultiDict(given))
    return corpus.Sent(
        name=name,
        body=urlencode(given).encode(),
        headers=(
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("X-Twilio-Signature", signature),
        ),
    )


def test_every_recorded_webhook_is_accounted_for(request: pytest.FixtureRequest) -> None:
    folder = recorded.path("twilio")
    files = sorted(folder.glob("whatsapp_*.form"))
    sent = [
        signed(path.name, parse_qsl(path.read_text(), keep_blank_values=True)) for path in files
    ]
    form = recorded.load("twilio/whatsapp_flow_fields.json")
    fields = {
        "MessageSid": "SM" + "7" * 32,
        "From": "whatsapp:+15555550101",
        "To": f"whatsapp:{NUMBER}",
        "InteractiveData": json.dumps(form["InteractiveData"]),
        "FlowData": form["FlowData"],
        "ChannelMetadata": json.dumps(form["ChannelMetadata"]),
    }
    sent.append(signed("whatsapp_flow_fields.json", list(fields.items())))
    with running_hub(config=CONFIG, environ={"TOKEN": TOKEN}) as hub:
        client = hub.client()
        outcomes = corpus.send(client, "whatsapp", sent)
        (thread,) = client.threads()
        told = json.dumps(client.entries(thread["id"]))
    corpus.report(request, "WhatsApp by Twilio", outcomes)
    corpus.nothing_lost(outcomes, [one.name for one in sent])
    assert {one.name for one in outcomes if one.kind == "no-op"} == NO_OPS
    assert {one.kind for one in outcomes if one.name not in NO_OPS} == {"entry"}
    assert "1_Wear_the_same_as_usual" in told
    assert "Hello from the field" in told
    assert "25.018766403198" in told
