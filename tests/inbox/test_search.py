"""The search as the API gives it."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from hub.store import tables as t
from tests import books
from tests.host.unruly import ENVIRON, TOKEN
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
id = "simulator"
organisation = "branch"
plugin = "simulator"

[[channels]]
id = "odd"
organisation = "main"
plugin = "unruly"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"
"""
_ids = itertools.count(1)
Row = dict[str, Any]


class Desk:
    """A hub with two channels, and customers who write on them."""

    def __init__(self, hub: HubProcess, url: str) -> None:
        self.hub = hub
        self.url = url
        self.ana = hub.client()

    def odd(self, text: str, from_: str, **told: Any) -> None:
        """A message on the channel that gives names, from a phone if nothing else is said."""
        body = {"id": f"in-{next(_ids)}", "from": from_, "text": text, **told}
        answer = httpx2.post(
            f"{self.hub.base_url}/hooks/main/odd",
            json=body,
            headers={"X-Token": TOKEN},
            timeout=PATIENCE,
        )
        assert answer.is_success, answer.text

    def text(self, from_: str, text: str, client: Client | None = None) -> None:
        """A text on the simulator that has arrived."""
        client = client or self.ana
        client.text(from_, text)

        def arrived() -> bool:
            rows = client.threads(limit=200)
            return any(row["preview"]["text"] == text for row in rows if row["preview"])

        wait_for(arrived, what="the text in the list")

    def found(self, q: str, client: Client | None = None, **params: Any) -> list[Row]:
        """The first page of what is found."""
        return (client or self.ana).get("threads", q=q, **params)["items"]

    async def limited_to(self, channels: list[str]) -> None:
        """Ben's role sees these channels alone."""

        def change(connection: sa.Connection) -> None:
            role = {
                "id": 5,
                "organisation_id": connection.scalar(
                    sa.select(t.organisations.c.id).where(t.organisations.c.slug == "main")
                ),
                "name": "limited",
                "capabilities": json.dumps(["messages.view"]),
                "channel_ids": json.dumps(channels),
                "created_at": 0,
            }
            connection.execute(sa.delete(t.roles).where(t.roles.c.id == 5))
            connection.execute(sa.insert(t.roles), [role])
            ben = sa.select(t.users.c.id).where(t.users.c.email == "ben@example.com")
            own = t.members.c
            connection.execute(
                sa.update(t.members).where(own.user_id == ben.scalar_subquery()).values(role_id=5)
            )

        await books.write(self.url, change)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    folder: Path = tmp_path_factory.mktemp("search")
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.hub_database())
    config = CONFIG.format(folder=folder)
    with HubProcess(folder, config=config, environ=ENVIRON, database_url=url) as process:
        process.run("user", "add", "ben@example.com", "--name", "Ben", "--org", "main",
                    "--password-stdin", input_="another-good-password\n")  # fmt: skip
        yield Desk(process, url or f"sqlite:///{folder / 'data' / 'hub.db'}")
    assert '"request.failed"' not in process.output, process.output


@pytest.fixture
def phone() -> str:
    """A customer's number that nobody has used yet."""
    return f"+1303555{next(_ids) + 2000:04d}"


def marked(match: Row) -> list[str]:
    """What a match marks, cut as JavaScript cuts."""
    units = match["text"].encode("utf-16-le")
    return [units[2 * a : 2 * b].decode("utf-16-le") for a, b in match["ranges"]]


def test_words_of_messages_are_found_and_marked(desk: Desk, phone: str) -> None:
    client = desk.ana
    desk.text(phone, "My vélocipède 🙂 lost its saddle")
    desk.text(phone, "The saddle was found again")
    (row,) = desk.found("saddle")
    texts = client.entries(row["id"])
    assert row["match"] == {
        "kind": "entry",
        "entry_id": texts[1]["id"],
        "text": "The saddle was found again",
        "ranges": [[4, 10]],
    }, "the newest that matches"
    (row,) = desk.found("SADD velocip")
    assert row["match"]["entry_id"] == texts[0]["id"], "all words, in one message"
    assert marked(row["match"]) == ["vélocipède", "saddle"]
    assert desk.found('"saddle lost"') == []
    (row,) = desk.found('"its saddle"')
    assert marked(row["match"]) == ["its saddle"]
    around = client.get(f"threads/{row['id']}/entries", around=row["match"]["entry_id"])
    assert row["match"]["entry_id"] in [entry["id"] for entry in around["items"]]


