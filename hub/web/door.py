"""What holds for every request and every answer, whatever is behind: limits before anything is
read, and the headers that a browser is held by.

A header that an answer has already stays as it is.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any, cast

import msgspec
from litestar.types import ASGIApp, Receive, Scope, Send

from hub.edge.problems import PROBLEM, ProblemError

LONGEST_QUERY = 16_384
"""Bytes."""
MOST_PARAMETERS = 200
IDLE = 20.0
"""Seconds in which some of a body has to come."""
SLOWEST = 5_000
"""Bytes a second that a body has to come with, after the first ``IDLE`` seconds."""

_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{0,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?")
_ALLOWED = {"Allow": "GET, HEAD, POST, PATCH, DELETE"}
_encode = msgspec.json.Encoder().encode
_Headers = dict[bytes, bytes]
_Lines = tuple[tuple[bytes, bytes], ...]
_ALWAYS: _Headers = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"permissions-policy": (
        b"accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), "
        b"gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()"
    ),
    b"cache-control": b"no-store",
}
_OWN: _Headers = {
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
"""Not for what plugins show to the public: a picture in a letter is asked for by any page."""
_NO_PAGE: _Headers = {
    b"content-security-policy": b"default-src 'none'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'",
    b"x-frame-options": b"DENY",
}
"""For what says nothing of the kind: it is no page, whatever a browser makes of it."""
_PAGE: _Headers = {
    b"content-security-policy": b"default-src 'self'; img-src 'self' data:; "
    b"style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    b"frame-ancestors 'self'",
}
"""For what plugins show, where they say nothing of the kind."""
_FRAMES = frozenset({*_NO_PAGE})
_TRANSPORT: _Headers = {b"strict-transport-security": b"max-age=31536000"}


class Door:
    """The ASGI application around ``inner``. ``plugins``: the beginning of paths that are theirs;
    ``https``: the hub is reached by TLS alone."""

    def __init__(self, inner: ASGIApp, *, plugins: str, https: bool) -> None:
        self._inner = inner
        self._plugins = plugins
        common: _Headers = _ALWAYS | (_TRANSPORT if https else _Headers())
        self._of_plugins: _Lines = tuple((common | _PAGE).items())
        self._own: _Lines = tuple((common | _OWN | _NO_PAGE).items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer why not."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if scope["type"] == "websocket":
            if _is_host(hosts):
                await self._inner(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        added: _Lines = self._of_plugins if scope["path"].startswith(self._plugins) else self._own

        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                held = cast("list[tuple[bytes, bytes]]", list(message["headers"]))
                given = {name.lower() for name, _ in held}
                if b"content-security-policy" in given:
                    given |= _FRAMES
                message["headers"] = held + [one for one in added if one[0] not in given]
            await send(message)

        refused = _refused(hosts, scope["query_string"])
        if cast("Any", scope)["method"] == "OPTIONS" and added is self._own:
            refused = ProblemError(405, "No other origin may ask here.", headers=_ALLOWED)
        if refused is not None:
            await _answer(answer, refused)
            return
        await self._inner(scope, _in_time(receive), answer)


def _is_host(hosts: list[bytes]) -> bool:
    """Whether it is a name or an address, with a port or without: of two, proxy and hub could each
    believe another."""
    found = _HOST.fullmatch(hosts[0] if hosts else b"")
    return len(hosts) < 2 and found is not None and int(found[1] or 0) < 65536


def _refused(hosts: list[bytes], query: bytes) -> ProblemError | None:
    if not _is_host(hosts):
        return ProblemError(400, "The header Host is none.")
    if len(query) > LONGEST_QUERY:
        return ProblemError(414, f"A query may have {LONGEST_QUERY:,} bytes.")
    if query.count(b"&") >= MOST_PARAMETERS:
        return ProblemError(400, f"A query may have {MOST_PARAMETERS} parameters.")
    return None


def _in_time(receive: Receive) -> Receive:
    """A body that comes too slowly is not waited for. Raises ``ProblemError`` (408)."""
    began, size, ended = 0.0, 0, False

    async def next_part() -> Any:
        nonlocal began, size, ended
        if ended:
            return await receive()
        began = began or time.monotonic()
        try:
            async with asyncio.timeout(IDLE):
                message: Any = await receive()
        except TimeoutError:
            raise _too_slow() from None
        size += len(message.get("body", b""))
        ended = not message.get("more_body", False)
        if not ended and time.monotonic() - began > IDLE + size / SLOWEST:
            raise _too_slow()
        return message

    return next_part


def _too_slow() -> ProblemError:
    return ProblemError(
        408,
        f"The body came slower than {SLOWEST:,} bytes a second.",
        headers={"Connection": "close"},
    )


async def _answer(send: Send, error: ProblemError) -> None:
    body = _encode(error.problem)
    headers = [
        *((name.lower().encode(), value.encode()) for name, value in error.headers.items()),
        (b"content-type", PROBLEM.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": error.problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
