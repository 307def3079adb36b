"""Wrong with addresses."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from hub.conformance.mutants.mutant import wrong
from hub.conformance.mutants.reference import SCHEME, MessageIn, Reference
from hub.plugin import Address, Context, Message, hookimpl


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
