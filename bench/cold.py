"""How soon a process answers, what it weighs when nobody asks, and what a browser has to load."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

import hub.web
from bench.machine import memory_mb
from bench.options import Options
from bench.results import Figure, Samples, Section
from bench.servers import Floor, Hub, scratch
from tests.services import free_port

HUB = "hub"
FLOOR = "floor: Litestar and SQLAlchemy on aiosqlite, bare"
MODULE = "bench.floors.cold"
STATIC = Path(hub.web.__file__).parent / "static"
LIMIT = 60.0
METHOD = """\
From the start of the process to the first 200, on one core, the hub on a database that is there
(`/readyz`, with the channel `sms-twilio`), the floor with one query in memory. Memory is what lies
in RAM a minute after the start, unused. Scripts are those that the page names, compressed by gzip
as they are served."""


def measure(options: Options) -> Section:
    """Starts in turns, then memory, then sizes."""
    samples = Samples()
    rest = 3 if options.quick else 60
    with scratch() as folder:
        port = free_port()
        with Hub(folder, port):
            pass  # it has made the database
        for _ in range(3 * options.repeat):
            options.say("cold: starts")
            samples.add(FLOOR, "start to first 200", {"ms": _start(Floor(MODULE, port=port), port)})
            samples.add(HUB, "start to first 200", {"ms": _start(Hub(folder, port), port)})
        options.say(f"cold: memory after {rest} s")
        with Floor(MODULE, port=port) as floor, Hub(folder, free_port()) as idle:
            time.sleep(rest)
            samples.add(FLOOR, "idle", {"MB": memory_mb(floor.pid)})
            samples.add(HUB, "idle", {"MB": memory_mb(idle.pid)})
    samples.add("web interface", "first paint", {"kB": _scripts()})
    return Section(
        title="Cold start",
        method=METHOD,
        rows=samples.rows(),
        figures=[
            Figure(
                what="Process start to first 200 over the bare application",
                values=samples.ratios(HUB, FLOOR, "start to first 200", "ms"),
                unit="times",
                floor=" beside ".join(
                    f"{samples.median(one, 'start to first 200', 'ms'):,.0f}"
                    for one in (HUB, FLOOR)
                )
                + " ms",
                goal=2.0,
                better="less",
            ),
            Figure(
                what="Memory of an idle process",
                values=samples.values(HUB, "idle", "MB"),
                unit="MB",
                floor=f"{samples.median(FLOOR, 'idle', 'MB'):.0f} MB",
                goal=120.0,
                better="less",
            ),
            Figure(
                what="Scripts for the first paint, gzip",
                values=samples.values("web interface", "first paint", "kB"),
                unit="kB",
                goal=75.0,
                better="less",
            ),
        ],
    )


def _start(server: Hub | Floor, port: int) -> float:
    """Milliseconds until the server's own answer to whether it is ready."""
    begun = time.perf_counter()
    process = server.launch()
    try:
        while not _answers(server.ready_path, port):
            if process.poll() is not None or time.perf_counter() - begun > LIMIT:
                raise RuntimeError("it did not start")
            time.sleep(0.003)
        return (time.perf_counter() - begun) * 1000
    finally:
        process.terminate()
        process.wait(LIMIT)


def _answers(path: str, port: int) -> bool:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as asking:
            asking.sendall(request.encode())
            return asking.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _scripts() -> float:
    """Kilobytes of the scripts that the page itself names."""
    page = (STATIC / "index.html").read_text()
    names = set(re.findall(r'(?:src|href)="/(assets/[^"]+\.js)"', page))
    return sum((STATIC / f"{name}.gz").stat().st_size for name in names) / 1000
