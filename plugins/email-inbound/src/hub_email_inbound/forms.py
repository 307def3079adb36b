"""Forms that providers post: ``application/x-www-form-urlencoded``, and with files."""

from __future__ import annotations

import io
import json
import re
from typing import Any, cast

import multipart  # pyright: ignore[reportMissingTypeStubs]
from hub_email import words
from msgspec import Struct

from hub.plugin import Delivery, Malformed

MOST_PARTS = 2000


class Upload(Struct, frozen=True, kw_only=True):
    """A file of a form, under the ``field`` that brought it."""

    field: str
    name: str
    content_type: str
    body: bytes


class Form(Struct, frozen=True, kw_only=True):
    """The fields as bytes, in order, and the files. A field that comes twice counts once."""

    fields: tuple[tuple[str, bytes], ...]
    files: tuple[Upload, ...] = ()

    def raw(self, name: str) -> bytes | None:
        """The first field of that name."""
        return next((value for key, value in self.fields if key == name), None)

    def text(self, name: str, charset: str | None = "utf-8") -> str:
        """The same as words; empty where there is none."""
        return words.text_of(self.raw(name) or b"", charset)

    def texts(self, name: str) -> dict[str, str]:
        """The texts of the JSON object in a field; none where there is no object."""
        try:
            found: Any = json.loads(self.raw(name) or b"{}")
        except (ValueError, RecursionError):
            return {}
        told = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        return {key: value for key, value in told.items() if isinstance(value, str)}


def read(delivery: Delivery) -> Form:
    """The form that was posted. Raises ``Malformed``."""
    said = delivery.header("content-type") or ""
    kind = said.partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        pairs = delivery.form()
        return Form(fields=tuple((name, value.encode("utf-8", "replace")) for name, value in pairs))
    found = re.search(r'(?i);\s*boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))', said)
    if found is None:
        raise Malformed("the form does not say where its parts end")
    return _parts(delivery.body, found[1] or found[2])


def _parts(body: bytes, boundary: str) -> Form:
    room = len(body) + 1  # in memory: nothing is written to the disk
    fields: list[tuple[str, bytes]] = []
    files: list[Upload] = []
    try:
        parser = multipart.MultipartParser(
            io.BytesIO(body),
            boundary,
            content_length=len(body),
            spool_limit=room,
            memory_limit=room,
            disk_limit=room,
            part_limit=MOST_PARTS,
            charset="utf-8",
        )
        several: list[multipart.MultipartPart] = list(parser)
        for part in several:
            if part.filename is None:
                fields.append((part.name or "", part.raw))
                continue
            files.append(
                Upload(
                    field=part.name or "",
                    name=part.filename,
                    content_type=part.content_type or "",
                    body=part.raw,
                )
            )
    except (multipart.MultipartError, ValueError, LookupError) as error:
        raise Malformed(f"the form cannot be read: {str(error)[:200]}") from error
    return Form(fields=tuple(fields), files=tuple(files))
