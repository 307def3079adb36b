"""The web interface's files, as they were built: hashed names, compressed beforehand."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.params import FromPath

from hub.edge.guards import PUBLIC, right
from hub.edge.problems import not_found

BUILT = Path(__file__).parent / "static"
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""For pages: no script but our own files. Styles may stand inline, because a list that is drawn
in part places its rows so."""
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_NOT_BUILT = (
    b"<!doctype html><title>Channel Hub</title><p>The web interface is not built. "
    b"Run <code>make run</code>, or <code>uv sync --all-packages</code> with Node installed."
)

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


@get(
    ["/", "/messages", "/messages/{rest:path}", "/deliveries"],
    opt=right(PUBLIC),
    include_in_schema=False,
    media_type="text/html",
)
async def app(request: Web) -> Response[bytes]:
    """The staff's page; what it shows is in its address."""
    index = BUILT / "index.html"
    if not index.is_file():
        return Response(_NOT_BUILT, media_type="text/html", status_code=503)
    response = _file(request, index, cache="no-cache")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Frame-Options"] = "DENY"
    return response


@get("/assets/{name:str}", opt=right(PUBLIC), include_in_schema=False)
async def asset(request: Web, name: FromPath[str]) -> Response[bytes]:
    """A file with its hash in its name: the same for good."""
    path = BUILT / "assets" / Path(name).name
    if not path.is_file() or path.suffix in {".br", ".gz"}:
        raise not_found("file")
    return _file(request, path, cache="public, max-age=31536000, immutable")


@get(
    ["/favicon.svg", "/favicon.ico", "/icon.svg", "/robots.txt"],
    opt=right(PUBLIC),
    include_in_schema=False,
)
async def root_file(request: Web) -> Response[bytes]:
    """A file that has to have this name."""
    path = BUILT / Path(request.url.path).name
    if not path.is_file():
        raise not_found("file")
    return _file(request, path, cache="public, max-age=86400")
