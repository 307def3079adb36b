"""Raw deliveries over the API: who mends a channel sees what came and why it was not understood,
tries, and takes it in; nobody learns how to forge one, and nobody else sees anything."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.host.unruly import ENVIRON, TOKEN
from tests.hubs import Client, HubProcess, wait_for
from tests.web.asking import check_problem
from tests.web.conftest import add_members

pytestmark = pytest.mark.feature("ROUT-07")
CONFIG = """\
[[organisations]]
slug = "main"

[[organisations]]
slug = "branch"

[[channels]]
id = "shop"
organisation = "main"
plugin = "unruly"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"

[[channels]]
id = "still"
organisation = "main"
plugin = "unruly-stillborn"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}

[[channels]]
id = "shop"
organisation = "branch"
plugin = "unruly"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
"""
MANAGES = ["channels.manage"]
MEMBERS = {
    "manager@example.com": ("main", MANAGES),
    "viewer@example.com": ("main", ["messages.view", "messages.send", "messages.approve"]),
    "limited@example.com": ("main", MANAGES),
    "stranger@example.com": ("branch", MANAGES),
}
LIMITS = {"limited@example.com": ["still"]}


class Shop:
    """A hub, the folder that tells its plugin what to do, and who mends the channel."""

    def __init__(self, hub: HubProcess, folder: Path) -> None:
        self.hub = hub
        self.folder = folder
        self.manager = hub.client("manager@example.com")

    def deliver(
        self,
        body: bytes | dict[str, Any],
        *,
        channel: str = "shop",
        query: str = "",
        headers: dict[str, str] | None = None,
    ) -> str:
        """A webhook of the provider's; the id of the delivery that was kept."""
        if isinstance(body, dict):
            body = json.dumps({"from": "+15550100002", "text": "hello", **body}).encode()
        answer = httpx2.post(
            f"{self.hub.base_url}/hooks/main/{channel}{query}",
            content=body,
            headers={"X-Token": TOKEN, "Content-Type": "application/json", **(headers or {})},
        )
        assert answer.status_code == 200, answer.text
        return self.list(channel)["items"][0]["id"]

    def list(self, channel: str = "shop", **asked: Any) -> dict[str, Any]:
        return self.manager.get(f"channels/{channel}/deliveries", **asked)

    def detail(self, id_: str, channel: str = "shop") -> dict[str, Any]:
        return self.manager.get(f"channels/{channel}/deliveries/{id_}")

    def try_(self, id_: str) -> dict[str, Any]:
        return self.manager.post(f"channels/shop/deliveries/{id_}/dry-run")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    folder = tmp_path / "unruly"
    folder.mkdir()
    hub = HubProcess(tmp_path / "hub", config=CONFIG.format(folder=folder), environ=ENVIRON)
    with hub:
        add_members(hub, MEMBERS, LIMITS)
        yield Shop(hub, folder)
    assert '"request.failed"' not in hub.output, hub.output
    assert TOKEN not in hub.output


