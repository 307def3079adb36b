"""The web interface's files, as they were built: hashed names, compressed beforehand."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

from litestar import HttpMethod, Request, Response, route
from litestar.datastructures import State
from litestar.params import FromPath

from hub.edge.guards import PUBLIC, right
from hub.edge.problems import not_found

BUILT = Path(__file__).parent / "static"
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; frame-src 'self' blob:; "
    "connect-src 'self'{sockets}; worker-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types svelte-trusted-html hub-letter hub-worker"
)
"""For pages: no script but our own files, no markup made of text but by the two who may, and no
worker but the one that shows notifications. Styles
may stand inline, because a list that is drawn in part places its rows so, and a letter brings its
own. Documents stand in frames, of what the page itself has made. ``sockets``: our own, which not
every browser takes for the same origin."""
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_NOT_BUILT = (
    b"<!doctype html><title>Channel Hub</title><p>The web interface is not built. "
    b"Run <code>make run</code>, or <code>uv sync --all-packages</code> with Node installed."
)

_READING = [HttpMethod.GET, HttpMethod.HEAD]
"""Who watches whether a site is up asks for no more than the head."""

Web = Request[Any, Any, State]


def _file(request: Web, path: Path, *, cache: str) -> Response[bytes]:
    """A built file, in the smallest form the browser takes."""
    accepted = request.headers.get("accept-encoding", "")
    headers = {"Cache-Control": cache, "Vary": "Accept-Encoding"}
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    for encoding, ending in _ENCODINGS:
        compressed = path.with_name(path.name + ending)
        if encoding in accepted and compressed.is_file():
            headers["Content-Encoding"] = encoding
            return Response(compressed.read_bytes(), media_type=kind, headers=headers)
    return Response(path.read_bytes(), media_type=kind, headers=headers)


@route(
    [
        "/",
        "/messages",
        "/messages/{rest:path}",
        "/approvals",
        "/deliveries",
        "/settings",
        "/settings/{rest:path}",
        "/account",
        "/forgot",
        "/join",
        "/reset",
    ],
    http_method=_READING,
    opt=right(PUBLIC),
    include_in_schema=False,
    media_type="text/html",
)
async def app(request: Web) -> Response[bytes]:
    """The staff's page; what it shows is in its address."""
    return page(request)


def page(request: Web, *, status: int = 200) -> Response[bytes]:
    """The staff's page; of an address that it does not know it says so."""
    index = BUILT / "index.html"
    if not index.is_file():
        return Response(_NOT_BUILT, media_type="text/html", status_code=503)
    response = _file(request, index, cache="no-cache")
    host = request.headers.get("host", "")  # a name or an address, or it would not be here
    sockets = f" ws://{host} wss://{host}" if host else ""
    response.headers["Content-Security-Policy"] = POLICY.format(sockets=sockets)
    response.headers["X-Frame-Options"] = "DENY"
    response.status_code = status
    return response


@route("/assets/{name:str}", http_method=_READING, opt=right(PUBLIC), include_in_schema=False)
async def asset(request: Web, name: FromPath[str]) -> Response[bytes]:
    """A file with its hash in its name: the same for good."""
    path = BUILT / "assets" / Path(name).name
    if not path.is_file() or path.suffix in {".br", ".gz"}:
        raise not_found("file")
    return _file(request, path, cache="public, max-age=31536000, immutable")


@route(
    [
        "/favicon.svg",
        "/favicon.ico",
        "/icon.svg",
        "/icon-192.png",
        "/icon-512.png",
        "/icon-maskable-192.png",
        "/icon-maskable-512.png",
        "/robots.txt",
        "/worker.js",
    ],
    http_method=_READING,
    opt=right(PUBLIC),
    include_in_schema=False,
)
async def root_file(request: Web) -> Response[bytes]:
    """A file that has to have this name."""
    path = BUILT / Path(request.url.path).name
    if not path.is_file():
        raise not_found("file")
    return _file(request, path, cache="public, max-age=86400")
