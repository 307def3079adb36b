"""For whom passkeys sign, and what is asked of those who have one: what is known of passkeys
without the libraries that make and check them (``hub.edge.passkeys``).
"""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct


class RelyingParty(Struct, frozen=True):
    """For whom passkeys sign: a host, and the address of its pages."""

    id: str
    origin: str


class Asked(Struct, frozen=True):
    """What a browser hands its user's device. The ``ticket`` comes back with the answer."""

    ticket: str
    options: dict[str, Any]


class NotShown(Exception):
    """Nobody has shown who they are. ``late``: they began too long ago, or not so."""

    def __init__(self, *, late: bool = False) -> None:
        super().__init__("late" if late else "wrong")
        self.late = late


def relying_party(public_url: str) -> RelyingParty | None:
    """Whom passkeys would sign for; ``None``: browsers know of none at such an address, which is
    neither HTTPS nor of this machine, or a number. What is of this machine is asked for by name."""
    parts = urlsplit(public_url)
    host, port = parts.hostname or "", "" if parts.port is None else f":{parts.port}"
    try:
        if ipaddress.ip_address(host).is_loopback:
            host = "localhost"
        else:
            return None
    except ValueError:
        pass
    local = host == "localhost" or host.endswith(".localhost")
    if not host or not (local or parts.scheme == "https"):
        return None
    try:
        host = host.encode("idna").decode()
    except UnicodeError:
        return None
    if port == {"https": ":443", "http": ":80"}[parts.scheme]:
        port = ""
    return RelyingParty(host, f"{parts.scheme}://{host}{port}")
