"""A stand-in of the push service of a browser's maker, and the browsers behind it: it answers as a
service does, and a browser reads what came with its own keys, by RFC 8291 as it is written.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.hubs import wait_for

HOST = "push.example"
"""Where the hub believes the service to be."""


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _hmac(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


class Browser:
    """A subscription, with the keys that its browser keeps to itself."""

    def __init__(
        self, key: ec.EllipticCurvePrivateKey | None = None, auth: bytes | None = None
    ) -> None:
        self._key = key or ec.generate_private_key(ec.SECP256R1())
        self.auth = auth or secrets.token_bytes(16)
        self.place = secrets.token_urlsafe(24)

    @property
    def point(self) -> bytes:
        """The public key."""
        public = self._key.public_key()
        return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def subscription(self) -> dict[str, Any]:
        """As a page gives it to the hub."""
        return {
            "endpoint": f"https://{HOST}/send/{self.place}",
            "keys": {"p256dh": b64(self.point), "auth": b64(self.auth)},
        }

    def read(self, body: bytes) -> bytes:
        """What was encrypted for this browser."""
        salt, size, length = body[:16], int.from_bytes(body[16:20]), body[20]
        theirs, sealed = body[21 : 21 + length], body[21 + length :]
        assert len(body) <= 4096
        assert len(sealed) <= size
        sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
        shared = self._key.exchange(ec.ECDH(), sender)
        secret = _hmac(_hmac(self.auth, shared), b"WebPush: info\0", self.point, theirs, b"\1")
        random = _hmac(salt, secret)
        key = _hmac(random, b"Content-Encoding: aes128gcm\0\1")[:16]
        nonce = _hmac(random, b"Content-Encoding: nonce\0\1")[:12]
        text, mark, padding = AESGCM(key).decrypt(nonce, sealed, None).rpartition(b"\x02")
        assert mark
        assert not padding.strip(b"\0")
        return text


class Taken:
    """One push that the service was given."""

    def __init__(self, headers: Mapping[str, str], body: bytes) -> None:
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    def note(self, browser: Browser) -> dict[str, Any]:
        """What it shows in the browser it is for."""
        return json.loads(browser.read(self.body))

    def shown_by(self) -> tuple[dict[str, Any], str]:
        """What the token says that came with it, proven by the key beside it; and that key."""
        scheme, _, rest = self.headers["authorization"].partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        assert scheme == "vapid"
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(parts["k"]))
        claims = jwt.decode(parts["t"], key, algorithms=["ES256"], audience=f"https://{HOST}")
        return claims, parts["k"]


class PushService:
    """Takes pushes. ``answers``: for a browser, what it is answered next, else 201."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.answers: defaultdict[str, list[tuple[int, dict[str, str]]]] = defaultdict(list)
        self._taken: defaultdict[str, list[Taken]] = defaultdict(list)

    @property
    def route(self) -> str:
        """For ``HUB_HTTP_ROUTES``."""
        return f"{HOST}={self.base_url}"

    def take(self, path: str, taken: Taken) -> tuple[int, dict[str, str]]:
        place = path.removeprefix("/send/")
        self._taken[place].append(taken)
        waiting = self.answers[place]
        return waiting.pop(0) if waiting else (201, {})

    def taken(self, browser: Browser) -> list[Taken]:
        """What came for a browser so far."""
        return list(self._taken[browser.place])

    def notes(self, browser: Browser) -> list[dict[str, Any]]:
        """What that shows."""
        return [one.note(browser) for one in self.taken(browser)]

    def wait(self, browser: Browser, count: int = 1) -> list[dict[str, Any]]:
        """The same, once there are so many."""
        return wait_for(
            lambda: self.notes(browser) if len(self.taken(browser)) >= count else None,
            what=f"push {count}",
        )


@contextmanager
def push_service() -> Iterator[PushService]:
    """A service that listens."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers = service.take(self.path, Taken(dict(self.headers), body))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 — its name there
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service = PushService(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
