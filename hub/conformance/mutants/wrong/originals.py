"""Wrong in naming what was there before."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from hub.conformance.mutants.mutant import wrong
from hub.conformance.mutants.reference import Reference
from hub.conformance.mutants.wrong.ingest import Altering
from hub.plugin import (
    Accepted,
    Context,
    Deleted,
    Delivery,
    Edited,
    Event,
    Message,
    Outbound,
    hookimpl,
)


class Hearing(Altering):
    """The reference, with other events about what it has heard itself."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.heard: set[str] = set()

    def alter(self, event: Any, delivery: Delivery) -> Event | None:
        if isinstance(event, Message):
            self.heard.add(event.external_id)
        return self.other(event)

    def other(self, event: Any) -> Event:
        """What is told in its place."""
        return event


@wrong("ING-15", "other_message")
class LosesTheThread(Hearing):
    """An answer to what it has just heard answers nothing."""

    def other(self, event: Any) -> Event:
        known = isinstance(event, Message) and event.reply_to in self.heard
        return replace(event, reply_to=None) if known else event


@wrong("ING-15", "left_out")
class AnswersNothing(Reference):
    """What goes out does not say what it answers."""

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        return await super().send(ctx, replace(message, reply_to=None))


@wrong("IDM-07", "other_message")
class TellsEditsAnew(Hearing):
    """What it has heard and is edited then is a message more."""

    def other(self, event: Any) -> Event:
        if not isinstance(event, Edited) or event.external_id not in self.heard:
            return event
        return Message(external_id=f"{event.external_id}-2", text=event.text, echo=True)


@wrong("IDM-07", "other_message")
class TakesBackTheLast(Hearing):
    """Whatever is taken back, it names what it has heard first."""

    def other(self, event: Any) -> Event:
        if not isinstance(event, Deleted) or not self.heard:
            return event
        return replace(event, external_id=f"{min(self.heard)}-1")
