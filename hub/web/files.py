"""Files: uploaded by members, read by members, fetched by providers through signed links."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, Router, get, head, post
from litestar.datastructures import State, UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from msgspec import Struct

from hub.edge.guards import PUBLIC, right, who_asks
from hub.edge.problems import ProblemError, not_found
from hub.flow.media import LARGEST, upload
from hub.flow.views import shapes
from hub.flow.views.present import attachment
from hub.rules.files import SHOWN
from hub.rules.rights import SEND, VIEW
from hub.store import timeline
from hub.store.ids import parse
from hub.store.timeline import AttachmentRow
from hub.web.parts import Parts, parts

Web = Request[Any, Any, State]


class Upload(Struct):
    """A multipart form with one file."""

    file: UploadFile


@post(
    "/attachments",
    opt=right(SEND),
    summary="Upload a file",
    request_max_body_size=LARGEST + 100_000,
)
async def upload_file(
    request: Web,
    org: FromPath[str],
    data: Annotated[Upload, Body(media_type=RequestEncodingType.MULTI_PART)],
) -> shapes.AttachmentOut:
    """Upload a file to send: form field ``file``. The answer says what its bytes are."""
    hub, who = parts(request), who_asks(request)
    body = await data.file.read()
    if len(body) > LARGEST:
        raise ProblemError(413, f"A file may have {LARGEST // 1_000_000} MB.")
    try:
        kept = await upload(
            hub.writer,
            hub.blobs,
            hub.ids,
            organisation_id=who.scope.organisation_id,
            member_id=who.member.member_id,
            name=data.file.filename,
            body=body,
        )
    except OSError as error:
        raise ProblemError(503, f"The file cannot be saved: {error.strerror}.") from error
    row = await hub.database.read(
        lambda connection: timeline.attachment_by_id(connection, kept.organisation_id, kept.id)
    )
    if row is None:
        raise not_found("file")
    return attachment(who.member.organisation.slug, row)


@get("/attachments/{attachment_id:str}", opt=right(VIEW), summary="Read a file")
async def read_file(
    request: Web, org: FromPath[str], attachment_id: FromPath[str]
) -> Response[bytes]:
    """The bytes of a file of a message the member may see."""
    hub, who = parts(request), who_asks(request)
    id_ = parse(attachment_id) or 0
    row = await hub.database.read(
        lambda connection: timeline.attachment_by_id(connection, who.scope.organisation_id, id_)
    )
    if row is None or not who.scope.sees(row.channel_id):
        raise not_found("file")
    return await _bytes(hub, row)


@get("/media/{attachment_id:str}/{until:int}/{signature:str}", opt=right(PUBLIC),
     include_in_schema=False)  # fmt: skip
async def offered_file(
    request: Web,
    attachment_id: FromPath[str],
    until: FromPath[int],
    signature: FromPath[str],
) -> Response[bytes]:
    """A file for a provider, by a signed link."""
    return await _offered(parts(request), attachment_id, until, signature)


@head("/media/{attachment_id:str}/{until:int}/{signature:str}", opt=right(PUBLIC),
      include_in_schema=False)  # fmt: skip
async def offered_file_head(
    request: Web,
    attachment_id: FromPath[str],
    until: FromPath[int],
    signature: FromPath[str],
) -> Response[None]:
    """The same without the bytes: providers look before they fetch."""
    full = await _offered(parts(request), attachment_id, until, signature)
    about = {"Content-Type": str(full.media_type), "Content-Length": str(len(full.content))}
    return Response(None, headers={**full.headers, **about})


async def _offered(hub: Parts, attachment_id: str, until: int, signature: str) -> Response[bytes]:
    id_ = parse(attachment_id)
    if id_ is None or not hub.links.valid(attachment_id, until, signature):
        raise not_found("file, or the link has expired")
    row = await hub.database.read(lambda connection: timeline.attachment_anywhere(connection, id_))
    if row is None:
        raise not_found("file")
    return await _bytes(hub, row)


async def _bytes(hub: Parts, row: AttachmentRow) -> Response[bytes]:
    """A file, so that no browser makes more of it than it is."""
    if row.sha256 is None:
        raise ProblemError(404, row.reason or "The file has not been fetched yet.")
    try:
        body = await hub.blobs.get(row.sha256)
    except FileNotFoundError:
        raise not_found("file any more") from None
    place = "inline" if row.content_type in SHOWN else "attachment"
    name = row.name.encode("ascii", "replace").decode().replace('"', "'")
    return Response(
        body,
        media_type=row.content_type,
        headers={
            "Content-Disposition": f'{place}; filename="{name}"',
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "private, max-age=86400, immutable",
            "ETag": f'"{row.sha256}"',
        },
    )


router = Router(
    "/api/v1/organisations/{org:str}", route_handlers=[upload_file, read_file], tags=["Files"]
)
offered = [offered_file, offered_file_head]