def test_why_it_was_not_understood_and_what_comes_of_it_once_it_is_mended(shop: Shop) -> None:
    (shop.folder / "broken").touch()
    id_ = shop.deliver({"id": "in-1"})
    (row,) = shop.list()["items"]
    assert (row["state"], row["reason"]) == ("quarantined", "ingest: RuntimeError: broken for now")
    assert (row["method"], row["source"], row["attempts"]) == ("POST", "http", 1)
    assert row["received_at"].endswith("Z")
    found = shop.detail(id_)
    assert {name: found[name] for name in row} == row
    assert found["url"].endswith("/hooks/main/shop")
    assert json.loads(found["body"]["text"])["id"] == "in-1"
    assert found["body"]["content_type"] == "application/json"
    assert found["proof"] == {"method": "token", "detail": "X-Token, key 1"}
    assert found["entries"] == []
    dry = shop.try_(id_)
    assert (dry["state"], dry["reason"]) == (row["state"], row["reason"])
    assert dry["events"] == []

    (shop.folder / "broken").unlink()
    dry = shop.try_(id_)
    assert (dry["state"], dry["reason"]) == ("done", None)
    (event,) = dry["events"]
    assert (event["type"], event["facts"]["text"]) == ("message", "hello")
    assert (event["entry_id"], event["thread_id"]) == (None, None)
    assert shop.detail(id_) == found, "a look changes nothing"

    admin = shop.hub.client()
    assert admin.threads() == []
    for attempts, before in ((2, "quarantined"), (3, "done")):  # and nothing twice
        replayed = shop.manager.post(f"channels/shop/deliveries/{id_}/replay")
        assert replayed["before"] == before
        told = replayed["delivery"]
        assert (told["state"], told["reason"], told["attempts"]) == ("done", None, attempts)
        assert told == shop.detail(id_)
        (thread,) = admin.threads()
        (entry,) = admin.entries(thread["id"])
        (made,) = told["entries"]
        assert (made["id"], made["thread_id"]) == (entry["id"], thread["id"])
        assert (made["kind"], made["direction"], made["preview"]) == ("message", "in", "hello")
    (event,) = shop.try_(id_)["events"]
    assert (event["entry_id"], event["thread_id"]) == (entry["id"], thread["id"])


@pytest.mark.feature("PLUG-03")
def test_nothing_is_shown_with_which_somebody_could_forge_one(shop: Shop) -> None:
    id_ = shop.deliver(
        {"do": "malformed", "id": "in-1", "text": f"my {TOKEN} is here"},
        query=f"?a=1&sig=abc&b={TOKEN}",
        headers={
            "Authorization": "Basic b3BlbjpzZXNhbWU=",
            "X-Shop-Signature": "v1=abc",
            "Cookie": "sid=abc",
            "X-Shop": f"order {TOKEN}",
            "X-Plain": "shown",
        },
    )
    found = shop.detail(id_)
    headers = {one["name"].lower(): (one["value"], one["hidden"]) for one in found["headers"]}
    for name in ("authorization", "x-shop-signature", "cookie", "x-token"):
        assert headers[name] == ("***", True)
    assert headers["x-shop"] == ("order ***", True)
    assert headers["x-plain"] == ("shown", False)
    assert found["url"].endswith("/hooks/main/shop?a=1&sig=***&b=***")
    assert json.loads(found["body"]["text"])["text"] == "my *** is here"
    path = shop.manager.path(f"channels/shop/deliveries/{id_}")
    for answer in (
        shop.manager.http.get(path),
        shop.manager.http.get(f"{path}/body"),
        shop.manager.http.post(f"{path}/dry-run"),
        shop.manager.http.post(f"{path}/replay"),
        shop.manager.http.get(shop.manager.path("channels/shop/deliveries")),
    ):
        assert answer.status_code == 200
        assert TOKEN not in answer.text
        assert "b3Blbj" not in answer.text
    whole = shop.deliver({"id": "in-2", "text": f"my {TOKEN} is here"})
    (event,) = shop.try_(whole)["events"]
    assert event["facts"]["text"] == "my *** is here"


def test_how_a_message_looks_wherever_it_is_shown(shop: Shop) -> None:
    id_ = shop.deliver({"id": "in-1", "text": f"<b>my {TOKEN}</b>"})
    (event,) = shop.try_(id_)["events"]
    looks = {one["surface"]: one for one in event["renderings"]}
    assert list(looks) == ["timeline", "preview", "composer", "wire", "notification"]
    shown = "<b>my ***</b>"
    assert looks["timeline"] == {
        "surface": "timeline",
        "direction": "in",
        "blocks": [{"type": "text", "text": f"{shown} (unruly)"}],
        "preview": shown,
        "warnings": [],
        "wire": [{"text": shown, "subject": None, "html": None, "attachment_ids": [], "data": {}}],
        "fault": None,
    }
    assert [one["direction"] for one in looks.values()] == ["in", "in", "out", "out", "in"]
    receipt = shop.deliver({"do": "receipt", "receipt": {"external_id": "in-1"}})
    (event,) = shop.try_(receipt)["events"]
    assert (event["type"], event["renderings"]) == ("receipt", [])


