"""The kill matrix, made once."""

from __future__ import annotations

import pytest

from hub.conformance.mutants import matrix


@pytest.fixture(scope="session")
def made() -> matrix.Matrix:
    """What every check says of every mutant."""
    return matrix.made()
