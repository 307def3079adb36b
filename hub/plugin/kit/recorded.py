"""A ``ctx`` without a hub and without a network: requests are answered from what was recorded, the
clock stands until it is moved, values and log lines are kept in memory."""

from __future__ import annotations

import asyncio
import base64
import json as jsonlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct, field

from hub.plugin.context import Clock, Http, HttpResponse, Kv, KvEntry, Log, Media, Verify
from hub.plugin.errors import Permanent
from hub.plugin.kit.addresses import is_public
from hub.plugin.kit.html import clean
from hub.plugin.kit.http import REDIRECTS, build_request, redirected
from hub.plugin.kit.verify import Verifier
from hub.plugin.settings import Secret
from hub.plugin.types import Delivery, SafeHtml

T = TypeVar("T")

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
MAX_KEYS = 1000
MAX_VALUE = 64_000


class Unscripted(Exception):
    """The plugin asked for what nobody recorded."""


class Call(Struct, frozen=True, kw_only=True):
    """A request that a plugin made. Header names are in lower case."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes

    def form(self) -> list[tuple[str, str]]:
        """The body as a form."""
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)

    def text(self) -> str:
        """Everything of it, to look for something; basic authentication as it reads."""
        head = "\n".join(f"{name}: {_readable(value)}" for name, value in self.headers.items())
        return f"{self.method} {self.url}\n{head}\n\n{self.body.decode('utf-8', 'replace')}"


def _readable(header: str) -> str:
    if not header.startswith("Basic "):
        return header
    try:
        return base64.b64decode(header.removeprefix("Basic ")).decode("utf-8", "replace")
    except ValueError:
        return header


class Answer(Struct, frozen=True, kw_only=True):
    """What a provider answers."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


Answering = Callable[[Call], Awaitable[Answer]]
"""The provider's side: may raise what ``ctx.http`` raises, and may never answer."""


async def nobody(call: Call) -> Answer:
    """A provider that nobody recorded."""
    raise Unscripted(f"{call.method} {call.url} was not expected")


class RecordedHttp:
    """``ctx.http`` over ``answering``, by the rules of the real one: what is no address of the
    web is refused, and what was meant for one host goes to no other."""

    def __init__(self, answering: Answering = nobody) -> None:
        self.answering = answering
        self.calls: list[Call] = []

    async def request(  # noqa: PLR0913  # the promise's own arguments
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Sequence[tuple[str, str]] | None = None,
        json: Any = None,
        content: bytes | None = None,
        auth: tuple[str, Secret | str] | None = None,
        timeout: float = 15.0,  # noqa: ARG002, ASYNC109
        max_bytes: int = 10_000_000,
        redirects: int = 0,
    ) -> HttpResponse:
        """See ``hub.plugin.Http``."""
        request = build_request(method, url, params, headers, form, json, content, auth)
        while True:
            host = request.url.host
            if host == "localhost" or (_is_number(host) and not is_public(host)):
                raise Permanent("policy", f"{host} is not on the public internet")
            call = Call(
                method=request.method,
                url=str(request.url),
                headers=dict(request.headers),
                body=request.content,
            )
            self.calls.append(call)
            answer = await self.answering(call)
            if len(answer.body) > max_bytes:
                raise Permanent("too_large", f"the answer is longer than {max_bytes} bytes")
            response = HttpResponse(
                status=answer.status,
                headers={name.lower(): value for name, value in answer.headers.items()},
                body=answer.body,
                url=call.url,
            )
            if answer.status not in REDIRECTS or "location" not in response.headers:
                return response
            if not redirects:
                return response
            redirects -= 1
            request = redirected(request, response)


def _is_number(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


class SetClock:
    """Stands until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now

    def now(self) -> datetime:
        """See ``hub.plugin.Clock``."""
        return self._now

    def pass_by(self, seconds: float) -> None:
        """Move it."""
        self._now += timedelta(seconds=seconds)


class MemoryKv:
    """Versioned values in memory, within the promise's limits."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.entries = {
            key: KvEntry(value=value, version=1) for key, value in (values or {}).items()
        }

    async def get(self, key: str) -> KvEntry | None:
        """See ``hub.plugin.Kv``."""
        await asyncio.sleep(0)
        return self.entries.get(key)

    async def put(self, key: str, value: str, *, version: int | None = None) -> bool:
        """See ``hub.plugin.Kv``."""
        await asyncio.sleep(0)
        current = self.entries.get(key)
        stored = current.version if current else 0
        if version is not None and version != stored:
            return False
        if len(value.encode()) > MAX_VALUE or (current is None and len(self.entries) >= MAX_KEYS):
            raise Permanent("too_large", "a channel keeps at most 1,000 values of 64 kB")
        self.entries[key] = KvEntry(value=value, version=stored + 1)
        return True

    async def delete(self, key: str) -> None:
        """See ``hub.plugin.Kv``."""
        await asyncio.sleep(0)
        self.entries.pop(key, None)


class Files:
    """The files of a channel's messages; ``base`` is where they are offered."""

    def __init__(self, base: str = "https://hub.example/media") -> None:
        self.base = base
        self.bodies: dict[str, bytes] = {}

    async def open(self, attachment_id: str) -> bytes:
        """See ``hub.plugin.Media``."""
        try:
            return self.bodies[attachment_id]
        except KeyError:
            raise Permanent("other", "there is no such file") from None

    def signed_url(self, attachment_id: str, *, seconds: float = 3600.0) -> str:
        """See ``hub.plugin.Media``."""
        return f"{self.base}/{attachment_id}?seconds={seconds:g}"


