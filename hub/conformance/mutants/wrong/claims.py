"""Wrong in what it claims."""

from __future__ import annotations

from hub.conformance.mutants.mutant import claiming, wrong
from hub.conformance.mutants.reference import Reference


@wrong("CLM-01", "not_proven")
class ClaimsSubjects(Reference):
    """It claims what it lacks."""

    INFO = claiming(subject=True)


@wrong("CLM-02", "not_claimed")
class DeniesReceipts(Reference):
    """It tells what it does not claim."""

    INFO = claiming(receipts=frozenset({"sent", "delivered"}))