def test_notes_and_answers_are_found_and_what_the_hub_says_is_not(desk: Desk, phone: str) -> None:
    client = desk.ana
    desk.text(phone, "good evening")
    (row,) = desk.found(phone)
    assert row["match"] == {
        "kind": "contact",
        "entry_id": None,
        "text": row["contact"]["display"],
        "ranges": [[1, len(row["contact"]["display"])]],
    }
    client.post(f"threads/{row['id']}/notes", {"body": "a difficult sprocket"})
    message = {"channel_id": "simulator", "contact_id": row["contact"]["id"], "body": "gearwheel"}
    client.post(f"threads/{row['id']}/messages", message)
    client.patch(f"threads/{row['id']}", {"status": "closed"})
    for typed in ("sprock", "gearwheels", "gearwheel"):
        assert [one["id"] for one in desk.found(typed)] == ([row["id"]] * (typed != "gearwheels"))
    assert desk.found("closed") == []


def test_status_and_filters_are_ignored_and_the_status_is_told(desk: Desk, phone: str) -> None:
    client = desk.ana
    desk.text(phone, "about the handlebar")
    (row,) = desk.found("handlebar")
    assert row["status"] == "open"
    client.patch(f"threads/{row['id']}", {"status": "closed"})
    ignored: list[dict[str, Any]] = [
        {},
        {"status": "unread"},
        {"filter": "mine"},
        {"assignee": "1"},
        {"status": "open", "filter": "needs_response"},
    ]
    for params in ignored:
        (row,) = desk.found("handlebar", **params)
        assert row["status"] == "closed"


@pytest.mark.feature("FILT-08")
def test_a_contact_is_found_by_property_address_account_and_lead(desk: Desk, phone: str) -> None:
    desk.text(phone, "about the drainpipe")
    (row,) = desk.found("drainpipe")
    contact = f"contacts/{row['contact']['id']}"
    facts = {
        "name": "  Quill\tVandersloot ",
        "property_address": "4711 Wisteria Crescent, Unit 9",
        "account": "Thornfield Holdings",
        "lead_id": "LD-90210",
    }
    known = desk.ana.patch(contact, facts)
    assert {name: known[name] for name in facts} == {**facts, "name": "Quill Vandersloot"}
    found = {
        "wisteria cres": ("4711 Wisteria Crescent, Unit 9", ["Wisteria", "Cres"]),
        "4711 wisteria": ("4711 Wisteria Crescent, Unit 9", ["4711 Wisteria"]),
        "thornfield": ("Thornfield Holdings", ["Thornfield"]),
        "ld-90210": ("LD-90210", ["LD-90210"]),
        "vandersl thornf": ("Quill Vandersloot", ["Vandersl"]),
    }
    for typed, (text, words) in found.items():
        (one,) = desk.found(typed)
        assert (one["id"], one["match"]["kind"]) == (row["id"], "contact"), typed
        assert (one["match"]["text"], " ".join(marked(one["match"]))) == (text, " ".join(words))
    desk.ana.patch(contact, {"property_address": None, "account": " "})
    assert desk.found("wisteria") == desk.found("thornfield") == []
    assert desk.ana.get(contact)["lead_id"] == "LD-90210", "what is not given stays"
    assert [one["id"] for one in desk.found("ld-90210")] == [row["id"]]