class Lines:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def info(self, event: str, **facts: Any) -> None:
        """See ``hub.plugin.Log``."""
        self.lines.append(("info", event, facts))

    def warning(self, event: str, **facts: Any) -> None:
        """See ``hub.plugin.Log``."""
        self.lines.append(("warning", event, facts))

    def error(self, event: str, **facts: Any) -> None:
        """See ``hub.plugin.Log``."""
        self.lines.append(("error", event, facts))


class RecordedContext:
    """Implements ``hub.plugin.Context`` for one channel. ``at`` gives one bound to a delivery."""

    channel_id: str = "under-test"
    organisation: str = "main"

    def __init__(
        self,
        *,
        answering: Answering = nobody,
        public: str = "https://hub.example/hooks/main/under-test",
        clock: SetClock | None = None,
    ) -> None:
        self.network = RecordedHttp(answering)
        self.time = clock or SetClock()
        self.files = Files()
        self.lines = Lines()
        self.memory = MemoryKv()
        self.http: Http = self.network
        self.clock: Clock = self.time
        self.kv: Kv = self.memory
        self.media: Media = self.files
        self.log: Log = self.lines
        self.emitted: list[Delivery] = []
        self.verify: Verify = Verifier(Delivery(received_at=self.time.now()), self.time)
        self._public = public

    def at(self, delivery: Delivery, verify: Verify | None = None) -> RecordedContext:
        """The context that ``ingest`` of this delivery is given: the time is that of receipt."""
        bound = object.__new__(RecordedContext)
        bound.__dict__ |= self.__dict__
        bound.clock = SetClock(delivery.received_at)
        bound.verify = verify or Verifier(delivery, bound.clock)
        return bound

    async def connect(
        self,
        host: str,
        port: int,
        *,
        tls: bool = True,  # noqa: ARG002
        timeout: float = 15.0,  # noqa: ARG002, ASYNC109
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """See ``hub.plugin.Context``."""
        raise Unscripted(f"a connection to {host}:{port} was not expected")

    async def emit(self, delivery: Delivery) -> None:
        """See ``hub.plugin.Context``."""
        await asyncio.sleep(0)
        self.emitted.append(delivery)

    async def run_blocking(self, function: Callable[..., T], *args: Any) -> T:
        """See ``hub.plugin.Context``."""
        return await asyncio.to_thread(function, *args)

    def clean_html(self, html: str) -> SafeHtml:
        """See ``hub.plugin.Context``."""
        return clean(html)

    def public_url(self, path: str = "") -> str:
        """See ``hub.plugin.Context``."""
        return self._public + path


class Exchange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recorded request and its answer, a line of ``exchange.jsonl``."""

    request: ExpectedRequest
    response: RecordedResponse


class ExpectedRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the plugin is to ask. Of ``headers`` those named count; one of ``form`` (its order
    does not count), ``json`` and ``body`` is the content."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict[str, str])
    form: tuple[tuple[str, str], ...] | None = None
    json: Any = None
    body: str | None = None


class RecordedResponse(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the provider answers: ``body`` as it is, or ``json``."""

    status: int
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: str = ""
    json: Any = None

    def answer(self) -> Answer:
        """As ``RecordedHttp`` gives it."""
        if self.json is None:
            return Answer(status=self.status, headers=self.headers, body=self.body.encode())
        headers = {"Content-Type": "application/json", **self.headers}
        return Answer(status=self.status, headers=headers, body=jsonlib.dumps(self.json).encode())


class Script:
    """Answers as recorded, in order. ``problems`` says what was asked otherwise."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self.exchanges = exchanges
        self.asked = 0
        self.problems: list[str] = []

    async def __call__(self, call: Call) -> Answer:
        if self.asked >= len(self.exchanges):
            self.problems.append(f"{call.method} {call.url} was not expected")
            raise Unscripted(self.problems[-1])
        exchange = self.exchanges[self.asked]
        self.asked += 1
        self.problems += differences(exchange.request, call)
        await asyncio.sleep(0)
        return exchange.response.answer()


def differences(wanted: ExpectedRequest, call: Call) -> list[str]:
    """In what a request is not the expected one."""
    found: list[str] = []

    def compare(name: str, expected: object, got: object) -> None:
        if expected != got:
            found.append(f"{name}: expected {expected!r}, got {got!r}")

    compare("method", wanted.method, call.method)
    compare("url", _url(wanted.url), _url(call.url))
    for name, value in wanted.headers.items():
        compare(f"header {name}", value, call.headers.get(name.lower()))
    if wanted.form is not None:
        compare("form", sorted(wanted.form), sorted(call.form()))
    if wanted.json is not None:
        try:
            given = jsonlib.loads(call.body)
        except ValueError:
            given = call.body
        compare("json", wanted.json, given)
    if wanted.body is not None:
        compare("body", wanted.body, call.body.decode("utf-8", "replace"))
    return found


def _url(text: str) -> tuple[str, str, str, list[tuple[str, str]]]:
    """An address, whatever the order of its query."""
    parts = urlsplit(text)
    return parts.scheme, parts.netloc, parts.path, sorted(parse_qsl(parts.query))
