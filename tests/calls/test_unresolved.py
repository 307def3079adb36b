"""Calls that a person has to see to stay in Unread until one has."""

from __future__ import annotations

import itertools

import pytest

from tests.calls.conftest import House, about, started


@pytest.mark.feature("VOIC-02", "THRD-11", "FILT-02")
def test_a_missed_call_stays_unread_until_it_is_resolved(house: House, phone: str) -> None:
    before = house.unread()
    house.text(phone, "Call me")
    entry = house.call(phone, outcome="missed")
    assert entry["call"]["unresolved"]
    thread = house.thread(phone)
    assert (thread["unread"], thread["unresolved"]) == (2, 1)
    read = house.client.post(f"threads/{thread['id']}/read", {"up_to": entry["id"]})
    assert (read["unread"], read["unresolved"]) == (1, 1), "reading is not resolving"
    assert house.unread() == (before[0] + 1, before[1] + 1)

    since = house.position()
    done = house.client.post(f"entries/{entry['id']}/resolve", {"outcome": "resolved"})["call"]
    assert not done["unresolved"]
    assert done["resolved_by"] == house.client.me["name"]
    assert done["resolved_at"] is not None
    (told,) = (one["thread"] for one in house.changes(since) if "thread" in one)
    assert (told["id"], told["unread"], told["unresolved"]) == (thread["id"], 0, 0)
    assert house.unread() == before
    again = house.client.call("POST", f"entries/{entry['id']}/resolve", {"outcome": "resolved"})
    assert (again.status_code, again.json()["code"]) == (409, "not_unresolved")
    assert [line[0] for line in house.audit(entry["id"])] == ["call.resolved"]


@pytest.mark.feature("VOIC-02")
@pytest.mark.parametrize("outcome", ["missed", "busy", "canceled", "failed", "voicemail"])
def test_nobody_has_spoken_to_them(house: House, phone: str, outcome: str) -> None:
    entry = house.call(phone, outcome=outcome)
    assert entry["call"]["unresolved"]
    house.client.post(f"entries/{entry['id']}/resolve", {"outcome": "resolved"})
    thread = house.thread(phone)
    assert (thread["unread"], thread["needs_response"]) == (0, False)


@pytest.mark.feature("VOIC-02", "THRD-11")
def test_a_call_that_was_answered_is_nothing_to_read(house: House, phone: str) -> None:
    entry = house.call(phone, outcome="answered", duration=41)
    assert not entry["call"]["unresolved"]
    thread = house.thread(phone)
    assert (thread["unread"], thread["unresolved"], thread["status"]) == (0, 0, "open")
    unread = house.client.call("POST", f"threads/{thread['id']}/unread")
    assert (unread.status_code, unread.json()["code"]) == (422, "nothing_to_read")


@pytest.mark.feature("VOIC-02")
def test_what_turns_out_otherwise_settles_itself(house: House, phone: str) -> None:
    """Two of a team's phones ring; one declines, the other answers."""
    told = {
        "started": started(f"{phone}/1", phone),
        "missed": about(f"{phone}/1", "call_ended", outcome="missed"),
        "answered": about(f"{phone}/1", "call_ended", outcome="answered", duration=60),
    }
    for number, order in enumerate(itertools.permutations(told)):
        caller, id_ = f"+1303555{number}{phone[-3:]}", f"{phone}/{number}"
        for name in order:
            one = {**told[name], "external_id": id_}
            if name == "started":
                one = started(id_, caller)
            house.tell(one)
        thread = house.thread(caller)
        assert (thread["unread"], thread["needs_response"]) == (0, False), order
        assert thread["preview"]["text"] == "Voice call - 1m 0s - ended"


@pytest.mark.feature("VOIC-02")
def test_what_they_wrote_since_still_needs_an_answer(house: House, phone: str) -> None:
    entry = house.call(phone, outcome="missed")
    house.text(phone, "Nobody there?")
    house.client.post(f"entries/{entry['id']}/resolve", {"outcome": "resolved"})
    thread = house.thread(phone)
    assert (thread["needs_response"], thread["unread"], thread["unresolved"]) == (True, 1, 0)


@pytest.mark.feature("VOIC-02")
def test_a_voicemail_that_comes_after_all_is_to_be_heard(house: House, phone: str) -> None:
    entry = house.call(phone, outcome="missed")
    house.client.post(f"entries/{entry['id']}/resolve", {"outcome": "resolved"})
    left = about(f"{phone}/1", "voicemail", media=None, duration=38, text="Please call back")
    house.tell(left)
    assert house.entry(entry["id"])["call"]["unresolved"]
    assert house.thread(phone)["unresolved"] == 1
    house.client.post(f"entries/{entry['id']}/resolve", {"outcome": "resolved"})
    house.tell({**left, "text": "Please call back!"})  # the same, in other words
    assert not house.entry(entry["id"])["call"]["unresolved"]


