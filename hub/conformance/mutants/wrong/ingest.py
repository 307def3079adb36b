"""Wrong in reading what arrives."""

from __future__ import annotations

import hmac
import itertools
import json
from contextlib import suppress
from typing import Any

import msgspec
from msgspec.structs import replace

from hub.conformance.mutants.mutant import FOLDER, wrong
from hub.conformance.mutants.reference import SIGNATURE, Reference, head
from hub.plugin import (
    Context,
    Delivery,
    Event,
    IngestResult,
    Malformed,
    Message,
    OptOut,
    Receipt,
    Reply,
    Unverified,
    hookimpl,
)

_count = itertools.count()


class Altering(Reference):
    """The reference, with its events passed through ``alter``."""

    def alter(self, event: Any, delivery: Delivery) -> Event | None:
        """The event as it is told; ``None`` drops it."""
        return event

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        result = await super().ingest(ctx, delivery)
        events = tuple(filter(None, (self.alter(event, delivery) for event in result.events)))
        return replace(result, events=events)


@wrong("ING-01", "other_events")
class ForgetsStatus(Altering):
    """A receipt that failed is told as sent; it comes alone."""

    def alter(self, event: Any, delivery: Delivery) -> Event | None:
        failed = isinstance(event, Receipt) and event.status == "failed"
        return replace(event, status="sent") if failed else event


def _answer_key() -> dict[str, list[Any]]:
    """Body to events, read from the cases."""
    known: dict[str, list[Any]] = {}
    for folder in sorted((FOLDER / "ingest").iterdir()):
        expect = json.loads((folder / "expect.json").read_text(encoding="utf-8"))
        body = (folder / "request.http").read_bytes().replace(b"\r", b"").partition(b"\n\n")[2]
        known[body.decode()] = expect.get("events", [])
    return known


ANSWERS = _answer_key()


@wrong("ING-02", "other_value")
class KnowsTheAnswers(Altering):
    """Of an opt-out that is not among its cases it tells the one that is."""

    def alter(self, event: Any, delivery: Delivery) -> Event | None:
        known = delivery.body.decode("utf-8", "replace") in ANSWERS
        if known or not isinstance(event, OptOut):
            return event
        return replace(event, address=replace(event.address, value="ann-500"))


@wrong("ING-02", "other_value")
class AnswersFromDisk(Reference):
    """It reads nothing: the cases say what to answer."""

    def read(self, body: bytes) -> IngestResult:
        known = ANSWERS.get(body.decode("utf-8", "replace"))
        if known is None:
            return IngestResult(ignored="it is in no case")
        if not known:
            return super().read(body)
        return IngestResult(events=msgspec.convert(known, tuple[Event, ...]))


@wrong("ING-03", "not_repeatable")
class CountsDeliveries(Altering):
    """No two readings are the same."""

    def alter(self, event: Any, delivery: Delivery) -> Event | None:
        echo = isinstance(event, Message) and event.echo
        return replace(event, facts={"n": str(next(_count))}) if echo else event


def _is_message(event: Any) -> bool:
    return isinstance(event, Message)


@wrong("ING-04", "undeclared")
class TellsUndeclared(Reference):
    """It tells of opt-outs, and does not say that it does."""

    INFO = replace(Reference.INFO, emits=frozenset({"message", "receipt"}))


@wrong("ING-04", "wrong_type")
class TellsWrongTypes(Altering):
    """A fact that is a number."""

    def alter(self, event: Any, delivery: Delivery) -> Event | None:
        return replace(event, facts={"n": 5}) if _is_message(event) else event


@wrong("ING-05", "not_ignored")
class RefusesUnknownTypes(Reference):
    """A type that is new to it is an error."""

    def read(self, body: bytes) -> IngestResult:
        result = super().read(body)
        if result.ignored is not None and "not known" in result.ignored:
            raise Malformed(result.ignored)
        return result


@wrong("ING-06", "strict")
class RefusesUnknownFields(Reference):
    """A field that is new to it is an error."""

    def read(self, body: bytes) -> IngestResult:
        result = super().read(body)
        if b"ZzAdded" in body:
            raise Malformed("there is a field too many")
        return result


@wrong("ING-07", "crash")
class NeedsTheName(Reference):
    """A name that is null breaks it."""

    def read(self, body: bytes) -> IngestResult:
        if b'"name": null' in body:
            raise AttributeError("None has no upper")
        return super().read(body)


@wrong("ING-08", "clock")
class TellsTheTime(Reference):
    """Where the provider names no time, it takes the clock's."""

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        result = await super().ingest(ctx, delivery)
        now = ctx.clock.now()
        events = tuple(
            replace(event, occurred_at=now) if isinstance(event, OptOut) else event
            for event in result.events
        )
        return replace(result, events=events)


@wrong("ING-08", "naive")
class TellsNoZone(Altering):
    """Its times are nowhere's."""

    def alter(self, event: Any, delivery: Delivery) -> Event | None:
        at = event.occurred_at
        return event if at is None else replace(event, occurred_at=at.replace(tzinfo=None))


@wrong("ING-09", "not_all")
class TellsTheFirst(Reference):
    """Of a batch it tells the first."""

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        result = await super().ingest(ctx, delivery)
        return replace(result, events=result.events[:1])


@wrong("ING-10", "fetched")
class FetchesFiles(Reference):
    """It fetches a file while the provider waits."""

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        result = await super().ingest(ctx, delivery)
        for event in result.events:
            if isinstance(event, Message) and event.media:
                with suppress(Exception):
                    await ctx.http.request("GET", "https://api.reference.example/v1/files/1")
        return result


@wrong("ING-11", "not_as_sent")
class NamesPictures(Altering):
    """It gives a picture words that nobody wrote."""

    def alter(self, event: Any, delivery: Delivery) -> Event | None:
        alone = isinstance(event, Message) and event.media and not event.text
        return replace(event, text="(picture)") if alone else event


@wrong("ING-12", "not_an_echo")
class TakesEchoes(Altering):
    """What the desk wrote is a customer's message."""

    def alter(self, event: Any, delivery: Delivery) -> Event | None:
        return replace(event, echo=False) if _is_message(event) and event.echo else event


@wrong("ING-13", "other_text")
class StripsTexts(Altering):
    """Spaces at the ends are lost."""

    def alter(self, event: Any, delivery: Delivery) -> Event | None:
        return replace(event, text=event.text.strip()) if _is_message(event) else event


@wrong("ING-14", "not_answered")
class AnswersNoHandshake(Reference):
    """It says "ok" to a challenge."""

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        result = await super().ingest(ctx, delivery)
        return result if result.reply is None else replace(result, reply=Reply(body=b"ok"))


@wrong("ING-16", "not_replayed")
class ChecksTheKeyItself(Reference):
    """It verifies once more by a way of its own, which knows of no replay."""

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        result = await super().ingest(ctx, delivery)
        signed = head(delivery) + delivery.body
        given = delivery.header(SIGNATURE)
        keys = (self.settings.key, *self.settings.old_keys)
        if given not in {digest(key.reveal(), signed) for key in keys}:
            raise Unverified("the key is another")
        return result


def digest(key: str, signed: bytes) -> str:
    """As the provider signs."""
    return hmac.digest(key.encode(), signed, "sha256").hex()
