"""Weaknesses of what the hub is made of: what is found is told, and that nobody could be asked is
not taken for none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tools import audit


class Database(BaseHTTPRequestHandler):
    """OSV, as far as a lock file asks it: ``weak`` has a weakness."""

    weak: str | None = None

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = [
            {"vulns": [{"id": "OSV-1", "modified": "2026-01-01T00:00:00Z"}]}
            if one["package"]["name"] == self.weak
            else {}
            for one in asked["queries"]
        ]
        self.answer({"results": found})

    def do_GET(self) -> None:
        self.answer({"id": "OSV-1", "modified": "2026-01-01T00:00:00Z", "summary": "It is weak"})

    def answer(self, what: object) -> None:
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — a given signature
        pass


@pytest.fixture
def service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_is_known_is_told(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Database, "weak", "litestar")
    outcome, told = audit.python("--service-url", service)
    assert outcome == "weak", told
    assert "litestar" in told


def test_none_is_none(service: str) -> None:
    assert audit.python("--service-url", service)[0] == "clean"


def test_who_cannot_be_asked_has_said_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(*_: str) -> tuple[audit.Outcome, str]:
        return "unasked", "no network"

    outcome, _ = audit.python("--service-url", "http://127.0.0.1:9")
    assert outcome == "unasked"
    monkeypatch.setattr(audit, "python", nobody)
    monkeypatch.setattr(audit, "web", nobody)
    for arguments, code in (([], 0), (["--must-answer"], 2)):
        monkeypatch.setattr("sys.argv", ["audit.py", *arguments])
        assert audit.main() == code
        assert capsys.readouterr().out.count("NOT ASKED") == 2
