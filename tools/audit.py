"""Asks for known weaknesses of what the hub is made of: Python's packages by ``uv audit``, the
web interface's by ``npm audit``. For the Makefile.

The exit code is 1 if there are any. Where nobody can be asked, as on a machine without the network,
that is said, in so many words; the exit code is 0 then, and 2 with ``--must-answer``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hatch_build import BuildError, npm_command  # noqa: E402

Outcome = Literal["clean", "weak", "unasked"]
LIMIT = 120
"""Seconds for each."""


def run(command: list[str], folder: Path, path: str | None = None) -> tuple[int, str, str]:
    """Its exit code, and what it printed."""
    environ = {**os.environ, **({"PATH": path} if path else {})}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, "", str(error)
    return done.returncode, done.stdout, done.stderr


def python(*options: str) -> tuple[Outcome, str]:
    """What ``uv audit`` says of ``uv.lock``. ``options``: more of its own."""
    uv = os.environ.get("UV", str(ROOT / "tools" / "uv"))
    code, out, err = run([uv, "audit", "--frozen", *options], ROOT)
    outcome: dict[int, Outcome] = {0: "clean", 1: "weak"}
    return outcome.get(code, "unasked"), (out + err).strip()


def web() -> tuple[Outcome, str]:
    """What ``npm audit`` says of ``webui/package-lock.json``."""
    try:
        command, folder = npm_command()
    except BuildError as error:
        return "unasked", str(error)
    path = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
    _, out, err = run([*command, "audit", "--json"], ROOT / "webui", path)
    try:
        found: dict[str, Any] = json.loads(out)
        count = int(found["metadata"]["vulnerabilities"]["total"])
    except (ValueError, KeyError, TypeError):
        return "unasked", (err or out).strip()
    return ("weak" if count else "clean"), "\n".join(sorted(found["vulnerabilities"]))


def main() -> int:
    """Ask both."""
    must = "--must-answer" in sys.argv[1:]
    code = 0
    for name, (outcome, told) in {"Python": python(), "web interface": web()}.items():
        if outcome == "clean":
            print(f"audit, {name}: no known weakness")
        elif outcome == "weak":
            print(f"audit, {name}: KNOWN WEAKNESSES\n{told}")
            code = 1
        else:
            reason = next((line for line in reversed(told.splitlines()) if line.strip()), "")
            print(f"audit, {name}: NOT ASKED, so nothing is known ({reason.strip()})")
            code = code or (2 if must else 0)
    return code


if __name__ == "__main__":
    sys.exit(main())
