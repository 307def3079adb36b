"""Calls of which nothing more is told end by the clock, and are seen by somebody."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hub.store import tables as t
from tests import books
from tests.calls.conftest import House, about, started
from tests.calls.test_moving import check_books
from tests.hubs import wait_for

_due = t.due.c
SAID = {"number": 1, "speaker": "customer", "text": "Hello?", "occurred_at": "2026-01-02T09:00:00Z"}


def due(house: House, entry_id: str) -> int | None:
    """Until when the clock waits for the end of a call."""

    def look(connection: Connection) -> int | None:
        wanted = sa.select(_due.due_at).where(_due.kind == "call_quiet", _due.key == entry_id)
        return connection.execute(wanted).scalar()

    return house.read(look)


def let_be_due(house: House, entry_id: str) -> None:
    """The hours have passed."""

    def change(connection: Connection) -> None:
        own = sa.update(t.due).where(_due.kind == "call_quiet", _due.key == entry_id)
        done = connection.execute(own.values(due_at=1, look_at=1))
        assert done.rowcount == 1

    asyncio.run(books.write(house.database, change))


def quiet(house: House, entry_id: str) -> None:
    """Nothing is told of a call for long."""
    let_be_due(house, entry_id)
    house.until(entry_id, lambda one: one["call"]["outcome"] is not None)


@pytest.mark.feature("VOIC-01", "VOIC-02")
def test_a_call_whose_end_is_never_told_is_seen_by_somebody(house: House, phone: str) -> None:
    entry = house.call(phone)
    thread = house.thread(phone)
    assert (entry["call"]["live"], entry["call"]["outcome"]) == (True, None)
    assert (thread["unread"], thread["preview"]["text"]) == (0, "Incoming call")
    before, since = house.unread(), house.position()
    quiet(house, entry["id"])
    now, thread = house.entry(entry["id"]), house.thread(phone)
    call = now["call"]
    assert (call["live"], call["outcome"], call["unresolved"]) == (False, "unknown", True)
    assert call["ended_at"] is None
    assert (thread["unread"], thread["unresolved"], thread["needs_response"]) == (1, 1, True)
    assert thread["preview"]["text"] == "Voice call - end unknown"
    assert house.unread() == (before[0] + 1, before[1] + 1)
    told = house.changes(since)
    assert [one["entry"] for one in told if one["type"] == "entry.changed"] == [now]
    assert [one["thread"] for one in told if one["type"] == "thread.changed"] == [thread]

    done = house.client.post(f"entries/{entry['id']}/resolve", {"outcome": "resolved"})
    assert done["call"]["resolved_by"] == house.client.me["name"]
    assert house.unread() == before
    house.tell(about(f"{phone}/1", "call_ended", outcome="missed"))
    assert house.thread(phone)["unresolved"] == 0, "who has seen to it has seen to that"
    assert house.thread(phone)["preview"]["text"] == "Missed call"
    house.tell(about(f"{phone}/1", "voicemail", media=None, duration=3, text="Call me"))
    assert house.thread(phone)["unresolved"] == 1, "that is more than was known"
    house.read(check_books)


@pytest.mark.feature("VOIC-01", "VOIC-02")
@pytest.mark.parametrize(
    ("late", "outcome", "unresolved"),
    [
        (("call_ended", {"outcome": "answered", "duration": 41}), "answered", 0),
        (("call_ended", {"outcome": "missed"}), "missed", 1),
        (("voicemail", {"media": None, "text": "Call me", "duration": 3}), "voicemail", 1),
        (("recording", {"media": {"provider_id": "gone"}}), "answered", 0),
        (("transcript", {"turns": [[0.5, "customer", "Hello"]]}), "answered", 0),
    ],
)
def test_what_is_told_late_settles_it_and_so_does_what_came_before(
    house: House,
    phone: str,
    other: str,
    late: tuple[str, dict[str, object]],
    outcome: str,
    unresolved: int,
) -> None:
    kind, more = late
    after, before = house.call(phone), house.call(other)
    quiet(house, after["id"])
    assert house.thread(phone)["unresolved"] == 1
    house.tell(about(f"{phone}/1", kind, **more))
    house.tell(about(f"{other}/1", kind, **more))
    quiet(house, before["id"])
    for number, entry in ((phone, after), (other, before)):
        assert house.entry(entry["id"])["call"]["outcome"] == outcome
        thread = house.thread(number)
        assert (thread["unresolved"], thread["unread"]) == (unresolved, unresolved)
        assert thread["needs_response"] == bool(unresolved)
    house.read(check_books)


@pytest.mark.feature("VOIC-01")
def test_a_call_of_which_something_is_still_told_goes_on(house: House, phone: str) -> None:
    entry = house.call(phone)
    house.tell(about(f"{phone}/1", "call_turn", **SAID))
    let_be_due(house, entry["id"])
    # What was said was said in January, and four hours later nothing more.
    house.until(entry["id"], lambda one: one["call"]["outcome"] == "unknown")
    assert due(house, entry["id"]) is None
    assert [one["text"] for one in house.entry(entry["id"])["call"]["lines"]] == ["Hello?"]

    lasting = house.call(phone, id_="2")
    house.tell(about(f"{phone}/2", "call_turn", number=1, speaker="customer", text="Still here?"))
    let_be_due(house, lasting["id"])
    wait_for(lambda: (due(house, lasting["id"]) or 1) > 1, what="the clock to wait again")
    call = house.entry(lasting["id"])["call"]
    assert (call["outcome"], call["live"]) == (None, True)
    quiet(house, lasting["id"])
    assert house.entry(lasting["id"])["call"]["outcome"] == "unknown"


@pytest.mark.feature("VOIC-01", "VOIC-03")
def test_a_call_that_was_moved_ends_where_it_is(house: House, phone: str, other: str) -> None:
    house.text(other, "Hello")
    entry = house.call(phone)
    target = house.thread(other)
    house.client.post(f"entries/{entry['id']}/reassign", {"contact_id": target["contact"]["id"]})
    quiet(house, entry["id"])
    now = house.thread(other)
    assert (now["unresolved"], now["preview"]["text"]) == (1, "Voice call - end unknown")
    house.read(check_books)


@pytest.mark.feature("VOIC-01")
def test_calls_to_a_customer_ask_nobody(house: House, phone: str) -> None:
    house.tell(started(f"{phone}/1", phone, "out"))
    (entry,) = house.calls(phone)
    quiet(house, entry["id"])
    call = house.entry(entry["id"])["call"]
    assert (call["outcome"], call["unresolved"], call["live"]) == ("unknown", False, False)
    thread = house.thread(phone)
    assert (thread["unread"], thread["needs_response"]) == (0, False)


@pytest.mark.feature("VOIC-01")
def test_a_call_that_has_ended_is_left_alone(house: House, phone: str) -> None:
    entry = house.call(phone, outcome="answered", duration=5)
    before = house.position()
    let_be_due(house, entry["id"])
    wait_for(lambda: due(house, entry["id"]) is None, what="the clock to look")
    assert house.position() == before
    assert house.entry(entry["id"])["call"]["outcome"] == "answered"
    house.tell(started(f"{phone}/2", phone))  # told late, and with its end
    house.tell(about(f"{phone}/2", "call_ended", outcome="missed"))
    house.read(check_books)


@pytest.mark.feature("VOIC-01")
def test_the_hours_pass_while_no_hub_runs(house: House, phone: str) -> None:
    entry, ended = house.call(phone), house.call(phone, id_="2", outcome="answered")
    port = house.hub.port
    house.hub.stop()
    for one in (entry, ended):
        let_be_due(house, one["id"])
    house.hub.start(port=port)
    house.until(entry["id"], lambda one: one["call"]["outcome"] == "unknown")
    wait_for(lambda: due(house, ended["id"]) is None, what="the clock to look")
    assert house.entry(ended["id"])["call"]["outcome"] == "answered"
    assert house.thread(phone)["unresolved"] == 1
    house.read(check_books)
