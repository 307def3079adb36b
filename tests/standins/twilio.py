"""A stand-in for Twilio: its REST API as a real HTTP server, its webhooks with true signatures.

Every request and every successful answer is checked against Twilio's own OpenAPI document
(``spec_errors`` has what did not fit). It remembers messages as Twilio would, calls back when told
to, and goes wrong for the numbers in ``MAGIC``.

    with TwilioStandIn(spec_path) as twilio:
        ...  # requests for the hosts in twilio.routes go to twilio.base_url
        twilio.inbound(hub_url, from_="+15550001", to="+15550002", body="Hello")
        twilio.callback(sid, "delivered")
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import ImmutableMultiDict

from tests.patience import PATIENCE
from tests.trust import TRUST

ACCOUNT = "AC" + "0" * 31 + "1"
TOKEN = "a token of the stand-in"
NUMBER = "+15550100001"
API = "api.twilio.com"
STORE = "media.store.example"
"""Where media lies, as Twilio redirects to a store that is not its own host."""


@dataclass(frozen=True)
class Refuse:
    """An answer that is no success, in Twilio's form; ``page`` is a gateway's instead."""

    status: int
    code: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    page: str | None = None


@dataclass(frozen=True)
class Hang:
    """Never answers, before or after the message was made."""

    after: bool


@dataclass(frozen=True)
class Answer:
    """Makes the message, then answers with these bytes."""

    body: bytes
    status: int = 201


Mood = Refuse | Hang | Answer

MAGIC: dict[str, Mood] = {
    # The first five are Twilio's own magic numbers for test credentials.
    "+15005550001": Refuse(400, 21211),
    "+15005550002": Refuse(400, 21612),
    "+15005550003": Refuse(400, 21408),
    "+15005550004": Refuse(400, 21610),
    "+15005550009": Refuse(400, 21614),
    "+15005550401": Refuse(401, 20003),
    "+15005550429": Refuse(429, 20429, {"Retry-After": "7"}),
    "+15005550500": Refuse(500, 20500),
    "+15005550502": Refuse(502, page="<html>Bad Gateway</html>"),
    "+15005550503": Refuse(503, 20503),
    "+15005550007": Hang(after=True),
    "+15005550008": Hang(after=False),
    "+15005550201": Answer(b"<html>Welcome</html>"),
}


@dataclass
class Request:
    """One request that reached the server."""

    method: str
    host: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    form: list[tuple[str, str]]
    mood: Mood | None
    """How it was to go when it came, whatever the test says meanwhile."""

    @property
    def user(self) -> str | None:
        """Who it claims to be by basic authentication."""
        return _credentials(self.headers)[0]


@dataclass
class Stored:
    """A message, as Twilio keeps it; ``resource`` is what the API shows of it."""

    resource: dict[str, Any]
    media_urls: list[str] = field(default_factory=list)
    status_callback: str | None = None

    @property
    def sid(self) -> str:
        return self.resource["sid"]

    @property
    def body(self) -> str:
        return self.resource["body"]

    @property
    def status(self) -> str:
        return self.resource["status"]


class TwilioStandIn:
    """Twilio, as far as texts go. ``reach`` maps public base addresses of the hub to where it
    really listens: signatures are over the public address, the post goes to the real one.
    ``auto`` are statuses called back by themselves once a message was made."""

    def __init__(
        self,
        spec_path: Path,
        *,
        account_sid: str = ACCOUNT,
        auth_token: str = TOKEN,
        numbers: Iterable[str] = (NUMBER,),
        keys: Mapping[str, str] | None = None,
        reach: Mapping[str, str] | None = None,
        auto: Sequence[str] = (),
    ) -> None:
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.numbers = set(numbers)
        self.moods: dict[str, Mood] = dict(MAGIC)
        self.messages: list[Stored] = []
        self.requests: list[Request] = []
        self.spec_errors: list[str] = []
        self.opted_out: set[tuple[str, str]] = set()
        self.account_status = "active"
        self.media: dict[str, tuple[str, bytes]] = {}
        self.made: Callable[[Stored], object] = lambda _: None
        """Called when a message was made, before the request for it is answered."""
        self._accounts = {account_sid: auth_token} | dict(keys or {})
        self._reach = dict(reach or {})
        self._auto = tuple(auto)
        self._spec = _spec(spec_path)
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
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
        for thread in self._threads:
            thread.join(15)
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
        return {API: self.base_url, STORE: self.base_url}

    # ---- what Twilio does by itself

    def inbound(
        self,
        hub_url: str,
        from_: str,
        to: str = NUMBER,
        body: str = "",
        media: Sequence[tuple[str, bytes]] = (),
        **more: str,
    ) -> httpx2.Response:
        """Somebody texts ``to``: the webhook is posted to ``hub_url``. ``media``: content types
        and bytes. ``more``: further or other fields, such as ``OptOutType``."""
        stored = self._store(from_, to, body, "inbound", "received", "MM" if media else "SM")
        stored.resource["num_media"] = str(len(media))
        word = body.strip().upper()
        if word == "STOP":
            self.opted_out.add((from_, to))
        elif word == "START":
            self.opted_out.discard((from_, to))
        fields = {
            "ToCountry": "US",
            "ToState": "CA",
            "SmsMessageSid": stored.sid,
            "NumMedia": str(len(media)),
            "ToCity": "",
            "SmsSid": stored.sid,
            "SmsStatus": "received",
            "FromCity": "",
            "Body": body,
            "FromCountry": "US",
            "To": to,
            "NumSegments": "1",
            "MessageSid": stored.sid,
            "AccountSid": self.account_sid,
            "From": from_,
            "ApiVersion": "2010-04-01",
        }
        for number, (content_type, content) in enumerate(media):
            sid = self._sid("ME")
            self.media[sid] = (content_type, content)
            fields[f"MediaContentType{number}"] = content_type
            fields[f"MediaUrl{number}"] = (
                f"https://{API}/2010-04-01/Accounts/{self.account_sid}"
                f"/Messages/{stored.sid}/Media/{sid}"
            )
        return self.post(hub_url, list((fields | more).items()))

    def callback(
        self, sid: str, status: str, error_code: int | None = None, **more: str
    ) -> httpx2.Response | None:
        """The message's state is now ``status``: its StatusCallback is told, if it has one."""
        stored = self.message(sid)
        stored.resource |= {"status": status, "error_code": error_code}
        if stored.status_callback is None:
            return None
        fields = {
            "SmsSid": sid,
            "SmsStatus": status,
            "MessageStatus": status,
            "To": stored.resource["to"],
            "MessageSid": sid,
            "AccountSid": self.account_sid,
            "From": stored.resource["from"] or NUMBER,
            "ApiVersion": "2010-04-01",
        }
        if error_code is not None:
            fields["ErrorCode"] = str(error_code)
        return self.post(stored.status_callback, list((fields | more).items()))

    def post(
        self, url: str, fields: Sequence[tuple[str, str]] | bytes, *, signature: str | None = None
    ) -> httpx2.Response:
        """Post a form to the hub as Twilio does; bytes are sent as they are, such as a recorded
        body. Signed with the account's token unless another ``signature`` is given."""
        url = url.partition("#")[0]
        body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
        pairs = parse_qsl(body.decode(), keep_blank_values=True)
        true = RequestValidator(self.auth_token).compute_signature(url, ImmutableMultiDict(pairs))
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "User-Agent": "TwilioProxy/1.1",
            "I-Twilio-Idempotency-Token": hashlib.sha256(body).hexdigest()[:36],
            "X-Twilio-Signature": true if signature is None else signature,
        }
        return self._client.post(self._where(url), content=body, headers=headers)

    def fetch(self, sid: str) -> list[httpx2.Response]:
        """Fetch the files of a message that goes out, as Twilio would."""
        return [self._client.get(self._where(url)) for url in self.message(sid).media_urls]

    def message(self, sid: str) -> Stored:
        """The message of that id."""
        with self._lock:
            return {each.sid: each for each in self.messages}[sid]

    @property
    def sent(self) -> list[Stored]:
        """What went out, oldest first."""
        with self._lock:
            return [m for m in self.messages if m.resource["direction"] != "inbound"]

    def _where(self, url: str) -> str:
        for public, real in self._reach.items():
            if url.startswith(public):
                return real + url.removeprefix(public)
        return url

    # ---- its API

    def _create(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        form = dict(request.form)
        to, sender = form.get("To", ""), form.get("From", "")
        mood = request.mood
        if isinstance(mood, Refuse):
            return _refusal(mood)
        refusal = self._refusal_of(request.form)
        if refusal is not None:
            return _refusal(refusal)
        if isinstance(mood, Hang) and not mood.after:
            self._stopping.wait()
        service = form.get("MessagingServiceSid")
        media = [value for name, value in request.form if name == "MediaUrl"]
        initial = "accepted" if service else "queued"
        kind = "MM" if media else "SM"
        stored = self._store(
            sender or None, to, form.get("Body", ""), "outbound-api", initial, kind
        )
        stored.media_urls = media
        stored.status_callback = form.get("StatusCallback")
        stored.resource |= {"num_media": str(len(media)), "messaging_service_sid": service}
        self.made(stored)
        if isinstance(mood, Hang):
            self._stopping.wait()
        if self._auto:
            self._in_background(lambda: [self.callback(stored.sid, each) for each in self._auto])
        if isinstance(mood, Answer):
            return mood.status, {}, mood.body
        return 201, {}, json.dumps(stored.resource).encode()

    def _refusal_of(self, pairs: Sequence[tuple[str, str]]) -> Refuse | None:
        form = dict(pairs)
        to, sender = form.get("To", ""), form.get("From", "")
        if not re.fullmatch(r"\+[1-9]\d{6,14}|\d{3,8}", to):
            return Refuse(400, 21211)
        if not sender and "MessagingServiceSid" not in form:
            return Refuse(400, 21603)
        if sender and sender not in self.numbers:
            return Refuse(400, 21606)
        if not form.get("Body") and "MediaUrl" not in form:
            return Refuse(400, 21619)
        if len(form.get("Body", "")) > 1600:
            return Refuse(400, 21617)
        if any((to, number) in self.opted_out for number in ({sender} if sender else self.numbers)):
            return Refuse(400, 21610)
        return None

    def _list(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        query = dict(request.query)
        size = int(query.get("PageSize", "50"))
        with self._lock:
            found = [
                each.resource
                for each in reversed(self.messages)
                if query.get("To", each.resource["to"]) == each.resource["to"]
                and query.get("From", each.resource["from"]) == each.resource["from"]
            ]
        path = f"/2010-04-01/Accounts/{self.account_sid}/Messages.json"
        first = f"{path}?{urlencode(request.query)}"
        page = {
            "messages": found[:size],
            "end": max(0, min(size, len(found)) - 1),
            "first_page_uri": first,
            "next_page_uri": f"{first}&Page=1" if len(found) > size else None,
            "page": 0,
            "page_size": size,
            "previous_page_uri": None,
            "start": 0,
            "uri": first,
        }
        return 200, {}, json.dumps(page).encode()

    def _account(self, _: Request) -> tuple[int, dict[str, str], bytes]:
        now = format_datetime(datetime.now(UTC))
        account = {
            "sid": self.account_sid,
            "friendly_name": "The stand-in",
            "status": self.account_status,
            "type": "Full",
            "auth_token": None,
            "date_created": now,
            "date_updated": now,
            "owner_account_sid": self.account_sid,
            "subresource_uris": {},
            "uri": f"/2010-04-01/Accounts/{self.account_sid}.json",
        }
        return 200, {}, json.dumps(account).encode()

    def _fetch(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        sid = request.path.rsplit("/", 1)[1].removesuffix(".json")
        with self._lock:
            for each in self.messages:
                if each.sid == sid:
                    return 200, {}, json.dumps(each.resource).encode()
        return _refusal(Refuse(404, 20404))

    def _media(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        sid = request.path.rsplit("/", 1)[1]
        if sid not in self.media:
            return _refusal(Refuse(404, 20404))
        return 307, {"Location": f"https://{STORE}/{sid}?signature=x"}, b""

    def _stored(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        content_type, content = self.media[request.path.rsplit("/", 1)[1]]
        name = f"picture.{content_type.rpartition('/')[2]}"
        headers = {
            "Content-Type": content_type,
            "Content-Disposition": f'inline; filename="{name}"',
        }
        return 200, headers, content

    def _answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        if request.host.partition(":")[0] == STORE:
            return self._stored(request)
        user, password = _credentials(request.headers)
        if user is None or self._accounts.get(user) != password:
            return _refusal(Refuse(401, 20003))
        base = f"/2010-04-01/Accounts/{self.account_sid}"
        path = request.path
        if path == f"{base}/Messages.json":
            return self._create(request) if request.method == "POST" else self._list(request)
        if path == f"{base}.json":
            return self._account(request)
        if re.fullmatch(rf"{base}/Messages/\w+/Media/\w+", path):
            return self._media(request)
        if re.fullmatch(rf"{base}/Messages/\w+\.json", path):
            return self._fetch(request)
        return _refusal(Refuse(404, 20404))

    # ---- checks and bookkeeping

    def _handle(self, request: Request, raw: bytes) -> tuple[int, dict[str, str], bytes]:
        with self._lock:
            self.requests.append(request)
        asked = MockRequest(
            f"https://{API}",
            request.method.lower(),
            request.path,
            headers=request.headers,
            args=ImmutableMultiDict(request.query),  # type: ignore[arg-type]
            data=raw,
            content_type=request.headers.get("content-type", ""),
        )
        described = request.path.endswith(".json")
        if described:
            self._check(self._spec.iter_request_errors(asked))
            self._check_addresses(request)
        status, headers, body = self._answer(request)
        if described and status < 300 and not isinstance(request.mood, Answer):
            given = MockResponse(body, status, headers, "application/json")
            self._check(self._spec.iter_response_errors(asked, given))
        return status, headers, body

    def _check(self, errors: Iterable[Exception]) -> None:
        with self._lock:
            for error in errors:
                cause = error.__cause__
                details = getattr(cause, "schema_errors", None) or [cause or ""]
                self.spec_errors.append(f"{error}: {'; '.join(map(str, details))}")

    def _check_addresses(self, request: Request) -> None:
        """The checker knows no ``format: uri``; Twilio refuses underscores in host names."""
        for name, value in request.form:
            if name in {"StatusCallback", "MediaUrl"}:
                parts = urlsplit(value)
                if parts.scheme not in {"http", "https"} or "_" in (parts.hostname or "_"):
                    self.spec_errors.append(f"{name} is no address: {value}")

    def _store(
        self, from_: str | None, to: str, body: str, direction: str, status: str, kind: str
    ) -> Stored:
        now = format_datetime(datetime.now(UTC))
        sid = self._sid(kind)
        uri = f"/2010-04-01/Accounts/{self.account_sid}/Messages/{sid}"
        stored = Stored(
            {
                "account_sid": self.account_sid,
                "api_version": "2010-04-01",
                "body": body,
                "date_created": now,
                "date_sent": None if direction != "inbound" else now,
                "date_updated": now,
                "direction": direction,
                "error_code": None,
                "error_message": None,
                "from": from_,
                "messaging_service_sid": None,
                "num_media": "0",
                "num_segments": "1",
                "price": None,
                "price_unit": None,
                "sid": sid,
                "status": status,
                "subresource_uris": {"media": f"{uri}/Media.json"},
                "to": to,
                "uri": f"{uri}.json",
            }
        )
        with self._lock:
            self.messages.append(stored)
        return stored

    def _sid(self, kind: str) -> str:
        return f"{kind}{next(self._numbers):032x}"

    def _in_background(self, work: Callable[[], object]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                form = parse_qsl(raw.decode(), keep_blank_values=True)
                request = Request(
                    method=self.command,
                    host=self.headers.get("Host", ""),
                    path=parts.path,
                    query=parse_qsl(parts.query, keep_blank_values=True),
                    headers={name.lower(): value for name, value in self.headers.items()},
                    form=form,
                    mood=stand_in.moods.get(dict(form).get("To", "")),
                )
                status, headers, body = stand_in._handle(request, raw)
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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that was killed does not wait for its answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@functools.cache
def _spec(path: Path) -> OpenAPI:
    return OpenAPI.from_dict(json.loads(path.read_text()))


def _credentials(headers: Mapping[str, str]) -> tuple[str | None, str]:
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None, ""
    user, _, password = base64.b64decode(encoded).decode().partition(":")
    return user, password


def _refusal(refuse: Refuse) -> tuple[int, dict[str, str], bytes]:
    if refuse.page is not None:
        page_headers = {"Content-Type": "text/html", **refuse.headers}
        return refuse.status, page_headers, refuse.page.encode()
    error = {
        "code": refuse.code,
        "message": f"The stand-in refuses with {refuse.code}",
        "more_info": f"https://www.twilio.com/docs/errors/{refuse.code}",
        "status": refuse.status,
    }
    return refuse.status, dict(refuse.headers), json.dumps(error).encode()
