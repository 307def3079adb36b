"""A webhook, checked and read as far as a floor needs it."""

from __future__ import annotations

import base64
import hmac
import time
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from bench.webhooks import TOKEN

_encode = msgspec.json.Encoder().encode


class Forged(Exception):
    """The signature is not Twilio's."""


class Message(Struct, frozen=True, gc=False):
    """What is stored of a text; ``at`` in milliseconds."""

    sid: str
    phone: str
    body: str
    raw: str
    at: int

    @property
    def preview(self) -> str:
        """As much as a list shows."""
        return self.body[:120]

    def event(self, thread: int, message: int) -> str:
        """What would be told of it, as JSON."""
        shown = {"thread": thread, "message": message, "from": self.phone, "text": self.preview}
        return _encode({"type": "message.received", "at": self.at, **shown}).decode()


def understand(url: bytes, body: bytes, signature: bytes) -> Message:
    """The message of a webhook. Raises ``Forged``."""
    pairs = parse_qsl(body.decode(), keep_blank_values=True)
    signed = url + "".join(name + value for name, value in sorted(pairs)).encode()
    expected = base64.b64encode(hmac.digest(TOKEN.encode(), signed, "sha1"))
    if not hmac.compare_digest(expected, signature):
        raise Forged
    fields = dict(pairs)
    return Message(
        sid=fields["MessageSid"],
        phone=fields["From"],
        body=fields["Body"],
        raw=_encode(fields).decode(),
        at=time.time_ns() // 1_000_000,
    )
