"""``fetch``: what a delivery only names is got later, durably, and taken in once."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from hub.flow import references
from hub.store import tables as t
from tests.inlets.conftest import House, until
from tests.standins.courier import Courier


async def named(house: House, name: str) -> None:
    assert (await house.post(reference=name)).status_code == 200


async def states(house: House) -> list[tuple[str, str]]:
    return [(row.source, row.state) for row in await house.rows(t.deliveries)]


async def given_up(house: House) -> bool:
    return [row.state for row in await house.rows(t.fetches)] == ["failed"]


async def test_what_is_named_is_fetched_and_taken_in_once(house: House, courier: Courier) -> None:
    courier.bodies["b-1"] = {"id": "c-1", "text": "the whole mail"}
    async with house.open("courier-fetch"):
        await named(house, "b-1")
        await until(house.texts)
        assert await house.texts() == ["the whole mail"]
        assert await states(house) == [("http", "done"), ("fetch", "done")]
        first = (await house.rows(t.deliveries))[0]
        assert (await house.hub.replay.dry_run(house.channel, first)).state == "done"
        await named(house, "b-1")  # the provider delivers again
        assert len([path for path, _ in courier.asked if path == "/bodies/b-1"]) == 1
        ((row),) = await house.rows(t.fetches)
        assert (row.state, row.attempts, row.due_at) == ("done", 1, None)


async def test_it_is_tried_again_and_survives_a_restart(
    house: House, courier: Courier, impatient: None
) -> None:
    courier.bodies["b-1"] = {"id": "c-1", "text": "the whole mail"}
    courier.status["/bodies"] = 503
    async with house.open("courier-fetch"):
        await named(house, "b-1")
        await until(lambda: len(courier.asked) >= 2)
    courier.status.clear()
    async with house.open("courier-fetch"):
        await until(house.texts)
    assert await house.texts() == ["the whole mail"]


async def test_one_under_way_when_the_hub_stops_is_begun_anew_at_once(
    house: House, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "ENDING", 0.05)
    courier.bodies["b-1"] = {"id": "c-1", "text": "the whole mail"}
    go_on = threading.Event()
    courier.during_body = go_on.wait
    async with house.open("courier-fetch"):
        await named(house, "b-1")
        await until(lambda: courier.asked)
    go_on.set()
    async with house.open("courier-fetch"):
        await until(house.texts)
    assert await house.texts() == ["the whole mail"]
    assert [row.attempts for row in await house.rows(t.fetches)] == [1]


@pytest.mark.feature("PLUG-04")
@pytest.mark.parametrize("how", ["at once", "in the end"])
async def test_what_cannot_be_had_puts_what_named_it_into_quarantine(
    house: House, courier: Courier, impatient: None, how: str
) -> None:
    if how == "in the end":
        courier.status["/bodies"] = 503
    async with house.open("courier-fetch"):
        await named(house, "b-1")
        await until(lambda: given_up(house))
        (delivery,) = await house.rows(t.deliveries)
        assert delivery.state == "quarantined"
        why = "it was deleted" if how == "at once" else "answered 503"
        assert delivery.reason == f"b-1 could not be fetched: {why}"
        assert len(courier.asked) == (1 if how == "at once" else references.TRIES)
        courier.status.clear()
        courier.bodies["b-1"] = {"id": "c-1", "text": "found again"}
        (replayed,) = await house.hub.replay.replay()
        assert replayed.state == "done"
        await until(house.texts)
        assert await states(house) == [("http", "done"), ("fetch", "done")]


async def test_what_was_fetched_may_name_more(house: House, courier: Courier) -> None:
    courier.bodies["b-1"] = {"reference": "b-2"}
    courier.bodies["b-2"] = {"id": "c-1", "text": "the last page"}
    async with house.open("courier-fetch"):
        await named(house, "b-1")
        await until(house.texts)
    assert await states(house) == [("http", "done"), ("fetch", "done"), ("fetch", "done")]


async def test_what_was_fetched_and_cannot_be_read_is_quarantined(
    house: House, courier: Courier
) -> None:
    courier.bodies["b-1"] = {"id": "c-1"}
    async with house.open("courier-fetch"):
        await named(house, "b-1")
        await until(lambda: _two(house))
    assert await states(house) == [("http", "done"), ("fetch", "quarantined")]


async def _two(house: House) -> bool:
    return len(await house.rows(t.deliveries)) == 2


async def test_an_attempt_that_was_taken_over_brings_nothing_in(
    house: House, courier: Courier, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow process comes back after another has fetched the same."""
    courier.bodies["b-1"] = {"id": "c-1", "text": "the whole mail"}
    async with house.open("courier-fetch") as channel:
        slow = asyncio.Event()
        fetch = channel.fetch

        async def slowly(ref: object) -> object:
            delivery = await fetch(ref)  # type: ignore[arg-type]
            if not slow.is_set():
                slow.set()
                await until(house.texts)
            return delivery

        take, taken = house.hub.intake.take_together, list[bool]()

        async def watched(*arguments: Any) -> bool:
            taken.append(await take(*arguments))
            return taken[-1]

        monkeypatch.setattr(channel, "fetch", slowly)
        monkeypatch.setattr(house.hub.intake, "take_together", watched)
        house.hub.references._lease = 200
        await named(house, "b-1")
        await slow.wait()
        other = references.References(
            house.hub.database, house.hub.writer, house.hub.intake, house.hub.channels
        )
        other.start()
        await until(house.texts)
        await other.stop()
        await until(lambda: len(taken) == 2)
        assert taken == [True, False]
        assert await states(house) == [("http", "done"), ("fetch", "done")]


async def test_a_plugin_that_cannot_fetch_what_it_names_is_told_so(
    house: House, courier: Courier
) -> None:
    async with house.open("courier-voice"):
        await named(house, "b-1")
    ((row),) = await house.rows(t.deliveries)
    assert row.state == "quarantined"
    assert row.reason == "the plugin names what is to be fetched, but has no hook fetch"
