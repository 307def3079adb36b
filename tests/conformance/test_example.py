"""The guide's example is what it says: a package of its own that conforms, by the public API."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/telegram"


@pytest.mark.feature("CONF-01")
def test_it_conforms_by_pytest_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "hub_telegram:Telegram: conformant: core" in done.stdout


def imported(path: Path) -> set[str]:
    """The modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_of_the_hub_it_imports_what_is_promised() -> None:
    files = [*EXAMPLE.rglob("*.py")]
    assert files
    for path in files:
        of_the_hub = {name for name in imported(path) if name.split(".")[0] == "hub"}
        assert not {name for name in of_the_hub if not name.startswith("hub.plugin")}, path
        assert not {name for name in of_the_hub if name.startswith("hub.plugin.kit")}, path


def test_nothing_of_the_hub_names_it() -> None:
    for path in (ROOT / "hub").rglob("*.py"):
        assert "telegram" not in path.read_text().lower(), path
