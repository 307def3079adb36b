"""Files: uploaded by members, read by members, fetched by providers through signed links."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, BinaryIO

from litestar import Request, Response, Router, get, head, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from hub.edge.guards import PUBLIC, right, who_asks
from hub.edge.problems import ProblemError, not_found
from hub.flow.media import LARGEST, upload
from hub.flow.views import shapes
from hub.flow.views.present import attachment
from hub.plugin import HookError
from hub.plugin.kit import html
from hub.rules import content as contents
from hub.rules import ranges
from hub.rules.files import disposition
from hub.rules.ranges import Part
from hub.rules.rights import SEND, SEND_GATED, VIEW
from hub.store import timeline
from hub.store.ids import parse
from hub.store.timeline import AttachmentRow
from hub.web.document import also
from hub.web.parts import parts
from hub.web.uploads import AROUND, UploadOperation, uploaded

Web = Request[Any, Any, State]
CHUNK = 256 * 1024


@post(
    "/attachments",
    opt=right(SEND, SEND_GATED) | also(507),
    summary="Upload a file",
    request_max_body_size=LARGEST + AROUND,
    operation_class=UploadOperation,
)
async def upload_file(request: Web, org: FromPath[str]) -> shapes.AttachmentOut:
    """Upload a file to send: form field ``file``. The answer says what its bytes are."""
    hub, who = parts(request), who_asks(request)
    async with uploaded(request, hub.blobs) as given:
        kept = await upload(
            hub.writer,
            hub.ids,
            given.incoming,
            organisation_id=who.scope.organisation_id,
            member_id=who.member.member_id,
            name=given.name,
        )
    row = await hub.database.read(
        lambda connection: timeline.attachment_by_id(connection, kept.organisation_id, kept.id)
    )
    if row is None:
        raise not_found("file")
    return attachment(who.member.organisation.slug, row)


@get("/attachments/{attachment_id:str}", opt=right(VIEW) | also(416), summary="Read a file")
async def read_file(
    request: Web, org: FromPath[str], attachment_id: FromPath[str]
) -> Response[bytes]:
    """The bytes of a file of a message the member may see, or a range of them."""
    return await _answer(request, await _seen(request, attachment_id))


@head("/attachments/{attachment_id:str}", opt=right(VIEW), include_in_schema=False)
async def read_file_head(
    request: Web, org: FromPath[str], attachment_id: FromPath[str]
) -> Response[None]:
    """The same without the bytes."""
    return await _about(request, await _seen(request, attachment_id))


@get("/entries/{entry_id:str}/picture", opt=right(VIEW), summary="Read a linked picture")
async def read_picture(
    request: Web, org: FromPath[str], entry_id: FromPath[str], url: FromQuery[str]
) -> Response[bytes]:
    """A picture that a formatted message links to, fetched by the hub when somebody asks to see it.
    Of the message's own pictures only, by their address in it."""
    hub, who = parts(request), who_asks(request)
    id_ = parse(entry_id) or 0
    rows = await hub.database.read(
        lambda connection: timeline.entries_by_id(connection, who.scope, [id_])
    )
    letter = contents.decode(rows[0].content).html if rows else None
    if letter is None or url not in html.pictures(html.stored_html(letter)):
        raise not_found("picture")
    try:
        picture = await hub.pictures.get(url)
    except HookError as error:
        raise ProblemError(404, f"The picture cannot be shown: {error.detail}.") from error
    headers = {
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, max-age=86400",
    }
    return Response(picture.body, media_type=picture.content_type, headers=headers)


@get("/media/{attachment_id:str}/{until:int}/{signature:str}", opt=right(PUBLIC),
     include_in_schema=False)  # fmt: skip
async def offered_file(
    request: Web,
    attachment_id: FromPath[str],
    until: FromPath[int],
    signature: FromPath[str],
) -> Response[bytes]:
    """A file for a provider, by a signed link."""
    return await _answer(request, await _offered(request, attachment_id, until, signature))


