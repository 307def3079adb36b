"""Wrong in what goes out as several."""

from __future__ import annotations

from msgspec.structs import replace

from hub.conformance.mutants.mutant import wrong
from hub.conformance.mutants.reference import MAX_PART, Reference
from hub.plugin import (
    Accepted,
    Context,
    HookError,
    Item,
    Outbound,
    Rendered,
    Surface,
    WirePart,
    hookimpl,
)


@wrong("SND-10", "cut")
class CutsAnywhere(Reference):
    """It counts, and does not look where it cuts."""

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:
        shown = super().render(ctx, item, surface)
        if len(shown.wire) < 2:
            return shown
        starts = range(0, len(item.text), MAX_PART)
        wire = tuple(WirePart(text=item.text[at : at + MAX_PART]) for at in starts)
        return replace(shown, wire=wire)


@wrong("SND-10", "lost")
class SendsTheFirst(Reference):
    """Of a long text the beginning goes out."""

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:
        shown = super().render(ctx, item, surface)
        return replace(shown, wire=shown.wire[:1])


@wrong("SND-10", "other_order")
class SendsTheLastFirst(Reference):
    """The parts go out the wrong way round."""

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        return await super().send(ctx, replace(message, wire=message.wire[::-1]))


@wrong("SND-11", "not_said")
class SaysNothingOfParts(Reference):
    """What fails halfway looks as if nothing had gone out."""

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        try:
            return await super().send(ctx, message)
        except HookError as error:
            error.accepted = ()
            raise


@wrong("SND-11", "sent_again")
class BeginsAnew(Reference):
    """Another attempt sends everything."""

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        await ctx.kv.delete(f"out/{message.id}")
        return await super().send(ctx, message)
