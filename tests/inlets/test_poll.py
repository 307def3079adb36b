"""``poll``: what a provider has is taken in once and in order, whatever goes wrong between."""

from __future__ import annotations

import pytest

from hub.app import hub
from hub.flow import inlets
from hub.flow.host import Limits, loops
from hub.store import polls
from hub.store import tables as t
from tests import books
from tests.inlets.conftest import House, until
from tests.standins.courier import PAGE, Courier

TEXTS = [f"number {number}" for number in range(1, 2 * PAGE + 3)]


def asked_after(courier: Courier) -> list[str]:
    return [query for path, query in courier.asked if path == "/messages"]


async def test_what_is_there_is_taken_in_page_by_page_and_a_restart_goes_on(
    house: House, courier: Courier
) -> None:
    courier.write(*TEXTS)
    async with house.open("courier-poll"):
        await until(lambda: _all_in(house, TEXTS))
        assert asked_after(courier)[:3] == ["after=0", f"after={PAGE}", f"after={2 * PAGE}"]
        deliveries = await house.rows(t.deliveries)
        assert [row.source for row in deliveries] == ["poll"] * len(TEXTS)
        assert {row.state for row in deliveries} == {"done"}
    courier.asked.clear()
    courier.write("one more")
    async with house.open("courier-poll"):
        await until(lambda: _all_in(house, [*TEXTS, "one more"]))
    assert asked_after(courier)[0] == f"after={len(TEXTS)}"
    assert len(await house.rows(t.deliveries)) == len(TEXTS) + 1
    assert courier.most_polling == 1


async def _all_in(house: House, texts: list[str]) -> bool:
    return await house.texts() == texts


async def test_the_interval_outlives_the_process(house: House, courier: Courier) -> None:
    async with house.open("courier-poll", every=3000):
        await until(lambda: _stand(house))
    before = await _stand(house)
    asked = len(asked_after(courier))
    async with house.open("courier-poll", every=3000):
        (inlet,) = house.hub.inlets._running.values()
        assert await inlet.step() > 1  # seconds to rest
    assert len(asked_after(courier)) == asked
    assert await _stand(house) == before


async def _stand(house: House) -> polls.Stand | None:
    stand = await books.read(
        house.url, lambda c: polls.get(c, (house.hub.organisations["main"], "post"))
    )
    return stand if stand.version else None


@pytest.mark.feature("PLUG-04")
async def test_a_provider_that_is_away_is_asked_again_and_the_channel_says_so(
    house: House, courier: Courier, impatient: None
) -> None:
    courier.status["/messages"] = 503
    courier.write("hello")
    async with house.open("courier-poll") as channel:
        await until(lambda: len(asked_after(courier)) >= 3)
        assert channel.health.state == "transient"
        assert channel.health.reason == "poll failed: answered 503"
        stand = await _stand(house)
        assert stand is not None
        assert stand.failures >= 2
        courier.status["/messages"] = 401
        await until(lambda: channel.health.state == "needs_attention")
        assert channel.health.reason == "the key was revoked"
        assert channel.paused_reason is None, "it still sends"
    courier.status.clear()


async def test_it_waits_as_long_as_the_provider_asks(
    house: House, courier: Courier, impatient: None
) -> None:
    courier.status["/messages"] = 429
    courier.headers["Retry-After"] = "1800"
    async with house.open("courier-poll"):
        stand = await until(lambda: _stand(house))
    assert stand.due_at - inlets.now_ms() > 1_700_000


@pytest.mark.feature("PLUG-04")
async def test_it_is_well_again_after_the_first_poll_that_works(
    house: House, courier: Courier, impatient: None
) -> None:
    courier.status["/messages"] = 503
    courier.write("hello")
    async with house.open("courier-poll") as channel:
        await until(lambda: channel.health.state == "transient")
        courier.status.clear()
        await until(lambda: _all_in(house, ["hello"]))
        assert channel.health.state == "ok"
        stand = await _stand(house)
        assert stand is not None
        assert stand.failures == 0


async def test_one_that_cannot_be_read_is_set_aside_and_the_others_come_in(
    house: House, courier: Courier
) -> None:
    courier.write("first", "second", "third")
    del courier.messages[1]["text"]
    courier.messages.append({"id": "c-4", "text": "a lie", "forged": True})
    async with house.open("courier-poll"):
        await until(lambda: _all_in(house, ["first", "third"]))
        states = [row.state for row in await house.rows(t.deliveries)]
        assert states == ["done", "quarantined", "done"]
        assert house.hub.intake.counts["post", "refused"] == 1


@pytest.mark.feature("PLUG-04")
async def test_a_poll_that_blocks_its_thread_is_given_up_and_tried_again(
    house: House, courier: Courier, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "GRACE", 0.15)
    monkeypatch.setattr(hub, "Limits", lambda: Limits(poll=0.3))
    courier.write("hello")
    house.tell("block")
    async with house.open("courier-poll") as channel:
        channel._limits = type(channel._limits)(poll=0.3)
        await until(lambda: channel.health.state == "degraded")
        assert "no answer within 0.3 s" in (channel.health.reason or "")
        house.tell("block", on=False)
        await until(lambda: _all_in(house, ["hello"]))
        assert channel.health.state == "ok"


async def test_a_cursor_that_somebody_else_has_moved_leaves_nothing_behind(
    house: House, courier: Courier
) -> None:
    """Another process that holds the lease for longer than it should finds that it is late."""
    courier.write("hello")

    async with house.open("courier-poll") as channel:
        await until(lambda: _all_in(house, ["hello"]))
        await house.hub.inlets.stop()
        key = channel.key
        stand = await until(lambda: _stand(house))
        await house.hub.writer.execute(
            lambda c: polls.move(c, key, stand, cursor="1", failures=0, due_at=0)
        )
        result = await channel.poll("0")
        stored = await house.hub.intake.take_together(
            channel,
            result.deliveries,
            "poll",
            lambda c: polls.move(c, key, stand, cursor="1", failures=0, due_at=0),
        )
        assert not stored
        assert len(await house.rows(t.deliveries)) == 1
