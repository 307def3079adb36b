"""A provider that is polled, listened to and asked for bodies, over real sockets.

Messages are numbered from 1; a poll gives those after a number, a listener those that nobody has
confirmed. It sees how many ask at once, which is never to be more than one.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

PAGE = 5


class Courier:
    """Use as a context."""

    def __init__(self) -> None:
        self.lock = threading.Condition()
        self.messages: list[dict[str, Any]] = []
        self.bodies: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        """What lies at other paths."""
        self.status: dict[str, int] = {}
        """What a path is answered instead, by its beginning."""
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        """Path and query of every request."""
        self.polling = self.most_polling = 0
        self.listening = self.most_listening = self.listened = 0
        self.confirmed: set[int] = set()
        self.during_poll: Callable[[], object] = lambda: None
        self.during_body: Callable[[], object] = lambda: None
        self._connections: list[socket.socket] = []
        self._stopped = False

    def write(self, *texts: str) -> None:
        """Customers write."""
        with self.lock:
            for text in texts:
                number = len(self.messages) + 1
                self.messages.append({"id": f"c-{number}", "text": text})
            self.lock.notify_all()

    def __enter__(self) -> Self:
        courier = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                courier._get(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._lines = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._lines.getsockname()[1]
        for work in (self._http.serve_forever, self._accept):
            threading.Thread(target=work, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._http.shutdown()
        self._http.server_close()
        self._lines.close()
        self.hang_up()

    # ------------------------------------------------------------------ HTTP

    def _get(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        self.asked.append((parts.path, parts.query))
        status = next((s for path, s in self.status.items() if parts.path.startswith(path)), 200)
        body: Any = {}
        if status == 200 and parts.path == "/messages":
            body = self._page(int(parse_qs(parts.query)["after"][0]))
        elif status == 200 and parts.path not in self.files:
            self.during_body()
            body = self.bodies.get(parts.path.removeprefix("/bodies/"))
            status = 404 if body is None else 200
        data = json.dumps(body).encode()
        if status == 200 and parts.path in self.files:
            data = self.files[parts.path]
        try:
            request.send_response(status)
            for name, value in self.headers.items():
                request.send_header(name, value)
            request.send_header("Content-Length", str(len(data)))
            request.end_headers()
            request.wfile.write(data)
        except OSError:
            pass  # who asked was killed

    def _page(self, after: int) -> dict[str, Any]:
        with self.lock:
            self.polling += 1
            self.most_polling = max(self.most_polling, self.polling)
        try:
            self.during_poll()
            with self.lock:
                page = self.messages[after : after + PAGE]
                upto = after + len(page)
                return {
                    "messages": page,
                    "cursor": str(upto),
                    "more": upto < len(self.messages),
                }
        finally:
            with self.lock:
                self.polling -= 1

    # ------------------------------------------------------------------ lines

    def hang_up(self) -> None:
        """End every connection."""
        with self.lock:
            for one in self._connections:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
            self._connections.clear()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._lines.accept()
            except OSError:
                return
            if self.status.get("listen"):
                connection.close()
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self.lock:
            self._connections.append(connection)
            self.listening += 1
            self.listened += 1
            self.most_listening = max(self.most_listening, self.listening)
        gone = threading.Event()
        threading.Thread(target=self._confirm, args=(connection, gone), daemon=True).start()
        sent: set[int] = set()
        try:
            while not gone.is_set() and not self._stopped:
                with self.lock:
                    numbers = range(1, len(self.messages) + 1)
                    next_ = [n for n in numbers if n not in self.confirmed and n not in sent]
                    if not next_:
                        self.lock.wait(0.2)
                        continue
                    lines = [(n, self.messages[n - 1]) for n in next_]
                for number, message in lines:
                    connection.sendall(f"{number} {json.dumps(message)}\n".encode())
                    sent.add(number)
        except OSError:
            pass
        finally:
            connection.close()
            with self.lock:
                self.listening -= 1

    def _confirm(self, connection: socket.socket, gone: threading.Event) -> None:
        try:
            for line in connection.makefile("rb"):
                with self.lock:
                    self.confirmed.add(int(line))
        except (OSError, ValueError):
            pass
        gone.set()
        with self.lock:
            self.lock.notify_all()
