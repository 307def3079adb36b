"""What may be shown of a request: everything but what would let somebody forge another.

A channel's own secrets are taken out wherever they stand. What only looks like a secret is told by
its name: whoever reads a delivery has no use for its value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import cast
from urllib.parse import unquote_plus

from msgspec import Struct

from hub.plugin.kit.secrets import HIDDEN
from hub.rules.content import storable

_TELLTALE = (
    "auth", "cookie", "credential", "digest", "hmac", "jwt", "nonce", "passw", "pwd", "secret",
    "session", "signature", "token", "-key", "_key", "apikey",
)  # fmt: skip
_EXACTLY = frozenset({"sig", "key", "pass", "hash"})
_PLAIN = frozenset(
    {
        "accept", "accept-encoding", "accept-language", "cache-control", "connection",
        "content-encoding", "content-length", "content-type", "date", "host", "user-agent",
    }
)  # fmt: skip
"""Headers that carry no secret, whatever the channel."""


class Header(Struct, frozen=True, kw_only=True):
    """A header as it may be shown."""

    name: str
    value: str
    hidden: bool
    """Whether something of the value was taken out."""


def looks_secret(name: str) -> bool:
    """Whether a header, a field of a query or of a form is a secret by its name."""
    name = name.strip().lower()
    return name in _EXACTLY or any(part in name for part in _TELLTALE)


def out_of_text(text: str, secrets: Sequence[str]) -> str:
    """``text`` of a stranger's without the secrets, however they are spelt there: as they are, as
    an address or a form spells them, or as JSON does."""
    if not secrets:
        return text
    return out_of(text.encode("utf-8", "surrogatepass"), secrets).decode("utf-8", "surrogatepass")


def out_of(body: bytes, secrets: Sequence[str]) -> bytes:
    """The same for bytes, in which texts stand as UTF-8."""
    if not secrets:
        return body
    pattern = _spelt(tuple(secrets))
    longest = _LONGEST_SPELT * max(map(len, secrets))
    found: list[bytes] = []
    start = 0
    while start < len(body):
        end = start + _STRETCH
        for match in pattern.finditer(body, start, end + longest):
            if match.start() >= end:
                break
            found += (body[start : match.start()], HIDDEN.encode())
            start = match.end()
        if start < end:
            found.append(body[start:end])
            start = end
    return b"".join(found)


_STRETCH = 1 << 20
"""Bytes looked through at a time: nothing else runs meanwhile."""
_LONGEST_SPELT = 12


@lru_cache(maxsize=64)
def _spelt(secrets: tuple[str, ...]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(b"".join(map(_character, secret)) for secret in secrets))


def _character(character: str) -> bytes:
    """A pattern for every way to spell a character; none of more than twelve bytes."""
    utf8 = character.encode("utf-8", "surrogatepass")
    utf16 = character.encode("utf-16-be", "surrogatepass")
    escaped = "".join(rf"\\u{utf16[at : at + 2].hex()}" for at in range(0, len(utf16), 2))
    percent = "".join(f"%{byte:02x}" for byte in utf8)
    ways = [re.escape(utf8), f"(?i:{escaped})".encode(), f"(?i:{percent})".encode()]
    if character in _ESCAPED:
        ways.append(re.escape(f"\\{_ESCAPED[character]}".encode()))
    if character == " ":
        ways.append(rb"\+")
    return b"(?:" + b"|".join(ways) + b")"


_ESCAPED = {
    '"': '"', "\\": "\\", "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t",
}  # fmt: skip
"""What JSON writes with a backslash and one character."""


def header(name: str, value: str, secrets: Sequence[str] | None) -> Header:
    """A header; with ``None`` nobody knows the channel's secrets, and only what can be none is
    shown."""
    unknown = secrets is None and name.strip().lower() not in _PLAIN
    shown = HIDDEN if unknown or looks_secret(name) else out_of_text(value, secrets or ())
    return Header(name=out_of_text(name, secrets or ()), value=shown, hidden=shown != value)


def address(url: str, secrets: Sequence[str] | None) -> str:
    """A URL without the secrets of its query; with ``None`` without any value of its query."""
    base, mark, query = out_of_text(url, secrets or ()).partition("?")
    return base + mark + "&".join(_pair(pair, secrets) for pair in query.split("&"))


def _pair(pair: str, secrets: Sequence[str] | None) -> str:
    name, equals, value = pair.partition("=")
    if value and (secrets is None or looks_secret(unquote_plus(name))):
        return f"{name}{equals}{HIDDEN}"
    return pair


def anywhere(value: object, secrets: Sequence[str], longest: int) -> object:
    """Plain values (as JSON has them) without the secrets; texts of more than ``longest``
    characters are cut and say so."""
    if isinstance(value, str):
        text = storable(out_of_text(value, secrets))
        left = len(text) - longest
        return text if left <= 0 else f"{text[:longest]}… ({left:,} more characters)"
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value).items()
        return {
            anywhere(key, secrets, longest): anywhere(one, secrets, longest) for key, one in pairs
        }
    if isinstance(value, (list, tuple)):
        many = cast("Sequence[object]", value)
        return [anywhere(one, secrets, longest) for one in many]
    return value
