"""``hub plugin new``: a package to start a channel from."""

from __future__ import annotations

import keyword
import re
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path

import hub.plugin

TEMPLATE = Path(hub.plugin.__file__).parent / "template"
"""A whole package, which works as it stands; what is named after its example is renamed."""
EXAMPLE = "carrier-pigeon"
WRITTEN = "2026-11-21"
"""When the example's cases were made up."""
GROUP = "hub.plugins"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 40
TAKEN = frozenset({"Settings", "Incoming"})
"""Classes of the example's."""
LEFT_OUT = frozenset({"__pycache__", ".pytest_cache"})

NEXT = """\
Wrote {folder}. It works as it stands:

    cd {folder}
    pip install pytest
    pytest                      the conformance suite; the package need not be installed
    pip install -e .            for a hub: then [[channels]] in hub.toml, and hub reload

Begin with {module}, and tests/cases/ for what your provider really sends.
"""


def new_plugin(name: str, parent: Path) -> int:
    """Write the package ``hub-{name}`` into ``parent`` and return the exit code. What is there
    already is left alone."""
    folder = parent / f"hub-{name}"
    if problem := _problem(name, folder):
        print(f"hub: {problem}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(dir=parent, prefix=f".{folder.name}-") as scratch:
        whole = Path(scratch, "whole")  # half a package is worse than none
        for source in sorted(TEMPLATE.rglob("*")):
            inside = source.relative_to(TEMPLATE)
            if source.is_file() and LEFT_OUT.isdisjoint(inside.parts):
                target = whole / renamed(inside.as_posix(), name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(renamed(source.read_text("utf-8"), name), "utf-8", newline="")
        whole.rename(folder)
    module = renamed("src/hub_carrier_pigeon/channel.py", name)
    print(NEXT.format(folder=folder.name, module=module), end="")
    return 0


def renamed(text: str, name: str) -> str:
    """The example's text with ``name`` in place of its own, in each of its spellings, and today
    for the day when it was written."""
    today = datetime.now(UTC).date().isoformat()
    others = dict(zip(_spellings(EXAMPLE), _spellings(name), strict=True)) | {WRITTEN: today}
    return re.sub("|".join(others), lambda found: others[found[0]], text)


def _spellings(name: str) -> tuple[str, ...]:
    words = name.split("-")
    capitals = [word.capitalize() for word in words]
    snake = "_".join(words)
    return (name, snake, snake.upper(), "-".join(capitals), "".join(capitals), " ".join(capitals))


def _problem(name: str, folder: Path) -> str | None:
    """Why there cannot be a plugin of this name here."""
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        return (
            f"{name!r} is no name for a plugin: it has at most {LONGEST} lower-case letters, "
            "digits and single hyphens, and begins with a letter, such as acme-chat"
        )
    cls = "".join(word.capitalize() for word in name.split("-"))
    if keyword.iskeyword(cls) or cls in TAKEN:
        return f"{name!r} would make a class {cls}, which means something else; choose another name"
    for point in entry_points(group=GROUP, name=name):
        package = f"{point.dist.metadata['Name']} {point.dist.version}" if point.dist else "?"
        return f'there is a plugin "{name}" already, of {package}; choose another name'
    if folder.exists() or folder.is_symlink():
        return f"{folder} is there already; it was left as it is"
    return None
