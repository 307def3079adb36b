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
OPTIONS = ("-q", "-p", "no:cacheprovider", "--continue-on-collection-errors")
MODULE = 'import pytest; pytest.skip("not here", allow_module_level=True)'


@pytest.mark.parametrize(
    ("ci", "code", "summary"),
    [("", 0, "3 skipped, 1 xfailed"), ("true", 1, "1 xfailed, 3 errors")],
)
def test_in_ci_a_skip_is_an_error(tmp_path: Path, ci: str, code: int, summary: str) -> None:
    (tmp_path / "test_skips.py").write_text(TESTS)
    (tmp_path / "test_module.py").write_text(MODULE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "conftest", *OPTIONS, "."],
        cwd=tmp_path,
        env={
            **os.environ,
            "CI": ci,
            "PYTEST_ADDOPTS": "",
            "PYTHONPATH": str(ROOT),
            "HUB_FIXTURES": str(tmp_path / "no"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert done.stdout.splitlines()[-1].partition(" in ")[0] == summary
