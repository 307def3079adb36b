"""Carrying out checks, each in a thread and on a loop of its own."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from hub.conformance.cases import Cases, ExpectedFailure
from hub.conformance.check import Check, Failed, NeedsCase, NotApplicable, all_checks
from hub.conformance.guard import Guard
from hub.conformance.stage import Stage
from hub.conformance.subject import Subject

LONGEST = 120.0
"""Seconds after which a check is given up: something under test blocks its thread."""

Verdict = Literal["pass", "fail", "n/a", "needs case"]


class Result(Struct, frozen=True, kw_only=True):
    """What came of a check. ``provisional``: newer than the level the plugin names, so a failure
    is shown and does not count. ``known``: an expected failure, by its reason."""

    id: str
    title: str
    level: str
    on: str
    verdict: Verdict
    code: str = ""
    reason: str = ""
    done: str = ""
    expected: str = ""
    got: str = ""
    why: str = ""
    provisional: bool = False
    known: str = ""

    @property
    def counts(self) -> bool:
        """Whether it is a failure that fails the plugin."""
        return self.verdict == "fail" and not self.provisional and not self.known


class Suite(Struct, frozen=True, kw_only=True):
    """A plugin, its cases, and a seed."""

    subject: Subject
    cases: Cases
    seed: int = 1
    mutations: int = 500
    today: Callable[[], date] = lambda: datetime.now(UTC).date()

    def checks(self, only: Iterable[str] = ()) -> list[Check]:
        """Those asked for. Raises ``KeyError`` for one that is not there."""
        known = {check.id: check for check in all_checks()}
        wanted = list(only)
        return [known[each] for each in wanted] if wanted else list(known.values())

    def results(self, only: Iterable[str] = ()) -> list[Result]:
        """One after the other."""
        return [self.judge(check) for check in self.checks(only)]

    def judge(self, check: Check) -> Result:
        """The result of one check, in the light of what the plugin expects to fail."""
        result = self._carried_out(check)
        level = self.cases.conformance.conformance
        result = replace(result, provisional=_version(check.since) > _version(level))
        failures = self.cases.conformance.expected_failures
        expected = next((each for each in failures if each.check == check.id), None)
        return result if expected is None else _in_light_of(result, expected, self.today())

    def _carried_out(self, check: Check) -> Result:
        made = Result(
            id=check.id,
            title=check.title,
            level=check.level,
            on=check.on,
            verdict="pass",
            why=check.why,
        )
        if not check.applies(self.subject.info):
            return replace(made, verdict="n/a", reason=f"INFO.can does not claim {check.on}")
        with Guard() as guard:
            stage = Stage(
                self.subject, self.cases, f"{self.seed}/{check.id}", guard, self.mutations
            )
            raised = _in_a_thread(lambda: asyncio.run(_awaited(check, stage)))
        if raised is None:
            return made
        if isinstance(raised, Failed):
            return replace(
                made,
                verdict="fail",
                code=raised.code,
                done=raised.done,
                expected=raised.expected,
                got=raised.got,
            )
        if isinstance(raised, NotApplicable):
            return replace(made, verdict="n/a", reason=str(raised))
        if isinstance(raised, NeedsCase):
            return replace(made, verdict="needs case", reason=str(raised))
        last = traceback.extract_tb(raised.__traceback__)[-1:]
        place = f" ({last[0].filename}:{last[0].lineno})" if last else ""
        return replace(
            made,
            verdict="fail",
            code="broke",
            done="carried the check out",
            expected="it to come to an end",
            got=f"{type(raised).__name__}: {raised}{place}",
        )


async def _awaited(check: Check, stage: Stage) -> None:
    await check.run(stage)


def _in_a_thread(work: Callable[[], None]) -> BaseException | None:
    """What it raised. The guard watches threads that begin while it does."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 — looked at by who asked
            raised.append(error)

    thread = threading.Thread(target=run, name="conformance", daemon=True)
    thread.start()
    thread.join(LONGEST)
    if thread.is_alive():
        return TimeoutError(f"still busy after {LONGEST:g} s: something blocks its thread")
    return raised[0] if raised else None


def _in_light_of(result: Result, expected: ExpectedFailure, today: date) -> Result:
    """Strict: a failure that is over fails, and so does one whose time is up."""
    if result.verdict == "pass":
        return replace(
            result,
            verdict="fail",
            code="unexpected_pass",
            done="carried out a check that conformance.toml expects to fail",
            expected=f"a failure: {expected.reason}",
            got="a pass: take it out of expected_failures",
        )
    if result.verdict == "fail" and today <= expected.until:
        return replace(result, known=f"{expected.reason} ({expected.link})")
    return result


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())
