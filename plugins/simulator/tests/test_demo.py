"""A few conversations to look at, on each medium."""

from __future__ import annotations

from typing import Any

import pytest
from hub_simulator import CallSimulator, EmailSimulator, Simulator, WhatsAppSimulator

from hub.plugin import CallOutcome, CallStarted, Message, Voicemail
from plugins.simulator.tests.world import running


@pytest.mark.parametrize("kind", [Simulator, WhatsAppSimulator, CallSimulator, EmailSimulator])
async def test_customers_write_or_call_once_however_often_it_is_played(kind: Any) -> None:
    async with running(kind=kind) as world:
        for _ in range(2):
            assert (await world.call("POST", "demo")).status == 204
        events = world.ctx.events
        ids = [each.external_id for each in events if isinstance(each, Message | CallStarted)]
        assert len(set(ids)) == len(ids) >= 3
        for number in await world.phones.numbers():
            await world.quiet(number)
        if kind is CallSimulator:
            assert {True, False} == {e.handed_over for e in events if isinstance(e, CallOutcome)}
            assert any(isinstance(each, Voicemail) for each in events)
            assert any(not e.caller for e in events if isinstance(e, CallStarted))
