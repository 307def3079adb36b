"""Wrong in what it calls things."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from hub.conformance.mutants.mutant import wrong
from hub.conformance.mutants.reference import Reference
from hub.conformance.mutants.wrong.ingest import Altering
from hub.plugin import Context, Delivery, Event, IngestResult, Message, Receipt, hookimpl

RANKS = ("sent", "failed", "delivered")


@wrong("IDM-01", "other_id")
class NamesByTheDate(Altering):
    """The id has the time of the request in it."""

    def alter(self, event: Any, delivery: Delivery) -> Event | None:
        date = delivery.header("date")
        if date is None or not isinstance(event, Message):
            return event
        return replace(event, external_id=f"{event.external_id} {date}")


@wrong("IDM-02", "shared_id")
class NamesBySender(Altering):
    """Everything of one sender has one id."""

    def alter(self, event: Any, delivery: Delivery) -> Event | None:
        known = isinstance(event, Message) and event.sender and event.sender[0].value == "ann-501"
        return replace(event, external_id="in-ann-501") if known else event


@wrong("IDM-03", "same_id")
class NamesByWords(Altering):
    """The same words have the same id, once it has heard them."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.heard: dict[str, str] = {}

    def alter(self, event: Any, delivery: Delivery) -> Event | None:
        if not isinstance(event, Message) or not event.text:
            return event
        return replace(event, external_id=self.heard.setdefault(event.text, event.external_id))


@wrong("IDM-04", "retry_dropped")
class DropsRetries(Reference):
    """What comes again is surely known."""

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        result = await super().ingest(ctx, delivery)
        if delivery.header("x-retry-count") is None:
            return result
        return replace(result, events=(), ignored="it was here before")


@wrong("IDM-05", "other_name")
class ShortensNames(Altering):
    """A receipt has the end of the id."""

    def alter(self, event: Any, delivery: Delivery) -> Event | None:
        if not isinstance(event, Receipt) or event.external_id is None:
            return event
        return replace(event, external_id=event.external_id.rpartition("/")[2])


@wrong("IDM-06", "stateful")
class KeepsTheHighest(Altering):
    """A receipt that comes late is dropped."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.rank = 0

    def alter(self, event: Any, delivery: Delivery) -> Event | None:
        if not isinstance(event, Receipt):
            return event
        late, self.rank = RANKS.index(event.status) < self.rank, RANKS.index(event.status)
        return None if late else event
