"""The processes under measurement: where they run, what they use. Linux only."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

SERVER_CPU, LOAD_CPU = 0, 1
"""Server and load never share a core, so that one is not measured by the other's hunger."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@contextmanager
def on_cpu(*numbers: int) -> Generator[None]:
    """Whatever is started within the block runs on these cores; this thread does too."""
    present = os.sched_getaffinity(0)
    os.sched_setaffinity(0, present.intersection(numbers) or present)
    try:
        yield
    finally:
        os.sched_setaffinity(0, present)


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used so far, in all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mb(pid: int) -> float:
    """Memory of a process that lies in RAM (RSS), in MB of 10^6 bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6
