"""What mail is, whoever's API carries it: raw when it comes in, and a letter when it goes out.

Everything that is read of a mail is read of its raw form, by the channel ``email``. A provider that
gives fields instead has them written as a mail again (``written``).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence

from hub_email import composing, incoming, mime
from hub_email.mime import Part
from hub_email.settings import Settings as Account
from msgspec import Struct

from hub.plugin import (
    Context,
    Delivery,
    FetchedMedia,
    IngestResult,
    Outbound,
    Permanent,
)

Headers = list[tuple[str, str]]

OURSELVES = "the-provider.invalid"
"""Names what the provider says of a sender, in a header that stands above those of the mail."""
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
TYPE = re.compile(r"[a-z0-9.+_-]{1,100}/[a-z0-9.+_-]{1,100}")
REPORT = re.compile(r"(?i)\s*multipart/report\b.*?report-type\s*=\s*\"?([a-z-]{1,60})", re.DOTALL)
OF_THE_BODY = frozenset(
    {"content-type", "content-transfer-encoding", "content-disposition", "mime-version"}
)
ENVELOPE = frozenset(
    {"from", "to", "cc", "subject", "date", "message-id", "reply-to", "mime-version"}
    | {"content-type", "content-transfer-encoding", "content-disposition"}
)
"""Headers that an API has fields of its own for, or makes by itself."""


# ------------------------------------------------------------------------- in


class File(Struct, frozen=True, kw_only=True):
    """A file of a mail, as a provider has taken it out."""

    name: str
    content_type: str
    body: bytes
    content_id: str = ""


def read(ctx: Context, raw: bytes, delivery: Delivery, account: Account) -> IngestResult:
    """The events of the mail ``raw`` that ``delivery`` has brought. Its files are parts of the
    delivery. Raises ``Malformed``."""
    return incoming.read(ctx, Delivery(body=raw, received_at=delivery.received_at), account)


def file_of(raw: bytes, delivery: Delivery, part: int) -> FetchedMedia:
    """The file that is the ``part`` of the mail ``raw``. Raises ``Permanent``."""
    return incoming.file(Delivery(body=raw, received_at=delivery.received_at), part)


def topped(raw: bytes, headers: Iterable[tuple[str, str]]) -> bytes:
    """A raw mail with headers above its own."""
    return b"".join(_header(name, value) for name, value in headers) + raw.lstrip(b"\r\n")


def verdict(**said: str | None) -> Headers:
    """What the provider says of a sender (``spf``, ``dkim``, ``dmarc``: words such as "pass"), as
    the header in which receiving servers say so."""
    words = [
        f"{kind}={word}"
        for kind, told in said.items()
        if (word := re.sub(r"[^a-z].*", "", (told or "").strip().lower()))
    ]
    return [("Authentication-Results", f"{OURSELVES}; {'; '.join(words)}")] if words else []


def written(headers: Headers, text: str, html: str, files: Sequence[File] = ()) -> bytes:
    """A mail of fields: the words in UTF-8, whatever they were in."""
    said = next((value for name, value in headers if name.lower() == "content-type"), "")
    report = REPORT.match(said[:2000])
    parts = [_words(kind, words) for kind, words in (("plain", text), ("html", html)) if words]
    parts += [_file(each) for each in files]
    if not parts:
        parts = [_words("plain", "")]
    end = hashlib.sha256(b"\0".join(parts)).hexdigest()[:40]
    kind = f"report; report-type={report[1].lower()}" if report else "mixed"
    kept = [(name, value) for name, value in headers if name.lower() not in OF_THE_BODY]
    head = [*kept, ("MIME-Version", "1.0"), ("Content-Type", f'multipart/{kind}; boundary="{end}"')]
    lines = [_header(name, value) for name, value in head]
    body = [b"\r\n--" + end.encode() + b"\r\n" + part for part in parts]
    return b"".join([*lines, *body, b"\r\n--" + end.encode() + b"--\r\n"])


def _header(name: str, value: str) -> bytes:
    if not NAME.fullmatch(name):
        return b""
    line = re.sub(r"[\r\n\x00]+[ \t]*", " ", value).strip()
    return f"{name}: {line}\r\n".encode("utf-8", "replace")


def _words(kind: str, words: str) -> bytes:
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head.encode() + base64.encodebytes(words.encode("utf-8", "replace"))


def _file(file: File) -> bytes:
    kind = file.content_type.partition(";")[0].strip().lower()
    kind = kind if TYPE.fullmatch(kind) else "application/octet-stream"
    nested = kind.startswith(("message/", "multipart/"))  # these may not be encoded
    name = re.sub(r'[\x00-\x1f\x7f"\\]+', "_", file.name)
    inside = bool(file.content_id) and not nested
    lines = [("Content-Type", kind)]
    if name:
        lines.append(
            ("Content-Disposition", f'{"inline" if inside else "attachment"}; filename="{name}"')
        )
    if file.content_id:
        lines.append(("Content-ID", f"<{file.content_id.strip('<> ')}>"))
    if not nested:
        lines.append(("Content-Transfer-Encoding", "base64"))
    head = b"".join(_header(key, value) for key, value in lines)
    return head + b"\r\n" + (file.body if nested else base64.encodebytes(file.body))


def person(name: str, address: str) -> str:
    """Somebody as a header names them; empty without an address."""
    shown = re.sub(r'[\x00-\x1f\x7f"\\]+', " ", name).strip()
    address = address.strip()
    if not address:
        return ""
    return f'"{shown}" <{address}>' if shown else address


# ------------------------------------------------------------------------- out


class Letter(Struct, frozen=True, kw_only=True):
    """A mail that goes out: whole (``raw``), and in the fields that APIs want. ``sender`` is as a
    header has it; ``headers`` are those that no field is for."""

    message_id: str
    raw: bytes
    sender: str
    sender_address: str
    recipient: str
    subject: str
    text: str
    html: str | None
    reply_to: str | None
    headers: tuple[tuple[str, str], ...]
    files: tuple[Part, ...]
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody it goes to."""
        return (self.recipient, *self.cc, *self.bcc)


async def letter(ctx: Context, message: Outbound, account: Account) -> Letter:
    """The mail of a transmission. Raises before anything has touched the network."""
    made = await composing.compose(ctx, message, account)
    mail = mime.read(made.body)
    part = message.wire[0]
    shown = re.sub(r'[\x00-\x1f\x7f"\\]+', " ", account.name or "").strip()
    return Letter(
        message_id=made.message_id,
        raw=made.body,
        sender=person(shown, made.sender),
        sender_address=made.sender,
        recipient=made.recipient,
        subject=mail.words("subject"),
        text=part.text,
        html=part.html,
        reply_to=mail.raw("reply-to") or None,
        headers=tuple(
            (_spelt(name), " ".join(mail.raw(name).split()))
            for name, _ in mail.headers
            if name not in ENVELOPE
        ),
        files=tuple(each for each in mail.parts if each.disposition == "attachment"),
        cc=made.cc,
        bcc=made.bcc,
    )


def needs_words(letter: Letter, who: str) -> None:
    """For providers that take no mail without a subject and words. Raises ``Permanent``."""
    if not letter.subject:
        raise Permanent("unsupported_content", f"{who} takes no mail without a subject")
    if not letter.text.strip() and not (letter.html or "").strip():
        raise Permanent("unsupported_content", f"{who} takes no mail without words")


def encoded(file: Part) -> str:
    """A file as JSON carries it."""
    return base64.b64encode(file.body).decode()


def _spelt(name: str) -> str:
    return "-".join(piece.capitalize() for piece in name.split("-"))
