"""No violation of WCAG 2.2 AA that a program can find, in light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.axe import COLOURS, look_over
from tests.browser.conftest import Complaints
from tests.browser.screen import Inbox, replied, written
from tests.hubs import EMAIL, PASSWORD, Client, HubProcess, wait_for

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES: dict[str, tuple[int, int, Literal["light", "dark"]]] = {
    "wide": (1440, 900, "light"),
    "narrow": (390, 844, "dark"),
}
MODES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def check(page: Page, rules: Any = RULES) -> None:
    """Fail with what is wrong on the page as it is now, once nothing moves any more."""
    # One that was cancelled, as when its element goes, is over as well: it rejects.
    page.evaluate("Promise.allSettled(document.getAnimations().map((each) => each.finished))")
    found = look_over(page, rules)
    assert found.violations_count == 0, found.generate_report()


def check_in_both_modes(page: Page) -> None:
    """The same, and once more by its colours in the other mode: all else is as it was."""
    check(page)
    begun = page.locator("html").get_attribute("data-mode")
    for mode in sorted(MODES, key=lambda mode: mode == begun):
        page.emulate_media(color_scheme=mode)
        expect(page.locator(f"html[data-mode={mode}]:not([data-switching])")).to_be_attached()
        if mode != begun:
            check(page, COLOURS)


@pytest.fixture(params=SIZES)
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each width, and each mode as the one that the page begins in."""
    width, height, mode = SIZES[request.param]
    return {"viewport": {"width": width, "height": height}, "color_scheme": mode}


def test_signing_in(
    hub: HubProcess,
    browser_as: Callable[..., BrowserContext],
    options: dict[str, Any],
    complaints: Complaints,
) -> None:
    complaints.allow("401")
    page = browser_as(None, hub.base_url, **options).new_page()
    page.goto("/")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Enter your email address.")).to_be_visible()
    check_in_both_modes(page)
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Hello")).to_be_visible()
    check_in_both_modes(page)


@pytest.fixture(scope="module")
def customer(ana: Client) -> str:
    """A conversation with every kind of entry, among others in every state."""
    number = "+12025559900"
    thread = written(ana, number, "When do you come?")
    replied(ana, thread, "Thursday at nine.")
    ana.post(f"threads/{thread['id']}/notes", {"body": "They are a VIP"})
    ana.patch(f"threads/{thread['id']}", {"assignee_id": ana.me["organisations"][0]["member_id"]})
    for text, status, answer in (("Refused", "failed", "refuse"), ("Lost", "unknown", "lost_gone")):
        ana.behave(number, channel="front", answer=answer, reason="policy", lookup=False)
        replied(ana, thread, text)
        wait_for(lambda: ana.entries(thread["id"])[-1]["status"] == status, what=status)  # noqa: B023
    for place, change in enumerate(({}, {"status": "closed"}, {"needs_response": False})):
        other = written(ana, f"+1202555991{place}")
        if change:
            ana.patch(f"threads/{other['id']}", change)
    return number


def test_the_inbox(
    hub: HubProcess,
    ana: Client,
    customer: str,
    browser_as: Callable[..., BrowserContext],
    options: dict[str, Any],
) -> None:
    inbox = Inbox(browser_as(ana, hub.base_url, **options).new_page()).go()
    page, narrow = inbox.page, options["viewport"]["width"] < 768
    expect(inbox.row(customer)).to_be_visible()
    check_in_both_modes(page)

    page.get_by_role("button", name="New conversation").click()
    page.get_by_role("button", name="Send and open").click()
    expect(page.get_by_text("Write the first message.")).to_be_visible()
    check_in_both_modes(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    check_in_both_modes(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    # On a phone it lies over halves of what the sheet has, which axe takes for the whole of them.
    if not narrow:
        page.get_by_role("button", name="Last 30 days").click()
        check_in_both_modes(page)
        page.get_by_role("button", name="Custom…").click()
        expect(page.get_by_role("grid")).to_be_visible()
        check_in_both_modes(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("grid")).to_have_count(0)

    inbox.open(customer)
    expect(inbox.entry("Lost")).to_contain_text("Not confirmed")
    expect(inbox.entry("Refused")).to_contain_text("Failed")
    check_in_both_modes(page)
    inbox.entry("Lost").get_by_role("button", name="Check").click()
    expect(page.get_by_role("dialog", name="Did it go out?")).to_be_visible()
    check_in_both_modes(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    inbox.conversation.get_by_role("button", name="Assignee").click()
    expect(page.get_by_role("menu")).to_be_visible()
    check_in_both_modes(page)
    page.keyboard.press("Escape")
    inbox.modes.get_by_role("button", name="Note").click()
    expect(inbox.note).to_be_focused()
    check_in_both_modes(page)
    if narrow:
        page.get_by_role("button", name="Show details").click()
        expect(page.get_by_role("dialog", name="Details")).to_be_visible()
        check_in_both_modes(page)
