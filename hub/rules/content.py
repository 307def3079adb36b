"""What an entry says, as it is stored: normalised, so that history reads without its plugin."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field

PREVIEW_LENGTH = 160


class TemplateName(Struct, kw_only=True, frozen=True):
    """What names a template, together."""

    name: str
    language: str


class Content(Struct, kw_only=True, omit_defaults=True):
    """The words and facts of an entry. ``html`` has been cleaned. ``event`` says what a system
    entry reports; ``author`` is the sender's name at the time; ``reply_to`` is the provider's id of
    the message that it answers; ``template`` is what it was made of; ``warnings`` are what the
    channel said of it when it was written; ``mentions`` are the members whom a note names. ``cc``
    and ``bcc`` are the addresses in copy, of the channel's scheme; ``below`` is what went out below
    the words: signature, quoted history."""

    text: str = ""
    subject: str | None = None
    html: str | None = None
    facts: dict[str, str] = field(default_factory=dict[str, str])
    event: dict[str, Any] | None = None
    author: str | None = None
    reply_to: str | None = None
    automatic: bool = False
    template: TemplateName | None = None
    warnings: list[str] = field(default_factory=list[str])
    mentions: dict[int, str] = field(default_factory=dict[int, str])
    cc: list[str] = field(default_factory=list[str])
    bcc: list[str] = field(default_factory=list[str])
    below: str | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Content)


class _Answer(Struct):
    reply_to: str | None = None


class _Copies(Struct):
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()


_answer_decoder = msgspec.json.Decoder(_Answer)
_copies_decoder = msgspec.json.Decoder(_Copies)


def encode(content: Content) -> str:
    """As stored."""
    return _encoder.encode(content).decode()


def decode(text: str) -> Content:
    """From the store."""
    return _decoder.decode(text)


def answers(text: str) -> str | None:
    """The provider's id of the message that stored content answers."""
    return _answer_decoder.decode(text).reply_to if '"reply_to"' in text else None


def copies(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who gets stored content in copy, and who unseen."""
    if '"cc"' not in text and '"bcc"' not in text:
        return (), ()
    found = _copies_decoder.decode(text)
    return found.cc, found.bcc


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
