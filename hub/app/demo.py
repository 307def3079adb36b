"""Conversations to look at, made the way real ones are: through the simulators' channels.

A simulator knows what its customers say: its own route ``demo`` has them say it.
"""

from __future__ import annotations

from datetime import UTC, datetime

import structlog

from hub.app.hub import Hub
from hub.plugin import Delivery, RouteRequest

ROUTE = "demo"

log = structlog.get_logger()


async def fill(hub: Hub) -> None:
    """Let a few people write and call on each simulator."""
    for channel in hub.channels:
        route = None if channel.info.real else channel.route("POST", ROUTE)
        if route is None:
            continue
        request = RouteRequest(method="POST", path=ROUTE, query={}, headers={}, body=b"")
        arrived = Delivery(received_at=datetime.now(UTC))
        reply = await channel.answer_route(route, request, arrived)
        if reply.status >= 400:
            log.warning("demo.not_filled", channel=channel.id, status=reply.status)
