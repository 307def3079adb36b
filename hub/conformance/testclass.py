"""The suite as tests of pytest: ``TestAcme = conformance(Acme, cases="tests/cases")``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from hub.conformance.cases import CasesError
from hub.conformance.check import Check, all_checks
from hub.conformance.command import suite_of
from hub.conformance.report import story
from hub.conformance.run import Result, Suite
from hub.conformance.subject import of_class


def settle(result: Result, target: str, cases: str | None) -> None:
    """A result as pytest knows it: passed, failed, skipped or expected to fail."""
    if result.verdict in {"n/a", "needs case"}:
        pytest.skip(f"{result.verdict}: {result.reason}")
    if result.known:
        pytest.xfail(result.known)
    if result.provisional and result.verdict == "fail":
        pytest.xfail(f"newer than the level that conformance.toml names: {result.got}")
    if result.verdict == "fail":
        pytest.fail(story(result, target, cases), pytrace=False)


class Conformance:
    """What ``conformance`` makes a class of. Tests may be added, none may be replaced."""

    def __init_subclass__(cls, *, made: bool = False, **more: Any) -> None:
        super().__init_subclass__(**more)
        if not made and "test_conformance" in vars(cls):
            raise TypeError("the conformance suite is the same for everybody: add tests beside it")


def conformance(plugin: type, cases: str | Path | None = None) -> type[Conformance]:
    """A class of tests, one for each check. ``cases`` is seen from where pytest is run; by default
    it is ``tests/cases`` or ``cases``. Nothing of the plugin is run before the tests are."""

    @functools.cache
    def suite() -> Suite:
        try:
            return suite_of(of_class(plugin), None if cases is None else Path(cases))
        except CasesError as error:
            pytest.fail(str(error), pytrace=False)

    @pytest.mark.parametrize("check", all_checks(), ids=lambda check: check.id)
    def test_conformance(self: object, check: Check) -> None:  # noqa: ARG001
        made = suite()
        settle(made.judge(check), made.subject.target, None if cases is None else str(cases))

    class Made(Conformance, made=True):
        __doc__ = f"The conformance suite for {plugin.__name__}."

    Made.test_conformance = test_conformance  # type: ignore[attr-defined]
    return Made
