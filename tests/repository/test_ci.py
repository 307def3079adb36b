"""In CI nothing may hide: a skipped test is a failed one, and what fails twice fails."""

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
CHANCE = """
from pathlib import Path

left = []

def test_that_leaves_something_and_fails_by_chance():
    assert not left
    left.append(1)
    ran = Path("runs").read_text() if Path("runs").exists() else ""
    Path("runs").write_text(ran + "x")
    assert ran

def test_that_passes():
    left.append(2)
    with Path("passed").open("a") as passed:
        passed.write("x")
"""
FAULT = "def test_that_fails(): assert 0"
OPTIONS = ("-q", "-p", "no:cacheprovider", "--continue-on-collection-errors")
WORKERS = ("-p", "xdist", "-p", "pytest_timeout", "-n", "2", "-q")
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


@pytest.mark.parametrize(("ci", "code", "runs"), [("", 1, "x"), ("true", 0, "xx")])
def test_in_ci_what_failed_is_run_once_more_from_nothing(
    tmp_path: Path, ci: str, code: int, runs: str
) -> None:
    (tmp_path / "test_chance.py").write_text(CHANCE)
    assert code_of(tmp_path, ci) == code
    assert (tmp_path / "runs").read_text() == runs
    assert (tmp_path / "passed").read_text() == "x"


def test_what_fails_twice_fails(tmp_path: Path) -> None:
    (tmp_path / "test_chance.py").write_text(CHANCE)
    (tmp_path / "test_fault.py").write_text(FAULT)
    assert code_of(tmp_path, "true") == 1
    assert (tmp_path / "runs").read_text() == "xx"


def test_a_module_that_cannot_be_read_fails(tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text("import nothing_of_that_name")
    assert code_of(tmp_path, "true") != 0


def code_of(folder: Path, ci: str) -> int:
    """The exit code of the script that the Makefile calls, with workers as there."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/run_tests.py"), *WORKERS],
        cwd=folder,
        env={**os.environ, "CI": ci, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        check=False,
    )
    return done.returncode