@pytest.mark.feature("LIST-06")
def test_how_calls_read_in_the_list(house: House, phone: str) -> None:
    for id_, ended, preview in (
        ("1", {}, "Incoming call"),
        ("2", {"outcome": "answered", "duration": 41}, "Voice call - 41s - ended"),
        ("3", {"outcome": "answered"}, "Voice call - ended"),
        ("4", {"outcome": "missed"}, "Missed call"),
        ("5", {"outcome": "failed"}, "Voice call - failed"),
    ):
        house.call(phone, id_=id_, **ended)
        assert house.thread(phone)["preview"]["text"] == preview
    house.call(phone, id_="6")
    house.tell(about(f"{phone}/6", "voicemail", media=None, duration=38, text="Hello"))
    assert house.thread(phone)["preview"]["text"] == "Voicemail - 0:38"


@pytest.mark.feature("VOIC-04", "VOIC-02")
def test_what_an_agent_promised_and_left_to_a_person(house: House, phone: str) -> None:
    entry = house.call(phone, outcome="answered", duration=90)
    assert house.thread(phone)["unread"] == 0
    report = about(
        f"{phone}/1", "call_outcome", summary="Wants a price", facts={"Address": "12 High St"},
        outcome="qualified", follow_up="Call back with a price", due_at="2026-01-02T09:00:00Z",
        handed_over=True,
    )  # fmt: skip
    house.tell(report)
    thread = house.thread(phone)
    assert (thread["unresolved"], thread["needs_response"]) == (1, True)
    assert thread["preview"]["text"] == "Voice call - 1m 30s - handed over"
    call = house.entry(entry["id"])["call"]
    assert (call["handed_over"], call["unresolved"]) == (True, True)
    assert (call["due_at"], call["follow_up_done_at"]) == ("2026-01-02T09:00:00Z", None)

    path = f"entries/{entry['id']}/follow-up"
    first = house.client.post(path, {"done": True})["call"]["follow_up_done_at"]
    assert first is not None
    assert house.client.post(path, {"done": True})["call"]["follow_up_done_at"] == first
    assert house.client.post(path, {"done": False})["call"]["follow_up_done_at"] is None
    assert house.entry(entry["id"])["call"]["unresolved"], "a promise kept is not all there is"
    house.client.post(f"entries/{entry['id']}/resolve", {"outcome": "resolved"})
    assert house.thread(phone)["unresolved"] == 0
    house.tell(report)
    assert house.thread(phone)["unresolved"] == 0


@pytest.mark.feature("VOIC-04")
def test_where_nothing_was_promised_there_is_nothing_to_do(house: House, phone: str) -> None:
    entry = house.call(phone, outcome="missed")
    house.text(phone, "Hello")
    texts = house.client.entries(house.thread(phone)["id"], kind="texts")
    for id_, code in ((entry["id"], "no_follow_up"), (texts[0]["id"], "not_a_call")):
        answer = house.client.call("POST", f"entries/{id_}/follow-up", {"done": True})
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    answer = house.client.call("POST", f"entries/{texts[0]['id']}/resolve", {"outcome": "resolved"})
    assert (answer.status_code, answer.json()["code"]) == (422, "not_a_call")


@pytest.mark.feature("ROUT-02", "COMP-02")
def test_withheld_callers_have_conversations_of_their_own(house: House, phone: str) -> None:
    first, second = house.call(None, outcome="missed"), house.call(None, outcome="missed")
    assert first["thread_id"] != second["thread_id"]
    assert (first["address"], second["address"]) == (None, None)
    detail = house.client.get(f"threads/{first['thread_id']}")
    assert detail["contact"]["display"] == "Withheld number"
    assert [one["channel_id"] for one in detail["compose"]] == ["texts"], "voice is no composer"
    (mode,) = detail["compose"]
    assert (mode["can_send"], mode["reason"]) == (False, "No number is known: no reply is possible")
    (calling,) = (one for one in detail["calls"] if one["channel_id"] == "voice")
    assert (calling["can_call"], calling["reason"]) == (False, "No number is known")
    house.call(phone, id_="1", outcome="missed")
    house.call(phone, id_="2", outcome="missed")
    assert len(house.calls(phone)) == 2, "who shows a number has one conversation"
    (mode,) = house.client.get(f"threads/{house.thread(phone)['id']}")["compose"]
    assert (mode["can_send"], mode["to"][0]["value"]) == (True, phone), "reply by text"
