"""The hub as a stranger has it: its wheel, in an environment with nothing else in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.authors.machine import Machine, Wheelhouse


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Wheelhouse:
    """The hub's wheel, built once."""
    return Wheelhouse.build(tmp_path_factory.mktemp("wheelhouse"))


@pytest.fixture
def machine(wheelhouse: Wheelhouse, tmp_path: Path) -> Machine:
    """A stranger's machine with an empty folder."""
    return Machine(wheelhouse, tmp_path)
