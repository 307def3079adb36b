"""Wrong with when one may write, with templates, and with addresses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NoReturn

from msgspec.structs import replace

from hub.conformance.mutants.mutant import wrong
from hub.conformance.mutants.reference import (
    MARK,
    SCHEME,
    MessageIn,
    Reference,
    TemplateOut,
)
from hub.plugin import (
    Address,
    ComposeFacts,
    ComposeRules,
    Context,
    HttpResponse,
    Message,
    Permanent,
    TemplateInfo,
    TemplateUse,
    hookimpl,
)


@wrong("CMP-01", "other_time")
class ClosesLate(Reference):
    """An hour more than the provider gives."""

    @hookimpl
    def compose_rules(self, ctx: Context, facts: ComposeFacts) -> ComposeRules:
        earlier = replace(facts, now=facts.now - timedelta(hours=1))
        return super().compose_rules(ctx, earlier)


@wrong("CMP-01", "other_time")
class ClosesEarly(Reference):
    """A minute is kept in reserve."""

    @hookimpl
    def compose_rules(self, ctx: Context, facts: ComposeFacts) -> ComposeRules:
        later = replace(facts, now=facts.now + timedelta(minutes=1))
        return super().compose_rules(ctx, later)


@wrong("CMP-02", "open_by_default")
class OpenByDefault(Reference):
    """Who has never written may be written to."""

    @hookimpl
    def compose_rules(self, ctx: Context, facts: ComposeFacts) -> ComposeRules:
        last = facts.last_inbound_at or facts.now
        return super().compose_rules(ctx, replace(facts, last_inbound_at=last))


@wrong("CMP-03", "other_reason")
class TakesItForATypingError(Reference):
    """A closed window is any other refusal."""

    def refuse(self, ctx: Context, response: HttpResponse) -> NoReturn:
        try:
            super().refuse(ctx, response)
        except Permanent as error:
            if error.reason == "window_closed":
                raise Permanent("other", error.detail, provider_code=error.provider_code) from error
            raise


@wrong("CMP-04", "left_out")
class SendsExamples(Reference):
    """What goes out is what the provider has for an example."""

    def filled(self, use: TemplateUse) -> str:
        super().filled(use)
        examples = dict(zip(use.template.parameters, use.template.examples, strict=False))
        return MARK.sub(lambda found: examples.get(found[1], ""), use.template.body)

    def data(self, use: TemplateUse) -> dict[str, Any]:
        examples = dict(zip(use.template.parameters, use.template.examples, strict=False))
        return {**super().data(use), "values": examples}


@wrong("CMP-04", "gap")
class LeavesGaps(Reference):
    """A value that is missing is nothing."""

    def filled(self, use: TemplateUse) -> str:
        return MARK.sub(lambda found: use.values.get(found[1], ""), use.template.body)


@wrong("CMP-04", "unnamed")
class NamesParametersAlike(Reference):
    """All of them have the name of the first."""

    def template(self, one: TemplateOut) -> TemplateInfo:
        known = super().template(one)
        return replace(known, parameters=known.parameters[:1] * len(known.parameters))


@wrong("CMP-05", "taken")
class TakesAnything(Reference):
    """Everything is an address."""

    @hookimpl
    def normalise_address(self, ctx: Context, text: str) -> Address:
        if not text.strip():
            return Address(scheme=SCHEME, value=text)
        return super().normalise_address(ctx, text)


@wrong("CMP-05", "other_spelling")
class KeepsSpaces(Reference):
    """A space belongs to a name."""

    @hookimpl
    def normalise_address(self, ctx: Context, text: str) -> Address:
        known = super().normalise_address(ctx, text)
        return replace(known, value=f"{known.value} ") if text.endswith(" ") else known


@wrong("CMP-06", "raw_sender")
class TellsRawSenders(Reference):
    """A sender is told as it was written."""

    def message(self, thing: MessageIn) -> Message:
        told = super().message(thing)
        raw: Any = tuple(replace(each, value=thing.sender.strip()) for each in told.sender)
        return replace(told, sender=raw)
