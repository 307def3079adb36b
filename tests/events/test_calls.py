"""Calls, as the API shows them, whatever the order in which they are told."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.events.conftest import OWN, House
from tests.events.test_messages import about, address, message


def started(phone: str, id_: str, direction: str = "in", **more: Any) -> dict[str, Any]:
    caller = [address(phone)]
    told = {"direction": direction, "caller": caller, "own_address": OWN, **more}
    return about(phone, id_, "call_started", **told)


@pytest.mark.feature("VOIC-01", "THRD-07")
def test_a_call_is_one_entry_whatever_comes_first(house: House, phone: str) -> None:
    told = (
        started(phone, "1", caller_name="Zoë"),
        about(phone, "1", "call_ended", outcome="answered", duration=252.4),
        about(phone, "1", "transcript", turns=[[0.5, "customer", "My boiler7 leaks"]]),
        about(phone, "1", "recording", media={"provider_id": "gone"}),
        about(phone, "1", "recording", media={"provider_id": "gone"}, duration=252),
    )
    for one in (*reversed(told), *told):
        house.tell(one)
    (thread,) = house.client.threads(q="boiler7")
    assert thread["contact"]["display"] == "Zoë"
    (entry,) = house.client.entries(thread["id"])
    assert (entry["kind"], entry["group"], entry["direction"]) == ("call", "calls", "in")
    call = entry["call"]
    assert (call["outcome"], call["duration"]) == ("answered", 252.4)
    assert call["lines"] == [{"at": 0.5, "speaker": "customer", "text": "My boiler7 leaks"}]
    assert len(entry["attachments"]) == 1, "the recording, once"
    assert thread["preview"]["text"] == "Voice call - 4m 12s - ended"
    assert not thread["needs_response"]


@pytest.mark.feature("VOIC-01")
def test_every_order_gives_the_same_call(house: House, phone: str) -> None:
    kinds = ("started", "ended", "voicemail")
    for number, order in enumerate(itertools.permutations(kinds)):
        caller, id_ = f"{phone[:-1]}{number}7", str(number)
        told = {
            "started": started(caller, id_),
            "ended": about(caller, id_, "call_ended", outcome="missed"),
            "voicemail": about(
                caller, id_, "voicemail", media=None, duration=8, text="Call me back"
            ),
        }
        house.tell(*(told[kind] for kind in order))
        thread = house.thread(caller)
        assert (thread["needs_response"], thread["unread"]) == (True, 1), order
        assert thread["preview"]["text"] == "Voicemail - 0:08"
        (entry,) = house.client.entries(thread["id"])
        call = entry["call"]
        assert (call["outcome"], call["duration"]) == ("voicemail", 8.0), order
        assert call["voicemail"] == "Call me back"


@pytest.mark.feature("VOIC-01", "ROUT-02")
def test_calls_join_the_callers_conversation_withheld_ones_stand_alone(
    house: House, phone: str
) -> None:
    house.tell(message(phone, "1", "Call me"), started(phone, "2", "out"))
    house.tell(about(phone, "2", "call_ended", outcome="missed"))
    thread = house.thread(phone)
    assert [one["kind"] for one in house.client.entries(thread["id"])] == ["message", "call"]
    assert (thread["preview"]["text"], thread["unread"]) == ("Voice call - not answered", 1)
    before = {one["id"] for one in house.client.threads()}
    for id_ in ("3", "4", "4"):
        house.tell(started(phone, id_, caller=[]))
    withheld = [one for one in house.client.threads() if one["id"] not in before]
    assert [one["contact"]["display"] for one in withheld] == ["Withheld number"] * 2


@pytest.mark.feature("VOIC-04")
def test_a_voice_agents_report_stands_at_the_call(house: House, phone: str) -> None:
    report = about(
        phone, "1", "call_outcome", summary="Wants a new boiler", facts={"Address": "12 High St"},
        outcome="qualified", follow_up="Call back with a price", due_at="2026-01-02T09:00:00Z",
    )  # fmt: skip
    turn = about(phone, "1", "call_turn", number=1, speaker="customer", text="Hello?")
    house.tell(started(phone, "1"), turn, report)
    (entry,) = house.client.entries(house.thread(phone)["id"])
    call = entry["call"]
    assert (call["outcome"], call["summary"]) == (None, "Wants a new boiler")
    assert call["facts"] == [["Address", "12 High St"]]
    assert (call["result"], call["follow_up"]) == ("qualified", "Call back with a price")
    assert call["due_at"] == "2026-01-02T09:00:00Z"
    assert [one["text"] for one in call["lines"]] == ["Hello?"]
