"""The conversation list as the API gives it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hubs import Client, wait_for


def shown(phone: str) -> str:
    """A number as people read it."""
    return f"+1 {phone[2:5]}-{phone[5:8]}-{phone[8:]}"


def written(client: Client, phone: str, text: str = "Hello") -> dict[str, Any]:
    """The conversation of a customer who has just written ``text``."""
    client.text(phone, text)

    def arrived() -> dict[str, Any] | None:
        thread = client.thread_of(shown(phone))
        return thread if thread and thread["preview"]["text"] == text else None

    return wait_for(arrived, what="the text in the list")


def reply(client: Client, thread: dict[str, Any], text: str, **more: Any) -> dict[str, Any]:
    """A message from the team."""
    message = {
        "channel_id": "simulator",
        "contact_id": thread["contact"]["id"],
        "body": text,
        **more,
    }
    return client.post(f"threads/{thread['id']}/messages", message)


def row(client: Client, thread: dict[str, Any]) -> dict[str, Any]:
    """The conversation's row as it is now."""
    return client.get(f"threads/{thread['id']}")


@pytest.mark.feature("LIST-01", "ROUT-01")
def test_a_person_has_one_row_however_often_they_write(client: Client, phone: str) -> None:
    first = written(client, phone, "one")
    second = written(client, phone, "two")
    assert first["id"] == second["id"]
    mine = [one for one in client.threads() if one["contact"]["display"] == shown(phone)]
    assert len(mine) == 1
    texts = [entry["text"] for entry in client.entries(first["id"])]
    assert texts == ["one", "two"]


@pytest.mark.feature("LIST-02")
def test_a_row_shows_what_the_list_needs(client: Client, phone: str) -> None:
    thread = written(client, phone, "Is it ready?")
    assert thread["contact"]["display"] == shown(phone)
    assert thread["preview"] == {
        "text": "Is it ready?",
        "direction": "in",
        "channel_id": "simulator",
        "status": None,
        "author": None,
    }
    assert thread["unread"] == 1
    assert thread["channel_id"] == "simulator"
    assert thread["needs_response"] is True
    assert thread["assignee"] is None
    assert thread["status"] == "open"
    assert thread["sort_at"].endswith("Z")


@pytest.mark.feature("LIST-04")
def test_the_newest_activity_comes_first(client: Client, phone: str) -> None:
    older = written(client, phone)
    newer = written(client, f"{phone[:-4]}8{phone[-3:]}")
    ids = [one["id"] for one in client.threads()]
    assert ids.index(newer["id"]) < ids.index(older["id"])
    reply(client, older, "we answer")
    ids = [one["id"] for one in client.threads()]
    assert ids.index(older["id"]) < ids.index(newer["id"])
    client.patch(f"threads/{newer['id']}", {"status": "closed"})
    ids = [one["id"] for one in client.threads()]
    assert ids.index(older["id"]) < ids.index(newer["id"]), "closing must not make it jump"


