"""Being available, being assigned, and how long an answer may take, as members see it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.axe import look_over
from tests.browser.screen import Inbox, written
from tests.hubs import Client, wait_for


@pytest.fixture
def bens(bens_browser: BrowserContext) -> Inbox:
    """Ben's inbox, all conversations."""
    return Inbox(bens_browser.new_page()).go()


@pytest.fixture(autouse=True)
def as_at_first(ana: Client, ben: Client) -> Iterator[None]:
    yield
    ana.patch("settings", {"assignment": {}, "targets": {}})
    for client in (ana, ben):
        client.patch("membership", {"available": False, "assignment_mail": False})


def account(page: Page, item: str) -> None:
    page.get_by_role("button", name=re.compile("^Account of")).click()
    page.get_by_role("menuitemcheckbox", name=item).or_(
        page.get_by_role("menuitem", name=item)
    ).first.click()


def opened(page: Page, name: str) -> None:
    page.goto(f"/settings/{name}")


@pytest.mark.feature("ASGN-03", "ALRT-04")
def test_who_is_available_is_given_conversations_and_told(
    inbox: Inbox, bens: Inbox, ana: Client, number: str
) -> None:
    opened(inbox.page, "assignment")
    inbox.page.get_by_label("How", exact=True).select_option(label="In turn")
    expect(inbox.page.get_by_text("Saved", exact=True)).to_be_visible()
    expect(inbox.page.get_by_text("Nobody is available now.")).to_be_visible()
    account(bens.page, "Available for new conversations")
    expect(inbox.page.get_by_text("1 member is available now.")).to_be_visible()
    bens.hold_notices()
    written(ana, number)
    toast = bens.page.get_by_text("was assigned to you")
    expect(toast).to_be_visible()
    bens.page.get_by_role("button", name="Open", exact=True).click()
    expect(bens.conversation.get_by_text("Assigned to Ben Okafor automatically")).to_be_visible()
    inbox.go()
    expect(inbox.row(number)).to_contain_text("Assigned to Ben Okafor")
    inbox.open(number)
    inbox.conversation.get_by_role("button", name=re.compile("^Assignee: ")).click()
    expect(
        inbox.page.get_by_role("menuitemcheckbox", name="Ben Okafor (available)")
    ).to_be_visible()
    inbox.page.keyboard.press("Escape")
    assert ana.get("settings")["assignment"]["mode"] == "round_robin"


@pytest.mark.feature("ASGN-04")
def test_a_row_shows_how_long_an_answer_has_and_how_late_it_is(
    inbox: Inbox, ana: Client, number: str
) -> None:
    opened(inbox.page, "targets")
    inbox.page.get_by_role("switch", name="Use a reply-time target").click()
    expect(inbox.page.get_by_text("Saved", exact=True)).to_be_visible()
    written(ana, number)
    inbox.page.clock.install()
    inbox.go()
    row = inbox.row(number)
    expect(row).to_contain_text(re.compile(r"59 min left|1 h left"))
    inbox.open(number)
    expect(inbox.details.get_by_text("Answer due")).to_be_visible()
    expect(inbox.filter("Late")).to_be_visible()
    # The page's own clock makes it late; nothing is told by the server meanwhile.
    inbox.page.clock.fast_forward("01:30:00")
    expect(row).to_contain_text(re.compile(r"(29|30) min late"))


@pytest.mark.feature("ALRT-04")
def test_the_mail_is_ones_own_choice(inbox: Inbox, ana: Client) -> None:
    inbox.page.goto("/account")
    switch = inbox.page.get_by_role("switch", name="Email me when a conversation is assigned to me")
    expect(switch).not_to_be_checked()
    switch.click()
    expect(switch).to_be_checked()
    wait_for(lambda: ana.get("membership")["assignment_mail"])
    inbox.page.reload()
    expect(switch).to_be_checked()


@pytest.mark.parametrize("section", ["assignment", "targets"])
@pytest.mark.parametrize("width", [1440, 390, 320])
def test_the_sections_are_for_everybody(
    inbox: Inbox, ana: Client, section: str, width: int
) -> None:
    ana.patch("settings", {"assignment": {
        "members": [], "channels": [{"channel_id": "front", "mode": "least_busy", "members": []}],
    }})  # fmt: skip
    inbox.page.set_viewport_size({"width": width, "height": 900})
    opened(inbox.page, section)
    expect(inbox.page.get_by_role("heading", level=2).first).to_be_visible()
    assert look_over(inbox.page).violations_count == 0
