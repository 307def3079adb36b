"""A file in a multipart form (RFC 7578), written to disk as it comes."""

from __future__ import annotations

import errno
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from litestar import Request
from litestar.exceptions import HTTPException
from litestar.openapi.spec import OpenAPIMediaType, Operation, Reference, RequestBody
from msgspec import Struct
from multipart import (  # pyright: ignore[reportMissingTypeStubs]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
)

from hub.edge.problems import ProblemError
from hub.flow.media import LARGEST
from hub.store.blobs import Blobs, Incoming

FIELD = "file"
AROUND = 100_000
"""Bytes that a form may have besides its file."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Upload(Struct):
    """A file that has come whole, and is not kept yet."""

    name: str
    incoming: Incoming


@dataclass
class UploadOperation(Operation):
    """How the document describes a route that reads such a form."""

    def __post_init__(self) -> None:
        schema = Reference(ref="#/components/schemas/Upload")
        content = {"multipart/form-data": OpenAPIMediaType(schema=schema)}
        self.request_body = RequestBody(content=content, required=True)


UPLOAD_SCHEMA: dict[str, Any] = {
    "properties": {
        FIELD: {
            "contentMediaType": "application/octet-stream",
            "format": "binary",
            "type": "string",
        }
    },
    "required": [FIELD],
    "title": "Upload",
    "type": "object",
}


@asynccontextmanager
async def uploaded(request: Request[Any, Any, Any], blobs: Blobs) -> AsyncGenerator[Upload]:
    """The form's one file; unless it is kept meanwhile, nothing of it stays. Raises
    ``ProblemError``."""
    kind, options = request.content_type
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise ProblemError(415, f"This takes multipart/form-data, not {kind[:80] or 'nothing'}.")
    try:
        async with blobs.receive() as incoming:
            name = await _receive(request, options["boundary"], incoming)
            yield Upload(name, incoming)
    except OSError as error:
        if error.errno in _FULL:
            raise ProblemError(507, "The file cannot be saved: the hub's disk is full.") from error
        raise ProblemError(
            503, f"The file cannot be saved: {error.strerror}.", headers={"Retry-After": "30"}
        ) from error


async def _receive(request: Request[Any, Any, Any], boundary: str, incoming: Incoming) -> str:
    """Write the file down; the name it was given."""
    name: str | None = None
    wanted = False
    try:
        with PushMultipartParser(boundary, max_segment_count=20) as parser:
            async for chunk in request.stream():
                for event in parser.parse(chunk) if chunk else ():
                    if isinstance(event, MultipartSegment):
                        wanted = event.name == FIELD and event.filename is not None
                        if wanted and name is not None:
                            raise _wrong("one file at a time")
                        name = event.filename if wanted else name
                    elif event and wanted:
                        await incoming.write(event)
                        if incoming.size > LARGEST:
                            raise _too_large()
    except MultipartError as error:
        raise _wrong(f"the form cannot be read ({error})") from error
    except HTTPException as error:
        if error.status_code == 413:
            raise _too_large() from error
        raise _wrong("the upload was broken off") from error
    if name is None:
        raise _wrong(f"the form has no file in its field {FIELD!r}")
    return name


def _wrong(why: str) -> ProblemError:
    return ProblemError(400, f"This is no upload: {why}.")


def _too_large() -> ProblemError:
    return ProblemError(413, f"A file may have {LARGEST // 1_000_000} MB.")
