"""``hub plugin new``: what it writes works, for a stranger who has the hub from a wheel."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import tomllib
from pathlib import Path

import httpx2
import pytest
from msgspec.structs import replace

import hub
from hub.cli import main
from hub.cli.new import TEMPLATE, renamed
from hub.conformance.check import all_checks
from hub.conformance.command import suite_of
from hub.conformance.report import report_on
from hub.conformance.subject import find
from hub.plugin import API_VERSION
from tests.authors.machine import Machine
from tests.authors.provider import Provider
from tests.hubs import HubProcess, wait_for

KEY = "shared with the pigeons"
CONFIG = """
[[channels]]
id = "birds"
plugin = "pigeon"
allow_hosts = ["127.0.0.1"]
[channels.settings]
url = "{url}"
key = {{ file = "pigeon.key" }}
"""


def deliver(process: HubProcess, **told: str) -> httpx2.Response:
    body = json.dumps(told).encode()
    signature = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Pigeon-Signature": signature}
    return httpx2.post(f"{process.base_url}/hooks/main/birds", content=body, headers=headers)


@pytest.mark.feature("PLUG-06")
def test_a_new_package_conforms_at_once_and_its_channel_runs_after_a_reload(
    machine: Machine, tmp_path: Path
) -> None:
    machine.ran("python3 -m venv .venv && . .venv/bin/activate && pip install channel-hub pytest")
    told = machine.ran("hub plugin new pigeon && cd hub-pigeon && pytest -q")
    assert "Wrote hub-pigeon." in told
    assert "hub_pigeon:Pigeon: conformant: core" in told
    assert re.search(r"\d+ passed", told)
    from_above = machine.ran("pytest -q hub-pigeon")
    assert "hub_pigeon:Pigeon: conformant: core" in from_above, "wherever pytest is run"

    served = tmp_path / "hub"
    served.mkdir()
    (served / "pigeon.key").write_text(f"{KEY}\n")
    quiet = '[[organisations]]\nslug = "main"\n'
    with (
        Provider() as provider,
        HubProcess(served, config=quiet, python=machine.python) as process,
        contextlib.closing(process.client()) as client,
    ):
        assert deliver(process, id="1", **{"from": "zoe"}).status_code == 404
        # What the hub has not imported yet is found when it is installed, restart or not.
        machine.ran("pip install -e ./hub-pigeon")
        (served / "hub.toml").write_text(quiet + CONFIG.format(url=provider.url))
        reloaded = process.run("reload")
        assert reloaded.returncode == 0, reloaded.stderr
        assert reloaded.stdout == 'channel "birds" of main added\n'
        assert deliver(process, id="1", **{"from": "zoe"}, text="Coo").status_code == 200
        (thread,) = client.threads()
        assert thread["preview"]["text"] == "Coo"
        message = {"channel_id": "birds", "contact_id": thread["contact"]["id"], "body": "Coo, coo"}
        client.post(f"threads/{thread['id']}/messages", message)
        wait_for(lambda: client.entries(thread["id"])[-1]["status"] == "sent", what="sent")
        (taken,) = provider.taken
        assert (taken["to"], taken["text"]) == ("zoe", "Coo, coo")


def test_the_package_is_built_with_everything_it_needs(machine: Machine) -> None:
    machine.ran("python3 -m venv .venv && . .venv/bin/activate && pip install channel-hub")
    machine.ran("hub plugin new acme-chat")
    assert {path.name for path in (machine.folder / "hub-acme-chat").iterdir()} == {
        *(".gitignore", "README.md", "provider.py", "pyproject.toml", "src", "tests"),
    }
    machine.ran("pip install ./hub-acme-chat")
    assert machine.ran("hub plugin list") == f"{'acme-chat':<24}hub-acme-chat 0.1.0\n"
    # Installed, and away from its sources, it is the same package.
    told = machine.ran(
        "hub plugin test hub_acme_chat:AcmeChat --cases ../hub-acme-chat/tests/cases",
        folder=".venv",
    )
    assert "hub_acme_chat:AcmeChat: conformant: core" in told


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Pigeon", "'Pigeon' is no name for a plugin"),
        ("pigeon_post", "is no name for a plugin"),
        ("-pigeon", "is no name for a plugin"),
        ("pigeon--post", "is no name for a plugin"),
        ("3com", "begins with a letter"),
        ("../pigeon", "is no name for a plugin"),
        ("pigeon\n", "is no name for a plugin"),
        ("p" * 41, "at most 40"),
        ("none", "would make a class None"),
        ("settings", "would make a class Settings"),
        ("simulator", 'there is a plugin "simulator" already, of channel-hub-simulator'),
        ("sms-twilio", 'there is a plugin "sms-twilio" already, of channel-hub-sms-twilio'),
        ("there", "hub-there is there already; it was left as it is"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hub-there").mkdir()
    with contextlib.suppress(SystemExit):  # argparse, for what looks like an option
        assert main(["plugin", "new", "--", name]) == 1
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["hub-there"]


@pytest.mark.parametrize("name", ["a", "acme-chat", "x2-3d", "carrier-pigeon", "my-carrier-pigeon"])
def test_whatever_it_is_called_it_is_conformant(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plugin", "new", name]) == 0
    folder = tmp_path / f"hub-{name}"
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    ((point, target),) = project["project"]["entry-points"]["hub.plugins"].items()
    assert point == name
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder / "src")
    suite = replace(suite_of(find(target), None), mutations=20)
    results = suite.results()
    assert len(results) == len(all_checks())
    assert report_on(suite, results).state == "conformant", [r for r in results if r.counts]
    left = [path for path in folder.rglob("*") if path.is_file() and "pycache" not in str(path)]
    if name not in {"carrier-pigeon", "my-carrier-pigeon"}:
        text = "".join(path.name + path.read_text("utf-8") for path in left)
        assert not re.search("carrier.?pigeon", text, re.IGNORECASE)


def test_each_spelling_of_the_example_becomes_one_of_the_name() -> None:
    text = (
        "carrier-pigeon carrier_pigeon CARRIER_PIGEON Carrier-Pigeon CarrierPigeon Carrier Pigeon"
    )
    assert renamed(text, "acme-chat") == (
        "acme-chat acme_chat ACME_CHAT Acme-Chat AcmeChat Acme Chat"
    )
    assert renamed(text, "carrier-pigeon") == text


def test_the_template_is_for_this_hub() -> None:
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())["project"]
    major, minor = map(int, hub.__version__.split(".")[:2])
    later = int(API_VERSION.split(".")[0]) + 1
    assert f"channel-hub>={major}.{minor},<{later}" in project["dependencies"]
    channel = (TEMPLATE / "src/hub_carrier_pigeon/channel.py").read_text()
    assert f'api="{API_VERSION}"' in channel
