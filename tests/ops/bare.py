"""The command line as on a fresh machine: an empty folder, nothing in the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.hubs import HubProcess
from tests.patience import PATIENCE


def bare_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without anything for a hub, but what is given."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("HUB_")}
    return {**inherited, **environ}


def run(
    folder: Path,
    *arguments: str,
    first: Callable[[], object] | None = None,
    given: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """A command; ``first`` is run in its process before it."""
    # ``-B``: one whose files may not grow would leave half a module for everybody.
    return subprocess.run(
        [sys.executable, "-B", "-m", "hub.cli", *arguments],
        cwd=folder,
        env=bare_environ(environ or {}),
        preexec_fn=first,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


class BareHub(HubProcess):
    """``hub serve`` without a word about how."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        super().__init__(folder)
        self.environ = bare_environ(environ or {})


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The one line for a person; what else is printed are structured log lines."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith('{"')]
    (line,) = lines
    assert "Traceback" not in done.stderr
    return line
