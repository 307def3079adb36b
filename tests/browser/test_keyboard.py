"""The inbox without a pointer."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.office import Office
from tests.browser.screen import Inbox, shown, written
from tests.hubs import Client, HubProcess, wait_for


@pytest.mark.feature("SHELL-07")
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


@pytest.mark.feature("SHELL-07", "LIST-04")
def test_keys_go_on_where_a_row_has_left_the_list(
    anas_browser: BrowserContext, ana: Client, number: str
) -> None:
    numbers = [f"{number[:5]}78{place}{number[8:]}" for place in range(4)]
    for each in reversed(numbers):
        written(ana, each)
    inbox = Inbox(anas_browser.new_page()).go("/messages?status=unread")
    links = [inbox.row(each).get_by_role("link") for each in numbers]
    heading = inbox.conversation.get_by_role("heading")
    keys = inbox.page.keyboard

    inbox.at_top(numbers[0])

    # Nothing is open: the focus is on the row that has come in place of the one that went.
    keys.press("j")
    keys.press("j")
    expect(links[1]).to_be_focused()
    keys.press("u")
    expect(inbox.row(numbers[1])).to_have_count(0)
    expect(links[2]).to_be_focused()
    keys.press("j")
    expect(links[3]).to_be_focused()
    keys.press("k")
    expect(links[2]).to_be_focused()

    # What is open has left the list: keys are for it, and the next one is what came after it.
    keys.press("Enter")
    expect(heading.filter(has_text=shown(numbers[2]))).to_be_visible()
    expect(inbox.row(numbers[2])).to_have_count(0)
    keys.press("e")
    expect(inbox.conversation.get_by_role("button", name="Reopen conversation")).to_be_visible()
    keys.press("j")
    expect(links[3]).to_be_focused()
    expect(heading.filter(has_text=shown(numbers[3]))).to_be_visible()


@pytest.mark.feature("SHELL-07")
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


@pytest.mark.feature("SHELL-07")
def test_menus_and_tabs_take_arrows(inbox: Inbox, page: Page, ana: Client, number: str) -> None:
    written(ana, number)
    inbox.open(number)
    menu = inbox.conversation.get_by_role("button", name="Assignee: Unassigned")
    menu.focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitemcheckbox", name="Nobody")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitemcheckbox", name="Nobody")).to_be_focused()
    page.keyboard.type("be")
    expect(page.get_by_role("menuitemcheckbox", name="Ben Okafor")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("menu")).to_have_count(0)
    inbox.tab("All").focus()
    page.keyboard.press("ArrowLeft")
    expect(inbox.tab("Closed")).to_be_focused()
    expect(inbox.tab("Closed")).to_have_attribute("aria-selected", "true")


@pytest.mark.feature("SHELL-07")
def test_the_palette_finds_actions_conversations_and_settings(
    inbox: Inbox, page: Page, ana: Client, number: str
) -> None:
    written(ana, number)
    inbox.open(number)
    palette = page.get_by_role("dialog", name="Go to or do")
    field = palette.get_by_role("combobox")

    def ask(text: str, finds: str) -> None:
        page.keyboard.press("Control+k")
        expect(field).to_be_focused()
        page.keyboard.type(text)
        expect(palette.get_by_role("option", selected=True)).to_contain_text(finds)
        page.keyboard.press("Enter")
        expect(palette).to_have_count(0)

    # From a field as well: what was written stays.
    inbox.message.fill("Half a sentence")
    ask("close or re", "Close or reopen")
    expect(inbox.conversation.get_by_role("button", name="Reopen conversation")).to_be_visible()
    expect(inbox.message).to_have_value("Half a sentence")
    ask("write a note", "Write a note")
    expect(inbox.note).to_be_focused()
    ask("members", "Members")
    expect(page.get_by_role("heading", name="Members", level=1)).to_be_visible()
    # Somebody who is not in the list that is shown.
    ask("go to the inbox", "Go to the inbox")
    inbox.tab("Unread").click()
    expect(inbox.row(number)).to_have_count(0)
    ask(number[-4:], shown(number))
    expect(inbox.conversation.get_by_role("heading", name=shown(number))).to_be_visible()
    ask("sky", "Sky Blue")
    expect(page.locator("html[data-theme=sky]")).to_be_attached()

    # Arrows choose, Escape gives the focus back, and nothing is said to be found where it is not.
    inbox.log.focus()
    page.keyboard.press("Control+k")
    first = palette.get_by_role("option", selected=True).inner_text()
    page.keyboard.press("ArrowDown")
    expect(palette.get_by_role("option", selected=True)).not_to_have_text(first)
    page.keyboard.press("ArrowUp")
    page.keyboard.type("xyzzy")
    expect(palette.get_by_text("Nothing is called")).to_be_visible()
    page.keyboard.press("Escape")
    expect(palette).to_have_count(0)
    expect(inbox.log).to_be_focused()
    page.keyboard.press("Control+k")
    page.keyboard.type("new conv")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="New conversation")).to_be_visible()


@pytest.mark.feature("SHELL-07")
def test_single_keys_can_be_switched_off_and_work_on_any_layout(
    hub: HubProcess, ana: Client, browser_as: Callable[..., BrowserContext], number: str
) -> None:
    written(ana, number)
    inbox = Inbox(browser_as(ana, hub.base_url).new_page()).go()
    page = inbox.page
    inbox.at_top(number)
    row = inbox.row(number).get_by_role("link")

    def press(key: str, code: str) -> None:
        """A key of a keyboard that types no Latin letters."""
        page.evaluate(
            "([key, code]) => document.activeElement.dispatchEvent("
            "new KeyboardEvent('keydown', { key, code, bubbles: true, cancelable: true }))",
            [key, code],
        )

    press("\u043e", "KeyJ")
    expect(row).to_be_focused()

    page.goto("/account")
    switch = page.get_by_role("switch", name="Single keys are shortcuts")
    try:
        switch.press("Enter")
        expect(switch).not_to_be_checked()
        wait_for(lambda: not ana.http.get("/api/v1/me").json()["single_keys"], what="the setting")
        inbox.go()
        inbox.at_top(number)
        page.keyboard.press("j")
        page.keyboard.press("?")
        page.keyboard.press("ArrowDown")
        expect(row).to_be_focused()
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_role("button", name="Account of").click()
        page.get_by_role("menuitem", name="Keyboard shortcuts").click()
        sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
        expect(sheet.get_by_text("Single keys are switched off")).to_be_visible()
        expect(sheet.get_by_text("Next conversation")).to_be_visible()
        expect(sheet.get_by_text("Close or reopen")).to_have_count(0)
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Account of")).to_be_focused()
    finally:
        ana.http.patch("/api/v1/me", json={"single_keys": True})


@pytest.mark.feature("SHELL-07")
def test_keys_of_an_entry(desk: Inbox, office: Office) -> None:
    page = desk.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    long = "<p>" + "A long letter. " * 200 + "</p>"
    office.message("mail", "keys@example.com", "A long letter. " * 200, subject="Keys", html=long)
    desk.rows.filter(has_text="keys@example.com").click()
    page.get_by_role("log").focus()
    page.keyboard.press("Alt+ArrowUp")
    entry = desk.log.locator("[data-key]").last
    expect(entry).to_be_focused()
    page.keyboard.press("v")
    expect(entry.get_by_role("button", name="Show less")).to_be_visible()
    entry.focus()
    page.keyboard.press("v")
    expect(entry.get_by_role("button", name="Show full message")).to_be_visible()
    entry.focus()
    page.keyboard.press("y")
    expect(page.get_by_text("copied").first).to_be_visible()
    assert "entry=" in page.evaluate("navigator.clipboard.readText()")
    entry.focus()
    page.keyboard.press(".")
    expect(page.get_by_role("menuitem").first).to_be_focused()


@pytest.mark.feature("SHELL-07")
def test_columns_are_walked_by_f6_from_anywhere(
    inbox: Inbox, page: Page, ana: Client, number: str
) -> None:
    written(ana, number)
    inbox.open(number)
    inbox.message.focus()
    page.keyboard.press("F6")
    expect(inbox.details.locator(":focus")).to_have_count(1)
    page.keyboard.press("F6")
    expect(page.get_by_role("region", name="Filters").locator(":focus")).to_have_count(1)
    page.keyboard.press("F6")
    expect(inbox.row(number).get_by_role("link")).to_be_focused()
    page.keyboard.press("Shift+F6")
    expect(page.get_by_role("region", name="Filters").locator(":focus")).to_have_count(1)


@pytest.mark.feature("SHELL-07")
def test_who_is_new_is_shown_around_once(
    hub: HubProcess, browser_as: Callable[..., BrowserContext]
) -> None:
    email, password = "nova@example.com", "another-good-password"
    added = hub.run(
        "user", "add", email, "--name", "Nova", "--password-stdin", input_=password + "\n"
    )
    assert added.returncode == 0, added.stderr
    nova = hub.client(email, password)
    page = browser_as(nova, hub.base_url, tour=True).new_page()
    page.goto("/messages")
    tour = page.get_by_role("region", name="A short tour")
    for heading in ("Conversations", "Answering"):
        expect(tour.get_by_text(heading, exact=True)).to_be_visible()
        tour.get_by_role("button", name="Next").click()
    expect(tour.get_by_text(re.compile(r"Press \?"))).to_be_visible()
    tour.get_by_role("button", name="Done").click()
    expect(tour).to_have_count(0)
    wait_for(lambda: nova.http.get("/api/v1/me").json()["toured"], what="that to be kept")
    # Nor in another browser.
    other = browser_as(nova, hub.base_url, tour=True).new_page()
    other.goto("/messages")
    expect(other.get_by_role("button", name="New conversation")).to_be_visible()
    expect(other.get_by_role("region", name="A short tour")).to_have_count(0)

    # It can be left at once, by key.
    nova.http.patch("/api/v1/me", json={"toured": False})
    other.reload()
    tour = other.get_by_role("region", name="A short tour")
    expect(tour).to_be_visible()
    other.keyboard.press("Escape")
    expect(tour).to_have_count(0)
    wait_for(lambda: nova.http.get("/api/v1/me").json()["toured"], what="that to be kept")
