"""The list of conversations, live."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.screen import Inbox, replied, shown, written
from tests.hubs import Client, wait_for


@pytest.mark.feature("LIST-04", "RT-01")
def test_a_text_moves_its_row_to_the_top_of_every_tab_and_it_flashes(
    inbox: Inbox, anas_browser: BrowserContext, ana: Client, number: str
) -> None:
    written(ana, number, "the first")
    other = f"{number[:5]}777{number[8:]}"
    written(ana, other, "from somebody else")
    second = Inbox(anas_browser.new_page()).go()
    for tab in (inbox, second):
        tab.at_top(other)
        expect(tab.row(number)).to_have_attribute("aria-posinset", "2")
        expect(tab.row(number).get_by_role("link")).to_have_css("animation-name", "none")
        tab.watch_highlights()

    ana.text(number, "the second", channel="front")
    for tab in (inbox, second):
        tab.at_top(number)
        expect(tab.row(number)).to_contain_text("the second")
        tab.highlighted(number, "flash")
        assert tab.never_reloaded


@pytest.mark.feature("LIST-04")
def test_a_new_conversation_flashes_as_it_arrives(inbox: Inbox, ana: Client, number: str) -> None:
    expect(inbox.rows.or_(inbox.page.get_by_text("No conversations yet."))).not_to_have_count(0)
    inbox.watch_highlights()
    ana.text(number, "out of the blue", channel="front")
    inbox.at_top(number)
    inbox.highlighted(number, "flash")


@pytest.mark.feature("SHELL-02", "RT-01")
def test_the_badge_counts_conversations_and_falls_when_one_is_opened(
    inbox: Inbox, anas_browser: BrowserContext, ana: Client, number: str
) -> None:
    before = ana.get("threads/counts")["unread_total"]
    second = Inbox(anas_browser.new_page()).go()
    other = f"{number[:5]}778{number[8:]}"
    for _ in range(2):
        ana.text(number, "Hello", channel="front")
    ana.text(other, "Hello", channel="front")
    for tab in (inbox, second):
        expect(tab.unread_badge(before + 2)).to_be_visible()
    expect(inbox.row(number)).to_contain_text("2 unread")
    inbox.open(number)
    for tab in (inbox, second):
        expect(tab.unread_badge(before + 1)).to_be_visible()
        expect(tab.row(number)).not_to_contain_text("unread")
        assert tab.never_reloaded
    expect(inbox.page).to_have_title(re.compile(rf"^\({before + 1}\) "))


@pytest.mark.feature("LIST-01")
def test_a_person_who_writes_on_two_channels_has_one_row_and_one_conversation(
    inbox: Inbox, ana: Client, number: str
) -> None:
    written(ana, number, "to the front desk")
    written(ana, number, "to the workshop", channel="workshop")
    inbox.at_top(number)
    expect(inbox.row(number)).to_have_count(1)
    inbox.open(number)
    expect(inbox.entry("to the front desk")).to_contain_text("Front desk")
    expect(inbox.entry("to the workshop")).to_contain_text("Workshop")
    expect(inbox.log.locator("[data-key]")).to_have_count(2)
    for channel in ("Front desk", "Workshop"):
        expect(inbox.modes.get_by_role("button", name=channel)).to_be_enabled()


@pytest.mark.feature("LIST-02")
def test_a_row_shows_who_what_when_where_and_what_is_to_be_done(
    inbox: Inbox, ana: Client, ben: Client, number: str
) -> None:
    thread = written(ana, number, "Is it ready?")
    row, link = inbox.row(number), inbox.row(number).get_by_role("link")
    words = [shown(number), "1 unread", "Needs response", "Front desk", "now", "Is it ready?"]
    expect(link).to_have_accessible_name(", ".join(words))
    for seen in (number[-2:], shown(number), "now", "Is it ready?"):
        expect(row.get_by_text(seen, exact=True)).to_be_visible()
    expect(row.get_by_title("1 unread message", exact=True)).to_be_visible()

    written(ana, number, "Hello?", channel="workshop")
    expect(link).to_have_accessible_name(re.compile("2 unread, Needs response, Workshop, "))

    inbox.open(number)
    expect(row.locator(".end")).to_have_text("Needs response")
    ben_id = ben.me["organisations"][0]["member_id"]
    ana.patch(f"threads/{thread['id']}", {"assignee_id": ben_id, "needs_response": False})
    expect(row.get_by_title("Assigned to Ben Okafor")).to_be_visible()
    expect(link).to_have_accessible_name(re.compile(", Assigned to Ben Okafor, "))

    ana.patch(f"threads/{thread['id']}", {"assignee_id": None, "status": "closed"})
    expect(row.locator(".end")).to_have_text("Closed")
    replied(ana, thread, "Ready since noon.")
    expect(row).to_contain_text("You: Ready since noon.")
    replied(ben, thread, "And clean.")
    expect(row).to_contain_text("Ben: And clean.")
    ana.post(f"threads/{thread['id']}/notes", {"body": "Wants a receipt"})
    expect(row).to_contain_text("Note: Wants a receipt")


@pytest.mark.feature("LIST-08")
def test_a_conversation_we_began_is_outbound_only_until_they_write(
    inbox: Inbox, ana: Client, number: str
) -> None:
    inbox.page.get_by_role("button", name="New conversation").click()
    dialog = inbox.page.get_by_role("dialog", name="New conversation")
    dialog.get_by_label("Phone number").fill(shown(number))
    dialog.get_by_label("First message").fill("Your bike is ready.")
    dialog.get_by_role("button", name="Send and open").click()
    expect(dialog).to_have_count(0)
    expect(inbox.entry("Your bike is ready.")).to_contain_text("Delivered")
    expect(inbox.row(number).locator(".end")).to_have_text("Outbound only")
    expect(inbox.row(number).get_by_role("link")).to_have_accessible_name(re.compile("Front desk"))
    expect(inbox.details.get_by_text("Outbound only")).to_be_visible()
    inbox.tab("Open").click()
    expect(inbox.tab("Open")).to_have_attribute("aria-selected", "true")
    expect(inbox.row(number)).to_have_count(0)

    ana.text(number, "Coming right over", channel="front")
    inbox.at_top(number)
    expect(inbox.details.get_by_text("Open", exact=True)).to_be_visible()


@pytest.mark.feature("LIST-08", "ASGN-02")
def test_writing_reopens_what_was_closed_and_our_answer_does_not(
    inbox: Inbox, ana: Client, number: str
) -> None:
    written(ana, number, "Hello")
    inbox.open(number)
    inbox.conversation.get_by_role("button", name="Close conversation").click()
    inbox.send("One more thing")
    expect(inbox.entry("One more thing")).to_contain_text("Delivered")
    expect(inbox.row(number).locator(".end")).to_have_text("Closed")
    ana.text(number, "Yes?", channel="front")
    expect(inbox.conversation.get_by_role("button", name="Close conversation")).to_be_visible()
    expect(inbox.row(number)).not_to_contain_text("Closed")


@pytest.mark.feature("LIST-02")
def test_a_row_drawn_where_another_was_is_its_own(inbox: Inbox, ana: Client, number: str) -> None:
    """Elements of rows that went show those that come."""
    closed = f"{number[:5]}779{number[8:]}"
    done = written(ana, closed, "Thank you")
    ana.patch(f"threads/{done['id']}", {"status": "closed"})
    thread = written(ana, number, "Hello")
    inbox.tab("Open").click()
    inbox.at_top(number)
    inbox.row(number).hover()
    expect(inbox.row(number).get_by_role("button", name="Close conversation")).to_be_visible()
    inbox.rows.first.evaluate("(row) => { window.first = row }")

    inbox.tab("Closed").dispatch_event("click")  # the pointer rests on the row
    inbox.at_top(closed)
    assert inbox.row(closed).evaluate("(row) => row === window.first")
    inbox.row(closed).get_by_role("button", name="Reopen").click()
    wait_for(lambda: ana.get(f"threads/{done['id']}")["status"] == "open", what="it is open again")
    assert ana.get(f"threads/{thread['id']}")["status"] == "open"


@pytest.mark.feature("LIST-04")
def test_a_row_that_rises_from_below_is_drawn_in_the_element_of_the_one_it_pushes_out(
    inbox: Inbox, ana: Client, number: str
) -> None:
    """In a busy inbox no element is made and none thrown away."""
    numbers = [f"{number[:5]}{830 + place}{number[8:]}" for place in range(16)]
    for each in numbers:
        written(ana, each, "Hello")
    inbox.page.set_viewport_size({"width": 1440, "height": 420})
    inbox.at_top(numbers[-1])
    expect(inbox.row(numbers[0])).to_have_count(0)
    inbox.rows.evaluate_all("(rows) => rows.forEach((row) => (row.old = true))")
    for each in numbers[:3]:
        ana.text(each, "Hello again", channel="front")
        inbox.at_top(each)
        assert inbox.row(each).evaluate("(row) => row.old === true")


@pytest.mark.feature("LIST-02")
def test_a_menu_goes_with_its_row(inbox: Inbox, ana: Client, number: str) -> None:
    """What has the focus is never drawn as another one."""
    closed = f"{number[:5]}780{number[8:]}"
    ana.patch(f"threads/{written(ana, closed, 'Thank you')['id']}", {"status": "closed"})
    written(ana, number, "Hello")
    inbox.tab("Open").click()
    inbox.at_top(number)
    inbox.row(number).hover()
    inbox.row(number).get_by_role("button", name="Unassigned").click()
    expect(inbox.page.get_by_role("menu")).to_be_visible()
    inbox.rows.first.evaluate("(row) => { window.first = row }")
    inbox.tab("Closed").dispatch_event("click")
    inbox.at_top(closed)
    expect(inbox.page.get_by_role("menu")).to_have_count(0)
    assert inbox.row(closed).evaluate("(row) => row !== window.first")


@pytest.mark.feature("LIST-02")
@pytest.mark.parametrize("width", [1440, 390])
def test_a_rows_buttons_stand_above_its_second_line(
    inbox: Inbox, ana: Client, number: str, width: int
) -> None:
    written(ana, number, "Is it ready?")
    inbox.page.set_viewport_size({"width": width, "height": 800})
    row = inbox.row(number)
    row.hover()
    buttons = row.locator(".acts").bounding_box()
    line = row.locator(".preview").bounding_box()
    assert buttons is not None
    assert line is not None
    assert buttons["y"] + buttons["height"] <= line["y"] + 3  # its letters begin below
