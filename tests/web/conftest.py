"""One hub for all tests of the edge, and members of every kind."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping

import pytest

from hub.edge.sessions import hash_password
from tests.forks import cheap_passwords
from tests.host.unruly import ENVIRON
from tests.hubs import PASSWORD, Client, HubProcess

CONFIG = """\
[[organisations]]
slug = "main"

[[organisations]]
slug = "branch"

[[channels]]
id = "simulator"
organisation = "main"
plugin = "simulator"

[[channels]]
id = "pages"
organisation = "main"
plugin = "unruly-pages"
[channels.settings]
token = { env = "UNRULY_TOKEN" }
"""
MEMBERS = {
    # email, organisation, capabilities
    "viewer@example.com": ("main", ["messages.view"]),
    "nobody@example.com": ("main", []),
    "stranger@example.com": ("branch", ["messages.view", "messages.send", "channels.manage"]),
}


def add_members(
    hub: HubProcess,
    members: Mapping[str, tuple[str, list[str]]],
    channels: Mapping[str, list[str]] | None = None,
) -> None:
    """Users by email, each with a role of their own: its capabilities, and the channels it may see
    if not all."""
    cheap_passwords()
    hashed = hash_password(PASSWORD)
    with contextlib.closing(sqlite3.connect(hub.folder / "data" / "hub.db")) as database:
        for number, (email, (slug, capabilities)) in enumerate(members.items(), 1):
            (org,) = database.execute(
                "SELECT id FROM organisations WHERE slug = ?", (slug,)
            ).fetchone()
            database.execute(
                "INSERT INTO users (id, email, name, password_hash, must_change_password, "
                "created_at) VALUES (?, ?, ?, ?, 0, 0)",
                (number, email, email, hashed),
            )
            database.execute(
                "INSERT INTO roles (id, organisation_id, name, capabilities, channel_ids, "
                "created_at) VALUES (?, ?, ?, ?, ?, 0)",
                (number, org, email, json.dumps(capabilities), _json((channels or {}).get(email))),
            )
            database.execute(
                "INSERT INTO members (id, organisation_id, user_id, role_id, created_at) "
                "VALUES (?, ?, ?, ?, 0)",
                (number, org, number, number),
            )
        database.commit()


def _json(value: list[str] | None) -> str | None:
    return None if value is None else json.dumps(value)


@pytest.fixture(scope="package")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    folder = tmp_path_factory.mktemp("hub")
    with HubProcess(folder, config=CONFIG, environ=ENVIRON) as process:
        add_members(process, MEMBERS)
        yield process
    assert "Traceback" not in process.output
    assert '"request.failed"' not in process.output, process.output


@contextlib.contextmanager
def _signed_in(hub: HubProcess, email: str) -> Iterator[Client]:
    with contextlib.closing(hub.client(email)) as client:
        yield client


@pytest.fixture(scope="package")
def ana(hub: HubProcess) -> Iterator[Client]:
    """An admin of both organisations."""
    with _signed_in(hub, "ana@example.com") as client:
        yield client


@pytest.fixture(scope="package")
def viewer(hub: HubProcess) -> Iterator[Client]:
    """May look, and nothing else."""
    with _signed_in(hub, "viewer@example.com") as client:
        yield client


@pytest.fixture(scope="package")
def nobody(hub: HubProcess) -> Iterator[Client]:
    """A member with a role without any right."""
    with _signed_in(hub, "nobody@example.com") as client:
        yield client


@pytest.fixture(scope="package")
def stranger(hub: HubProcess) -> Iterator[Client]:
    """An admin of the other organisation."""
    with _signed_in(hub, "stranger@example.com") as client:
        yield client
