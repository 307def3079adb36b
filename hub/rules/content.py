"""What an entry says, as it is stored: normalised, so that history reads without its plugin."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field

PREVIEW_LENGTH = 160


class Content(Struct, kw_only=True, omit_defaults=True):
    """The words and facts of an entry. ``html`` has been cleaned. ``event`` says what a system
    entry reports; ``author`` is the sender's name at the time; ``warnings`` are what the channel
    said of it when it was written."""

    text: str = ""
    subject: str | None = None
    html: str | None = None
    facts: dict[str, str] = field(default_factory=dict[str, str])
    event: dict[str, Any] | None = None
    author: str | None = None
    reply_to: str | None = None
    automatic: bool = False
    warnings: list[str] = field(default_factory=list[str])


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Content)


def encode(content: Content) -> str:
    """As stored."""
    return _encoder.encode(content).decode()


def decode(text: str) -> Content:
    """From the store."""
    return _decoder.decode(text)


def one_line(text: str, length: int = PREVIEW_LENGTH) -> str:
    """``text`` on one line, control characters dropped, cut at ``length`` characters."""
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(c for c in line if c.isprintable() or c in "\u200d\ufe0f")
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def storable(text: str) -> str:
    """``text`` as both databases take it in a text column: without NUL and lone surrogates."""
    text = text.replace("\x00", "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
