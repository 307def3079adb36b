"""A call that belongs to somebody else's conversation is moved there, or stands alone."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hub.store import tables as t
from tests import books
from tests.calls.conftest import House, about, started


def check_books(connection: Connection) -> None:
    """Whatever was moved, every conversation is what its entries say."""
    entries = list(connection.execute(sa.select(t.entries).order_by(t.entries.c.seq)))
    for thread in connection.execute(sa.select(t.threads)):
        own = [one for one in entries if one.thread_id == thread.id]
        rows = connection.execute(
            sa.select(t.thread_channels).where(t.thread_channels.c.thread_id == thread.id)
        )
        books.check_thread(thread, own)
        books.check_channels(thread, list(rows), own)


@pytest.mark.feature("VOIC-03", "VOIC-02")
def test_a_call_is_moved_to_another_customer(house: House, phone: str, other: str) -> None:
    house.text(phone, "Hello from me")
    house.text(other, "Hello from the other")
    entry = house.call(phone, outcome="missed")
    source, target = house.thread(phone), house.thread(other)
    before, since = house.unread(), house.position()
    moved = house.client.post(
        f"entries/{entry['id']}/reassign",
        {"contact_id": target["contact"]["id"], "reason": "They share a phone"},
    )
    assert (moved["id"], moved["thread_id"]) == (entry["id"], target["id"])
    assert moved["address"] == entry["address"], "the number it came from stays on the card"
    assert moved["author"]["id"] == target["contact"]["id"]

    old, new = house.thread(phone), house.thread(other)
    assert (old["unread"], old["unresolved"], old["preview"]["text"]) == (1, 0, "Hello from me")
    assert old["sort_at"] < source["sort_at"]
    assert old["channel_ids"] == ["texts"]
    assert old["channel_id"] == "texts"
    assert (new["unread"], new["unresolved"], new["preview"]["text"]) == (2, 1, "Missed call")
    assert set(new["channel_ids"]) == {"texts", "voice"}
    assert house.unread() == before
    kinds = [one["kind"] for one in house.client.entries(source["id"])]
    assert kinds == ["message", "system"]
    line = house.client.entries(source["id"])[-1]
    assert line["event"]["type"] == "call_moved_away"
    assert (line["event"]["entry_id"], line["event"]["by"]) == (
        entry["id"], house.client.me["name"],
    )  # fmt: skip
    assert [one["event"]["type"] for one in house.client.entries(target["id"], kind="system")] == [
        "call_moved_here"
    ]

    told = house.changes(since)
    (removed,) = (one for one in told if one["type"] == "entry.removed")
    assert (removed["entry_id"], removed["thread_id"]) == (entry["id"], source["id"])
    rows = {one["thread"]["id"]: one["thread"] for one in told if "thread" in one}
    assert rows == {source["id"]: old, target["id"]: new}, "who watches either sees it"
    seen = {one["entry"]["id"]: one["entry"]["thread_id"] for one in told if "entry" in one}
    assert seen[entry["id"]] == target["id"]

    (audited,) = house.audit(entry["id"])
    assert audited == (
        "call.reassigned",
        {"contact_id": source["contact"]["id"]},
        {"contact_id": target["contact"]["id"], "reason": "They share a phone"},
    )
    house.client.post(f"entries/{entry['id']}/resolve", {"outcome": "resolved"})
    assert (house.thread(phone)["unread"], house.thread(other)["unread"]) == (1, 1)
    house.read(check_books)


@pytest.mark.feature("VOIC-03", "VOIC-01")
def test_what_is_told_of_it_later_follows_it(house: House, phone: str, other: str) -> None:
    house.text(other, "Hello")
    entry = house.call(phone, outcome="answered", duration=5)
    target = house.thread(other)
    to = {"contact_id": target["contact"]["id"]}
    house.client.post(f"entries/{entry['id']}/reassign", to)
    house.tell(
        about(f"{phone}/1", "recording", media={"provider_id": "gone"}),
        about(
            f"{phone}/1", "transcript", turns=[[0.5, "customer", f"My boiler{phone[-4:]} leaks"]]
        ),
    )
    house.tell(about(f"{phone}/1", "voicemail", media=None, text="and a voicemail", duration=3))
    now = house.entry(entry["id"])
    assert now["thread_id"] == target["id"]
    assert len(now["attachments"]) == 1
    assert now["call"]["lines"][0]["text"].startswith("My boiler")
    new = house.thread(other)
    assert (new["unresolved"], new["preview"]["text"]) == (1, "Voicemail - 0:03")
    (found,) = house.client.threads(q=f"boiler{phone[-4:]}")
    assert found["id"] == target["id"]
    old = house.client.get(f"threads/{entry['thread_id']}")
    assert (old["unread"], old["preview"], old["status"]) == (0, None, "outbound_only")
    house.tell(started(f"{phone}/1", phone))  # once more
    assert house.entry(entry["id"])["thread_id"] == target["id"]
    assert house.call(phone, id_="2", outcome="missed")["thread_id"] == old["id"], "the next is new"
    house.read(check_books)


@pytest.mark.feature("VOIC-03", "LIST-01")
@pytest.mark.parametrize("assigned", [False, True])
def test_where_nothing_is_left_is_in_no_list_until_there_is_something(
    house: House, phone: str, other: str, *, assigned: bool
) -> None:
    house.text(other, "Hello")
    lists = [
        {"status": status, "filter": filter_}
        for status in ("open", "unread", "closed", "all")
        for filter_ in ("all", "unread", "unassigned", "mine", "needs_response")
    ]

    def counts() -> list[dict[str, object]]:
        return [house.client.get("threads/counts", **each) for each in lists]

    before = counts()
    entry = house.call(phone, outcome="missed")
    id_ = entry["thread_id"]
    (mine,) = house.client.me["organisations"]
    to_me = {"assignee_id": mine["member_id"]} if assigned else {}
    house.client.patch(f"threads/{id_}", {"needs_response": True, **to_me})
    assert counts() != before
    source, target = house.row(id_), house.thread(other)
    since = house.position()
    to = {"contact_id": target["contact"]["id"]}
    house.client.post(f"entries/{entry['id']}/reassign", to)

    told = {one["thread"]["id"]: one["thread"] for one in house.changes(since) if "thread" in one}
    gone = told[id_]
    assert (gone["preview"], gone["unread"], gone["needs_response"]) == (None, 0, False)
    house.client.post(f"entries/{entry['id']}/resolve", {"outcome": "resolved"})
    house.client.patch(f"threads/{id_}", {"needs_response": True})
    assert counts() == before
    for each in lists:
        assert id_ not in {row["id"] for row in house.client.threads(**each)}, each
    assert house.client.threads(q=phone) == []
    (contact,) = house.client.get("contacts", q=phone)["items"]
    assert contact["id"] == source["contact"]["id"]

    detail = house.client.get(f"threads/{id_}")
    assert (detail["preview"], detail["contact"]["id"]) == (None, contact["id"])
    lines = [one["event"]["type"] for one in house.client.entries(id_)]
    assert "call_moved_away" in lines
    house.client.patch(f"threads/{id_}", {"status": "closed"})
    assert id_ not in {row["id"] for row in house.client.threads(status="closed")}

    since = house.position()
    house.client.post(f"threads/{id_}/notes", {"body": "Wrong number"})
    told = {one["thread"]["id"]: one["thread"] for one in house.changes(since) if "thread" in one}
    assert told[id_]["preview"]["text"] == "Wrong number"
    assert id_ in {row["id"] for row in house.client.threads(status="closed")}
    assert [row["id"] for row in house.client.threads(q=phone)] == [id_]
    house.text(phone, "It is me")
    assert house.thread(phone)["id"] == id_
    assert house.thread(phone)["status"] == "open"
    house.read(check_books)


@pytest.mark.feature("VOIC-03")
def test_a_call_is_taken_out_and_stands_alone(house: House, phone: str) -> None:
    house.text(phone, "Hello")
    entry = house.call(phone, outcome="missed")
    source = house.thread(phone)
    path = f"entries/{entry['id']}/reassign"
    alone = house.client.post(path, {"contact_id": None, "reason": ""})
    assert alone["thread_id"] != source["id"]
    detail = house.client.get(f"threads/{alone['thread_id']}")
    assert detail["contact"]["display"] == "Anonymous caller"
    assert (detail["unresolved"], detail["details"]["addresses"]) == (1, [])
    assert alone["address"] == entry["address"]
    again = house.client.call("POST", path, {"contact_id": None})
    assert (again.status_code, again.json()["code"]) == (409, "already_alone")
    back = house.client.post(path, {"contact_id": source["contact"]["id"]})
    assert back["thread_id"] == source["id"]
    assert house.thread(phone)["unresolved"] == 1
    assert house.thread(phone)["preview"]["text"] == "Missed call"
    house.read(check_books)


@pytest.mark.feature("VOIC-03", "ROUT-02")
def test_a_withheld_call_finds_its_customer(house: House, phone: str) -> None:
    house.text(phone, "I called you")
    entry = house.call(None, outcome="voicemail")
    target = house.thread(phone)
    house.client.post(f"entries/{entry['id']}/reassign", {"contact_id": target["contact"]["id"]})
    assert house.thread(phone)["unresolved"] == 1
    assert all(one["id"] != entry["thread_id"] for one in house.client.threads(status="open"))
    away = house.client.post(f"entries/{entry['id']}/reassign", {"contact_id": None})
    assert house.row(away["thread_id"])["contact"]["display"] == "Withheld number"
    house.read(check_books)


@pytest.mark.feature("VOIC-03")
def test_what_cannot_be_moved_is_said(house: House, phone: str, other: str) -> None:
    house.text(phone, "Hello")
    house.text(other, "Hello")
    entry = house.call(phone, outcome="missed")
    source = house.thread(phone)
    (message,) = house.client.entries(source["id"], kind="texts")
    own, foreign = source["contact"]["id"], house.thread(other)["contact"]["id"]
    for id_, contact, status, code in (
        (message["id"], foreign, 422, "not_a_call"),
        (entry["id"], own, 409, "same_contact"),
        (entry["id"], "42", 422, "no_contact"),
        (entry["id"], "nobody", 422, "no_contact"),
        ("42", foreign, 404, None),
    ):
        answer = house.client.call("POST", f"entries/{id_}/reassign", {"contact_id": contact})
        assert (answer.status_code, answer.json().get("code")) == (status, code), (id_, contact)
    long = {"contact_id": foreign, "reason": "x" * 1001}
    answer = house.client.call("POST", f"entries/{entry['id']}/reassign", long)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_reason")
    assert house.entry(entry["id"])["thread_id"] == source["id"]
    assert house.audit(entry["id"]) == []


@pytest.mark.feature("PERM-01", "PERM-03", "VOIC-03", "VOIC-02")
def test_who_may_do_what_with_calls(house: House, phone: str, other: str) -> None:
    house.text(other, "Only a text")
    entry = house.call(phone, outcome="missed")
    hidden = house.thread(other)["contact"]["id"]
    thread_id = house.thread(phone)["id"]
    acts = (
        (f"entries/{entry['id']}/reassign", {"contact_id": hidden}),
        (f"entries/{entry['id']}/follow-up", {"done": True}),
        (f"entries/{entry['id']}/resolve", {"outcome": "resolved"}),
        (f"threads/{thread_id}/calls", {"channel_id": "voice", "contact_id": "1"}),
    )
    ben = house.limit_ben(None, ["messages.view"])
    for rest, body in acts:
        answer = ben.call("POST", rest, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "messages.send")
    assert ben.get(f"entries/{entry['id']}")["id"] == entry["id"]

    ben = house.limit_ben(["texts"], ["messages.view", "messages.send"])
    assert ben.http.get(ben.path(f"entries/{entry['id']}")).status_code == 404
    for rest, body in acts:
        assert ben.call("POST", rest, body).status_code == 404, rest
    assert thread_id not in {one["id"] for one in ben.threads()}
    found = ben.get("contacts", q=phone)["items"]
    assert found == [], "a contact that is only known by calls"

    ben = house.limit_ben(["voice"], ["messages.view", "messages.send"])
    path = f"entries/{entry['id']}/reassign"
    answer = ben.call("POST", path, {"contact_id": hidden})
    assert (answer.status_code, answer.json()["code"]) == (422, "no_contact")
    assert ben.get("contacts", q=other)["items"] == []
    assert [one["channel_id"] for one in ben.get(f"threads/{thread_id}")["calls"]] == ["voice"]
    counts = ben.get("threads/counts", status="all")["status"]
    done = ben.post(f"entries/{entry['id']}/resolve", {"outcome": "resolved"})["call"]
    assert done["resolved_by"] == "Ben"
    assert ben.get("threads/counts", status="all")["status"]["unread"] == counts["unread"] - 1
    house.limit_ben(None, ["messages.view", "messages.send"])


@pytest.mark.feature("VOIC-03", "PERM-03")
def test_who_sees_calls_only_sees_them_leave(house: House, phone: str, other: str) -> None:
    house.text(phone, "Hello")
    house.call(other, id_="1", outcome="answered")
    entry = house.call(phone, outcome="missed")
    source, target = house.thread(phone), house.thread(other)
    ben = house.limit_ben(["voice"], ["messages.view", "messages.send"])
    assert source["id"] in {one["id"] for one in ben.threads()}
    since = house.position()
    to = {"contact_id": target["contact"]["id"]}
    ben.post(f"entries/{entry['id']}/reassign", to)
    told = ben.get("changes", since=since)["changes"]
    left = [one for one in told if one["type"] == "thread.changed" and "thread" not in one]
    assert [one["thread_id"] for one in left] == [source["id"]]
    assert source["id"] not in {one["id"] for one in ben.threads()}
    rows = {one["thread"]["id"]: one["thread"] for one in told if "thread" in one}
    assert rows[target["id"]]["unresolved"] == 1
    assert source["id"] not in rows
    house.limit_ben(None, ["messages.view", "messages.send"])
