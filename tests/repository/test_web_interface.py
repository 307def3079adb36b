"""The build hook: the interface is built with npm once, and again only when its sources change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hatch_build import (
    BUILT,
    NODE_WHEEL,
    BuildError,
    ensure_built,
    has_sources,
    is_current,
    packages_match_lock,
    system_node,
)

ROOT = Path(__file__).parents[2]
# Counts its runs, and fails when the page says so.
BUILD = """
const fs = require("node:fs");
const page = fs.readFileSync("index.html", "utf8");
if (page.includes("broken")) process.exit(1);
const runs = fs.existsSync("dist/runs") ? Number(fs.readFileSync("dist/runs")) + 1 : 1;
fs.mkdirSync("dist", { recursive: true });
fs.writeFileSync("dist/index.html", page);
fs.writeFileSync("dist/runs", String(runs));
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A package of the same build as the hub's, with an interface that has no dependencies."""
    package = {"name": "ui", "version": "1.0.0", "scripts": {"build": "node build.cjs"}}
    lock = {"lockfileVersion": 3, "packages": {"": {"name": "ui", "version": "1.0.0"}}}
    webui = tmp_path / "webui"
    webui.mkdir()
    (webui / "package.json").write_text(json.dumps(package))
    (webui / "package-lock.json").write_text(json.dumps({**package, **lock}))
    (webui / "build.cjs").write_text(BUILD)
    (webui / "index.html").write_text("first")
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "__init__.py").touch()
    for name in ("hatch_build.py", "pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def built(project: Path, name: str) -> str:
    return (project / BUILT / name).read_text()


def test_it_is_built_once(project: Path) -> None:
    assert has_sources(project)
    assert not is_current(project)
    ensure_built(project)
    assert is_current(project)
    ensure_built(project)
    assert (built(project, "index.html"), built(project, "runs")) == ("first", "1")


def test_it_is_built_again_when_a_source_changes_and_only_then(project: Path) -> None:
    ensure_built(project)
    (project / "webui" / "coverage").mkdir()
    (project / "webui" / "coverage" / "report").write_text("not a source")
    assert is_current(project)
    (project / "webui" / "index.html").write_text("second")
    assert not is_current(project)
    ensure_built(project)
    assert (built(project, "index.html"), built(project, "runs")) == ("second", "2")


def test_a_build_that_fails_says_so_and_leaves_the_one_before(project: Path) -> None:
    ensure_built(project)
    (project / "webui" / "index.html").write_text("broken")
    with pytest.raises(BuildError, match="npm run build failed"):
        ensure_built(project)
    assert built(project, "index.html") == "first"
    assert not is_current(project)
    assert [path.name for path in (project / BUILT).parent.iterdir()] == ["static"]


def test_without_sources_there_is_nothing_to_do(project: Path) -> None:
    shutil.rmtree(project / "webui")
    ensure_built(project)
    assert not (project / BUILT).exists()


def test_sdist_and_wheel_carry_it(project: Path) -> None:
    def build(target: str, root: Path) -> Path:
        code = f"from hatchling.build import *; print(build_{target}({str(project)!r}))"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True, check=True
        )
        return project / done.stdout.splitlines()[-1]

    sdist = build("sdist", project)
    unpacked = project / "unpacked"
    unpacked.mkdir()
    subprocess.run(["tar", "-xf", sdist, "-C", unpacked], check=True)
    (source,) = unpacked.iterdir()
    assert is_current(source)
    assert not (source / "webui" / "dist").exists()

    wheel = build("wheel", source)
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("hub/web/static/index.html") == b"first"
        assert archive.read("hub/web/static/runs") == b"1", "the wheel took what the sdist carried"


def test_node_is_asked_for_only_where_the_machine_has_none(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from hatchling.build import *; print(*get_requires_for_build_wheel())"

    def requirements(path: str) -> str:
        environment = {**os.environ, "PATH": path}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    assert requirements("/nowhere") == NODE_WHEEL
    old = project / "bin"
    old.mkdir()
    for name, answer in (("node", "v18.20.4"), ("npm", "10.7.0")):
        (old / name).write_text(f"#!/bin/sh\necho {answer}\n")
        (old / name).chmod(0o755)
    assert requirements(f"{old}:/bin") == NODE_WHEEL
    (old / "node").write_text("#!/bin/sh\necho v22.13.0\n")
    assert requirements(f"{old}:/bin") == ""
    monkeypatch.setenv("PATH", f"{old}:/bin")
    assert system_node() == old / "node"


@pytest.mark.parametrize(
    ("installed", "matches"),
    [
        (None, False),
        ({}, False),
        ({"node_modules/a": {"version": "1.0.0"}}, True),
        ({"node_modules/a": {"version": "2.0.0"}}, False),
        (
            {"node_modules/a": {"version": "1.0.0"}, "node_modules/mac": {"version": "1.0.0"}},
            True,
        ),
        ({"node_modules/a": {"version": "1.0.0"}, "node_modules/b": {"version": "1.0.0"}}, False),
    ],
)
def test_packages_are_installed_only_when_they_differ_from_the_lock(
    tmp_path: Path, installed: dict[str, object] | None, matches: bool
) -> None:
    wanted = {
        "": {"version": "0"},
        "node_modules/a": {"version": "1.0.0"},
        "node_modules/mac": {"version": "1.0.0", "optional": True},
    }
    (tmp_path / "package-lock.json").write_text(json.dumps({"packages": wanted}))
    if installed is not None:
        (tmp_path / "node_modules").mkdir()
        hidden = tmp_path / "node_modules" / ".package-lock.json"
        hidden.write_text(json.dumps({"packages": installed}))
    assert packages_match_lock(tmp_path) is matches
