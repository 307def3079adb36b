"""A module that reaches for the network when it is imported."""

from __future__ import annotations

import socket
from contextlib import suppress

from hub.conformance.mutants.reference import Reference

with suppress(OSError), socket.socket() as sock:
    sock.connect(("192.0.2.1", 443))

__all__ = ["Reference"]
