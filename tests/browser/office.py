"""A hub with channels of every kind, and what arrives on them."""

from __future__ import annotations

import io
import itertools
import json
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.host.unruly import PLUGINS, TOKEN
from tests.hubs import Client, HubProcess, running_hub, wait_for

MAIL = "help@example.com"
PHONE = "+12025550100"
SECOND = "+12025550101"
PICTURES = "pictures.example"
CONFIG = f"""
[[channels]]
id = "mail"
plugin = "office-letters"
name = "Email"
settings = {{ token = {{ env = "OFFICE_TOKEN" }}, own = ["{MAIL}"] }}

[[channels]]
id = "calls"
plugin = "office-calls"
name = "Voice"
settings = {{ token = {{ env = "OFFICE_TOKEN" }}, own = ["{PHONE}", "{SECOND}"] }}

[[channels]]
id = "chat"
plugin = "office-chat"
name = "Chat"
settings = {{ token = {{ env = "OFFICE_TOKEN" }}, own = ["{PHONE}"] }}

[[channels]]
id = "texts"
plugin = "office-texts"
name = "Texts"
settings = {{ token = {{ env = "OFFICE_TOKEN" }}, own = ["{PHONE}"] }}
"""
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360"
    "f8cf500f0003860180342a5bd90000000049454e44ae426082"
)
RATE = 8_000
_sound = io.BytesIO()
with wave.open(_sound, "wb") as _file:
    _file.setnchannels(1)
    _file.setsampwidth(1)
    _file.setframerate(RATE)
    _file.writeframes(b"\x80" * RATE * 12)
SOUND = _sound.getvalue()
"""Twelve seconds of silence."""
_ids = itertools.count()


class Pictures:
    """Somebody's server with pictures, that writes down who asks for them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        """The paths asked for."""
        asked = self.asked

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                page = b"<!doctype html><script>alert(1)</script>"
                body = page if self.path.startswith("/page") else PNG
                body = SOUND if self.path.endswith(".wav") else body
                self.send_response(404 if self.path.startswith("/gone") else 200)
                self.send_header("Content-Type", "image/png")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Nothing on the screen."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """No more answers."""
        self._server.shutdown()
        self._server.server_close()


class Office:
    """The hub, and the far end of its channels."""

    def __init__(self, hub: HubProcess, pictures: Pictures) -> None:
        self.hub = hub
        self.pictures = pictures
        self.client: Client = hub.client()

    def tell(self, channel: str, *events: dict[str, Any]) -> None:
        """Events on a channel; they are committed when this returns."""
        answer = self.client.http.post(
            f"/hooks/{self.client.org}/{channel}",
            content=json.dumps({"events": events}),
            headers={"X-Token": TOKEN},
        )
        assert answer.status_code == 200, answer.text
        waiting = self.client.get(f"channels/{channel}/deliveries", state="quarantined")
        assert waiting["items"] == []

    def message(self, channel: str, sender: str, text: str, **more: Any) -> dict[str, Any]:
        """Somebody writes; their conversation, the first of the list."""
        scheme = "email" if "@" in sender else "phone"
        id_ = f"in-{next(_ids)}"
        named = {"sender": [{"scheme": scheme, "value": sender}], "external_id": id_}
        self.tell(channel, {"type": "message", "text": text, **named, **more})
        return self.client.threads()[0]

    def call(
        self,
        caller: str | None,
        outcome: str | None = "missed",
        *events: dict[str, Any],
        **more: Any,
    ) -> str:
        """Somebody calls, or is called; what the provider calls it."""
        id_ = f"call-{next(_ids)}"
        sender = [] if caller is None else [{"scheme": "phone", "value": caller}]
        begun = {"direction": "in", "caller": sender, "own_address": PHONE, **more}
        duration = begun.pop("duration", None)
        told: list[dict[str, Any]] = [{"type": "call_started", **begun}, *events]
        if outcome is not None:
            told.append({"type": "call_ended", "outcome": outcome, "duration": duration})
        self.tell("calls", *({"external_id": id_, **one} for one in told))
        return id_

    def newest(self) -> dict[str, Any]:
        """The first conversation of the list."""
        return self.client.threads()[0]

    def answer(self, thread: dict[str, Any], channel: str, body: str, **more: Any) -> str:
        """An answer of the team's; what the provider calls it."""
        wanted = {"channel_id": channel, "contact_id": thread["contact"]["id"], "body": body}
        sent = self.client.post(f"threads/{thread['id']}/messages", {**wanted, **more})

        def is_sent() -> bool:
            page = self.client.entries(thread["id"], around=sent["id"])
            return next(one for one in page if one["id"] == sent["id"])["status"] == "sent"

        wait_for(is_sent, what=f"{body!r} to be sent")
        return f"o-{body}"


@contextmanager
def running_office() -> Iterator[Office]:
    """An office for the length of a block."""
    pictures = Pictures()
    environ = {
        "PYTHONPATH": str(PLUGINS),
        "OFFICE_TOKEN": TOKEN,
        "HUB_HTTP_ROUTES": f"{PICTURES}={pictures.base_url}",
    }
    try:
        with running_hub(config=CONFIG, environ=environ) as hub:
            yield Office(hub, pictures)
    finally:
        pictures.close()
