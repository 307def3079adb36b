"""``hub check --providers``: what is wrong at a provider is said before a message is missed."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from tests import books
from tests.cli.test_commands import hub
from tests.host.unruly import ENVIRON, leaks

pytestmark = pytest.mark.feature("PLUG-02")
ABROAD = "https://hub.example.com"
CONFIG = """\
[[organisations]]
slug = "main"

[[channels]]
id = "shop"
organisation = "main"
plugin = "{plugin}"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"
"""


def check(
    folder: Path, plugin: str = "unruly-inspected", url: str = ABROAD
) -> subprocess.CompletedProcess[str]:
    (folder / "hub.toml").write_text(CONFIG.format(plugin=plugin, folder=folder))
    done = hub(folder, "check", "--providers", environ={**ENVIRON, "HUB_PUBLIC_URL": url})
    assert not leaks(done.stdout + done.stderr)
    return done


def test_what_is_right_wrong_and_unknown_is_said_with_what_to_change(tmp_path: Path) -> None:
    done = check(tmp_path)
    assert done.returncode == 1
    first, empty, *rest = done.stdout.splitlines()
    assert (first, empty) == ("hub.toml is fine: 1 channel.", "")
    assert rest == [
        "shop (unruly-inspected)",
        "  ok    credentials",
        "  WRONG webhook address: it posts to https://old.example/?token=***",
        f"        Set it to {ABROAD}/hooks/main/shop",
        "  ?     sender +15550100001: it cannot be looked at",
    ]


@pytest.mark.parametrize(
    ("told", "line", "code"),
    [
        ("check-refused", "  WRONG credentials: *** was revoked", 1),
        ("check-away", "  ?     provider: It could not be asked: it does not answer", 0),
        ("check-raises", "  ?     provider: It could not be asked: ", 0),
    ],
)
def test_a_provider_that_cannot_be_asked(tmp_path: Path, told: str, line: str, code: int) -> None:
    (tmp_path / told).touch()
    done = check(tmp_path)
    assert done.stdout.splitlines()[3].startswith(line)
    assert done.returncode == code


def test_of_a_plugin_that_cannot_look_its_health_is_asked(tmp_path: Path) -> None:
    done = check(tmp_path, "unruly")
    assert done.stdout.splitlines()[3:] == ["  WRONG provider: *** expires"]
    assert done.returncode == 1
    (tmp_path / "well").touch()
    done = check(tmp_path, "unruly")
    assert done.stdout.splitlines()[3:] == ["  ok    provider"]
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:8000", "is reached from this machine or network alone"),
        ("https://10.1.2.3", "is reached from this machine or network alone"),
        ("https://hub.local", "is reached from this machine or network alone"),
    ],
)
def test_an_address_that_no_provider_reaches(tmp_path: Path, url: str, said: str) -> None:
    done = check(tmp_path, url=url)
    assert done.stdout.splitlines()[3] == f"  WRONG public address: {url} {said}"
    assert "public_url" in done.stdout.splitlines()[4]


def test_a_pretended_channel_needs_no_address(tmp_path: Path) -> None:
    done = hub(tmp_path, "check", "--providers", anew=True)
    assert done.returncode == 0
    assert "public address" not in done.stdout
    assert list(tmp_path.iterdir()) == [], "who only asks leaves nothing behind"


def test_what_channels_have_kept_is_used(tmp_path: Path) -> None:
    done = hub(tmp_path, "user", "add", "ana@example.com", "--password-stdin",
               given="a-good-password\n")  # fmt: skip
    assert done.returncode == 0, done.stderr
    before = {path.name for path in (tmp_path / "data").iterdir()}
    done = hub(tmp_path, "check", "--providers")
    assert done.returncode == 0
    assert {path.name for path in (tmp_path / "data").iterdir()} == before


def test_an_empty_database_stays_empty(tmp_path: Path, postgres_url: str) -> None:
    done = hub(tmp_path, "check", "--providers", environ={"HUB_DATABASE_URL": postgres_url})
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []

    def tables(connection: Connection) -> list[str]:
        return sa.inspect(connection).get_table_names()

    assert asyncio.run(books.read(postgres_url, tables)) == []


def test_mistakes_in_the_file_are_told_first(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text("prot = 1")
    done = hub(tmp_path, "check", "--providers")
    assert (done.returncode, done.stdout) == (2, "")
    assert [path.name for path in tmp_path.iterdir()] == ["hub.toml"], "nothing was begun"
