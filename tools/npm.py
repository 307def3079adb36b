"""Runs npm in ``webui/`` for the Makefile: with the machine's Node, or with the wheel's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hatch_build import (  # noqa: E402
    NODE_WHEEL,
    BuildError,
    has_sources,
    install_packages,
    npm,
    system_node,
    wheel_node,
)


def main() -> int:
    """Install what the lock file names, then run npm with each argument as a script's name."""
    if not has_sources(ROOT):
        return 0
    if system_node() is None and wheel_node() is None:
        uv = os.environ.get("UV", "uv")
        os.execvp(uv, [uv, "run", "--no-sync", "--with", NODE_WHEEL, "python", *sys.argv])
    try:
        install_packages(ROOT)
        for script in sys.argv[1:]:
            npm(ROOT, "run", script)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
