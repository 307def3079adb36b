"""The audit: who changed what, to be read and taken along, never changed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import Request, Response, Router, get
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream
from sqlalchemy import Connection

from hub.edge.guards import Who, right, who_asks
from hub.edge.paging import LARGEST_ID, cursor_of, limit_of, place_of
from hub.edge.problems import ProblemError
from hub.flow.audited import tell
from hub.flow.views import audit as views
from hub.flow.views.audit import ActorKind, AuditLine, AuditPage
from hub.flow.views.shapes import FieldError
from hub.rules.rights import AUDIT
from hub.store import audit_log as store
from hub.store.audit_log import Wanted
from hub.store.ids import parse
from hub.web.parts import Parts, parts

Web = Request[Any, Any, State]
CSV = "text/csv"
STEP = 1_000
"""Lines that an export reads at once."""
LONGEST = 200
"""Characters of what is looked for."""
Limit = Annotated[int, QueryParameter(description="How many, 200 at most")]
From = Annotated[
    datetime | None, QueryParameter(name="from", description="Only what was done since")
]
To = Annotated[datetime | None, QueryParameter(name="to", description="Only before then")]
ByKind = Annotated[ActorKind | None, QueryParameter(description="Only what such a one has done")]
ById = Annotated[
    str | None, QueryParameter(description="The member's id, or with `actor_kind` the token's")
]
Action = Annotated[str | None, QueryParameter(description="Such as `role.changed`")]
OfKind = Annotated[str | None, QueryParameter(description="Such as `thread`, `role`, `member`")]
OfId = Annotated[str | None, QueryParameter(description="The object's id")]
Words = Annotated[str | None, QueryParameter(description="Words that the action holds")]


@get(
    "/audit",
    opt=right(AUDIT),
    summary="Read the audit log",
    responses={
        200: ResponseSpec(
            data_container=AuditPage,
            generate_examples=False,
            description="A page; all of it as a file where `Accept` asks for `text/csv`",
        )
    },
)
async def read_audit(  # noqa: PLR0913, PLR0917 — each is a filter
    request: Web,
    org: FromPath[str],
    from_: From = None,
    to: To = None,
    actor_kind: ByKind = None,
    actor_id: ById = None,
    action: Action = None,
    object_kind: OfKind = None,
    object_id: OfId = None,
    q: Words = None,
    limit: Limit = 50,
    cursor: FromQuery[str | None] = None,
) -> Response[Any]:
    """Who changed what, when, from where, the newest first. With `Accept: text/csv` everything that
    is asked for comes as one file, of which the log has a line of its own."""
    hub, who = parts(request), who_asks(request)
    if who.scope.limited:
        raise ProblemError(
            403,
            "The audit log tells of every channel, and your role sees only some of them.",
            code=AUDIT,
        )
    wanted = Wanted(
        since=_ms("from", from_),
        before=_ms("to", to),
        actor_kind=actor_kind or (None if actor_id is None else "member"),
        actor_id=None if actor_id is None else parse(actor_id) or 0,
        action=_text("action", action),
        object_kind=_text("object_kind", object_kind),
        object_id=_text("object_id", object_id),
        words=tuple((_text("q", q) or "").lower().split()),
    )
    if CSV in request.headers.get("accept", ""):
        return await _export(hub, who, wanted, _asked(request))
    id_, place = who.scope.organisation_id, place_of(cursor)

    def look(connection: Connection) -> tuple[store.Page, views.Lines]:
        before = LARGEST_ID if place is None else place[1]
        page = store.page(connection, id_, wanted, before=before, limit=limit_of(limit))
        return page, views.read(connection, id_, page.rows)

    page, found = await hub.database.read(look)
    return Response(
        AuditPage(
            items=views.lines(found),
            next_cursor=None if page.next is None else cursor_of(0, page.next),
        )
    )


async def _export(hub: Parts, who: Who, wanted: Wanted, asked: dict[str, str]) -> Response[Any]:
    """Everything there was before it was asked for; what is asked for is audited first, however far
    it is read."""
    org = who.member.organisation
    line = await hub.writer.execute(
        lambda connection: tell(
            connection,
            hub.ids,
            org.id,
            who.actor,
            "audit.exported",
            ("organisation", str(org.id)),
            after=asked,
        )
    )
    name = f"audit-{org.slug}-{datetime.now(UTC):%Y-%m-%d}.csv"
    return Stream(
        _rows(hub, org.id, wanted, line),
        media_type=CSV,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


async def _rows(hub: Parts, id_: int, wanted: Wanted, before: int) -> AsyncGenerator[bytes]:
    """The file, a piece for each step; each step reads by itself, so that nothing is held open
    while somebody takes the file slowly."""
    yield views.csv_head()
    place: int | None = before
    while place is not None:

        def look(connection: Connection, place: int = place) -> tuple[int | None, list[AuditLine]]:
            page = store.page(connection, id_, wanted, before=place, limit=STEP)
            return page.next, views.lines(views.read(connection, id_, page.rows))

        place, lines = await hub.database.read(look)
        if lines:
            yield views.csv_rows(lines)


def _asked(request: Web) -> dict[str, str]:
    """The filter as it was given."""
    return {
        name: value[:LONGEST]
        for name, value in request.query_params.items()
        if name not in {"limit", "cursor"} and value
    }


def _ms(field: str, at: datetime | None) -> int | None:
    """A moment; one without a zone is meant in UTC."""
    if at is None:
        return None
    known = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    try:
        return max(0, int(known.timestamp() * 1000))
    except (OverflowError, ValueError):
        raise _bad(field, "is no time that there is") from None


def _text(field: str, value: str | None) -> str | None:
    if value is None:
        return None
    if len(value) > LONGEST or "\0" in value:
        raise _bad(field, f"holds at most {LONGEST} characters")
    return value.strip() or None


def _bad(field: str, message: str) -> ProblemError:
    return ProblemError(
        400, f"{field} {message}.", errors=[FieldError(field=field, message=message)]
    )


router = Router(
    "/api/v1/organisations/{org:str}", route_handlers=[read_audit], tags=["Organisation"]
)
