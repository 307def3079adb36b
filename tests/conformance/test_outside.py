"""In one line, outside this repository: with pytest, in a test module, and as a command."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hub.conformance.check import all_checks
from tests.forks import hubs
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
ALONE = ("--disable-plugin-autoload", "-p", "channel-hub")
"""Without what other packages here would add to pytest: importing that takes longer than the test.
One test leaves pytest to find the suite by itself."""
CASES = ROOT / "hub/conformance/mutants/cases"
PACKAGE = """\
import pathlib
from hub.conformance.mutants.reference import Reference

pathlib.Path("imported").touch()

class Channel(Reference):
    pass

class Forgetful(Reference):
    def message(self, thing):
        pathlib.Path("constructed").touch()
        raise KeyError(thing.id)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A package of somebody's, installed as packages are, with its cases."""
    info = tmp_path / "their_channel-1.0.dist-info"
    info.mkdir()
    (tmp_path / "their_channel.py").write_text(PACKAGE)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: their-channel\nVersion: 1.0\n"
        "Requires-Dist: channel-hub>=0.1,<2\n"
    )
    (info / "entry_points.txt").write_text("[hub.plugins]\nreference = their_channel:Channel\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "cases").symlink_to(CASES)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Pytest in that folder, with none of the options that are for the run that this is part of."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    return subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", *arguments],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE,
        check=False,
    )


def hub(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return hubs().run(["plugin", "test", *arguments], folder=folder, environ=os.environ)


@pytest.mark.feature("CONF-01")
def test_pytest_needs_one_option_and_no_file(folder: Path) -> None:
    done = run(folder, "--hub-plugin", "their_channel:Channel")
    assert done.returncode == 0, done.stdout
    assert f"{len(all_checks())} passed" in done.stdout
    assert "their_channel:Channel: conformant: core" in done.stdout


def test_collecting_neither_imports_nor_makes_the_plugin(folder: Path) -> None:
    option = ["--hub-plugin", "their_channel:Channel"]
    done = run(folder, *ALONE, "--collect-only", *option)
    assert done.stdout.count("conformance::") == len(all_checks()), done.stdout
    assert not (folder / "imported").exists()


def test_a_failure_says_what_to_know(folder: Path) -> None:
    target = "their_channel:Forgetful"
    done = run(folder, *ALONE, "--hub-plugin", target, "-k", "ING-01")
    assert done.returncode == 1
    for line in ("done: ", "expected: ", "got: ", "why: ", f"again:    hub plugin test {target}"):
        assert line in done.stdout
    assert "[other_events]" in done.stdout
    assert "part of the suite" in done.stdout


def test_in_a_module_it_is_a_class_of_tests(folder: Path) -> None:
    (folder / "tests" / "test_it.py").write_text(
        "import hub.conformance, their_channel\n"
        "TestIt = hub.conformance.conformance(their_channel.Channel, cases='tests/cases')\n"
        "class TestMore(TestIt):\n    def test_more(self):\n        pass\n"
    )
    done = run(folder, *ALONE, "tests", "-p", "no:cacheprovider", "-k", "LOD or test_more")
    assert done.returncode == 0, done.stdout
    checks = sum(check.id.startswith("LOD") for check in all_checks())
    assert f"{2 * checks + 1} passed" in done.stdout, done.stdout
    assert not (folder / "constructed").exists()


def test_no_check_may_be_replaced(folder: Path) -> None:
    (folder / "tests" / "test_it.py").write_text(
        "import hub.conformance, their_channel\n"
        "class TestIt(hub.conformance.conformance(their_channel.Channel)):\n"
        "    def test_conformance(self):\n        pass\n"
    )
    done = run(folder, *ALONE, "tests")
    assert done.returncode != 0
    assert "add tests beside it" in done.stdout


def test_the_command_reports_and_verifies(folder: Path) -> None:
    done = hub(folder, "their_channel:Channel", "--report", "report.json")
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = done.stdout.splitlines()
    assert re.fullmatch(
        r"their_channel:Channel: conformant: core (\d+)/\1, extended [a-z_ ]+; 0 n/a", line
    )
    report = json.loads((folder / "report.json").read_bytes())
    assert report["state"] == "conformant"
    assert report["plugin_version"] == "1.0"
    assert len(report["cases"]) == 64
    assert {"receipts", "media_in", "outbound"} <= set(report["flags"])
    assert {result["verdict"] for result in report["results"]} == {"pass"}

    part = {**report, "only": ["ING-01", "SIG-02"]}
    part["results"] = [each for each in report["results"] if each["id"] in part["only"]]
    part["state"] = "part of the suite"
    (folder / "part.json").write_text(json.dumps(part))
    done = hub(folder, "their_channel:Channel", "--verify", "part.json")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "part.json holds")

    part["results"][0]["verdict"] = "fail"
    part["cases"] = "0" * 64
    (folder / "part.json").write_text(json.dumps(part))
    done = hub(folder, "their_channel:Channel", "--verify", "part.json")
    assert done.returncode == 1
    assert "cases: was 000" in done.stdout
    assert "ING-01: was fail, is pass" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["their_channel"], "is not package:Class"),
        (["their_channel:Nobody"], "Nobody"),
        (["nowhere:Channel"], "nowhere"),
        (["their_channel:Channel", "--cases", "nowhere"], "there is no such folder"),
        (["their_channel:Channel", "--only", "ING-99"], "there is no check ING-99"),
        (["their_channel:Channel", "--verify", "nowhere"], "there is no such report"),
    ],
)
def test_what_cannot_be_run_is_said(folder: Path, arguments: list[str], said: str) -> None:
    done = hub(folder, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_expected_failure_of_no_check_is_told(folder: Path) -> None:
    copy = folder / "copy"
    shutil.copytree(folder / "tests" / "cases", copy)
    told = copy / "conformance.toml"
    failure = (
        'check = "SND-99"\nreason = "it"\nlink = "https://bugs.example/1"\nuntil = 2100-01-01\n'
    )
    told.write_text(f"{told.read_text()}\n[[expected_failures]]\n{failure}")
    done = hub(folder, "their_channel:Channel", "--cases", "copy")
    assert done.returncode == 2
    assert "conformance.toml: expected_failures: there is no check SND-99" in done.stderr


def test_without_cases_it_is_incomplete_never_conformant(folder: Path) -> None:
    (folder / "tests" / "cases").unlink()
    done = hub(folder, "their_channel:Channel")
    assert done.returncode == 1
    assert "need a case" in done.stdout
    assert "conformant" not in done.stdout
