"""Litestar's own way to tell many sockets: its ChannelsPlugin in memory.

``python -m bench.floors.fanout PORT``. A form posted to ``/hooks/main/sms`` goes to every socket of
``/stream``, as large as what the hub tells of a message.
"""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from litestar import Litestar, Request, Response, WebSocket, get, post, websocket
from litestar.channels import ChannelsPlugin
from litestar.channels.backends.memory import MemoryChannelsBackend
from litestar.exceptions import WebSocketDisconnect

from bench.webhooks import PATH

LIKE_THE_HUBS = 1_100
"""Bytes of a frame."""
_channels = ChannelsPlugin(
    MemoryChannelsBackend(), channels=["main"], subscriber_max_backlog=10_000
)


@post(PATH, status_code=200)
async def hook(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Publish the message."""
    fields = parse_qs((await request.body()).decode())
    text = fields["Body"][0]
    _channels.publish({"text": text, "rest": "x" * (LIKE_THE_HUBS - len(text))}, "main")
    return Response(b"")


@websocket("/stream")
async def stream(socket: WebSocket[Any, Any, Any]) -> None:
    """Send what is published."""
    await socket.accept()
    async with (
        _channels.start_subscription("main") as subscriber,
        subscriber.run_in_background(socket.send_data, join=False),
    ):
        try:
            while True:
                await socket.receive_data(mode="text")
        except WebSocketDisconnect:
            return


@get("/")
async def ready() -> str:
    """It answers."""
    return "ready"


def main() -> None:
    """Serve until a signal, with the hub's own settings of the server."""
    uvicorn.run(
        Litestar([hook, stream, ready], plugins=[_channels], openapi_config=None),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
