"""What goes out with a letter besides its words: people in copy, signatures, quoted history."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rules import letters
from tests.compose.conftest import Desk, another
from tests.events.test_messages import address, message
from tests.hubs import wait_for
from tests.web.asking import check_problem


def mode_of(desk: Desk, thread: dict[str, Any]) -> dict[str, Any]:
    """How the channel may be written on."""
    compose = desk.client.get(f"threads/{thread['id']}")["compose"]
    return next(one for one in compose if one["channel_id"] == "odd")


def sent(desk: Desk, thread: dict[str, Any], **wanted: Any) -> tuple[dict[str, Any], Any]:
    """A message, and what the plugin was given of it."""
    answer = desk.write(thread, **wanted)
    assert answer.status_code == 201, answer.text
    entry = desk.entry(answer.json(), lambda one: one["status"] == "sent")
    return entry, desk.sent(entry)


@pytest.mark.feature("COMP-12")
def test_people_in_copy_are_kept_shown_and_written_to(desk: Desk, phone: str) -> None:
    partner, boss = another(phone), f"+1404555{phone[-4:]}"
    desk.tell(message(phone, "1", "Can you come?", subject="The roof", cc=[address(partner)]))
    thread = desk.thread(phone)
    (asked,) = desk.client.entries(thread["id"])
    assert [one[-4:] for one in asked["cc"]] == [partner[-4:]]
    mode = mode_of(desk, thread)
    assert mode["copies"]
    assert [one["value"] for one in mode["in_copy"]] == [partner]

    copies = {"cc": [partner, phone, partner], "bcc": [boss]}
    entry, out = sent(desk, thread, body=f"On Friday, {phone}", **copies)
    assert out["address"]["value"] == phone
    assert [one["value"] for one in out["cc"]] == [partner], "each once, and not whom it goes to"
    assert [one["value"] for one in out["bcc"]] == [boss]
    assert [one[-4:] for one in (*entry["cc"], *entry["bcc"])] == [partner[-4:], boss[-4:]]
    assert desk.thread(phone)["id"] == thread["id"]
    assert not any(partner[-4:] in one["contact"]["display"] for one in desk.client.threads())


@pytest.mark.feature("COMP-12", "CONT-03")
def test_nobody_in_copy_who_has_opted_out_is_written_to(desk: Desk, phone: str) -> None:
    partner = another(phone)
    desk.tell(message(phone, "1", "Can you come?"))
    thread = desk.thread(phone)
    desk.tell({"type": "opt_out", "address": address(partner), "how": "replied STOP"})
    refused = desk.write(thread, body="Yes", cc=[partner])
    assert check_problem(refused, 422)["code"] == "opted_out"
    assert partner in refused.json()["detail"]

    # Who opts out while it waits is not written to either, nor anybody else by that message.
    desk.tell({"type": "opt_in", "address": address(partner), "how": "replied START"})
    desk.client.post("channels/odd/pause")
    entry = desk.write(thread, body=f"Yes, {phone}", bcc=[partner]).json()
    desk.tell({"type": "opt_out", "address": address(partner), "how": "replied STOP"})
    desk.client.post("channels/odd/resume")
    failed = desk.entry(entry, lambda one: one["status"] == "failed")
    assert partner in failed["status_reason"]


@pytest.mark.feature("COMP-12")
def test_what_is_wrong_with_a_copy_is_said_at_its_field(desk: Desk, phone: str) -> None:
    desk.tell(message(phone, "1", "Can you come?"))
    thread = desk.thread(phone)
    many = desk.write(thread, body="Yes", cc=[f"+1505555{n:04d}" for n in range(51)])
    assert check_problem(many, 422)["code"] == "too_many_copies"
    assert [one["field"] for one in many.json()["errors"]] == ["cc"]
    other = desk.client.thread_of(thread["contact"]["display"]) or thread
    desk.client.text(phone, "By text", channel="plain")
    plain = desk.write(other, body="Yes", channel_id="plain", bcc=[another(phone)])
    assert check_problem(plain, 422)["code"] == "no_copies"
    assert [one["field"] for one in plain.json()["errors"]] == ["bcc"]


@pytest.mark.feature("COMP-12")
def test_a_letter_carries_signatures_and_what_it_answers(desk: Desk, phone: str) -> None:
    desk.tell(message(phone, "1", "Can you come?\nIt is urgent.", subject="The roof"))
    thread = desk.thread(phone)
    assert mode_of(desk, thread)["signature"] is None
    assert mode_of(desk, thread)["quotes"]
    try:
        desk.client.patch("membership", {"signature": " Ana, roofs and gutters \n"})
        desk.client.patch("settings", {"letters": {"signature": "Acme Ltd"}})
        assert desk.client.get("membership")["signature"] == "Ana, roofs and gutters"
        signature = "-- \nAna, roofs and gutters\nAcme Ltd"
        assert mode_of(desk, thread)["signature"] == signature

        shown = desk.client.post(
            f"threads/{thread['id']}/preview",
            {"channel_id": "odd", "contact_id": thread["contact"]["id"], "body": "Yes"},
        )["blocks"]
        entry, out = sent(desk, thread, body=f"Yes, {phone}")
        text = out["wire"][0]["text"]
        assert text.startswith(f"Yes, {phone}\n\n{signature}\n\nOn ")
        assert text.endswith(" wrote:\n> Can you come?\n> It is urgent.")
        assert entry["text"] == f"Yes, {phone}", "the words alone; what is below is folded"
        below = text.partition("\n\n")[2]
        assert {"type": "quote", "text": below}.items() <= entry["blocks"][-1].items()
        assert shown[-1]["text"] == below, "what is previewed goes out"

        # An answer to the answer quotes both; a letter about something else begins anew.
        _, second = sent(desk, thread, body=f"Sooner, {phone}")
        assert "\n> Yes, " in second["wire"][0]["text"]
        assert "\n>> Can you come?" in second["wire"][0]["text"]
        _, anew = sent(desk, thread, body=f"The bill, {phone}", subject="Your bill")
        assert anew["wire"][0]["text"] == f"The bill, {phone}\n\n{signature}"
        token = {"name": "robot", "capabilities": ["messages.send", "messages.view"]}
        made = desk.client.http.post(desk.client.path("tokens"), json=token).json()
        robot = desk.client.http.post(
            desk.client.path(f"threads/{thread['id']}/messages"),
            json={
                "channel_id": "odd",
                "contact_id": thread["contact"]["id"],
                "body": f"By machine, {phone}",
                "subject": "Status",
            },
            headers={"Authorization": f"Bearer {made['token']}", "Cookie": ""},
        )
        assert robot.status_code == 201, robot.text
        machine = desk.sent(robot.json())
        assert machine["wire"][0]["text"] == f"By machine, {phone}\n\n-- \nAcme Ltd"
    finally:
        desk.client.patch("membership", {"signature": ""})
        desk.client.patch("settings", {"letters": {}})
    _, plain = sent(desk, thread, body=f"Nothing below, {phone}", subject="Anew")
    assert plain["wire"][0]["text"] == f"Nothing below, {phone}"


@given(st.text(alphabet="ab> \n\r", max_size=200))
def test_every_line_of_history_is_marked_and_none_is_lost(text: str) -> None:
    made = letters.quoted(text, who="Zoe", at=0, zone=ZoneInfo("UTC"))
    if not text.strip():
        assert made == ""
        return
    head, *lines = made.split("\n")
    assert head == "On 1 January 1970 at 00:00, Zoe wrote:"
    assert all(line.startswith(">") for line in lines)
    said = text.strip().replace("\r\n", "\n").split("\n")
    assert [line.lstrip("> ").rstrip() for line in lines] == [
        line.lstrip("> ").rstrip() for line in said
    ]


def test_history_that_grows_without_end_is_cut_at_a_line() -> None:
    made = letters.quoted("line\n" * 20_000, who="Zoe", at=0, zone=ZoneInfo("UTC"))
    assert len(made) < 2 * letters.LONGEST_QUOTED
    assert made.endswith(f"> line\n> {letters.CUT}")


@pytest.mark.feature("COMP-08")
def test_an_address_is_looked_at_before_anything_is_sent_to_it(desk: Desk, phone: str) -> None:
    def look(to: str, **more: Any) -> Any:
        wanted = {"channel_id": "plain", "to": to, **more}
        return desk.client.call("POST", "messages/preview", wanted)

    before = len(desk.client.threads())
    new = look(f" {phone[:2]} ({phone[2:5]}) {phone[5:]}", body="Hello").json()
    assert new["to"]["value"] == phone
    assert new["to"]["display"].startswith("+1 ")
    assert (new["may"], new["thread_id"], new["preview"]) == ("free", None, "Hello")
    assert check_problem(look("nobody"), 422)["code"] == "bad_address"
    assert len(desk.client.threads()) == before, "looking begins nothing"
    desk.client.text(phone, "It is me", channel="plain")
    there = wait_for(lambda: (told := look(phone).json())["thread_id"] and told, what="a thread")
    thread = desk.thread(phone)
    assert (there["thread_id"], there["display"]) == (thread["id"], thread["contact"]["display"])
