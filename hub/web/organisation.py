"""An organisation's channels."""

from __future__ import annotations

from typing import Any

from litestar import Request, Router, get, post
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK

from hub.edge.guards import right, who_asks
from hub.edge.problems import ProblemError, not_found
from hub.flow import templates
from hub.flow.host import Channel
from hub.flow.views import shapes
from hub.rules.rights import CHANNELS, MEMBERS, SEND, SEND_GATED, VIEW
from hub.web.document import also
from hub.web.parts import parts

Web = Request[Any, Any, State]


@get("/channels", opt=right(VIEW, CHANNELS, MEMBERS), summary="List channels")
async def list_channels(request: Web, org: FromPath[str]) -> list[shapes.ChannelOut]:
    """The channels a member may see: how they look, what they can do, how they are."""
    hub, who = parts(request), who_asks(request)
    scope = who.scope
    running = hub.channels.of(scope.organisation_id)
    failed = hub.channels.failed_of(scope.organisation_id)
    return [
        hub.presenter.channel(channel) for channel in (*running, *failed) if scope.sees(channel.id)
    ]


@post(
    "/channels/{channel_id:str}/pause",
    opt=right(CHANNELS),
    status_code=HTTP_200_OK,
    summary="Pause a channel",
)
async def pause(request: Web, org: FromPath[str], channel_id: FromPath[str]) -> shapes.ChannelOut:
    """Stop sending on a channel; it still takes in, and what is written waits."""
    who = who_asks(request)
    channel = _channel(request, channel_id, whole=True)
    await parts(request).pause_channel(*channel.key, f"Paused by {who.user.name}", who.actor)
    return parts(request).presenter.channel(channel)


@post(
    "/channels/{channel_id:str}/resume",
    opt=right(CHANNELS),
    status_code=HTTP_200_OK,
    summary="Resume a channel",
)
async def resume(request: Web, org: FromPath[str], channel_id: FromPath[str]) -> shapes.ChannelOut:
    """Let a paused channel send again."""
    channel = _channel(request, channel_id, whole=True)
    await parts(request).pause_channel(*channel.key, None, who_asks(request).actor)
    parts(request).outbox.wake()
    return parts(request).presenter.channel(channel)


@post(
    "/channels/{channel_id:str}/check",
    opt=right(CHANNELS),
    status_code=HTTP_200_OK,
    summary="Check a channel",
)
async def check(request: Web, org: FromPath[str], channel_id: FromPath[str]) -> shapes.ChannelOut:
    """Ask a channel how it is, now; it is asked by itself every few minutes."""
    channel = _channel(request, channel_id)
    await channel.check_health()
    return parts(request).presenter.channel(channel.current)


@get(
    "/channels/{channel_id:str}/templates",
    opt=right(SEND, SEND_GATED, CHANNELS) | also(502),
    summary="List a channel's templates",
)
async def list_templates(
    request: Web, org: FromPath[str], channel_id: FromPath[str]
) -> shapes.TemplateList:
    """The texts that the channel's provider has approved, or not, as they were a minute ago at the
    most; none where the channel has no such thing."""
    found = await templates.of(_channel(request, channel_id))
    return shapes.TemplateList(items=[templates.shape(one) for one in found])


def _channel(request: Web, channel_id: str, *, whole: bool = False) -> Channel:
    """A channel of which anything is seen, or that is seen ``whole``."""
    scope, channels = who_asks(request).scope, parts(request).channels
    if scope.sees_whole(channel_id) if whole else scope.sees(channel_id):
        if (channel := channels.get(scope.organisation_id, channel_id)) is not None:
            return channel
        if channels.failed(scope.organisation_id, channel_id) is not None:
            raise ProblemError(
                409,
                "The channel could not be loaded, so there is nothing to ask. Mend what its reason "
                "says and apply it with hub reload.",
                code="channel_not_running",
            )
    raise not_found("channel")


router = Router(
    "/api/v1/organisations/{org:str}",
    route_handlers=[list_channels, pause, resume, check, list_templates],
    tags=["Organisation"],
)
