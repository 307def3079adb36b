"""Slow, or large."""

from __future__ import annotations

import time
from typing import Any

from hub.conformance.calibration import slowness, spend
from hub.conformance.mutants.mutant import wrong
from hub.conformance.mutants.reference import MessageIn, Reference
from hub.conformance.mutants.wrong.render import Repainting
from hub.plugin import (
    Context,
    Delivery,
    IngestResult,
    Item,
    Message,
    Outbound,
    Reconciled,
    Rendered,
    Surface,
    hookimpl,
)

HERE = "hub.conformance.mutants.wrong"


@wrong("PRF-01", "slow_ingest")
class ReadsSlowly(Reference):
    """It thinks over every echo."""

    def message(self, thing: MessageIn) -> Message:
        spend(0.006 if thing.echo else 0)
        return super().message(thing)


@wrong("PRF-02", "slow_render")
class PaintsSlowly(Repainting):
    """It thinks over every preview."""

    def repaint(self, ctx: Context, item: Item, surface: Surface, shown: Rendered) -> Rendered:
        spend(0.003 if surface == "preview" else 0)
        return shown


@wrong("PRF-03", "held")
class SleepsOnTheLoop(Reference):
    """It waits for the provider with everything held."""

    @hookimpl
    async def reconcile(self, ctx: Context, message: Outbound) -> Reconciled:
        time.sleep(0.1 * slowness())  # noqa: ASYNC251 — this is what is wrong with it
        return await super().reconcile(ctx, message)


@wrong("PRF-04", "grows")
class KeepsEverything(Reference):
    """It forgets nothing."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.kept: list[IngestResult] = []

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        self.kept.append(await super().ingest(ctx, delivery))
        return self.kept[-1]


@wrong("PRF-05", "slow_import", target=f"{HERE}.importing_works:Reference")
class WorksWhenImported(Reference):
    """Its module computes for long."""
