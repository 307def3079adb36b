"""``ctx.http`` and ``ctx.connect``: the network, under the hub's rules.

One attempt a call. What an error means hangs on one fact: whether anything of the request had
left. Before that it is ``Temporary``; after, ``OutcomeUnknown``.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import json as jsonlib
import ssl
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any, Self, cast
from urllib.parse import urlencode

import httpcore2
import httpx2

from hub.plugin.context import HttpResponse, Upload
from hub.plugin.errors import HookError, OutcomeUnknown, Permanent, Temporary
from hub.plugin.kit.addresses import AddressRules, Resolve, resolve
from hub.plugin.kit.conversations import nothing_more
from hub.plugin.settings import Secret

USER_AGENT = "channel-hub"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
BROKEN = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    httpx2.HTTPError,
)
CONNECTIONS = 50
KEEP_ALIVE = 20.0


@functools.cache
def _trust() -> ssl.SSLContext:
    return httpx2.create_ssl_context()


class PluginHttp:
    """Implements ``hub.plugin.Http``, and ``connect`` of ``hub.plugin.Context``.

    Belongs to the loop it is first used on. ``allowed_hosts`` may be private. ``routes`` sends
    the requests for a host to another base address, so that a test can put a stand-in in a
    provider's place; the plugin sees the provider's URL all the same.
    """

    def __init__(
        self,
        *,
        allowed_hosts: Collection[str] = (),
        routes: Mapping[str, str] | None = None,
        resolve: Resolve = resolve,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._routes = {host: httpx2.URL(base) for host, base in (routes or {}).items()}
        self._rules = AddressRules(
            allowed_hosts=allowed_hosts,
            allowed_endpoints={(base.host, _port(base)) for base in self._routes.values()},
            resolve=resolve,
        )
        self._trust = trust
        self._pool: httpcore2.AsyncConnectionPool | None = None

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
        timeout: float = 15.0,  # noqa: ASYNC109  # a limit for the whole exchange, by the promise
        max_bytes: int = 10_000_000,
        redirects: int = 0,
    ) -> HttpResponse:
        """See ``hub.plugin.Http``."""
        request = build_request(method, url, params, headers, form, json, content, auth, files)
        exchange = _Exchange(self._connections(), self._routes, max_bytes, timeout)
        try:
            async with asyncio.timeout(timeout):
                return await exchange.run(request, redirects)
        except HookError:
            raise
        except TimeoutError as error:
            raise exchange.failure(f"no answer within {timeout:g} s") from error
        except httpcore2.LocalProtocolError as error:
            raise Permanent("other", "the request is not valid HTTP") from error
        except (*BROKEN, OSError) as error:
            raise exchange.failure("the connection was lost, or the answer is broken") from error

    async def connect(
        self,
        host: str,
        port: int,
        *,
        tls: bool = True,
        timeout: float = 15.0,  # noqa: ASYNC109
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """See ``hub.plugin.Context.connect``. Raises ``Temporary`` or ``Permanent("policy")``."""
        trust = self._tls() if tls else None
        name = host if tls else None

        async def open_stream(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await asyncio.open_connection(address, port, ssl=trust, server_hostname=name)

        try:
            async with asyncio.timeout(timeout):
                return await self._rules.open(host, port, timeout, open_stream)
        except OSError as error:  # a TimeoutError is one
            raise Temporary(f"no connection to {host}:{port}") from error

    async def start_tls(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        host: str,
        *,
        timeout: float = 15.0,  # noqa: ASYNC109
    ) -> None:
        """See ``hub.plugin.Context.start_tls``."""
        try:
            cast("asyncio.Transport", writer.transport).pause_reading()
            await nothing_more(reader, host)
            async with asyncio.timeout(timeout):
                await writer.start_tls(self._tls(), server_hostname=host)
        except BaseException as error:
            writer.transport.abort()
            if isinstance(error, OSError):  # a TimeoutError is one, and so is an SSLError
                raise Temporary(f"no TLS with {host}") from error
            raise

    async def aclose(self) -> None:
        """Close what is open. The object may be used again."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _tls(self) -> ssl.SSLContext:
        return self._trust or _trust()

    def _connections(self) -> httpcore2.AsyncConnectionPool:
        if self._pool is None:
            self._pool = httpcore2.AsyncConnectionPool(
                ssl_context=self._tls(),
                max_connections=CONNECTIONS,
                max_keepalive_connections=CONNECTIONS,
                keepalive_expiry=KEEP_ALIVE,
                network_backend=_CheckedBackend(self._rules),
            )
        return self._pool


