"""Reading kept deliveries again: by itself after a passing fault, by a person's word once a plugin
is mended. What was kept is told as if it had just come, but for the time."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest

from hub.flow import replay as flow_replay
from hub.plugin import Secret
from hub.store import tables as t
from tests.flow.conftest import House
from tests.host.unruly import ENVIRON, TOKEN, until
from tests.hubs import HubProcess, wait_for
from tests.patience import PATIENCE
from tests.plugins.hub_unruly import Settings

pytestmark = pytest.mark.feature("ROUT-07")


async def test_what_failed_for_a_passing_reason_is_tried_again_by_itself(
    any_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_replay, "LOOK_EVERY", 0.05)
    taken = await any_house.take("temporary")
    assert (taken.state, taken.status) == ("quarantined", 200)
    row = await any_house.delivery()
    assert (row.reason, row.attempts) == ("the key server is away", 1)
    assert row.due_at > row.received_at
    (any_house.folder / "mended").touch()
    any_house.hub.replay.start()
    try:
        await until(lambda: any_house.hub.intake.counts["odd", "done"])
    finally:
        await any_house.hub.replay.stop()
    row = await any_house.delivery()
    assert (row.state, row.reason, row.due_at, row.attempts) == ("done", None, None, 2)
    assert await any_house.texts() == ["hello"]


async def test_replay_gives_the_stored_proof_and_the_time_of_receipt(house: House) -> None:
    (house.folder / "broken").touch()
    await house.take("clock")
    row = await house.delivery()
    assert row.state == "quarantined"
    (house.folder / "broken").unlink()
    (plugin,) = (one.plugin for one in house.channel._hooks.ingest.get_hookimpls())
    cast("Any", plugin).settings = Settings(token=Secret("rotated since"))
    (replayed,) = await house.hub.replay.replay()
    assert (replayed.before, replayed.state) == ("quarantined", "done")
    received = datetime.fromtimestamp(row.received_at / 1000, UTC)
    assert await house.texts() == [received.isoformat()]
    (entry,) = await house.rows(t.entries)
    assert entry.sort_at == row.received_at, "it stands where it belongs"
    assert (await house.delivery()).proof == row.proof


async def test_a_large_body_is_replayed_whole(house: House) -> None:
    (house.folder / "broken").touch()
    await house.take(text="x" * 100_000)
    (house.folder / "broken").unlink()
    (replayed,) = await house.hub.replay.replay()
    assert replayed.state == "done"
    assert await house.texts() == ["x" * 100_000]


async def test_what_was_kept_unread_is_verified_when_it_is_replayed(house: House) -> None:
    (house.folder / "deaf").touch()
    assert (await house.take()).state == "unverified"
    assert (await house.take(token="guessed", id="in-2")).state == "unverified"
    (house.folder / "deaf").unlink()
    replayed = await house.hub.replay.replay()
    assert [(one.before, one.state) for one in replayed] == [
        ("unverified", "done"),
        ("unverified", "refused"),
    ]
    assert await house.texts() == ["hello"]
    assert await house.hub.replay.replay() == [], "it is not read a third time"


# ---------------------------------------------------------------------- on the command line

CONFIG = """\
[[channels]]
id = "one"
plugin = "{plugin}"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"

[[channels]]
id = "two"
plugin = "unruly"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"
"""


def deliver(hub: HubProcess, channel: str, **told: Any) -> int:
    body = {"id": "in-1", "from": "+15550100002", "text": "hello", **told}
    url = f"{hub.base_url}/hooks/main/{channel}"
    return httpx2.post(url, json=body, headers={"X-Token": TOKEN}).status_code


def test_replay_on_the_command_line(tmp_path: Path) -> None:
    folder = tmp_path / "unruly"
    folder.mkdir()
    broken = CONFIG.format(plugin="unruly-stillborn", folder=folder)
    with HubProcess(tmp_path / "hub", config=broken, environ=ENVIRON) as hub:
        assert [deliver(hub, "one", id=f"in-{n}", text=f"one-{n}") for n in (1, 2)] == [200, 200]
        (folder / "broken").touch()
        assert [deliver(hub, "two", id=f"in-{n}", text=f"two-{n}") for n in (1, 2)] == [200, 200]
        done = hub.run("replay")
        assert done.returncode == 1, "not all could be understood"
        lines = done.stdout.splitlines()
        assert lines[-1] == "0 of 4 understood."
        assert [line.partition("  ")[2].split(" (")[0] for line in lines[:-1]] == [
            "one: unverified -> unverified",
            "one: unverified -> unverified",
            "two: quarantined -> quarantined",
            "two: quarantined -> quarantined",
        ]
        assert "the channel is not running" in lines[0]
        assert "broken for now" in lines[2]

    (folder / "broken").unlink()
    mended = CONFIG.format(plugin="unruly", folder=folder)
    with (
        HubProcess(tmp_path / "hub", config=mended, environ=ENVIRON) as hub,
        contextlib.closing(hub.client()) as client,
    ):
        # While the hub runs: what another process replays is seen here.
        first = lines[2].partition("  ")[0]
        done = hub.run("replay", "--delivery", first)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{first}  two: quarantined -> done\n1 of 1 understood.\n"
        done = hub.run("replay", "--channel", "one")
        assert done.returncode == 0
        assert done.stdout.splitlines()[-1] == "2 of 2 understood."
        done = hub.run("replay", "--delivery", first)
        assert done.returncode == 0, "one that was understood may be read again"
        done = hub.run("replay", "--organisation", "main")
        assert done.stdout.splitlines()[-1] == "1 of 1 understood."
        (thread,) = client.threads()
        assert len(client.entries(thread["id"])) == 4, "all there, and nothing twice"


def test_room_for_what_cannot_be_verified_comes_back_with_a_replay(tmp_path: Path) -> None:
    folder = tmp_path / "unruly"
    folder.mkdir()
    (folder / "deaf").touch()
    config = CONFIG.format(plugin="unruly", folder=folder)
    with (
        HubProcess(tmp_path / "hub", config=config, environ=ENVIRON) as hub,
        httpx2.Client(headers={"X-Token": TOKEN}, timeout=PATIENCE) as client,
    ):
        url = f"{hub.base_url}/hooks/main/two"
        body = json.dumps({"do": "malformed", "text": "x" * 24_000_000}).encode()
        statuses = [client.post(url, content=body).status_code for _ in range(3)]
        assert statuses == [200, 200, 503]
        full = client.post(url, content=body)
        assert full.headers["retry-after"] == "60"
        assert full.headers["content-type"] == "application/problem+json"
        too_large = client.post(url, content=b"x" * 25_000_001)
        assert too_large.status_code == 413

        (folder / "deaf").unlink()
        assert "quarantined" in hub.run("replay").stdout  # verified now, though it says nothing
        (folder / "deaf").touch()
        wait_for(lambda: client.post(url, content=body).status_code == 200)
