"""What of a file a request asks for (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import re

from msgspec import Struct

_SINGLE = re.compile(r"bytes[ \t]*=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.ASCII | re.IGNORECASE)


class Part(Struct, frozen=True):
    """Bytes from ``start`` up to and without ``end``."""

    start: int
    end: int


class Unsatisfiable(Exception):
    """The range lies outside of the file."""


def wanted(range_: str | None, if_range: str | None, *, size: int, etag: str) -> Part | None:
    """The one part that is asked for; ``None`` for the whole file, which is also the answer to
    several parts, to what is no range, and to a range of another version of the file. Raises
    ``Unsatisfiable``."""
    if range_ is None or (if_range is not None and if_range.strip() != etag):
        return None
    found = _SINGLE.fullmatch(range_.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise Unsatisfiable
    return Part(start, end)


def unchanged(if_none_match: str | None, *, etag: str) -> bool:
    """Whether who asks has this version already."""
    if if_none_match is None:
        return False
    known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in known or "*" in known
