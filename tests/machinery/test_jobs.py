"""Jobs: in steps, each committed with its progress; resumed, canceled, failed, shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from msgspec import Struct

from hub.flow.host import now_ms
from hub.flow.jobs import Commit, JobFailed, JobFeed, JobKind, Jobs, Progress, Task, runner
from hub.flow.stream import Subscriber
from hub.flow.writer import Transaction
from hub.rules.states import Refusal
from hub.store import jobs as store
from hub.store import tables as t
from hub.store.people import Organisation
from hub.store.scope import Scope
from tests.machinery.conftest import ORG, Rig, mark, opened, until
from tests.patience import PATIENCE

ANA, BEN = 11, 12
Hook = Callable[[int], Any]


class Count(Struct):
    """Count so far."""

    upto: int


def counter(before: Hook | None = None, inside: Hook | None = None) -> JobKind[Count, int]:
    """A kind that marks one number a step."""

    async def step(task: Task[Count, int]) -> Commit[int]:
        number = task.saved
        if before is not None:
            await before(number)

        def commit(transaction: Transaction) -> Progress[int]:
            mark(transaction.connection, str(task.id), number)
            if inside is not None:
                inside(number)
            finished = number == task.request.upto
            return Progress(
                saved=number + 1,
                done=number,
                total=task.request.upto,
                finished=finished,
                result={"counted": number} if finished else None,
            )

        return commit

    return JobKind(name="count", request=Count, saved=int, begin=lambda _: 1, step=step)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "backoff", lambda _attempts, _chance: 1)
    monkeypatch.setattr(runner, "IDLE", 0.02)


@asynccontextmanager
async def running(
    rig: Rig,
    kind: JobKind[Any, Any],
    changed: Callable[[], None] = lambda: None,
    *,
    lease: int = 90_000,
) -> AsyncIterator[Jobs]:
    jobs = Jobs(rig.database, rig.writer, [kind], changed, lease=lease)
    await jobs.start()
    try:
        yield jobs
    finally:
        await jobs.stop()


async def put(rig: Rig, upto: int, member: int = ANA, kind: JobKind[Any, Any] | None = None) -> int:
    id_ = rig.ids.new()
    await rig.write(
        lambda connection: (kind or counter()).put(
            connection, id_, Count(upto), organisation_id=ORG, member_id=member, now=now_ms()
        )
    )
    return id_


async def job(rig: Rig, id_: int, member: int = ANA) -> store.Job:
    found = await rig.database.read(lambda connection: store.one(connection, ORG, member, id_))
    assert found is not None
    return found


async def ended(rig: Rig, id_: int) -> store.Job:
    async def look() -> store.Job | None:
        found = await job(rig, id_)
        return found if found.finished_at is not None else None

    return await until(look)


async def test_a_job_is_done_step_by_step(rig: Rig) -> None:
    async with running(rig, counter()) as jobs:
        id_ = await put(rig, 5)
        jobs.wake()
        done = await ended(rig, id_)
        assert jobs.ended == {("count", "done"): 1}
    assert (done.state, done.done, done.total) == ("done", 5, 5)
    assert json.loads(done.result or "") == {"counted": 5}
    assert await rig.marked(str(id_)) == [1, 2, 3, 4, 5]


async def test_it_goes_on_after_a_stop_where_it_was(rig: Rig) -> None:
    reached = asyncio.Event()

    async def before(number: int) -> None:
        if number == 3:
            reached.set()

    id_ = await put(rig, 40)
    async with running(rig, counter(before)):
        await reached.wait()
    halfway = await job(rig, id_)
    assert halfway.state == "waiting"
    assert 2 <= halfway.done < 40
    async with running(rig, counter()):
        assert (await ended(rig, id_)).state == "done"
    assert await rig.marked(str(id_)) == list(range(1, 41))


async def test_one_whose_process_died_is_taken_over_when_its_lease_runs_out(rig: Rig) -> None:
    """On SQLite, where this process is the only one, the lease is void from the start."""
    id_ = await put(rig, 3)
    ends = now_ms() + 400

    def die(connection: store.Connection) -> None:
        values: dict[str, Any] = {"kinds": ["count"], "now": now_ms(), "until": ends, "limit": 1}
        assert len(store.lease(connection, token="dead", **values)) == 1
        assert store.lease(connection, token="late", **values) == []

    await rig.write(die)
    async with running(rig, counter()):
        assert (await ended(rig, id_)).state == "done"
    assert rig.database.dialect == "sqlite" or now_ms() >= ends
    assert await rig.marked(str(id_)) == [1, 2, 3]


async def test_a_step_that_raises_is_tried_again_and_leaves_nothing(rig: Rig) -> None:
    faults = {2: 2, 4: 3}

    def inside(number: int) -> None:
        if faults.get(number):
            faults[number] -= 1
            raise OSError("away for a moment")

    async with running(rig, counter(inside=inside)):
        id_ = await put(rig, 5)
        assert (await ended(rig, id_)).state == "done"
    assert await rig.marked(str(id_)) == [1, 2, 3, 4, 5]


async def test_one_that_raises_again_and_again_fails(rig: Rig) -> None:
    tries: list[int] = []

    async def before(number: int) -> None:
        if number == 2:
            tries.append(number)
            raise LookupError("secret detail")

    async with running(rig, counter(before)):
        id_ = await put(rig, 5)
        failed = await ended(rig, id_)
    assert (failed.state, failed.done) == ("failed", 1)
    assert failed.reason == "A step failed 5 times (LookupError); the hub's log says more."
    assert len(tries) == runner.TRIES


async def test_one_that_says_it_cannot_go_on_fails_with_its_reason(rig: Rig) -> None:
    def inside(number: int) -> None:
        if number == 2:
            raise JobFailed("Line 2 has no telephone number.")

    async with running(rig, counter(inside=inside)):
        id_ = await put(rig, 5)
        failed = await ended(rig, id_)
    assert (failed.state, failed.reason) == ("failed", "Line 2 has no telephone number.")
    assert await rig.marked(str(id_)) == [1]


async def test_canceling(rig: Rig) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def before(number: int) -> None:
        if number == 3:
            reached.set()
            await go.wait()

    waiting = await put(rig, 5)
    jobs = Jobs(rig.database, rig.writer, [], lambda: None)
    at_once = await jobs.cancel(ORG, ANA, waiting)
    assert at_once is not None
    assert at_once.state == "canceled"
    with pytest.raises(Refusal, match="canceled already"):
        await jobs.cancel(ORG, ANA, waiting)
    assert await jobs.cancel(ORG, BEN, waiting) is None, "it is another's"
    assert await jobs.cancel(ORG + 1, ANA, waiting) is None
    async with running(rig, counter(before)) as jobs:
        id_ = await put(rig, 5)
        await reached.wait()
        asked = await jobs.cancel(ORG, ANA, id_)
        assert asked is not None
        assert (asked.state, asked.cancel) == ("running", True)
        go.set()
        assert (await ended(rig, id_)).state == "canceled"
        with pytest.raises(Refusal):
            await jobs.cancel(ORG, ANA, id_)
    assert await rig.marked(str(id_)) == [1, 2], "the step under way was not taken"
    assert await rig.marked(str(waiting)) == []


async def test_two_processes_take_no_step_twice(rig: Rig) -> None:
    async with AsyncExitStack() as stack:
        other = rig
        if rig.database.dialect == "postgresql":
            other = await stack.enter_async_context(opened(rig.url, node=8))
        # The lease is over as soon as it is taken: they take each other's jobs all the time.
        for one in (rig, other):
            await stack.enter_async_context(running(one, counter(), lease=0))
        ids = [await put(rig, 8) for _ in range(4)]
        for id_ in ids:
            assert (await ended(rig, id_)).state == "done"
    for id_ in ids:
        assert await rig.marked(str(id_)) == list(range(1, 9))


async def test_it_is_shown_to_who_started_it_and_to_nobody_else(rig: Rig) -> None:
    organisation = Organisation(id=ORG, slug="main", name="Main", time_zone="UTC")
    go = asyncio.Event()

    async def before(_number: int) -> None:
        await go.wait()

    ana = Subscriber(organisation, Scope(ORG), ANA)
    ben = Subscriber(organisation, Scope(ORG), BEN)
    feed = JobFeed(rig.database, rig.stream)
    feed.start()
    async with (
        running(rig, counter(before), feed.changed) as jobs,
        rig.stream.subscribed(ana),
        rig.stream.subscribed(ben),
    ):
        id_ = await put(rig, 3)
        jobs.wake()
        told: list[dict[str, Any]] = []
        async with asyncio.timeout(PATIENCE):
            while not told or told[-1]["state"] != "done":
                message = json.loads(await ana.queue.get() or b"{}")
                assert message["type"] == "job.changed"
                told.append(message["job"])
                go.set()
        assert {one["id"] for one in told} == {str(id_)}
        versions = [one["version"] for one in told]
        assert versions == sorted(set(versions))
        assert told[0]["state"] in {"waiting", "running"}
        assert told[-1]["result"] == {"counted": 3}
        assert ben.queue.empty()
    await feed.stop()


async def test_the_list_is_the_members_own(rig: Rig) -> None:
    ids = [await put(rig, 1) for _ in range(5)]
    await put(rig, 1, BEN)
    assert len(await rig.rows(t.jobs)) == 6

    def page(before: int) -> Callable[[store.Connection], list[store.Job]]:
        return lambda connection: store.mine(connection, ORG, ANA, before=before, limit=3)

    first = await rig.database.read(page(1 << 62))
    second = await rig.database.read(page(first[-1].id))
    assert [one.id for one in (*first, *second)] == ids[::-1]
