"""Processes that start at once, for tests that start and kill a great many.

Most of a start is importing, the same every time. A ``Forker`` is a process that has imported
already and makes a copy of itself for each start: a process like any other from there on, with
files, connections and threads of its own, that ``kill -9`` ends as it ends any other.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from tests.patience import PATIENCE

ROOT = Path(__file__).parent.parent
HUB = (
    "hub.cli.commands",
    "hub.app.commands",
    "hub.app.hub",
    "uvicorn",
    "uvloop",
    "hub.flow.relay",
    "hub.store.migrate",
    "alembic.runtime.environment",
    "asyncpg",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
    "litestar.plugins.attrs",
    "litestar.plugins.pydantic",
    "litestar._kwargs.kwargs_model",
    "litestar.middleware._internal.exceptions",
    "litestar.middleware.allowed_hosts",
    "litestar.middleware.csrf",
    "litestar.middleware.response_cache",
    "alembic.command",
    "alembic.config",
    "encodings.idna",
    "zxcvbn",
    "hub.app.protocol",
    "hub_simulator",
    "hub_sms_twilio",
)
"""What a hub imports until it answers."""


class Process(Protocol):
    """What tests do with a process: ``subprocess.Popen`` in short."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...
    def terminate(self) -> None: ...


class Forker:
    """Starts ``function`` of ``module`` in new processes; the modules ``first`` are imported once.

    May be used by several threads. Leaving the context ends whatever still runs."""

    def __init__(self, module: str, function: str, first: Sequence[str] = HUB) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forks", module, function, *first],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environ: Mapping[str, str],
        output: Path,
        errors: Path | None = None,
        input_: Path | None = None,
    ) -> Process:
        """Call the function with ``arguments`` in a process of its own. What it returns is its
        exit code; what it prints is in ``output``, and what it complains of in ``errors`` if they
        are told apart. It reads ``input_``."""
        for path in filter(None, (output, errors)):
            path.write_bytes(b"")  # nobody shall read what the one before has printed
        wanted = {
            "arguments": list(arguments),
            "folder": str(folder),
            "environ": dict(environ),
            "output": str(output),
            "errors": str(errors or output),
            "input_": str(input_ or os.devnull),
        }
        return _Forked(self, self.ask({"start": wanted}))

    def run(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environ: Mapping[str, str],
        input_: str | None = None,
        timeout: float = PATIENCE,
    ) -> subprocess.CompletedProcess[str]:
        """``subprocess.run`` of the function, for what ends by itself; ``timeout`` in seconds."""
        with tempfile.TemporaryDirectory(prefix="hub-run-") as kept:
            given, output, errors = (Path(kept) / name for name in ("in", "out", "err"))
            given.write_text(input_ or "", encoding="utf-8")
            process = self.start(
                arguments,
                folder=folder,
                environ=environ,
                output=output,
                errors=errors,
                input_=given,
            )
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
            said = (path.read_text(encoding="utf-8") for path in (output, errors))
            return subprocess.CompletedProcess(list(arguments), code, *said)

    def ask(self, wanted: dict[str, Any]) -> Any:
        """Put a question to the process that forks."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            number = next(self._numbers)
            self._process.stdin.write(json.dumps({**wanted, "number": number}) + "\n")
            self._process.stdin.flush()
            while True:
                answer = json.loads(self._process.stdout.readline())
                if answer["number"] == number:  # not that of a test which had run out of time
                    return answer["answer"]

    def __enter__(self) -> Forker:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._process.communicate()


@lru_cache(maxsize=1)
def hubs() -> Forker:
    """What starts the hubs of this process's tests."""
    forker = Forker("tests.forks", "hub")
    atexit.register(forker.__exit__)
    return forker


class _Forked:
    """A process that the forker started. It is the forker's to wait for."""

    def __init__(self, forker: Forker, pid: int) -> None:
        self.pid = pid
        self._forker = forker
        self._lock = threading.Lock()
        self._code: int | None = None

    def poll(self) -> int | None:
        with self._lock:
            if self._code is None:
                self._code = self._forker.ask({"poll": self.pid})
            return self._code

    def wait(self, timeout: float | None = None) -> int:
        ends = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if ends is not None and time.monotonic() > ends:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(0.005)
        return code

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def _send(self, number: int) -> None:
        # Until it was waited for, its number is nobody else's.
        with self._lock:
            if self._code is None:
                os.kill(self.pid, number)


def hub(arguments: Sequence[str]) -> int:
    """The hub's command line."""
    from hub.cli import main as command

    cheap_passwords()
    return command(arguments)


def cheap_passwords() -> None:
    """In this process passwords are hashed as cheaply as can be: how dearly the product does it is
    for a test of its own, and most tests sign in."""
    from argon2 import PasswordHasher, profiles

    from hub.edge import sessions

    sessions._hasher = PasswordHasher.from_parameters(profiles.CHEAPEST)


def main(module: str, function: str, *first: str) -> None:
    """The process that forks: a request on a line, its answer on a line."""
    call = getattr(importlib.import_module(module), function)
    for name in first:
        importlib.import_module(name)
    # One whose files may not grow would leave half a module for everybody.
    sys.dont_write_bytecode = True
    gc.freeze()  # a copy whose collector looks at what was imported copies its memory, too
    running: set[int] = set()
    for line in sys.stdin:
        wanted = json.loads(line)
        if "start" in wanted:
            answer = _fork(call, **wanted["start"])
            running.add(answer)
        else:
            pid, status = os.waitpid(wanted["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
            running.discard(pid)
        print(json.dumps({"number": wanted["number"], "answer": answer}), flush=True)
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _fork(
    call: Any,
    *,
    arguments: list[str],
    folder: str,
    environ: dict[str, str],
    output: str,
    errors: str,
    input_: str,
) -> int:
    if threading.active_count() > 1:
        raise RuntimeError("a module that is imported first starts threads; they are not copied")
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for target, path in enumerate((input_, output, errors)):
            file = os.open(path, os.O_RDONLY if target == 0 else os.O_WRONLY | os.O_APPEND)
            os.dup2(file, target)
            os.close(file)
        # What the forker has read ahead of its own input is not this one's.
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 — until the process ends
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environ)
        sys.path[:0] = filter(None, environ.get("PYTHONPATH", "").split(os.pathsep))
        importlib.invalidate_caches()
        code = call(arguments) or 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 — as the interpreter does
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
