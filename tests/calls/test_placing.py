"""Calling a contact: the member's phone rings, then theirs, exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.calls.conftest import OWN, House, about, started
from tests.hubs import wait_for

ANAS = "+442079460000"


def call(house: House, phone: str, *, key: str | None = None, **more: Any) -> httpx2.Response:
    thread = house.thread(phone)
    wanted = {"channel_id": "voice", "contact_id": thread["contact"]["id"], **more}
    return house.client.call("POST", f"threads/{thread['id']}/calls", wanted, key=key)


def set_phone(house: House, phone: str | None) -> httpx2.Response:
    return house.client.http.patch("/api/v1/me", json={"phone": phone})


@pytest.fixture(autouse=True)
def reachable(house: House) -> Iterator[None]:
    """Ana has a phone, and the provider is well."""
    assert set_phone(house, ANAS).status_code == 200
    yield
    for word in ("busy", "refused", "slow", "silent", "absent"):
        (house.folder / word).unlink(missing_ok=True)


def rung(house: House, phone: str) -> list[list[str]]:
    return [one for one in house.rung() if one[3] == phone]


@pytest.mark.feature("VOIC-05")
def test_the_number_one_is_rung_at(house: House) -> None:
    me = "/api/v1/me"
    assert house.client.http.get(me).json()["phone"] == ANAS
    for typed, kept in (("+44 (0)20 7946-0001", "+442079460001"), ("", None), (None, None)):
        answer = set_phone(house, typed)
        assert (answer.status_code, answer.json()["phone"]) == (200, kept), answer.text
        assert house.client.http.get(me).json()["phone"] == kept
    for typed in ("020 7946 0000", "+4", "call me", "+1 202 555 0100 ext. 5"):
        answer = set_phone(house, typed)
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_phone"), typed
        assert answer.json()["errors"][0]["field"] == "phone"
    assert house.client.http.patch(me, json={}).json()["phone"] is None, "what is left out stays"


@pytest.mark.feature("VOIC-05", "VOIC-01")
def test_a_contact_is_called_and_the_call_is_followed(house: House, phone: str) -> None:
    house.text(phone, "Please call me")
    detail = house.client.get(f"threads/{house.thread(phone)['id']}")
    (mode,) = (one for one in detail["calls"] if one["channel_id"] == "voice")
    assert (mode["can_call"], mode["reason"]) == (True, None)
    assert [one["value"] for one in mode["to"]] == [phone]
    assert [one["value"] for one in mode["own"]] == [OWN]

    answer = call(house, phone, **{"to": phone, "from": OWN})
    assert answer.status_code == 201, answer.text
    entry = answer.json()
    assert (entry["kind"], entry["group"], entry["direction"]) == ("call", "calls", "out")
    assert entry["author"]["name"] == entry["call"]["member"] == house.client.me["name"]
    assert (entry["call"]["live"], entry["call"]["unresolved"]) == (True, False)
    house.until(entry["id"], lambda one: one["status"] == "sent")
    ((id_, *asked),) = rung(house, phone)
    assert asked == ["call", ANAS, phone, OWN]

    named = f"call-{id_}"
    house.tell(started(named, phone, "out"))
    house.tell(about(named, "call_turn", number=1, speaker="customer", text="Hello?"))
    live = house.entry(entry["id"])["call"]
    assert (live["live"], [one["text"] for one in live["lines"]]) == (True, ["Hello?"])
    assert house.thread(phone)["needs_response"]
    house.tell(about(named, "call_ended", outcome="answered", duration=41))
    over = house.entry(entry["id"])["call"]
    assert (over["live"], over["outcome"], over["duration"]) == (False, "answered", 41.0)
    thread = house.thread(phone)
    assert thread["preview"]["text"] == "Voice call - 41s - ended"
    assert not thread["needs_response"], "they have been spoken to"
    assert len(house.calls(phone)) == 1


@pytest.mark.feature("VOIC-05")
def test_what_the_provider_tells_before_it_has_answered_is_of_the_same_call(
    house: House, phone: str
) -> None:
    house.text(phone, "Please call me")
    slow = house.told("slow")
    entry = call(house, phone).json()
    ((id_, *_),) = wait_for(lambda: rung(house, phone), what="the call")
    named = f"call-{id_}"
    house.tell(about(named, "call_turn", number=1, speaker="member", text="Hi"))
    house.tell(started(named, phone, "out"))
    assert [one["id"] for one in house.calls(phone)] == [entry["id"]]
    now = house.entry(entry["id"])
    assert (now["status"], len(now["call"]["lines"])) == ("sent", 1)
    slow.unlink()
    house.tell(about(named, "call_ended", outcome="missed"))
    now = house.until(entry["id"], lambda one: one["call"]["outcome"])
    assert (now["call"]["outcome"], now["call"]["unresolved"]) == ("missed", False)
    assert house.thread(phone)["preview"]["text"] == "Voice call - not answered"
    assert len(rung(house, phone)) == 1


@pytest.mark.feature("VOIC-05", "OPER-03")
@pytest.mark.parametrize(
    ("word", "reason"),
    [("busy", "all lines are busy"), ("refused", "The number cannot be called.")],
)
def test_a_call_that_failed_says_why_and_is_never_tried_again(
    house: House, phone: str, word: str, reason: str
) -> None:
    house.text(phone, "Please call me")
    trouble = house.told(word)
    entry = call(house, phone).json()
    failed = house.until(entry["id"], lambda one: one["status"] == "failed")
    assert (failed["status_reason"], failed["can_retry"]) == (reason, False)
    assert not failed["call"]["live"]
    thread = house.thread(phone)
    assert thread["preview"]["text"] == "Voice call - failed"
    assert thread["unresolved"] == 0
    retried = house.client.call("POST", f"entries/{entry['id']}/retry")
    assert (retried.status_code, retried.json()["code"]) == (422, "not_a_message")
    trouble.unlink()
    assert call(house, phone).status_code == 201
    second = wait_for(lambda: rung(house, phone)[1:], what="the second call")
    assert len(second) == 1, "the first did not ring again"


@pytest.mark.feature("VOIC-05", "OPER-03")
def test_a_call_of_unknown_outcome_is_not_made_again(house: House, phone: str) -> None:
    house.text(phone, "Please call me")
    house.told("silent")
    entry = call(house, phone).json()
    unknown = house.until(entry["id"], lambda one: one["status"] == "unknown")
    assert unknown["can_resolve"]
    ((id_, *_),) = rung(house, phone)
    house.tell(started(f"call-{id_}", phone, "out"))
    assert house.entry(entry["id"])["status"] == "sent", "the provider tells of it"
    assert [one["id"] for one in house.calls(phone)] == [entry["id"]]
    assert len(rung(house, phone)) == 1


@pytest.mark.feature("VOIC-05", "OPER-03")
def test_the_same_request_rings_once(house: House, phone: str) -> None:
    house.text(phone, "Please call me")
    first = call(house, phone, key=f"call-{phone}").json()
    again = call(house, phone, key=f"call-{phone}").json()
    assert first["id"] == again["id"]
    house.until(first["id"], lambda one: one["status"] == "sent")
    assert len(rung(house, phone)) == 1
    other = call(house, phone, key=f"call-{phone}", to=phone)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


@pytest.mark.feature("VOIC-05")
def test_what_keeps_a_call_from_being_made_is_said(house: House, phone: str, other: str) -> None:
    house.text(phone, "Please call me")
    thread = house.thread(phone)
    for change, code in (
        ({"channel_id": "nothing"}, "no_channel"),
        ({"to": other}, "not_their_address"),
        ({"from": other}, "not_our_address"),
        ({"contact_id": "42"}, "no_address"),
    ):
        answer = call(house, phone, **change)
        assert (answer.status_code, answer.json()["code"]) == (422, code), change
    wanted = {"channel_id": "voice", "contact_id": thread["contact"]["id"], "body": "Hi"}
    written = house.client.call("POST", f"threads/{thread['id']}/messages", wanted)
    assert (written.status_code, written.json()["code"]) == (422, "no_sending")
    set_phone(house, None)
    answer = call(house, phone)
    assert (answer.status_code, answer.json()["code"]) == (422, "no_phone")
    set_phone(house, ANAS)
    house.client.post("channels/voice/pause")
    try:
        answer = call(house, phone)
        assert (answer.status_code, answer.json()["code"]) == (422, "channel_off")
        detail = house.client.get(f"threads/{thread['id']}")
        (mode,) = (one for one in detail["calls"] if one["channel_id"] == "voice")
        assert not mode["can_call"]
        assert "Paused" in mode["reason"]
    finally:
        house.client.post("channels/voice/resume")
    assert rung(house, phone) == []


@pytest.mark.feature("VOIC-03", "VOIC-05")
def test_a_call_of_ours_can_be_moved_too(house: House, phone: str, other: str) -> None:
    house.text(phone, "Please call me")
    house.text(other, "No, me")
    entry = call(house, phone).json()
    house.until(entry["id"], lambda one: one["status"] == "sent")
    target = house.thread(other)
    to = {"contact_id": target["contact"]["id"]}
    house.client.post(f"entries/{entry['id']}/reassign", to)
    ((id_, *_),) = rung(house, phone)
    house.tell(about(f"call-{id_}", "call_ended", outcome="answered", duration=3))
    now = house.entry(entry["id"])
    assert (now["thread_id"], now["call"]["duration"]) == (target["id"], 3.0)
    assert now["author"]["name"] == house.client.me["name"]
    assert house.thread(other)["preview"]["text"] == "Voice call - 3s - ended"
    assert house.thread(phone)["preview"]["text"] == "Please call me"
