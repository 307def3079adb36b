"""Wrong in loading."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any

from hub.conformance.calibration import spend
from hub.conformance.mutants.mutant import claiming, wrong
from hub.conformance.mutants.reference import Reference, Settings
from hub.plugin import (
    Accepted,
    Context,
    Delivery,
    IngestResult,
    Item,
    Outbound,
    Rendered,
    Surface,
    hookimpl,
)

_running: list[Any] = []
HERE = "hub.conformance.mutants.wrong"


@wrong("LOD-01", "import_acts", target=f"{HERE}.importing_connects:Reference")
class ConnectsWhenImported(Reference):
    """Its module opens a socket."""


@wrong("LOD-02", "hooks")
class SendsWithoutAsync(Reference):
    """``def send``."""

    @hookimpl
    def send(self, ctx: Context, message: Outbound) -> Accepted:  # pyright: ignore[reportIncompatibleMethodOverride]
        return asyncio.run(super().send(ctx, message))


@wrong("LOD-03", "not_marked")
class OverridesUnmarked(Reference):
    """A subclass that forgot the mark."""

    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        return await super().ingest(ctx, delivery)


@wrong("LOD-04", "arguments")
class KeywordOnly(Reference):
    """pluggy would not pass the surface."""

    @hookimpl
    def render(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, ctx: Context, item: Item, *, surface: Surface = "timeline"
    ) -> Rendered:
        return super().render(ctx, item, surface)


@wrong("LOD-05", "no_range", requires=None)
class SaysNoRange(Reference):
    """Its package depends on nothing."""


@wrong("LOD-05", "no_range", requires="channel-hub>=99")
class WantsAnotherHub(Reference):
    """Its package is for a hub to come."""


@wrong("LOD-06", "construction_acts")
class ConnectsWhenMade(Reference):
    """It looks for its provider in the constructor."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        with suppress(OSError), socket.socket() as sock:
            sock.connect(("192.0.2.1", 443))


@wrong("LOD-06", "slow_construction")
class WorksWhenMade(Reference):
    """It computes for long in the constructor."""

    made: dict[Any, bool] = {}  # noqa: RUF012 — shared: once is enough to be seen

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if not self.made.setdefault(settings.key, False):
            self.made[settings.key] = True
            spend(0.3)


@wrong("LOD-07", "info")
class PollsUnclaimed(Reference):
    """``poll`` is there, and not claimed."""

    INFO = claiming(inbound=frozenset({"http", "listen"}))


@wrong("LOD-08", "left_running")
class LeavesATask(Reference):
    """What it started goes on after shutdown."""

    @hookimpl
    async def startup(self, ctx: Context) -> None:
        await super().startup(ctx)
        _running.append(asyncio.get_running_loop().create_task(asyncio.Event().wait()))


@wrong("LOD-08", "restart_failed")
class StartsOnce(Reference):
    """It does not start again."""

    started = False

    @hookimpl
    async def startup(self, ctx: Context) -> None:
        await super().startup(ctx)
        if self.started:
            raise RuntimeError("already started")
        self.started = True
