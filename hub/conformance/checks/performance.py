"""Performance, by processor time relative to a loop that is measured beside it: never by the wall,
except where the loop is held."""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from hub.conformance.calibration import slowness
from hub.conformance.check import Failed, check
from hub.conformance.checks.load import import_of
from hub.conformance.checks.render import SURFACES, items
from hub.conformance.checks.send import always
from hub.conformance.stage import Instance, Stage, Watch
from hub.plugin import MediaRef
from hub.plugin.kit.recorded import Answer

IMPORT = 0.5
INGEST_MEDIAN, INGEST_SLOW = 0.002, 0.01
RENDER_MEDIAN = 0.001
HELD = 0.05
ROUNDS = 30
MANY = 1_500
BLOCKS = 1.0
"""Blocks of memory that may be left of an ingest, on average."""


@check("PRF-05", "The import is light", why="Every start of the hub waits for its plugins.")
async def import_is_light(stage: Stage) -> None:
    """Processor time of the import, with ``hub.plugin`` there already."""
    found = import_of(stage)
    if found.seconds > IMPORT:
        raise Failed(
            "slow_import",
            done=f"imported {stage.subject.target}",
            expected=f"at most {IMPORT * 1000:.0f} ms (import what is heavy when it is needed)",
            got=f"{found.seconds * 1000:.0f} ms",
        )


@check("PRF-01", "Reading is fast", why="Every webhook waits for it.", on="inbound")
async def reading_is_fast(stage: Stage) -> None:
    """Median 2 ms, nearly always 10 ms, for each case."""
    for case in stage.ingest_cases():
        delivery = stage.delivery(case)
        async with stage.running() as one:
            spent = [await _spent(one.ingest(delivery)) for _ in range(ROUNDS)]
        median, slow = statistics.median(spent), sorted(spent)[ROUNDS * 9 // 10]
        if median > INGEST_MEDIAN or slow > INGEST_SLOW:
            raise Failed(
                "slow_ingest",
                done=f"ingested the case {case.name} {ROUNDS} times",
                expected=f"a median of {INGEST_MEDIAN * 1000:g} ms, nine in ten in "
                f"{INGEST_SLOW * 1000:g} ms",
                got=f"{median * 1000:.1f} ms and {slow * 1000:.1f} ms",
            )


async def _spent(work: Awaitable[object]) -> float:
    begun = time.thread_time()
    await work
    return (time.thread_time() - begun) / slowness()


@check("PRF-02", "Rendering is fast", why="It is done where it is needed, on the web's loop.")
async def rendering_is_fast(stage: Stage) -> None:
    """Median 1 ms on each surface."""
    async with stage.running() as one:
        for surface in SURFACES:
            spent: list[float] = []
            for item in items(stage) * 5:
                begun = time.thread_time()
                one.render(item, surface)
                spent.append((time.thread_time() - begun) / slowness())
            median = statistics.median(spent)
            if median > RENDER_MEDIAN:
                raise Failed(
                    "slow_render",
                    done=f"rendered on {surface}",
                    expected=f"a median of {RENDER_MEDIAN * 1000:g} ms",
                    got=f"{median * 1000:.1f} ms",
                )


@check("PRF-03", "No hook holds its loop", why="Everything of the channel waits meanwhile.")
async def nobody_holds_the_loop(stage: Stage) -> None:
    """No step of any hook longer than 50 ms, in the best of three runs."""
    budget = HELD * slowness()
    async with stage.running(answering=always(Answer(status=503))) as one:
        for name, make in _hooks(stage, one).items():
            held = min([await _held(make) for _ in range(3)])
            if held > budget:
                raise Failed(
                    "held",
                    done=f"called {name} three times",
                    expected=f"no step longer than {budget * 1000:.0f} ms here",
                    got=f"{held * 1000:.0f} ms",
                )


def _hooks(stage: Stage, one: Instance) -> dict[str, Callable[[], Awaitable[object]]]:
    """A call of each asynchronous hook there is."""
    made: dict[str, Callable[[], Awaitable[object]]] = {}
    if stage.can.inbound and stage.cases.ingest:
        delivery = stage.delivery(stage.cases.ingest[0])
        made["ingest"] = lambda: one.ingest(delivery)
    if stage.can.outbound and stage.cases.send:
        message = stage.message(stage.cases.send[0])
        made["send"] = lambda: one.send(message)
        if one.has("reconcile"):
            made["reconcile"] = lambda: one.call("reconcile", message=message)
    if one.has("fetch_media"):
        made["fetch_media"] = lambda: one.fetch_media(MediaRef(provider_id="f-1"))
    if one.has("health"):
        made["health"] = lambda: one.call("health")
    return made


async def _held(make: Callable[[], Awaitable[object]]) -> float:
    watch, loop = Watch(), asyncio.get_running_loop()
    loop.set_task_factory(watch.factory)
    try:
        await asyncio.create_task(_awaited(make))
    finally:
        loop.set_task_factory(None)
    return watch.longest


async def _awaited(make: Callable[[], Awaitable[object]]) -> None:
    await make()


@check("PRF-04", "Memory does not grow", why="A hub runs for months.", on="inbound")
async def memory_does_not_grow(stage: Stage) -> None:
    """Many deliveries, each another."""
    case = stage.with_events()[0]
    delivery = stage.delivery(case)
    async with stage.running() as one:

        async def some(count: int) -> int:
            for number in range(count):
                await one.ingest(replace(delivery, id=f"d-{number}"))
            gc.collect()
            return sys.getallocatedblocks()

        before = await some(MANY // 3)
        after = await some(MANY)
    grown = (after - before) / MANY
    if grown > BLOCKS:
        raise Failed(
            "grows",
            done=f"ingested {MANY:,} deliveries after {MANY // 3:,}",
            expected=f"at most {BLOCKS:g} block of memory left of each",
            got=f"{grown:.1f}",
        )
