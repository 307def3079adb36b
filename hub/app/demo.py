"""Conversations to look at, made the way real ones are: through the simulator's channel."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hub.app.hub import Hub
from hub.flow.host import Channel
from hub.plugin import Delivery

PEOPLE = (
    ("+15550142001", "Hi, are you open on Saturday? I would like to bring the bike in."),
    ("+15550142002", "The quote looks good. Can we move it to Thursday at 10?"),
    ("+15550142003", "Is my order ready for pickup yet?"),
    ("+15550142004", "Thanks for fixing the boiler so fast!"),
    ("+15550142005", "Sorry, I am running 15 minutes late."),
    ("+15550142006", "Could you send me the invoice again please? I cannot find it 🙈"),
)


async def fill(hub: Hub) -> None:
    """Let a few people write to each simulator."""
    for channel in hub.channels:
        if not channel.info.real:
            for number, (phone, text) in enumerate(PEOPLE):
                await hub.intake.take(channel, _written(channel, number, phone, text))


def _written(channel: Channel, number: int, phone: str, text: str) -> Delivery:
    own = channel.own_addresses()
    body = {
        "type": "sms.received",
        "id": f"demo-{number}",
        "from": phone,
        "to": own[0].value if own else "",
        "text": text,
    }
    return Delivery(body=json.dumps(body).encode(), source="listen", received_at=datetime.now(UTC))