@head("/media/{attachment_id:str}/{until:int}/{signature:str}", opt=right(PUBLIC),
      include_in_schema=False)  # fmt: skip
async def offered_file_head(
    request: Web,
    attachment_id: FromPath[str],
    until: FromPath[int],
    signature: FromPath[str],
) -> Response[None]:
    """The same without the bytes: providers look before they fetch."""
    return await _about(request, await _offered(request, attachment_id, until, signature))


async def _seen(request: Web, attachment_id: str) -> AttachmentRow:
    """A file of the organisation that the member may see: what was not sent yet is theirs who
    uploaded it."""
    hub, who = parts(request), who_asks(request)
    id_ = parse(attachment_id) or 0
    row = await hub.database.read(
        lambda connection: timeline.attachment_by_id(connection, who.scope.organisation_id, id_)
    )
    if row is None or not who.scope.sees(row.channel_id):
        raise not_found("file")
    if row.entry_id is not None and not who.scope.sees_whole(row.channel_id):
        entries = [row.entry_id]
        if not await hub.database.read(
            lambda connection: timeline.entries_by_id(connection, who.scope, entries)
        ):
            raise not_found("file")
    if row.entry_id is None and row.uploaded_by != who.member.member_id:
        raise not_found("file")
    return row


async def _offered(request: Web, attachment_id: str, until: int, signature: str) -> AttachmentRow:
    hub, id_ = parts(request), parse(attachment_id) or 0
    row = await hub.database.read(lambda connection: timeline.attachment_anywhere(connection, id_))
    if row is None or not hub.links.valid(row, until, signature):
        raise not_found("file, or the link has expired")
    return row


async def _about(request: Web, row: AttachmentRow) -> Response[None]:
    """What there is to say of a file before its bytes."""
    path, headers = _file(request, row)
    try:
        size = (await asyncio.to_thread(path.stat)).st_size
    except FileNotFoundError:
        raise _gone() from None
    about = {"Content-Type": row.content_type, "Content-Length": str(size)}
    return Response(None, headers={**headers, **about})


async def _answer(request: Web, row: AttachmentRow) -> Response[Any]:
    """A file, or the part of it that is asked for."""
    path, headers = _file(request, row)
    etag = headers["ETag"]
    if ranges.unchanged(request.headers.get("if-none-match"), etag=etag):
        return Response(None, status_code=304, headers=headers)
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError:
        raise _gone() from None
    size = os.fstat(file.fileno()).st_size
    asked = request.headers.get
    try:
        part = ranges.wanted(asked("range"), asked("if-range"), size=size, etag=etag)
    except ranges.Unsatisfiable:
        file.close()
        told = {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}
        raise ProblemError(416, f"The file has {size:,} bytes.", headers=told) from None
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{size}"
    sent = part or Part(0, size)
    headers["Content-Length"] = str(sent.end - sent.start)
    return Stream(
        _chunks(file, sent),
        status_code=200 if part is None else 206,
        media_type=row.content_type,
        headers=headers,
    )


def _file(request: Web, row: AttachmentRow) -> tuple[Path, dict[str, str]]:
    """Where a file lies, and headers so that no browser makes more of it than it is."""
    if row.sha256 is None:
        raise ProblemError(404, row.reason or "The file has not been fetched yet.")
    return parts(request).blobs.path(row.sha256), {
        "Content-Disposition": disposition(row.content_type, row.name),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, max-age=86400, immutable",
        "Accept-Ranges": "bytes",
        "ETag": f'"{row.sha256}"',
    }


def _gone() -> ProblemError:
    return not_found("file any more")


async def _chunks(file: BinaryIO, part: Part) -> AsyncGenerator[bytes]:
    with file:
        file.seek(part.start)
        left = part.end - part.start
        while left and (chunk := await asyncio.to_thread(file.read, min(CHUNK, left))):
            left -= len(chunk)
            yield chunk


router = Router(
    "/api/v1/organisations/{org:str}",
    route_handlers=[upload_file, read_file, read_file_head, read_picture],
    tags=["Files"],
)
offered = [offered_file, offered_file_head]
