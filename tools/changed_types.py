"""Looks at the types of what has changed since they were last found right, for ``make check``:
the files themselves and those that import them. ``make test`` looks at everything.
"""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path.cwd()
RIGHT = ROOT / ".tools" / "types.json"
"""Files by the digest that they had when their types were right."""
EVERYWHERE = ("pyproject.toml", "uv.lock")
"""What everything is looked at for again."""


def main() -> int:
    """Run pyright over what is in doubt."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pyright"]
    files = {path.relative_to(ROOT).as_posix(): path for path in sources(config["include"])}
    now = {name: digest(path) for name, path in files.items()}
    now |= {name: digest(ROOT / name) for name in EVERYWHERE}
    before: dict[str, str] = json.loads(RIGHT.read_text()) if RIGHT.exists() else {}
    changed = {name for name in now | before if now.get(name) != before.get(name)}
    if not changed:
        print("Nothing has changed since types were right.")
        return 0
    doubtful: list[str] = []
    if changed.isdisjoint(EVERYWHERE):
        doubtful = sorted(files.keys() & (changed | importing(files, changed)))
    done = subprocess.run([sys.executable, "-m", "pyright", *doubtful], cwd=ROOT, check=False)
    if done.returncode == 0:
        RIGHT.parent.mkdir(exist_ok=True)
        RIGHT.write_text(json.dumps(now))
    return done.returncode


def sources(included: list[str]) -> Iterator[Path]:
    """The files that pyright looks at."""
    for name in included:
        path = ROOT / name
        yield from [path] if path.is_file() else path.rglob("*.py")


def digest(path: Path) -> str:
    """A file by what is in it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def importing(files: dict[str, Path], changed: set[str]) -> set[str]:
    """The files that import one of those that have changed; what a package hands on from them
    counts as changed, too."""
    imports = {name: set(imported(path, name)) for name, path in files.items()}
    wanted = {module(name) for name in changed}
    while True:
        found = {name for name, modules in imports.items() if not wanted.isdisjoint(modules)}
        handed_on = {module(name) for name in found if name.endswith("__init__.py")}
        if handed_on <= wanted:
            return found
        wanted |= handed_on


def module(name: str) -> str:
    """What a file is imported as; a distribution's begins behind its ``src``."""
    parts = name.removesuffix(".py").split("/")
    if "src" in parts:
        parts = parts[parts.index("src") + 1 :]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, name: str) -> Iterator[str]:
    """The modules that a file imports; of a name that it takes, also the module it could be."""
    own = [*module(name).split("."), *([""] if path.name == "__init__.py" else [])]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = own[: -node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{one.name}" for one in node.names)


if __name__ == "__main__":
    sys.exit(main())
