"""The inbox without a pointer."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.screen import Inbox, shown, written
from tests.hubs import Client


def test_everything_a_day_needs_goes_by_keys(
    inbox: Inbox, page: Page, ana: Client, number: str
) -> None:
    older, newer = number, f"{number[:5]}781{number[8:]}"
    written(ana, older)
    written(ana, newer)
    inbox.at_top(newer)
    keys = page.keyboard
    keys.press("j")
    expect(inbox.row(newer).get_by_role("link")).to_be_focused()
    keys.press("j")
    expect(inbox.row(older).get_by_role("link")).to_be_focused()
    keys.press("k")
    expect(inbox.row(newer).get_by_role("link")).to_be_focused()
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(inbox.conversation.get_by_role("heading", name=shown(older))).to_be_visible()
    expect(inbox.log).to_be_focused()

    keys.press("r")
    expect(inbox.message).to_be_focused()
    keys.type("j, k and ? are only letters here")
    keys.press("Escape")
    expect(inbox.log).to_be_focused()
    expect(inbox.message).to_have_value("j, k and ? are only letters here")
    keys.press("r")
    keys.press("Enter")
    expect(inbox.entry("only letters")).to_be_visible()
    expect(inbox.message).to_be_focused()

    keys.press("Escape")
    keys.press("m")
    expect(inbox.note).to_be_focused()
    keys.type("By key")
    keys.press("Enter")
    expect(inbox.entry("By key")).to_contain_text("Internal note")

    keys.press("Escape")
    keys.press("Escape")
    expect(inbox.row(older).get_by_role("link")).to_be_focused()
    keys.press("e")
    expect(inbox.conversation.get_by_role("button", name="Reopen conversation")).to_be_visible()
    keys.press("i")
    expect(inbox.details.get_by_role("button", name=f"Assignee: {ana.me['name']}")).to_be_visible()


def test_the_sheet_of_keys_opens_and_gives_the_focus_back(
    inbox: Inbox, page: Page, ana: Client, number: str
) -> None:
    written(ana, number)
    inbox.at_top(number)
    page.keyboard.press("j")
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(sheet.get_by_text("Next conversation")).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(inbox.row(number).get_by_role("link")).to_be_focused()


def test_menus_and_tabs_take_arrows(inbox: Inbox, page: Page, ana: Client, number: str) -> None:
    written(ana, number)
    inbox.open(number)
    menu = inbox.conversation.get_by_role("button", name="Assignee: Unassigned")
    menu.focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitemcheckbox", name="Nobody")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()
    inbox.tab("All").focus()
    page.keyboard.press("ArrowLeft")
    expect(inbox.tab("Closed")).to_be_focused()
    expect(inbox.tab("Closed")).to_have_attribute("aria-selected", "true")
