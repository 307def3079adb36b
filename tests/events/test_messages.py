"""What providers tell of messages after they were written, as the API shows it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.events.conftest import OWN, House


def address(phone: str) -> dict[str, Any]:
    return {"scheme": "phone", "value": phone}


def message(phone: str, id_: str, text: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "message", "external_id": f"{phone}/{id_}", "sender": [address(phone)],
        "own_address": OWN, "text": text, **more,
    }  # fmt: skip


def echo(phone: str, id_: str, text: str, **more: Any) -> dict[str, Any]:
    told = message(phone, id_, text, **more)
    return {**told, "sender": [], "echo": True, "recipient": address(phone)}


def about(phone: str, id_: str, type_: str, **more: Any) -> dict[str, Any]:
    return {"type": type_, "external_id": f"{phone}/{id_}", **more}


@pytest.mark.feature("THRD-03", "ROUT-01")
def test_what_was_sent_elsewhere_stands_in_the_conversation(house: House, phone: str) -> None:
    house.tell(message(phone, "1", "Are you open?"))
    assert house.thread(phone)["needs_response"]
    house.tell(echo(phone, "2", "Until six", sender_name="Ben's phone"))
    house.tell(echo(phone, "2", "Until six"))
    thread = house.thread(phone)
    assert (thread["needs_response"], thread["unread"]) == (False, 1)
    _, sent = house.client.entries(thread["id"])
    assert (sent["direction"], sent["text"], sent["status"]) == ("out", "Until six", "sent")
    assert sent["author"] == {"kind": "elsewhere", "id": None, "name": "Ben's phone"}
    assert [sent[name] for name in ("can_retry", "can_cancel", "can_resolve")] == [False] * 3
    house.tell(about(phone, "2", "receipt", status="read"))
    house.tell(about(phone, "2", "receipt", status="delivered"))
    assert house.client.entries(thread["id"])[1]["status"] == "read"


@pytest.mark.feature("THRD-03")
def test_a_receipt_of_an_echo_may_come_first(house: House, phone: str) -> None:
    house.tell(about(phone, "1", "receipt", status="delivered"))
    house.tell(echo(phone, "1", "On our way"))
    thread = house.thread(phone)
    assert thread["status"] == "outbound_only"
    assert [one["status"] for one in house.client.entries(thread["id"])] == ["delivered"]


@pytest.mark.feature("THRD-03")
def test_an_answer_quotes_what_it_answers_but_of_nobody_else(house: House, phone: str) -> None:
    other = phone.replace("+1202", "+1303")
    house.tell(message(other, "1", "a secret"), message(phone, "1", "Monday or Tuesday?"))
    house.tell(
        message(phone, "2", "The first", reply_to=f"{phone}/1"),
        message(phone, "3", "What was that?", reply_to=f"{other}/1"),
        message(phone, "4", "Hm", reply_to="nobody knows"),
    )
    first, *answers = house.client.entries(house.thread(phone)["id"])
    quoted = {"entry_id": first["id"], "text": "Monday or Tuesday?", "direction": "in"}
    assert [one["answers"] for one in answers] == [quoted, None, None]


@pytest.mark.feature("THRD-12", "FILT-08")
def test_an_edit_shows_the_newest_words_and_keeps_the_others(house: House, phone: str) -> None:
    house.tell(about(phone, "1", "edited", text="At nine", occurred_at="2026-01-01T12:00:02Z"))
    house.tell(message(phone, "1", "At seven", occurred_at="2026-01-01T12:00:00Z"))
    earlier = about(phone, "1", "edited", text="At quarter8", occurred_at="2026-01-01T12:00:01Z")
    house.tell(earlier)
    house.tell(earlier)
    thread = house.thread(phone)
    (entry,) = house.client.entries(thread["id"])
    assert entry["text"] == thread["preview"]["text"] == "At nine"
    assert entry["edited_at"] == "2026-01-01T12:00:02Z"
    assert [one["text"] for one in entry["wordings"]] == ["At seven", "At quarter8"]
    later = about(phone, "1", "edited", text="At midnight12", occurred_at="2026-01-01T12:00:03Z")
    house.tell(later)
    found = [house.client.threads(q=word) for word in ("midnight12", "quarter8")]
    assert [[one["id"] == thread["id"] for one in page] for page in found] == [[True], []]


@pytest.mark.feature("THRD-12")
def test_what_was_taken_back_says_so_and_keeps_its_words(house: House, phone: str) -> None:
    house.tell(message(phone, "1", "Call me names"), about(phone, "1", "deleted"))
    thread = house.thread(phone)
    assert thread["preview"]["text"] == "Message was taken back"
    entry, line = house.client.entries(thread["id"])
    assert entry["deleted_at"] is not None
    assert entry["text"] == "Call me names"
    assert line["event"] == {"type": "taken_back", "entry_id": entry["id"], "by": None}


@pytest.mark.feature("THRD-02")
def test_reactions_of_several_people_come_and_go(house: House, phone: str) -> None:
    def reaction(who: str, emoji: str | None, second: int) -> dict[str, Any]:
        return {
            "type": "reaction", "external_id": f"r{second}", "to": f"{phone}/1", "emoji": emoji,
            "sender": [address(who)], "occurred_at": f"2026-01-01T12:00:0{second}Z",
        }  # fmt: skip

    house.tell(reaction(phone, "👍", 1), message(phone, "1", "Done"))
    house.tell(reaction(OWN, "🎉", 2), reaction(phone, "❤️", 3))
    thread = house.thread(phone)
    (entry,) = house.client.entries(thread["id"])
    assert [one["emoji"] for one in entry["reactions"]] == ["🎉", "❤️"]
    house.tell(reaction(phone, None, 5))
    house.tell(reaction(phone, "👎", 4))
    (entry,) = house.client.entries(thread["id"])
    assert [one["emoji"] for one in entry["reactions"]] == ["🎉"]
    assert house.thread(phone)["unread"] == 1, "a reaction is no message"


@pytest.mark.feature("THRD-04")
def test_opens_and_clicks_are_counted_once_each_and_move_no_status(
    house: House, phone: str
) -> None:
    house.tell(message(phone, "1", "A quote, please"))
    thread = house.thread(phone)
    id_, external = house.send(thread, "Here it is")
    times = [f"2026-01-01T12:00:0{second}Z" for second in (3, 1, 2, 1)]
    for at in times:
        house.tell({"type": "opened", "external_id": external, "occurred_at": at})
    for at, url in ((times[1], "https://a.example"), (times[0], "https://b.example")):
        told = {"type": "clicked", "external_id": external, "url": url, "occurred_at": at}
        house.tell(told, told)
    entry = house.client.entries(thread["id"])[-1]
    assert (entry["id"], entry["status"]) == (id_, "sent")
    assert entry["engagement"] == {
        "opened": {"count": 3, "first_at": times[1], "last_at": times[0]},
        "clicked": {"count": 2, "first_at": times[1], "last_at": times[0]},
        "clicked_url": "https://b.example",
    }


@pytest.mark.feature("ROUT-01")
def test_an_identity_that_changed_leads_to_the_same_contact(house: House, phone: str) -> None:
    new = phone.replace("+1202", "+1404")
    house.tell(message(phone, "1", "From my old number"))
    thread = house.thread(phone)
    changed = {"type": "contact_changed", "old": address(phone), "new": address(new)}
    house.tell(changed)
    house.tell(changed)
    house.tell(message(new, "1", "From my new one"), message(phone, "2", "And the old one"))
    assert len(house.client.entries(thread["id"])) == 3
    details = house.client.get(f"threads/{thread['id']}")["details"]
    assert {one["value"] for one in details["addresses"]} == {phone, new}


@pytest.mark.feature("ROUT-01")
def test_answers_go_to_the_new_identity(house: House, phone: str) -> None:
    new = phone.replace("+1202", "+1404")
    house.tell(message(phone, "1", "Hello"))
    thread = house.thread(phone)
    house.tell({"type": "contact_changed", "old": address(phone), "new": address(new)})
    (mode,) = house.client.get(f"threads/{thread['id']}")["compose"]
    assert [one["value"] for one in mode["to"]] == [new, phone]


@pytest.mark.feature("ROUT-01", "ROUT-02")
def test_an_identity_known_of_two_contacts_goes_to_who_had_the_old_one(
    house: House, phone: str
) -> None:
    """They have written from the new number before the provider told of it."""
    new = f"+1404555{int(phone[-4:]) + 5000:04d}"
    house.tell(message(phone, "1", "From my old number", sender_name="Zoe"))
    house.tell(message(new, "1", "From my new one"))
    old_thread = next(one for one in house.client.threads() if one["contact"]["name"] == "Zoe")
    new_thread = house.thread(new)
    changed = {"type": "contact_changed", "old": address(phone), "new": address(new)}
    house.tell(changed)
    house.tell(changed)
    details = house.client.get(f"threads/{old_thread['id']}")
    assert {one["value"] for one in details["details"]["addresses"]} == {phone, new}
    (mode,) = details["compose"]
    assert mode["to"][0]["value"] == new
    first, line = house.client.entries(old_thread["id"])
    assert line["event"]["type"] == "reached_at"
    assert line["event"]["thread_id"] == new_thread["id"]
    kept, moved = house.client.entries(new_thread["id"])
    assert (first["text"], kept["text"]) == ("From my old number", "From my new one")
    assert (moved["event"]["type"], moved["event"]["contact"]) == ("moved_away", "Zoe")
    assert moved["event"]["thread_id"] == old_thread["id"]
    left = house.client.get(f"threads/{new_thread['id']}")
    assert left["contact"]["name"] == moved["event"]["address"]
    assert (left["unread"], left["needs_response"]) == (1, True)
    assert [one["can_send"] for one in left["compose"]] == [False]
    found = house.client.get("threads", q=new, status="all")["items"]
    assert {one["id"] for one in found} == {old_thread["id"], new_thread["id"]}
    house.tell(message(new, "2", "And again"))
    assert [one["text"] for one in house.client.entries(old_thread["id"])][-1] == "And again"
    assert len(house.client.entries(new_thread["id"])) == 2


@pytest.mark.feature("THRD-03")
def test_what_is_taken_back_is_said_where_it_is_read_last(house: House, phone: str) -> None:
    house.tell(message(phone, "1", "Wrong window"), message(phone, "2", "Hello"))
    house.tell(about(phone, "1", "deleted"))
    house.tell(about(phone, "1", "deleted"))
    thread = house.thread(phone)
    first, _, line = house.client.entries(thread["id"])
    assert (first["text"], first["deleted_at"] is not None) == ("Wrong window", True)
    assert (line["kind"], line["text"]) == ("system", "A message was taken back")
    assert line["event"]["entry_id"] == first["id"]
