"""What came of a run: a document, a line, and the story of each failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Literal

import msgspec
from msgspec import Struct

from hub.conformance.check import VERSION
from hub.conformance.run import Result, Suite
from hub.plugin import API_VERSION

State = Literal["conformant", "partial", "incomplete", "failed", "part of the suite"]

OLD = 548
"""Days after which a recorded case is old: providers change."""


class Report(Struct, frozen=True, kw_only=True):
    """A run. ``seed`` and ``cases`` (a digest) let it be repeated."""

    suite: str
    api: str
    plugin: str
    plugin_version: str
    level: str
    flags: tuple[str, ...]
    cases: str
    seed: int
    only: tuple[str, ...]
    state: State
    line: str
    warnings: tuple[str, ...]
    results: tuple[Result, ...]

    def encoded(self) -> bytes:
        """As JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def report_on(suite: Suite, results: Sequence[Result], only: Iterable[str] = ()) -> Report:
    """The report of these results."""
    subject = suite.subject
    wanted = tuple(only)
    state = state_of(results) if not wanted else "part of the suite"
    return Report(
        suite=VERSION,
        api=API_VERSION,
        plugin=subject.target,
        plugin_version=subject.distribution.version if subject.distribution else "?",
        level=suite.cases.conformance.conformance,
        flags=flags_of(suite),
        cases=suite.cases.digest,
        seed=suite.seed,
        only=wanted,
        state=state,
        line=f"{subject.target}: {state}: {line_of(results)}",
        warnings=tuple(ages(suite)),
        results=tuple(results),
    )


def state_of(results: Sequence[Result]) -> State:
    """``conformant``: core complete, no failure, none expected either. That nothing applies is a
    failure."""
    if any(result.counts for result in results):
        return "failed"
    if not any(result.verdict == "pass" for result in results):
        return "failed"
    if any(result.known for result in results):
        return "partial"
    if any(result.verdict == "needs case" and not result.provisional for result in results):
        return "incomplete"
    return "conformant"


def line_of(results: Sequence[Result]) -> str:
    """``core 74/74, extended receipts media_in; 12 n/a``."""
    core = [each for each in results if each.level == "core" and each.verdict != "n/a"]
    passed = sum(each.verdict == "pass" for each in core)
    extended: dict[str, bool] = {}
    for each in results:
        if each.level == "extended" and each.verdict != "n/a":
            extended[each.on] = extended.get(each.on, True) and each.verdict == "pass"
    named = " ".join(flag if good else f"{flag}!" for flag, good in extended.items())
    count = Counter(result.verdict for result in results)
    words = [f"core {passed}/{len(core)}"]
    if named:
        words.append(f"extended {named}")
    line = ", ".join(words) + f"; {count['n/a']} n/a"
    if count["needs case"]:
        line += f"; {count['needs case']} need a case"
    provisional = sum(each.provisional and each.verdict == "fail" for each in results)
    return line + (f"; {provisional} provisional" if provisional else "")


def flags_of(suite: Suite) -> tuple[str, ...]:
    """What the plugin claims."""
    can = suite.subject.info.can
    claimed = {name: getattr(can, name) for name in can.__struct_fields__}
    return tuple(name for name, value in claimed.items() if value and value != "none")


def ages(suite: Suite) -> Iterable[str]:
    """Cases that were recorded long ago."""
    recorded: object = suite.cases.provenance.get("defaults", {}).get("recorded")
    if isinstance(recorded, date):
        days = (datetime.now(UTC).date() - recorded).days
        if days > OLD:
            yield f"the cases were recorded {days} days ago: does the provider still speak so?"


def story(result: Result, target: str, cases: str | None) -> str:
    """A result as a person reads it."""
    head = f"{result.id} {result.title}"
    if result.verdict == "pass":
        return f"ok    {head}"
    if result.verdict != "fail":
        return f"{result.verdict:<11} {head}: {result.reason}"
    again = f"hub plugin test {target}{f' --cases {cases}' if cases else ''} --only {result.id}"
    kind = "known" if result.known else "newer" if result.provisional else "FAIL"
    return "\n".join(
        (
            f"{kind:<6}{head} [{result.code}]",
            f"      done:     {result.done}",
            f"      expected: {result.expected}",
            f"      got:      {result.got}",
            f"      why:      {result.why}",
            *([f"      known:    {result.known}"] if result.known else []),
            f"      again:    {again}",
        )
    )
