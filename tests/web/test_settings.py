"""The settings of an organisation over the API."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.hubs import Client, HubProcess
from tests.patience import PATIENCE
from tests.web.asking import check_problem

WEEK = [{"opens": "09:00", "closes": "17:00"}]


@pytest.fixture(autouse=True)
def as_at_first(ana: Client) -> Iterator[None]:
    """Every test begins with nothing set, and leaves nothing."""
    ana.patch("settings", {"hours": {}, "quiet_hours": {}, "consent": {}})
    yield
    ana.patch("settings", {"hours": {}, "quiet_hours": {}, "consent": {}})


@pytest.mark.feature("PERM-06")
def test_a_section_is_replaced_and_holds_at_once(ana: Client, viewer: Client) -> None:
    before = ana.get("settings")
    assert before["quiet_hours"] == {"on": False, "start": "21:00", "end": "08:00"}
    quiet = {"on": True, "start": "22:30", "end": "07:00"}
    changed = ana.patch("settings", {"quiet_hours": quiet})
    assert changed == {**before, "quiet_hours": quiet}
    assert viewer.get("settings") == changed
    assert ana.patch("settings", {"hours": {"sunday": [], "monday": WEEK}})["quiet_hours"] == quiet
    hours = viewer.get("settings")["hours"]
    assert (hours["sunday"], hours["monday"]) == ([], WEEK)
    assert hours["tuesday"] == [{"opens": "00:00", "closes": "24:00"}], "as at first"


@pytest.mark.feature("PERM-06")
def test_a_change_can_be_tied_to_what_was_read(ana: Client) -> None:
    path = ana.path("settings")
    read = ana.http.get(path)
    as_read = {"If-Match": read.headers["ETag"]}
    quiet = {"on": True, "start": "22:00", "end": "07:00"}
    changed = ana.http.patch(path, json={"quiet_hours": quiet}, headers=as_read)
    assert changed.status_code == 200
    assert changed.headers["ETag"] == ana.http.get(path).headers["ETag"] != read.headers["ETag"]

    late = ana.http.patch(path, json={"hours": {"sunday": []}}, headers=as_read)
    assert check_problem(late, 412)["code"] == "changed_meanwhile"
    assert ana.get("settings") == changed.json(), "nothing was changed"
    for tag in (f'"other", {changed.headers["ETag"]}', "*"):
        again = {"If-Match": tag}
        answer = ana.http.patch(path, json={"hours": {"sunday": []}}, headers=again)
        assert answer.status_code == 200
        assert answer.json()["hours"]["sunday"] == []
        ana.patch("settings", {"hours": {}})
    # Equal settings are of one version, whoever has made them so.
    ana.patch("settings", {"quiet_hours": {}})
    assert ana.http.get(path).headers["ETag"] == read.headers["ETag"]


@pytest.mark.feature("PERM-06")
def test_a_change_is_audited_once_with_what_was_and_what_is(hub: HubProcess, ana: Client) -> None:
    quiet = {"on": True, "start": "20:00", "end": "08:00"}
    for _ in range(2):  # the second changes nothing
        ana.patch("settings", {"quiet_hours": quiet})
    with closing(sqlite3.connect(hub.folder / "data" / "hub.db")) as database:
        rows = database.execute(
            "SELECT actor_kind, before, after FROM audit WHERE action = 'settings.changed' "
            "ORDER BY id DESC LIMIT 2"
        ).fetchall()
    (kind, before, after), (_, earlier, _) = rows
    assert kind == "member"
    assert json.loads(after) == {"quiet_hours": quiet}
    assert json.loads(before) == {"quiet_hours": {"on": False, "start": "21:00", "end": "08:00"}}
    assert earlier != before, "what changes nothing has no line"


def test_pages_are_told(hub: HubProcess, ana: Client) -> None:
    address = f"{hub.base_url}/api/v1/organisations/main/stream".replace("http", "ws", 1)
    cookie = {"Cookie": f"hub_session={ana.http.cookies['hub_session']}"}
    with connect(address, additional_headers=cookie) as socket:
        ana.patch("settings", {"consent": {"languages": ["en", "es"]}})
        while True:
            frame = json.loads(socket.recv(timeout=PATIENCE))
            if types := [one["type"] for one in frame.get("changes", [])]:
                assert types == ["settings.changed"]
                break


@pytest.mark.feature("PERM-01", "PERM-06")
def test_only_who_may_change_them_does(
    ana: Client, viewer: Client, nobody: Client, stranger: Client
) -> None:
    patch = {"quiet_hours": {"on": True}}
    assert check_problem(viewer.call("PATCH", "settings", patch), 403)["code"] == "settings.manage"
    check_problem(nobody.call("GET", "settings"), 403)
    check_problem(stranger.http.patch(ana.path("settings"), json=patch), 404)
    assert ana.get("settings")["quiet_hours"]["on"] is False


MISTAKES: list[tuple[Any, str]] = [
    ({"hours": {"monday": [{"opens": "9", "closes": "17:00"}]}}, "hours.monday[0].opens"),
    ({"hours": {"monday": [{"opens": "09:00", "closes": "09:00"}]}}, "hours.monday[0]"),
    ({"hours": {"monday": [*WEEK, {"opens": "16:00", "closes": "18:00"}]}}, "hours"),
    ({"hours": {"monday": WEEK * 11}}, "hours.monday"),
    ({"hours": {"funday": WEEK}}, "hours"),
    ({"hours": {"holidays": [{"date": "2026-02-30"}]}}, "hours.holidays[0].date"),
    ({"hours": {"holidays": [{"date": "2026-12-25"}] * 2}}, "hours"),
    ({"hours": None}, "hours"),
    ({"quiet_hours": {"start": "24:00"}}, "quiet_hours.start"),
    ({"quiet_hours": {"start": "08:00", "end": "08:00"}}, "quiet_hours"),
    ({"quiet_hours": {"on": "yes"}}, "quiet_hours.on"),
    ({"consent": {"languages": ["tlh"]}}, "consent.languages[0]"),
    ({"consent": {"stop_words": [""]}}, "consent.stop_words[0]"),
    ({"consent": {"stop_answer": "x" * 481}}, "consent.stop_answer"),
    ({"colour": {}}, ""),
    ([], ""),
]


@pytest.mark.feature("PERM-06")
@pytest.mark.parametrize(("patch", "field"), MISTAKES)
def test_what_is_wrong_is_named(ana: Client, patch: Any, field: str) -> None:
    problem = check_problem(ana.call("PATCH", "settings", patch), 400)
    (error,) = problem["errors"]
    assert error["field"] == field
    assert error["message"]
