"""A disk that gets full while the hub runs: nothing is answered that was not stored, the hub says
what is the matter, and goes on when there is space again."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.host.unruly import ENVIRON, TOKEN
from tests.hubs import HubProcess, wait_for
from tests.patience import PATIENCE

pytestmark = pytest.mark.feature("OPER-01")
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
CONFIG = """\
[[channels]]
id = "odd"
plugin = "unruly"
[channels.settings]
token = { env = "UNRULY_TOKEN" }
"""


@contextlib.contextmanager
def full_disk(hub: HubProcess) -> Iterator[None]:
    """No file of the hub's grows any more, its log included."""
    assert hub._process is not None
    pid = hub._process.pid
    # The write-ahead log has grown to some length; within it SQLite could still write.
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, UNLIMITED)


def deliver(hub: HubProcess, number: int, **told: Any) -> httpx2.Response:
    body = {"id": f"in-{number}", "from": "+15550100002", "text": f"number {number}", **told}
    url = f"{hub.base_url}/hooks/main/odd"
    return httpx2.post(url, json=body, headers={"X-Token": TOKEN}, timeout=PATIENCE)


def test_a_disk_that_is_full_for_a_while(tmp_path: Path) -> None:
    with (
        HubProcess(tmp_path, config=CONFIG, environ=ENVIRON) as hub,
        contextlib.closing(hub.client()) as client,
    ):
        assert deliver(hub, 1).status_code == 200
        with full_disk(hub):
            refused = deliver(hub, 2)
            assert refused.status_code == 503
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.headers["retry-after"] == "5"
            assert deliver(hub, 3, text="x" * 100_000).status_code == 503, "the blob store"
            upload = client.http.post(
                client.path("attachments"), files={"file": ("a.bin", b"x" * 3_000_000)}
            )
            assert upload.status_code == 507
            assert "disk is full" in upload.json()["detail"]
            assert list((tmp_path / "data" / "blobs" / "incoming").iterdir()) == []
            for _ in range(3):  # and it does not forget while nobody writes
                ready = httpx2.get(f"{hub.base_url}/readyz")
                assert ready.status_code == 503
                assert ready.json()["trouble"] == ["the database cannot be written to"]
            assert httpx2.get(f"{hub.base_url}/healthz").status_code == 200
            thread = client.threads()[0]
            note = client.call("POST", f"threads/{thread['id']}/notes", {"body": "hm"})
            assert note.status_code == 503
            assert client.entries(thread["id"]), "reading goes on"
            sign_in = {"email": "ana@example.com", "password": "correct-horse-battery"}
            answer = httpx2.post(f"{hub.base_url}/api/v1/session", json=sign_in)
            assert answer.status_code == 503
        wait_for(lambda: httpx2.get(f"{hub.base_url}/readyz").status_code == 200)
        assert [deliver(hub, number).status_code for number in (2, 3)] == [200, 200]
        texts = [entry["blocks"][0]["text"] for entry in client.entries(thread["id"])]
        assert [text.partition(" (")[0] for text in texts] == ["number 1", "number 2", "number 3"]
    assert hub.stop() == 0


def test_a_paused_hub_finds_out_by_itself_that_there_is_space_again(tmp_path: Path) -> None:
    """When no channel sends, nobody but the one who asks writes anything."""
    with (
        HubProcess(tmp_path, config=CONFIG, environ=ENVIRON) as hub,
        contextlib.closing(hub.client()) as client,
    ):
        client.post("channels/odd/pause")
        with full_disk(hub):
            assert deliver(hub, 1).status_code == 503
            assert httpx2.get(f"{hub.base_url}/readyz").status_code == 503
        assert httpx2.get(f"{hub.base_url}/readyz").status_code == 200
        assert deliver(hub, 1).status_code == 200
