"""Cursors: where a page ends, opaque to clients."""

from __future__ import annotations

import base64
import binascii
import struct

from hub.edge.problems import ProblemError
from hub.flow.views.shapes import FieldError

MOST = 200
LARGEST_ID = (1 << 63) - 1
"""The next one would be no 64-bit integer any more."""


def cursor_of(at: int, id_: int) -> str:
    """A cursor for the row at (time, id)."""
    return base64.urlsafe_b64encode(struct.pack(">qq", at, id_)).decode().rstrip("=")


def place_of(cursor: str | None) -> tuple[int, int] | None:
    """Where a client's cursor points. Raises ``ProblemError``."""
    if cursor is None:
        return None
    try:
        at, id_ = struct.unpack(">qq", base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not 0 <= id_ < LARGEST_ID:
            raise ValueError("no row has this id")  # noqa: TRY301 — one answer for all of them
    except (ValueError, binascii.Error, struct.error):
        errors = [FieldError(field="cursor", message="is none that this list has given")]
        raise ProblemError(400, "The cursor is not valid.", errors=errors) from None
    return at, id_


def limit_of(limit: int) -> int:
    """How many rows a client gets."""
    return max(1, min(limit, MOST))
