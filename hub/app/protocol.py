"""HTTP as the server reads it, with what the server itself does not limit: how long the headers of
a request may be, and how long they may take."""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hub.edge.problems import PROBLEM, ProblemError

LONGEST_HEADERS = 65_536
"""Bytes, with the address that is asked for."""
MOST_HEADERS = 200
WITHIN = 20.0
"""Seconds from the connection, or from the first byte of a further request, to the end of its
headers."""
_TOO_LARGE = msgspec.json.encode(
    ProblemError(431, f"The headers of a request may have {LONGEST_HEADERS:,} bytes.").problem
)


class Protocol(HttpToolsProtocol):
    """Uvicorn's, with these limits."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._size = 0
        self._unread = 0
        self._too_large = False
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The client has time to say what it wants."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._size = 0
        self._wait()

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._count(len(name) + len(value))
        if len(self.headers) >= MOST_HEADERS:
            self._refuse()
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The rest is the application's."""
        self._stop_waiting()
        self._unread = 0
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """What came. One header that never ends is in no event of the parser's until it does."""
        if self._waiting is not None and self._unread > LONGEST_HEADERS:
            self._too_large = True
            self.send_400_response("")
            return
        self._unread += len(data)
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Why the request is not answered, and the end of the connection."""
        if not self._too_large:
            super().send_400_response(msg)
            return
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
            b"content-type: " + PROBLEM.encode() + b"\r\nconnection: close\r\n"
            b"x-content-type-options: nosniff\r\ncontent-length: "
            + str(len(_TOO_LARGE)).encode()
            + b"\r\n\r\n"
            + _TOO_LARGE
        )
        self.transport.close()

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > LONGEST_HEADERS:
            self._refuse()

    def _refuse(self) -> None:
        self._too_large = True
        raise httptools.HttpParserError("the headers are too large")

    def _wait(self) -> None:
        self._stop_waiting()
        self._unread = 0
        self._waiting = self.loop.call_later(WITHIN, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_slow(self) -> None:
        self._waiting = None
        if not self.transport.is_closing():
            self.transport.close()
