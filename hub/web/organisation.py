"""An organisation's members and channels."""

from __future__ import annotations

from typing import Any

from litestar import Request, Router, get, post
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK

from hub.edge.guards import right, who_asks
from hub.edge.problems import ProblemError, not_found
from hub.flow.host import Channel, ChannelResting, HookTimeout, LoopsExhausted, PluginFault
from hub.flow.views import shapes
from hub.flow.views.present import member
from hub.plugin import HookError, Temporary
from hub.rules.rights import CHANNELS, SEND, VIEW
from hub.store import people
from hub.web.parts import parts

Web = Request[Any, Any, State]


@get("/members", opt=right(VIEW), summary="List members")
async def list_members(request: Web, org: FromPath[str]) -> list[shapes.MemberOut]:
    """Everybody who is or was a member, by name."""
    hub, who = parts(request), who_asks(request)
    rows = await hub.database.read(
        lambda connection: people.members_of(connection, who.scope.organisation_id)
    )
    return [member(row) for row in rows]


@get("/channels", opt=right(VIEW), summary="List channels")
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
    channel = _channel(request, channel_id)
    await parts(request).pause_channel(*channel.key, f"Paused by {who.user.name}")
    return parts(request).presenter.channel(channel)


@post(
    "/channels/{channel_id:str}/resume",
    opt=right(CHANNELS),
    status_code=HTTP_200_OK,
    summary="Resume a channel",
)
async def resume(request: Web, org: FromPath[str], channel_id: FromPath[str]) -> shapes.ChannelOut:
    """Let a paused channel send again."""
    channel = _channel(request, channel_id)
    await parts(request).pause_channel(*channel.key, None)
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
    opt=right(SEND),
    summary="List a channel's templates",
)
async def list_templates(
    request: Web, org: FromPath[str], channel_id: FromPath[str]
) -> list[shapes.TemplateOut]:
    """The texts that the channel's provider has approved, or not, as they were five minutes ago at
    the most; none where the channel has no such thing."""
    channel = _channel(request, channel_id)
    try:
        found = await channel.templates()
    except (HookError, PluginFault, HookTimeout, ChannelResting, LoopsExhausted) as error:
        why = str(error) or type(error).__name__
        passing = isinstance(error, Temporary | ChannelResting)
        raise ProblemError(
            503 if passing else 502,
            f"{channel.name} cannot say which templates there are: {why}",
            code="channel_failed",
        ) from error
    return [
        shapes.TemplateOut(
            name=one.name,
            language=one.language,
            body=one.body,
            parameters=list(one.parameters),
            state=one.state,
        )
        for one in found
    ]


def _channel(request: Web, channel_id: str) -> Channel:
    scope, channels = who_asks(request).scope, parts(request).channels
    if scope.sees(channel_id):
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
    route_handlers=[list_members, list_channels, pause, resume, check, list_templates],
    tags=["Organisation"],
)
