"""From end to end: a real hub, and a Twilio that checks requests by its own spec."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests import recorded
from tests.hubs import Client, HubProcess, wait_for
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN, Refuse
from tests.standins.twilio_whatsapp import WhatsAppStandIn, content

PUBLIC = "http://127.0.0.1:9"
CONFIG = f"""
[hub]
public_url = "{PUBLIC}"
[[organisations]]
slug = "main"
[[channels]]
id = "whatsapp"
organisation = "main"
plugin = "whatsapp-twilio"
name = "WhatsApp"
[channels.settings]
account_sid = "{ACCOUNT}"
auth_token = {{ env = "TWILIO_TOKEN" }}
numbers = ["{NUMBER}"]
"""
HOOK = f"{PUBLIC}/hooks/main/whatsapp"
VISIT = content(1, "visit", {"twilio/text": {"body": "Hello {{1}}, we come at {{2}}."}}, "approved")


@pytest.fixture(scope="module")
def twilio() -> Iterator[WhatsAppStandIn]:
    spec = recorded.path("openapi/twilio_api_v2010.json")
    with WhatsAppStandIn(spec, recorded.path("openapi/twilio_content_v1.json")) as twilio:
        twilio.contents = [VISIT]
        yield twilio
        assert twilio.spec_errors == []


@pytest.fixture(scope="module")
def hub(twilio: WhatsAppStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    environ = {
        "TWILIO_TOKEN": TOKEN,
        "HUB_HTTP_ROUTES": ",".join(f"{host}={url}" for host, url in twilio.routes.items()),
    }
    with HubProcess(tmp_path_factory.mktemp("hub"), config=CONFIG, environ=environ) as hub:
        twilio._reach[PUBLIC] = hub.base_url
        yield hub


@pytest.fixture(scope="module")
def client(hub: HubProcess) -> Client:
    return hub.client()


def thread_with(client: Client, words: str) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        told = ((one, json.dumps(client.entries(one["id"]))) for one in client.threads())
        return next((one for one, entries in told if words in entries), None)

    return wait_for(found, what=f"a conversation with {words!r}")


def status_of(client: Client, thread: dict[str, Any], entry_id: str) -> dict[str, Any]:
    (entry,) = [one for one in client.entries(thread["id"]) if one["id"] == entry_id]
    return entry


@pytest.mark.feature("ROUT-01", "ROUT-06")
def test_a_conversation(twilio: WhatsAppStandIn, client: Client) -> None:
    assert twilio.wrote(HOOK, "+4915112345678", "Is anybody there?").status_code == 200
    forged = [("MessageSid", "SM1"), ("From", "whatsapp:+4915112345678"), ("Body", "Forged")]
    assert twilio.post(HOOK, forged, signature="nonsense").status_code == 403
    thread = thread_with(client, "Is anybody there?")
    assert thread["contact"]["name"] == "Karla"
    sent = client.post(
        f"threads/{thread['id']}/messages",
        {"channel_id": "whatsapp", "contact_id": thread["contact"]["id"], "body": "We are."},
    )
    (taken,) = wait_for(lambda: twilio.sent or None, what="the answer at Twilio")
    assert (taken.resource["to"], taken.body) == ("whatsapp:+4915112345678", "We are.")
    for status in ("read", "sent", "delivered"):  # in any order
        answer = twilio.callback(taken.sid, status)
        assert answer is not None
        assert answer.status_code == 200
    wait_for(lambda: status_of(client, thread, sent["id"])["status"] == "read", what="the receipt")


@pytest.mark.feature("COMP-06")
def test_a_window_that_closes_meanwhile(twilio: WhatsAppStandIn, client: Client) -> None:
    """Twilio takes a message and tells later that it came too late."""
    twilio.wrote(HOOK, "+4915198765432", "One question", ProfileName="Olga")
    thread = thread_with(client, "One question")
    before = len(twilio.sent)
    sent = client.post(
        f"threads/{thread['id']}/messages",
        {"channel_id": "whatsapp", "contact_id": thread["contact"]["id"], "body": "Late"},
    )
    wait_for(lambda: len(twilio.sent) > before, what="the answer at Twilio")
    twilio.callback(twilio.sent[before].sid, "failed", 63016)
    failed = wait_for(
        lambda: (
            status_of(client, thread, sent["id"])["status"] == "failed"
            and status_of(client, thread, sent["id"])
        ),
        what="the failure",
    )
    assert "24 hours" in json.dumps(failed)


@pytest.mark.feature("COMP-06")
def test_who_has_not_written_gets_templates_alone(twilio: WhatsAppStandIn, client: Client) -> None:
    stranger = {"channel_id": "whatsapp", "to": "+4915155555555", "body": "Buy our roofs"}
    refused = client.call("POST", "messages", stranger)
    assert (refused.status_code, refused.json()["code"]) == (422, "window_closed")
    (visit,) = client.get("channels/whatsapp/templates")["items"]
    assert [one["name"] for one in visit["parameters"]] == ["1", "2"]

    twilio.wrote(HOOK, "+4915144444444", "About the visit", ProfileName="Ute")
    thread = thread_with(client, "About the visit")
    wanted: dict[str, Any] = {
        "channel_id": "whatsapp",
        "contact_id": thread["contact"]["id"],
        "template": {"name": "visit", "language": "en"},
        "variables": {"1": "Ute"},
    }
    path = f"threads/{thread['id']}/messages"
    refused = client.call("POST", path, wanted)
    assert (refused.status_code, refused.json()["code"]) == (422, "template_values")
    before = len(twilio.sent)
    entry = client.post(path, {**wanted, "variables": {"1": "Ute", "2": "nine"}})
    assert "Hello Ute, we come at nine." in json.dumps(entry)
    wait_for(lambda: len(twilio.sent) > before, what="the template at Twilio")
    form = dict(next(one.form for one in reversed(twilio.requests) if one.method == "POST"))
    assert form["ContentSid"] == VISIT["sid"]
    assert json.loads(form["ContentVariables"]) == {"1": "Ute", "2": "nine"}


def test_a_busy_twilio_is_tried_again(twilio: WhatsAppStandIn, client: Client) -> None:
    number = "+4915133333333"
    twilio.wrote(HOOK, number, "Still there?", ProfileName="Eva")
    thread = thread_with(client, "Still there?")
    twilio.moods[f"whatsapp:{number}"] = Refuse(429, 20429)
    sent = client.post(
        f"threads/{thread['id']}/messages",
        {"channel_id": "whatsapp", "contact_id": thread["contact"]["id"], "body": "We are"},
    )
    asked = [one for one in twilio.requests if one.method == "POST"]
    wait_for(
        lambda: len([one for one in twilio.requests if one.method == "POST"]) > len(asked) - 1,
        what="an attempt",
    )
    twilio.moods.clear()
    wait_for(
        lambda: status_of(client, thread, sent["id"])["status"] == "queued",
        what="the message at Twilio",
    )
    wait_for(lambda: any(one.body == "We are" for one in twilio.sent), what="the text")


@pytest.mark.feature("LIST-03")
def test_it_looks_like_whatsapp(client: Client) -> None:
    (channel,) = client.get("channels")
    assert (channel["name"], channel["tone"], channel["group"]) == ("WhatsApp", "green", "texts")