@pytest.mark.feature("PLUG-04")
def test_a_render_that_fails_says_why_and_counts_against_nobody(shop: Shop) -> None:
    id_ = shop.deliver({"id": "in-1"})
    (shop.folder / "pure-nonsense").touch()
    for _ in range(3):
        (event,) = shop.try_(id_)["events"]
        for one in event["renderings"]:
            assert one["fault"].startswith("render: ")
            assert (one["blocks"], one["wire"]) == ([], [])
    with contextlib.closing(shop.hub.client()) as admin:
        states = {one["id"]: one["state"] for one in admin.get("channels")}
    assert states["shop"] == "ok"


HOSTILE = b"<!doctype html><script>alert(document.domain)</script>"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (HOSTILE, HOSTILE.decode()),
        ("ü".encode() * 40_000, "ü" * 32_768),
        (b"x" + "ü".encode() * 40_000, "x" + "ü" * 32_767),
        (b"", ""),
        (b"\x00\x01", None),
        (b"\xff\xfe" + b"x" * 100_000, None),
    ],
)
def test_bodies_are_text_or_base64_and_come_whole_as_a_file(
    shop: Shop, body: bytes, shown: str | None
) -> None:
    id_ = shop.deliver(body, headers={"Content-Type": "text/html"})
    told = shop.detail(id_)["body"]
    assert told["text"] == shown
    assert told["cut"] == (len(body) > 65_536)
    assert told["withheld"] is None
    if shown is None:
        assert base64.b64decode(told["base64"]) == body[:65_536]
    else:
        assert told["base64"] is None
    answer = shop.manager.http.get(shop.manager.path(f"channels/shop/deliveries/{id_}/body"))
    assert answer.content == body
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == f'attachment; filename="delivery-{id_}.bin"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["cache-control"] == "no-store"


def test_the_list_goes_on_by_cursor_state_and_time(shop: Shop) -> None:
    started = datetime.now(UTC)
    ids = [shop.deliver({"id": f"in-{number}"}) for number in range(3)]
    odd = [shop.deliver({"do": "malformed"}) for _ in range(2)]
    everything = [*reversed(odd), *reversed(ids)]

    def walked(**asked: Any) -> list[str]:
        found: list[str] = []
        page = shop.list(limit=2, **asked)
        found += [one["id"] for one in page["items"]]
        while page["next_cursor"] is not None:
            page = shop.list(limit=2, cursor=page["next_cursor"], **asked)
            found += [one["id"] for one in page["items"]]
        return found

    assert walked() == everything
    assert walked(state="quarantined") == everything[:2]
    assert walked(state="done") == everything[2:]
    assert walked(state="unverified") == walked(state="refused") == []
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert walked(**{"from": started.isoformat(), "to": soon.isoformat()}) == everything
    assert walked(**{"from": soon.isoformat()}) == []
    assert walked(to=(started - timedelta(seconds=1)).isoformat()) == []
    for asked in ({"state": "lost"}, {"cursor": "x"}, {"from": "yesterday"}, {"limit": "many"}):
        path = shop.manager.path("channels/shop/deliveries")
        check_problem(shop.manager.http.get(path, params=asked), 400)
    assert shop.manager.get("channels/shop/deliveries/counts") == {
        "quarantined": 2,
        "unverified": 0,
    }


