"""Wrong with what is not as it should be."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, cast

from hub.conformance.calibration import spend
from hub.conformance.mutants.mutant import wrong
from hub.conformance.mutants.reference import SCHEME, Reference
from hub.plugin import Address, IngestResult, Malformed, Message


def _object(body: bytes) -> dict[str, Any]:
    """What a body holds; of anything that is no object nothing."""
    with suppress(ValueError, RecursionError):
        read: Any = json.loads(body)
        if isinstance(read, dict):
            return cast("dict[str, Any]", read)
    return {}


@wrong("BAD-01", "crash")
class LooksAtTheFirstByte(Reference):
    """There is none in an empty body."""

    def read(self, body: bytes) -> IngestResult:
        _ = body[0]
        return super().read(body)


@wrong("BAD-02", "crash")
class NestsWithoutEnd(Reference):
    """A parser that recurses."""

    def read(self, body: bytes) -> IngestResult:
        with suppress(ValueError):
            json.loads(body)
        return super().read(body)


@wrong("BAD-03", "slow")
class ReadsAgainAndAgain(Reference):
    """It takes its time over every kilobyte of a long text."""

    def read(self, body: bytes) -> IngestResult:
        spend(len(body) / 2_000_000 if len(body) > 1_000_000 else 0)
        return super().read(body)


@wrong("BAD-03", "memory")
class KeepsManyCopies(Reference):
    """It holds a long text forty times."""

    def read(self, body: bytes) -> IngestResult:
        copies = [body + b"x" for _ in range(40 if len(body) > 1_000_000 else 0)]
        result = super().read(body)
        return result if len(copies) < 100 else IngestResult(ignored="never")


@wrong("BAD-04", "surrogate")
class PassesHalvesOn(Reference):
    """Half of a surrogate pair is a text to it."""

    def read(self, body: bytes) -> IngestResult:
        try:
            return super().read(body)
        except Malformed:
            text = _object(body).get("text")
            if not isinstance(text, str) or "\ud800" not in text:
                raise
            sender = Address(scheme=SCHEME, value="ann-500")
            return IngestResult(events=(Message(external_id="i", sender=(sender,), text=text),))


@wrong("BAD-05", "crash")
class TrustsTypes(Reference):
    """A text is a text."""

    def read(self, body: bytes) -> IngestResult:
        if isinstance(_object(body).get("text"), (dict, list)):
            raise TypeError("it has no strip")
        return super().read(body)


@wrong("BAD-06", "guessed")
class TakesTheLast(Reference):
    """Of two values the last counts."""

    def fields(self, pairs: list[tuple[str, str]]) -> dict[str, str]:
        return dict(pairs)


@wrong("BAD-07", "crash")
class CountsInFloats(Reference):
    """A number fits into a float."""

    def read(self, body: bytes) -> IngestResult:
        for value in _object(body).values():
            if isinstance(value, int):
                float(value)
        return super().read(body)


@wrong("BAD-08", "empty_sender")
class TakesNobody(Reference):
    """An empty sender is one, too."""

    def read(self, body: bytes) -> IngestResult:
        try:
            return super().read(body)
        except Malformed:
            told = _object(body)
            if told.get("from") != "" or told.get("type") != "message":
                raise
            sender = Address(scheme=SCHEME, value="")
            return IngestResult(events=(Message(external_id="in-410099", sender=(sender,)),))
