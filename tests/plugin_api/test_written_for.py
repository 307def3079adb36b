"""What was written for an older plugin API conforms and runs as it is, for as long as the major
version is the same."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from hub.conformance.command import suite_of
from hub.conformance.report import report_on, story
from hub.conformance.subject import find
from tests.hubs import HubProcess, wait_for
from tests.patience import PATIENCE

HERON = Path(__file__).with_name("written_for_1_0")
KEY = "a key shared with the herons"
PUBLIC = "http://hub.example"
CONFIG = """\
[[organisations]]
slug = "main"

[[channels]]
id = "heron"
organisation = "main"
plugin = "heron"
api = "0.9"
allow_hosts = ["127.0.0.1"]
[channels.settings]
host = "{url}"
key = "{key}"
desk = "desk-1"
"""
UNCHANGED = {HERON.name: "bae25f4d6d2bbacb7ebcb17a17855faa90cb78446a56cdb748e39532e76dbe0c"}
"""What was written, as one digest of its files."""


def _digest(folder: Path) -> str:
    told = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            told.update(f"{path.relative_to(folder).as_posix()}\n".encode())
            told.update(hashlib.sha256(path.read_bytes()).digest())
    return told.hexdigest()


def test_it_is_as_it_was_written() -> None:
    folders = Path(__file__).parent.glob("written_for_*")
    assert {folder.name: _digest(folder) for folder in folders} == UNCHANGED, (
        "a plugin that was written for an older version is never changed: mend the hub"
    )


@pytest.mark.feature("PLUG-07", "CONF-04")
def test_it_conforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERON / "src"))
    suite = replace(suite_of(find("hub_heron:Heron"), HERON / "cases"), mutations=20)
    results = suite.results()
    report = report_on(suite, results)
    failed = [story(each, suite.subject.target, None) for each in results if each.counts]
    assert report.state == "conformant", "\n".join([report.line, *failed])


class Provider:
    """The herons' provider: takes messages, has a file, and what was missed."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.missed: list[dict[str, Any]] = []
        self.lost: list[str] = []
        """Keys of messages that it took without an answer."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.taken.append((self.path, wanted))
                if wanted.get("text") == "Lost on the way":
                    outer.lost.append(wanted["key"])
                    self.answer(502, b"<html>Bad gateway</html>")
                else:
                    self.answer(201, json.dumps({"id": f"out-{len(outer.taken)}"}).encode())

            def do_GET(self) -> None:
                if self.path.startswith("/missed"):
                    body, outer.missed = json.dumps(outer.missed).encode(), []
                    self.answer(200, body)
                elif self.path.startswith("/files/"):
                    self.answer(200, b"The roof leaks.")
                elif self.path.startswith("/sent/"):
                    known = self.path.rpartition("/")[2] in outer.lost
                    self.answer(200 if known else 404, b'{"id": "out-found"}')
                else:
                    self.answer(200, b"{}")

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def hub(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    config = CONFIG.format(url=provider.url, key=KEY)
    environ = {"PYTHONPATH": str(HERON / "src"), "HUB_PUBLIC_URL": PUBLIC}
    with HubProcess(tmp_path_factory.mktemp("hub"), config=config, environ=environ) as hub:
        yield hub


def post(hub: HubProcess, **told: Any) -> httpx2.Response:
    body = json.dumps(told).encode()
    signed = f"{PUBLIC}/hooks/main/heron\n".encode() + body
    headers = {"X-Heron-Signature": hmac.new(KEY.encode(), signed, "sha256").hexdigest()}
    url = f"{hub.base_url}/hooks/main/heron"
    return httpx2.post(url, content=body, headers=headers, timeout=PATIENCE)


@pytest.mark.feature("PLUG-07", "PLUG-01")
def test_it_runs_in_this_hub(hub: HubProcess, provider: Provider) -> None:
    client = hub.client()
    (channel,) = client.get("channels")
    assert (channel["id"], channel["outbound"], channel["verified"]) == ("heron", True, True)

    # In: signed, with a file that the hub fetches; polled; and nothing from anybody else.
    url = f"{hub.base_url}/hooks/main/heron"
    assert httpx2.post(url, json={"type": "message", "id": "x", "from": "ann"}).status_code == 403
    files = [{"id": "f-1", "name": "roof.txt"}]
    for _ in range(2):
        told = {"id": "in-1", "from": "Ann-500", "text": "It leaks", "files": files}
        assert post(hub, type="message", **told).status_code == 200
    provider.missed.append({"type": "message", "id": "in-2", "from": "gil-530", "text": "Missed"})

    wait_for(lambda: len(client.threads()) == 2, what="both conversations")
    (ann,) = [one for one in client.threads() if "It leaks" in json.dumps(one)]
    thread, to = ann["id"], {"contact_id": ann["contact"]["id"], "channel_id": "heron"}

    def entry(words: str) -> dict[str, Any]:
        found = [one for one in client.entries(thread) if words in json.dumps(one)]
        return found[0] if found else {}

    wait_for(lambda: "ready" in json.dumps(entry("It leaks")), what="the file")

    # Out: a message and its receipt; one whose outcome only reconcile finds out; a reaction.
    say = partial(client.post, f"threads/{thread}/messages")
    say({**to, "body": "We come at nine"})
    wait_for(lambda: provider.taken, what="the answer at the provider")
    path, wanted = provider.taken[0]
    assert (path, wanted["to"], wanted["text"]) == ("/messages", "ann-500", "We come at nine")
    assert post(hub, type="receipt", id="out-1", status="read").status_code == 200
    reaction = {"id": "re-1", "from": "ann-500", "text": "👍", "answers": "out-1"}
    assert post(hub, type="reaction", **reaction).status_code == 200
    wait_for(lambda: entry("We come at nine").get("status") == "read", what="the receipt")
    wait_for(lambda: entry("We come at nine").get("reactions"), what="the reaction")
    say({**to, "body": "Lost on the way"})
    wait_for(lambda: entry("Lost on the way").get("status") == "sent", what="what was lost")
    assert [wanted["text"] for _, wanted in provider.taken].count("Lost on the way") == 1

    # Who says stop is not written to any more; who waits on the telephone is answered.
    rung = post(hub, type="call", id="call-1", **{"from": "jon-560"})
    assert (rung.status_code, rung.text) == (200, "say We call you back.")
    assert post(hub, type="stop", **{"from": "ann-500"}).status_code == 200
    still = client.call("POST", f"threads/{thread}/messages", {**to, "body": "Still?"})
    assert (still.status_code, still.json()["code"]) == (422, "opted_out"), still.text


@pytest.mark.feature("PLUG-02", "PLUG-07")
def test_its_check_and_its_page_are_asked(hub: HubProcess) -> None:
    done = hub.run("check", "--providers")
    assert "of desk-1" in done.stdout + done.stderr
    client = hub.client()
    told = [client.http.get(f"{hub.base_url}/hooks/main/heron/about").json() for _ in range(2)]
    assert [one["asked"] for one in told] == [1, 2]
