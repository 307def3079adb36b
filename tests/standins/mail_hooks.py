"""Stand-ins for Postmark, Mailgun, SendGrid and Amazon: what they post, with true proofs by keys
made here, and one server for all of their addresses that remembers what it was asked."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

PASSWORD = "a password of Postmark's hooks"
SIGNING_KEY = "a signing key of Mailgun's"
TOKEN = "a-token-of-SendGrids-hooks"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:hub-mail"
SNS = "sns.eu-west-1.amazonaws.com"
CERTIFICATE = f"https://{SNS}/SimpleNotificationService-0123456789abcdef.pem"
Headers = tuple[tuple[str, str], ...]
Pairs = Iterable[tuple[str, str | bytes]]
JSON: Headers = (("Content-Type", "application/json"),)
SIGNED = {
    "Notification": ("Message", "MessageId", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}


class Keys:
    """The providers' keys."""

    @cached_property
    def _ec(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    @cached_property
    def _rsa(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def public_key(self) -> str:
        """SendGrid's, as its pages show it."""
        der = self._ec.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(der).decode()

    @cached_property
    def certificate(self) -> bytes:
        """Amazon's."""
        now = datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._rsa.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .sign(self._rsa, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)

    def postmark(self) -> Headers:
        """The headers of a post."""
        proof = base64.b64encode(f"hub:{PASSWORD}".encode()).decode()
        return (*JSON, ("Authorization", f"Basic {proof}"))

    def mailgun(self, at: datetime | None = None) -> dict[str, str]:
        """The fields that sign a post."""
        stamp, token = str(int((at or datetime.now(UTC)).timestamp())), uuid.uuid4().hex
        digest = hmac.digest(SIGNING_KEY.encode(), (stamp + token).encode(), "sha256").hex()
        return {"timestamp": stamp, "token": token, "signature": digest}

    def sendgrid(self, body: bytes) -> Headers:
        """The headers of an event."""
        stamp = str(int(datetime.now(UTC).timestamp()))
        proof = self._ec.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return (
            *JSON,
            ("X-Twilio-Email-Event-Webhook-Signature", base64.b64encode(proof).decode()),
            ("X-Twilio-Email-Event-Webhook-Timestamp", stamp),
        )

    def sns(
        self, message: str, kind: str = "Notification", topic: str = TOPIC, **more: str
    ) -> bytes:
        """What SNS posts."""
        told = {
            "Type": kind,
            "MessageId": str(uuid.uuid4()),
            "TopicArn": topic,
            "Message": message,
            "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "SignatureVersion": "2",
            "SigningCertURL": CERTIFICATE,
            **more,
        }
        words = "".join(f"{name}\n{told[name]}\n" for name in SIGNED[kind]).encode()
        proof = self._rsa.sign(words, padding.PKCS1v15(), hashes.SHA256())
        return json.dumps({**told, "Signature": base64.b64encode(proof).decode()}).encode()


def form(fields: Pairs, files: Iterable[tuple[str, str, str, bytes]] = ()) -> tuple[bytes, Headers]:
    """A form with files: field, name, type and bytes of each."""
    end = uuid.uuid4().hex
    out: list[bytes] = []
    for name, value in fields:
        head = f'--{end}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        out += [head.encode(), value if isinstance(value, bytes) else value.encode(), b"\r\n"]
    for field, name, content_type, body in files:
        head = f'--{end}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        out += [f"{head}Content-Type: {content_type}\r\n\r\n".encode(), body, b"\r\n"]
    out.append(f"--{end}--\r\n".encode())
    return b"".join(out), (("Content-Type", f"multipart/form-data; boundary={end}"),)


@dataclass
class Asked:
    """A request that reached the server."""

    method: str
    host: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Answer = tuple[int, dict[str, str], bytes]


def said(status: int, told: Any, **headers: str) -> Answer:
    """An answer in JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"Content-Type": "application/json", **named}, json.dumps(told).encode()


class Providers:
    """One server for all of them; ``answering`` says what it answers."""

    hosts: tuple[str, ...] = (
        *("api.postmarkapp.com", "api.mailgun.net", "api.sendgrid.com", SNS),
        *("email.eu-west-1.amazonaws.com", "hub-mail.s3.eu-west-1.amazonaws.com"),
    )

    def __init__(self, answering: Callable[[Asked], Answer]) -> None:
        self.answering = answering
        self.asked: list[Asked] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                asked = Asked(
                    method=self.command,
                    host=self.headers.get("Host", "").partition(":")[0],
                    path=self.path,
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
                )
                outer.asked.append(asked)
                status, headers, body = outer.answering(asked)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = _serve  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(
            target=lambda: self._server.serve_forever(poll_interval=0.02), daemon=True
        ).start()

    @property
    def routes(self) -> dict[str, str]:
        """The hosts it stands in for."""
        url = f"http://127.0.0.1:{self._server.server_port}"
        return dict.fromkeys(self.hosts, url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
