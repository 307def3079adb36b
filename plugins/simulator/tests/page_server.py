"""The simulator's routes behind a real HTTP server, for a browser to open."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

import uvicorn

from hub.plugin import RouteHandler, RouteReply, RouteRequest
from plugins.simulator.tests.world import MemoryKv, World, running

T = TypeVar("T")
PREFIX = "/hooks/main/phone-line/"
TOKEN = "right-token"


class PageServer:
    """One running simulator; ``do`` reaches it from the test's thread."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._ready = threading.Event()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(30)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(30)

    def do(self, act: Callable[[World], Coroutine[Any, Any, T]]) -> T:
        """What the hub does meanwhile, on the simulator's own loop."""
        return asyncio.run_coroutine_threadsafe(act(self._world), self._loop).result(30)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        with socket.create_server(("127.0.0.1", 0)) as door:
            self.address = f"http://127.0.0.1:{door.getsockname()[1]}{PREFIX}phone"
            async with running(MemoryKv(), **self._settings) as self._world:
                config = uvicorn.Config(
                    self._app, interface="asgi3", lifespan="off", log_level="warning"
                )
                server = uvicorn.Server(config)
                serving = asyncio.create_task(server.serve([door]))
                self._ready.set()
                await self._stopping.wait()
                # A page that waits for news would hold the server up: let it go first.
                await self._world.plugin.shutdown(self._world.ctx)
                server.should_exit = True
                await serving

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body += part.get("body", b"")
            more = part.get("more_body", False)
        reply = await self._reply(scope, body)
        headers = {"content-type": reply.content_type, **reply.headers}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        await send({"type": "http.response.body", "body": reply.body})

    async def _reply(self, scope: Any, body: bytes) -> RouteReply:
        method, path = scope["method"], scope["path"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if path == "/api/v1/me":
            return RouteReply.of({"csrf_token": TOKEN})
        route = self._world.routes.get((method, path.removeprefix(PREFIX)))
        if route is None:
            return RouteReply.of({"title": "Not found"}, status=404)
        if method == "POST" and headers.get("x-csrf-token") != TOKEN:
            return RouteReply.of({"title": "Forbidden"}, status=403)
        query = dict(parse_qsl(scope["query_string"].decode()))
        request = RouteRequest(
            method=method, path=route.path, query=query, headers=headers, body=body
        )
        return await cast("RouteHandler", route.handler)(self._world.ctx, request)


@contextmanager
def serving(**settings: Any) -> Iterator[PageServer]:
    """A server for one test."""
    server = PageServer(**settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()
