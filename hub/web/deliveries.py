"""Raw deliveries of a channel, for who mends it: what came, why it was not understood, what would
come of it now, and reading it again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED
from sqlalchemy import Connection

from hub.edge.guards import right, who_asks
from hub.edge.paging import LARGEST_ID, cursor_of, limit_of, place_of
from hub.edge.problems import ProblemError, not_found
from hub.flow.audited import tell
from hub.flow.host import Channel, now_ms
from hub.flow.jobs import shown_job
from hub.flow.kept import delivery_of
from hub.flow.replay import ReplayAll, proof_of
from hub.flow.views import deliveries as views
from hub.flow.views import shapes
from hub.plugin import Delivery
from hub.rules.files import UNKNOWN, disposition
from hub.rules.rights import CHANNELS
from hub.store import deliveries as store
from hub.store.ids import first_at, parse
from hub.store.jobs import Job
from hub.store.rows import Row
from hub.web.parts import parts

Web = Request[Any, Any, State]
Limit = Annotated[int, QueryParameter(description="How many, 200 at most")]
Wanted = Annotated[
    shapes.DeliveryState | None, QueryParameter(name="state", description="Only of this state")
]
From = Annotated[
    datetime | None, QueryParameter(name="from", description="Only what the hub took in since then")
]
To = Annotated[
    datetime | None,
    QueryParameter(name="to", description="Only what the hub took in before then"),
]


@get("/deliveries", opt=right(CHANNELS), summary="List raw deliveries")
async def list_deliveries(
    request: Web,
    org: FromPath[str],
    channel_id: FromPath[str],
    wanted: Wanted = None,
    from_: From = None,
    to: To = None,
    limit: Limit = 50,
    cursor: FromQuery[str | None] = None,
) -> shapes.DeliveryPage:
    """What arrived for a channel, whatever became of it, the newest first."""
    organisation_id = await _seen(request, channel_id)
    place = place_of(cursor)
    before = LARGEST_ID if to is None else _first(to)
    page = await parts(request).database.read(
        lambda connection: store.page(
            connection,
            organisation_id,
            channel_id,
            state=wanted,
            first=0 if from_ is None else _first(from_),
            before=before if place is None else min(before, place[1]),
            limit=limit_of(limit),
        )
    )
    return shapes.DeliveryPage(
        items=[views.listed(row) for row in page.rows],
        next_cursor=None if page.next is None else cursor_of(0, page.next),
    )


@get("/deliveries/counts", opt=right(CHANNELS), summary="Count raw deliveries that wait")
async def count_deliveries(
    request: Web, org: FromPath[str], channel_id: FromPath[str]
) -> shapes.DeliveryCounts:
    """How many of a channel's deliveries were not understood yet."""
    organisation_id = await _seen(request, channel_id)
    counts = await parts(request).database.read(
        lambda connection: store.waiting(connection, organisation_id, channel_id)
    )
    return shapes.DeliveryCounts(**counts)


@get("/deliveries/{delivery_id:str}", opt=right(CHANNELS), summary="Read a raw delivery")
async def read_delivery(
    request: Web, org: FromPath[str], channel_id: FromPath[str], delivery_id: FromPath[str]
) -> shapes.DeliveryDetail:
    """A delivery as it came, but for the channel's secrets and what would let somebody forge
    another, and the entries that came of it."""
    return await _detail(request, await _row(request, channel_id, delivery_id))


@get(
    "/deliveries/{delivery_id:str}/body",
    opt=right(CHANNELS),
    summary="Download the body of a raw delivery",
)
async def download_delivery(
    request: Web, org: FromPath[str], channel_id: FromPath[str], delivery_id: FromPath[str]
) -> Response[bytes]:
    """All that a delivery carried, but for the channel's secrets, as a file that no browser
    opens."""
    row = await _row(request, channel_id, delivery_id)
    channel = await _running(request, channel_id)
    delivery = await _delivery(request, row)
    body = await asyncio.to_thread(views.body_of, delivery, channel.secrets)
    return Response(
        body,
        media_type=UNKNOWN,
        headers={
            "Content-Disposition": disposition(UNKNOWN, f"delivery-{row.id}.bin"),
            "Content-Security-Policy": "sandbox; default-src 'none'",
        },
    )


@post(
    "/deliveries/{delivery_id:str}/dry-run",
    opt=right(CHANNELS),
    status_code=HTTP_200_OK,
    summary="Try to read a raw delivery",
)
async def dry_run_delivery(
    request: Web, org: FromPath[str], channel_id: FromPath[str], delivery_id: FromPath[str]
) -> shapes.DeliveryDryRun:
    """What the channel makes of a delivery now. Nothing is stored, and what goes wrong does not
    count against the channel."""
    row = await _row(request, channel_id, delivery_id)
    channel = await _running(request, channel_id)
    try:
        dry = await parts(request).replay.dry_run(channel, row)
    except FileNotFoundError:
        raise _lost() from None
    named = await parts(request).database.read(
        lambda connection: store.entries_named(connection, *channel.key, views.names(dry))
    )
    return views.dry_run(dry, named, channel)


