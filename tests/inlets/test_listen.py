"""``listen``: what comes over a connection that the plugin holds is stored before it is confirmed,
and the connection is held by one, again and again."""

from __future__ import annotations

import asyncio
import time

import pytest

from hub.flow.host import channel as host_channel
from hub.flow.host import loops
from hub.flow.writer import Unavailable
from hub.store import tables as t
from tests.inlets.conftest import House, until
from tests.standins.courier import Courier

TEXTS = [f"number {number}" for number in range(1, 8)]


async def test_what_is_confirmed_is_stored(house: House, courier: Courier) -> None:
    courier.write(*TEXTS)
    async with house.open("courier-listen") as channel:
        await until(lambda: len(courier.confirmed) == len(TEXTS))
        assert await house.texts() == TEXTS
        assert {row.source for row in await house.rows(t.deliveries)} == {"listen"}
        courier.write("later")
        await until(lambda: len(courier.confirmed) == len(TEXTS) + 1)
        assert channel.health.state == "ok"
    await until(lambda: not courier.listening)
    assert courier.most_listening == 1


@pytest.mark.parametrize("swallow", [False, True])
async def test_when_the_hub_stops_it_is_ended_also_where_it_does_not_want_to(
    house: House, courier: Courier, monkeypatch: pytest.MonkeyPatch, swallow: bool
) -> None:
    monkeypatch.setattr(host_channel, "GRACE", 0.2)
    monkeypatch.setattr(loops, "GRACE", 0.4)
    if swallow:
        house.tell("swallow")
    async with house.open("courier-listen"):
        await until(lambda: courier.listening == 1)
        before = time.monotonic()
    assert time.monotonic() - before < 20, "it does not hang"
    if not swallow:
        await until(lambda: not courier.listening)


@pytest.mark.feature("PLUG-04")
async def test_a_connection_that_ends_is_made_again_and_nothing_is_missed(
    house: House, courier: Courier, impatient: None
) -> None:
    async with house.open("courier-listen") as channel:
        for text in TEXTS[:3]:
            await until(lambda: courier.listening == 1)
            courier.hang_up()
            courier.write(text)
            await until(lambda text=text: _said(house, text))
        assert courier.listened >= 3
        courier.status["listen"] = 1
        courier.hang_up()
        await until(lambda: channel.health.state == "transient")
        assert channel.health.reason == "listen failed: the connection ended"
        host_channel.STEADY, steady = 0.2, host_channel.STEADY
        try:
            courier.status.clear()
            await until(lambda: channel.health.state == "ok")
        finally:
            host_channel.STEADY = steady
    assert await house.texts() == TEXTS[:3]
    assert courier.most_listening == 1


async def _said(house: House, text: str) -> bool:
    return text in await house.texts()


@pytest.mark.feature("PLUG-04")
async def test_a_listener_that_blocks_its_thread_is_given_up_and_begun_anew(
    house: House, courier: Courier, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "GRACE", 0.15)
    monkeypatch.setattr(loops, "WATCH", 0.1)
    house.tell("block")
    async with house.open("courier-listen") as channel:
        await until(lambda: courier.listening == 1)
        courier.write("hello")
        await until(lambda: channel.health.state == "degraded")
        assert "its thread was blocked" in (channel.health.reason or "")
        house.tell("block", on=False)
        await until(lambda: courier.confirmed == {1})
        assert await house.texts() == ["hello"]


async def test_what_cannot_be_stored_is_not_confirmed(
    house: House, courier: Courier, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.open("courier-listen"):
        await until(lambda: courier.listening == 1)
        refused: list[int] = []

        async def refuse(*_: object, **__: object) -> None:
            refused.append(1)
            raise Unavailable("the database cannot be written to")

        with monkeypatch.context() as patched:
            patched.setattr(house.hub.writer, "record", refuse)
            courier.write("hello")
            await until(lambda: refused)
            assert courier.confirmed == set()
        await until(lambda: courier.confirmed == {1})
        assert await house.texts() == ["hello"]


async def test_the_plugin_is_told_what_was_turned_away(
    house: House, courier: Courier, impatient: None
) -> None:
    courier.messages.append({"id": "c-1", "text": "a lie", "forged": True})
    async with house.open("courier-listen") as channel:
        await until(lambda: house.hub.intake.counts["post", "refused"] >= 2)
        assert channel.health.state == "degraded"
        assert channel.health.reason == "listen failed: it is not from the provider"
    assert courier.confirmed == set()
    assert await house.rows(t.deliveries) == []
    await asyncio.sleep(0)
