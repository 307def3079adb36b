"""Searching conversations from the list."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import Inbox, replied, shown, written
from tests.hubs import Client


def results(page: Page, found: int) -> None:
    """The line over the results says how many there are."""
    said = f"{found} conversation{'s' if found != 1 else ''} found."
    expect(page.get_by_text(said)).to_be_visible()


@pytest.mark.feature("FILT-08", "FILT-09")
def test_messages_are_found_in_every_status_with_their_words_marked_and_opened_where_they_stand(
    inbox: Inbox, page: Page, ana: Client, number: str
) -> None:
    thread = written(ana, number, "My vélocipède lost its saddle")
    for n in range(59):
        ana.text(number, f"Something else {n}", channel="front")
    written(ana, number, "Something else 59")
    ana.patch(f"threads/{thread['id']}", {"status": "closed"})
    other = f"{number[:5]}779{number[8:]}"
    replied(ana, written(ana, other, "Hello"), "A new saddle for the velocipede is here")
    inbox.go("/messages?status=unread&range=today&filter=mine")

    expect(inbox.tab("Unread")).to_be_visible()
    page.keyboard.press("/")
    field = page.get_by_role("textbox", name="Search conversations")
    expect(field).to_be_focused()
    page.keyboard.type("saddle VELOCIP")
    results(page, 2)
    expect(page.get_by_text("Search looks through all dates and every status.")).to_be_visible()
    expect(inbox.row(number).locator("mark")).to_have_text(["vélocipède", "saddle"])
    expect(inbox.row(other).locator("mark")).to_have_text(["saddle", "velocipede"])
    expect(inbox.row(number)).to_contain_text("Closed")
    expect(inbox.row(other).locator(".end")).to_contain_text("Open")
    expect(inbox.row(number).get_by_role("link")).to_have_accessible_name(
        re.compile("Closed, .*My vélocipède lost its saddle$")
    )
    expect(page).to_have_url(re.compile(r"q=saddle\+VELOCIP$"))

    # It opens where it was found, 60 messages back.
    inbox.row(number).click()
    found = inbox.entry("lost its saddle")
    expect(found).to_be_in_viewport()
    expect(inbox.entry("Something else 59")).not_to_be_in_viewport()
    expect(page).to_have_url(re.compile(r"&entry=\d+"))
    expect(field).to_have_value("saddle VELOCIP")

    # What happens meanwhile changes rows, and does not put them in another order.
    ana.text(other, "Thank you", channel="front")
    expect(inbox.rows.nth(0)).to_contain_text(shown(other))
    page.go_back()
    page.go_back()
    expect(field).to_have_value("")
    expect(inbox.tab("Unread")).to_have_attribute("aria-selected", "true")
    expect(inbox.filter("Mine")).to_have_attribute("aria-pressed", "true")
    assert inbox.never_reloaded


@pytest.mark.feature("FILT-08", "COMP-08")
def test_people_are_found_by_number_in_any_form_and_a_number_nobody_has_is_written_to(
    inbox: Inbox, page: Page, ana: Client, number: str
) -> None:
    written(ana, number)
    field = page.get_by_role("textbox", name="Search conversations")
    start = page.get_by_role("button", name=re.compile("^Start a conversation with"))
    spaced = f"({number[2:5]}) {number[5:8]} {number[8:]}"
    for typed in (number, number[1:], spaced, number[2:], shown(number), f"5{number[-4:]}"):
        field.fill(typed)
        expect(inbox.row(number).locator("mark")).not_to_have_count(0)
        expect(start).to_have_count(0)

    for typed in ("+44 20 7946", "no such person", "+1 999"):
        field.fill(typed)
        expect(page.get_by_text(f"Nothing was found for “{typed}”.")).to_be_visible()
        expect(start).to_have_count(0)
    new = f"+1303555{number[-4:]}"
    field.fill(new)
    start.click()
    dialog = page.get_by_role("dialog", name="New conversation")
    expect(dialog.get_by_label("Phone number")).to_have_value(new)
    dialog.get_by_label("First message").fill("Your bike is ready.")
    dialog.get_by_role("button", name="Send and open").click()
    expect(inbox.conversation.get_by_role("heading", name=shown(new))).to_be_visible()

    # Who has been written to is found, and an arrow leads there; the field empties the list, by key
    # or button.
    expect(inbox.row(new)).to_be_visible()
    expect(start).to_have_count(0)
    field.press("ArrowDown")
    expect(inbox.row(new).get_by_role("link")).to_be_focused()
    page.keyboard.press("/")
    expect(field).to_be_focused()
    field.press("Escape")
    expect(field).to_have_value("")
    expect(inbox.row(number)).to_be_visible()
    expect(inbox.row(new)).to_be_visible()
    field.fill("no such person")
    expect(page.get_by_text("Nothing was found")).to_be_visible()
    page.get_by_role("search").get_by_role("button", name="Clear the search").click()
    expect(field).to_be_focused()
    expect(inbox.row(number)).to_be_visible()
