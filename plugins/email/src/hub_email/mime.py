"""A raw mail as its headers and parts (RFC 5322, RFC 2045), whatever is wrong with it.

The standard parser takes the bytes apart; what it says about them is not asked for, since much of
it raises on mail that people really send. Where even taking it apart fails, or would take too long,
the headers are read alone, and the mail itself is a file of its own.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import Message as Parsed
from email.parser import BytesHeaderParser
from typing import Any, Literal, cast

from msgspec import Struct

from hub.plugin import Malformed
from hub_email import words

MOST_PARTS = 500
DEEPEST = 40
Disposition = Literal["inline", "attachment"]
DEEP = re.compile(rb"(?im)^content-type:[ \t]*(?:\r?\n[ \t]+)*(?:multipart|message)/")
MOST_CONTAINERS = 200
"""Multiparts and mails in mails: the standard parser recurses into each that stands in another."""
MOST_WORK = 500_000_000
"""Bytes times containers: it compares each line with the ends of all that it is inside of."""


class Part(Struct, frozen=True, kw_only=True):
    """A part that holds no others. ``index``: its place among them; ``inside``: the types of what
    it stands in, the outermost first."""

    index: int
    content_type: str
    charset: str | None
    disposition: Disposition | None
    name: str | None
    content_id: str | None
    body: bytes
    inside: tuple[str, ...]
    method: str | None = None
    """Of a calendar invitation: what it asks for."""

    def text(self) -> str:
        """The body as words, line ends as in Python."""
        text = words.text_of(self.body, self.charset)
        return text.replace("\r\n", "\n").replace("\r", "\n")


class Mail(Struct, frozen=True, kw_only=True):
    """Headers as they stand, in order, and the parts."""

    headers: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    content_type: str
    report_type: str | None = None

    def all(self, name: str) -> list[str]:
        """The raw values of the headers of that name, the topmost first."""
        return [value for key, value in self.headers if key == name]

    def raw(self, name: str) -> str:
        """The topmost of them on one line, or an empty text."""
        return next((words.raw_text(value) for value in self.all(name)), "").strip()

    def words(self, name: str) -> str:
        """The topmost of them, decoded, on one line, without control characters."""
        value = next(iter(self.all(name)), "")
        return " ".join(re.sub(r"[\x00-\x1f\x7f]+", " ", words.decoded(value)).split())


def read(body: bytes) -> Mail:
    """The mail in ``body``. Raises ``Malformed`` for what is none."""
    parsed, whole = _parsed(body)
    headers = _headers(parsed)
    if not any(name in KNOWN for name, _ in headers):
        raise Malformed("this is no mail: it has neither sender, recipient, date nor subject")
    report = _parameter(parsed, "report-type")
    content_type = _content_type(parsed)
    return Mail(
        headers=headers,
        parts=tuple(_leaves(parsed)) if whole else _unparted(parsed, content_type, body),
        content_type=content_type,
        report_type=report.lower() if report else None,
    )


def _parsed(body: bytes) -> tuple[Any, bool]:
    """The mail taken apart, and whether it could be: else there are its headers alone."""
    containers = len(DEEP.findall(body))
    if containers <= MOST_CONTAINERS and containers * len(body) <= MOST_WORK:
        with suppress(Exception):  # it raises whatever it likes, as for strange boundaries
            return message_from_bytes(body, policy=policy.compat32), True
    return BytesHeaderParser(policy=policy.compat32).parsebytes(body), False


def _unparted(parsed: Any, content_type: str, body: bytes) -> tuple[Part, ...]:
    """Of a mail that could not be taken apart: its words where it has no parts, else itself."""
    if not content_type.startswith(("multipart/", "message/")):
        return tuple(_leaves(parsed))
    return (
        Part(
            index=0,
            content_type="message/rfc822",
            charset=None,
            disposition="attachment",
            name="mail.eml",
            content_id=None,
            body=body,
            inside=(),
        ),
    )


KNOWN = frozenset({"from", "to", "date", "subject", "message-id", "received", "return-path"})


def _headers(parsed: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(name).lower(), str(value)) for name, value in parsed.raw_items())


def _first(parsed: Any, wanted: str) -> str:
    found = (str(value) for name, value in parsed.raw_items() if str(name).lower() == wanted)
    return words.raw_text(next(found, "")).strip()


def _leaves(parsed: Any) -> Iterator[Part]:
    """Depth first, as they stand."""
    waiting: list[tuple[Any, tuple[str, ...]]] = [(parsed, ())]
    index = 0
    while waiting and index < MOST_PARTS:
        part, inside = waiting.pop()
        content_type = _content_type(part)
        if not part.is_multipart():
            # A multipart without its parts is its words.
            torn = content_type.startswith("multipart/")
            yield _leaf(part, index, "text/plain" if torn else content_type, inside)
            index += 1
        elif content_type.startswith("message/") or len(inside) >= DEEPEST:
            yield _leaf(part, index, content_type, inside)
            index += 1
        else:
            children: list[Any] = part.get_payload()
            waiting += [(each, (*inside, content_type)) for each in reversed(children)]


def _leaf(part: Any, index: int, content_type: str, inside: tuple[str, ...]) -> Part:
    said = _first(part, "content-disposition").partition(";")[0].strip().lower()
    disposition: Disposition | None = (
        "inline" if said == "inline" else "attachment" if said else None
    )
    name = _parameter(part, "filename", "content-disposition") or _parameter(part, "name")
    content_id = _first(part, "content-id").strip("<> ")
    return Part(
        index=index,
        content_type=content_type,
        charset=_parameter(part, "charset"),
        disposition=disposition,
        name=_file_name(name) if name else None,
        content_id=content_id or None,
        inside=inside,
        method=_parameter(part, "method"),
        # The last: what it asks the standard parser for changes the part.
        body=_flat(part.get_payload()) if part.is_multipart() else _body(part),
    )


def _file_name(name: str) -> str | None:
    """The last step of a path, as its sender called it."""
    shown = re.sub(r"[\x00-\x1f\x7f]+", " ", words.decoded(name))
    base = re.split(r"[/\\]", shown)[-1].strip().strip(".").strip()
    return base[:200] or None


def _flat(children: list[Any]) -> bytes:
    """Parts as they were, as near as can be told."""
    return b"\r\n".join(_as_it_was(child) for child in children)


def _as_it_was(part: Any) -> bytes:
    try:
        return part.as_bytes()
    except Exception:  # noqa: BLE001 — the standard generator trips over what it has read
        head = "".join(f"{name}: {value}\r\n" for name, value in part.raw_items())
        return head.encode("utf-8", "surrogateescape") + b"\r\n" + _undecoded(part)


def _undecoded(part: Any) -> bytes:
    """The bytes of a part without parts, as they came. The standard parser decodes them by what
    the headers say, and gives up where there is still something to read: so it is shown none."""
    if part.is_multipart():
        return b""
    for header in ("content-transfer-encoding", "content-type"):
        del part[header]
    body: bytes | None = part.get_payload(decode=True)
    return body or b""


def _body(part: Any) -> bytes:
    encoding = _first(part, "content-transfer-encoding").partition(";")[0].strip().lower()
    body = _undecoded(part)
    match encoding:
        case "base64":
            return words.from_base64(body)
        case "quoted-printable":
            return quopri.decodestring(body)
        case "x-uuencode" | "uuencode" | "x-uue" | "uue":
            return words.from_uuencode(body)
        case _:
            return body


TYPE = re.compile(r"([a-z0-9][a-z0-9!#$&^_.+-]{0,126})/([a-z0-9][a-z0-9!#$&^_.+-]{0,126})")


def _content_type(part: Any) -> str:
    said = _first(part, "content-type").partition(";")[0].strip().lower()
    if TYPE.fullmatch(said):
        return said
    return "multipart/mixed" if said.startswith("multipart") else "text/plain"


def _parameter(part: Any, name: str, header: str = "content-type") -> str | None:
    """A parameter of a header, also as RFC 2231 writes it."""
    try:
        value: Any = cast("Parsed", part).get_param(name, None, header=header)
    except Exception:  # noqa: BLE001 — the standard parser raises whatever it likes here
        return None
    if isinstance(value, tuple):
        charset, _, text = cast("tuple[str | None, str | None, str]", value)
        try:
            body = text.encode("latin-1")
        except UnicodeError:
            body = text.encode("utf-8", "surrogateescape")
        return words.text_of(body, charset)
    if not isinstance(value, str):
        return None
    return words.raw_text(value)
