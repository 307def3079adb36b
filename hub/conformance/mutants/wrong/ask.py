"""Wrong in what it asks the provider besides sending."""

from __future__ import annotations

from msgspec.structs import replace

from hub.conformance.mutants.mutant import without, wrong
from hub.conformance.mutants.reference import ACCOUNT, Reference, TemplateOut
from hub.plugin import (
    CallFacts,
    CallTask,
    Context,
    CredentialsInvalid,
    Delivery,
    FetchedMedia,
    FetchRef,
    Health,
    MediaRef,
    Reply,
    TemplateInfo,
    hookimpl,
)


@wrong("ASK-01", "other_file")
class FetchesThumbnails(Reference):
    """It asks for a small picture of the file."""

    @hookimpl
    async def fetch_media(self, ctx: Context, ref: MediaRef) -> FetchedMedia:
        small = ref if ref.provider_id is None else replace(ref, provider_id=f"{ref.provider_id}-s")
        return await super().fetch_media(ctx, small)


@wrong("ASK-01", "other_file")
class CutsFiles(Reference):
    """It loses a file's end."""

    @hookimpl
    async def fetch_media(self, ctx: Context, ref: MediaRef) -> FetchedMedia:
        fetched = await super().fetch_media(ctx, ref)
        return replace(fetched, body=fetched.body[:-1])


@wrong("ASK-02", "other_health")
class IsAlwaysWell(Reference):
    """It does not ask."""

    @hookimpl
    async def health(self, ctx: Context) -> Health:
        return Health()


@wrong("ASK-02", "other_health")
class TakesNoForYes(Reference):
    """Any answer is a good one."""

    @hookimpl
    async def health(self, ctx: Context) -> Health:
        await self.ask(ctx, "GET", ACCOUNT)
        return Health()


@wrong("ASK-03", "other_delivery")
class FetchesTheName(Reference):
    """What it hands over is what it was given."""

    @hookimpl
    async def fetch(self, ctx: Context, ref: FetchRef) -> Delivery:
        fetched = await super().fetch(ctx, ref)
        return replace(fetched, body=ref.id.encode())


@wrong("ASK-04", "other_answer")
class RingsAtNight(Reference):
    """It does not look whether anybody is there."""

    @hookimpl
    async def answer(self, ctx: Context, facts: CallFacts) -> Reply:
        return await super().answer(ctx, replace(facts, in_hours=True))


@wrong("ASK-04", "other_answer")
class HangsUpWithoutItsAssistant(Reference):
    """Where the assistant fails, nobody is rung."""

    @hookimpl
    async def answer(self, ctx: Context, facts: CallFacts) -> Reply:
        if facts.assistant:
            await ctx.ask(CallTask(external_id=facts.external_id))
        return await super().answer(ctx, replace(facts, assistant=False))


@wrong("ASK-04", "other_answer")
class AnswersWhatNoHttpCarries(Reference):
    """A status that there is not."""

    @hookimpl
    async def answer(self, ctx: Context, facts: CallFacts) -> Reply:
        return replace(await super().answer(ctx, facts), status=0)


@wrong("ASK-05", "other_templates")
class OffersEveryTemplate(Reference):
    """What was rejected is approved."""

    def template(self, one: TemplateOut) -> TemplateInfo:
        return replace(super().template(one), state="approved", reason=None)


@wrong("ASK-05", "other_templates")
class ListsNothingAfterAnError(Reference):
    """A provider that refuses has no templates."""

    @hookimpl
    async def templates(self, ctx: Context) -> tuple[TemplateInfo, ...]:
        try:
            return await super().templates(ctx)
        except CredentialsInvalid:
            return ()


@wrong("ASK-04", "not_proven", cases=without("answer"))
class AnswersUnproven(Reference):
    """Nothing shows what its callers hear."""
