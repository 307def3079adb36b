"""What a plugin claims turns checks on, and nothing else does."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hub.conformance.check import SECTIONS, all_checks
from hub.conformance.mutants.mutant import REFERENCE, claiming, reference_cases
from hub.conformance.mutants.reference import Reference
from hub.conformance.run import Result
from hub.plugin import Capabilities

CASES = reference_cases()
CLAIMED = {"edits", "deletes", "reactions", "provider_idempotency", "threading", "splits"}


def results(cls: type) -> dict[str, Result]:
    suite = replace(REFERENCE, cls=cls).suite(CASES)
    return {result.id: result for result in suite.results()}


@pytest.mark.feature("CONF-02")
def test_what_claims_everything_is_checked_in_every_section() -> None:
    passed = {one.id for one in results(Reference).values() if one.verdict == "pass"}
    assert {id_[:3] for id_ in passed} == set(SECTIONS)
    assert passed == {check.id for check in all_checks()}


@pytest.mark.feature("CONF-02")
def test_what_is_not_claimed_is_not_checked_and_says_why() -> None:
    class Quiet(Reference):
        INFO = replace(Reference.INFO, can=Capabilities(inbound=frozenset({"http"})))

    found = results(Quiet)
    for check in all_checks():
        if check.on in {"always", "inbound"}:
            continue
        result = found[check.id]
        assert (result.verdict, result.reason) == ("n/a", f"INFO.can does not claim {check.on}")


@pytest.mark.feature("CONF-02")
@pytest.mark.parametrize("flag", sorted(CLAIMED))
def test_a_claim_that_nothing_exercises_fails(flag: str) -> None:
    class Boasting(Reference):
        INFO = claiming(**dict.fromkeys(CLAIMED - {flag}, False), **{flag: True})

    bare = replace(CASES, ingest=(), send=())
    (claim,) = replace(REFERENCE, cls=Boasting).suite(bare).results(["CLM-01"])
    assert (claim.verdict, claim.code) == ("fail", "not_proven")
    assert flag in claim.got.rpartition("claimed, not proven: ")[2].split(", ")
    assert not (CLAIMED - {flag}) & {*claim.got.rpartition(": ")[2].split(", ")}
