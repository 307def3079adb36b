"""The same plugins in a real hub: a broken one stops neither the hub nor other channels, staff see
what is wrong with it, and nothing shows its secrets."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.host.unruly import ENVIRON, TOKEN, leaks
from tests.hubs import Client, HubProcess, wait_for
from tests.patience import PATIENCE

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
id = "odd"
organisation = "main"
plugin = "unruly"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"

[[channels]]
id = "odd"
organisation = "branch"
plugin = "unruly"
[channels.settings]
token = {{ env = "BRANCH_TOKEN" }}
own = "+15550100077"

[[channels]]
id = "pages"
organisation = "main"
plugin = "unruly-pages"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}

[[channels]]
id = "stillborn"
organisation = "main"
plugin = "unruly-stillborn"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}

[[channels]]
id = "tomorrow"
organisation = "main"
plugin = "of-tomorrow"

[[channels]]
id = "unimportable"
organisation = "main"
plugin = "unruly-unimportable"

[[channels]]
id = "contested"
organisation = "main"
plugin = "unruly-contested"

[[channels]]
id = "disabled"
organisation = "main"
plugin = "unruly"
enabled = false
"""
BRANCH_TOKEN = "the-token-of-the-branch"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plugin looks for what to do."""
    return tmp_path_factory.mktemp("unruly")


@pytest.fixture(scope="module")
def hub(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    environ = {**ENVIRON, "BRANCH_TOKEN": BRANCH_TOKEN}
    config = CONFIG.format(folder=folder)
    with HubProcess(tmp_path_factory.mktemp("hub"), config=config, environ=environ) as process:
        yield process


@pytest.fixture(scope="module")
def ana(hub: HubProcess) -> Iterator[Client]:
    with contextlib.closing(hub.client()) as client:
        yield client


def deliver(
    hub: HubProcess,
    do: str | None = None,
    *,
    org: str = "main",
    channel: str = "odd",
    token: str = TOKEN,
    **told: Any,
) -> httpx2.Response:
    body = {"do": do, "id": f"in-{do}", "from": "+15550100002", "text": f"hello {do}", **told}
    url = f"{hub.base_url}/hooks/{org}/{channel}"
    return httpx2.post(url, json=body, headers={"X-Token": token}, timeout=PATIENCE)


def channels(client: Client) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in client.get("channels")}


def status_of(client: Client, thread: str, entry: str) -> str:
    return next(one["status"] for one in client.entries(thread) if one["id"] == entry)


@pytest.mark.feature("PLUG-01", "PLUG-04", "PLUG-07")
def test_channels_that_cannot_run_are_told_of_and_the_rest_works(
    hub: HubProcess, ana: Client
) -> None:
    ready = httpx2.get(f"{hub.base_url}/readyz").json()
    assert ready["status"] == "ok"
    assert ready["channels"] == {
        "main/simulator": "ok",
        "main/odd": "ok",
        "branch/odd": "ok",
        "main/pages": "ok",
        "main/stillborn": "off",
        "main/tomorrow": "off",
        "main/unimportable": "off",
        "main/contested": "off",
    }
    shown = channels(ana)
    assert "disabled" not in shown
    assert shown["stillborn"]["state"] == "needs_attention"
    assert shown["stillborn"]["reason"].endswith("no account has the token ***")
    assert "needs channel-hub <3,>=2" in shown["tomorrow"]["reason"]
    licence = "cannot be imported: SystemExit: the vendor's client wants a licence"
    assert shown["unimportable"]["reason"].startswith(licence)
    assert "several packages: hub-rival, hub-unruly" in shown["contested"]["reason"]
    assert 'Channel "stillborn" is off: the constructor raised ValueError' in hub.output
    assert deliver(hub, channel="disabled").status_code == 404
    ana.text("+15550142001", "Is anybody there?")
    assert wait_for(lambda: ana.threads(filter="unread"))


@pytest.mark.feature("PLUG-02")
def test_each_organisations_channel_has_its_own_settings(hub: HubProcess, ana: Client) -> None:
    assert deliver(hub, org="branch").status_code == 403
    assert deliver(hub, org="branch", token=BRANCH_TOKEN).status_code == 200
    with contextlib.closing(Client(hub.base_url, org="branch").sign_in()) as branch:
        assert [one["preview"]["text"] for one in branch.threads()] == ["hello None"]
        (address,) = channels(branch)["odd"]["own_addresses"]
        assert address["value"] == "+15550100077"
    assert channels(ana)["odd"]["own_addresses"][0]["value"] == "+15550100001"


@pytest.mark.feature("PLUG-04")
def test_while_one_channels_send_blocks_its_thread_everything_else_goes_on(
    hub: HubProcess, ana: Client, folder: Path
) -> None:
    blocked = ana.post("messages", {"channel_id": "odd", "to": "+15550100002", "body": "block"})
    wait_for((folder / "blocked").exists, what="the blocked send")
    try:
        ana.text("+15550142002", "While it is blocked")
        thread = wait_for(lambda: _any(ana, "+15550142002"))
        wanted = {"contact_id": thread["contact"]["id"], "channel_id": "simulator", "body": "Yes"}
        answer = ana.post(f"threads/{thread['id']}/messages", wanted)
        wait_for(
            lambda: status_of(ana, thread["id"], answer["id"]) in {"delivered", "read"},
            what="the other channel's send",
        )
        assert status_of(ana, blocked["thread_id"], blocked["id"]) == "pending", "still blocked"
    finally:
        (folder / "go").touch()
    wait_for(lambda: status_of(ana, blocked["thread_id"], blocked["id"]) == "sent")
    (folder / "go").unlink()


def _any(client: Client, number: str) -> dict[str, Any] | None:
    digits = re.sub(r"\D", "", number)
    return next(
        (
            one
            for one in client.threads()
            if re.sub(r"\D", "", one["contact"]["display"]).endswith(digits[-10:])
        ),
        None,
    )


@pytest.mark.feature("PLUG-04")
def test_a_plugin_that_fails_to_show_itself_leaves_every_page_readable(
    hub: HubProcess, ana: Client, folder: Path
) -> None:
    def shown(text: str) -> str:
        """The blocks of a message that nobody has looked at yet."""
        assert deliver(hub, id=text, text=text).status_code == 200
        (entry,) = [one for one in ana.entries(thread["id"]) if text in json.dumps(one)]
        return json.dumps(entry["blocks"])

    assert deliver(hub, id="in-first").status_code == 200
    thread = wait_for(lambda: _any(ana, "+15550100002"))
    assert "first (unruly)" in shown("first")
    (folder / "pure-raises").touch()
    try:
        assert "second" in (plain := shown("second"))
        assert "(unruly)" not in plain
        detail = ana.get(f"threads/{thread['id']}")
        modes = {mode["channel_id"]: mode for mode in detail["compose"]}
        assert "failed" in modes["odd"]["reason"]
        assert modes["simulator"]["can_send"]
        assert "odd" in channels(ana)
        wanted = {"contact_id": thread["contact"]["id"], "channel_id": "odd", "body": "x"}
        refused = ana.call("POST", f"threads/{thread['id']}/messages", wanted)
        assert (refused.status_code, refused.json()["code"]) == (422, "channel_failed")
    finally:
        (folder / "pure-raises").unlink()
    assert "third (unruly)" in shown("third")


@pytest.mark.feature("PLUG-04")
def test_a_providers_word_on_the_channel_is_seen_and_its_receipt_counts(
    hub: HubProcess, ana: Client
) -> None:
    sent = ana.post("messages", {"channel_id": "odd", "to": "+15550100003", "body": "hello"})
    wait_for(lambda: status_of(ana, sent["thread_id"], sent["id"]) == "sent")
    external_id = _external_id(hub, sent["id"])
    said = {"id": external_id, "text": "Register the sender", "state": "needs_attention"}
    assert deliver(hub, "notice", **said).status_code == 200
    wait_for(lambda: status_of(ana, sent["thread_id"], sent["id"]) == "failed")
    assert channels(ana)["odd"]["state"] == "needs_attention"
    assert channels(ana)["odd"]["reason"] == "Register the sender"
    deliver(hub, "notice", **{**said, "text": "", "state": "ok"})
    assert channels(ana)["odd"]["state"] == "ok"


def _external_id(hub: HubProcess, entry_id: str) -> str:
    with sqlite3.connect(hub.folder / "data" / "hub.db") as database:
        statement = "SELECT external_id FROM external_ids WHERE entry_id = ?"
        return database.execute(statement, (int(entry_id),)).fetchone()[0]


@pytest.mark.feature("PLUG-04")
def test_routes_that_fail_are_answered_with_a_problem(hub: HubProcess, ana: Client) -> None:
    for do in ("raise", "exit", "nonsense", "header", "status"):
        answer = ana.http.get("/hooks/main/pages/page", params={"do": do})
        assert answer.status_code == 502, do
        assert answer.headers["content-type"] == "application/problem+json"
        assert not leaks(answer.text)
        assert "set-cookie" not in answer.headers
    malformed = ana.http.get("/hooks/main/pages/page", params={"do": "malformed"})
    assert malformed.status_code == 400
    page = ana.http.get("/hooks/main/pages/page")
    assert page.json() == {"member": "Admin", "cookie": None}, "the plugin sees no session"


def test_staff_read_how_much_of_a_message_went_out(hub: HubProcess, ana: Client) -> None:
    words = {"channel_id": "odd", "to": "+15550100007", "body": "half and the rest"}
    sent = ana.post("messages", words)
    wait_for(lambda: status_of(ana, sent["thread_id"], sent["id"]) == "failed")
    told = json.dumps(ana.entries(sent["thread_id"]))
    assert "1 of 2 parts went out. the rest was refused" in told


@pytest.mark.feature("PLUG-03")
def test_no_secret_is_seen_anywhere(hub: HubProcess, ana: Client, folder: Path) -> None:
    for do in ("leak", "leak-ignored", "leak-malformed", "leak-late", "leak-notice"):
        assert deliver(hub, do).status_code == 200
    for text in ("leak", "raise"):
        sent = ana.post("messages", {"channel_id": "odd", "to": "+15550100004", "body": text})
        wait_for(lambda: status_of(ana, sent["thread_id"], sent["id"]) != "pending")  # noqa: B023
    refused = ana.post("messages", {"channel_id": "odd", "to": "+15550100005", "body": "refused"})
    wait_for(lambda: channels(ana)["odd"]["paused"])
    assert channels(ana)["odd"]["reason"] == "*** was revoked"
    ana.http.get("/hooks/main/pages/page", params={"do": "raise"})

    shown = [
        json.dumps(ana.get("channels")),
        json.dumps([ana.entries(one["id"]) for one in ana.threads()]),
        json.dumps([ana.get(f"threads/{one['id']}") for one in ana.threads()]),
        httpx2.get(f"{hub.base_url}/readyz").text,
        httpx2.get(f"{hub.base_url}/metrics").text,
        hub.output,
        hub.run("replay").stdout,
    ]
    assert "***" in hub.output
    assert [place for place, text in enumerate(shown) if leaks(text)] == []
    assert leaks_in_database(hub.folder / "data" / "hub.db") == []

    (folder / "mended").touch()
    ana.post("channels/odd/resume")
    wait_for(lambda: status_of(ana, refused["thread_id"], refused["id"]) == "sent")
    (folder / "mended").unlink()


def leaks_in_database(path: Path) -> list[str]:
    """Columns that hold the token, but for what the provider itself has sent."""
    found: set[str] = set()
    with sqlite3.connect(path) as database:
        database.row_factory = sqlite3.Row
        # What an index of words holds stands in tables of its own, which are looked at.
        tables = (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        )
        for (table,) in database.execute(tables).fetchall():
            for row in database.execute(f"SELECT * FROM {table}"):
                found |= {f"{table}.{name}" for name in row.keys() if leaks(str(row[name]))}  # noqa: SIM118
    return sorted(found - {"deliveries.headers"})


# ---------------------------------------------------------------------- hubs of their own

ONE_CHANNEL = """\
[[channels]]
id = "odd"
plugin = "unruly"
[channels.settings]
token = { env = "UNRULY_TOKEN" }
"""


@pytest.mark.feature("PLUG-01")
def test_history_outlives_its_plugin(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path, config=ONE_CHANNEL, environ=ENVIRON)
    with hub:
        deliver(hub, id="in-1", text="From the time before")
        with contextlib.closing(hub.client()) as before:
            (thread,) = before.threads()
    assert hub.stop() == 0
    for config, environ in (
        (ONE_CHANNEL, {"UNRULY_TOKEN": TOKEN}),  # not installed any more
        (ONE_CHANNEL.replace('"unruly"', '"unruly"\nenabled = false'), ENVIRON),
    ):
        with (
            HubProcess(tmp_path, config=config, environ=environ) as after,
            contextlib.closing(after.client()) as client,
        ):
            assert [one["id"] for one in client.threads()] == [thread["id"]]
            assert "From the time before" in json.dumps(client.entries(thread["id"]))
            assert client.get(f"threads/{thread['id']}")["compose"] == []
            wanted = {"contact_id": thread["contact"]["id"], "channel_id": "odd", "body": "x"}
            refused = client.call("POST", f"threads/{thread['id']}/messages", wanted)
            assert (refused.status_code, refused.json()["code"]) == (422, "no_channel")


@pytest.mark.feature("PLUG-04")
def test_strict_plugins_make_a_failed_channel_fatal_and_cost_no_admin(tmp_path: Path) -> None:
    config = ONE_CHANNEL.replace('"unruly"', '"unruly-stillborn"')
    strict = HubProcess(tmp_path, config=config, environ={**ENVIRON, "HUB_STRICT_PLUGINS": "1"})
    done = strict.run("serve")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        'hub: channel "odd": the constructor raised ValueError: no account has the token ***'
    )
    environ = {**ENVIRON, "HUB_ADMIN_EMAIL": "", "HUB_ADMIN_PASSWORD": ""}
    with HubProcess(tmp_path, config=config, environ=environ) as hub:
        assert "(one-time)" in hub.output
