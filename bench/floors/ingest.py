"""A server that takes webhooks, checks them and stores them, and can do nothing else.

``python -m bench.floors.ingest STORE FRAME DATABASE PORT``
"""

from __future__ import annotations

import sys
from typing import Any, Protocol

import uvicorn
from litestar import Litestar, Request, Response, get, post

from bench.floors.core import CoreCommitEach, PostgresBatch
from bench.floors.message import Forged, Message, understand
from bench.floors.plain import CommitEach, GroupCommit
from bench.webhooks import PATH

ANSWER = b"<Response/>"
STORES = {
    "commit": CommitEach,
    "group": GroupCommit,
    "core": CoreCommitEach,
    "postgres": PostgresBatch,
}


class Store(Protocol):
    """Where messages go."""

    async def start(self) -> None:
        """Get ready, on the serving loop."""
        ...

    async def put(self, message: Message) -> None:
        """Return once it is committed."""
        ...


def bare(store: Store, url: bytes) -> Any:
    """ASGI without a framework."""
    headers = [(b"content-type", b"text/xml"), (b"content-length", b"%d" % len(ANSWER))]

    async def lifespan(receive: Any, send: Any) -> None:
        await receive()
        await store.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await lifespan(receive, send)
        status = 200
        if scope["method"] == "POST":
            body, more = b"", True
            while more:
                part = await receive()
                body += part.get("body", b"")
                more = part.get("more_body", False)
            try:
                signature = dict(scope["headers"]).get(b"x-twilio-signature", b"")
                await store.put(understand(url, body, signature))
            except Forged:
                status = 403
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": ANSWER})
        return None

    return application


def litestar(store: Store, url: bytes) -> Litestar:
    """The same with a framework."""

    @post(PATH, status_code=200, media_type="text/xml")
    async def hook(request: Request[Any, Any, Any]) -> Response[bytes]:
        body = await request.body()
        try:
            signature = request.headers.get("x-twilio-signature", "")
            await store.put(understand(url, body, signature.encode()))
        except Forged:
            return Response(b"", status_code=403)
        return Response(ANSWER)

    @get("/")
    async def ready() -> str:
        return "ready"

    return Litestar([hook, ready], on_startup=[store.start], openapi_config=None)


FRAMES = {"bare": bare, "litestar": litestar}


def main() -> None:
    """Serve until a signal, by the same server as the hub's."""
    store, frame, database, port = sys.argv[1:]
    url = f"http://127.0.0.1:{port}{PATH}".encode()
    uvicorn.run(
        FRAMES[frame](STORES[store](database), url),
        port=int(port),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
