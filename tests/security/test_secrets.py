"""What is kept and must not be read by who reads the database is encrypted with the hub's key."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from tests.hubs import HubProcess, wait_for
from tests.people.signing_in import enrol
from tests.security.conftest import Premises

KEEPS = "SELECT key, value FROM plugin_kv"


def rows(folder: Path, statement: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(folder / "data" / "hub.db")) as database:
        return database.execute(statement).fetchall()


def test_what_plugins_keep(tmp_path: Path) -> None:
    with HubProcess(tmp_path) as hub:
        ana = hub.client()
        ana.text("+12025550177", "a word that nobody else reads")
        wait_for(ana.threads)
        kept = wait_for(lambda: rows(tmp_path, KEEPS))
        assert all(value.startswith("sealed:1:") for _, value in kept)
        assert "a word that nobody" not in str(kept)
        assert ana.phone("+12025550177")["messages"], "the plugin itself reads it"
        hub.stop()
        (tmp_path / "data" / "secret_key").write_text("another key, of another hub, altogether\n")
        hub.start()
        other = hub.client()
        answer = other.http.get("/hooks/main/simulator/events", params={"number": "+12025550177"})
        assert answer.status_code == 422
        assert "another secret key" in answer.text


def test_the_secret_of_codes(premises: Premises) -> None:
    ben = premises.house.add()
    secret, codes = enrol(ben.client)
    folder = premises.hub.folder
    kept = str(rows(folder, "SELECT * FROM totps") + rows(folder, "SELECT * FROM recovery_codes"))
    assert secret not in kept
    assert not any(code in kept for code in codes)
    assert secret not in premises.hub.output


def test_the_key_is_the_hubs_own(premises: Premises) -> None:
    path = premises.hub.folder / "data" / "secret_key"
    assert path.stat().st_mode & 0o077 == 0
    assert path.read_text(encoding="ascii").strip() not in premises.hub.output


def test_refusals_are_logged(premises: Premises) -> None:
    """Each on one line of its own, whatever was asked for."""
    ben = premises.house.add("User SMS").client
    assert ben.http.get("/api/v1/organisations/main/roles?a=%0a%22").status_code == 403
    assert ben.http.delete("/api/v1/organisations/main/roles/a%0a%7B%7D").status_code == 403
    lines = [json.loads(line) for line in premises.hub.output.splitlines() if line[:1] == "{"]
    refused = [line for line in lines if line["event"] == "request.refused"]
    paths = {(line["path"], line["status"], line["code"]) for line in refused}
    assert ("/api/v1/organisations/main/roles", 403, "members.manage") in paths
    assert ("/api/v1/organisations/main/roles/a\n{}", 403, "members.manage") in paths
