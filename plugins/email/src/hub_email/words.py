"""Bytes as words: charsets as mail names them, and encoded words of headers (RFC 2047).

Nothing here raises: what cannot be read becomes replacement characters.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import quopri
import re

ALIASES = {
    # As browsers do (WHATWG Encoding): what says Latin-1 or ASCII is cp1252, and so on.
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "ansi_x3.4-1968": "utf-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "iso-8859-9": "cp1254",
    "iso-8859-8-i": "iso-8859-8",
    "unicode-1-1-utf-7": "utf-7",
    "iso-2022-jp": "iso2022_jp_2",
}
NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"})
"""Codecs of Python that are no charsets."""
WORD = re.compile(r"=\?([^?\s]{1,75})\?([bBqQ])\?([^?]*)\?=")
GAP = re.compile(r"(\?=)[ \t\r\n]+(?==\?[^?\s]{1,75}\?[bBqQ]\?)")
FOLD = re.compile(r"\r?\n(?=[ \t])|[\r\n]+")
HALVES = re.compile("[\ud800-\udfff]")
"""Of surrogate pairs: UTF-7 can write them, and nothing can store them."""
NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


def text_of(body: bytes, charset: str | None) -> str:
    """``body`` in ``charset``; where that is unknown or cannot be, UTF-8 or cp1252."""
    return HALVES.sub("\ufffd", _text(body, (charset or "").strip().strip("\"'").lower()))


def _text(body: bytes, named: str) -> str:
    codec = _codec(named)
    if codec is not None:
        try:
            return body.decode(codec)
        except (UnicodeError, ValueError, LookupError):
            pass
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode(codec or "cp1252", "replace") if codec != "utf-8" else _western(body)


def _western(body: bytes) -> str:
    return body.decode("cp1252", "replace")


def _codec(named: str) -> str | None:
    for name in (named, re.sub(r"^[^a-z0-9]+|[^a-z0-9].{0,3}esc$|[^a-z0-9]+$", "", named)):
        if not name or not name.isascii():
            continue
        try:
            found = codecs.lookup(ALIASES.get(name, name)).name
        except (LookupError, ValueError):
            continue
        if found in NO_CHARSETS:
            continue
        try:
            b"".decode(found)  # codecs that make no text (hex, zip) are refused here
        except (LookupError, ValueError):
            continue
        return found
    return None


def raw_text(value: str) -> str:
    """A header's value as the parser gives it: on one line, bytes that are no ASCII as text."""
    line = FOLD.sub("", value)
    if line.isascii():
        return line
    return text_of(line.encode("utf-8", "surrogateescape"), "utf-8")


def decoded(value: str) -> str:
    """A header's value as people read it."""
    line = raw_text(value)
    if "=?" not in line:
        return line
    line = GAP.sub(r"\1", line)
    out: list[str] = []
    pending: tuple[str, bytes] | None = None  # a character may be torn between two words
    at = 0
    for word in WORD.finditer(line):
        charset = word[1].partition("*")[0].lower()
        body = _word(word[2], word[3])
        between = line[at : word.start()]
        if pending is not None and (between or pending[0] != charset):
            out.append(text_of(pending[1], pending[0]))
            pending = None
        out.append(between)
        pending = (charset, (pending[1] if pending else b"") + body)
        at = word.end()
    if pending is not None:
        out.append(text_of(pending[1], pending[0]))
    out.append(line[at:])
    return "".join(out)


def _word(encoding: str, text: str) -> bytes:
    body = text.encode("utf-8", "replace")
    if encoding in "bB":
        return from_base64(body)
    return quopri.decodestring(body, header=True)


def from_base64(body: bytes) -> bytes:
    """As much of it as can be read."""
    letters = NOT_BASE64.sub(b"", body)
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    return base64.b64decode(letters + b"=" * (-len(letters) % 4))


def from_uuencode(body: bytes) -> bytes:
    """The lines between ``begin`` and ``end``; those that are broken are left out."""
    out = bytearray()
    inside = False
    for line in body.splitlines():
        if not inside:
            inside = line.startswith(b"begin ")
        elif line.strip() == b"end":
            break
        else:
            try:
                out += binascii.a2b_uu(line)
            except binascii.Error:
                continue
    return bytes(out) if inside else body
