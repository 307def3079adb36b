"""Things due later: done once each, whatever the clock on the wall does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest
from msgspec import Struct

from hub.flow import clock as flow
from hub.flow.clock import Clock, Timer
from hub.flow.writer import Transaction
from hub.store import clock as store
from hub.store import tables as t
from hub.store.clock import Due
from tests.machinery.conftest import ORG, Rig, mark, marks, opened, until

HOUR = 3_600_000


class Wall:
    """A clock on the wall that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000 * HOUR

    def __call__(self) -> int:
        return self.now


class About(Struct):
    """What a thing is about."""

    number: int


def _mark(transaction: Transaction, due: Due, about: About) -> None:
    mark(transaction.connection, due.key, about.number)


MARK = Timer(kind="mark", payload=About, fire=_mark)


@asynccontextmanager
async def running(rig: Rig, now: Callable[[], int], *timers: Timer[About]) -> AsyncIterator[Clock]:
    clock = Clock(rig.database, rig.writer, timers or (MARK,), now=now)
    clock.start()
    try:
        yield clock
    finally:
        await clock.stop()


async def put(rig: Rig, key: str, due_at: int, number: int = 1) -> None:
    await rig.write(lambda connection: MARK.put(connection, ORG, key, due_at, About(number)))


async def seen(rig: Rig) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row in await rig.rows(marks):
        found.setdefault(row.what, []).append(row.number)
    return found


async def test_each_is_done_when_it_is_due_and_once(rig: Rig) -> None:
    wall = Wall()
    now = wall.now
    for hour in range(4):
        await put(rig, f"after {hour}", now + hour * HOUR, hour)
    await put(rig, "moved", now)
    await put(rig, "canceled", now)
    await put(rig, "set again", now, 1)
    await put(rig, "set again", now + HOUR, 2)
    assert await rig.write(partial(store.move, organisation_id=ORG, kind="mark", key="moved",
                                   due_at=now + 2 * HOUR))  # fmt: skip
    cancel = partial(store.cancel, organisation_id=ORG, kind="mark", key="canceled")
    assert await rig.write(cancel)
    assert not await rig.write(cancel)
    async with running(rig, wall) as clock:
        await until(lambda: clock.fired["mark", "done"] == 1)
        assert await seen(rig) == {"after 0": [0]}
        wall.now += HOUR
        clock.wake()
        await until(lambda: clock.fired["mark", "done"] == 3)
    assert await seen(rig) == {"after 0": [0], "after 1": [1], "set again": [2]}
    wall.now += 10 * HOUR  # nothing runs; what fell due meanwhile is done after the start
    async with running(rig, wall) as clock:
        await until(lambda: clock.fired["mark", "done"] == 3)
    assert await rig.rows(t.due) == []
    assert all(len(numbers) == 1 for numbers in (await seen(rig)).values())


async def test_a_wall_clock_that_jumps_loses_and_doubles_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is noticed without being told: the clock looks again by itself."""
    monkeypatch.setattr(flow, "LOOK", 0.05)
    wall = Wall()
    for hour in range(1, 7):
        await put(rig, f"after {hour}", wall.now + hour * HOUR, hour)
    async with running(rig, wall) as clock:
        for jump, done in ((3, 3), (-2, 3), (1, 3), (2, 4), (-4, 4), (6, 6)):
            wall.now += jump * HOUR
            await until(lambda done=done: clock.fired["mark", "done"] == done)
    assert await seen(rig) == {f"after {hour}": [hour] for hour in range(1, 7)}


async def test_a_thing_may_set_itself_again(rig: Rig) -> None:
    wall = Wall()

    def again(transaction: Transaction, due: Due, about: About) -> None:
        _mark(transaction, due, about)
        timer.put(transaction.connection, ORG, due.key, due.due_at + HOUR, About(about.number + 1))

    timer = Timer(kind="mark", payload=About, fire=again)
    await put(rig, "every hour", wall.now)
    async with running(rig, wall, timer) as clock:
        for number in range(1, 4):
            await until(lambda number=number: clock.fired["mark", "done"] == number)
            wall.now += HOUR
            clock.wake()
    assert (await seen(rig))["every hour"][:3] == [1, 2, 3]


async def test_one_that_raises_is_tried_again_then_given_up_and_the_rest_is_done(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "TRIES", 3)
    wall = Wall()
    broken = True

    def fire(transaction: Transaction, due: Due, about: About) -> None:
        _mark(transaction, due, about)
        if broken and due.key == "bad":
            raise FileNotFoundError("no such colour")

    timer = Timer(kind="mark", payload=About, fire=fire)
    for key in ("bad", *map(str, range(10))):
        await put(rig, key, wall.now)
    await rig.write(lambda connection: store.put(connection, ORG, "unheard-of", "x", wall.now, "1"))
    async with running(rig, wall, timer) as clock:
        await until(lambda: clock.fired["mark", "done"] == 10)
        for failures in (1, 2):
            await until(lambda n=failures: clock.fired["mark", "failed"] == n)
            await until(lambda n=failures: clock.fired["unheard-of", "failed"] == n)
            wall.now += HOUR
            clock.wake()
        await until(lambda: clock.fired["mark", "given_up"] == 1)
        await until(lambda: clock.fired["unheard-of", "given_up"] == 1)
        bad, unknown = sorted(await rig.database.read(store.given_up), key=lambda due: due.kind)
        assert (bad.key, bad.reason) == ("bad", "FileNotFoundError: no such colour")
        assert "nothing here knows the kind" in (unknown.reason or "")
        assert "bad" not in await seen(rig), "nothing is left of what failed"
        broken = False
        assert await rig.write(partial(store.move, organisation_id=ORG, kind="mark", key="bad",
                                       due_at=bad.due_at))  # fmt: skip
        clock.wake()
        await until(lambda: clock.fired["mark", "done"] == 11)
    assert all(numbers == [1] for numbers in (await seen(rig)).values())


async def test_two_processes_do_each_once(rig: Rig) -> None:
    wall = Wall()
    for number in range(120):
        await put(rig, str(number), wall.now, number)
    async with AsyncExitStack() as stack:
        other = rig
        if rig.database.dialect == "postgresql":
            other = await stack.enter_async_context(opened(rig.url, node=8))
        clocks = [await stack.enter_async_context(running(one, wall)) for one in (rig, other)]
        await until(lambda: sum(clock.fired["mark", "done"] for clock in clocks) >= 120)
        await asyncio.gather(*(clock.stop() for clock in clocks))
    assert await seen(rig) == {str(number): [number] for number in range(120)}


async def test_what_is_moved_or_set_anew_between_a_look_and_its_turn_waits(rig: Rig) -> None:
    wall = Wall()
    for key in ("moved", "kept"):
        await put(rig, key, wall.now)
    found = await rig.database.read(lambda connection: store.ready(connection, wall.now, 9))
    kept, moved = sorted(found, key=lambda due: due.key)
    await put(rig, "moved", wall.now + HOUR, 2)
    assert await rig.write(partial(store.take, due=moved)) is None
    assert await rig.write(partial(store.take, due=kept)) == kept
    assert await rig.write(partial(store.take, due=kept)) is None
    get = partial(store.get, organisation_id=ORG, kind="mark", key="moved")
    waiting = await rig.database.read(get)
    assert waiting is not None
    assert (waiting.due_at, waiting.payload) == (wall.now + HOUR, '{"number":2}')
