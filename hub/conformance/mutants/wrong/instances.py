"""Wrong when there are several, or many at once."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec.structs import replace

from hub.conformance.mutants.mutant import wrong
from hub.conformance.mutants.reference import Reference, Settings
from hub.plugin import (
    Accepted,
    Context,
    Delivery,
    HttpResponse,
    IngestResult,
    Outbound,
    Temporary,
    hookimpl,
)


@wrong("CON-01", "crossed")
class RemembersTheLast(Reference):
    """It answers with the id that came last."""

    last = ""

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        accepted = await super().send(ctx, message)
        self.last = accepted.external_id
        await asyncio.sleep(0)
        return replace(accepted, external_id=self.last)


@wrong("CON-02", "shared")
class SharesItsSettings(Reference):
    """Whoever was made last sets the key for all."""

    shared: Settings

    def __init__(self, settings: Settings) -> None:
        type(self).shared = settings

    @property
    def settings(self) -> Settings:  # type: ignore[override]
        """Of the class."""
        return self.shared


@wrong("CON-03", "stopped_too")
class ClosesForAll(Reference):
    """One that stops closes what all use."""

    closed = False

    @hookimpl
    async def startup(self, ctx: Context) -> None:
        await super().startup(ctx)
        type(self).closed = False

    @hookimpl
    async def shutdown(self, ctx: Context) -> None:
        type(self).closed = True

    async def ask(self, ctx: Context, method: str, url: str, wanted: Any = None) -> HttpResponse:
        if self.closed:
            raise RuntimeError("the client is closed")
        return await super().ask(ctx, method, url, wanted)


@wrong("CON-04", "mixed_up")
class SharesItsParser(Reference):
    """What it reads is put where the next one puts it, too."""

    body_read = b""

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        self.body_read = self.body(delivery)
        result = await super().ingest(ctx, delivery)
        await asyncio.sleep(0)
        if result.events and self.body_read != self.body(delivery):
            result = replace(self.read(self.body_read), verification=result.verification)
        return result


@wrong("CON-05", "stuck")
class KeepsItsLock(Reference):
    """A lock that a cancelled call does not let go of."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.lock = asyncio.Lock()

    async def ask(self, ctx: Context, method: str, url: str, wanted: Any = None) -> HttpResponse:
        await self.lock.acquire()
        try:
            response = await super().ask(ctx, method, url, wanted)
        except Exception:
            self.lock.release()
            raise
        self.lock.release()
        return response


@wrong("CON-06", "failed_too")
class FailsForAll(Reference):
    """One that cannot start says so for all."""

    failed = False

    @hookimpl
    async def startup(self, ctx: Context) -> None:
        type(self).failed = False
        try:
            await super().startup(ctx)
        except Temporary:
            type(self).failed = True
            raise

    async def ask(self, ctx: Context, method: str, url: str, wanted: Any = None) -> HttpResponse:
        if self.failed:
            raise RuntimeError("it could not start")
        return await super().ask(ctx, method, url, wanted)
