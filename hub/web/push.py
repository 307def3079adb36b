"""Alerts for one's own browser while no page of the hub is open in it."""

from __future__ import annotations

from typing import Any

from litestar import Request, Router, delete, get, put
from litestar.datastructures import State
from litestar.params import JSONBody
from litestar.status_codes import HTTP_204_NO_CONTENT

from hub.edge.guards import IN_PERSON, right, who_asks
from hub.flow.views import accounts as shapes
from hub.rules.pushes import Subscription
from hub.web.parts import parts

Web = Request[Any, Any, State]


@get("/me/push", opt=right(IN_PERSON), summary="Whether this browser is told of alerts")
async def read_push(request: Web) -> shapes.PushState:
    """And with which key it subscribes."""
    devices = parts(request).pushes.devices
    return shapes.PushState(
        on=await devices.is_told(who_asks(request).pass_hash),
        public_key=await devices.public_key(),
    )


@put(
    "/me/push",
    opt=right(IN_PERSON),
    status_code=HTTP_204_NO_CONTENT,
    summary="Have this browser told of alerts",
)
async def put_push(request: Web, data: JSONBody[shapes.PushGiven]) -> None:
    """While no page of the hub is open in it, of what its owner wants to be alerted of in every
    organisation they are in, until the session that asks has ended."""
    who = who_asks(request)
    given = Subscription(endpoint=data.endpoint, p256dh=data.keys.p256dh, auth=data.keys.auth)
    await parts(request).pushes.devices.put(who.user.id, who.pass_hash, given)


@delete(
    "/me/push",
    opt=right(IN_PERSON),
    status_code=HTTP_204_NO_CONTENT,
    summary="Have this browser told no more",
)
async def remove_push(request: Web) -> None:
    """Its address is forgotten."""
    await parts(request).pushes.devices.remove(who_asks(request).pass_hash)


router = Router("/api/v1", route_handlers=[read_push, put_push, remove_push], tags=["Account"])
