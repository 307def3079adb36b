"""Recorded texts and receipts through a hub: each is accounted for."""

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
id = "texts"
organisation = "main"
plugin = "sms-twilio"
[channels.settings]
account_sid = "{ACCOUNT}"
auth_token = {{ env = "TOKEN" }}
numbers = ["{NUMBER}"]
"""
FAMILIES = ("sms_*.form", "mms_*.form", "status_*.form")
NO_OPS = {
    "sms_inbound_botbuilder.form",  # its masked id is the other one's of that source
    "status_delivered.form",
    "status_delivered_rawdlr.form",
    "status_delivered_with_errorcode_30007.form",
    "status_undelivered_30008_minimal.form",
}
"""Besides: receipts of messages that this hub has not sent."""


def signed(name: str, body: bytes) -> corpus.Sent:
    """As Twilio posts it, of the channel's account (those recorded are masked), signed by Twilio's
    own package."""
    pairs = [
        (key, ACCOUNT if key == "AccountSid" else value)
        for key, value in parse_qsl(body.decode(), keep_blank_values=True)
    ]
    url = f"{PUBLIC_URL}/hooks/main/texts"
    signature = RequestValidator(TOKEN).compute_signature(url, ImmutableMultiDict(pairs))
    return corpus.Sent(
        name=name,
        body=urlencode(pairs).encode(),
        headers=(
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("X-Twilio-Signature", signature),
        ),
    )


def test_every_recorded_text_is_accounted_for(request: pytest.FixtureRequest) -> None:
    folder = recorded.path("twilio")
    files = sorted(path for family in FAMILIES for path in folder.glob(family))
    with running_hub(config=CONFIG, environ={"TOKEN": TOKEN}) as hub:
        sent = [signed(path.name, path.read_bytes()) for path in files]
        outcomes = corpus.send(hub.client(), "texts", sent)
    corpus.report(request, "Texts of Twilio", outcomes)
    corpus.nothing_lost(outcomes, [path.name for path in files])
    assert {one.name for one in outcomes if one.kind == "no-op"} == NO_OPS
    assert {one.kind for one in outcomes if one.name not in NO_OPS} == {"entry"}
