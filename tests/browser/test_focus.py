"""Where the focus goes when what has it goes: beside it, and back to what opened a dialog."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.screen import Inbox, replied, shown, written
from tests.hubs import Client, HubProcess


def press(button: Locator) -> None:
    """As a person without a pointer does."""
    button.focus()
    button.press("Enter")


@pytest.mark.feature("SHELL-07")
def test_what_comes_in_the_place_of_a_button_has_its_focus(
    inbox: Inbox, page: Page, ana: Client, number: str
) -> None:
    thread = written(ana, number)
    ana.behave(number, channel="front", answer="refuse", reason="policy")
    replied(ana, thread, "Refused")
    inbox.open(number)
    press(inbox.conversation.get_by_role("button", name="Close conversation"))
    again = inbox.conversation.get_by_role("button", name="Reopen conversation")
    expect(again).to_be_focused()
    page.keyboard.press("Enter")
    expect(inbox.conversation.get_by_role("button", name="Close conversation")).to_be_focused()

    # One that leaves nothing behind: what stands beside it.
    retry = inbox.entry("Refused").get_by_role("button", name="Retry")
    expect(retry).to_be_visible()
    ana.behave(number, channel="front", answer="accept")
    press(retry)
    expect(inbox.entry("Refused")).to_contain_text("Delivered")
    expect(inbox.log.locator(":focus")).to_have_count(1)

    # Nobody is put into a field that they did not go to, but onto a row that comes.
    closed = written(ana, f"{number[:5]}79{number[7:]}")
    expect(inbox.row(f"{number[:5]}79{number[7:]}")).to_be_visible()
    ana.patch(f"threads/{closed['id']}", {"status": "closed"})
    inbox.filter("Mine").click()
    inbox.tab("Closed").click()
    drop = page.get_by_role("button", name="Remove “Mine”")
    press(drop)
    expect(drop).to_have_count(0)
    focused = page.get_by_role("region", name="Conversations").locator(":focus")
    expect(focused).to_have_count(1)
    assert focused.evaluate("each => each.tagName") in {"A", "BUTTON"}


@pytest.mark.feature("SHELL-07")
def test_dialogs_of_the_settings_give_the_focus_back(
    hub: HubProcess, ana: Client, browser_as: Callable[..., BrowserContext]
) -> None:
    added = hub.run(
        "user", "add", "fay@example.com", "--name", "Fay", "--password-stdin",
        input_="another-good-password\n",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    for name in ("First token", "Second token"):
        ana.post("tokens", {"name": name, "capabilities": ["messages.view"]})
    page = browser_as(ana, hub.base_url).new_page()
    dialog = page.get_by_role("dialog")
    page.goto("/settings/tokens")
    first = page.get_by_role("button", name="Revoke First token")
    second = page.get_by_role("button", name="Revoke Second token")
    press(first)
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(first).to_be_focused()
    # What opened it goes with what was decided: the focus is on what stands beside.
    press(first)
    press(dialog.get_by_role("button", name="Revoke"))
    expect(first).to_have_count(0)
    expect(page.locator("main :focus")).to_have_count(1)
    press(second)
    press(dialog.get_by_role("button", name="Revoke"))
    expect(second).to_have_count(0)
    expect(page.locator("main :focus")).to_have_count(1)

    page.goto("/settings/members")
    more = page.get_by_role("button", name="More for Fay", exact=True)
    press(more)
    page.get_by_role("menuitem", name="Deactivate").press("Enter")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(more).to_be_focused()
    press(more)
    page.get_by_role("menuitem", name="Deactivate").press("Enter")
    press(dialog.get_by_role("button", name="Deactivate"))
    expect(dialog).to_have_count(0)
    expect(page.locator("main :focus")).to_have_count(1)


@pytest.mark.feature("SHELL-07")
def test_a_conversation_that_opens_takes_no_letters_meant_for_another(
    inbox: Inbox, page: Page, ana: Client, number: str
) -> None:
    """A field goes with its conversation; the next one's field is not where one types."""
    other = f"+1203555{number[-4:]}"
    written(ana, number)
    written(ana, other)
    inbox.open(number)
    inbox.message.fill("For the first")
    expect(inbox.message).to_be_focused()
    page.evaluate("history.back()")
    expect(inbox.conversation.get_by_role("heading", name=shown(number))).to_have_count(0)
    inbox.open(other)
    expect(inbox.message).not_to_be_focused()
    expect(inbox.message).to_have_value("")
    expect(inbox.row(number).locator("em")).to_have_text("Draft")
