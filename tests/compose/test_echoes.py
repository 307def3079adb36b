"""What we have sent is told as if somebody had written it elsewhere: it stands there once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compose.conftest import Desk
from tests.events.conftest import OWN
from tests.events.test_messages import address, message


def echo_of(phone: str, out: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "message", "external_id": f"u-{out['id']}", "sender": [], "echo": True,
        "recipient": address(phone), "own_address": OWN, "text": out["wire"][0]["text"],
    }  # fmt: skip


@pytest.mark.feature("THRD-03", "ROUT-01")
def test_an_echo_that_comes_before_the_answer_to_the_sending(desk: Desk, phone: str) -> None:
    desk.tell(message(phone, "1", "Hello"))
    thread = desk.thread(phone)
    position = _position(desk, thread)
    (desk.folder / "slow").touch()
    entry = desk.write(thread, body=f"Good morning {phone}").json()
    out = desk.sent(entry)
    desk.tell(echo_of(phone, out))
    desk.tell({"type": "receipt", "external_id": f"u-{out['id']}", "status": "delivered"})
    shown = desk.client.entries(thread["id"])
    assert [one["direction"] for one in shown] == ["in", "out", "out"]
    desk.tell(message(phone, "2", "Are you there?"))
    (desk.folder / "slow").unlink()
    own = desk.entry(entry, lambda one: one["status"] == "delivered")
    shown = desk.client.entries(thread["id"])
    assert [one["text"] for one in shown] == ["Hello", own["text"], "Are you there?"]
    assert shown[1]["author"]["kind"] == "member"
    row = desk.thread(phone)
    assert (row["preview"]["text"], row["needs_response"]) == ("Are you there?", True)
    told = desk.client.get("changes", since=position)["changes"]
    (gone,) = [one for one in told if one["type"] == "entry.removed"]
    assert gone["thread_id"] == thread["id"]
    assert gone["entry_id"] not in {one["id"] for one in shown}
    desk.tell(echo_of(phone, out))  # and after it
    assert len(desk.client.entries(thread["id"])) == 3
    found = desk.client.get("threads", q=f"morning {phone}", status="all")["items"]
    assert [one["id"] for one in found] == [thread["id"]]


def test_what_was_written_elsewhere_meanwhile_is_no_double(desk: Desk, phone: str) -> None:
    desk.tell(message(phone, "1", "Hello"))
    thread = desk.thread(phone)
    (desk.folder / "slow").touch()
    entry = desk.write(thread, body=f"Yes {phone}").json()
    out = desk.sent(entry)
    desk.tell({**echo_of(phone, out), "external_id": f"{phone}/elsewhere"})
    (desk.folder / "slow").unlink()
    desk.entry(entry, lambda one: one["status"] == "sent")
    kinds = [one["author"]["kind"] for one in desk.client.entries(thread["id"])]
    assert kinds == ["contact", "member", "elsewhere"]


def _position(desk: Desk, thread: dict[str, Any]) -> str:
    answer = desk.client.http.get(desk.client.path(f"threads/{thread['id']}"))
    return answer.headers["X-Position"]
