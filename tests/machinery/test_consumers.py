"""Consumers of the journal: everything once, in order, whatever they do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal

import pytest
from sqlalchemy.exc import IntegrityError

from hub.flow import consumers as flow
from hub.flow.consumers import ApplyFailed, Consumer, Consumers
from hub.flow.writer import Transaction
from hub.rules import commands as c
from hub.rules.content import Content
from hub.store import consumers as store
from hub.store import leases
from hub.store import tables as t
from hub.store.journal import Line
from tests.machinery.conftest import ORG, Rig, mark, opened, until


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried again at once."""
    monkeypatch.setattr(flow, "FIRST_WAIT", 0.001)


def counting(name: str = "counting", begins: Literal["start", "end"] = "start") -> Consumer:
    def apply(transaction: Transaction, _org: int, lines: Sequence[Line]) -> None:
        for line in lines:
            mark(transaction.connection, name, line.position)

    return Consumer(name=name, apply=apply, begins=begins)


@asynccontextmanager
async def running(rig: Rig, *consumers: Consumer, **options: Any) -> AsyncIterator[Consumers]:
    made = Consumers(rig.database, rig.writer, consumers, **options)
    rig.listening.append(made)
    await made.start([ORG])
    try:
        yield made
    finally:
        rig.listening.remove(made)
        await made.stop()


async def caught_up(rig: Rig, consumers: Consumers) -> int:
    head = await rig.head()

    async def all_read() -> bool:
        cursors = await rig.rows(t.consumers)
        return all(row.position == head for row in cursors)

    await until(all_read)
    await until(lambda: not any(consumers.lags.values()))
    return head


async def test_every_change_is_seen_once_in_order(rig: Rig) -> None:
    await rig.message()
    async with running(rig, counting(), counting("late", "end"), batch=3) as consumers:
        before = await caught_up(rig, consumers)
        await asyncio.gather(*(rig.message() for _ in range(20)))
        head = await caught_up(rig, consumers)
    assert head > before > 0
    assert await rig.rows(t.leases) == [], "nobody has to wait for who has stopped"
    assert await rig.marked("counting") == list(range(1, head + 1))
    assert await rig.marked("late") == list(range(before + 1, head + 1)), "it began at the end"
    await rig.message()
    async with running(rig, counting(), counting("late", "end")) as consumers:
        head = await caught_up(rig, consumers)
    assert await rig.marked("counting") == list(range(1, head + 1)), "it goes on where it was"
    assert await rig.marked("late") == list(range(before + 1, head + 1))


async def test_what_a_consumer_commands_is_committed_with_its_cursor(rig: Rig) -> None:
    def note(transaction: Transaction, org: int, lines: Sequence[Line]) -> None:
        added = [line for line in lines if line.type == "entry.added" and line.channel_id == "sms"]
        transaction.record(
            [
                c.AddNote(
                    organisation_id=org,
                    at=int(time.time() * 1000),
                    entry_id=rig.ids.new(),
                    thread_id=line.thread_id or 0,
                    by_member_id=1,
                    content=Content(text="seen"),
                    preview="seen",
                )
                for line in added
            ]
        )

    async with running(rig, Consumer(name="notes", apply=note, begins="start")) as consumers:
        for _ in range(5):
            await rig.message()

        async def noted() -> bool:
            return [entry.kind for entry in await rig.rows(t.entries)].count("note") == 5

        await until(noted)
        await caught_up(rig, consumers)
    kinds = sorted(entry.kind for entry in await rig.rows(t.entries))
    assert kinds == ["message"] * 5 + ["note"] * 5


