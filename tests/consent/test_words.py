"""STOP, START and HELP, consent by hand, and its history, as members and customers see them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.hubs import Client, HubProcess, wait_for
from tests.web.asking import check_problem

pytestmark = pytest.mark.feature("CONT-03")


def thread_with(client: Client, number: str) -> dict[str, Any]:
    """The conversation with a number."""

    def look() -> dict[str, Any] | None:
        for one in client.threads():
            detail = client.get(f"threads/{one['id']}")
            if any(each["value"].endswith(number[-4:]) for each in detail["consents"]):
                return detail
        return None

    return wait_for(look, what="the conversation")


def says(client: Client, number: str, text: str) -> dict[str, Any]:
    """A customer writes; their conversation once it is there."""
    before = len([one for one in all_entries(client, number) if one["text"] == text])
    client.text(number, text, channel="texts")
    wait_for(
        lambda: sum(one["text"] == text for one in all_entries(client, number)) > before,
        what="the message",
    )
    return thread_with(client, number)


def all_entries(client: Client, number: str) -> list[dict[str, Any]]:
    for one in client.threads():
        if number[-4:] in one["contact"]["display"]:
            return client.entries(one["id"], limit=200)
    return []


def automatic(client: Client, thread: dict[str, Any]) -> list[dict[str, Any]]:
    """What the hub has written by itself."""
    return [
        one
        for one in client.entries(thread["id"], limit=200)
        if (one["kind"], one["author"]["kind"]) == ("message", "system")
    ]


def consent(thread: dict[str, Any], channel: str = "texts") -> dict[str, Any]:
    (found,) = [one for one in thread["consents"] if one["channel_id"] == channel]
    return found


def write(client: Client, thread: dict[str, Any], text: str = "Hi") -> Any:
    body = {"channel_id": "texts", "contact_id": thread["contact"]["id"], "body": text}
    return client.call("POST", f"threads/{thread['id']}/messages", body)


def change(client: Client, thread: dict[str, Any], state: str, **more: Any) -> Any:
    body = {"channel_id": "texts", "state": state, **more}
    return client.call("POST", f"contacts/{thread['contact']['id']}/consent", body)


def history(client: Client, thread: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    items = client.get(f"contacts/{thread['contact']['id']}/consent")["items"]
    return [(one["state"], one["how"], one["by"]) for one in items]


def test_a_word_that_only_the_hub_knows_is_heeded_and_confirmed_once(
    ana: Client, number: str
) -> None:
    thread = says(ana, number, "Hola")
    assert thread["needs_response"] is True
    assert consent(thread)["state"] is None
    ana.patch(f"threads/{thread['id']}", {"needs_response": False})
    for _ in range(2):
        thread = says(ana, number, "¡Parar!")
    assert (consent(thread)["state"], consent(thread)["how"]) == ("out", "replied ¡Parar!")
    assert thread["needs_response"] is False, "it asks for nothing"
    sent = wait_for(lambda: automatic(ana, thread), what="the confirmation")
    assert len(sent) == 1
    assert "Reply START" in sent[0]["text"]
    wait_for(
        lambda: automatic(ana, thread)[0]["status"] in {"sent", "delivered"},
        what="that it goes out, though they have opted out",
    )
    assert check_problem(write(ana, thread), 422)["code"] == "opted_out"
    (mode,) = [one for one in thread["compose"] if one["channel_id"] == "texts"]
    assert mode["can_send"] is False
    assert mode["reason"].startswith("Opted out on ")
    assert consent(thread, "other")["state"] is None, "each channel by itself"

    thread = says(ana, number, "Alta")
    assert consent(thread)["state"] == "in"
    assert write(ana, thread).is_success
    assert history(ana, thread) == [("in", "replied Alta", None), ("out", "replied ¡Parar!", None)]
    wait_for(lambda: len(automatic(ana, thread)) == 2, what="the answer to that")


def test_what_the_provider_has_answered_the_hub_does_not(ana: Client, number: str) -> None:
    for text, state in (("STOP", "out"), ("START", "in"), ("STOP", "out"), ("yes", "in")):
        thread = says(ana, number, text)
        assert consent(thread)["state"] == state, text
    says(ana, number, "HELP")
    assert automatic(ana, thread) == []
    assert [one[0] for one in history(ana, thread)] == ["in", "out", "in", "out"]


def test_yes_is_an_answer_of_who_has_not_opted_out(ana: Client, number: str) -> None:
    thread = says(ana, number, "Yes")
    assert thread["needs_response"] is True
    assert history(ana, thread) == []


def test_help_is_answered_once_an_hour(ana: Client, number: str) -> None:
    thread = says(ana, number, "Ayuda")
    for _ in range(2):
        says(ana, number, "Ayuda")
    texts = [one["text"] for one in automatic(ana, thread)]
    assert texts in (
        ["Reply STOP to get no more messages from this number."],
        ["Reply STOP to get no more messages from this number."] * 2,  # over the full hour
    )


def test_a_message_that_waits_is_not_sent_any_more(ana: Client, number: str) -> None:
    thread = says(ana, number, "Hello")
    ana.post("channels/texts/pause")
    try:
        entry = write(ana, thread, "On our way").json()
        thread = says(ana, number, "STOP")
        assert consent(thread)["state"] == "out"
    finally:
        ana.post("channels/texts/resume")

    def failed() -> dict[str, Any] | None:
        (found,) = [one for one in ana.entries(thread["id"]) if one["id"] == entry["id"]]
        return found if found["status"] == "failed" else None

    assert "opted out" in wait_for(failed, what="its failure")["status_reason"]


def test_by_hand_with_a_reason_where_they_opted_out_themselves(
    ana: Client, hub: HubProcess, number: str
) -> None:
    name = ana.me["name"]
    thread = says(ana, number, "Hello")
    assert change(ana, thread, "out").json()["items"][0]["state"] == "out"
    found = consent(ana.get(f"threads/{thread['id']}"))
    assert (found["how"], found["by"]) == ("by hand", name)
    assert change(ana, thread, "in").is_success, "what a member did a member may take back"
    thread = says(ana, number, "STOP")
    problem = check_problem(change(ana, thread, "in"), 422)
    assert (problem["code"], problem["errors"][0]["field"]) == ("reason_needed", "how")
    assert change(ana, thread, "in", how="rang us on Monday").is_success
    assert history(ana, thread) == [
        ("in", "rang us on Monday", name),
        ("out", "replied STOP", None),
        ("in", "by hand", name),
        ("out", "by hand", name),
    ]
    path = f"contacts/{thread['contact']['id']}/consent"
    page = ana.get(path, limit=3)
    rest = ana.get(path, limit=3, cursor=page["next_cursor"])
    assert (len(page["items"]), len(rest["items"]), rest["next_cursor"]) == (3, 1, None)


def test_only_who_may_write_changes_it_and_only_what_is_there(
    ana: Client, hub: HubProcess, number: str
) -> None:
    thread = says(ana, number, "Hello")
    viewer, gated = (
        hub.client("viewer@example.com", "correct-horse-battery"),
        hub.client("gated@example.com", "correct-horse-battery"),
    )
    limited = hub.client("limited@example.com", "correct-horse-battery")
    stranger = hub.client("stranger@example.com", "correct-horse-battery")
    check_problem(change(viewer, thread, "out"), 403)
    assert history(viewer, thread) == []
    stranger.org = "branch"
    for client in (stranger, limited):
        check_problem(change(client, thread, "out"), 404)
        path = f"contacts/{thread['contact']['id']}/consent"
        check_problem(client.call("GET", path), 404)
    for more, field in (
        ({"channel_id": "nowhere"}, "channel_id"),
        ({"address": "+12025559999"}, "address"),
        ({"how": "x" * 501}, "how"),
    ):
        problem = check_problem(change(ana, thread, "out", **more), 422)
        assert problem["errors"][0]["field"] == field
    check_problem(change(ana, thread, "perhaps"), 400)
    assert change(gated, thread, "out").is_success
    assert [one[0] for one in history(ana, thread)] == ["out"]


@pytest.mark.feature("AUTO-03")
def test_what_goes_by_itself_waits_for_the_morning_and_holds_up_nothing(
    ana: Client, number: str
) -> None:
    thread = says(ana, number, "Hello")
    now = datetime.now(ZoneInfo("America/New_York"))  # where the number is from
    quiet = {
        "on": True,
        "start": f"{now - timedelta(hours=2):%H:%M}",
        "end": f"{now + timedelta(hours=2):%H:%M}",
    }

    def held() -> list[str]:
        return [
            one["status"]
            for one in ana.entries(thread["id"], limit=200)
            if one["text"].startswith("Reply STOP")
        ]

    ana.post("channels/texts/pause")
    try:
        says(ana, number, "Ayuda")
        assert held() == ["pending"]
        ana.patch("settings", {"quiet_hours": quiet})
        ana.post("channels/texts/resume")
        wait_for(lambda: held() == ["scheduled"], what="that it is held back")
        assert write(ana, thread, "A person writes").is_success
        wait_for(
            lambda: any(
                one["text"] == "A person writes" and one["status"] == "delivered"
                for one in ana.entries(thread["id"], limit=200)
            ),
            what="what a person has written",
        )
        says(ana, number, "Baja")
        wait_for(
            lambda: any(
                "Reply START" in one["text"] and one["status"] in {"sent", "delivered"}
                for one in ana.entries(thread["id"], limit=200)
            ),
            what="the confirmation, which waits for nothing",
        )
        assert held() == ["scheduled"]
    finally:
        ana.patch("settings", {"quiet_hours": {}})
        ana.post("channels/texts/resume")