def test_all_that_waits_is_read_again_by_a_job(shop: Shop) -> None:
    for number in range(3):
        shop.deliver({"do": "temporary", "id": f"in-{number}", "text": str(number)})
    shop.deliver({"do": "malformed"})
    (shop.folder / "mended").touch()
    job = shop.manager.post("channels/shop/deliveries/replay")
    assert (job["kind"], job["result"]) == ("replay_deliveries", None)
    admin = shop.hub.client()
    # Its owner may not see conversations; whoever may sees them come.
    (thread,) = wait_for(admin.threads, what="the conversation")
    wait_for(lambda: len(admin.entries(thread["id"])) == 3, what="all of them")
    wait_for(
        lambda: shop.manager.get("channels/shop/deliveries/counts")["quarantined"] == 1,
        what="one that is left",
    )
    mine = admin.post("channels/shop/deliveries/replay")["id"]
    done = wait_for(lambda: _ended(admin, mine), what="the job's end")
    assert (done["state"], done["done"], done["total"]) == ("done", 1, 1)
    assert done["result"] == {"read": 1, "understood": 0}


def _ended(client: Client, job: str) -> dict[str, Any] | None:
    found = client.get(f"jobs/{job}")
    return found if found["finished_at"] else None


def test_a_channel_that_does_not_run_is_inspected_as_far_as_is_safe(shop: Shop) -> None:
    id_ = shop.deliver({"id": "in-1"}, channel="still", query="?b=1", headers={"X-Plain": "shown"})
    found = shop.detail(id_, "still")
    assert (found["state"], found["reason"]) == ("unverified", "the channel could not be loaded")
    assert found["body"]["text"] is found["body"]["base64"] is None
    assert "not running" in found["body"]["withheld"]
    headers = {one["name"].lower(): one["value"] for one in found["headers"]}
    assert headers["x-plain"] == headers["x-token"] == "***"
    assert headers["content-type"] == "application/json"
    assert found["url"].endswith("?b=***")
    assert shop.manager.get("channels/still/deliveries/counts")["unverified"] == 1
    for method, rest in (
        ("GET", f"deliveries/{id_}/body"),
        ("POST", f"deliveries/{id_}/dry-run"),
        ("POST", f"deliveries/{id_}/replay"),
        ("POST", "deliveries/replay"),
    ):
        problem = check_problem(shop.manager.call(method, f"channels/still/{rest}"), 409)
        assert problem["code"] == "channel_not_running"


@pytest.mark.feature("PERM-01")
def test_only_who_manages_the_channel_sees_any_of_it(shop: Shop) -> None:
    id_ = shop.deliver({"do": "malformed", "text": "ours alone"})
    asked = [
        ("GET", "deliveries"),
        ("GET", "deliveries/counts"),
        ("GET", f"deliveries/{id_}"),
        ("GET", f"deliveries/{id_}/body"),
        ("POST", f"deliveries/{id_}/dry-run"),
        ("POST", f"deliveries/{id_}/replay"),
        ("POST", "deliveries/replay"),
    ]
    with contextlib.ExitStack() as stack:
        viewer, limited, stranger = (
            stack.enter_context(contextlib.closing(shop.hub.client(email)))
            for email in ("viewer@example.com", "limited@example.com", "stranger@example.com")
        )
        for method, rest in asked:
            problem = check_problem(viewer.call(method, f"channels/shop/{rest}"), 403)
            assert problem["code"] == "channels.manage"
            check_problem(limited.call(method, f"channels/shop/{rest}"), 404)
            check_problem(stranger.call(method, f"channels/shop/{rest}"), 404)
            check_problem(shop.manager.call(method, f"channels/no-such/{rest}"), 404)
        assert limited.get("channels/still/deliveries")["items"] == []
        stranger.org = "branch"
        for method, rest in asked[2:6]:  # by its true id, where they manage a channel of that name
            problem = check_problem(stranger.call(method, f"channels/shop/{rest}"), 404)
            assert "ours alone" not in str(problem)
        assert stranger.get("channels/shop/deliveries")["items"] == []
        assert shop.manager.call("GET", f"channels/still/deliveries/{id_}").status_code == 404
    assert shop.detail(id_)["attempts"] == 1
