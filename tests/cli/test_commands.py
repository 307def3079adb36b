"""The commands as a person runs them: what is printed, and the exit code."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from argon2 import PasswordHasher, extract_parameters, profiles

from tests.forks import hubs
from tests.host.unruly import ENVIRON
from tests.patience import PATIENCE

MISTAKEN = """\
[hub]
prot = 8000

[[channels]]
id = "simulator"
plugin = "simulator"
[channels.settings]
receipt_pause = "long"

[[channels]]
id = "sms"
plugin = "sms-twillio"
"""


def hub(
    folder: Path,
    *arguments: str,
    given: str = "",
    environ: Mapping[str, str] | None = None,
    anew: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder that holds nothing but what the test put there. Each of them is run
    ``anew`` somewhere, by an interpreter that has imported nothing: there it imports late, and
    hashes passwords, as it does for a person. Otherwise most of the time would go to importing
    the same again and again."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("HUB_")}
    environ = {**inherited, **(environ or {})}
    if not anew:
        return hubs().run(arguments, folder=folder, environ=environ, input_=given)
    return subprocess.run(
        [sys.executable, "-m", "hub.cli", *arguments],
        cwd=folder,
        env=environ,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("command", ["check", "serve"])
def test_three_mistakes_make_three_lines_and_exit_2(tmp_path: Path, command: str) -> None:
    (tmp_path / "hub.toml").write_text(MISTAKEN)
    done = hub(tmp_path, command)
    assert done.returncode == 2
    first, second, third = done.stderr.splitlines()
    assert first == 'hub.toml:2: [hub]: prot: unknown key; did you mean "port"?'
    assert second == (
        'hub.toml:8: channel "simulator": settings.receipt_pause: expected float, got str'
    )
    assert third.startswith('hub.toml:12: channel "sms": plugin: ')
    assert "sms-twilio" in third
    assert [path.name for path in tmp_path.iterdir()] == ["hub.toml"], "nothing was begun"


def test_a_configuration_without_mistakes(tmp_path: Path) -> None:
    assert hub(tmp_path, "init", anew=True).returncode == 0
    done = hub(tmp_path, "check", anew=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "hub.toml is fine: 4 channels.\n"


TEXTS = """\
[[channels]]
id = "phone"
plugin = "{plugin}"
[channels.settings]
{settings}

[[notices.texts]]
channel = "phone"
from = "+15550109999"
"""


def test_texts_need_a_channel_that_reaches_phones(tmp_path: Path) -> None:
    path = tmp_path / "hub.toml"
    path.write_text(TEXTS.format(plugin="unruly-pages", settings='token = "a-long-token"'))
    done = hub(tmp_path, "check", environ=ENVIRON)
    assert done.returncode == 2
    assert done.stderr == (
        'hub.toml:8: [[notices.texts]] 1: channel: channel "phone" cannot send to a phone\n'
    )
    done = hub(tmp_path, "serve", "--port", "0", environ=ENVIRON)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        'hub: [[notices.texts]]: channel "phone" cannot send to a phone'
    )
    path.write_text(TEXTS.format(plugin="simulator", settings=""))
    assert hub(tmp_path, "check").returncode == 0
    done = hub(tmp_path, "serve", "--port", "0")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        'hub: [[notices.texts]]: +15550109999 is no own address of channel "phone"'
    )


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = hub(tmp_path, "serve", "--port", port, anew=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert port in line


def test_a_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = hub(tmp_path, "serve", "--port", "0", environ={"HUB_DATA": "file/data"})
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert str(tmp_path / "file" / "data") in line


def test_people_are_added_with_a_password_of_the_hubs_or_their_own(tmp_path: Path) -> None:
    done = hub(tmp_path, "user", "add", "ann@example.com", "--name", "Ann", anew=True)
    assert (done.returncode, done.stderr) == (0, "")
    added, password = done.stdout.splitlines()
    assert added == "Added ann@example.com to main as User SMS."
    assert len(password.removeprefix("One-time password: ")) >= 12

    done = hub(tmp_path, "user", "add", "Ann@example.com ", "--name", "Ann")
    assert done.returncode == 1
    assert done.stderr == "hub: Ann@example.com is a member of main already\n"

    own = "correct horse battery staple"
    setting = ("user", "password", "ann@example.com", "--password-stdin")
    done = hub(tmp_path, *setting, given=own, anew=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Password of ann@example.com set.\n"

    with sqlite3.connect(tmp_path / "data" / "hub.db") as database:
        rows = database.execute("SELECT email, must_change_password, password_hash FROM users")
        ((email, must_change, hashed),) = rows.fetchall()
    assert (email, must_change) == ("ann@example.com", 0)
    assert PasswordHasher().verify(hashed, own)
    assert extract_parameters(hashed) == profiles.RFC_9106_LOW_MEMORY

    done = hub(tmp_path, "user", "password", "bob@example.com")
    assert (done.returncode, done.stderr) == (1, "hub: there is no user bob@example.com\n")
    done = hub(tmp_path, "user", "password", "ann@example.com", "--password-stdin", given="short")
    assert done.returncode == 1
    assert done.stderr == "hub: A password has at least 10 characters.\n"
    done = hub(tmp_path, "user", "add", "bob@example.com", "--role", "no-such-role")
    assert done.returncode == 1
    assert done.stderr.startswith('hub: there is no role "no-such-role"; there are: Admin, ')


def test_one_of_several_organisations_must_be_named(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('organisations = [{ slug = "a" }, { slug = "b" }]')
    done = hub(tmp_path, "user", "add", "ann@example.com")
    assert done.returncode == 2
    assert done.stderr == "hub: name one with --organisation: a, b\n"


def test_what_is_installed_is_listed(tmp_path: Path) -> None:
    done = hub(tmp_path, "plugin", "list", anew=True)
    assert done.returncode == 0
    assert "simulator" in done.stdout
    assert "sms-twilio" in done.stdout


def test_the_api_is_described(tmp_path: Path) -> None:
    done = hub(tmp_path, "openapi", "--output", "api.json", anew=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    document = (tmp_path / "api.json").read_bytes()
    assert json.loads(document)["openapi"].startswith("3.1")
    committed = Path(__file__).parents[2] / "webui" / "openapi.json"
    assert document == committed.read_bytes(), "`npm run api` has to be run again"
    assert hub(tmp_path, "openapi").stdout.encode() == document


def test_replaying_when_nothing_is_quarantined(tmp_path: Path) -> None:
    done = hub(tmp_path, "replay", anew=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
