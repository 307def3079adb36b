"""What a mutant is, and the register of all of them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, TypeVar, cast

from msgspec import Struct
from msgspec.structs import replace

import hub
from hub.conformance.cases import Cases, read_cases
from hub.conformance.check import Check
from hub.conformance.mutants.reference import Reference
from hub.conformance.run import Result, Suite
from hub.conformance.subject import Subject

FOLDER = Path(__file__).parent / "cases"
TARGET = "hub.conformance.mutants.reference:Reference"
MUTATIONS = 40
"""Enough to kill what is to be killed by them."""
REQUIRES = f"channel-hub=={hub.__version__}"
C = TypeVar("C")


class Packaged(Distribution):
    """A package's metadata, not installed anywhere."""

    def __init__(self, requires: str | None = REQUIRES) -> None:
        self._requires = requires

    def read_text(self, filename: str) -> str | None:
        """Its METADATA."""
        if filename != "METADATA":
            return None
        needs = f"Requires-Dist: {self._requires}\n" if self._requires else ""
        return f"Metadata-Version: 2.1\nName: reference\nVersion: 1.0\n{needs}"

    def locate_file(self, path: Any) -> Any:
        """It has none."""
        raise FileNotFoundError(path)


def _same(cases: Cases) -> Cases:
    return cases


class Mutant(Struct, frozen=True, kw_only=True):
    """The reference, wrong in one way. ``check`` is to kill it, for the reason ``code``; a harmless
    one has neither and is to survive."""

    name: str
    cls: Any
    check: str = ""
    code: str = ""
    cases: Callable[[Cases], Cases] = _same
    target: str = TARGET
    requires: str | None = REQUIRES

    @property
    def suite_differs(self) -> bool:
        """Whether its cases or its package are not the reference's."""
        return self.cases is not _same or self.requires != REQUIRES

    def suite(self, cases: Cases) -> Suite:
        """The suite for it."""
        subject = Subject(self.target, self.cls, Packaged(self.requires))
        return Suite(subject=subject, cases=self.cases(cases), mutations=MUTATIONS)

    def killers(self, cases: Cases, checks: tuple[Check, ...]) -> dict[str, str]:
        """The checks that fail, with their codes."""
        suite = self.suite(cases)
        results: list[Result] = [suite.judge(check) for check in checks]
        return {result.id: result.code for result in results if result.verdict == "fail"}


def without(*kinds: str) -> Callable[[Cases], Cases]:
    """The cases, but for those of some kinds."""

    def fewer(cases: Cases) -> Cases:
        return replace(cases, **dict.fromkeys(kinds, ()))

    return fewer


mutants: list[Mutant] = []
harmless: list[Mutant] = []


def wrong(check: str, code: str, **how: Any) -> Callable[[C], C]:
    """Register a class that is wrong in one way."""

    def register(cls: C) -> C:
        name = cast("type", cls).__name__
        mutants.append(Mutant(name=name, cls=cls, check=check, code=code, **how))
        return cls

    return register


def right(cls: C) -> C:
    """Register a variant that is as good as the reference."""
    harmless.append(Mutant(name=cast("type", cls).__name__, cls=cls))
    return cls


def reference_cases() -> Cases:
    """The cases of the reference."""
    return read_cases(FOLDER, Reference.INFO.can)


def claiming(**flags: Any) -> Any:
    """``INFO`` of the reference with other claims."""
    return replace(Reference.INFO, can=replace(Reference.INFO.can, **flags))


REFERENCE = Mutant(name="Reference", cls=Reference)
