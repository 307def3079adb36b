"""Recorded deliveries of WhatsApp through a hub: each is accounted for."""

from __future__ import annotations

import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from tests import corpus, recorded
from tests.hubs import running_hub
from tests.standins.meta import ACCOUNT, NUMBER, NUMBER_ID, SECRET

CONFIG = f"""
[[organisations]]
slug = "main"
[[channels]]
id = "whatsapp"
organisation = "main"
plugin = "whatsapp-cloud"
[channels.settings]
phone_number_id = "{NUMBER_ID}"
number = "{NUMBER}"
business_account_id = "{ACCOUNT}"
access_token = {{ env = "SECRET" }}
app_secret = {{ env = "SECRET" }}
verify_token = {{ env = "SECRET" }}
"""
NO_OPS = {
    # receipts, and news of messages that this hub has not seen
    "bsuid_status_failed_131026.json",
    "deleted_message__revoke.json",
    "edited_message__image.json",
    "message__reaction.json",
    "message__unreaction_empty.json",
    "message__unreaction_no_emoji.json",
    "message_status__delivered.json",
    "message_status__failed.json",
    "message_status__read.json",
    "message_status__sent.json",
    "message_status__with_tracker.json",
    # what is no message
    "call_terminate__call_terminate.json",
    "system__phone_number_change.json",
    "template_status_update__rejected.json",
}


def ours(path: Path) -> corpus.Sent:
    """The delivery as one for this channel's number, with ids of its own (those of many files are
    masked by the same one), signed."""
    body: dict[str, Any] = json.loads(path.read_text())
    for entry in body["entry"]:
        entry["id"] = ACCOUNT
        for change in entry["changes"]:
            value = change["value"]
            if "metadata" in value:
                value["metadata"]["phone_number_id"] = NUMBER_ID
            for message in (*value.get("messages", ()), *value.get("message_echoes", ())):
                message["id"] = f"wamid.{path.stem}"
    raw = json.dumps(body, ensure_ascii=False).encode()
    digest = hmac.digest(SECRET.encode(), raw, "sha256").hex()
    headers = (("Content-Type", "application/json"), ("X-Hub-Signature-256", f"sha256={digest}"))
    return corpus.Sent(name=path.name, body=raw, headers=headers)


def test_every_recorded_delivery_is_accounted_for(request: pytest.FixtureRequest) -> None:
    files = sorted(recorded.path("whatsapp_cloud").glob("*.json"))
    with running_hub(config=CONFIG, environ={"SECRET": SECRET}) as hub:
        outcomes = corpus.send(hub.client(), "whatsapp", [ours(path) for path in files])
    corpus.report(request, "WhatsApp by Meta", outcomes)
    corpus.nothing_lost(outcomes, [path.name for path in files])
    assert {one.name for one in outcomes if one.kind == "no-op"} == NO_OPS
    assert {one.kind for one in outcomes if one.name not in NO_OPS} == {"entry"}


def test_for_another_number_nothing_is_taken_in(request: pytest.FixtureRequest) -> None:
    """Left as they are, they are for other numbers and accounts: each says so."""
    files = sorted(recorded.path("whatsapp_cloud").glob("*.json"))
    sent: list[corpus.Sent] = []
    for path in files:
        raw = path.read_bytes()
        digest = hmac.digest(SECRET.encode(), raw, "sha256").hex()
        sent.append(
            corpus.Sent(
                name=path.name, body=raw, headers=(("X-Hub-Signature-256", f"sha256={digest}"),)
            )
        )
    with running_hub(config=CONFIG, environ={"SECRET": SECRET}) as hub:
        outcomes = corpus.send(hub.client(), "whatsapp", sent)
    corpus.report(request, "WhatsApp by Meta, of other numbers", outcomes)
    assert {one.kind for one in outcomes} == {"no-op"}
    assert all("another" in one.detail or "a call" in one.detail for one in outcomes)
