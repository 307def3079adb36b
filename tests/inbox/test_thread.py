"""A conversation's timeline, and what may be done to its entries."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.hubs import Client, HubProcess, wait_for
from tests.inbox.test_list import reply, row, shown, written


def statuses(client: Client, entry: dict[str, Any]) -> str:
    """An entry's status as it is now."""
    page = client.get(f"threads/{entry['thread_id']}/entries", around=entry["id"])
    return next(one for one in page["items"] if one["id"] == entry["id"])["status"]


@pytest.mark.feature("THRD-03")
def test_inbound_and_outbound_are_told_apart_and_statuses_move(client: Client, phone: str) -> None:
    thread = written(client, phone, "question")
    sent = reply(client, thread, "answer")
    assert sent["status"] == "pending"
    wait_for(lambda: statuses(client, sent) == "delivered", what="delivered")
    question, answer = client.entries(thread["id"])
    assert (question["direction"], question["author"]["kind"]) == ("in", "contact")
    assert (answer["direction"], answer["author"]["name"]) == ("out", "Admin")
    assert answer["channel_id"] == "simulator"
    assert question["address"] == answer["address"] == shown(phone)


@pytest.mark.feature("THRD-03")
def test_a_failure_says_why_and_shows_in_the_list(client: Client, phone: str) -> None:
    thread = written(client, phone)
    client.behave(phone, answer="refuse", reason="policy")
    sent = reply(client, thread, "spam?")
    wait_for(lambda: statuses(client, sent) == "failed", what="failed")
    entry = client.entries(thread["id"])[-1]
    assert entry["status_reason"]
    assert (entry["can_retry"], entry["can_cancel"]) == (True, False)
    assert row(client, thread)["preview"]["status"] == "failed"


@pytest.mark.feature("THRD-12")
def test_a_failed_message_can_be_retried(client: Client, phone: str) -> None:
    thread = written(client, phone)
    client.behave(phone, answer="refuse", reason="policy")
    sent = reply(client, thread, "once more")
    wait_for(lambda: statuses(client, sent) == "failed", what="failed")
    client.behave(phone)
    again = client.post(f"entries/{sent['id']}/retry")
    assert again["status"] == "pending"
    wait_for(lambda: statuses(client, sent) == "delivered", what="delivered")
    told = [one for one in client.phone(phone)["messages"] if one["author"] == "business"]
    assert len(told) == 1
    refused = client.call("POST", f"entries/{sent['id']}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_failed")


@pytest.mark.feature("THRD-12")
def test_a_waiting_message_can_be_canceled_until_it_is_picked_up(
    client: Client, phone: str
) -> None:
    thread = written(client, phone)
    client.post("channels/simulator/pause")
    try:
        sent = reply(client, thread, "never mind")
        canceled = client.post(f"entries/{sent['id']}/cancel")
        assert canceled["status"] == "canceled"
    finally:
        client.post("channels/simulator/resume")
    other = reply(client, thread, "this one goes")
    wait_for(lambda: statuses(client, other) == "delivered", what="delivered")
    told = [one["text"] for one in client.phone(phone)["messages"]]
    assert "never mind" not in told
    late = client.call("POST", f"entries/{other['id']}/cancel")
    assert (late.status_code, late.json()["code"]) == (409, "too_late")


@pytest.mark.feature("THRD-12")
def test_nobody_can_change_or_delete_a_message(client: Client, phone: str) -> None:
    thread = written(client, phone)
    (entry,) = client.entries(thread["id"])
    for method in ("PUT", "PATCH", "DELETE"):
        for path in (f"threads/{thread['id']}/entries/{entry['id']}", f"entries/{entry['id']}"):
            assert client.call(method, path, {"text": "other"}).status_code in {404, 405}
    assert client.entries(thread["id"]) == [entry]


@pytest.mark.feature("THRD-05")
def test_a_note_stays_with_the_team(client: Client, phone: str) -> None:
    thread = written(client, phone)
    note = client.post(f"threads/{thread['id']}/notes", {"body": "They are a VIP"})
    assert (note["kind"], note["direction"], note["group"]) == ("note", "internal", "notes")
    assert note["status"] is None
    reply(client, thread, "Hello!")
    wait_for(lambda: len(client.phone(phone)["messages"]) == 2, what="the answer on the phone")
    assert "They are a VIP" not in str(client.phone(phone))
    assert client.entries(thread["id"], kind="notes") == [note]
    for action in ("retry", "cancel", "resolve"):
        body = {"outcome": "sent"} if action == "resolve" else None
        refused = client.call("POST", f"entries/{note['id']}/{action}", body)
        assert refused.json()["code"] == "not_sent_by_us"


