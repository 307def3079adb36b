"""In CI nothing may hide: a skipped test is a failed one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = """
import pytest

@pytest.mark.skip(reason="no time")
def test_skipped(): ...

@pytest.mark.xfail(strict=True)
def test_expected_to_fail(): assert False

def test_fixtures(fixtures_dir): ...
"""
MODULE = 'import pytest; pytest.skip("not here", allow_module_level=True)'


@pytest.mark.parametrize(
    ("ci", "code", "summary"),
    [("", 0, "3 skipped, 1 xfailed"), ("true", 2, "1 error"), ("1", 2, "1 error")],
)
def test_a_module_that_skips_itself(tmp_path: Path, ci: str, code: int, summary: str) -> None:
    (tmp_path / "test_module.py").write_text(MODULE)
    assert run(tmp_path, ci) == (code, summary)


@pytest.mark.parametrize(
    ("ci", "code", "summary"),
    [("", 0, "2 skipped, 1 xfailed"), ("true", 1, "1 xfailed, 2 errors")],
)
def test_skipped_tests(tmp_path: Path, ci: str, code: int, summary: str) -> None:
    assert run(tmp_path, ci) == (code, summary)


def run(folder: Path, ci: str) -> tuple[int, str]:
    """Run tests of a folder under the repository's rules: exit code and what was counted."""
    (folder / "test_skips.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-q", "."],
        cwd=folder,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(ROOT), "HUB_FIXTURES": str(folder / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()[-1].partition(" in ")[0]
