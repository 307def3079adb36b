"""The guide's channel is what the guide says: copied from it, installed, and used."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest

from tests.hubs import HubProcess, wait_for

ROOT = Path(__file__).parents[2]
KEY = "a-shared-key-of-acme"


def snippets(kind: str) -> list[str]:
    """The guide's code blocks of one language."""
    text = (ROOT / "docs/plugin-guide.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


class Acme(ThreadingHTTPServer):
    """Acme's side: takes messages and remembers them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[dict[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        acme = cast("Acme", self.server)
        acme.taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        answer = json.dumps({"id": f"acme-{len(acme.taken)}"}).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet."""


@pytest.fixture
def acme() -> Iterator[Acme]:
    server = Acme()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def hub(tmp_path: Path, acme: Acme) -> Iterator[HubProcess]:
    """A hub with the guide's channel, installed as its package says and configured as it says."""
    (module,) = snippets("python")
    package, channel = snippets("toml")
    site = tmp_path / "site"
    site.mkdir()
    (site / "acme_chat.py").write_text(module, encoding="utf-8")
    entry = re.search(r'^acme-chat = "(.+)"', package, re.MULTILINE)
    needs = re.search(r'"(channel-hub[^"]+)"', package)
    assert entry
    assert needs
    info = site / "acme_chat-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: acme-chat\nVersion: 1.0\nRequires-Dist: {needs[1]}\n"
    )
    (info / "entry_points.txt").write_text(f"[hub.plugins]\nacme-chat = {entry[1]}\n")
    environ = {
        "PYTHONPATH": str(site),
        "ACME_KEY": KEY,
        "HUB_HTTP_ROUTES": f"chat.acme.example=http://127.0.0.1:{acme.server_address[1]}",
    }
    with HubProcess(tmp_path / "hub", config=channel, environ=environ) as process:
        yield process


def test_the_guides_channel_takes_in_and_sends(hub: HubProcess, acme: Acme) -> None:
    body = json.dumps({"id": "1", "from": "zoe", "text": "Hello from Acme"}).encode()
    url = f"{hub.base_url}/hooks/main/acme"
    assert httpx2.post(url, content=body).status_code == 403
    signature = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    for _ in range(2):
        answer = httpx2.post(url, content=body, headers={"X-Acme-Signature": signature})
        assert answer.status_code == 200
    client = hub.client()
    (thread,) = client.threads()
    assert thread["preview"]["text"] == "Hello from Acme"
    message = {"channel_id": "acme", "contact_id": thread["contact"]["id"], "body": "Hi Zoe"}
    client.post(f"threads/{thread['id']}/messages", message)
    wait_for(lambda: client.entries(thread["id"])[-1]["status"] == "queued", what="queued")
    (taken,) = acme.taken
    assert (taken["to"], taken["text"]) == ("zoe", "Hi Zoe")


def test_the_guides_channel_is_short() -> None:
    (module,) = snippets("python")
    lines = [line for line in module.splitlines() if line.strip()]
    assert len(lines) <= 40, "the smallest channel should stay small"
