"""What may be written: only templates, or freely for a time; and answers that name a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.browser.office import Office
from tests.browser.screen import Inbox
from tests.browser.test_accessibility import check_in_both_modes, options

__all__ = ["options"]


def open_(desk: Inbox, thread: dict[str, Any]) -> None:
    desk.page.goto(f"/messages?status=all&conversation={thread['id']}")
    expect(desk.log).to_be_visible()


def pane(desk: Inbox) -> Locator:
    return desk.page.get_by_role("group", name="Template")


def pick(desk: Inbox, name: str) -> None:
    pane(desk).get_by_role("list", name="Templates").get_by_role("button", name=name).click()


@pytest.mark.feature("COMP-06")
def test_outside_the_window_only_templates_go(desk: Inbox, office: Office, number: str) -> None:
    open_(desk, office.message("texts", number, f"Hello from {number}"))
    desk.modes.get_by_role("button", name="Chat").click()
    expect(desk.page.get_by_text("The 24-hour window is closed.")).to_be_visible()
    expect(desk.message).to_have_count(0)
    listed = pane(desk).get_by_role("list", name="Templates").get_by_role("button")
    expect(listed).to_have_count(5)
    offer = listed.filter(has_text="Ten percent off.")
    expect(offer).to_have_attribute("aria-disabled", "true")
    expect(offer).to_contain_text("Rejected")
    expect(offer).to_contain_text("It reads like advertising.")
    expect(listed.filter(has_text="How was it?")).to_contain_text("Waiting for approval")
    offer.click(force=True)
    expect(listed).to_have_count(5)
    search = pane(desk).get_by_role("searchbox", name="Find a template")
    search.fill("hallo")
    expect(listed).to_have_count(1)
    search.fill("nothing like it")
    expect(pane(desk).get_by_text("No template matches.")).to_be_visible()
    search.fill("appointment")
    pick(desk, "appointment en")

    preview = pane(desk).get_by_role("region", name="Preview")
    expect(preview.get_by_text("Your appointment")).to_be_visible()
    expect(pane(desk).get_by_text("For example: Thursday at nine")).to_be_visible()
    name, when = pane(desk).get_by_label("Value 1"), pane(desk).get_by_label("Value 2")
    name.fill("Elif")
    expect(preview.get_by_text("Hello Elif, we come on")).to_be_visible()
    name.press("Enter")
    expect(pane(desk).get_by_text("A value is missing.")).to_be_visible()
    expect(when).to_have_attribute("aria-invalid", "true")
    when.fill("Friday")
    expect(preview.get_by_text("Hello Elif, we come on Friday.")).to_be_visible()
    when.press("Enter")
    sent = desk.entry("Hello Elif, we come on Friday.")
    expect(sent).to_contain_text("Sent")
    expect(pane(desk).get_by_role("list", name="Templates")).to_be_visible()
    entry = office.client.entries(office.newest()["id"])[-1]
    assert entry["template"] == {"name": "appointment", "language": "en"}


@pytest.mark.feature("COMP-06", "THRD-02")
@pytest.mark.parametrize("width", [390, 320])
def test_what_a_timeline_shows_is_chosen_beside_the_window_on_phones(
    office: Office, browser_as: Callable[..., BrowserContext], number: str, width: int
) -> None:
    size = {"width": width, "height": 844}
    desk = Inbox(browser_as(office.client, office.hub.base_url, viewport=size).new_page())
    open_(desk, office.message("chat", number, f"Hello from {number}"))
    expect(desk.conversation.get_by_text("Active 24 h")).to_be_in_viewport(ratio=1)
    kinds = desk.conversation.get_by_role("radiogroup", name="Show")
    for kind in kinds.get_by_role("radio").all():
        expect(kind).to_be_in_viewport(ratio=1)


@pytest.mark.feature("COMP-06")
def test_an_inbound_message_opens_the_window_at_once(
    desk: Inbox, office: Office, number: str
) -> None:
    thread = office.message("texts", number, f"Before {number}")
    open_(desk, thread)
    desk.modes.get_by_role("button", name="Chat").click()
    pick(desk, "greeting en")
    pane(desk).get_by_role("button", name="Choose another").click()
    office.message("chat", number, "Now on the chat")
    expect(desk.message).to_be_visible()
    expect(desk.page.get_by_text("Free replies for 24 h")).to_be_visible()
    window = desk.conversation.get_by_title("The reply window is active for")
    expect(window).to_contain_text("Active 24 h")
    desk.send(f"Free words for {number}")
    expect(desk.entry(f"Free words for {number}")).to_contain_text("Sent")
    # A template may go out all the same.
    desk.page.get_by_role("button", name="Template").click()
    expect(pane(desk)).to_be_visible()
    desk.page.get_by_role("button", name="Template").click()
    expect(desk.message).to_be_visible()


@pytest.mark.feature("COMP-06")
def test_a_chosen_template_is_there_after_a_reload(
    desk: Inbox, office: Office, number: str
) -> None:
    open_(desk, office.message("texts", number, f"Hello {number}"))
    desk.modes.get_by_role("button", name="Chat").click()
    pick(desk, "appointment en")
    pane(desk).get_by_label("Value 1").fill("Kept")
    pane(desk).get_by_label("Value 1").blur()
    desk.page.evaluate("dispatchEvent(new Event('pagehide'))")
    desk.page.reload()
    expect(pane(desk).get_by_label("Value 1")).to_have_value("Kept")
    pane(desk).get_by_role("button", name="Choose another").click()
    expect(pane(desk).get_by_role("list", name="Templates")).to_be_visible()


def test_an_answer_names_its_message(desk: Inbox, office: Office, number: str) -> None:
    thread = office.message("chat", number, f"First question of {number}")
    office.message("chat", number, "Second question")
    open_(desk, thread)
    asked = desk.entry(f"First question of {number}")
    asked.hover()
    asked.get_by_role("button", name="Message actions").click()
    desk.page.get_by_role("menuitem", name="Reply").click()
    expect(desk.message).to_be_focused()
    quote = desk.page.get_by_role("button", name="Do not answer this message")
    expect(quote).to_be_visible()
    quote.click()
    expect(quote).to_have_count(0)
    asked.hover()
    asked.get_by_role("button", name="Message actions").click()
    desk.page.get_by_role("menuitem", name="Reply").click()
    desk.send(f"First answer to {number}")
    answer = desk.entry(f"First answer to {number}")
    expect(answer.get_by_label("In answer to")).to_have_text(f"First question of {number}")
    expect(answer).to_contain_text("Sent")
    expect(quote).to_have_count(0)
    stored = office.client.entries(thread["id"])[-1]
    assert stored["answers"]["text"] == f"First question of {number}"


def test_templates_are_accessible(
    office: Office,
    browser_as: Callable[..., BrowserContext],
    options: dict[str, Any],
    number: str,
) -> None:
    desk = Inbox(browser_as(office.client, office.hub.base_url, **options).new_page())
    open_(desk, office.message("texts", number, f"Axe {number}"))
    desk.modes.get_by_role("button", name="Chat").click()
    expect(pane(desk).get_by_role("list", name="Templates")).to_be_visible()
    check_in_both_modes(desk.page)
    pick(desk, "appointment en")
    pane(desk).get_by_label("Value 1").press("Enter")
    expect(pane(desk).get_by_text("A value is missing.").first).to_be_visible()
    check_in_both_modes(desk.page)
