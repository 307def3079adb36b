"""Wrong in what it asks the provider besides sending."""

from __future__ import annotations

from msgspec.structs import replace

from hub.conformance.mutants.mutant import wrong
from hub.conformance.mutants.reference import ACCOUNT, Reference
from hub.plugin import Context, FetchedMedia, Health, MediaRef, hookimpl


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
