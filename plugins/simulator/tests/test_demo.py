"""A few conversations to look at, on each medium."""

from __future__ import annotations

from typing import Any

import pytest
from hub_simulator import CallSimulator, EmailSimulator, Simulator, WhatsAppSimulator
from hub_simulator.demo import BEN, IVY, LI, NAMES

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


async def test_each_customer_has_one_name_wherever_a_name_is_told() -> None:
    told: dict[str, set[str | None]] = {}
    for kind in (WhatsAppSimulator, CallSimulator, EmailSimulator):
        async with running(kind=kind) as world:
            await world.call("POST", "demo")
            for event in world.ctx.events:
                if isinstance(event, Message):
                    told.setdefault(event.sender[0].value, set()).add(event.sender_name)
                if isinstance(event, CallStarted):
                    who = event.caller[0].value if event.caller else "withheld"
                    told.setdefault(who, set()).add(event.caller_name)
    assert told.pop("withheld") == {None}
    assert told == {who: {name} for who, name in NAMES.items()}
    async with running(kind=Simulator) as world:
        await world.call("POST", "demo")
        texted = {event.sender[0].value for event in world.ctx.events if isinstance(event, Message)}
        assert texted - set(NAMES) == {LI}
        assert {event.sender_name for event in world.ctx.events} == {None}
        assert (await world.phone(BEN)).name == ""


async def test_a_name_that_somebody_gave_a_phone_stays() -> None:
    async with running(kind=WhatsAppSimulator) as world:
        await world.call_them("Ivy of the bakery", IVY)
        await world.call("POST", "demo")
        names = {e.sender_name for e in world.ctx.events if e.sender[0].value == IVY}
        assert names == {"Ivy of the bakery"}
        assert (await world.phone(BEN)).name == NAMES[BEN]
