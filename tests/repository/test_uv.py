"""``tools/uv`` uses the machine's uv, or says what to do where none can be installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A copy of the script in a repository that has no uv yet."""
    (tmp_path / "tools").mkdir()
    return Path(shutil.copy(ROOT / "tools" / "uv", tmp_path / "tools"))


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def run(script: Path, programs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, "sync", "two words"],
        env={**os.environ, "PATH": f"{programs}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_machines_uv_is_used(script: Path, tmp_path: Path) -> None:
    program(tmp_path, "uv", 'printf "%s|" "$@"')
    assert run(script, tmp_path).stdout == "sync|two words|"
    assert not (tmp_path / ".tools").exists()


def test_a_python_that_can_install_nothing_gets_told_what_to_do(
    script: Path, tmp_path: Path
) -> None:
    program(tmp_path, "python3", "exit 1")
    done = run(script, tmp_path)
    assert done.returncode == 1
    assert "sudo apt-get install python3-venv" in done.stderr
    assert not (tmp_path / ".tools").exists()
