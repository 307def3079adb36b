"""Watches what the code under test does behind the suite's back: sockets, files, processes, and
code that was read out of a payload.

It rests on the interpreter's audit events, so it sees what C code does, too. Of other threads it
sees only those that began while it watched.
"""

from __future__ import annotations

import socket
import sys
import threading
from types import CodeType
from typing import Any, Literal, Self

from msgspec import Struct

MARKER = "conformance_canary"
"""Stands in payloads that would run something if they were run."""

Kind = Literal["network", "write", "process", "code"]
_INTERNET = frozenset({socket.AF_INET, socket.AF_INET6})
_NAMES = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_SOCKETS = frozenset({"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"})
_PROCESSES = frozenset({"os.system", "subprocess.Popen", "os.exec", "os.posix_spawn"})
_WRITES = 0o3 | 0o100 | 0o1000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC
_EVENTS = _NAMES | _SOCKETS | _PROCESSES | {"open", "exec", "import", "pickle.find_class"}


class Seen(Struct, frozen=True):
    """Something that was done."""

    kind: Kind
    what: str
    during: str


class Guard:
    """While it is entered, network is refused and everything else is noted. ``during`` is what the
    suite does at the moment."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.during = ""
        self._others: frozenset[int] = frozenset()

    def __enter__(self) -> Self:
        _install()
        own = threading.get_ident()
        known = {thread.ident for thread in threading.enumerate() if thread.ident is not None}
        self._others = frozenset(known - {own})
        _active.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _active.remove(self)

    def of(self, *kinds: Kind) -> list[Seen]:
        """What was seen of these kinds."""
        return [each for each in self.seen if each.kind in kinds]

    def look(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit event. Raises ``PermissionError`` where the network would be reached."""
        if threading.get_ident() in self._others:
            return
        found = _understood(event, arguments)
        if found is None:
            return
        kind, what = found
        self.seen.append(Seen(kind, what, self.during))
        if kind == "network":
            raise PermissionError(f"{what}: the network is reached by ctx.http and ctx.connect")


_active: list[Guard] = []
_installed = threading.Event()


def _install() -> None:
    """An audit hook cannot be taken away again; it does nothing while no guard is entered."""
    if not _installed.is_set():
        _installed.set()
        sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if _active and event in _EVENTS:
        for guard in tuple(_active):
            guard.look(event, arguments)


def _understood(event: str, arguments: tuple[Any, ...]) -> tuple[Kind, str] | None:  # noqa: PLR0911
    if event in _SOCKETS:
        sock, address = arguments[0], arguments[-1]
        if getattr(sock, "family", None) in _INTERNET:
            return "network", f"{event} {address}"
        return None
    if event in _NAMES:
        return "network", f"{event} {arguments[0]}"
    if event in _PROCESSES:
        return "process", f"{event} {arguments[0]}"
    if event == "open":
        path, mode, flags = arguments
        writes = any(each in mode for each in "wax+") if isinstance(mode, str) else flags & _WRITES
        return ("write", f"open {path} to write") if writes and path != "/dev/null" else None
    if event == "exec":
        code = arguments[0]
        if isinstance(code, CodeType) and MARKER in code.co_names:
            return "code", "text of a payload was evaluated"
        return None
    if event == "import":
        named = str(arguments[0]).startswith(MARKER)
        return ("code", "a module named in a payload was imported") if named else None
    named = str(arguments[0]).startswith(MARKER)  # pickle.find_class
    return ("code", "a payload was unpickled") if named else None
