"""Jobs: a member's own, and nobody else's."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Router, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.status_codes import HTTP_200_OK

from hub.edge.guards import right, who_asks
from hub.edge.paging import LARGEST_ID, cursor_of, limit_of, place_of
from hub.edge.problems import not_found
from hub.flow.jobs import shown_job
from hub.flow.views import shapes
from hub.rules.rights import VIEW
from hub.store import jobs as store
from hub.store.ids import parse
from hub.web.parts import parts

Web = Request[Any, Any, State]
Limit = Annotated[int, QueryParameter(description="How many, 200 at most")]


@get("/jobs", opt=right(VIEW), summary="List own jobs")
async def list_jobs(
    request: Web, org: FromPath[str], limit: Limit = 50, cursor: FromQuery[str | None] = None
) -> shapes.JobPage:
    """The jobs the member has started, the newest first."""
    member = who_asks(request).member
    count = limit_of(limit)
    after = place_of(cursor)
    before = LARGEST_ID if after is None else after[1]
    rows = await parts(request).database.read(
        lambda connection: store.mine(
            connection, member.organisation.id, member.member_id, before=before, limit=count + 1
        )
    )
    page = rows[:count]
    return shapes.JobPage(
        items=[shown_job(row) for row in page],
        next_cursor=cursor_of(page[-1].created_at, page[-1].id) if len(rows) > count else None,
    )


@get("/jobs/{job_id:str}", opt=right(VIEW), summary="Read an own job")
async def read_job(request: Web, org: FromPath[str], job_id: FromPath[str]) -> shapes.JobOut:
    """How far a job is, or what came of it."""
    member = who_asks(request).member
    wanted = parse(job_id) or 0
    job = await parts(request).database.read(
        lambda connection: store.one(connection, member.organisation.id, member.member_id, wanted)
    )
    if job is None:
        raise not_found("job")
    return shown_job(job)


@post(
    "/jobs/{job_id:str}/cancel",
    opt=right(VIEW),
    status_code=HTTP_200_OK,
    summary="Cancel an own job",
)
async def cancel_job(request: Web, org: FromPath[str], job_id: FromPath[str]) -> shapes.JobOut:
    """Take no further step; what the job has done stays done."""
    member = who_asks(request).member
    jobs = parts(request).machinery.jobs
    job = await jobs.cancel(member.organisation.id, member.member_id, parse(job_id) or 0)
    if job is None:
        raise not_found("job")
    return shown_job(job)


router = Router(
    "/api/v1/organisations/{org:str}",
    route_handlers=[list_jobs, read_job, cancel_job],
    tags=["Jobs"],
)
