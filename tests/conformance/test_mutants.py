"""Each check can fail, for the reason it says; and none could be taken away unnoticed."""

from __future__ import annotations

import pytest

from hub.conformance.check import all_checks
from hub.conformance.mutants import matrix
from hub.conformance.mutants.mutant import (
    REFERENCE,
    Mutant,
    harmless,
    mutants,
    reference_cases,
)
from hub.conformance.mutants.reference import Reference
from hub.conformance.report import state_of

CASES = reference_cases()
AGAIN = "make it anew: python -m hub.conformance.mutants"


@pytest.mark.parametrize("variant", [REFERENCE, *harmless], ids=lambda variant: variant.name)
def test_what_behaves_passes_everything(variant: Mutant) -> None:
    results = variant.suite(CASES).results()
    assert [(each.id, each.got or each.reason) for each in results if each.verdict != "pass"] == []
    assert state_of(results) == "conformant"


@pytest.mark.feature("CONF-03")
@pytest.mark.timeout(1200)
def test_every_mutant_is_killed_by_its_check_for_its_reason(made: matrix.Matrix) -> None:
    wanted = {mutant.name: (mutant.check, mutant.code) for mutant in mutants}
    got = {name: (check, made[name].get(check)) for name, (check, _) in wanted.items()}
    assert got == wanted


@pytest.mark.feature("CONF-03")
@pytest.mark.timeout(1200)
def test_every_check_has_a_mutant_that_only_it_kills(made: matrix.Matrix) -> None:
    assert matrix.without_sole_killer(made) == []


@pytest.mark.timeout(1200)
def test_the_matrix_is_the_one_that_is_committed(made: matrix.Matrix) -> None:
    assert made == matrix.committed().kills, AGAIN


def test_the_matrix_is_of_the_present_checks_and_mutants() -> None:
    committed = matrix.committed()
    assert committed.of == matrix.fingerprint(), AGAIN
    assert set(committed.kills) == {mutant.name for mutant in mutants}
    assert set(committed.reached) == {check.id for check in all_checks()}


def test_what_is_not_run_again_cannot_say_otherwise() -> None:
    """What a mutant has otherwise is reached by no check that is left out, but by slow ones."""
    committed = matrix.committed()
    for mutant in mutants:
        others = {name for base in mutant.cls.__mro__[:-1] for name in vars(base)}
        if Reference in mutant.cls.__mro__:
            bases = mutant.cls.__mro__[: mutant.cls.__mro__.index(Reference)]
            others = {name for base in bases for name in vars(base)}
        run = {check.id for check in matrix.near(mutant, committed)}
        for check in {*committed.reached} - run - matrix.SLOW:
            assert not others & {*committed.reached[check]}, (mutant.name, check)
        assert {mutant.check, *committed.kills[mutant.name]} <= run


def test_what_a_check_reaches_is_what_is_committed() -> None:
    assert matrix.reached() == matrix.committed().reached, AGAIN


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("check", [check.id for check in all_checks()])
def test_without_any_one_check_a_mutant_escapes(made: matrix.Matrix, check: str) -> None:
    rest = {name: set(killers) - {check} for name, killers in made.items()}
    assert [name for name, killers in rest.items() if not killers]


def test_no_two_mutants_have_one_name() -> None:
    names = [mutant.name for mutant in (*mutants, *harmless)]
    assert len(names) == len(set(names))
