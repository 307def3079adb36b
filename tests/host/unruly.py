"""What the tests tell the unruly plugins."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hub.plugin import Address, Delivery, Outbound, WirePart
from tests.patience import PATIENCE

PLUGINS = Path(__file__).parent.parent / "plugins"
TOKEN = "tok_3f\"9'c1d0-never-shown"  # quotes: it is looked for as JSON and as repr write it too
SHAPES = (TOKEN, json.dumps(TOKEN)[1:-1], repr(TOKEN)[1:-1])
ENVIRON = {"PYTHONPATH": str(PLUGINS), "UNRULY_TOKEN": TOKEN}


def leaks(text: str) -> bool:
    """Whether the token stands in a text, however it is quoted."""
    return any(shape in text for shape in SHAPES)


def delivery(do: str | None = None, *, signed: bool = True, **told: Any) -> Delivery:
    """A delivery that tells the plugin what to do."""
    body = {"do": do, "id": "in-1", "from": "+15550100002", "text": "hello", **told}
    return Delivery(
        body=json.dumps(body).encode(),
        headers=(("X-Token", TOKEN if signed else "guessed"),),
        received_at=datetime.now(UTC),
    )


def outbound(text: str) -> Outbound:
    """A message whose text tells the plugin what to do."""
    return Outbound(
        id="77",
        address=Address(scheme="phone", value="+15550100002"),
        own_address="+15550100001",
        deadline=datetime.now(UTC) + timedelta(minutes=1),
        wire=(WirePart(text=text),),
    )


async def until(look: Callable[[], object], limit: float = PATIENCE) -> None:
    """Let the loop turn until ``look`` gives something true."""
    ends = time.monotonic() + limit
    while not look():
        assert time.monotonic() < ends, "what the test waits for did not come"
        await asyncio.sleep(0.01)
