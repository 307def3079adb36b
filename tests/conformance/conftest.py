"""The kill matrix, made once."""

from __future__ import annotations

import pytest

from hub.conformance.mutants import matrix


@pytest.fixture(scope="session")
def made() -> matrix.Matrix:
    """What the checks say of every mutant, those that can say something else than is committed."""
    return matrix.made(beside=matrix.committed())
