"""A client's end of a WebSocket at a plugin's own route."""

from __future__ import annotations

from typing import Any

from litestar.types import Receive, Send

from hub.plugin import RouteReply

_HTTP = "websocket.http.response"


class AsgiWire:
    """Implements ``hub.flow.host.Wire`` over ASGI."""

    def __init__(self, scope: Any, receive: Receive, send: Send) -> None:
        self._answers_http = _HTTP in scope.get("extensions", {})
        self._receive = receive
        self._send: Any = send

    async def _said(self, message: dict[str, Any]) -> None:
        try:
            await self._send(message)
        except (OSError, RuntimeError) as error:  # it is closed, or being closed
            raise ConnectionResetError("the client has gone") from error

    async def accept(self) -> None:
        """See ``Wire``."""
        await self._said({"type": "websocket.accept"})

    async def receive(self) -> str | bytes | None:
        """See ``Wire``."""
        while True:
            message: Any = await self._receive()
            if message["type"] == "websocket.disconnect":
                return None
            if message["type"] == "websocket.receive":
                text: str | None = message.get("text")
                return message["bytes"] if text is None else text

    async def send(self, message: str | bytes) -> None:
        """See ``Wire``."""
        kind = "text" if isinstance(message, str) else "bytes"
        await self._said({"type": "websocket.send", kind: message})

    async def close(self, code: int, reason: str) -> None:
        """See ``Wire``."""
        await self._said({"type": "websocket.close", "code": code, "reason": reason})

    async def refuse(self, reply: RouteReply) -> None:
        """Answer the handshake by an error, or, where the server cannot, by a plain 403."""
        if not self._answers_http:
            await self.close(1008, "")
            return
        headers = [(b"content-type", reply.content_type.encode()), (b"cache-control", b"no-store")]
        headers += [(name.lower().encode(), text.encode()) for name, text in reply.headers.items()]
        await self._said({"type": f"{_HTTP}.start", "status": reply.status, "headers": headers})
        await self._said({"type": f"{_HTTP}.body", "body": reply.body})
