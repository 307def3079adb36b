"""Recorded webhooks of four providers through a hub: each is accounted for.

Those recorded are posted again with the proofs of keys made here: the recorded ones are old, or of
keys that nobody has.
"""

from __future__ import annotations

import json
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from tests import corpus, recorded
from tests.hubs import HubProcess, running_hub
from tests.standins.mail_hooks import (
    JSON,
    PASSWORD,
    SIGNING_KEY,
    TOKEN,
    TOPIC,
    Headers,
    Keys,
    Providers,
)

FORM: Headers = (("Content-Type", "application/x-www-form-urlencoded"),)
OWN = {
    "postmark": f'passwords = ["{PASSWORD}"]',
    "mailgun": f'signing_keys = ["{SIGNING_KEY}"]',
    "sendgrid": f'tokens = ["{TOKEN}"]\npublic_keys = ["KEY"]',
    "ses": f'topics = ["{TOPIC}"]\nregion = "eu-west-1"',
}
ENTRIES = {
    "postmark": {
        "captured_valid.http",
        "inbound_basics.json",
        "inbound_sample_with_raw.json",
    },
    "mailgun": {"captured_parsed_valid.http", "captured_raw_valid.http", "inbound_basics.form"},
    "sendgrid": {
        "captured_encoding.http",
        "captured_spam.http",
        "captured_valid.http",
        "inbound_basics.form",
        "inbound_mime.form",
    },
    "ses": set[str](),
}
"""Another of Postmark's is the mail ``inbound_basics.json`` again."""
QUARANTINED = {
    "postmark": set[str](),
    "mailgun": set[str](),
    "sendgrid": set[str](),
    # What a function of Lambda is called with, which SNS does not post.
    "ses": {"aws_ses_lambda_event.json", "aws_ses_sns_event.json", "aws_sns_event.json"},
}


def config(name: str, keys: Keys) -> str:
    own = OWN[name].replace("KEY", keys.public_key)
    return (
        '[[organisations]]\nslug = "main"\n[[channels]]\nid = "mail"\norganisation = "main"\n'
        f'plugin = "email-inbound"\n[channels.settings]\nprovider = "{name}"\n'
        f'address = "test@inbound.example.com"\n[channels.settings.{name}]\n{own}\n'
    )


def captured(path: Path) -> tuple[bytes, Headers]:
    """A recorded request: its body, and the type of it."""
    head, _, body = path.read_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")
    told = BytesHeaderParser().parsebytes(head.partition(b"\n")[2])
    if "multipart" in told["content-type"]:
        body = body.replace(b"\n", b"\r\n")
    return body, (("Content-Type", told["content-type"]),)


def sent(name: str, path: Path, keys: Keys) -> corpus.Sent:
    """As the provider posts it."""
    body, headers = captured(path) if path.suffix == ".http" else (path.read_bytes(), JSON)
    headers = FORM if path.suffix == ".form" else headers
    query = ""
    match name:
        case "postmark":
            headers = keys.postmark()
        case "mailgun":
            body = mailgun(body, headers, keys)
        case "sendgrid":
            headers = headers if headers != JSON else keys.sendgrid(body)
            query = f"?token={TOKEN}"
        case _:
            body = keys.sns(body.decode())
    return corpus.Sent(name=path.name, body=body, headers=headers, path=query)


def mailgun(body: bytes, headers: Headers, keys: Keys) -> bytes:
    proof = keys.mailgun()
    if headers == JSON:
        told: dict[str, Any] = json.loads(body)
        return json.dumps({**told, "signature": proof}).encode()
    kind = headers[0][1]
    if kind.startswith("multipart"):
        end = kind.partition("boundary=")[2]
        fields = "".join(
            f'--{end}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in proof.items()
        )
        return fields.encode() + body  # of a field that comes twice the first counts
    pairs = parse_qsl(body.decode(), keep_blank_values=True)
    kept = [pair for pair in pairs if pair[0] not in proof]
    return urlencode([*kept, *proof.items()]).encode()


@pytest.fixture
def served(keys: Keys) -> Any:
    with Providers(lambda _: (200, {}, keys.certificate)) as providers:
        yield providers


@pytest.mark.parametrize("name", OWN)
def test_every_recorded_webhook_is_accounted_for(
    request: pytest.FixtureRequest, keys: Keys, served: Providers, name: str
) -> None:
    files = sorted(recorded.path(f"email_webhooks/{name}").iterdir())
    routes = ",".join(f"{host}={url}" for host, url in served.routes.items())
    hub: HubProcess
    with running_hub(config=config(name, keys), environ={"HUB_HTTP_ROUTES": routes}) as hub:
        posts = [sent(name, path, keys) for path in files]
        outcomes = corpus.send(hub.client(), "mail", posts)
    corpus.report(request, f"Webhooks of {name}", outcomes)
    corpus.nothing_lost(outcomes, [path.name for path in files])
    kinds = {kind: {one.name for one in outcomes if one.kind == kind} for kind in corpus.KINDS}
    assert kinds["refused"] == set()
    assert kinds["entry"] == ENTRIES[name]
    assert kinds["quarantined"] == QUARANTINED[name]
