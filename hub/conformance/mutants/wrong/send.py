"""Wrong in sending."""

from __future__ import annotations

from typing import Any, NoReturn, get_args

from msgspec.structs import replace

from hub.conformance.mutants.mutant import wrong
from hub.conformance.mutants.reference import API, Reference, read_object
from hub.plugin import (
    Accepted,
    Context,
    HttpResponse,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Temporary,
    Unsupported,
    hookimpl,
)
from hub.plugin.types import Kind


@wrong("SND-01", "empty_id")
class ForgetsTheId(Reference):
    """What it sent without words has no id."""

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        accepted = await super().send(ctx, message)
        return accepted if message.wire[0].text else replace(accepted, external_id="")


@wrong("SND-01", "calls")
class LooksFirst(Reference):
    """Before files go out it asks for something."""

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        accepted = await super().send(ctx, message)
        if message.attachments:
            try:
                await ctx.http.request("GET", f"{API}/limits")
            except Exception:  # noqa: BLE001
                return accepted
        return accepted


@wrong("SND-02", "other_request")
class CutsTexts(Reference):
    """Only the first words go out."""

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        part, *more = message.wire
        if more:
            return await super().send(ctx, message)
        short = part.text if len(part.text) > 100 else part.text[:16]
        return await super().send(ctx, replace(message, wire=(replace(part, text=short),)))


class Refusing(Reference):
    """The reference, with other errors for some."""

    def instead(self, error: Permanent) -> Exception:
        """What is raised for a refusal."""
        return error

    def refuse(self, ctx: Context, response: HttpResponse) -> NoReturn:
        try:
            super().refuse(ctx, response)
        except Permanent as error:
            raise self.instead(error) from None


@wrong("SND-03", "not_permanent")
class TriesForEver(Refusing):
    """An unknown recipient may be known tomorrow."""

    def instead(self, error: Permanent) -> Exception:
        return Temporary("once more") if error.reason == "bad_address" else error


@wrong("SND-14", "not_opted_out")
class WritesToOptedOut(Refusing):
    """Who opted out is tried again."""

    def instead(self, error: Permanent) -> Exception:
        return Temporary("once more") if error.reason == "opted_out" else error


@wrong("SND-04", "no_wait")
class KnowsNoDates(Reference):
    """It reads seconds and no dates."""

    def refuse(self, ctx: Context, response: HttpResponse) -> NoReturn:
        if response.status == 429 and not response.headers.get("retry-after", "1").isdecimal():
            raise Temporary("the provider is busy")
        super().refuse(ctx, response)


@wrong("SND-05", "not_temporary")
class GivesUp(Reference):
    """A provider that fails has refused it."""

    def refuse(self, ctx: Context, response: HttpResponse) -> NoReturn:
        if response.status == 502:
            raise Permanent("other", "the provider failed")
        super().refuse(ctx, response)


@wrong("SND-06", "not_credentials")
class KeepsKnocking(Reference):
    """It tries again with a key that is refused, unless the provider says why."""

    def refuse(self, ctx: Context, response: HttpResponse) -> NoReturn:
        if response.status == 401 and not read_object(response):
            raise Temporary("not now")
        super().refuse(ctx, response)


@wrong("SND-07", "guessed")
class GuessesItIsLost(Reference):
    """Without an answer it did not go out."""

    async def ask(self, ctx: Context, method: str, url: str, wanted: Any = None) -> HttpResponse:
        try:
            return await super().ask(ctx, method, url, wanted)
        except OutcomeUnknown:
            raise Temporary("it did not go out") from None


@wrong("SND-08", "believed")
class BelievesTheStatus(Reference):
    """201 is enough for it."""

    def external_id(self, response: HttpResponse) -> str:
        try:
            return super().external_id(response)
        except OutcomeUnknown:
            return "unknown"


@wrong("SND-09", "sent_elsewhere")
class FollowsAnywhere(Reference):
    """It takes its key along."""

    async def ask(self, ctx: Context, method: str, url: str, wanted: Any = None) -> HttpResponse:
        response = await super().ask(ctx, method, url, wanted)
        if response.status == 307 and url.startswith(API):
            await super().ask(ctx, method, response.headers["location"], wanted)
        return response


@wrong("SND-12", "done_silently")
class SaysNothing(Reference):
    """What it cannot do it does not do, and says that it did."""

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        try:
            return await super().send(ctx, message)
        except Unsupported:
            return Accepted(external_id="none")


@wrong("SND-12", "done_silently")
class TakesTheNewForWords(Reference):
    """It refuses what it has heard of, and sends the rest as words."""

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        known = message.kind in get_args(Kind)
        return await super().send(ctx, message if known else replace(message, kind="message"))


@wrong("SND-12", "done_silently")
class AssistsInSilence(Reference):
    """What is asked of an assistant it takes, and does nothing."""

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        if message.kind == "assist":
            return Accepted(external_id="none")
        return await super().send(ctx, message)


@wrong("SND-13", "injected")
class TakesAnyLine(Reference):
    """A line end at the end of an address is let through."""

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        value = message.address.value
        if value.endswith("\n"):
            await self.ask(ctx, "POST", f"{API}/messages", {"to": value})
        return await super().send(ctx, message)
