"""The hubs that run on a data folder, and how a command reaches them.

Each has a file in the folder, which it keeps locked as long as it lives and which names its socket:
a file that can be locked was left by a process that died. The socket itself lies in a folder of its
own, because the path of one may have a hundred bytes only.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

FOLDER = "processes"
LONGEST_WAIT = 120.0
"""Seconds after which no answer is waited for any more."""
_RELOAD = b"reload\n"


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of a reload, in lines to be shown."""

    applied: bool
    """``False``: nothing was changed."""
    lines: tuple[str, ...]


class Answer(Struct, frozen=True):
    """And which process it was."""

    pid: int
    outcome: Outcome


class _Process(Struct, frozen=True):
    """What stands in a process's file."""

    pid: int
    host: str
    socket: str


@asynccontextmanager
async def listening_for_commands(
    data: Path, reload: Callable[[], Awaitable[Outcome]]
) -> AsyncGenerator[None]:
    """Be found by ``ask_all``, as long as the block lasts."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):  # whoever asked has gone
            if await reader.readline() == _RELOAD:
                writer.write(msgspec.json.encode(await reload()) + b"\n")
                await writer.drain()
            writer.close()
            await writer.wait_closed()

    folder = Path(tempfile.mkdtemp(prefix="hub-"))  # open to the hub's own user only
    try:
        path = folder / "socket"
        server = await asyncio.start_unix_server(answer, path)
        with _announced(data / FOLDER, _Process(os.getpid(), socket.gethostname(), str(path))):
            yield
        server.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ask_all(data: Path) -> list[Answer]:
    """Have every process that runs on the folder, on this machine, reload; wait for what comes of
    it. What processes have left that are gone is removed."""
    answers: list[Answer] = []
    for file in sorted((data / FOLDER).glob("*.json")):
        process = _living(file)
        if process is not None and process.host == socket.gethostname():
            answers.append(Answer(process.pid, _ask(process)))
    return answers


def _ask(process: _Process) -> Outcome:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(LONGEST_WAIT)
            connection.connect(process.socket)
            connection.sendall(_RELOAD)
            with connection.makefile("rb") as stream:
                return msgspec.json.decode(stream.readline(), type=Outcome)
    except TimeoutError:
        reason = f"has not answered within {LONGEST_WAIT:g} s; its log tells what came of it"
    except msgspec.DecodeError:
        reason = "stopped before it had answered"
    except OSError as error:
        reason = f"cannot be reached: {error.strerror}"
    return Outcome(applied=False, lines=(f"the hub (process {process.pid}) {reason}",))


@contextmanager
def _announced(folder: Path, process: _Process) -> Generator[None]:
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{process.pid}-{secrets.token_hex(4)}.json"
    beginning = path.with_suffix(".new")
    with beginning.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(msgspec.json.encode(process))
        file.flush()
        beginning.rename(path)  # under its name it is complete, and locked
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _living(path: Path) -> _Process | None:
    """The process of a file; the file is removed if there is none any more."""
    try:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return msgspec.json.decode(file.read(), type=_Process)
            path.unlink(missing_ok=True)
    except (FileNotFoundError, msgspec.DecodeError):
        pass
    return None
