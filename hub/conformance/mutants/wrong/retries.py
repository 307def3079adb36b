"""Wrong in what is the hub's: retries and time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from hub.conformance.mutants.mutant import wrong
from hub.conformance.mutants.reference import Reference
from hub.plugin import (
    Accepted,
    Context,
    HttpResponse,
    Outbound,
    OutcomeUnknown,
    Reconciled,
    hookimpl,
)


@wrong("RTY-01", "retried")
class TriesThrice(Reference):
    """It has a loop of its own."""

    async def ask(self, ctx: Context, method: str, url: str, wanted: Any = None) -> HttpResponse:
        for _ in range(2):
            response = await super().ask(ctx, method, url, wanted)
            if response.status != 503:
                return response
        return await super().ask(ctx, method, url, wanted)


@wrong("RTY-03", "swallowed")
class CannotBeCancelled(Reference):
    """It makes an answer of its cancellation."""

    async def ask(self, ctx: Context, method: str, url: str, wanted: Any = None) -> HttpResponse:
        try:
            return await super().ask(ctx, method, url, wanted)
        except asyncio.CancelledError:
            raise OutcomeUnknown("somebody cancelled it") from None


@wrong("RTY-04", "late")
class IgnoresTheDeadline(Reference):
    """It sends what was given up."""

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        later = ctx.clock.now() + timedelta(seconds=60)
        return await super().send(ctx, replace(message, deadline=later))


@wrong("RTY-05", "wrong_outcome")
class FindsEverything(Reference):
    """It says yes."""

    @hookimpl
    async def reconcile(self, ctx: Context, message: Outbound) -> Reconciled:
        found = await super().reconcile(ctx, message)
        return replace(found, outcome="found", external_id=found.external_id or "out-1")
