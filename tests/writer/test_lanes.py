"""What waits: in order, bounded, and no lane starves the other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.flow.writer import lanes
from hub.flow.writer.lanes import BULK_SHARE, HEAVIEST_BATCH, LARGEST_BATCH, Lanes, Unavailable
from hub.rules import commands as c

FUTURE: Any = None


def kept(size: int) -> tuple[c.KeepDelivery]:
    """A delivery with a body."""
    return (
        c.KeepDelivery(
            organisation_id=1,
            at=0,
            id=1,
            channel_id="sms",
            state="done",
            reason=None,
            source="http",
            method="POST",
            url="",
            headers="[]",
            body=b"x" * size,
            body_blob=None,
            size=size,
            remote=None,
            proof=None,
            attempts=1,
        ),
    )


def named(name: str) -> Any:
    """Work that is told apart."""
    return lambda _transaction: name


@given(st.lists(st.booleans(), max_size=700))
def test_two_lanes_each_first_in_first_out_and_each_with_its_share(asked: list[bool]) -> None:
    waiting = Lanes()
    works = [(named(str(number)), bulk) for number, bulk in enumerate(asked)]
    for work, bulk in works:
        waiting.put(work, FUTURE, bulk=bulk)
    left = {bulk: [work for work, each in works if each == bulk] for bulk in (False, True)}
    while len(waiting):
        batch = [item.work for item in waiting.take()]
        assert 0 < len(batch) <= LARGEST_BATCH
        taken = {bulk: [one for one in left[bulk] if one in batch] for bulk in (False, True)}
        for bulk in (False, True):
            assert taken[bulk] == left[bulk][: len(taken[bulk])], "in order"
        assert len(taken[True]) == min(BULK_SHARE, len(left[True])), "bulk goes on under any load"
        room = LARGEST_BATCH - len(taken[True])
        assert len(taken[False]) == min(room, len(left[False])), "and holds nobody up"
        left = {bulk: left[bulk][len(taken[bulk]) :] for bulk in (False, True)}
    assert not left[False]
    assert not left[True]


@given(st.lists(st.integers(0, HEAVIEST_BATCH // 2), min_size=1, max_size=12))
def test_a_batch_is_bounded_by_bytes_and_never_empty(sizes: list[int]) -> None:
    waiting = Lanes()
    for size in sizes:
        waiting.put(kept(size), FUTURE, bulk=False)
    taken = 0
    while batch := waiting.take():
        weights = [item.weight for item in batch]
        assert len(batch) == 1 or sum(weights) <= HEAVIEST_BATCH
        assert weights == sizes[taken : taken + len(weights)]
        taken += len(weights)
    assert taken == len(sizes)


def test_bounds_too_many_are_refused_and_room_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LONGEST", 3)
    waiting = Lanes()
    for _ in range(3):
        waiting.put(kept(1), FUTURE, bulk=False)
    with pytest.raises(Unavailable, match="too much"):
        waiting.put(kept(1), FUTURE, bulk=True)
    waiting.take()
    waiting.put(kept(1), FUTURE, bulk=False)


def test_bounds_too_many_bytes_are_refused_but_never_the_only_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "HEAVIEST", 100)
    waiting = Lanes()
    waiting.put(kept(1_000), FUTURE, bulk=False)
    with pytest.raises(Unavailable, match="too much"):
        waiting.put(kept(1), FUTURE, bulk=False)


def test_what_waited_too_long_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Lanes()
    waiting.put(kept(1), FUTURE, bulk=False)
    waiting.put(kept(2), FUTURE, bulk=True)
    assert waiting.expire() == []
    monkeypatch.setattr(lanes, "OLDEST", -1.0)
    assert [item.weight for item in waiting.expire()] == [1, 2]
    assert len(waiting) == 0


async def test_a_thread_that_waits_hears_of_work_and_of_the_end() -> None:
    waiting = Lanes()
    assert await asyncio.to_thread(waiting.wait, 0.001)
    assert waiting.take() == []
    hearing = asyncio.create_task(asyncio.to_thread(waiting.wait, None))
    waiting.put(kept(7), FUTURE, bulk=False)
    assert await hearing
    assert [item.weight for item in waiting.take()] == [7]
    ending = asyncio.create_task(asyncio.to_thread(waiting.wait, None))
    waiting.stop()
    assert not await ending
    with pytest.raises(Unavailable, match="shutting down"):
        waiting.put(kept(1), FUTURE, bulk=False)
