"""The kill matrix: which checks kill which mutant. It is a file of the repository, ``matrix.json``,
so that a change of it is seen.

The whole of it is made by the command alone, which runs every check on every mutant. The file says
of which checks, mutants and cases it was made (``of``), and which methods of the reference each
check reaches. By that the tests run much less and prove as much: a check that reaches nothing in
which a mutant differs from the reference says of it what it says of the reference, which is tested
in full. Of the slow ones what kills is run again, and what does not is believed. And as long as the
rest that decides is what it was, too (``around``), nothing can have begun to kill: then what kills
is run again, and nothing else.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import multiprocessing
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
from msgspec import Struct

from hub.conformance.cases import digest_of
from hub.conformance.check import Check, all_checks
from hub.conformance.mutants import harmless, wrong
from hub.conformance.mutants.mutant import (
    FOLDER,
    REFERENCE,
    TARGET,
    Mutant,
    mutants,
    reference_cases,
)
from hub.conformance.mutants.reference import Reference
from hub.plugin.hooks import HubSpec

__all__ = [
    "again",
    "around",
    "committed",
    "fingerprint",
    "harmless",
    "made",
    "near",
    "without_sole_killer",
    "wrong",
]

FILE = Path(__file__).parent / "matrix.json"
CONFORMANCE = Path(__file__).parents[1]
PLUGIN = CONFORMANCE.parent / "plugin"
ELSEWHERE = frozenset(
    {"command", "matrix", "plugin", "recording", "report", "testclass", "__main__"}
)
"""Modules that decide nothing about what a check says."""
LOOKING = frozenset({"LOD-02", "LOD-03", "LOD-04", "LOD-05", "LOD-07", "CLM-01"})
"""Checks that look at the class and at the cases, and call nothing."""
SLOW = frozenset(
    {
        *("PRF-01", "PRF-03", "PRF-04", "BAD-01", "BAD-03", "BAD-05", "BAD-07", "BAD-08"),
        *("CON-04", "ING-03", "ING-16", "SEC-08"),
    }
)
Matrix = dict[str, dict[str, str]]
"""Mutant to the checks that kill it, each with its code."""


class Committed(Struct, frozen=True, kw_only=True):
    """``matrix.json``: the ``kills``, the names of the reference's methods that each check reaches,
    the ``fingerprint`` of what it was made of, and what was ``around`` that."""

    of: str
    around: str
    kills: Matrix
    reached: dict[str, list[str]]


def made(only: tuple[Mutant, ...] = (), beside: Committed | None = None) -> Matrix:
    """By running every check on every mutant, in as many processes as there are processors;
    ``beside`` a matrix: those that can say something else than it does."""
    names = [mutant.name for mutant in only or mutants]
    besides = [beside] * len(names)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        return dict(zip(names, pool.map(killers, names, besides), strict=True))


def killers(name: str, beside: Committed | None = None) -> dict[str, str]:
    """The checks that kill one mutant, with their codes."""
    (mutant,) = (each for each in mutants if each.name == name)
    checks = all_checks() if beside is None else again(mutant, beside)
    return mutant.killers(reference_cases(), checks)


def again(mutant: Mutant, beside: Committed) -> tuple[Check, ...]:
    """The checks to be run beside a matrix: those that kill there, and those that can say something
    else than it does where something has changed since it was made."""
    if beside.of != fingerprint() or beside.around != around():
        return near(mutant, beside)
    kills = {mutant.check, *beside.kills.get(mutant.name, {})}
    return tuple(check for check in all_checks() if check.id in kills)


def near(mutant: Mutant, beside: Committed) -> tuple[Check, ...]:
    """The checks that can say something else of a mutant than a matrix says, or that kill it
    there."""
    kills, other = beside.kills.get(mutant.name, {}), _otherwise(mutant)
    return tuple(
        check
        for check in all_checks()
        if check.id == mutant.check
        or check.id in kills
        or (check.id not in SLOW and _may_differ(check.id, other, beside))
    )


def _may_differ(check: str, other: frozenset[str] | None, beside: Committed) -> bool:
    if other is None or check in LOOKING or check not in beside.reached:
        return True
    return bool(other & frozenset(beside.reached[check]))


def _otherwise(mutant: Mutant) -> frozenset[str] | None:
    """The names that the mutant has otherwise than the reference; ``None``: it differs in more than
    methods, or has hooks that the reference lacks."""
    bases: tuple[type, ...] = mutant.cls.__mro__
    if Reference not in bases or mutant.target != TARGET or mutant.suite_differs:
        return None
    names = {str(name) for base in bases[: bases.index(Reference)] for name in vars(base)}
    if "INFO" in names or any(hasattr(HubSpec, name) for name in names - set(vars(Reference))):
        return None
    return frozenset(names)


def reached() -> dict[str, list[str]]:
    """The methods of the reference that each check calls, directly or not."""
    codes: dict[Any, str] = {}
    for name, value in vars(Reference).items():
        code = getattr(getattr(value, "__func__", value), "__code__", None)
        if code is not None:
            codes[code] = name
    suite, found = REFERENCE.suite(reference_cases()), dict[str, list[str]]()
    for check in all_checks():
        called: set[str] = set()

        def note(frame: FrameType, event: str, _: Any, called: set[str] = called) -> None:
            if event == "call" and frame.f_code in codes:
                called.add(codes[frame.f_code])

        threading.setprofile(note)
        sys.setprofile(note)
        try:
            suite.judge(check)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
        found[check.id] = sorted(called)
    return found


@functools.cache
def fingerprint() -> str:
    """Names the present checks, mutants and cases; comments and docstrings do not count."""
    paths = (
        path
        for path in CONFORMANCE.rglob("*.py")
        if path.stem not in ELSEWHERE and FOLDER not in path.parents
    )
    return _digest(digest_of(FOLDER), CONFORMANCE, paths)


@functools.cache
def around() -> str:
    """Names what is not theirs and decides all the same: what plugins import, and the version of
    Python."""
    paths = (path for path in PLUGIN.rglob("*.py") if PLUGIN / "template" not in path.parents)
    return _digest(f"{sys.version_info[:2]}", PLUGIN, paths)


def _digest(first: str, folder: Path, paths: Iterable[Path]) -> str:
    digest = hashlib.sha256(first.encode())
    for path in sorted(paths):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update("\n".join(_code(path.read_text(encoding="utf-8"))).encode())
    return digest.hexdigest()


def _code(text: str) -> Iterator[str]:
    """The lines that do something."""
    said: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str()), lineno=first, end_lineno=last):
                said.update(range(first, (last or first) + 1))
            case _:
                pass
    for number, line in enumerate(text.splitlines(), 1):
        if number not in said and line.strip() and not line.lstrip().startswith("#"):
            yield line


def committed() -> Committed:
    """As it is in the repository."""
    return msgspec.json.decode(FILE.read_bytes(), type=Committed)


def without_sole_killer(matrix: Matrix) -> list[str]:
    """Checks that could be taken away without a mutant escaping."""
    alone = {next(iter(killers)) for killers in matrix.values() if len(killers) == 1}
    return [check.id for check in all_checks() if check.id not in alone]


def write(matrix: Matrix) -> None:
    """Into the repository."""
    whole = {
        "of": fingerprint(), "around": around(), "kills": matrix, "reached": reached(),
    }  # fmt: skip
    FILE.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")
