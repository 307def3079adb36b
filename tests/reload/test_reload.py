"""``hub reload`` and SIGHUP: a changed ``hub.toml`` in a hub that runs, as its operator, its staff
and its providers see it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.host.unruly import ENVIRON, TOKEN
from tests.hubs import Client, HubProcess, wait_for
from tests.patience import PATIENCE

CONFIG = """\
[[channels]]
id = "simulator"
plugin = "simulator"
[channels.settings]
receipt_pause = 0.0

[[channels]]
id = "odd"
plugin = "unruly"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"
own = "+15550100001"
"""
ANOTHER = """
[[channels]]
id = "other"
plugin = "unruly"
[channels.settings]
token = { env = "UNRULY_TOKEN" }
own = "+15550100005"
"""


class Reloading(HubProcess):
    """A hub whose configuration is written anew."""

    @property
    def config(self) -> str:
        return (self.folder / "hub.toml").read_text(encoding="utf-8")

    def write(self, config: str) -> None:
        (self.folder / "hub.toml").write_text(config, encoding="utf-8")

    def change(self, before: str, after: str) -> None:
        assert before in self.config
        self.write(self.config.replace(before, after))

    def reload(self) -> subprocess.CompletedProcess[str]:
        return self.run("reload")

    def reloaded(self) -> list[str]:
        """The lines of a reload that was applied."""
        done = self.reload()
        assert done.returncode == 0, done.stderr + self.output[-2000:]
        return done.stdout.splitlines()

    def hang_up(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGHUP)


@pytest.fixture
def hub(tmp_path: Path, database_url: str) -> Iterator[Reloading]:
    folder = tmp_path / "hub"
    config = CONFIG.format(folder=folder)
    with Reloading(folder, config=config, database_url=database_url, environ=ENVIRON) as process:
        yield process


@pytest.fixture
def ana(hub: Reloading) -> Iterator[Client]:
    with contextlib.closing(hub.client()) as client:
        yield client


def deliver(hub: Reloading, id_: str, *, channel: str = "odd", **told: Any) -> httpx2.Response:
    body = {"id": id_, "from": "+15550100002", "text": id_, **told}
    url = f"{hub.base_url}/hooks/main/{channel}"
    return httpx2.post(url, json=body, headers={"X-Token": TOKEN}, timeout=PATIENCE)


def channels(client: Client) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in client.get("channels")}


def own(client: Client, channel: str = "odd") -> str:
    return channels(client)[channel]["own_addresses"][0]["value"]


def entries(client: Client, thread: str) -> list[dict[str, Any]]:
    """The whole timeline."""
    found: list[dict[str, Any]] = []
    before: dict[str, str] = {}
    while True:
        page = client.get(f"threads/{thread}/entries", limit=100, **before)
        found = [*page["items"], *found]
        if page["earlier_cursor"] is None:
            return found
        before = {"before": page["earlier_cursor"]}


def status_of(client: Client, sent: dict[str, Any]) -> str:
    return next(
        one["status"] for one in client.entries(sent["thread_id"]) if one["id"] == sent["id"]
    )


@pytest.mark.feature("PLUG-02", "PLUG-04")
def test_channels_are_added_changed_and_taken_out_while_the_hub_runs(
    hub: Reloading, ana: Client
) -> None:
    assert hub.reloaded() == ["Nothing has changed."]
    assert deliver(hub, "before").status_code == 200
    assert deliver(hub, "unknown", channel="other").status_code == 404

    hub.change("+15550100001", "+15550100003")
    hub.write(hub.config + ANOTHER)
    assert hub.reloaded() == [
        'channel "odd" of main changed',
        'channel "other" of main added',
    ]
    assert (own(ana), own(ana, "other")) == ("+15550100003", "+15550100005")
    assert deliver(hub, "to the new one", channel="other").status_code == 200

    hub.change('id = "odd"\n', 'id = "odd"\nenabled = false\n')
    assert hub.reloaded() == ['channel "odd" of main taken out; its history stays']
    assert set(channels(ana)) == {"simulator", "other"}
    assert deliver(hub, "too late").status_code == 404
    (thread,) = ana.threads()
    assert "before" in json.dumps(ana.entries(thread["id"]))
    refused = ana.call("POST", "messages", {"channel_id": "odd", "to": "+15550100002", "body": "x"})
    assert (refused.status_code, refused.json()["code"]) == (422, "no_channel")

    hub.change("enabled = false\n", "")
    assert hub.reloaded() == ['channel "odd" of main added']
    assert deliver(hub, "back again").status_code == 200


@pytest.mark.feature("PLUG-02")
def test_a_signal_does_the_same(hub: Reloading, ana: Client) -> None:
    hub.change("+15550100001", "+15550100003")
    hub.hang_up()
    wait_for(lambda: own(ana) == "+15550100003", what="the reload")


@pytest.mark.feature("PLUG-02", "PLUG-03")
def test_what_is_wrong_is_all_told_and_then_nothing_is_applied(hub: Reloading, ana: Client) -> None:
    hub.change("+15550100001", "+15550100003")
    hub.change("receipt_pause = 0.0", "receipt_paus = 0.0")
    hub.write(hub.config + ANOTHER.replace('"unruly"', '"absent"') + "[[channel]]\n")
    done = hub.reload()
    assert (done.returncode, done.stdout) == (1, "")
    told = done.stderr.splitlines()
    assert told[-1] == "Nothing was changed."
    assert len(told) == 4
    assert any(line.endswith('unknown key; did you mean "channels"?') for line in told)
    paus = 'hub.toml:5: channel "simulator": settings.receipt_paus: unknown key'
    assert any(paus in line for line in told)
    assert any('channel "other": plugin: plugin "absent" is not installed' in x for x in told)
    assert TOKEN not in done.stderr
    assert own(ana) == "+15550100001"
    assert set(channels(ana)) == {"simulator", "odd"}
    hub.write("= nonsense")
    assert "hub.toml:1: not valid TOML" in hub.reload().stderr
    assert deliver(hub, "all the same").status_code == 200


@pytest.mark.feature("PLUG-02")
def test_what_waits_for_a_restart_is_named_and_the_rest_applied(
    hub: Reloading, ana: Client
) -> None:
    branch = '[[organisations]]\nslug = "branch"\n'
    config = hub.config.replace("plugin =", 'organisation = "main"\nplugin =')
    main = '[[organisations]]\nslug = "main"\nname = "Acme"\n'
    elsewhere = ANOTHER.replace("plugin =", 'organisation = "branch"\nplugin =')
    hub.write(
        f'[hub]\npublic_url = "https://hub.example"\nsecret_key = "{"k" * 32}"\n'
        '[notices]\nhost = "smtp.example"\nfrom = "a@example.com"\n'
        f"{main}{branch}{config.replace('0001', '0003')}{elsewhere}"
    )
    told = [
        'channel "odd" of main changed',
        "[hub] public_url: takes effect when the hub is restarted",
        "[hub] secret_key: takes effect when the hub is restarted",
        "[notices]: takes effect when the hub is restarted",
        'organisation "branch": it and its channels are added when the hub is restarted',
    ]
    assert hub.reloaded() == told
    assert own(ana) == "+15550100003"
    assert ana.http.get("/api/v1/me").json()["organisations"][0]["name"] == "Acme"
    assert hub.reloaded() == told[1:], "until there was a restart"


@pytest.mark.feature("PLUG-04")
def test_the_old_instance_ends_what_it_does_while_the_new_one_works(
    hub: Reloading, ana: Client
) -> None:
    wanted = {"channel_id": "odd", "to": "+15550100009"}
    slow = ana.post("messages", {**wanted, "body": "hang"})
    asked = hub.folder / "asked"
    wait_for(lambda: asked.exists() and "hang" in asked.read_text(), what="the send")
    hub.change("+15550100001", "+15550100003")
    hub.reloaded()
    try:
        quick = ana.post("messages", {**wanted, "to": "+15550100010", "body": "quick"})
        wait_for(lambda: status_of(ana, quick) == "sent")
        assert status_of(ana, slow) == "pending"
        assert deliver(hub, "while it sends").status_code == 200
    finally:
        (hub.folder / "go").touch()
    wait_for(lambda: status_of(ana, slow) == "sent")
    assert asked.read_text().split() == ["hang", "quick"]


class Traffic:
    """Deliveries, texts and sends, one after the other in a thread each, until the block ends."""

    def __init__(self, hub: Reloading) -> None:
        self._hub = hub
        self._ends = threading.Event()
        self.heard = 0
        self.sent: dict[str, list[dict[str, Any]]] = {"odd": [], "simulator": []}
        self.failures: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._again, args=arguments)
            for arguments in (
                (self._deliver,),
                (self._text,),
                (self._send, "odd", "+15550142002"),
                (self._send, "simulator", "+15550142003"),
            )
        ]

    def _again(self, act: Callable[..., None], *arguments: str) -> None:
        with contextlib.closing(self._hub.client()) as client:
            number = 0
            while not self._ends.is_set():
                number += 1
                try:
                    act(client, number, *arguments)
                except (AssertionError, httpx2.HTTPError) as error:
                    self.failures.append(error)

    def _deliver(self, _client: Client, number: int) -> None:
        answer = deliver(self._hub, f"in-{number}")
        assert answer.status_code == 200, answer.text
        self.heard += 1

    def _text(self, client: Client, number: int) -> None:
        client.text("+15550142001", f"text-{number}")
        self.heard += 1

    def _send(self, client: Client, number: int, channel: str, to: str) -> None:
        wanted = {"channel_id": channel, "to": to, "body": f"out-{number}"}
        self.sent[channel].append(client.post("messages", wanted))

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.feature("PLUG-04")
def test_nothing_is_lost_or_doubled_under_traffic(hub: Reloading, ana: Client) -> None:
    with Traffic(hub) as traffic:
        for number in range(6):
            # Both change, and the numbers that are written from and to stay the same.
            hub.write(
                CONFIG.format(folder=hub.folder).replace('"odd"', f'"odd"\nname = "{number}"')
            )
            hub.change("receipt_pause = 0.0", f"receipt_pause = 0.00{number + 1}")
            assert set(hub.reloaded()) == {
                'channel "simulator" of main changed',
                'channel "odd" of main changed',
            }
            assert channels(ana)["odd"]["name"] == str(number)
    assert traffic.failures == []
    assert all((traffic.heard, *traffic.sent.values()))

    for channel, final in (("odd", {"sent"}), ("simulator", {"delivered", "read"})):
        first = traffic.sent[channel][0]
        wait_for(
            lambda: {one["status"] for one in sent_in(ana, first["thread_id"])} <= final,  # noqa: B023
            what=f"the end of what {channel} sends",
        )
        assert len(sent_in(ana, first["thread_id"])) == len(traffic.sent[channel])
    asked = (hub.folder / "asked").read_text().split()
    assert sorted(asked) == sorted(f"out-{n + 1}" for n in range(len(traffic.sent["odd"])))
    on_phone = [one["id"] for one in ana.phone("+15550142003")["messages"]]
    assert len(on_phone) == len(set(on_phone))

    pages = [entries(ana, one["id"]) for one in ana.threads()]
    heard = [json.dumps(one["blocks"]) for page in pages for one in page if is_message(one, "in")]
    assert len(heard) == len(set(heard)) == traffic.heard


def is_message(entry: dict[str, Any], direction: str) -> bool:
    return entry["kind"] == "message" and entry["direction"] == direction


def sent_in(client: Client, thread: str) -> list[dict[str, Any]]:
    return [one for one in entries(client, thread) if is_message(one, "out")]


@pytest.mark.feature("PLUG-04")
def test_a_channel_that_failed_to_load_comes_back_by_reload(hub: Reloading, ana: Client) -> None:
    hub.change('plugin = "unruly"', 'plugin = "unruly-stillborn"')
    refused = hub.reload()
    assert refused.returncode == 1
    assert "the constructor raised ValueError: no account has the token ***" in refused.stderr
    assert channels(ana)["odd"]["plugin"] == "unruly"

    assert hub.stop() == 0
    hub.start(port=hub.port)  # as a hub starts with it: without the channel, and says so
    assert deliver(hub, "kept unread").status_code == 200
    lines = hub.reloaded()
    assert lines[0].startswith('channel "odd" of main is off: the constructor raised')
    (hub.folder / "born").touch()
    assert hub.reloaded() == ['channel "odd" of main started again']
    with contextlib.closing(hub.client()) as ben:
        assert channels(ben)["odd"]["state"] == "ok"
        assert deliver(hub, "and now").status_code == 200
        assert "1 of 1 understood" in hub.run("replay").stdout
        (thread,) = ben.threads()
        assert len(ben.entries(thread["id"])) == 2


@pytest.mark.feature("PLUG-02")
def test_without_a_hub_there_is_nothing_to_reload(tmp_path: Path) -> None:
    config = CONFIG.format(folder=tmp_path)
    hub = Reloading(tmp_path, config=config, environ=ENVIRON)
    assert hub.reload().stderr == f"hub: no hub runs on {tmp_path / 'data'} on this machine\n"
    with hub:
        pass
    left = tmp_path / "data" / "processes"
    assert list(left.iterdir()) == []
    hub.start()
    hub.kill()
    assert len(list(left.iterdir())) == 1
    done = hub.reload()
    assert (done.returncode, done.stdout) == (1, "")
    assert "no hub runs" in done.stderr
    assert list(left.iterdir()) == []


@pytest.mark.feature("PLUG-02")
def test_of_several_processes_each_is_told_by_the_command_on_its_folder(
    tmp_path: Path, migrated_postgres_url: str
) -> None:
    hubs = [
        Reloading(
            tmp_path / name,
            config=CONFIG.format(folder=tmp_path),
            database_url=migrated_postgres_url,
            environ={**ENVIRON, "HUB_DATA": str(tmp_path / data)},
        )
        for name, data in (("one", "data"), ("two", "data"), ("three", "elsewhere"))
    ]
    with hubs[0], hubs[1], hubs[2], contextlib.ExitStack() as stack:
        ana, ben, cora = (stack.enter_context(contextlib.closing(h.client())) for h in hubs)
        for one in hubs:
            one.change("+15550100001", "+15550100003")
        lines = hubs[0].reloaded()
        assert len(lines) == 2, "both that run on the folder"
        assert all(line.endswith('channel "odd" of main changed') for line in lines)
        assert [own(c) for c in (ana, ben, cora)] == ["+15550100003"] * 2 + ["+15550100001"]
        assert hubs[2].reloaded() == ['channel "odd" of main changed']
        assert own(cora) == "+15550100003"
