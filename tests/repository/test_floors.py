"""What the import contracts of ``pyproject.toml`` cannot say: plugins see the promise alone."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PLUGINS = sorted((ROOT / "plugins").glob("*/pyproject.toml"))
EXAMPLES = sorted((ROOT / "examples").glob("*/pyproject.toml"))


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(
    "plugin", [path.parent for path in (*PLUGINS, *EXAMPLES)], ids=lambda path: path.name
)
def test_a_plugin_imports_of_the_hub_what_a_third_party_may(plugin: Path) -> None:
    modules = [(path, name) for path in plugin.glob("src/**/*.py") for name in imports(path)]
    assert modules
    forbidden = re.compile(r"hub(?!\.plugin(?!\.kit))(\.|$)")
    assert [
        f"{path.relative_to(ROOT)}: {name}" for path, name in modules if forbidden.match(name)
    ] == []


def test_every_bundled_plugin_is_installed_with_the_extra_of_that_name() -> None:
    named = {tomllib.loads(plugin.read_text())["project"]["name"] for plugin in PLUGINS}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extra = project["project"]["optional-dependencies"]["channels"]
    assert {Requirement(line).name for line in extra} == named


def test_the_promise_to_plugins_imports_nothing_else_of_the_hub() -> None:
    promise = ROOT / "hub" / "plugin"
    outside = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in promise.rglob("*.py")
        for name in imports(path)
        if name.startswith("hub.") and not name.startswith("hub.plugin")
    }
    assert outside == set()
    leaning_on_the_kit = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in promise.glob("*.py")
        for name in imports(path)
        if name.startswith("hub.plugin.kit")
    }
    assert leaning_on_the_kit == set()
