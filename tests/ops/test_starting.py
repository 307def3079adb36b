"""One command starts a working hub; what keeps it from starting is one clear line, exit code 1,
and nothing half-written."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import resource
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.hubs import Client, HubProcess, wait_for
from tests.ops.bare import BareHub, run, said

pytestmark = pytest.mark.feature("OPER-01")


@contextlib.contextmanager
def signed_in(hub: HubProcess, email: str, password: str) -> Iterator[Client]:
    with contextlib.closing(Client(hub.base_url)) as client:
        yield client.sign_in(email, password)


def test_one_command_in_an_empty_folder(tmp_path: Path) -> None:
    with BareHub(tmp_path) as hub:
        email = re.search(r"Sign in as +(\S+)", hub.output)
        password = re.search(r"Password +(\S+) +\(one-time\)", hub.output)
        assert email, hub.output
        assert password, hub.output
        assert f"{hub.base_url}/hooks/main/simulator/phone" in hub.output
        with signed_in(hub, email[1], password[1]) as client:
            assert client.me["must_change_password"]
            states = {one["id"]: one["state"] for one in client.get("channels")}
            simulators = {f"simulator-{medium}" for medium in ("whatsapp", "calls", "email")}
            assert states == dict.fromkeys({"simulator"} | simulators, "ok")
            client.text("+15550142001", "It works")
            wait_for(client.threads)
    assert {path.name for path in (tmp_path / "data").iterdir()} >= {"hub.db", "secret_key"}
    key = tmp_path / "data" / "secret_key"
    assert key.stat().st_mode & 0o077 == 0, "for the hub's own user only"

    with BareHub(tmp_path) as hub:
        assert "Password" not in hub.output, "it is told once"
        assert "Sign in as" not in hub.output
        assert password[1] not in hub.output
        with signed_in(hub, email[1], password[1]) as client:
            assert [one["preview"]["text"] for one in client.threads()] == ["It works"]


def test_the_first_admin_as_the_environment_says(tmp_path: Path) -> None:
    own = "correct-horse-battery"
    environ = {"HUB_ADMIN_EMAIL": "Ana@Example.com", "HUB_ADMIN_PASSWORD": own}
    with BareHub(tmp_path, environ) as hub:
        assert own not in hub.output
        with signed_in(hub, "ana@example.com", own) as client:
            assert not client.me["must_change_password"]


def test_a_first_admin_with_a_short_password(tmp_path: Path) -> None:
    done = run(tmp_path, "serve", "--port", "0", environ={"HUB_ADMIN_PASSWORD": "short"})
    assert done.returncode == 1
    assert said(done) == "hub: HUB_ADMIN_PASSWORD: A password has at least 10 characters."
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "hub.db")) as database:
        assert database.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_a_demo_has_conversations_in_it_and_leaves_nothing(tmp_path: Path) -> None:
    demo = BareHub(tmp_path / "demo", {"TMPDIR": str(tmp_path / "demo")})
    demo.command = "demo"
    with demo as hub:
        email = re.search(r"Sign in as +(\S+)", hub.output)
        password = re.search(r"Password +(\S+)", hub.output)
        assert email
        assert password
        with signed_in(hub, email[1], password[1]) as client:
            threads = client.threads()
            entries = [one for each in threads for one in client.entries(each["id"])]
            assert {one["channel_id"] for one in entries} == {
                one["id"] for one in client.get("channels")
            }, "somebody wrote or called on each"
            assert len(threads) >= 12
            names = {one["contact"]["display"] for one in threads}
            # Who writes on WhatsApp, who calls and who writes mails; texts alone tell no name.
            assert {"Sarah Whitfield", "Raúl Ortega", "Finn O'Rourke", "Maya Lindqvist"} <= names
            assert "+1 555-014-2005" in names
            assert any(one["call"]["unresolved"] for one in entries if one.get("call"))
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["output.txt"]


# ---------------------------------------------------------------------- what keeps it from starting


def test_a_database_from_a_newer_version(tmp_path: Path) -> None:
    assert run(tmp_path, "replay").returncode == 0  # which makes the database
    path = tmp_path / "data" / "hub.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    before = path.read_bytes()
    for command in (("serve", "--port", "0"), ("replay",)):
        done = run(tmp_path, *command)
        assert done.returncode == 1
        line = said(done)
        assert "9999" in line
        assert "newer Channel Hub" in line
        assert "Start that version, or restore a backup" in line, "what to do"
    assert path.read_bytes() == before


def test_a_second_hub_on_the_same_folder(tmp_path: Path) -> None:
    with BareHub(tmp_path) as hub:
        done = run(tmp_path, "serve", "--port", "0")
        assert done.returncode == 1
        line = said(done)
        assert f"another hub is running on {tmp_path / 'data' / 'hub.db'}" in line
        assert "stop it, or use PostgreSQL" in line
        elsewhere = {"HUB_DATA": "other", "HUB_DATABASE_URL": f"sqlite:///{tmp_path}/data/hub.db"}
        done = run(tmp_path, "serve", "--port", "0", environ=elsewhere)
        assert done.returncode == 1, "the same file by another way"
        assert "another hub is running" in said(done)
        assert httpx2.get(f"{hub.base_url}/readyz").status_code == 200


def test_a_port_that_is_taken_begins_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(tmp_path, "serve", "--port", str(port))
    assert done.returncode == 1
    assert said(done) == (
        f"hub: port {port} on 127.0.0.1 is taken: stop what uses it, or choose another with "
        "--port or HUB_PORT"
    )
    assert list(tmp_path.iterdir()) == []


PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


def as_an_ordinary_user() -> None:
    """Root may write anywhere; without this capability, the program that is started may not."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


@pytest.mark.parametrize("made", ["folder", "parent"])
def test_a_data_folder_that_is_not_writable(tmp_path: Path, made: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o555)
    data = folder if made == "folder" else folder / "below"
    environ = {"HUB_DATA": str(data)}
    done = run(tmp_path, "serve", "--port", "0", first=as_an_ordinary_user, environ=environ)
    assert done.returncode == 1
    assert said(done) == (
        f"hub: the data folder {data} cannot be written to: Permission denied; make it writable, "
        "or set another with HUB_DATA or [hub] data"
    )
    assert list(folder.iterdir()) == []


def test_a_full_disk_when_it_starts_leaves_nothing_half_written(tmp_path: Path) -> None:
    """A limit for files is what a test can have everywhere; to the hub it is a full disk."""
    for size in (20, 150_000):

        def full(size: int = size) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        done = run(tmp_path, "serve", "--port", "0", first=full)
        assert done.returncode == 1
        assert said(done).startswith("hub: the database ")
        assert done.stdout == ""
        assert not (tmp_path / "data" / "secret_key").exists()

    with BareHub(tmp_path) as hub:  # there is space again
        password = re.search(r"Password +(\S+) +\(one-time\)", hub.output)
        assert password, "the first admin was not made before"
        with signed_in(hub, "admin@localhost", password[1]) as client:
            assert client.threads() == []


def test_a_signing_key_is_whole_or_not_there(tmp_path: Path, postgres_url: str) -> None:
    """The database elsewhere, the data folder full."""

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))

    environ = {"HUB_DATABASE_URL": postgres_url}
    done = run(tmp_path, "serve", "--port", "0", first=full, environ=environ)
    assert done.returncode == 1
    assert said(done) == "hub: File too large"
    assert list((tmp_path / "data").iterdir()) == []
