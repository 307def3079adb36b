"""From end to end: a real hub with a channel of each provider."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.hubs import HubProcess, wait_for
from tests.standins.mail_hooks import (
    CERTIFICATE,
    JSON,
    PASSWORD,
    SIGNING_KEY,
    SNS,
    TOKEN,
    TOPIC,
    Answer,
    Asked,
    Headers,
    Keys,
    Providers,
    form,
    said,
)

RAW = (
    "From: Zoe {who} <zoe-{who}@customer.example>\r\nTo: help@example.com\r\n"
    "Subject: The list\r\nDate: Mon, 02 Mar 2026 09:29:40 +0000\r\n"
    "Message-ID: <in-{who}@customer.example>\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: text/plain\r\n\r\nIs Thursday fine?\r\n"
    "--b\r\nContent-Type: text/csv; name=list.csv\r\nContent-Disposition: attachment\r\n\r\n"
    "a,b\r\n--b--\r\n"
)
ID = "0102019579c8ab20-aabbccdd-1122-3344-5566-77889900aabb-000000"
NAMES = ("postmark", "mailgun", "sendgrid", "ses")


def config(public_key: str) -> str:
    own = {
        "postmark": f'passwords = ["{PASSWORD}"]\nserver_token = "a server token"',
        "mailgun": f'signing_keys = ["{SIGNING_KEY}"]\napi_key = "an api key"',
        "sendgrid": f'tokens = ["{TOKEN}"]\npublic_keys = ["{public_key}"]\napi_key = "a key"',
        "ses": f'topics = ["{TOPIC}"]\nregion = "eu-west-1"\naccess_key_id = "AKIA"\n'
        'secret_access_key = "a secret access key"',
    }
    channels = [
        f'[[channels]]\nid = "{name}"\norganisation = "main"\nplugin = "email-inbound"\n'
        f'[channels.settings]\nprovider = "{name}"\naddress = "help@example.com"\n'
        f"[channels.settings.{name}]\n{keys}\n"
        for name, keys in own.items()
    ]
    return '[[organisations]]\nslug = "main"\nname = "Main"\n' + "".join(channels)


@pytest.fixture(scope="module")
def providers(keys: Keys) -> Iterator[Providers]:
    answers: dict[str, Answer] = {
        "api.postmarkapp.com": said(200, {"ErrorCode": 0, "MessageID": "g-1"}),
        "api.mailgun.net": said(200, {"id": "<x@example.com>", "message": "Queued."}),
        "api.sendgrid.com": (202, {"X-Message-Id": "sg-1"}, b""),
        "email.eu-west-1.amazonaws.com": said(200, {"MessageId": ID}),
        "hub-mail.s3.eu-west-1.amazonaws.com": (200, {}, RAW.format(who="s3").encode()),
    }

    def answering(asked: Asked) -> Answer:
        if asked.host == SNS:
            return 200, {}, keys.certificate if CERTIFICATE.endswith(asked.path) else b"<ok/>"
        return answers[asked.host]

    with Providers(answering) as providers:
        yield providers


@pytest.fixture(scope="module")
def hub(
    keys: Keys, providers: Providers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    routes = ",".join(f"{host}={url}" for host, url in providers.routes.items())
    folder = tmp_path_factory.mktemp("hub")
    environ = {"HUB_HTTP_ROUTES": routes}
    with HubProcess(folder, config=config(keys.public_key), environ=environ) as hub:
        yield hub


def incoming(name: str, keys: Keys) -> tuple[bytes, Headers, str]:
    """A mail as the provider posts it."""
    raw = RAW.format(who=name)
    match name:
        case "postmark":
            told: Any = {"FromFull": {"Email": "x@y.example"}, "RawEmail": raw, "Headers": []}
            return json.dumps(told).encode(), keys.postmark(), ""
        case "mailgun":
            return *form([("body-mime", raw), *keys.mailgun().items()]), ""
        case "sendgrid":
            return *form([("email", raw), ("to", "help@example.com")]), f"?token={TOKEN}"
        case _:
            told = {"notificationType": "Received", "receipt": {}, "content": raw}
            return keys.sns(json.dumps(told)), JSON, ""


def delivered(name: str, message_id: str, keys: Keys) -> tuple[bytes, Headers]:
    """What became of a mail, as the provider posts it."""
    match name:
        case "postmark":
            told: Any = {"RecordType": "Delivery", "Metadata": {"hub_message": message_id}}
            return json.dumps(told).encode(), keys.postmark()
        case "mailgun":
            about = {"headers": {"message-id": message_id.strip("<>")}}
            told = {"event-data": {"event": "delivered", "message": about}}
            return json.dumps({**told, "signature": keys.mailgun()}).encode(), JSON
        case "sendgrid":
            body = json.dumps([{"event": "delivered", "hub_message": message_id}]).encode()
            return body, keys.sendgrid(body)
        case _:
            told = {"eventType": "Delivery", "mail": {"messageId": ID}}
            return keys.sns(json.dumps(told)), JSON


@pytest.mark.feature("PLUG-02", "ROUT-01")
@pytest.mark.parametrize("name", NAMES)
def test_a_mail_its_answer_and_what_became_of_it(
    hub: HubProcess, providers: Providers, keys: Keys, name: str
) -> None:
    hook = f"{hub.base_url}/hooks/main/{name}"
    body, headers, query = incoming(name, keys)
    refused = httpx2.post(hook, content=body, headers=headers[:1] if name == "postmark" else ())
    assert refused.status_code == (200 if name == "ses" else 403)
    for _ in range(2):
        answer = httpx2.post(hook + query, content=body, headers=list(headers))
        assert answer.status_code == 200, answer.text
    client = hub.client()
    thread = wait_for(lambda: client.thread_of(f"Zoe {name}"), what="the conversation")

    def whole() -> dict[str, Any] | None:
        (entry,) = client.entries(thread["id"])
        return entry if '"size": 3' in json.dumps(entry) else None

    entry = wait_for(whole, what="the mail with its file")
    assert "Is Thursday fine?" in json.dumps(entry)
    assert [each["name"] for each in entry["attachments"]] == ["list.csv"]

    to = f"zoe-{name}@customer.example"
    wanted = {"channel_id": name, "to": to, "subject": "Re: The list", "body": "It is."}
    client.post("messages", wanted)

    def sent() -> dict[str, Any] | None:
        out = [each for each in client.entries(thread["id"]) if each.get("direction") == "out"]
        return out[0] if out and '"sending"' not in json.dumps(out) else None

    def asked() -> Asked | None:
        posts = [each for each in providers.asked if each.method == "POST"]
        return next((each for each in posts if to.encode() in each.body), None)

    found = wait_for(asked, what="the answer at the provider")
    wait_for(sent, what="the answer in the conversation")
    words = found.body.decode("utf-8", "replace")
    (message_id,) = {
        each for each in words.replace('"', " ").split() if each.endswith(".hub@example.com>")
    } or {""}
    body, headers = delivered(name, message_id.lstrip("<").join(("<", "")), keys)
    assert httpx2.post(hook, content=body, headers=list(headers)).status_code == 200

    def told() -> bool:
        out = [one for one in client.entries(thread["id"]) if one.get("direction") == "out"]
        return any('"delivered"' in json.dumps(one) for one in out)

    wait_for(told, what="the receipt")


@pytest.mark.feature("PLUG-02")
def test_a_mail_in_a_bucket_arrives(hub: HubProcess, keys: Keys) -> None:
    told = {
        "notificationType": "Received",
        "mail": {"messageId": "in-a-bucket"},
        "receipt": {
            "recipients": ["help@example.com"],
            "action": {"type": "S3", "bucketName": "hub-mail", "objectKey": "in/1"},
        },
    }
    hook = f"{hub.base_url}/hooks/main/ses"
    body = keys.sns(json.dumps(told))
    assert httpx2.post(hook, content=body, headers=list(JSON)).status_code == 200
    client = hub.client()
    wait_for(lambda: client.thread_of("Zoe s3"), what="the mail out of the bucket")


@pytest.mark.feature("PLUG-02")
def test_how_each_proves_its_posts_is_shown(hub: HubProcess) -> None:
    channels = {each["id"]: each for each in hub.client().get("channels")}
    assert set(channels) == set(NAMES)
    assert all(each["verified"] and each["outbound"] for each in channels.values())