class _CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections to checked addresses only. Pooled connections are known by the host's
    name, and each was opened this way."""

    def __init__(self, rules: AddressRules) -> None:
        self._rules = rules
        self._backend = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the backend's own argument
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        async def open_stream(address: str) -> httpcore2.AsyncNetworkStream:
            try:
                stream = await self._backend.connect_tcp(
                    address, port, None, local_address, socket_options
                )
            except httpcore2.NetworkError as error:
                raise ConnectionError(str(error)) from error
            return _Stream(stream)

        return await self._rules.open(host, port, timeout, open_stream)

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class _Stream(httpcore2.AsyncNetworkStream):
    """A connection that is closed, too, when its TLS handshake is cancelled (httpcore2 2.16 leaves
    it open then)."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Exchange:
    """One call of ``request``: the request, its redirects, and whether anything has left."""

    def __init__(
        self,
        pool: httpcore2.AsyncConnectionPool,
        routes: Mapping[str, httpx2.URL],
        max_bytes: int,
        timeout: float,
    ) -> None:
        self._pool = pool
        self._routes = routes
        self._max_bytes = max_bytes
        self._extensions = {"trace": self._trace, "timeout": {"connect": timeout}}
        self._left = False

    def failure(self, what: str) -> HookError:
        """What a broken exchange means; ``what`` went wrong after the request had left."""
        return OutcomeUnknown(what) if self._left else Temporary("no connection")

    async def run(self, request: httpx2.Request, redirects: int) -> HttpResponse:
        hops = 0
        while True:
            response = await self._once(request)
            if not redirects or response.status not in REDIRECTS:
                return response
            if "location" not in response.headers:
                return response
            hops += 1
            if hops > redirects:
                raise Permanent("other", f"more than {redirects} redirects")
            request = redirected(request, response)

    async def _once(self, request: httpx2.Request) -> HttpResponse:
        url = self._routed(request.url)
        sent = httpcore2.Request(
            request.method,
            httpcore2.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.content,
            extensions=self._extensions,
        )
        raw = await self._pool.handle_async_request(sent)
        response = httpx2.Response(raw.status, headers=raw.headers, stream=_Body(raw))
        try:
            body = await self._read(response)
        finally:
            await raw.aclose()
        return HttpResponse(
            status=response.status_code,
            headers=dict(response.headers),
            body=body,
            url=str(request.url),
        )

    async def _read(self, response: httpx2.Response) -> bytes:
        length = response.headers.get("content-length", "")
        if length.isdigit() and int(length) > self._max_bytes:
            raise Permanent("too_large", f"the answer is longer than {self._max_bytes} bytes")
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self._max_bytes:
                raise Permanent("too_large", f"the answer is longer than {self._max_bytes} bytes")
        return bytes(body)

    async def _trace(self, event: str, _: dict[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            self._left = True

    def _routed(self, url: httpx2.URL) -> httpx2.URL:
        base = self._routes.get(url.host)
        if base is None:
            return url
        return url.copy_with(scheme=base.scheme, host=base.host, port=base.port)


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.aiter_stream():
            yield chunk


def build_request(  # noqa: PLR0913, PLR0917 — what ``request`` is told
    method: str,
    url: str,
    params: Mapping[str, str] | Sequence[tuple[str, str]] | None,
    headers: Mapping[str, str] | None,
    form: Sequence[tuple[str, str]] | None,
    json: Any,
    content: bytes | None,
    auth: tuple[str, Secret | str] | None,
    files: Sequence[Upload],
) -> httpx2.Request:
    """The request. Raises ``Permanent``, with ``policy`` for a URL that is none of the web."""
    target = _checked(url)
    if params:
        target = target.copy_merge_params(list(_pairs(params)))
    sent = {"user-agent": USER_AGENT, "accept": "*/*", "accept-encoding": "identity"}
    sent |= {name.lower(): value for name, value in (headers or {}).items()}
    if auth is not None:
        user, password = auth
        secret = password.reveal() if isinstance(password, Secret) else password
        sent["authorization"] = "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()
    if files:
        return _upload(method, target, sent, form or (), files)
    if form is not None:
        sent.setdefault("content-type", "application/x-www-form-urlencoded")
        content = urlencode(form).encode()
    elif json is not None:
        sent.setdefault("content-type", "application/json")
        content = jsonlib.dumps(json, ensure_ascii=False, separators=(",", ":")).encode()
    return httpx2.Request(method.upper(), target, headers=sent, content=content)


def _upload(
    method: str,
    target: httpx2.URL,
    headers: dict[str, str],
    form: Sequence[tuple[str, str]],
    files: Sequence[Upload],
) -> httpx2.Request:
    """The boundary follows from the content, so that each attempt sends the same bytes."""
    parts: list[tuple[str, tuple[str | None, bytes] | tuple[str, bytes, str]]] = []
    try:
        parts += [(name, (None, value.encode())) for name, value in form]
        parts += [(each.field, (each.name, each.body, each.content_type)) for each in files]
        digest = hashlib.sha256()
        for name, (label, body, *kind) in parts:
            digest.update(repr((name, label, kind, len(body))).encode() + body)
        headers["content-type"] = f"multipart/form-data; boundary={digest.hexdigest()[:48]}"
        request = httpx2.Request(method.upper(), target, headers=headers, files=parts)
        request.read()
    except ValueError as error:
        raise Permanent("other", "the request is not valid HTTP") from error
    return request


def _pairs(
    params: Mapping[str, str] | Sequence[tuple[str, str]],
) -> Iterable[tuple[str, str]]:
    return params.items() if isinstance(params, Mapping) else params


def _checked(url: str | httpx2.URL) -> httpx2.URL:
    try:
        target = httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise Permanent("policy", "not a URL") from error
    if target.scheme not in {"http", "https"} or not target.host or not 0 < _port(target) < 65536:
        raise Permanent("policy", "not an address of the web (http or https)")
    if target.userinfo:
        raise Permanent("policy", "the URL carries a user or a password")
    return target


def redirected(request: httpx2.Request, response: HttpResponse) -> httpx2.Request:
    """The next request. What was meant for one host (headers, credentials, content) does not go
    to another."""
    try:
        target = _checked(request.url.join(response.headers["location"]))
    except httpx2.InvalidURL as error:
        raise Permanent("policy", "redirected to what is not a URL") from error
    if request.url.scheme == "https" and target.scheme != "https":
        raise Permanent("policy", "redirected from https to http")
    same = _origin(target) == _origin(request.url)
    method, content = request.method, request.content
    if response.status == 303 or (response.status in {301, 302} and method == "POST"):
        method, content = ("HEAD" if method == "HEAD" else "GET"), b""
    if content and not same:
        raise Permanent("policy", "redirected with its content to another host")
    kept = dict(request.headers) if same else {"user-agent": USER_AGENT}
    for name in ("host", "content-length"):
        kept.pop(name, None)
    if not content:
        kept.pop("content-type", None)
    return httpx2.Request(method, target, headers=kept, content=content or None)


def _origin(url: httpx2.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, _port(url)


def _port(url: httpx2.URL) -> int:
    return url.port if url.port is not None else (443 if url.scheme == "https" else 80)
