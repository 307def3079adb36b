"""What the list is narrowed by: days, addresses of ours, channels, who has it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
import websockets.sync.client
from msgspec import json

from hub.store import inbox_counts, inbox_sets
from hub.store import tables as t
from tests import books
from tests.hubs import Client, HubProcess, wait_for
from tests.patience import PATIENCE

CONFIG = """
[[organisations]]
slug = "main"
time_zone = "Pacific/Auckland"

[[channels]]
id = "front"
plugin = "simulator"
[channels.settings]
numbers = ["+12025550100", "+12025550101"]

[[channels]]
id = "workshop"
plugin = "simulator"
[channels.settings]
numbers = ["+12025550200"]
"""
ZONE = ZoneInfo("Pacific/Auckland")
_numbers = itertools.count(2000)


class Desk:
    """A hub in Auckland with two channels, three numbers and two members."""

    def __init__(self, hub: HubProcess, url: str) -> None:
        self.hub, self.url = hub, url
        self.ana, self.ben = hub.client(), hub.client("ben@example.com", "another-good-password")

    def written(self, channel: str = "front") -> dict[str, Any]:
        """A new conversation, with what somebody has just written."""
        number = f"+1303555{next(_numbers)}"
        self.ana.text(number, "Hello", channel=channel)
        display = f"+1 303-555-{number[-4:]}"
        return wait_for(lambda: self.ana.thread_of(display))

    async def moved(self, thread: dict[str, Any], *days: int) -> None:
        """Its entries happened so many days ago, the last of them last."""

        def change(connection: sa.Connection) -> None:
            own = t.entries.c
            id_ = int(thread["id"])
            ids = connection.scalars(
                sa.select(own.id).where(own.thread_id == id_).order_by(own.id)
            ).all()
            assert len(ids) == len(days)
            for entry_id, ago in zip(ids, days, strict=True):
                connection.execute(
                    sa.update(t.entries).where(own.id == entry_id).values(sort_at=noon(ago))
                )
            connection.execute(
                sa.update(t.threads)
                .where(t.threads.c.id == id_)
                .values(active_at=noon(days[-1]), sort_at=noon(days[0]))
            )
            connection.execute(sa.delete(t.thread_counts))
            inbox_counts.fill(connection)
            inbox_sets.fill(connection)

        await books.write(self.url, change)

    def ids(self, client: Client | None = None, **params: Any) -> set[str]:
        """What the list has."""
        rows = (client or self.ana).threads(**{"status": "all", "limit": 200, **params})
        return {row["id"] for row in rows}


def day(ago: int) -> str:
    """The day so many days ago in Auckland."""
    return (datetime.now(ZONE).date() - timedelta(days=ago)).isoformat()


def noon(ago: int) -> int:
    moment = datetime.fromisoformat(f"{day(ago)}T00:00:01").replace(tzinfo=ZONE)
    return round(moment.timestamp() * 1000)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    folder: Path = tmp_path_factory.mktemp("filters")
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.hub_database())
    with HubProcess(folder, config=CONFIG, database_url=url) as process:
        process.run("user", "add", "ben@example.com", "--name", "Ben",
                    "--password-stdin", input_="another-good-password\n")  # fmt: skip
        yield Desk(process, url or f"sqlite:///{folder / 'data' / 'hub.db'}")
    assert '"request.failed"' not in process.output, process.output


@pytest.mark.feature("FILT-03", "FILT-04")
async def test_a_range_has_what_anything_happened_to_in_days_of_the_organisation(
    desk: Desk,
) -> None:
    client = desk.ana
    thread = desk.written()
    client.patch(f"threads/{thread['id']}", {"status": "closed"})
    # It was written to 60 days ago and closed 40 days ago.
    await desk.moved(thread, 60, 40)

    def found(first: int | None, last: int | None) -> bool:
        bounds = {"from": first, "to": last}
        days = {name: day(ago) for name, ago in bounds.items() if ago is not None}
        return thread["id"] in desk.ids(None, range="custom", **days)

    assert found(60, 60), "the message"
    assert found(40, 40), "the closing alone"
    assert found(70, 30)
    assert found(45, None)
    assert found(None, 50)
    assert not found(59, 41), "nothing happened in between"
    assert not found(39, None)
    assert not found(None, 61)
    assert thread["id"] not in desk.ids(range="30d")
    assert thread["id"] in desk.ids(range="all")
    client.post(f"threads/{thread['id']}/notes", {"body": "asked for again"})
    for name in ("today", "week", "month", "30d"):
        assert thread["id"] in desk.ids(range=name), "a note is activity"
    assert found(0, 0)


@pytest.mark.feature("FILT-03")
async def test_today_begins_at_midnight_in_the_organisations_zone(desk: Desk) -> None:
    today, yesterday = desk.written(), desk.written()
    await desk.moved(today, 0)
    await desk.moved(yesterday, 1)
    found = desk.ids(range="today")
    assert today["id"] in found
    assert yesterday["id"] not in found
    weekday = datetime.now(ZONE).isoweekday()
    assert yesterday["id"] not in desk.ids(range="week", week_start=weekday)
    assert yesterday["id"] in desk.ids(range="week", week_start=weekday % 7 + 1)


@pytest.mark.feature("FILT-06")
def test_own_numbers_have_what_went_through_them_however_long_ago(desk: Desk) -> None:
    client = desk.ana
    first, second, third = desk.written(), desk.written("workshop"), desk.written()
    message = {"channel_id": "front", "contact_id": third["contact"]["id"], "body": "From 101",
               "from": "+12025550101"}  # fmt: skip
    client.post(f"threads/{third['id']}/messages", message)
    client.text("+13035551999", "Later, elsewhere", channel="workshop")

    def found(*own: str, **more: Any) -> set[str]:
        ours = {first["id"], second["id"], third["id"]}
        return desk.ids(own_address=list(own), **more) & ours

    assert found("+12025550100") == {first["id"], third["id"]}
    assert found("+12025550101") == {third["id"]}, "only our answer went through it"
    assert found("+12025550200") == {second["id"]}
    assert found("+12025550200", "+12025550101") == {second["id"], third["id"]}
    assert found("+10000000000") == set()
    assert desk.ids(channel=["workshop"]) >= {second["id"]}
    assert not {first["id"], third["id"]} & desk.ids(channel=["workshop"])
    assert found("+12025550100", channel=["workshop"]) == set(), "filters narrow together"


@pytest.mark.feature("FILT-01", "FILT-02", "FILT-07")
async def test_tab_filter_days_and_who_has_it_narrow_together_and_counts_follow(
    desk: Desk,
) -> None:
    ana, ben = desk.ana, desk.ben
    ben_id = ben.me["organisations"][0]["member_id"]
    mine, his, old = desk.written(), desk.written("workshop"), desk.written("workshop")
    for thread in (his, old):
        ana.patch(f"threads/{thread['id']}", {"assignee_id": ben_id})
    await desk.moved(old, 50, 50)
    scopes: list[dict[str, Any]] = [
        {"range": "30d"},
        {"range": "30d", "assignee": ben_id},
        {"assignee": ben_id},
        {"range": "custom", "from": day(60), "to": day(40)},
        {"own_address": ["+12025550200"]},
        {"channel": ["workshop"], "range": "today"},
    ]
    for scope in scopes:
        counts = ana.get("threads/counts", **{"status": "open", **scope})
        assert "late" not in counts["filter"], "answers have no target"
        for name, count in counts["filter"].items():
            assert len(desk.ids(**{"status": "open", "filter": name, **scope})) == count
        for status, count in counts["status"].items():
            assert len(desk.ids(**{"status": status, **scope})) == count
        assert counts["unread_total"] == len(desk.ids(status="unread", range="all"))
    listed = desk.ids(range="30d", assignee=ben_id)
    assert his["id"] in listed
    assert not {mine["id"], old["id"]} & listed
    assert old["id"] in desk.ids(ben, filter="mine")

    ana.patch("settings", {"targets": {"on": True, "minutes": 60}})
    wait_for(lambda: "late" in ana.get("threads/counts")["filter"])
    ana.patch("settings", {"targets": {"on": False}})


@pytest.mark.feature("FILT-02")
def test_the_stream_counts_the_scope_that_is_shown(desk: Desk) -> None:
    ana = desk.ana
    url = desk.hub.base_url.replace("http", "ws") + "/api/v1/organisations/main/stream"
    cookies = "; ".join(f"{one.name}={one.value}" for one in ana.http.cookies.jar)
    show = {"range": "custom", "from": day(3), "own_address": ["+12025550200"], "status": "all"}
    before = ana.get("threads/counts", **show)
    with websockets.sync.client.connect(
        url, additional_headers={"Cookie": cookies}, origin=cast("Any", desk.hub.base_url)
    ) as socket:
        socket.send(json.encode({"show": show}).decode())
        desk.written("front")
        desk.written("workshop")
        while True:
            said = json.decode(socket.recv(timeout=PATIENCE))
            if "counts" in said and said["counts"]["filter"]["all"] > before["filter"]["all"]:
                break
    assert said["counts"]["filter"]["all"] == before["filter"]["all"] + 1


@pytest.mark.parametrize(
    "params",
    [{"range": "year"}, {"range": "custom", "from": "yesterday"}, {"week_start": 8}],
)
def test_what_is_no_range_is_refused(desk: Desk, params: dict[str, Any]) -> None:
    answer = desk.ana.http.get(desk.ana.path("threads"), params=params)
    assert answer.status_code == 400


@pytest.mark.feature("FILT-08")
def test_a_whole_number_that_nobody_has_is_offered_and_others_are_not(desk: Desk) -> None:
    ana = desk.ana

    def offered(typed: str) -> Any:
        return ana.get("threads", q=typed)["new_number"]

    thread = desk.written()
    number = thread["contact"]["display"]
    assert offered("+44 20 7946 0958") == {"value": "+442079460958", "display": "+44 20 7946 0958"}
    # All our own numbers are of one country: its people leave the country code out.
    here = {"value": "+12025550199", "display": "+1 202-555-0199"}
    for typed in ("(202) 555-0199", "2025550199", "1-202-555-0199"):
        assert offered(typed) == here, typed
    assert offered(number) is None, "somebody has it"
    for typed in (
        "+44 20 7946",
        "202 555",
        "1025550199",
        "order 2025550199",
        "+1 999 999 9999 999",
        "Ana",
        "+999 1234567",
    ):
        assert offered(typed) is None, typed
    digits = "".join(one for one in number if one.isdigit())
    assert [row["id"] for row in ana.get("threads", q=digits[-7:])["items"]] == [thread["id"]]
