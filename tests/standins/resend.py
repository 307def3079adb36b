"""A stand-in for Resend: its API as a real HTTP server that checks every request and every
successful answer against Resend's own OpenAPI document (``spec_errors`` has what did not fit), and
webhooks with true signatures.

It sends once for each ``Idempotency-Key``, keeps mail that has come in, and goes wrong for the
recipients in ``moods``.
"""

from __future__ import annotations

import base64
import functools
import hmac
import json
import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import httpx2
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse
from werkzeug.datastructures import ImmutableMultiDict

from tests.patience import PATIENCE

KEY = "re_the_stand_ins_key"
SECRET = "whsec_" + base64.b64encode(b"a secret of the stand-in's").decode()
API = "api.resend.com"
STORE = "store.resend.example"
"""Where files lie; it wants no key."""


@dataclass(frozen=True)
class Refuse:
    """An answer that is no success, in Resend's form; ``page`` is a gateway's instead."""

    status: int
    name: str = ""
    message: str = "The stand-in refuses it"
    headers: Mapping[str, str] = field(default_factory=dict)
    page: str | None = None


@dataclass(frozen=True)
class Hang:
    """Takes the mail, and never answers."""


@dataclass(frozen=True)
class Lose:
    """Takes the mail, and a gateway's page comes back in place of the answer."""


@dataclass
class Request:
    """One request that reached the server."""

    method: str
    host: str
    path: str
    headers: dict[str, str]
    body: bytes