@pytest.mark.feature("LIST-04")
def test_pages_neither_skip_nor_repeat_while_messages_arrive(client: Client, phone: str) -> None:
    threads = [written(client, f"{phone[:-4]}7{phone[-2:]}{n}") for n in range(7)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"status": "all", "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = client.get("threads", **params)
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if len(seen) == 4:
            written(client, f"{phone[:-4]}6{phone[-3:]}", "in between")
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert {one["id"] for one in threads} <= set(seen)


@pytest.mark.feature("LIST-08")
def test_outbound_only_becomes_open_when_they_write(client: Client, phone: str) -> None:
    entry = client.post(
        "messages", {"channel_id": "simulator", "to": shown(phone), "body": "Your bike is ready"}
    )
    thread = wait_for(lambda: client.thread_of(shown(phone)))
    assert (thread["id"], thread["status"]) == (entry["thread_id"], "outbound_only")
    assert thread["channel_id"] == "simulator"
    assert thread["id"] not in [one["id"] for one in client.threads(status="open")]
    client.text(phone, "Great")
    wait_for(lambda: row(client, thread)["status"] == "open")


@pytest.mark.feature("LIST-08", "ASGN-02", "ASGN-05")
def test_writing_reopens_a_closed_conversation_and_answering_leaves_it_closed(
    client: Client, phone: str
) -> None:
    thread = written(client, phone)
    closed = client.patch(f"threads/{thread['id']}", {"status": "closed"})
    assert (closed["status"], closed["needs_response"]) == ("closed", False)
    reply(client, thread, "one more thing")
    assert row(client, thread)["status"] == "closed"
    client.text(phone, "yes?")
    wait_for(lambda: row(client, thread)["status"] == "open")
    client.text(phone, "Are you there?")
    lines = [
        (one["actor"]["kind"], one["before"], one["after"])
        for one in client.get("audit", action="thread.status", limit=50)["items"]
        if one["object"]["id"] == thread["id"]
    ]
    assert lines == [("system", "closed", "open"), ("member", "open", "closed")]


@pytest.mark.feature("ASGN-01")
def test_assigning_moves_the_filters_and_hides_nothing(
    client: Client, ben: Client, phone: str
) -> None:
    thread = written(client, phone)
    before = client.get("threads/counts", status="all")
    ben_id = ben.me["organisations"][0]["member_id"]
    changed = client.patch(f"threads/{thread['id']}", {"assignee_id": ben_id})
    assert changed["assignee"]["name"] == "Ben"
    after = client.get("threads/counts", status="all")
    assert after["filter"]["unassigned"] == before["filter"]["unassigned"] - 1
    assert after["filter"]["mine"] == before["filter"]["mine"]
    assert thread["id"] in [one["id"] for one in ben.threads(filter="mine")]
    assert thread["id"] not in [one["id"] for one in client.threads(filter="unassigned")]
    assert thread["id"] in [one["id"] for one in client.threads()], "the whole team sees it"
    nobody = client.patch(f"threads/{thread['id']}", {"assignee_id": None})
    assert nobody["assignee"] is None
    lines = [one["event"] for one in client.entries(thread["id"], kind="system")]
    assert lines == [
        {"type": "assigned", "assignee": "Ben", "assignee_id": ben_id, "by": "Admin"},
        {"type": "unassigned", "by": "Admin"},
    ]


def test_nobody_can_be_assigned_who_is_no_member(client: Client, phone: str) -> None:
    thread = written(client, phone)
    answer = client.call("PATCH", f"threads/{thread['id']}", {"assignee_id": "1"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "no_member"


@pytest.mark.feature("ASGN-02")
def test_needs_response_follows_the_conversation(client: Client, phone: str) -> None:
    thread = written(client, phone)
    assert thread["needs_response"]
    reply(client, thread, "Here you are")
    assert not row(client, thread)["needs_response"]
    client.patch(f"threads/{thread['id']}", {"needs_response": True})
    assert row(client, thread)["needs_response"]
    assert thread["id"] in [one["id"] for one in client.threads(filter="needs_response")]


@pytest.mark.feature("SHELL-02")
def test_unread_conversations_are_counted_and_fall_when_read(client: Client, phone: str) -> None:
    before = client.get("threads/counts")["unread_total"]
    thread = written(client, phone, "one")
    written(client, phone, "two")
    assert client.get("threads/counts")["unread_total"] == before + 1
    assert row(client, thread)["unread"] == 2
    last = client.entries(thread["id"])[-1]
    read = client.post(f"threads/{thread['id']}/read", {"up_to": last["id"]})
    assert read["unread"] == 0
    assert client.get("threads/counts")["unread_total"] == before
    again = client.post(f"threads/{thread['id']}/unread")
    assert again["unread"] == 1
    assert thread["id"] in [one["id"] for one in client.threads(status="unread")]


def test_counts_agree_with_the_pages(client: Client, phone: str) -> None:
    written(client, phone)
    for status in ("open", "unread", "closed", "all"):
        counts = client.get("threads/counts", status=status)
        for name, count in counts["filter"].items():
            page = client.threads(status=status, filter=name, limit=200)
            assert len(page) == count, (status, name)
        assert counts["status"][status] == counts["filter"]["all"]
