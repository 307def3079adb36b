"""From end to end: a real hub with Vonage's settings, and with those of a provider that proves
nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest

from tests.hubs import HubProcess, wait_for
from tests.standins.generic_sms import README, TOKEN

ORGANISATION = """
[[organisations]]
slug = "main"
name = "Main"
"""
OPEN = """
[[channels]]
id = "open"
organisation = "main"
plugin = "sms-generic"
[channels.settings]
verify = { by = "none" }
incoming = { id = "id", from = "from", text = "text" }
"""


class Vonage:
    """Takes messages, and remembers them."""

    def __init__(self) -> None:
        self.taken: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.taken.append(dict(parse_qsl(body.decode())))
                one = {"message-id": f"0C{len(outer.taken)}", "status": "0"}
                answer = json.dumps({"message-count": "1", "messages": [one]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def vonage() -> Iterator[Vonage]:
    made = Vonage()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def hub(vonage: Vonage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    ready = README.read_text().split("### Vonage")[1].split("```toml\n")[1].split("```")[0]
    folder: Path = tmp_path_factory.mktemp("hub")
    environ = {
        "VONAGE_API_SECRET": "a secret of Vonage's",
        "VONAGE_HOOK_TOKEN": TOKEN,
        "HUB_HTTP_ROUTES": f"rest.nexmo.com={vonage.url}",
    }
    with HubProcess(folder, config=ORGANISATION + ready + OPEN, environ=environ) as hub:
        yield hub


@pytest.mark.feature("PLUG-02", "ROUT-01")
def test_a_message_and_its_answer(hub: HubProcess, vonage: Vonage) -> None:
    hook = f"http://127.0.0.1:{hub.port}/hooks/main/texts"
    came = {
        "msisdn": "447700900142",
        "to": "447700900100",
        "messageId": "0B01",
        "text": "Is anybody there?",
        "message-timestamp": "2026-03-02 09:29:58",
    }
    assert httpx2.get(f"{hook}?{urlencode(came)}").status_code == 403
    for _ in range(2):
        assert httpx2.get(f"{hook}?{urlencode({**came, 'token': TOKEN})}").status_code == 200
    client = hub.client()
    thread = wait_for(lambda: next(iter(client.threads()), None), what="the conversation")
    (entry,) = client.entries(thread["id"])
    assert "Is anybody there?" in json.dumps(entry)

    client.post(
        "messages",
        {"channel_id": "texts", "to": "+447700900142", "body": "We are. Thursday at nine?"},
    )
    (taken,) = wait_for(lambda: vonage.taken or None, what="the answer at Vonage")
    assert taken["to"] == "447700900142"
    assert taken["text"] == "We are. Thursday at nine?"
    called = urlsplit(taken["callback"])
    receipt = {"messageId": "0C1", "status": "delivered", "client-ref": taken["client-ref"]}
    address = f"http://127.0.0.1:{hub.port}{called.path}?{called.query}"
    assert httpx2.post(address, json=receipt).status_code == 200

    def delivered() -> bool:
        told = [one for one in client.entries(thread["id"]) if one.get("direction") == "out"]
        return any("delivered" in json.dumps(one) for one in told)

    wait_for(delivered, what="the receipt")


@pytest.mark.feature("PLUG-02")
def test_who_proves_nothing_is_marked_for_all_to_see(hub: HubProcess) -> None:
    client = hub.client()
    channels = {each["id"]: each for each in client.get("channels")}
    assert channels["texts"]["verified"]
    assert channels["texts"]["outbound"]
    assert not channels["open"]["verified"]
    assert not channels["open"]["outbound"]
    hook = f"http://127.0.0.1:{hub.port}/hooks/main/open"
    posted = {"id": "1", "from": "+4512345678", "text": "From anybody"}
    assert httpx2.post(hook, json=posted).status_code == 200

    def there() -> bool:
        return any("From anybody" in json.dumps(each) for each in client.threads())

    wait_for(there, what="what anybody posted")
