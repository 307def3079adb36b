"""Runs the tests for the Makefile: ``run_tests.py [PYTEST ARGUMENT...]``.

In CI, whose machines stand still for seconds, what failed is run once more: by new processes, so
that nothing a test has left can fail it again. The exit code is the last run's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

AGAIN = ("--last-failed", "--last-failed-no-failures", "none")
LONGEST = 4_500
"""Seconds for everything, less than what CI gives: what failed until then is told."""


def run(arguments: list[str], seconds: float | None) -> int:
    """Run pytest; its exit code."""
    limit = [] if seconds is None else [f"--session-timeout={seconds:.0f}"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, *limit], check=False
    ).returncode


def main() -> int:
    """Run them; pytest's exit code."""
    arguments = sys.argv[1:]
    if not os.environ.get("CI"):
        return run(arguments, None)
    began = time.monotonic()
    code = run(arguments, LONGEST)
    left = LONGEST - (time.monotonic() - began)
    # Who ran out of time has run a part only: what of it failed is not all that may fail.
    if code != pytest.ExitCode.TESTS_FAILED or left <= 0:
        return code
    print("What failed is run once more:", flush=True)
    return run([*arguments, *AGAIN], left)


if __name__ == "__main__":
    sys.exit(main())
