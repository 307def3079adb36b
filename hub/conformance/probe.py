"""Imports a plugin in an interpreter of its own and says what that did; see ``checks/load``."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import threading
import time
from importlib import import_module

from msgspec import Struct

from hub.conformance.calibration import slowness
from hub.conformance.guard import Guard

LONGEST = 60.0


class Imported(Struct, frozen=True, kw_only=True):
    """What an import did, and the processor time it took, on a machine of common speed."""

    problem: str = ""
    seen: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    seconds: float = 0.0


@functools.cache
def imported(target: str) -> Imported:
    """Import ``package:Class`` elsewhere, once for all."""
    command = [sys.executable, "-B", "-c", _CODE, json.dumps(sys.path), target]
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        return Imported(problem=f"the import did not end within {LONGEST:g} s")
    last = done.stdout.strip().splitlines()[-1:]
    if done.returncode or not last:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        return Imported(problem=said[0])
    found = json.loads(last[0])
    return Imported(
        seen=tuple(found["seen"]), threads=tuple(found["threads"]), seconds=found["seconds"]
    )


_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from hub.conformance.probe import probe
print("\\n" + json.dumps(probe(sys.argv[2])))
"""


def probe(target: str) -> dict[str, object]:
    """In the other interpreter: import it and look."""
    import_module("hub.plugin")  # every plugin has that at hand
    module = target.partition(":")[0]
    before = set(threading.enumerate())
    slow = slowness()
    with Guard() as guard:
        begun = time.process_time()
        import_module(module)
        seconds = time.process_time() - begun
    return {
        "seen": [each.what for each in guard.of("network", "write", "process")],
        "threads": [thread.name for thread in threading.enumerate() if thread not in before],
        "seconds": seconds / slow,
    }
