"""The kill matrix: which checks kill which mutant. It is a file of the repository, ``matrix.json``,
so that a change of it is seen."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from hub.conformance.check import all_checks
from hub.conformance.mutants import harmless, wrong
from hub.conformance.mutants.mutant import Mutant, mutants, reference_cases

__all__ = ["committed", "harmless", "made", "without_sole_killer", "write", "wrong"]

FILE = Path(__file__).parent / "matrix.json"
Matrix = dict[str, dict[str, str]]
"""Mutant to the checks that kill it, each with its code."""


def made(only: tuple[Mutant, ...] = ()) -> Matrix:
    """By running every check on every mutant, in as many processes as there are processors."""
    names = [mutant.name for mutant in only or mutants]
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        return dict(zip(names, pool.map(killers, names), strict=True))


def killers(name: str) -> dict[str, str]:
    """The checks that kill one mutant, with their codes."""
    (mutant,) = (each for each in mutants if each.name == name)
    return mutant.killers(reference_cases(), all_checks())


def committed() -> Matrix:
    """As it is in the repository."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def without_sole_killer(matrix: Matrix) -> list[str]:
    """Checks that could be taken away without a mutant escaping."""
    alone = {next(iter(killers)) for killers in matrix.values() if len(killers) == 1}
    return [check.id for check in all_checks() if check.id not in alone]


def write(matrix: Matrix) -> None:
    """Into the repository."""
    FILE.write_text(json.dumps(matrix, indent=1, sort_keys=True) + "\n", encoding="utf-8")
