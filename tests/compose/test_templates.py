"""Messages made of templates, previews, and windows in which anything may be written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.compose.conftest import REMINDER, Desk, another
from tests.events.test_messages import message
from tests.hubs import wait_for
from tests.web.asking import check_problem

NAMED = {"name": "reminder", "language": "en"}
VALUES = {"day": "Thursday", "time": "nine"}


def begun(desk: Desk, phone: str) -> dict[str, Any]:
    desk.tell(message(phone, "1", "Hello"))
    return desk.thread(phone)


def mode(desk: Desk, thread: dict[str, Any]) -> dict[str, Any]:
    found = desk.client.get(f"threads/{thread['id']}")["compose"]
    return next(one for one in found if one["channel_id"] == "odd")


def preview(desk: Desk, thread: dict[str, Any], **wanted: Any) -> Any:
    message = {"channel_id": "odd", "contact_id": thread["contact"]["id"], **wanted}
    return desk.client.call("POST", f"threads/{thread['id']}/preview", message)


@pytest.mark.feature("COMP-06")
def test_a_template_goes_out_with_its_values(desk: Desk, phone: str) -> None:
    desk.provider(REMINDER)
    thread = begun(desk, phone)
    values = {"day": "Thursday", "time": f"nine ({phone})"}
    entry = desk.write(thread, template=NAMED, variables=values).json()
    entry = desk.entry(entry, lambda one: one["status"] == "sent")
    assert entry["text"] == f"See you on Thursday at nine ({phone})"
    assert (entry["template"], entry["warnings"]) == (NAMED, ["Costs more"])
    out = desk.sent(entry)
    assert out["kind"] == "template"
    (found,) = [one for one in desk.client.threads() if one["id"] == thread["id"]]
    assert found["preview"]["text"] == entry["text"]


def test_a_conversation_begins_with_a_template(desk: Desk, phone: str) -> None:
    desk.provider(REMINDER)
    wanted = {"channel_id": "odd", "to": phone, "template": NAMED, "variables": VALUES}
    entry = desk.client.post("messages", wanted)
    assert entry["text"] == "See you on Thursday at nine"


@pytest.mark.parametrize(
    ("given", "code", "fields"),
    [
        ({"variables": {"day": "Thursday"}}, "template_values", ["variables.time"]),
        ({"variables": {"day": " ", "time": "9"}}, "template_values", ["variables.day"]),
        ({"variables": {**VALUES, "place": "?"}}, "template_values", ["variables.place"]),
        ({"template": {"name": "gone", "language": "en"}}, "template_unknown", ["template"]),
        ({"template": {"name": "reminder", "language": "de"}}, "template_unknown", ["template"]),
        ({"template": {"name": "new", "language": "en"}}, "template_not_approved", ["template"]),
        ({"template": None}, "template_unknown", ["template"]),
        ({"body": "Words"}, "template_and_text", ["body"]),
        ({"channel_id": "plain"}, "template_unknown", ["template"]),
    ],
)
def test_what_a_template_takes_is_checked(
    desk: Desk, phone: str, given: dict[str, Any], code: str, fields: list[str]
) -> None:
    desk.provider(
        REMINDER,
        {"name": "new", "language": "en", "body": "x", "state": "pending", "reason": "in review"},
    )
    thread = begun(desk, phone)
    wanted = {"template": NAMED, "variables": VALUES, **given}
    problem = check_problem(desk.write(thread, **wanted), 422)
    assert problem["code"] == code
    assert [one["field"] for one in problem["errors"]] == fields
    assert len(desk.client.entries(thread["id"])) == 1


def test_a_preview_is_what_would_go_out(desk: Desk, phone: str) -> None:
    desk.provider(REMINDER)
    thread = begun(desk, phone)
    half = preview(desk, thread, template=NAMED, variables={"day": "Thursday"}).json()
    assert half["blocks"] == [{"type": "text", "text": "See you on Thursday at [time]"}]
    assert half["warnings"] == ["There is no value for time.", "Costs more"]
    whole = preview(desk, thread, template=NAMED, variables=VALUES).json()
    assert whole["preview"] == "See you on Thursday at nine"
    assert whole["warnings"] == ["Costs more"]
    assert preview(desk, thread, body="Plain words").json()["preview"] == "Plain words"
    assert preview(desk, thread).status_code == 200
    wrong = preview(desk, thread, template=NAMED, variables={"place": "here"})
    assert check_problem(wrong, 422)["code"] == "template_values"
    assert check_problem(preview(desk, thread, body="unsupported"), 422)["code"] == "unsupported"
    foreign = begun(desk, another(phone))["contact"]["id"]
    problem = check_problem(preview(desk, thread, contact_id=foreign), 422)
    assert problem["code"] == "contact_mismatch"
    assert len(desk.client.entries(thread["id"])) == 1


@pytest.mark.feature("COMP-06")
def test_in_a_closed_window_only_a_template_goes(desk: Desk, phone: str) -> None:
    desk.provider(REMINDER)
    thread = begun(desk, phone)
    now = mode(desk, thread)
    assert (now["may"], now["can_send"], now["templates"]) == ("free", True, True)
    assert datetime.fromisoformat(now["until"]) > datetime.now(UTC)
    (desk.folder / "window").write_text("template")
    now = mode(desk, thread)
    assert (now["may"], now["can_send"], now["until"]) == ("template", False, None)
    assert now["reason"] == "They wrote too long ago."
    problem = check_problem(desk.write(thread, body="Hello"), 422)
    assert (problem["code"], problem["detail"]) == ("window_closed", "They wrote too long ago.")
    assert desk.write(thread, template=NAMED, variables=VALUES).status_code == 201
    (desk.folder / "window").write_text("closed")
    assert (mode(desk, thread)["may"], mode(desk, thread)["can_send"]) == ("closed", False)
    refused = desk.write(thread, template=NAMED, variables=VALUES)
    assert check_problem(refused, 422)["code"] == "window_closed"


@pytest.mark.feature("COMP-06", "COMP-08")
def test_who_is_written_to_as_if_anew_has_the_window_of_their_conversation(
    desk: Desk, phone: str
) -> None:
    thread = begun(desk, phone)
    (desk.folder / "window").write_text("answers")
    anew = {"channel_id": "odd", "to": phone, "body": "It is me again"}
    assert desk.client.post("messages", anew)["thread_id"] == thread["id"]
    refused = desk.client.call("POST", "messages", {**anew, "to": another(phone)})
    assert check_problem(refused, 422)["code"] == "window_closed"


@pytest.mark.feature("COMP-06")
def test_a_window_counts_from_when_they_wrote_and_not_from_when_it_arrived(
    desk: Desk, phone: str
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    wrote, earlier = now - timedelta(hours=2), now - timedelta(hours=5)

    def until() -> datetime:
        return datetime.fromisoformat(mode(desk, desk.thread(phone))["until"])

    desk.tell(message(phone, "1", "Held up", occurred_at=wrote.isoformat()))
    assert until() == wrote + timedelta(days=1)
    desk.tell(message(phone, "2", "Held up longer", occurred_at=earlier.isoformat()))
    assert until() == wrote + timedelta(days=1)
    ahead = now + timedelta(hours=5)
    desk.tell(message(phone, "3", "By a clock that is wrong", occurred_at=ahead.isoformat()))
    assert now + timedelta(days=1) <= until() < ahead + timedelta(days=1)


def test_a_window_that_closes_in_the_queue_fails_the_message_with_its_reason(
    desk: Desk, phone: str
) -> None:
    thread = begun(desk, phone)
    (desk.folder / "window-late").touch()
    entry = desk.write(thread, body="Hello").json()
    entry = desk.entry(entry, lambda one: one["status"] == "failed")
    assert (entry["status_reason"], entry["can_retry"]) == ("The window has closed.", True)
    (desk.folder / "window").write_text("template")
    retried = desk.client.call("POST", f"entries/{entry['id']}/retry")
    assert check_problem(retried, 422)["code"] == "window_closed"
    (desk.folder / "window").unlink()
    (desk.folder / "window-late").unlink()
    desk.client.post(f"entries/{entry['id']}/retry")
    desk.entry(entry, lambda one: one["status"] == "sent")


def test_a_template_that_is_gone_fails_its_message_and_is_listed_no_more(
    desk: Desk, phone: str
) -> None:
    desk.provider(REMINDER)
    thread = begun(desk, phone)
    assert len(desk.client.get("channels/odd/templates")["items"]) == 1
    (desk.folder / "templates.json").write_text("[]")  # and nobody has told the hub
    (desk.folder / "template-gone").touch()
    entry = desk.write(thread, template=NAMED, variables=VALUES).json()
    entry = desk.entry(entry, lambda one: one["status"] == "failed")
    assert entry["status_reason"] == "There is no such template any more."
    assert desk.client.get("channels/odd/templates")["items"] == []
    retried = desk.client.call("POST", f"entries/{entry['id']}/retry")
    assert check_problem(retried, 422)["code"] == "template_unknown"
    desk.provider(REMINDER)
    (desk.folder / "template-gone").unlink()
    desk.client.post(f"entries/{entry['id']}/retry")
    desk.entry(entry, lambda one: one["status"] == "sent")


def test_templates_are_asked_for_once_a_minute_and_shown_whole(desk: Desk, phone: str) -> None:
    thread = begun(desk, phone)
    paused = {
        "name": "offer", "language": "de", "body": "Nur heute", "state": "paused",
        "reason": "too many complaints", "header": "Neu", "footer": "Abbestellen: STOP",
        "buttons": ["Ja"],
    }  # fmt: skip
    desk.provider(REMINDER, paused)
    before = desk.listed()
    (items,) = desk.client.get("channels/odd/templates").values()
    assert items == [
        {
            "name": "reminder", "language": "en", "body": "See you on <day> at <time>",
            "parameters": [
                {"name": "day", "example": "Thursday"}, {"name": "time", "example": None},
            ],
            "header": None, "footer": None, "buttons": [], "state": "approved", "reason": None,
        },
        {**paused, "parameters": []},
    ]  # fmt: skip
    assert desk.write(thread, template=NAMED, variables=VALUES).status_code == 201
    assert desk.client.get("channels/odd/templates")["items"] == items
    assert desk.listed() == before + 1
    assert desk.client.get("channels/plain/templates") == {"items": []}


def test_a_list_that_was_asked_for_before_a_change_is_not_kept(desk: Desk, phone: str) -> None:
    """The provider answers with what it had when it was asked, and has changed it meanwhile."""
    desk.provider(REMINDER)
    before = desk.listed()
    (desk.folder / "listing").touch()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(desk.client.get, "channels/odd/templates")
        wait_for(lambda: desk.listed() > before, what="the provider being asked")
        desk.tell({"type": "template_changed", "name": "reminder", "state": "PAUSED"})
        (desk.folder / "listing").unlink()
        asked.result()
    desk.client.get("channels/odd/templates")
    assert desk.listed() == before + 2


def test_a_provider_that_cannot_say_which_there_are(desk: Desk, phone: str) -> None:
    desk.provider(REMINDER)
    thread = begun(desk, phone)
    (desk.folder / "list-away").touch()
    desk.tell({"type": "template_changed", "name": "any", "state": "APPROVED"})
    for answer in (
        desk.write(thread, template=NAMED, variables=VALUES),
        preview(desk, thread, template=NAMED, variables=VALUES),
    ):
        problem = check_problem(answer, 503)
        assert problem["code"] == "channel_failed"
        assert problem["detail"] == "Letters cannot say which templates there are: the list is away"
    assert desk.write(thread, body="Plain words go out").status_code == 201