@post(
    "/deliveries/{delivery_id:str}/replay",
    opt=right(CHANNELS),
    status_code=HTTP_200_OK,
    summary="Take in a raw delivery again",
)
async def replay_delivery(
    request: Web, org: FromPath[str], channel_id: FromPath[str], delivery_id: FromPath[str]
) -> shapes.DeliveryReplayed:
    """Read a delivery again and store what comes of it. What is stored already is not stored
    twice."""
    row = await _row(request, channel_id, delivery_id)
    await _running(request, channel_id)
    await parts(request).replay.replay(
        organisation_id=row.organisation_id, channel_id=channel_id, delivery_id=row.id
    )
    after = await _row(request, channel_id, delivery_id)
    hub, who = parts(request), who_asks(request)
    await hub.writer.execute(
        lambda connection: tell(
            connection,
            hub.ids,
            row.organisation_id,
            who.actor,
            "delivery.replayed",
            ("delivery", str(row.id)),
            before=row.state,
            after=after.state,
        )
    )
    return shapes.DeliveryReplayed(before=row.state, delivery=await _detail(request, after))


@post(
    "/deliveries/replay",
    opt=right(CHANNELS),
    status_code=HTTP_202_ACCEPTED,
    summary="Take in again what was not understood",
)
async def replay_deliveries(
    request: Web, org: FromPath[str], channel_id: FromPath[str]
) -> shapes.JobOut:
    """Read everything of a channel again that is quarantined or unverified: a job, whose progress
    the member sees."""
    hub, who = parts(request), who_asks(request)
    channel = await _running(request, channel_id)

    def begin(connection: Connection) -> Job:
        job = hub.replay.job.put(
            connection,
            hub.ids.new(),
            ReplayAll(channel_id=channel_id),
            organisation_id=channel.organisation_id,
            member_id=who.member.member_id,
            now=now_ms(),
        )
        tell(
            connection,
            hub.ids,
            channel.organisation_id,
            who.actor,
            "deliveries.replayed",
            ("channel", channel_id),
            after={"job": str(job.id)},
        )
        return job

    job = await hub.writer.execute(begin)
    hub.machinery.jobs.wake()
    return shown_job(job)


def _first(at: datetime) -> int:
    """The first id of a moment; one without a zone is meant in UTC."""
    known = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(first_at(int(known.timestamp() * 1000)), LARGEST_ID)


async def _seen(request: Web, channel_id: str) -> int:
    """The organisation, if the member may see the channel and there is, or was, such a one."""
    hub, scope = parts(request), who_asks(request).scope
    org = scope.organisation_id
    if scope.sees_whole(channel_id):  # what arrived tells of every number
        if hub.channels.get(org, channel_id) or hub.channels.failed(org, channel_id):
            return org
        if await hub.database.read(lambda connection: store.came_for(connection, org, channel_id)):
            return org
    raise not_found("channel")


async def _running(request: Web, channel_id: str) -> Channel:
    organisation_id = await _seen(request, channel_id)
    channel = parts(request).channels.get(organisation_id, channel_id)
    if channel is None:
        raise ProblemError(
            409,
            "The channel is not running, so it can read nothing. Mend it, or switch it on in "
            "hub.toml, and try again.",
            code="channel_not_running",
        )
    return channel


async def _row(request: Web, channel_id: str, delivery_id: str) -> Row:
    organisation_id, id_ = await _seen(request, channel_id), parse(delivery_id) or 0
    row = await parts(request).database.read(
        lambda connection: store.one(connection, organisation_id, channel_id, id_)
    )
    if row is None:
        raise not_found("delivery")
    return row


async def _delivery(request: Web, row: Row) -> Delivery:
    try:
        return await delivery_of(row, parts(request).blobs)
    except FileNotFoundError:
        raise _lost() from None


def _lost() -> ProblemError:
    return not_found("body any more: its file is gone")


async def _detail(request: Web, row: Row) -> shapes.DeliveryDetail:
    hub = parts(request)
    channel = hub.channels.get(row.organisation_id, row.channel_id)
    delivery = await _delivery(request, row)
    entries = await hub.database.read(
        lambda connection: store.entries_of(
            connection, row.organisation_id, row.id, row.received_at
        )
    )
    secrets = None if channel is None else channel.secrets
    return views.detail(row, delivery, proof_of(row), entries, secrets)


router = Router(
    "/api/v1/organisations/{org:str}/channels/{channel_id:str}",
    route_handlers=[
        list_deliveries,
        count_deliveries,
        read_delivery,
        download_delivery,
        dry_run_delivery,
        replay_delivery,
        replay_deliveries,
    ],
    tags=["Deliveries"],
)
