"""As good as the reference, in another way: the suite is no guide to style."""

from __future__ import annotations

import asyncio
import json

from msgspec.structs import replace

from hub.conformance.mutants.mutant import right
from hub.conformance.mutants.reference import Reference, Settings, key_of
from hub.plugin import (
    Accepted,
    Context,
    Delivery,
    HttpResponse,
    IngestResult,
    Item,
    Outbound,
    Rendered,
    Surface,
    WirePart,
    hookimpl,
)


@right
class AwaitsMore(Reference):
    """It lets others run in between."""

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        for _ in range(5):
            await asyncio.sleep(0)
        return await super().ingest(ctx, delivery)

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        await asyncio.sleep(0)
        return await super().send(ctx, message)


@right
class WritesOtherBytes(Reference):
    """The same request with its keys and headers in another order."""

    async def ask(self, ctx: Context, method: str, url: str, wanted: object = None) -> HttpResponse:
        key = f"Bearer {self.settings.key.reveal()}"
        headers = {"X-Client": "1", **key_of(wanted), "Authorization": key}
        if wanted is None:
            return await ctx.http.request(method, url, headers=headers)
        content = json.dumps(wanted, sort_keys=True).encode()
        return await ctx.http.request(
            method, url, content=content, headers={"Content-Type": "application/json", **headers}
        )


@right
class RefusesAnEmptyKey(Reference):
    """Without a key it cannot be made at all."""

    def __init__(self, settings: Settings) -> None:
        if not settings.key.reveal():
            raise ValueError("key: is empty")
        super().__init__(settings)


@right
class ThinksLonger(Reference):
    """Slower, and within the limits."""

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:
        sum(range(1_000))
        return super().render(ctx, item, surface)


@right
class SaysMore(Reference):
    """More facts than the cases name."""

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        result = await super().ingest(ctx, delivery)
        events = tuple(
            replace(event, facts={"Provider": "reference"}) if hasattr(event, "facts") else event
            for event in result.events
        )
        return replace(result, events=events)


@right
class LocksAndLetsGo(Reference):
    """A lock of its own, which it lets go of again."""

    @hookimpl
    async def startup(self, ctx: Context) -> None:
        await super().startup(ctx)
        self.lock = asyncio.Lock()

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        async with self.lock:
            return await super().send(ctx, message)


@right
class SplitsElsewhere(Reference):
    """Shorter parts, each with its number."""

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:
        shown = super().render(ctx, item, surface)
        if len(shown.wire) < 2:
            return shown
        words = item.text.split()
        few = [" ".join(words[at : at + 2]) for at in range(0, len(words), 2)]
        wire = (WirePart(text=f"({at}) {each}") for at, each in enumerate(few, 1))
        return replace(shown, wire=tuple(wire))
