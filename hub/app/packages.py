"""Packages that are installed while the hub runs: a plugin need not wait for a restart.

What is installed by copying lies in a folder that Python looks through already. What is installed
to be worked on (``pip install -e``) is named by a path file, which Python reads at its start alone.
"""

from __future__ import annotations

import importlib
import site
from contextlib import suppress
from pathlib import Path

Stamp = tuple[int, int]


def _path_files() -> dict[Path, Stamp]:
    """Every path file with its time and size."""
    folders = site.getsitepackages()
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    found: dict[Path, Stamp] = {}
    for file in (file for folder in folders for file in Path(folder).glob("*.pth")):
        with suppress(FileNotFoundError):  # something is being installed at this moment
            stat = file.stat()
            found[file] = (stat.st_mtime_ns, stat.st_size)
    return found


_known = _path_files()


def take_in_new_packages() -> None:
    """Let what was installed since the process began be found and imported. What was imported
    before stays as it was."""
    global _known  # noqa: PLW0603 — what this process has read of the machine's
    importlib.invalidate_caches()
    found = _path_files()
    for folder in {file.parent for file in found if found[file] != _known.get(file)}:
        site.addsitedir(str(folder))
    _known = found
