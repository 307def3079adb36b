"""The approval queue: what waits for somebody's approval, and deciding on it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import Connection

from hub.edge.guards import Who, right, who_asks
from hub.edge.paging import cursor_of, limit_of, place_of
from hub.edge.problems import not_found
from hub.flow.views import read, shapes
from hub.flow.views.queue import queued
from hub.rules.rights import APPROVE, VIEW
from hub.store import approvals, inbox
from hub.store.ids import parse
from hub.web.document import also
from hub.web.messages import entry_as_shown, seen_entry
from hub.web.parts import Parts, parts
from hub.web.threads import POSITION, Limit

Web = Request[Any, Any, State]
WantedState = Annotated[
    Literal["waiting", "approved", "rejected", "withdrawn", "all"],
    QueryParameter(
        name="state", description="What waits comes the longest first, all else the newest first"
    ),
]


@get("/approvals", opt=right(APPROVE), summary="List what waits for approval")
async def list_approvals(
    request: Web,
    org: FromPath[str],
    wanted: WantedState = "waiting",
    limit: Limit = 50,
    cursor: FromQuery[str | None] = None,
) -> Response[shapes.ApprovalPage]:
    """A page of the approval queue, or of what was decided."""
    hub, who = parts(request), who_asks(request)
    count = limit_of(limit)
    place = place_of(cursor)

    def look(connection: Connection) -> tuple[int, bool, read.Queue]:
        rows = approvals.queue(
            connection,
            who.scope,
            state=None if wanted == "all" else wanted,
            limit=count + 1,
            after=None if place is None else place[1],
        )
        position = inbox.position_of(connection, who.scope.organisation_id)
        return position, len(rows) > count, read.queue(connection, who.scope, rows[:count])

    position, more, found = await hub.database.read(look)
    page = shapes.ApprovalPage(
        items=queued(hub.presenter, who.member.organisation, found),
        next_cursor=cursor_of(0, found.rows[-1].entry.id) if more else None,
    )
    return Response(page, headers={POSITION: str(position)})


@get("/approvals/{approval_id:str}", opt=right(APPROVE), summary="Read one that waits")
async def read_approval(
    request: Web, org: FromPath[str], approval_id: FromPath[str]
) -> shapes.QueuedApproval:
    """One message of the queue, whatever became of it."""
    return await _as_shown(parts(request), who_asks(request), parse(approval_id) or 0)


@post(
    "/approvals/{approval_id:str}/approve",
    opt=right(APPROVE) | also(502),
    status_code=HTTP_200_OK,
    summary="Approve and send",
)
async def approve(
    request: Web, org: FromPath[str], approval_id: FromPath[str], data: JSONBody[shapes.Approve]
) -> shapes.QueuedApproval:
    """Send it, or what you make of it: the author's words are kept and shown beside yours. Whether
    it may be sent is looked at now: where a rule forbids it (422), it waits on, and its author
    reads why. Whoever comes second is told who was faster (409, ``already_decided``)."""
    hub, who, id_ = parts(request), who_asks(request), parse(approval_id) or 0
    await hub.approvals.approve(
        who.scope,
        who.member.member_id,
        id_,
        who.actor,
        text=data.text,
        subject=data.subject,
    )
    return await _as_shown(hub, who, id_)


@post(
    "/approvals/{approval_id:str}/reject",
    opt=right(APPROVE),
    status_code=HTTP_200_OK,
    summary="Reject",
)
async def reject(
    request: Web, org: FromPath[str], approval_id: FromPath[str], data: JSONBody[shapes.Reject]
) -> shapes.QueuedApproval:
    """Do not send it, and tell its author why."""
    hub, who, id_ = parts(request), who_asks(request), parse(approval_id) or 0
    await _as_shown(hub, who, id_)
    await hub.approvals.reject(who.scope, who.member.member_id, id_, who.actor, data.reason)
    return await _as_shown(hub, who, id_)


@post(
    "/approvals/{approval_id:str}/withdraw",
    opt=right(VIEW),
    status_code=HTTP_200_OK,
    summary="Withdraw",
)
async def withdraw(request: Web, org: FromPath[str], approval_id: FromPath[str]) -> shapes.Entry:
    """Take back what you wrote, while it waits."""
    hub, who = parts(request), who_asks(request)
    row = await seen_entry(hub, who, approval_id)
    await hub.approvals.withdraw(who.scope, who.member.member_id, row.id, who.actor)
    return await entry_as_shown(hub, who, row.id)


async def _as_shown(hub: Parts, who: Who, id_: int) -> shapes.QueuedApproval:
    def look(connection: Connection) -> read.Queue:
        rows = approvals.queued_by_id(connection, who.scope, [id_])
        return read.queue(connection, who.scope, rows)

    found = queued(hub.presenter, who.member.organisation, await hub.database.read(look))
    if not found:
        raise not_found("message in the approval queue")
    return found[0]


router = Router(
    "/api/v1/organisations/{org:str}",
    route_handlers=[list_approvals, read_approval, approve, reject, withdraw],
    tags=["Approvals"],
)
