"""The plugin of pytest: ``pytest --hub-plugin package:Class``. Every check is a test; nothing of
what is under test is imported before they run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from hub.conformance.check import Check
    from hub.conformance.run import Result, Suite


def pytest_addoption(parser: pytest.Parser) -> None:
    """Two options."""
    group = parser.getgroup("hub", "Channel Hub")
    group.addoption("--hub-plugin", metavar="PACKAGE:CLASS", help="run the conformance suite on it")
    group.addoption("--hub-cases", metavar="DIR", help="its cases (default: tests/cases or cases)")


class Session:
    """One plugin under test, found when the first check runs."""

    def __init__(self, target: str, cases: str | None, root: Path) -> None:
        self.target = target
        self.cases = cases
        self.root = root
        self.results: list[Result] = []
        self._suite: Suite | None = None

    @property
    def suite(self) -> Suite:
        """The plugin and its cases. Raises ``SubjectError`` or ``CasesError``."""
        from hub.conformance.cases import find_cases  # noqa: PLC0415
        from hub.conformance.command import suite_of  # noqa: PLC0415
        from hub.conformance.subject import find  # noqa: PLC0415

        if self._suite is None:
            near = find_cases(Path.cwd()) or find_cases(self.root)
            self._suite = suite_of(find(self.target), Path(self.cases) if self.cases else near)
        return self._suite

    def judge(self, check: Check) -> Result:
        """The result of a check."""
        result = self.suite.judge(check)
        self.results.append(result)
        return result


KEY = pytest.StashKey[Session]()


class CheckItem(pytest.Item):
    """A check as a test."""

    check: Check

    def runtest(self) -> None:
        """Carry it out."""
        from hub.conformance.testclass import settle  # noqa: PLC0415

        session = self.config.stash[KEY]
        settle(session.judge(self.check), session.target, session.cases)

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: Any = None,  # noqa: ARG002 — the hook's own argument
    ) -> str:
        """What was done, expected, got; why it matters; how to repeat it."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """How it is called."""
        return self.config.rootpath, None, f"{self.check.id} {self.check.title}"


@pytest.hookimpl(tryfirst=True)  # so that -k chooses among them, too
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """The checks, after the tests that the author wrote."""
    target = config.getoption("--hub-plugin")
    if not target:
        return
    from hub.conformance.check import all_checks  # noqa: PLC0415

    config.stash[KEY] = Session(target, config.getoption("--hub-cases"), config.rootpath)
    items += (_item(session, check) for check in all_checks())


def _item(session: Any, check: Check) -> CheckItem:
    make = cast("Any", CheckItem).from_parent
    item: CheckItem = make(session, name=check.id, nodeid=f"conformance::{check.id}")
    item.check = check
    return item


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The one line of the report."""
    session = config.stash.get(KEY, None)
    if session is None or not session.results:
        return
    from hub.conformance.report import report_on  # noqa: PLC0415

    only = () if len(session.results) == len(session.suite.checks()) else ("some",)
    terminalreporter.write_line(report_on(session.suite, session.results, only).line)
