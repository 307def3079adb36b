"""The hub's secret keys: configured, or kept in the data folder.

There they are a file with a line for each: the present one, and while it is replaced the one
before. The file is only ever replaced whole, so that whoever reads it finds all that is needed,
whatever was interrupted, and every process that runs goes on with what it says by then.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hub.app.errors import StartupError
from hub.config import SECRET_KEY_LENGTH, HubConfig
from hub.edge.keys import Ring
from hub.plugin import Secret

NAME = "secret_key"


def secret_keys(config: HubConfig) -> Ring:
    """The configured ones, or those in the data folder, where one is made if there is none. Raises
    ``StartupError``."""
    if config.hub.secret_key is not None:
        configured = (config.hub.secret_key, *config.hub.accepted_secret_keys)
        return lambda: configured
    path = config.hub.data / NAME
    if not path.exists():
        _begin(path)
    return KeyFile(path)


class KeyFile:
    """What the file says, read again when it was replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._look()
        self._known = read(path)

    def __call__(self) -> tuple[Secret, ...]:
        """The keys by now. A file that is gone or damaged changes nothing for who runs."""
        with contextlib.suppress(OSError, StartupError):
            seen = self._look()
            if seen != self._seen:
                self._known, self._seen = read(self._path), seen
        return self._known

    def _look(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_ino, found.st_mtime_ns


def new_key() -> Secret:
    """A key that nobody can guess."""
    return Secret(secrets.token_hex(32))


def read(path: Path) -> tuple[Secret, ...]:
    """The keys in a file. Raises ``OSError``, ``StartupError``."""
    try:
        lines = path.read_text(encoding="ascii").split("\n")
    except UnicodeDecodeError:
        lines = []
    found = tuple(Secret(line.strip()) for line in lines if line.strip())
    if not found or any(len(one.reveal()) < SECRET_KEY_LENGTH for one in found):
        raise StartupError(
            f"{path} holds no key: put back the one that this database was used with (of a new "
            "hub, remove the file)"
        )
    return found


def write(path: Path, keys: Sequence[Secret]) -> None:
    """Put these in place of what the file says, for the same user to read."""
    held = path.stat()
    temporary = path.with_name(f"{path.name}.new")  # there is no other of what was interrupted
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    _write(os.open(temporary, flags, 0o600), keys)
    try:
        if (held.st_uid, held.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(temporary, held.st_uid, held.st_gid)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _begin(path: Path) -> None:
    """Whole or not at all: half a key, or none, would sign what anybody can forge. Of two
    processes that start together one makes it."""
    handle, name = tempfile.mkstemp(dir=path.parent)  # readable to its owner only
    temporary = Path(name)
    try:
        _write(handle, [new_key()])
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()


def _write(handle: int, keys: Sequence[Secret]) -> None:
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.writelines(f"{key.reveal()}\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
