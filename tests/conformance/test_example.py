"""The guide's example is a package of its own that conforms."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/telegram"


@pytest.mark.feature("CONF-01")
def test_it_conforms_by_pytest_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "hub_telegram:Telegram: conformant: core" in done.stdout


def test_nothing_of_the_hub_names_it() -> None:
    for path in (ROOT / "hub").rglob("*.py"):
        assert "telegram" not in path.read_text().lower(), path
