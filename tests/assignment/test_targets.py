"""How long an answer may take: what is due when, and what is late."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hub.store import sights
from hub.store import tables as t
from hub.store.inbox_sets import Moves
from tests import books
from tests.assignment.test_automatic import shown, text
from tests.hubs import wait_for
from tests.people.conftest import House


def now(house: House, thread: dict[str, Any]) -> dict[str, Any]:
    return house.ana.get(f"threads/{thread['id']}")


def late(house: House) -> list[str]:
    return [one["id"] for one in house.ana.threads(filter="late")]


def waits_since(house: House, thread: dict[str, Any], hours: float) -> None:
    """Somebody has waited for longer than tests can."""

    def change(connection: Connection) -> None:
        own, id_ = t.threads.c, int(thread["id"])
        earlier = own.waiting_since - round(hours * 3_600_000)
        changed = sa.update(t.threads).where(own.id == id_).values(waiting_since=earlier)
        org = connection.scalar(changed.returning(own.organisation_id)) or 0
        sights.keep(connection, org, [id_], Moves())

    asyncio.run(books.write(house.url, change))


@pytest.mark.feature("ASGN-04")
def test_an_answer_is_due_from_the_first_message_on_until_there_is_one(
    house: House, phones: Iterator[str]
) -> None:
    phone = next(phones)
    thread = text(house, phone)
    assert thread["reply_due_at"] is None, "there is no target"
    house.ana.patch("settings", {"targets": {"on": True, "minutes": 30}})
    due = now(house, thread)["reply_due_at"]
    began = datetime.fromisoformat(thread["sort_at"])
    assert datetime.fromisoformat(due) == began + timedelta(minutes=30)
    text(house, phone)
    assert now(house, thread)["reply_due_at"] == due, "they wait since the first one"
    house.ana.post("messages", {"channel_id": "front", "to": phone, "body": "Yes"})
    assert now(house, thread)["reply_due_at"] is None
    assert text(house, phone)["reply_due_at"] > due, "the next question waits anew"
    house.ana.patch(f"threads/{thread['id']}", {"status": "closed"})
    assert now(house, thread)["reply_due_at"] is None
    house.ana.patch(f"threads/{thread['id']}", {"status": "open"})
    assert now(house, thread)["reply_due_at"] is None
    house.ana.patch(f"threads/{thread['id']}", {"needs_response": True})
    assert now(house, thread)["reply_due_at"] is not None
    house.ana.patch(f"threads/{thread['id']}", {"needs_response": False})
    assert now(house, thread)["reply_due_at"] is None


@pytest.mark.feature("ASGN-04")
def test_late_ones_are_found_and_counted_page_by_page(house: House, phones: Iterator[str]) -> None:
    house.ana.patch("settings", {"targets": {"on": True, "minutes": 60}})
    threads = [text(house, next(phones)) for _ in range(4)]
    assert late(house) == []
    for thread in threads[:3]:
        waits_since(house, thread, 2)
    waits_since(house, threads[3], 0.5)
    newest_first = [one["id"] for one in reversed(threads[:3])]
    assert late(house) == newest_first
    counts = house.ana.get("threads/counts", status="all", filter="late")
    assert counts["filter"]["late"] == 3
    assert counts["status"]["all"] == 3
    page = house.ana.get("threads", status="all", filter="late", limit=2)
    rest = house.ana.get(
        "threads", status="all", filter="late", limit=2, cursor=page["next_cursor"]
    )
    assert [one["id"] for one in (*page["items"], *rest["items"])] == newest_first
    house.ana.patch("settings", {"targets": {"on": True, "minutes": 180}})
    assert late(house) == [], "another target holds at once"
    house.ana.patch("settings", {"targets": {"on": False}})
    assert "late" not in house.ana.get("threads/counts", status="all")["filter"]


@pytest.mark.feature("ASGN-04")
def test_a_change_of_hours_holds_at_once(house: House, phones: Iterator[str]) -> None:
    house.ana.patch("settings", {"targets": {"on": True, "minutes": 60}})
    thread = text(house, next(phones))
    waits_since(house, thread, 2)
    assert thread["id"] in late(house)
    closed: dict[str, list[Any]] = {
        day: []
        for day in (
            "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
        )
    }  # fmt: skip
    house.ana.patch("settings", {"hours": closed})
    assert thread["id"] not in late(house)
    assert now(house, thread)["reply_due_at"] is None


@pytest.mark.feature("ASGN-04", "PERM-03")
def test_who_sees_some_channels_sees_what_is_late_there(
    house: House, phones: Iterator[str]
) -> None:
    one = house.add()
    made = house.ana.post("roles", {"name": f"Only {one.member_id}",
                                    "capabilities": ["messages.view"],
                                    "channels": ["workshop"]})  # fmt: skip
    house.ana.patch(f"members/{one.member_id}", {"role_id": made["id"]})
    house.ana.patch("settings", {"targets": {"on": True, "minutes": 60}})
    here, phone = text(house, next(phones)), next(phones)
    house.ana.text(phone, "Hello", channel="workshop")
    there = wait_for(lambda: house.ana.thread_of(shown(phone)))
    for thread in (here, there):
        waits_since(house, thread, 2)
    assert [row["id"] for row in one.client.threads(filter="late")] == [there["id"]]
    counts = one.client.get("threads/counts", status="all", filter="late")
    assert (counts["filter"]["late"], counts["status"]["all"]) == (1, 1)
