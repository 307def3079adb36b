"""``SIGTERM`` ends a hub cleanly, whoever waits on it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from http.client import HTTPConnection
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.host.unruly import ENVIRON
from tests.hubs import HubProcess, wait_for
from tests.patience import PATIENCE

pytestmark = pytest.mark.feature("OPER-01")

CONFIG = """\
[[channels]]
id = "simulator"
plugin = "simulator"

[[channels]]
id = "odd"
plugin = "unruly"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"
"""


def read_to_the_end(socket: ClientConnection) -> None:
    while True:
        socket.recv(timeout=PATIENCE)


def test_open_sockets_and_long_polls_hold_up_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "unruly"
    folder.mkdir()
    hub = HubProcess(tmp_path / "hub", config=CONFIG.format(folder=folder), environ=ENVIRON)
    with hub, contextlib.closing(hub.client()) as client:
        client.text("+15550142001", "hello")
        wait_for(client.threads)
        position = client.http.get(client.path("threads")).headers["x-position"]
        cookies = "; ".join(f"{name}={value}" for name, value in client.http.cookies.items())
        address = hub.base_url.replace("http", "ws") + client.path("stream")
        with (
            contextlib.closing(HTTPConnection("127.0.0.1", hub.port, timeout=40)) as poll,
            connect(address, additional_headers={"Cookie": cookies}) as socket,
        ):
            assert json.loads(socket.recv())["type"] == "hello"
            wanted = f"{client.path('changes')}?since={position}&wait=25"
            poll.request("GET", wanted, headers={"Cookie": cookies})
            client.get("threads")  # asked later, answered: the poll is waiting by now
            assert hub.stop() == 0
            with pytest.raises(ConnectionClosed):
                read_to_the_end(socket)
            answer = poll.getresponse()
            assert answer.status == 200, "answered, not cut off"
            assert json.load(answer)["changes"] == []
    assert "Traceback" not in hub.output
    assert "Cancel" not in hub.output
    with contextlib.closing(sqlite3.connect(hub.folder / "data" / "hub.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_thread_that_a_plugin_has_blocked_holds_up_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "unruly"
    folder.mkdir()
    hub = HubProcess(tmp_path / "hub", config=CONFIG.format(folder=folder), environ=ENVIRON)
    with hub:
        url = f"{hub.base_url}/hooks/main/odd"
        told = {"do": "block-thread", "id": "1", "from": "+15550100002"}
        headers = {"X-Token": ENVIRON["UNRULY_TOKEN"]}
        assert httpx2.post(url, json=told, headers=headers, timeout=PATIENCE).status_code == 200
        assert (folder / "blocked").exists()
        assert hub.stop() == 0
    assert not (folder / "go").exists(), "it was blocked to the end"
