"""``hub plugin test package:Class``: the suite without pytest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from hub.conformance.cases import NO_CASES, CasesError, find_cases, read_cases
from hub.conformance.check import all_checks
from hub.conformance.report import Report, report_on, story
from hub.conformance.run import Result, Suite
from hub.conformance.subject import Subject, SubjectError, find

EXIT_FAILED = 1
EXIT_WRONG = 2


def suite_of(subject: Subject, cases: Path | None, seed: int = 1) -> Suite:
    """The suite for a plugin with its cases, which are looked for where they lie by custom. Raises
    ``CasesError``."""
    if cases is not None and not cases.is_dir():
        raise CasesError(f"{cases}: there is no such folder")
    folder = cases or find_cases(Path.cwd())
    read = NO_CASES if folder is None else read_cases(folder, subject.info.can)
    known = {check.id for check in all_checks()}
    for expected in read.conformance.expected_failures:
        if expected.check not in known:
            raise CasesError(
                f"{folder}/conformance.toml: expected_failures: there is no check {expected.check}"
            )
    return Suite(subject=subject, cases=read, seed=seed)


def run(
    target: str,
    *,
    cases: Path | None = None,
    report: Path | None = None,
    verify: Path | None = None,
    only: Sequence[str] = (),
    seed: int = 1,
) -> int:
    """Run it and print what came of it; the exit code: 0 conformant (or all of ``only`` passed),
    1 not, 2 nothing could be run. ``verify``: run as that report was, and compare."""
    # As pytest does: a plugin need not be installed yet.
    sys.path[:0] = [str(Path.cwd() / "src"), str(Path.cwd())]
    try:
        before = None if verify is None else _read(verify)
        subject = find(target)
        if before is not None:
            seed, only = before.seed, before.only
        suite = suite_of(subject, cases, seed)
        checks = suite.checks(only)
    except (SubjectError, CasesError) as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG
    except KeyError as unknown:
        print(f"there is no check {unknown.args[0]}", file=sys.stderr)
        return EXIT_WRONG
    results: list[Result] = []
    for check in checks:
        result = suite.judge(check)
        results.append(result)
        if result.verdict != "pass":
            print(story(result, target, None if cases is None else str(cases)))
    made = report_on(suite, results, only)
    for warning in made.warnings:
        print(f"note: {warning}")
    print(made.line)
    if report is not None:
        report.write_bytes(made.encoded())
    if before is not None:
        changes = list(differences(before, made))
        print("\n".join(changes) or f"{verify} holds")
        return EXIT_FAILED if changes else 0
    good = made.state == "conformant" or (
        made.state == "part of the suite" and not any(each.counts for each in results)
    )
    return 0 if good else EXIT_FAILED


def _read(path: Path) -> Report:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except FileNotFoundError:
        raise CasesError(f"{path}: there is no such report") from None
    except msgspec.MsgspecError as error:
        raise CasesError(f"{path}: is no report of this suite: {error}") from error


def differences(before: Report, now: Report) -> list[str]:
    """In what two reports do not say the same."""
    found = [
        f"{name}: was {getattr(before, name)}, is {getattr(now, name)}"
        for name in ("suite", "api", "plugin", "plugin_version", "level", "flags", "cases", "state")
        if getattr(before, name) != getattr(now, name)
    ]
    old = {result.id: result for result in before.results}
    new = {result.id: result for result in now.results}
    for name in sorted({*old, *new}):
        was, is_ = old.get(name), new.get(name)
        said = (
            (was.verdict if was else "not there"),
            (is_.verdict if is_ else "not there"),
        )
        if said[0] != said[1]:
            found.append(f"{name}: was {said[0]}, is {said[1]}")
    return found