def test_a_contact_is_found_by_name_number_and_address(desk: Desk) -> None:
    desk.odd("unnamed yet", "+13035559821")
    desk.odd("good day", "+13035559821", name="Zoë Quixley-Byrne")
    desk.odd("good day", "pia.thornbury@mail.example", scheme="email")
    by_name = ("zoe", "QUIXLEY", "uixl", "zo qui", "ley-by", '"zoë quix"')
    by_number = ("(303) 555-9821", "+1 303 555 9821", "03035559821", "001-303-555-9821", "9821")
    for typed in by_name + by_number:
        (row,) = desk.found(typed)
        assert row["contact"]["name"] == "Zoë Quixley-Byrne", typed
        assert row["match"]["kind"] == "contact"
        assert row["match"]["ranges"], typed
    for typed in ("pia.thornbury@mail.example", "PIA.THORN", "ornbury", "@mail.exam"):
        (row,) = desk.found(typed)
        assert row["match"]["text"] == "pia.thornbury@mail.example"
        assert row["match"]["ranges"]
    for typed in ("9822", "uixlez", "oe"):
        assert [one for one in desk.found(typed) if one["match"]["kind"] == "contact"] == [], typed


def test_contacts_come_first_then_the_newest_message_each_once(desk: Desk, phone: str) -> None:
    customers = [f"{phone[:-4]}{number:04d}" for number in range(7100, 7107)]
    for number in (0, 1, 2, 3, 4, 5, 0, 3):
        desk.odd(f"the wickerbasket {number}", customers[number], name=f"Customer {number}")
    desk.odd("hello", customers[6], name="Wickerbasket Ltd")
    expected = ["Wickerbasket Ltd", *(f"Customer {number}" for number in (3, 0, 5, 4, 2, 1))]
    for limit in (1, 2, 3, 6, 7, 50):
        names: list[str] = []
        params: dict[str, Any] = {"q": "wickerbasket", "limit": limit}
        while True:
            page = desk.ana.get("threads", **params)
            names += [row["contact"]["name"] for row in page["items"]]
            assert len(page["items"]) <= limit
            if page["next_cursor"] is None:
                break
            params["cursor"] = page["next_cursor"]
        assert names == expected, limit


async def test_a_role_finds_only_what_it_may_see(desk: Desk, phone: str) -> None:
    other = f"{phone[:-4]}8{phone[-3:]}"
    desk.text(phone, "a rusty mudguard")
    desk.odd("a shiny mudguard", phone, name="Idris Mudge")
    desk.odd("one more mudguard", other, name="Hidden Mudge")
    (seen,) = (row for row in desk.found("mudguard") if row["contact"]["name"] == "Idris Mudge")
    desk.ana.post(f"threads/{seen['id']}/notes", {"body": "polish it"})
    await desk.limited_to(["simulator"])
    with contextlib.closing(desk.hub.client("ben@example.com", "another-good-password")) as ben:
        (row,) = desk.found("mudguard", ben)
        assert (row["id"], row["match"]["text"]) == (seen["id"], "a rusty mudguard")
        assert desk.found("shiny", ben) == []
        assert [one["id"] for one in desk.found("mudge", ben)] == [seen["id"]]
        assert [one["id"] for one in desk.found("polish", ben)] == [seen["id"]]
        await desk.limited_to([])
        for typed in ("mudguard", "mudge", "polish"):
            assert desk.found(typed, ben) == []
    assert len(desk.found("mudguard")) == 2


def test_another_organisation_finds_nothing_of_it(desk: Desk, phone: str) -> None:
    desk.text(phone, "an unmistakable velodrome")
    with contextlib.closing(desk.hub.client()) as branch:
        branch.org = "branch"
        for typed in ("velodrome", phone, phone[-7:]):
            assert len(desk.found(typed)) >= 1
            assert desk.found(typed, branch) == []
        desk.text(phone, "our velodrome", branch)
        (row,) = desk.found("velodrome", branch)
        assert row["match"]["text"] == "our velodrome"


def test_without_words_there_is_no_search(desk: Desk, phone: str) -> None:
    desk.text(phone, "hello")
    for typed in ("", "  "):
        page = desk.found(typed, status="all")
        assert len(page) > 0
        assert "match" not in page[0]
    for typed in ('""', "()", "\x00", "* OR", "🙃", "x" * 5_000):
        assert desk.found(typed) == [], typed


def test_an_answer_says_at_which_position_it_is_true(desk: Desk, phone: str) -> None:
    http, path = desk.ana.http, desk.ana.path("threads")
    before = int(http.get(path, params={"q": "x"}).headers["X-Position"])
    desk.text(phone, "counting positions")
    assert int(http.get(path, params={"q": "x"}).headers["X-Position"]) > before