class ResendStandIn:
    """Resend, as far as mail goes."""

    def __init__(self, spec_path: Path) -> None:
        self.taken = threading.Event()
        """Set when a mail was taken that is not answered for."""
        self.moods: dict[str, Refuse | Hang | Lose] = {}
        self.requests: list[Request] = []
        self.spec_errors: list[str] = []
        self.emails: dict[str, dict[str, Any]] = {}
        self.received: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.domains: list[dict[str, Any]] = [
            {"id": "d1", "name": "example.com", "status": "verified"}
        ]
        self.webhooks: list[dict[str, Any]] = []
        self._keys: dict[str, str] = {}
        self._spec = _spec(spec_path)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._serving = threading.Thread(
            target=lambda: self._server.serve_forever(poll_interval=0.02), daemon=True
        )

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def routes(self) -> dict[str, str]:
        """The hosts it stands in for."""
        return {API: self.base_url, STORE: self.base_url}

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The mails that went out."""
        return list(self.emails.values())

    # ---- what Resend does by itself

    def post(self, hub_url: str, kind: str, data: Mapping[str, Any]) -> httpx2.Response:
        """A webhook, signed."""
        told = {"type": kind, "created_at": _now(), "data": dict(data)}
        return self.posted(hub_url, json.dumps(told, ensure_ascii=False).encode())

    def posted(self, hub_url: str, body: bytes) -> httpx2.Response:
        """The same of a body as it is."""
        return httpx2.post(hub_url, content=body, headers=signed(body), timeout=PATIENCE)

    def told(self, hub_url: str, kind: str, id_: str, **more: Any) -> httpx2.Response:
        """What became of a mail that went out, with all that Resend knows of it."""
        mail = self.emails[id_]
        data = {
            "email_id": id_,
            "created_at": mail["created_at"],
            "from": mail["from"],
            "to": mail["to"],
            "subject": mail["subject"],
            "tags": {each["name"]: each["value"] for each in mail["tags"]},
            "headers": [{"name": a, "value": b} for a, b in mail["headers"].items()],
            **more,
        }
        return self.post(hub_url, kind, data)

    def inbound(self, hub_url: str, raw: bytes, *, keeps_raw: bool = True, **fields: Any) -> str:
        """A mail comes in: Resend keeps it, and posts that it is there. Without ``keeps_raw`` it
        has the ``fields`` alone; ``files`` among them: names, types and bytes."""
        id_ = str(uuid.uuid4())
        told: dict[str, Any] = {
            "object": "email",
            "id": id_,
            "to": ["help@example.com"],
            "from": "zoe@customer.example",
            "created_at": _now(),
            "subject": "",
            "html": None,
            "text": None,
            "headers": {},
            "bcc": [],
            "cc": [],
            "reply_to": [],
            "message_id": "",
            "attachments": [],
            "raw": None,
        }
        files: list[tuple[str, str, bytes]] = fields.pop("files", [])
        for name, content_type, body in files:
            file = str(uuid.uuid4())
            self.files[f"/{file}"] = body
            told["attachments"].append(
                {
                    "id": file,
                    "filename": name,
                    "content_type": content_type,
                    "content_disposition": "attachment",
                    "size": len(body),
                }
            )
        told |= fields
        if keeps_raw:
            self.files[f"/{id_}"] = raw
            url = f"https://{STORE}/{id_}"
            told["raw"] = {"download_url": url, "expires_at": _now()}
        self.received[id_] = told
        names = ("from", "to", "cc", "bcc", "subject", "message_id", "attachments", "created_at")
        data = {"email_id": id_, **{name: told[name] for name in names}}
        answer = self.post(hub_url, "email.received", data)
        assert answer.is_success, answer.text
        return id_

    # ---- its API

    def _send(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        wanted = json.loads(request.body)
        key = request.headers.get("idempotency-key", "")
        with self._lock:
            if key in self._keys:
                return _json(200, {"id": self._keys[key]})
            mood = self.moods.get(wanted["to"][0])
            if isinstance(mood, Refuse):
                return _refusal(mood)
            id_ = str(uuid.uuid4())
            self._keys[key] = id_
            self.emails[id_] = {**wanted, "created_at": _now(), "last_event": "sent"}
        if isinstance(mood, Lose):
            return _refusal(Refuse(502, page="<h1>Bad gateway</h1>"))
        if isinstance(mood, Hang):
            self.taken.set()
            self._stopping.wait(60)
        return _json(200, {"id": id_})

    def _shown(self, id_: str) -> dict[str, Any]:
        mail = self.emails[id_]
        names = ("to", "from", "created_at", "subject", "last_event")
        return {"object": "email", "id": id_, **{name: mail[name] for name in names}}

    def _answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:  # noqa: PLR0911
        if request.host.partition(":")[0] == STORE:
            body = self.files.get(request.path)
            return (404, {}, b"gone") if body is None else (200, {}, body)
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return _refusal(Refuse(403, "invalid_api_key"))
        match request.method, request.path.strip("/").split("/"):
            case "POST", ["emails"]:
                return self._send(request)
            case "GET", ["emails"]:
                data = [self._shown(each) for each in reversed(self.emails)]
                return _json(200, {"object": "list", "has_more": False, "data": data})
            case "GET", ["emails", "receiving", id_] if id_ in self.received:
                return _json(200, self.received[id_])
            case "GET", ["emails", "receiving", id_, "attachments"] if id_ in self.received:
                data = [
                    {**each, "download_url": f"https://{STORE}/{each['id']}", "expires_at": _now()}
                    for each in self.received[id_]["attachments"]
                ]
                return _json(200, {"object": "list", "has_more": False, "data": data})
            case "GET", ["emails", id_] if id_ in self.emails:
                return _json(200, {**self._shown(id_), "text": self.emails[id_].get("text")})
            case "GET", ["domains"]:
                return _json(200, {"object": "list", "has_more": False, "data": self.domains})
            case "GET", ["webhooks"]:
                return _json(200, {"object": "list", "has_more": False, "data": self.webhooks})
            case _:
                return _refusal(Refuse(404, "not_found"))

    def _handle(self, request: Request, query: list[tuple[str, str]]) -> Any:
        with self._lock:
            self.requests.append(request)
        if request.host.partition(":")[0] == STORE:
            return self._answer(request)
        asked = MockRequest(
            f"https://{API}",
            request.method.lower(),
            request.path,
            headers=request.headers,
            args=ImmutableMultiDict(query),  # type: ignore[arg-type]
            data=request.body,
            content_type=request.headers.get("content-type", ""),
        )
        self._check(self._spec.iter_request_errors(asked))
        status, headers, body = self._answer(request)
        if status < 300:
            given = MockResponse(body, status, headers, "application/json")
            self._check(self._spec.iter_response_errors(asked, given))
        return status, headers, body

    def _check(self, errors: Iterable[Exception]) -> None:
        with self._lock:
            for error in errors:
                cause = error.__cause__
                details = getattr(cause, "schema_errors", None) or [cause or ""]
                self.spec_errors.append(f"{error}: {'; '.join(map(str, details))}")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                parts = urlsplit(self.path)
                request = Request(
                    method=self.command,
                    host=self.headers.get("Host", ""),
                    path=parts.path,
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
                )
                query = parse_qsl(parts.query, keep_blank_values=True)
                status, headers, body = stand_in._handle(request, query)
                if stand_in._stopping.is_set():
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in ({"Content-Type": "application/json"} | headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = _serve  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Nothing on the terminal."""

        return Handler


def signed(body: bytes, secret: str = SECRET, name: str | None = None) -> dict[str, str]:
    """The headers of a webhook, as Svix signs them."""
    id_ = name or f"msg_{uuid.uuid4().hex}"
    stamp = str(int(datetime.now(UTC).timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{id_}.{stamp}.".encode() + body, "sha256")
    return {
        "Content-Type": "application/json",
        "svix-id": id_,
        "svix-timestamp": stamp,
        "svix-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


@functools.cache
def _spec(path: Path) -> OpenAPI:
    return OpenAPI.from_dict(json.loads(path.read_text()))


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _json(status: int, told: Any) -> tuple[int, dict[str, str], bytes]:
    return status, {}, json.dumps(told).encode()


def _refusal(refuse: Refuse) -> tuple[int, dict[str, str], bytes]:
    if refuse.page is not None:
        return refuse.status, {"Content-Type": "text/html"}, refuse.page.encode()
    error = {"statusCode": refuse.status, "name": refuse.name, "message": refuse.message}
    return refuse.status, dict(refuse.headers), json.dumps(error).encode()
