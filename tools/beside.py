"""Runs commands beside each other for the Makefile: ``beside.py [--first] NAME=COMMAND...``.

What one that failed has printed is shown when it has ended, in one piece. With ``--first`` the
first is shown as it goes, and the others after it. The exit code is 1 if one failed.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed


def run(name: str, command: str, *, shown: bool) -> tuple[str, int, str, float]:
    """Run the commands of one name, one after the other until one fails."""
    began = time.monotonic()
    printed, code = "", 0
    for each in command.split(" && "):
        done = subprocess.run(
            shlex.split(each),
            stdin=subprocess.DEVNULL,
            stdout=None if shown else subprocess.PIPE,
            stderr=None if shown else subprocess.STDOUT,
            text=True,
            check=False,
        )
        printed, code = printed + (done.stdout or ""), done.returncode
        if code:
            break
    return name, code, printed, time.monotonic() - began


def main() -> int:
    """Run everything; 1 if something failed."""
    arguments = sys.argv[1:]
    live = arguments[:1] == ["--first"]
    commands = [each.partition("=")[::2] for each in arguments[live:]]
    failed: list[str] = []
    with ThreadPoolExecutor(len(commands)) as pool:
        running = [
            pool.submit(run, name, command, shown=live and place == 0)
            for place, (name, command) in enumerate(commands)
        ]
        if live:
            running[0].result()
        for future in as_completed(running):
            name, code, printed, seconds = future.result()
            if code:
                failed.append(name)
                print(printed, end="")
            print(f"{name}: {'FAILED' if code else 'passed'} in {seconds:.0f} s", flush=True)
    if failed:
        print(f"Failed: {', '.join(failed)}; see above.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