def test_the_same_request_twice_sends_once(client: Client, phone: str) -> None:
    thread = written(client, phone)
    key = str(uuid.uuid4())
    message = {
        "channel_id": "simulator",
        "contact_id": thread["contact"]["id"],
        "body": "only once",
    }
    path = f"threads/{thread['id']}/messages"
    first = client.post(path, message, key=key)
    second = client.post(path, message, key=key)
    assert first["id"] == second["id"]
    assert first["idempotency_key"] == key
    other = client.call("POST", path, {**message, "body": "different"}, key=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    wait_for(lambda: statuses(client, first) == "delivered", what="delivered")
    told = [one["text"] for one in client.phone(phone)["messages"]]
    assert told.count("only once") == 1


def test_a_draft_for_somebody_else_is_refused(client: Client, phone: str) -> None:
    mine = written(client, phone)
    other = written(client, f"{phone[:-4]}5{phone[-3:]}")
    message = {
        "channel_id": "simulator",
        "contact_id": other["contact"]["id"],
        "body": "for the other one",
    }
    refused = client.call("POST", f"threads/{mine['id']}/messages", message)
    assert (refused.status_code, refused.json()["code"]) == (422, "contact_mismatch")
    message = {**message, "contact_id": mine["contact"]["id"], "to": other["contact"]["display"]}
    refused = client.call("POST", f"threads/{mine['id']}/messages", message)
    assert refused.json()["code"] == "not_their_address"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"body": "   "}, "empty"),
        ({"body": "x" * 2_000}, "too_long"),
        ({"channel_id": "nowhere"}, "no_channel"),
        ({"from": "+15550000000"}, "not_our_address"),
        ({"to": "not a number"}, "bad_address"),
        ({"attachment_ids": ["1"]}, "attachment_used"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_words(
    client: Client, phone: str, change: dict[str, Any], code: str
) -> None:
    thread = written(client, phone)
    message = {
        "channel_id": "simulator",
        "contact_id": thread["contact"]["id"],
        "body": "hi",
        **change,
    }
    refused = client.call("POST", f"threads/{thread['id']}/messages", message)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert refused.json()["detail"]
    assert len(client.entries(thread["id"])) == 1


def test_a_refused_first_message_leaves_nothing_behind(client: Client, phone: str) -> None:
    client.text(phone, "STOP")
    wait_for(lambda: client.thread_of(shown(phone)))
    count = client.get("threads/counts", status="all")["status"]["all"]
    refused = client.call(
        "POST", "messages", {"channel_id": "simulator", "to": phone, "body": "please"}
    )
    assert refused.json()["code"] == "opted_out"
    refused = client.call(
        "POST", "messages", {"channel_id": "simulator", "to": "12", "body": "please"}
    )
    assert refused.status_code == 422
    assert client.get("threads/counts", status="all")["status"]["all"] == count


def test_opting_out_stands_in_the_thread_and_asks_for_nothing(client: Client, phone: str) -> None:
    thread = written(client, phone, "STOP")
    wait_for(lambda: len(client.entries(thread["id"])) == 2, what="the line of the opt-out")
    detail = client.get(f"threads/{thread['id']}")
    assert not detail["needs_response"]
    (consent,) = detail["consents"]
    assert consent["state"] == "out"
    (mode,) = detail["compose"]
    assert not mode["can_send"]
    assert mode["reason"].startswith("Opted out")


def test_a_timeline_opens_anywhere(client: Client, phone: str) -> None:
    thread = written(client, phone, "first")
    notes = [client.post(f"threads/{thread['id']}/notes", {"body": f"note {n}"}) for n in range(12)]
    page = client.get(f"threads/{thread['id']}/entries", limit=5)
    assert [one["text"] for one in page["items"]] == [f"note {n}" for n in range(7, 12)]
    assert page["later_cursor"] is None
    earlier = client.get(f"threads/{thread['id']}/entries", limit=5, before=page["earlier_cursor"])
    assert [one["text"] for one in earlier["items"]] == [f"note {n}" for n in range(2, 7)]
    later = client.get(f"threads/{thread['id']}/entries", limit=5, after=earlier["later_cursor"])
    assert later["items"] == page["items"]
    around = client.get(f"threads/{thread['id']}/entries", limit=4, around=notes[5]["id"])
    assert notes[5]["id"] in [one["id"] for one in around["items"]]
    assert around["earlier_cursor"]
    assert around["later_cursor"]
    whole = client.get(f"threads/{thread['id']}/entries", limit=200)
    assert whole["earlier_cursor"] is None
    assert len(whole["items"]) == 13


def test_pausing_a_channel_holds_messages_and_survives_a_restart(
    hub: HubProcess, client: Client, phone: str
) -> None:
    thread = written(client, phone)
    paused = client.post("channels/simulator/pause")
    assert (paused["paused"], paused["state"]) == (True, "needs_attention")
    sent = reply(client, thread, "later")
    port = hub.port
    hub.stop()
    hub.start(port=port)
    (channel,) = client.get("channels")
    assert channel["paused"]
    assert statuses(client, sent) == "pending"
    client.post("channels/simulator/resume")
    wait_for(lambda: statuses(client, sent) == "delivered", what="delivered")