@pytest.mark.parametrize("kind", ["plain", "database", "os"])
async def test_a_change_it_raises_on_is_parked_and_the_rest_goes_on(rig: Rig, kind: str) -> None:
    bad, broken = 4, True
    tries: list[int] = []

    def fail() -> None:
        if kind == "plain":
            raise ValueError("no such colour")
        if kind == "os":
            raise FileNotFoundError("no such colour")
        raise IntegrityError("no such colour", None, Exception("no such colour"))

    def apply(transaction: Transaction, _org: int, lines: Sequence[Line]) -> None:
        for line in lines:
            mark(transaction.connection, "picky", line.position)
            if line.position == bad and broken:
                tries.append(len(lines))
                fail()

    for _ in range(6):
        await rig.message()
    picky = Consumer(name="picky", apply=apply, begins="start")
    async with running(rig, picky, counting()) as consumers:
        head = await caught_up(rig, consumers)
        rest = [position for position in range(1, head + 1) if position != bad]
        assert await rig.marked("picky") == rest, "nothing of the parked change is left"
        assert await rig.marked("counting") == list(range(1, head + 1))
        (parked,) = await rig.database.read(store.parked)
        assert (parked.consumer, parked.organisation_id, parked.position) == ("picky", ORG, bad)
        assert "no such colour" in parked.reason
        assert consumers.parked == {"picky": 1}
        assert tries.count(1) == flow.TRIES, "it was tried several times by itself"
        with pytest.raises(ApplyFailed, match="no such colour"):
            await consumers.try_again("picky", ORG, bad)
        assert await rig.database.read(store.parked) == [parked]
        broken = False
        assert await consumers.try_again("picky", ORG, bad)
        assert not await consumers.try_again("picky", ORG, bad), "it is parked no more"
        assert await rig.marked("picky") == [*rest, bad]


async def test_a_fault_that_passes_parks_nothing(rig: Rig) -> None:
    faults = iter(range(3))

    def apply(transaction: Transaction, _org: int, lines: Sequence[Line]) -> None:
        for line in lines:
            mark(transaction.connection, "shaky", line.position)
        if next(faults, None) is not None:
            raise ConnectionError("away for a moment")

    for _ in range(4):
        await rig.message()
    async with running(rig, Consumer(name="shaky", apply=apply, begins="start")) as consumers:
        head = await caught_up(rig, consumers)
    assert await rig.marked("shaky") == list(range(1, head + 1))
    assert await rig.database.read(store.parked) == []


async def test_one_that_is_behind_holds_up_nobody_else(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    stuck = True

    def apply(_transaction: Transaction, _org: int, lines: Sequence[Line]) -> None:
        sizes.append(len(lines))
        if stuck:
            raise RuntimeError("not now")

    slow = Consumer(name="slow", apply=apply, begins="start")
    monkeypatch.setattr(flow, "TRIES", 1_000_000)
    async with running(rig, slow, counting(), batch=4) as consumers:
        for _ in range(10):
            await rig.message()
        head = await rig.head()

        async def all_seen() -> bool:
            return len(await rig.marked("counting")) == head

        await until(all_seen)
        assert await rig.marked("counting") == list(range(1, head + 1))
        await until(lambda: consumers.lags["slow", ORG] == head)
        stuck = False
        await until(lambda: consumers.lags["slow", ORG] == 0)
        assert max(sizes) == 4, "it reads a batch ahead at the most"


async def test_a_lease_keeps_others_out_and_the_cursor_what_a_lost_one_would_do(
    rig: Rig,
) -> None:
    """Another process holds the lease; when it has run out, this one takes over."""
    name = f"consumer:counting:{ORG}"
    now = int(time.time() * 1000)
    await rig.write(
        lambda connection: leases.take(connection, name, "other", now=now, until=now + 1_500)
    )
    async with running(rig, counting()) as consumers:
        await rig.message()
        await until(lambda: consumers.lags["counting", ORG] > 0)
        assert await rig.marked("counting") == []
        head = await caught_up(rig, consumers)
    assert time.time() * 1000 >= now + 1_500
    assert await rig.marked("counting") == list(range(1, head + 1))


async def test_two_at_once_see_every_change_once(rig: Rig) -> None:
    """Even when no lease keeps them apart."""
    async with AsyncExitStack() as stack:
        other = rig
        if rig.database.dialect == "postgresql":  # as another process
            other = await stack.enter_async_context(opened(rig.url, node=8))
        first = await stack.enter_async_context(running(rig, counting(), lease=-1, batch=2))
        await stack.enter_async_context(running(other, counting(), lease=-1, batch=2))
        await asyncio.gather(*(one.message() for one in (rig, other) for _ in range(15)))
        head = await caught_up(rig, first)
    assert sorted(await rig.marked("counting")) == list(range(1, head + 1))
