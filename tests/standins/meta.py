"""A stand-in for Meta: the part of its Graph API that WhatsApp needs as a real HTTP server, its
webhooks with true signatures.

It keeps the rules that Meta keeps: who has not written for a day gets templates only, a template
has to be approved and given its values, a message has the fields that Meta wants (``problems`` says
which were wrong). It goes wrong for who stands in ``moods``.

    with MetaStandIn() as meta:
        ...  # requests for the hosts in meta.routes go to meta.base_url
        meta.wrote(hub_url, "46701740605", {"type": "text", "text": {"body": "Hello"}})
        meta.became(hub_url, meta.sent[0], "delivered")
"""

from __future__ import annotations

import hmac
import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2

from tests.patience import PATIENCE
from tests.trust import TRUST

GRAPH, FILES = "graph.facebook.com", "lookaside.fbsbx.com"
NUMBER_ID, ACCOUNT, NUMBER = "208471936650142", "190355281007734", "+15550100200"
TOKEN, SECRET, VERIFY = "a token of the stand-in", "a secret of the stand-in", "is it you?"
KINDS = frozenset({"text", "image", "video", "audio", "document", "sticker", "template"})
MARK = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True)
class Refuse:
    """An answer that is no success, in Meta's form; ``page`` is a gateway's instead."""

    status: int
    code: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    page: str | None = None


@dataclass(frozen=True)
class Hang:
    """Never answers, before or after the message was taken."""

    after: bool


@dataclass(frozen=True)
class Answer:
    """Takes the message, then answers with these bytes."""

    body: bytes


Mood = Refuse | Hang | Answer
Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Sent:
    """A message that Meta has taken."""

    id: str
    body: dict[str, Any]

    @property
    def to(self) -> str:
        """The number or user it is for."""
        return str(self.body.get("to") or self.body.get("recipient"))


