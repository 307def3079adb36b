"""Wrong in what is the hub's: retries and time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from hub.conformance.mutants.mutant import without, wrong
from hub.conformance.mutants.reference import API, Reference
from hub.conformance.stage import PATIENCE
from hub.plugin import (
    Accepted,
    Context,
    HttpResponse,
    Outbound,
    OutcomeUnknown,
    PollResult,
    Reconciled,
    Temporary,
    WirePart,
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


@wrong("RTY-02", "other_key")
class NumbersItsAttempts(Reference):
    """Each attempt is another message to the provider."""

    async def put(self, ctx: Context, message: Outbound, part: WirePart, ref: str) -> str:
        ref = ref if message.attempt == 1 else f"{ref}-{message.attempt}"
        return await super().put(ctx, message, part, ref)


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


@wrong("RTY-06", "busy_loop")
class ListensAgainAtOnce(Reference):
    """It does not rest."""

    @hookimpl
    async def listen(self, ctx: Context) -> None:
        while True:
            with suppress(Temporary):
                await super().listen(ctx)


@wrong("RTY-06", "not_cancelled")
class ListensForEver(Reference):
    """It does not end."""

    @hookimpl
    async def listen(self, ctx: Context) -> None:
        with suppress(Temporary):
            await super().listen(ctx)
        for _ in range(3):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(PATIENCE)


@wrong("RTY-06", "not_handed_over")
class HearsAndForgets(Reference):
    """What arrives is not handed over."""

    @hookimpl
    async def listen(self, ctx: Context) -> None:
        response = await self.ask(ctx, "GET", f"{API}/live")
        self.refuse(ctx, response)


@wrong("RTY-07", "other_poll")
class SavesItsCursorFirst(Reference):
    """It goes on where it was, whatever the hub has saved."""

    at: str | None = None

    @hookimpl
    async def poll(self, ctx: Context, cursor: str | None) -> PollResult:
        found = await super().poll(ctx, self.at or cursor)
        self.at = found.cursor
        return found


@wrong("RTY-06", "not_proven", cases=without("listen"))
class ListensUnproven(Reference):
    """Nothing shows what it hears."""


@wrong("RTY-07", "not_proven", cases=without("poll"))
class PollsUnproven(Reference):
    """Nothing shows what it brings."""
