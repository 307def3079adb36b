"""Whom a call belongs to is found by name and by number, in whatever form."""

from __future__ import annotations

import pytest

from tests.calls.conftest import House, started


@pytest.mark.feature("VOIC-03")
def test_contacts_are_found_by_name_and_number(house: House, phone: str) -> None:
    name = f"Zoë Sandström{phone[-4:]}"
    house.tell(started(f"{phone}/1", phone, caller_name=name))
    thread = house.thread_named(name)
    national = f"({phone[2:5]}) {phone[5:8]}-{phone[8:]}"
    for typed in (phone, phone[1:], national, f"001 {phone[2:]}", name, name.lower(),
                  f"sandstrom{phone[-4:]}"):  # fmt: skip
        (found,) = house.client.get("contacts", q=typed)["items"]
        assert found == {
            "id": thread["contact"]["id"],
            "name": name,
            "display": name,
            "addresses": [
                {"scheme": "phone", "value": phone, "display": found["addresses"][0]["display"]}
            ],
            "thread_id": thread["id"],
        }
    assert house.client.get("contacts", q=f"nobody{phone}")["items"] == []


def test_without_a_question_who_was_active_last_comes_first(house: House, phone: str) -> None:
    house.text(phone, "Hello")
    newest = house.client.threads()[0]
    first, *_ = house.client.get("contacts", limit=2)["items"]
    assert first["thread_id"] == newest["id"]
    assert len(house.client.get("contacts", limit=2)["items"]) == 2
