"""What a file is, by its bytes; what it may be called; whether a page may show it."""

from __future__ import annotations

import mimetypes
import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import BinaryIO
from urllib.parse import quote

from msgspec import Struct

UNKNOWN = "application/octet-stream"
PDF = "application/pdf"
LONGEST_NAME = 120
_HEAD = 4096
_NEVER = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\u202a-\u202e\u2066-\u2069/\\]")

SHOWN = frozenset(
    {
        "image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp",
        "audio/mpeg", "audio/ogg", "audio/wav", "audio/x-wav", "audio/mp4", "audio/amr",
        "audio/aac",
        "video/mp4", "video/webm", "video/quicktime", "video/3gpp",
    }
)  # fmt: skip
"""Types a page may show in place: none of them can carry a script."""

_TEXT = {
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".vcf": "text/vcard",
    ".ics": "text/calendar",
    ".md": "text/markdown",
    ".json": "application/json",
}
_SAME = {"image/jpg": "image/jpeg", "audio/wave": "audio/wav", "audio/mp3": "audio/mpeg"}


class Found(Struct, frozen=True):
    """What a file's bytes say it is; ``width`` and ``height`` of an image."""

    content_type: str
    width: int | None = None
    height: int | None = None


def identify(file: BinaryIO, name: str) -> Found:
    """Look at the bytes. The name decides only between kinds of plain text."""
    import puremagic  # noqa: PLC0415 — read when the first file comes

    file.seek(0)
    head = file.read(_HEAD)
    file.seek(0)
    try:
        found = puremagic.from_stream(file, mime=True)  # pyright: ignore[reportUnknownMemberType]
    except (puremagic.PureError, ValueError):
        found = ""
    found = _SAME.get(found, found)
    if found.startswith("image/"):
        return _image(file, found)
    if found and not found.startswith("text/"):
        return Found(found)
    if _is_text(head):
        return Found(_TEXT.get(PurePosixPath(name).suffix.lower(), "text/plain"))
    return Found(UNKNOWN)


def _image(file: BinaryIO, content_type: str) -> Found:
    """An image with its size; one whose size cannot be read is not shown as an image."""
    import imagesize  # noqa: PLC0415 # pyright: ignore[reportMissingTypeStubs]

    file.seek(0)
    try:
        width, height = imagesize.get(file)  # pyright: ignore[reportUnknownMemberType]
    except Exception:  # noqa: BLE001 — strangers' bytes, and whatever a parser makes of them
        width, height = -1, -1
    if int(width) <= 0 or int(height) <= 0:
        return Found(UNKNOWN)
    return Found(content_type, int(width), int(height))


def _is_text(head: bytes) -> bool:
    if not head or b"\x00" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > _HEAD - 4  # cut in the middle of a character
    return True


def shown_in_place(content_type: str, name: str) -> bool:
    """Whether a page may show a file: of a type that cannot carry a script, and no file of
    another kind by its name."""
    named, _ = mimetypes.guess_type(f"file{PurePosixPath(name).suffix}")
    return content_type in SHOWN and (named is None or _kind(named) == _kind(content_type))


def mismatched(content_type: str, name: str) -> bool:
    """Whether a file pretends by its name to be what it is not, as far as that matters: one of the
    two is what pages show. Bytes that nobody knows pretend nothing."""
    named, _ = mimetypes.guess_type(f"file{PurePosixPath(name).suffix}")
    if named is None or content_type == UNKNOWN:
        return False
    if PDF in {named, content_type}:
        return named != content_type
    shown = not SHOWN.isdisjoint({named, content_type})
    return shown and _kind(named) != _kind(content_type)


def _kind(content_type: str) -> str:
    """``audio`` and ``video`` share their containers, and so are one kind."""
    kind = content_type.partition("/")[0]
    return "video" if kind == "audio" else kind


def disposition(content_type: str, name: str) -> str:
    """The header that says whether a browser shows a file or saves it, and under which name
    (RFC 6266)."""
    place = "inline" if shown_in_place(content_type, name) else "attachment"
    plain = name.encode("ascii", "replace").decode().replace('"', "'")
    told = f'{place}; filename="{plain}"'
    if plain != name:
        told += f"; filename*=UTF-8''{quote(name, safe='')}"
    return told


def safe_name(name: str | None, content_type: str) -> str:
    """A file's base name without control characters; one made from its type when it has none."""
    base = PureWindowsPath(PurePosixPath(name or "").name).name
    base = re.sub(r"[\x00-\x1f\x7f\ud800-\udfff\u202a-\u202e\u2066-\u2069/\\]", "", base).strip(
        " ."
    )
    if base:
        return base[-LONGEST_NAME:]
    kind, _, sub = content_type.partition("/")
    ending = {"jpeg": "jpg", "plain": "txt", "octet-stream": "bin", "mpeg": "mp3"}.get(sub, sub)
    ending = re.sub(r"[^a-z0-9]", "", ending.removeprefix("x-")) or "bin"
    return f"{kind if kind in {'image', 'audio', 'video', 'text'} else 'file'}.{ending}"
