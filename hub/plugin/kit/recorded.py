"""A ``ctx`` without a hub and without a network: requests are answered from what was recorded, the
clock stands until it is moved, values and log lines are kept in memory."""

from __future__ import annotations

import asyncio
import base64
import io
import json as jsonlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import multipart  # pyright: ignore[reportMissingTypeStubs]
from msgspec import Struct, field

from hub.plugin.context import (
    Clock,
    Http,
    HttpResponse,
    Kv,
    KvEntry,
    Log,
    Media,
    Upload,
    Verify,
)
from hub.plugin.errors import Permanent, Temporary, Unsupported
from hub.plugin.kit.addresses import is_public
from hub.plugin.kit.answers import lasting
from hub.plugin.kit.conversations import Conversation, connection, start_tls
from hub.plugin.kit.html import clean
from hub.plugin.kit.http import REDIRECTS, build_request, redirected
from hub.plugin.kit.verify import Verifier
from hub.plugin.settings import Secret
from hub.plugin.types import CallTask, Delivery, Event, RouteRequest, SafeHtml

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
        """The body as a form; of one with files, its other fields."""
        parts = self._parts()
        if parts is None:
            return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return [(part.name or "", part.value) for part in parts if part.filename is None]

    def files(self) -> list[Upload]:
        """The files of a form."""
        return [
            Upload(
                field=part.name or "",
                name=part.filename,
                body=part.raw,
                content_type=part.content_type,
            )
            for part in self._parts() or ()
            if part.filename is not None
        ]

    def _parts(self) -> list[multipart.MultipartPart] | None:
        """``None`` for a body that is no form with files."""
        kind, _, boundary = self.headers.get("content-type", "").partition("; boundary=")
        if kind != "multipart/form-data":
            return None
        room = len(self.body) + 1  # in memory: nothing is written to the disk
        parser = multipart.MultipartParser(
            io.BytesIO(self.body), boundary, spool_limit=room, memory_limit=room
        )
        return list(parser)

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
        files: Sequence[Upload] = (),
        auth: tuple[str, Secret | str] | None = None,
        timeout: float = 15.0,  # noqa: ARG002, ASYNC109
        max_bytes: int = 10_000_000,
        redirects: int = 0,
    ) -> HttpResponse:
        """See ``hub.plugin.Http``."""
        request = build_request(method, url, params, headers, form, json, content, auth, files)
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
    """Versioned values in memory, within the promise's limits. What has expired by ``clock`` is
    gone."""

    def __init__(self, values: Mapping[str, str] | None = None, clock: Clock | None = None) -> None:
        self.entries = {
            key: KvEntry(value=value, version=1) for key, value in (values or {}).items()
        }
        self._clock = clock or SetClock()
        self._until: dict[str, datetime] = {}

    async def get(self, key: str) -> KvEntry | None:
        """See ``hub.plugin.Kv``."""
        await asyncio.sleep(0)
        self._expire()
        return self.entries.get(key)

    async def put(
        self,
        key: str,
        value: str,
        *,
        version: int | None = None,
        expires_in: float | None = None,
    ) -> bool:
        """See ``hub.plugin.Kv``."""
        await asyncio.sleep(0)
        self._expire()
        until = None
        if expires_in is not None:
            until = self._clock.now() + timedelta(seconds=lasting(expires_in))
        current = self.entries.get(key)
        stored = current.version if current else 0
        if version is not None and version != stored:
            return False
        if len(value.encode()) > MAX_VALUE or (current is None and len(self.entries) >= MAX_KEYS):
            raise Permanent("too_large", "a channel keeps at most 1,000 values of 64 kB")
        self.entries[key] = KvEntry(value=value, version=stored + 1)
        self._until.pop(key, None)
        if until is not None:
            self._until[key] = until
        return True

    async def delete(self, key: str) -> None:
        """See ``hub.plugin.Kv``."""
        await asyncio.sleep(0)
        self.entries.pop(key, None)
        self._until.pop(key, None)

    def _expire(self) -> None:
        now = self._clock.now()
        for key in [key for key, until in self._until.items() if until <= now]:
            del self._until[key]
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


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an assistant is asked, a line of ``asked.jsonl``, and the ``events`` that it answers; or
    the ``error``, in words, for which it cannot."""

    task: CallTask
    events: tuple[Event, ...] = ()
    error: str | None = None


class RecordedContext:
    """Implements ``hub.plugin.Context`` for one channel. ``at`` gives one bound to a delivery.
    ``documents``: the certificates and key sets that a hub would have fetched, by address."""

    channel_id: str = "under-test"
    organisation: str = "main"

    def __init__(
        self,
        *,
        answering: Answering = nobody,
        public: str = "https://hub.example/hooks/main/under-test",
        clock: SetClock | None = None,
        documents: Mapping[str, bytes] | None = None,
    ) -> None:
        self.network = RecordedHttp(answering)
        self.time = clock or SetClock()
        self.files = Files()
        self.lines = Lines()
        self.memory = MemoryKv(clock=self.time)
        self.http: Http = self.network
        self.clock: Clock = self.time
        self.kv: Kv = self.memory
        self.media: Media = self.files
        self.log: Log = self.lines
        self.emitted: list[Delivery] = []
        self.conversations: list[Conversation] = []
        self.assistant: list[Asked] = []
        """What ``ask`` is to be asked, and what it answers, in order; of an empty one, that there
        is no assistant."""
        self.verify: Verify = Verifier(Delivery(received_at=self.time.now()), self.time)
        self._public = public
        self._documents = documents

    def at(self, delivery: Delivery, verify: Verify | None = None) -> RecordedContext:
        """The context that ``ingest`` of this delivery is given: the time is that of receipt."""
        bound = object.__new__(RecordedContext)
        bound.__dict__ |= self.__dict__
        bound.clock = SetClock(delivery.received_at)
        bound.verify = verify or Verifier(delivery, bound.clock, self._documents)
        return bound

    async def connect(
        self,
        host: str,
        port: int,
        *,
        tls: bool = True,
        timeout: float = 15.0,  # noqa: ARG002, ASYNC109
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """See ``hub.plugin.Context``."""
        await asyncio.sleep(0)
        if self.conversations:
            recorded = self.conversations.pop(0)
            if (recorded.host, recorded.port, recorded.tls) == (host, port, tls):
                return connection(recorded)
        raise Unscripted(f"a connection to {host}:{port} was not expected")

    async def start_tls(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        host: str,
        *,
        timeout: float = 15.0,  # noqa: ARG002, ASYNC109
    ) -> None:
        """See ``hub.plugin.Context``."""
        await asyncio.sleep(0)
        await start_tls(reader, writer, host)

    async def emit(self, delivery: Delivery) -> None:
        """See ``hub.plugin.Context``."""
        await asyncio.sleep(0)
        self.emitted.append(delivery)

    async def ask(self, task: CallTask) -> tuple[Event, ...]:
        """See ``hub.plugin.Context``."""
        await asyncio.sleep(0)
        if not self.assistant:
            raise Unsupported("no assistant is named for this channel")
        recorded = self.assistant.pop(0)
        if recorded.task != task:
            raise Unscripted(f"the assistant was asked {task}, not {recorded.task}")
        if recorded.error is not None:
            raise Temporary(recorded.error)
        return recorded.events

    async def run_blocking(self, function: Callable[..., T], *args: Any) -> T:
        """See ``hub.plugin.Context``."""
        return await asyncio.to_thread(function, *args)

    def clean_html(self, html: str) -> SafeHtml:
        """See ``hub.plugin.Context``."""
        return clean(html)

    def public_url(self, path: str = "") -> str:
        """See ``hub.plugin.Context``."""
        return f"{self._public}/{path.lstrip('/')}" if path else self._public


class RecordedSocket:
    """A WebSocket whose other side says what was recorded, and goes. ``accepted``: whether the
    plugin has let it in; ``sent``: what it has said; ``closed``: the code by which it has ended
    it. Implements ``hub.plugin.Socket``."""

    def __init__(self, says: Sequence[str | bytes] = (), request: RouteRequest | None = None):
        self.request = request or RouteRequest(
            method="GET", path="", query={}, headers={}, body=b""
        )
        self.accepted = False
        self.sent: list[str | bytes] = []
        self.closed: int | None = None
        self._says = deque(says)

    async def receive(self) -> str | bytes | None:
        """See ``hub.plugin.Socket``."""
        self.accepted = self.accepted or self.closed is None
        await asyncio.sleep(0)
        return self._says.popleft() if self._says else None

    async def send(self, message: str | bytes) -> None:
        """See ``hub.plugin.Socket``."""
        if self.closed is not None:
            raise ConnectionResetError("the socket is closed")
        self.accepted = True
        self.sent.append(message)
        await asyncio.sleep(0)

    async def close(self, code: int = 1000, reason: str = "") -> None:  # noqa: ARG002
        """See ``hub.plugin.Socket``."""
        await asyncio.sleep(0)
        self.closed = code


class Exchange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recorded request and its answer, a line of ``exchange.jsonl``."""

    request: ExpectedRequest
    response: RecordedResponse


class ExpectedFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that is to be uploaded. ``body`` is compared as text; of what is not named,
    nothing."""

    field: str
    name: str | None = None
    content_type: str | None = None
    body: str | None = None


class ExpectedRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the plugin is to ask. Of ``headers`` those named count; one of ``form`` (its order
    does not count), ``json`` and ``body`` is the content. ``files``: those that go with the
    fields of ``form``, in order."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict[str, str])
    form: tuple[tuple[str, str], ...] | None = None
    files: tuple[ExpectedFile, ...] | None = None
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
    if wanted.files is not None:
        files = call.files()
        compare("files", len(wanted.files), len(files))
        for each, file in zip(wanted.files, files, strict=False):
            given = {
                "field": file.field,
                "name": file.name,
                "content_type": file.content_type,
                "body": file.body.decode("utf-8", "replace"),
            }
            for part, value in given.items():
                if getattr(each, part) is not None:
                    compare(f"file {each.field}, {part}", getattr(each, part), value)
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
