"""The guard, the clock and the watch see what they are there to see."""

from __future__ import annotations

import asyncio
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from hub.conformance.guard import MARKER, Guard, Kind
from hub.conformance.stage import Watch
from hub.plugin.kit.recorded import NOW, SetClock


def connect() -> None:
    with socket.socket() as sock:
        sock.connect(("192.0.2.1", 9))


def look_up() -> None:
    socket.getaddrinfo("provider.example", 443)


def send_a_datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("192.0.2.1", 9))


@pytest.mark.parametrize("reach", [connect, look_up, send_a_datagram])
def test_the_network_is_refused_and_noted(reach: Callable[[], None]) -> None:
    with Guard() as guard:
        guard.during = "ingest"
        with pytest.raises(PermissionError):
            reach()
    assert [(each.kind, each.during) for each in guard.of("network")] == [("network", "ingest")]


def test_it_is_refused_in_threads_that_begin_meanwhile() -> None:
    def reach() -> None:
        with suppress(OSError):
            connect()

    with Guard() as guard:
        thread = threading.Thread(target=reach)
        thread.start()
        thread.join()
    assert len(guard.of("network")) == 1


def test_other_threads_are_left_alone() -> None:
    begin, done, errors = threading.Event(), threading.Event(), list[OSError]()

    def reach() -> None:
        begin.wait(10)
        try:
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", 0))
        except OSError as error:
            errors.append(error)
        done.set()

    thread = threading.Thread(target=reach)
    thread.start()
    with Guard() as guard:
        begin.set()
        done.wait(10)
    thread.join()
    assert (guard.seen, errors) == ([], [])


def test_a_loop_of_its_own_is_no_network() -> None:
    with Guard() as guard:
        asyncio.run(asyncio.sleep(0))
    assert guard.of("network") == []


def test_when_it_is_left_nothing_is_refused() -> None:
    with Guard() as guard:
        pass
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
    assert guard.seen == []


def write(folder: Path) -> None:
    (folder / "left").write_text("behind")


def run_a_program(_: Path) -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def evaluate(_: Path) -> None:
    with suppress(NameError):
        eval(f"{MARKER}()")


def unpickle(_: Path) -> None:
    with suppress(ImportError):
        pickle.loads(f"c{MARKER}\nrun\n.".encode())


@pytest.mark.parametrize(
    ("act", "kind"),
    [(write, "write"), (run_a_program, "process"), (evaluate, "code"), (unpickle, "code")],
)
def test_what_is_done_is_noted(tmp_path: Path, act: Callable[[Path], None], kind: Kind) -> None:
    with Guard() as guard:
        act(tmp_path)
    assert guard.of(kind)


def test_the_clock_stands_until_it_is_moved() -> None:
    clock = SetClock()
    assert clock.now() == clock.now() == NOW
    clock.pass_by(1)
    assert clock.now() - NOW == timedelta(seconds=1)


def held(seconds: float) -> float:
    watch = Watch()

    async def hold() -> None:
        await asyncio.sleep(0)
        time.sleep(seconds)  # noqa: ASYNC251 — this is what it is to see
        await asyncio.sleep(0)

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(watch.factory)
        await asyncio.create_task(hold())

    asyncio.run(main())
    return watch.longest


def test_the_watch_sees_who_holds_the_loop() -> None:
    assert held(0.08) >= 0.08


def test_the_watch_hands_through_errors_and_cancellation() -> None:
    watch = Watch()
    seen: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("it")

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(watch.factory)
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(KeyError):
            await asyncio.create_task(fail())

    asyncio.run(main())
    assert seen == ["cancelled"]
