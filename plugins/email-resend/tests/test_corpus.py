"""Recorded webhooks of Resend through a hub: each is accounted for."""

from __future__ import annotations

import json

import pytest

from tests import corpus, recorded
from tests.hubs import running_hub
from tests.standins.resend import KEY, SECRET, ResendStandIn, signed

CONFIG = """
[[organisations]]
slug = "main"
[[channels]]
id = "mail"
organisation = "main"
plugin = "email-resend"
[channels.settings]
api_key = { env = "RESEND_KEY" }
signing_secrets = [{ env = "RESEND_SECRET" }]
address = "to@example.org"
aliases = ["recipient@example.org"]
"""
VECTORS = "svix_vectors.json"
"""Signatures of bodies that are none of Resend's."""
RAW = (
    b"From: Sender Name <from@example.com>\r\nTo: recipient@example.org\r\n"
    b"Subject: Testing\r\nMessage-ID: <%s@mail.example.com>\r\n\r\nHello\r\n"
)


def test_every_recorded_webhook_is_accounted_for(request: pytest.FixtureRequest) -> None:
    folder = recorded.path("email_webhooks/resend")
    files = sorted(path for path in folder.glob("*.json") if path.name != VECTORS)
    with ResendStandIn(recorded.path("openapi/resend.json")) as resend:
        routes = ",".join(f"{host}={url}" for host, url in resend.routes.items())
        environ = {"RESEND_KEY": KEY, "RESEND_SECRET": SECRET, "HUB_HTTP_ROUTES": routes}
        with running_hub(config=CONFIG, environ=environ) as hub:
            sent: list[corpus.Sent] = []
            for number, path in enumerate(files):
                body = path.read_bytes()
                told = json.loads(body)
                fetches = told["type"] == "email.received"
                if fetches:  # the two that are recorded name the same mail
                    id_ = f"56761188-7520-42d8-8898-ff6fc54ce{number:03d}"
                    told["data"]["email_id"] = id_
                    body = json.dumps(told).encode()
                    url = f"https://store.resend.example/{id_}"
                    resend.files[f"/{id_}"] = RAW % str(number).encode()
                    resend.received[id_] = {"id": id_, "raw": {"download_url": url}}
                headers = tuple(signed(body).items())
                one = corpus.Sent(
                    name=path.name, body=body, headers=headers, fetches=1 if fetches else 0
                )
                sent.append(one)
            outcomes = corpus.send(hub.client(), "mail", sent)
    corpus.report(request, "Webhooks of Resend", outcomes)
    corpus.nothing_lost(outcomes, [path.name for path in files])
    entries = {one.name for one in outcomes if one.kind == "entry"}
    assert entries == {"attachments.json", "inbound_basics_raw_mime.json"}
    assert {one.kind for one in outcomes if one.name not in entries} == {"no-op"}
