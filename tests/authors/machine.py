"""A stranger's machine: ``python3`` and ``pip`` as they are, but quick, and a package index that
has the hub's wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

from msgspec import Struct

from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
UV = ROOT / "tools" / "uv"
PYTHON = f"""\
#!/bin/sh
# The environment that `python3 -m venv` makes, without a pip of its own.
if [ "$1 $2" = "-m venv" ]; then exec "{UV}" venv --quiet --python "{sys.executable}" "$3"; fi
exec "{sys.executable}" "$@"
"""
PIP = f"""\
#!/bin/sh
exec "{UV}" pip "$@"
"""


class Wheelhouse(Struct, frozen=True):
    """The hub's wheel, and the versions that everything else is installed in."""

    folder: Path
    constraints: Path

    @classmethod
    def build(cls, folder: Path) -> Self:
        """Build it from this repository."""
        done(_uv("build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT)))
        quietly = ("--quiet", "--frozen", "--no-hashes", "--no-annotate", "--no-emit-workspace")
        exported = done(_uv("export", *quietly, "--project", str(ROOT)))
        constraints = folder / "constraints.txt"
        constraints.write_text(exported)
        return cls(folder, constraints)


class Machine:
    """Runs a stranger's commands."""

    def __init__(self, wheelhouse: Wheelhouse, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        programs = folder / "programs"
        programs.mkdir()
        for name, text in (("python3", PYTHON), ("pip", PIP)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        here = str(Path(sys.executable).parent)
        path = [each for each in os.environ["PATH"].split(os.pathsep) if each != here]
        told = ("HUB_", "PYTHON", "PYTEST", "VIRTUAL_ENV", "COV_")
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(told)},
            "PATH": os.pathsep.join([str(programs), *path]),
            "UV_FIND_LINKS": str(wheelhouse.folder),
            "UV_CONSTRAINT": str(wheelhouse.constraints),
            "UV_COMPILE_BYTECODE": "0",
        }

    @property
    def python(self) -> str:
        """The interpreter of the environment ``.venv`` of its folder."""
        return str(self.folder / ".venv" / "bin" / "python")

    def run(self, script: str, folder: str = ".") -> subprocess.CompletedProcess[str]:
        """Run a script of a shell in a folder, in the environment ``.venv`` once there is one."""
        return subprocess.run(
            ["sh", "-e"],
            input=self.script(script, folder),
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=5 * PATIENCE,
        )

    def script(self, script: str, folder: str = ".") -> str:
        """The script with what a person's shell would remember."""
        return f"if [ -e .venv ]; then . .venv/bin/activate; fi\ncd {folder}\n{script}\n"

    def ran(self, script: str, folder: str = ".") -> str:
        """What a script printed that succeeded."""
        return done(self.run(script, folder))


def done(process: subprocess.CompletedProcess[str]) -> str:
    """The output of what succeeded."""
    assert process.returncode == 0, f"{process.stdout}\n{process.stderr}"
    return process.stdout


def _uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(UV), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
