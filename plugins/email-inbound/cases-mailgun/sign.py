"""Signs the cases as Mailgun does: in the body, by the time and a token."""

from __future__ import annotations

import hmac
import json
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

from hub_email_inbound.settings import Mailgun, Settings
from msgspec.structs import replace

from hub.plugin import Delivery

FIELDS = ("timestamp", "token", "signature")
ONCE = "a2e8c1d3f59b4e6078a1c2d3e4f5061728394a5b6c7d8e9f00"


def sign(delivery: Delivery, settings: Settings) -> Delivery:
    """The delivery with the signature that belongs to it."""
    key = cast("Mailgun", settings.mailgun).signing_keys[0].reveal()
    if not key:
        raise ValueError("nobody signs with an empty key")
    stamp = str(int(delivery.received_at.timestamp()))
    digest = hmac.digest(key.encode(), (stamp + ONCE).encode(), "sha256").hex()
    proof = dict(zip(FIELDS, (stamp, ONCE, digest), strict=True))
    kind = delivery.header("content-type") or ""
    if kind.startswith("application/x-www-form-urlencoded"):
        fields = parse_qsl(delivery.body.decode(), keep_blank_values=True)
        kept = [pair for pair in fields if pair[0] not in FIELDS]
        return replace(delivery, body=urlencode([*kept, *proof.items()]).encode())
    if kind.startswith("multipart/form-data"):
        end = kind.partition("boundary=")[2].encode()
        head = b'\r\nContent-Disposition: form-data; name="%s"\r\n\r\n'
        parts = [b"--" + end + head % name.encode() + proof[name].encode() for name in FIELDS]
        return replace(delivery, body=b"\r\n".join([*parts, delivery.body]))
    told: dict[str, Any] = json.loads(delivery.body)
    return replace(delivery, body=json.dumps({**told, "signature": proof}).encode())
