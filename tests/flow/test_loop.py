"""What goes round in the background."""

from __future__ import annotations

import asyncio

import pytest

from hub.flow import loop as flow
from hub.flow.loop import Loop
from hub.flow.writer import Unavailable
from tests.patience import PATIENCE

FOR_EVER = 3600.0


async def test_it_rests_until_it_is_woken() -> None:
    steps = asyncio.Semaphore(0)

    async def step() -> float:
        steps.release()
        return FOR_EVER

    loop = Loop("test", step)
    loop.start()
    for _ in range(5):
        await asyncio.wait_for(steps.acquire(), PATIENCE)
        assert steps.locked(), "it rests"
        loop.wake()
    await loop.stop()
    loop.wake()


async def test_a_step_that_fails_is_said_and_does_not_end_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = list[str]()
    monkeypatch.setattr(flow.log, "exception", lambda _event, loop: said.append(loop))
    faults: list[Exception] = [ValueError("odd"), Unavailable("away"), OSError("odd")]
    went_on = asyncio.Event()

    async def step() -> float:
        if faults:
            raise faults.pop(0)
        went_on.set()
        return FOR_EVER

    loop = Loop("test", step, idle=0.001)
    loop.start()
    await asyncio.wait_for(went_on.wait(), PATIENCE)
    await loop.stop()
    assert said == ["test", "test"], "the writer says itself that the database is away"


@pytest.mark.parametrize("ending", [0.0, 10.0])
async def test_a_step_under_way_may_be_let_end(ending: float) -> None:
    began, may_end, ended = asyncio.Event(), asyncio.Event(), list[bool]()

    async def step() -> float:
        began.set()
        await may_end.wait()
        ended.append(True)
        return 0

    loop = Loop("test", step)
    loop.start()
    await began.wait()
    asyncio.get_running_loop().call_later(0.01, may_end.set)
    await loop.stop(ending)
    assert bool(ended) == bool(ending)
