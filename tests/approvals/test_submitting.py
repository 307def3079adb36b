"""Who may send through approval alone: whatever they send waits, and nothing of it goes out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.approvals.conftest import APPROVE, GATED, SEND, VIEW, Queue
from tests.compose.conftest import REMINDER


@pytest.mark.feature("APPR-01")
def test_a_message_waits_and_shows_so_with_its_author(queue: Queue, phone: str) -> None:
    entry = queue.waiting(phone)
    assert (entry["status"], entry["author"]["name"]) == ("pending_approval", "Gil")
    assert entry["approval"]["state"] == "waiting"
    assert not entry["can_cancel"], "its author withdraws it"
    row = queue.thread(phone)
    assert row["preview"]["status"] == "pending_approval"
    assert row["needs_response"], "nobody has answered yet"
    (queued,) = [one for one in queue.ana.get("approvals")["items"] if one["id"] == entry["id"]]
    assert queued["entry"]["id"] == queued["id"] == entry["id"]
    assert queued["contact"]["id"] == row["contact"]["id"]
    assert queued["author"]["name"] == "Gil"
    assert queued["author_active"]
    assert queued["waiting_since"] == entry["approval"]["submitted_at"]
    assert (queued["text"], queued["original_text"], queued["problems"]) == (
        entry["text"], None, [],
    )  # fmt: skip


@pytest.mark.feature("APPR-01")
def test_every_kind_of_send_waits(queue: Queue, phone: str) -> None:
    thread = queue.text(phone)
    file = queue.gil.http.post(
        queue.gil.path("attachments"), files={"file": ("a.txt", b"A list", "text/plain")}
    ).json()
    template = {"name": REMINDER["name"], "language": REMINDER["language"]}
    values = {"day": "Monday", "time": "noon"}
    made = [
        queue.write(thread, "With a file", channel_id="plain", attachment_ids=[file["id"]]),
        queue.write(thread, template=template, variables=values),
        queue.gil.post("messages", {"channel_id": "odd", "to": "+13035550777", "body": "Hi"}),
    ]
    assert {one["status"] for one in made} == {"pending_approval"}
    assert {one["id"] for one in made} <= set(queue.queued())
    assert [one["name"] for one in made[0]["attachments"]] == ["a.txt"]
    for entry in made:
        assert queue.decide("approve", entry).status_code == 200
        queue.until(entry["id"], "sent")
    assert [one["name"] for one in queue.entry(made[0]["id"])["attachments"]] == ["a.txt"]
    (sent,) = queue.sent("Hi")
    assert sent["address"]["value"] == "+13035550777"


@pytest.mark.feature("APPR-01")
def test_who_may_send_directly_does(queue: Queue, phone: str) -> None:
    queue.rule("gil", {VIEW, GATED, SEND})
    entry = queue.write(queue.text(phone), "Straight")
    assert entry["status"] != "pending_approval"
    assert entry["approval"] is None
    queue.until(entry["id"], "sent")


@pytest.mark.feature("PERM-01")
def test_who_may_send_neither_way_is_refused(queue: Queue, phone: str) -> None:
    thread = queue.text(phone)
    queue.rule("gil", {VIEW, APPROVE})
    message = {"channel_id": "odd", "contact_id": thread["contact"]["id"], "body": "No"}
    answer = queue.gil.call("POST", f"threads/{thread['id']}/messages", message)
    assert answer.status_code == 403
    assert SEND in answer.json()["detail"]


@pytest.mark.feature("APPR-01")
def test_calls_cannot_wait_and_say_so(queue: Queue, phone: str) -> None:
    thread = queue.text(phone)
    modes = queue.gil.get(f"threads/{thread['id']}")["calls"]
    mode = next(one for one in modes if one["channel_id"] == "voice")
    assert not mode["can_call"]
    assert "cannot wait for approval" in mode["reason"]
    wanted = {"channel_id": "voice", "contact_id": thread["contact"]["id"]}
    answer = queue.gil.call("POST", f"threads/{thread['id']}/calls", wanted)
    assert answer.status_code == 403
    assert (answer.json()["code"], mode["reason"] in answer.json()["detail"]) == (SEND, True)


@pytest.mark.feature("APPR-01")
def test_what_waits_holds_up_nothing(queue: Queue, phone: str) -> None:
    waiting = queue.waiting(phone, f"First to {phone}")
    entry = queue.write(queue.thread(phone), f"Second to {phone}", by=queue.ana)
    queue.until(entry["id"], "sent")
    assert queue.decide("approve", waiting).status_code == 200
    queue.until(waiting["id"], "sent")
    shown = [one["id"] for one in queue.ana.entries(queue.thread(phone)["id"], kind="texts")]
    assert shown[-2:] == [entry["id"], waiting["id"]], "it stands where it went out"


@pytest.mark.feature("APPR-01")
def test_the_same_request_again_makes_nothing_new(queue: Queue, phone: str) -> None:
    thread = queue.text(phone)
    message = {"channel_id": "odd", "contact_id": thread["contact"]["id"], "body": "Once"}
    path = f"threads/{thread['id']}/messages"
    made: list[dict[str, Any]] = [queue.gil.post(path, message, key=phone) for _ in range(2)]
    assert made[0]["id"] == made[1]["id"]
    assert queue.queued().count(made[0]["id"]) == 1


def test_only_own_messages_are_canceled_without_the_right_to_send(queue: Queue, phone: str) -> None:
    entry = queue.write(queue.text(phone), "Ana's", by=queue.ana)
    answer = queue.gil.call("POST", f"entries/{entry['id']}/cancel")
    assert answer.status_code == 403
    assert answer.json()["code"] == SEND
    own = queue.waiting(phone)
    assert queue.gil.post(f"entries/{own['id']}/cancel")["status"] == "canceled"


@pytest.mark.feature("APPR-01")
def test_the_settings_send_programs_through_the_queue(queue: Queue, phone: str) -> None:
    program = queue.token("ada", {VIEW, SEND, APPROVE})
    thread = queue.text(phone)
    assert queue.write(thread, "Before", by=program)["status"] != "pending_approval"
    queue.ana.patch("settings", {"approvals": {"sources": ["api"]}})
    try:
        made = queue.write(thread, f"By a program for {phone}", by=program)
        assert made["status"] == "pending_approval"
        assert queue.write(thread, "By Ada", by=queue.ada)["status"] != "pending_approval"
        for by in (program, queue.ada):
            own = queue.decide("approve", made, by=by)
            assert (own.status_code, own.json()["code"]) == (403, "own_message")
        assert queue.decide("approve", made).status_code == 200
        queue.until(made["id"], "sent")
    finally:
        queue.ana.patch("settings", {"approvals": {}})
    wrong = queue.ana.call("PATCH", "settings", {"approvals": {"sources": ["member"]}})
    assert wrong.status_code in {400, 422}


@pytest.mark.feature("APPR-01")
def test_a_token_that_may_only_propose_proposes(queue: Queue, phone: str) -> None:
    program = queue.token("ada", {VIEW, GATED})
    thread = queue.text(phone)
    queue.rule("ada", {VIEW, SEND, GATED, APPROVE})
    made = queue.write(thread, "By a program", by=program)
    assert made["status"] == "pending_approval"
    assert queue.decide("withdraw", made, by=program).json()["status"] == "canceled"
