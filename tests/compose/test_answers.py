"""What a message answers: named, quoted, and in its subject."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compose.conftest import Desk, another
from tests.events.test_messages import echo, message
from tests.web.asking import check_problem


def written(desk: Desk, thread: dict[str, Any], text: str, **more: Any) -> dict[str, Any]:
    answer = desk.write(thread, body=text, **more)
    assert answer.status_code == 201, answer.text
    entry = answer.json()
    return desk.entry(entry, lambda one: one["status"] == "sent")


@pytest.mark.feature("THRD-03")
def test_a_reply_names_what_it_answers(desk: Desk, phone: str) -> None:
    desk.tell(message(phone, "1", "Can you come?", subject="The roof"))
    desk.tell(message(phone, "2", "On Friday?", subject="The roof"))
    thread = desk.thread(phone)
    first, second = desk.client.entries(thread["id"])
    entry = written(desk, thread, f"Yes, {phone}", reply_to=first["id"])
    assert entry["answers"] == {"entry_id": first["id"], "text": "The roof", "direction": "in"}
    out = desk.sent(entry)
    assert out["reply_to"] == f"{phone}/1"
    assert out["earlier"] == [f"{phone}/1", f"{phone}/2"]
    assert (out["kind"], out["automatic"]) == ("message", False)
    # Our own message has a name now, and can be answered and named, too.
    later = written(desk, thread, f"Friday it is, {phone}", reply_to=entry["id"])
    out = desk.sent(later)
    assert out["reply_to"] == out["earlier"][-1] != f"{phone}/2"
    assert later["answers"]["entry_id"] == entry["id"]
    assert second["answers"] is None


def test_of_a_long_conversation_the_last_twenty_are_named(desk: Desk, phone: str) -> None:
    desk.tell(*(message(phone, str(number), "More") for number in range(25)))
    entry = written(desk, desk.thread(phone), f"Enough, {phone}")
    out = desk.sent(entry)
    assert out["earlier"] == [f"{phone}/{number}" for number in range(5, 25)]
    assert out["reply_to"] is None


def test_only_what_stands_here_and_has_a_name_is_answered(desk: Desk, phone: str) -> None:
    other = another(phone)
    desk.tell(message(phone, "1", "Mine"), message(other, "1", "Not mine"))
    thread, foreign = desk.thread(phone), desk.thread(other)
    (strange,) = desk.client.entries(foreign["id"])
    note = desk.client.post(f"threads/{thread['id']}/notes", {"body": "For us"})
    for id_ in (strange["id"], note["id"], "nonsense", "1"):
        problem = check_problem(desk.write(thread, body="Hello", reply_to=id_), 422)
        assert problem["code"] == "bad_reply_to"
        assert [one["field"] for one in problem["errors"]] == ["reply_to"]
    contact = thread["contact"]["id"]
    plain = {"channel_id": "plain", "contact_id": contact, "body": "Hello", "reply_to": note["id"]}
    problem = check_problem(
        desk.client.call("POST", f"threads/{thread['id']}/messages", plain), 422
    )
    assert problem["code"] == "bad_reply_to"
    modes = {
        one["channel_id"]: one for one in desk.client.get(f"threads/{thread['id']}")["compose"]
    }
    assert (modes["odd"]["replies"], modes["plain"]["replies"]) == (True, False)


def test_the_same_words_in_answer_to_something_else_are_another_message(
    desk: Desk, phone: str
) -> None:
    desk.tell(message(phone, "1", "A?"), message(phone, "2", "B?"))
    thread = desk.thread(phone)
    first, second = desk.client.entries(thread["id"])
    wanted = {"channel_id": "odd", "contact_id": thread["contact"]["id"], "body": "Yes"}
    path = f"threads/{thread['id']}/messages"
    one = desk.client.post(path, {**wanted, "reply_to": first["id"]}, key=f"k{phone}")
    again = desk.client.post(path, {**wanted, "reply_to": first["id"]}, key=f"k{phone}")
    assert one["id"] == again["id"]
    changed = {**wanted, "reply_to": second["id"]}
    check_problem(desk.client.call("POST", path, changed, key=f"k{phone}"), 409)


def test_an_answer_has_the_subject_of_the_conversation(desk: Desk, phone: str) -> None:
    thread_of = desk.thread
    desk.tell(message(phone, "1", "Can you come?", subject="The roof"))
    thread = thread_of(phone)
    assert written(desk, thread, "Yes")["subject"] == "Re: The roof"
    assert written(desk, thread, "And then?")["subject"] == "Re: The roof"
    assert written(desk, thread, "New", subject="Invoice 12")["subject"] == "Invoice 12"
    (first, *_) = desk.client.entries(thread["id"])
    assert written(desk, thread, "Old", reply_to=first["id"])["subject"] == "Re: The roof"
    desk.tell(echo(phone, "9", "Von unterwegs", subject="AW: The roof"))
    entry = written(desk, thread, f"Last {phone}", subject="  ")
    assert entry["subject"] == "AW: The roof"
    assert desk.sent(entry)["wire"][0]["subject"] == "AW: The roof"


def test_the_first_message_has_the_subject_it_was_given(desk: Desk, phone: str) -> None:
    wanted = {"channel_id": "odd", "to": phone, "body": "Hello"}
    assert desk.client.post("messages", wanted)["subject"] is None


@pytest.mark.feature("ROUT-05", "ROUT-01")
def test_who_answers_from_another_address_is_still_who_was_asked(desk: Desk, phone: str) -> None:
    desk.tell(message(phone, "1", "Can you come?"))
    thread = desk.thread(phone)
    entry = written(desk, thread, f"Yes, {phone}")
    written(desk, thread, f"On Friday, {phone}", reply_to=entry["id"])
    name = desk.sent({"text": f"On Friday, {phone}"})["reply_to"]
    other, third = another(phone), f"+1404555{phone[-4:]}"
    desk.tell(message(other, "1", "From my desk", reply_to=name))
    assert desk.client.entries(thread["id"])[-1]["text"] == "From my desk"
    (contact,) = desk.client.get("contacts", q=other)["items"]
    assert {one["value"] for one in contact["addresses"]} == {phone, other}
    desk.tell(message(other, "2", "And something else"))
    assert desk.client.entries(thread["id"])[-1]["text"] == "And something else"
    # What they wrote themselves proves nothing: whoever was sent a copy knows its name.
    desk.tell(message(third, "1", "Me too", reply_to=f"{phone}/1"))
    (found,) = desk.client.get("contacts", q=third)["items"]
    assert found["thread_id"] != thread["id"]


def test_who_is_known_keeps_their_own_conversation_whatever_they_answer(
    desk: Desk, phone: str
) -> None:
    other = another(phone)
    desk.tell(message(phone, "1", "Can you come?"), message(other, "1", "Hello"))
    thread, theirs = desk.thread(phone), desk.thread(other)
    entry = written(desk, thread, f"Yes, {phone}")
    written(desk, thread, f"On Friday, {phone}", reply_to=entry["id"])
    name = desk.sent({"text": f"On Friday, {phone}"})["reply_to"]
    desk.tell(message(other, "2", "It was forwarded to me", reply_to=name))
    assert desk.client.entries(theirs["id"])[-1]["text"] == "It was forwarded to me"