class MetaStandIn:
    """WhatsApp, as far as one number goes. ``templates`` are as Meta lists them, two on a page."""

    def __init__(self, templates: Sequence[dict[str, Any]] = ()) -> None:
        self.templates = list(templates)
        self.moods: dict[str, Mood] = {}
        self.sent: list[Sent] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.problems: list[str] = []
        self.open: set[str] = set()
        """Who has written within the last day."""
        self.media: dict[str, tuple[str, bytes]] = {}
        self.number: dict[str, Any] = {
            "id": NUMBER_ID,
            "display_phone_number": "+1 555-010-0200",
            "quality_rating": "GREEN",
            "status": "CONNECTED",
        }
        self.numbers = [NUMBER_ID]
        self.apps: list[dict[str, Any]] = [{"whatsapp_business_api_data": {"id": "1"}}]
        self.secret = SECRET
        self.mood: Mood | None = None
        """Of everything that is asked by GET."""
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._client = httpx2.Client(trust_env=False, timeout=PATIENCE, verify=TRUST)
        self._server = _Server(("127.0.0.1", 0), self._handler())
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
        self._client.close()

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def routes(self) -> dict[str, str]:
        """The hosts it stands in for."""
        return {GRAPH: self.base_url, FILES: self.base_url}

    # ---- what Meta does by itself

    def ask(self, url: str, token: str = VERIFY) -> httpx2.Response:
        """Ask whether the webhook's address is ours."""
        asked = {"hub.mode": "subscribe", "hub.challenge": "4711", "hub.verify_token": token}
        return self._client.get(f"{url}?{urlencode(asked)}")

    def wrote(
        self,
        url: str,
        who: str,
        content: Mapping[str, Any],
        *,
        name: str = "Marta",
        user_id: str | None = None,
        at: int = 1772443800,
    ) -> httpx2.Response:
        """Somebody writes: the webhook is posted to ``url``. ``who`` is a number, or nothing."""
        self.open |= {each for each in (who and f"+{who}", user_id) if each}
        person: dict[str, Any] = {"profile": {"name": name}}
        message = {"id": self._id(), "timestamp": str(at), **content}
        if who:
            person["wa_id"], message["from"] = who, who
        if user_id is not None:
            person["user_id"], message["from_user_id"] = user_id, user_id
        return self.post(url, self.value(contacts=[person], messages=[message]))

    def became(self, url: str, sent: Sent, status: str, code: int | None = None) -> httpx2.Response:
        """Tell what became of a message."""
        told: dict[str, Any] = {
            "id": sent.id,
            "status": status,
            "timestamp": "1772443860",
            "recipient_id": sent.to.lstrip("+"),
            "biz_opaque_callback_data": sent.body.get("biz_opaque_callback_data"),
        }
        if code is not None:
            told["errors"] = [{"code": code, "title": "it failed"}]
        return self.post(url, self.value(statuses=[told]))

    def value(self, **more: Any) -> dict[str, Any]:
        """A delivery about the number."""
        metadata = {"display_phone_number": "15550100200", "phone_number_id": NUMBER_ID}
        value = {"messaging_product": "whatsapp", "metadata": metadata, **more}
        return self.delivery("messages", value)

    def delivery(self, name: str, value: Mapping[str, Any]) -> dict[str, Any]:
        """A delivery with one change of the field ``name``."""
        entry = {"id": ACCOUNT, "changes": [{"field": name, "value": value}]}
        return {"object": "whatsapp_business_account", "entry": [entry]}

    def post(
        self, url: str, payload: Mapping[str, Any] | bytes, secret: str | None = None
    ) -> httpx2.Response:
        """Post to the hub as Meta does; bytes are sent as they are."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        key = self.secret if secret is None else secret
        digest = hmac.digest(key.encode(), body, "sha256").hex()
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": f"sha256={digest}",
            "User-Agent": "facebookexternalua",
        }
        return self._client.post(url, content=body, headers=headers)

    def fetch(self, sent: Sent) -> httpx2.Response:
        """Fetch the file of a message that goes out, as Meta would."""
        return self._client.get(sent.body[sent.body["type"]]["link"])

    # ---- its API

    def _answer(
        self, method: str, host: str, target: str, headers: dict[str, str], body: bytes
    ) -> Reply:
        parts = urlsplit(target)
        with self._lock:
            self.requests.append((method, f"https://{host}{target}", headers))
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return _refusal(Refuse(401, 190))
        if host == FILES:
            return self._file(dict(parse_qsl(parts.query)).get("mid", ""))
        if method == "GET" and self.mood is not None:
            return self._in(self.mood)
        path, query = parts.path.split("/", 2)[2], dict(parse_qsl(parts.query))
        if method == "POST" and path == f"{NUMBER_ID}/messages":
            return self._take(json.loads(body))
        return self._look(path, query)

    def _look(self, path: str, query: dict[str, str]) -> Reply:
        if path == NUMBER_ID:
            proof = hmac.digest(self.secret.encode(), TOKEN.encode(), "sha256").hex()
            if query.get("appsecret_proof", proof) != proof:
                return _refusal(Refuse(400, 100))
            return _json(self.number)
        if path == f"{ACCOUNT}/phone_numbers":
            return _json({"data": [{"id": each} for each in self.numbers]})
        if path == f"{ACCOUNT}/subscribed_apps":
            return _json({"data": self.apps})
        if path == f"{ACCOUNT}/message_templates":
            return self._templates(int(query.get("after", "0")))
        if path in self.media:
            kind, content = self.media[path]
            url = f"https://{FILES}/whatsapp_business/attachments/?mid={path}&ext=1"
            about = {"url": url, "mime_type": kind, "file_size": len(content), "id": path}
            return _json(about)
        return _refusal(Refuse(400, 100))

    def _templates(self, at: int) -> Reply:
        page: dict[str, Any] = {"data": self.templates[at : at + 2]}
        if at + 2 < len(self.templates):
            link = (
                f"https://{GRAPH}/v24.0/{ACCOUNT}/message_templates?access_token=x&after={at + 2}"
            )
            page["paging"] = {"cursors": {"after": str(at + 2)}, "next": link}
        return _json(page)

    def _file(self, mid: str) -> Reply:
        if mid not in self.media:
            return _refusal(Refuse(404, page="gone"))
        kind, content = self.media[mid]
        return 200, {"Content-Type": kind}, content

    def _take(self, body: dict[str, Any]) -> Reply:
        to = str(body.get("to") or body.get("recipient"))
        mood = self.moods.get(to)
        if isinstance(mood, Refuse) or (isinstance(mood, Hang) and not mood.after):
            return self._in(mood)
        code = self._refused(body, to)
        if code is not None:
            return _refusal(Refuse(400, code))
        sent = Sent(self._id(), body)
        with self._lock:
            self.sent.append(sent)
        if mood is not None:
            return self._in(mood)
        contact = {"input": to, "wa_id": to.lstrip("+")}
        taken = {"id": sent.id, "message_status": "accepted"}
        return _json({"messaging_product": "whatsapp", "contacts": [contact], "messages": [taken]})

    def _in(self, mood: Mood) -> Reply:
        match mood:
            case Refuse():
                return _refusal(mood)
            case Answer():
                return 200, {}, mood.body
            case Hang():
                self._stopping.wait()
                return 200, {}, b""

    def _refused(self, body: dict[str, Any], to: str) -> int | None:
        """Meta's code for what it does not take."""
        kind = body.get("type")
        wrong = [
            body.get("messaging_product") != "whatsapp",
            ("to" in body) == ("recipient" in body),
            kind not in KINDS or kind not in body,
            kind == "text" and not 0 < len(body["text"]["body"]) <= 4096,
            len(body.get(str(kind), {}).get("caption", "")) > 1024,
            kind in {"audio", "sticker"} and "caption" in body[str(kind)],
        ]
        if any(wrong):
            self.problems.append(json.dumps(body))
            return 100
        if kind == "template":
            return self._wrong_template(body["template"])
        return None if to in self.open else 131047

    def _wrong_template(self, given: dict[str, Any]) -> int | None:
        key = given["name"], given["language"]["code"]
        known = next((one for one in self.templates if (one["name"], one["language"]) == key), None)
        if known is None:
            return 132001
        if known["status"] != "APPROVED":
            return 132015
        wanted, told = _marks(known), _values(given)
        if wanted != {name: len(values) for name, values in told.items() if values}:
            return 132000
        odd = re.compile(r"[\n\t]| {5}")
        return 132018 if any(odd.search(one) for row in told.values() for one in row) else None

    def _id(self) -> str:
        return f"wamid.HBgLstandin{next(self._numbers):04d}=="

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        meta = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                host = self.headers.get("Host", "").partition(":")[0]
                status, more, body = meta._answer(self.command, host, self.path, headers, raw)
                if meta._stopping.is_set():
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in ({"Content-Type": "application/json"} | more).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = _serve  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Nothing on the terminal."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def _marks(template: Mapping[str, Any]) -> dict[str, int]:
    """How many values each part of a template wants."""
    wanted: dict[str, int] = {}
    for part in template["components"]:
        kind = part["type"].lower()
        if kind == "header" and part.get("format", "TEXT") != "TEXT":
            wanted[kind] = 1
        elif kind == "buttons":
            for index, button in enumerate(part["buttons"]):
                if MARK.search(button.get("url", "")) or button["type"] == "COPY_CODE":
                    wanted[f"button {index}"] = 1
        elif marks := set(MARK.findall(part.get("text") or "")):
            wanted[kind] = len(marks)
    return wanted


def _values(given: Mapping[str, Any]) -> dict[str, list[str]]:
    """The values that a message gives each part."""
    told: dict[str, list[str]] = {}
    for part in given.get("components", ()):
        name = part["type"] if part["type"] != "button" else f"button {part['index']}"
        told[name] = [json.dumps(one, ensure_ascii=False) for one in part.get("parameters", ())]
    return told


def _json(value: Mapping[str, Any]) -> Reply:
    return 200, {}, json.dumps(value).encode()


def _refusal(refuse: Refuse) -> Reply:
    if refuse.page is not None:
        return refuse.status, {"Content-Type": "text/html", **refuse.headers}, refuse.page.encode()
    error = {"message": f"(#{refuse.code})", "type": "OAuthException", "code": refuse.code}
    return refuse.status, dict(refuse.headers), json.dumps({"error": error}).encode()
