"""Files on disk, named by the SHA-256 of their bytes: the same file is kept once.

A file is written, flushed and only then given its name, and it has its name before the transaction
that refers to it: what the database names is always there, whole.

What nothing refers to any more is removed (``hub.flow.sweep``) once nobody has kept it for
``GRACE``. Keeping a file that is there already makes it young again; that and its removal take
turns by a lock on the folder, which holds between processes too. So nobody can be told that a file
is kept, and lose it before their transaction is committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

GRACE = 24 * 3600.0
"""Seconds between keeping a file and the latest moment at which a transaction refers to it."""
GATHER = 1 << 20
"""Bytes that are gathered before they are written."""

_NAME = re.compile(r"[0-9a-f]{64}")
_TEMPORARY = "incoming"
_LOCK = ".lock"


class Kept(Struct, frozen=True):
    """A file that is kept."""

    sha256: str
    size: int


class Blobs:
    """The blob store in a folder; several processes may share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, body: bytes) -> str:
        """Keep ``body``; its SHA-256 in hex. Raises ``OSError`` (disk full)."""

        def put() -> str:
            incoming = Incoming(self)
            try:
                incoming.write_now(body)
                return incoming.keep_now().sha256
            finally:
                incoming.discard()

        return await asyncio.to_thread(put)

    @asynccontextmanager
    async def receive(self) -> AsyncGenerator[Incoming]:
        """A file that arrives in pieces; what was not kept at the end is thrown away. Raises
        ``OSError`` (disk full)."""
        incoming = await asyncio.to_thread(Incoming, self)
        try:
            yield incoming
        finally:
            incoming.discard()

    async def get(self, sha256: str) -> bytes:
        """The bytes. Raises ``FileNotFoundError``."""
        return await asyncio.to_thread(self.path(sha256).read_bytes)

    def path(self, sha256: str) -> Path:
        """Where a blob lies."""
        if not _NAME.fullmatch(sha256):
            raise FileNotFoundError(sha256)
        return self._folder / sha256[:2] / sha256

    # ------------------------------------------------------------------ for who writes

    def temporary(self) -> tuple[int, Path]:
        """A new file to write to, open."""
        folder = self._folder / _TEMPORARY
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
        return handle, Path(name)

    def give_name(self, temporary: Path, kept: Kept) -> None:
        """Let a file that was flushed be a blob, in place of what may be there of it."""
        path = self.path(kept.sha256)
        if not path.parent.exists():
            path.parent.mkdir(exist_ok=True)
            _flush(self._folder)
        with self._locked(fcntl.LOCK_SH):
            if path.exists() and path.stat().st_size == kept.size:
                os.utime(path)
            else:
                os.utime(temporary)
                temporary.replace(path)
        _flush(path.parent)

    # ------------------------------------------------------------------ for who tidies up

    def old(self, prefix: str, *, now: float | None = None) -> list[str]:
        """Blobs whose names begin with ``prefix`` (two digits) that nobody has kept for
        ``GRACE``."""
        before = _before(now)
        return sorted(
            entry.name
            for entry in _entries(self._folder / prefix)
            if _NAME.fullmatch(entry.name) and _older(entry, before)
        )

    def remove(self, sha256: str, *, now: float | None = None) -> bool:
        """Remove a blob, unless somebody has kept it again within ``GRACE``."""
        path = self.path(sha256)
        with self._locked(fcntl.LOCK_EX), contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < _before(now):
                path.unlink()
                return True
        return False

    def remove_left_over(self, *, now: float | None = None) -> int:
        """Remove files that a process had not finished when it died; how many."""
        left = [e for e in _entries(self._folder / _TEMPORARY) if _older(e, _before(now))]
        for entry in left:
            Path(entry.path).unlink(missing_ok=True)
        return len(left)

    @contextmanager
    def _locked(self, how: int) -> Generator[None]:
        """The folder's lock; it ends with the process that holds it."""
        handle = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, how)
            yield
        finally:
            os.close(handle)


class Incoming:
    """A file that is being written; ``size`` is how many bytes have come."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._digest = hashlib.sha256()
        self._waiting = bytearray()
        self.size = 0
        handle, self._path = blobs.temporary()
        self._file: BinaryIO = os.fdopen(handle, "w+b", buffering=0)

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take more bytes. Raises ``OSError``."""
        self._waiting += chunk
        self.size += len(chunk)
        if len(self._waiting) >= GATHER:
            await asyncio.to_thread(self._write_waiting)

    async def open(self) -> BinaryIO:
        """What has come so far, to be looked at; it is this file's own."""
        await asyncio.to_thread(self._write_waiting)
        self._file.seek(0)
        return self._file

    async def keep(self) -> Kept:
        """All has come: keep it. Raises ``OSError``."""
        return await asyncio.to_thread(self.keep_now)

    def write_now(self, chunk: bytes) -> None:
        """As ``write``, in a thread."""
        self._digest.update(chunk)
        self.size += len(chunk)
        self._write(chunk)

    def keep_now(self) -> Kept:
        """As ``keep``, in a thread."""
        self._write_waiting()
        os.fsync(self._file.fileno())
        kept = Kept(self._digest.hexdigest(), self.size)
        self._blobs.give_name(self._path, kept)
        return kept

    def discard(self) -> None:
        """Let go of the file; what was kept stays."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _write_waiting(self) -> None:
        chunk = bytes(self._waiting)
        self._waiting.clear()
        self._digest.update(chunk)
        self._file.seek(0, os.SEEK_END)
        self._write(chunk)

    def _write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            rest = rest[self._file.write(rest) :]


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _before(now: float | None) -> float:
    return (time.time() if now is None else now) - GRACE


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _older(entry: os.DirEntry[str], before: float) -> bool:
    try:
        return entry.stat().st_mtime < before
    except FileNotFoundError:  # somebody else has removed it
        return False
