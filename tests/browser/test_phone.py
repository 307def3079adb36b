"""The bar under the page of a phone, and what has to keep clear of it and of the keyboard."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.office import Office
from tests.browser.screen import Inbox, written
from tests.browser.test_accessibility import check_in_both_modes
from tests.browser.test_sizes import NO_SIDEWAYS
from tests.hubs import Client, HubProcess

NewContext = Callable[..., BrowserContext]
SIZES = [(390, 844), (320, 568)]
NOTCH = 34
"""Pixels of the lower edge of some that are not the page's."""
_numbers = itertools.count(1)


def phone(size: tuple[int, int]) -> dict[str, Any]:
    """What a browser on a phone is like."""
    width, height = size
    screen = {"width": width, "height": height}
    return {"viewport": screen, "has_touch": True, "is_mobile": True}


def bar_of(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Main")


def box(of: Locator) -> dict[str, float]:
    found = of.bounding_box()
    assert found is not None
    return {
        "y": found["y"],
        "width": found["width"],
        "height": found["height"],
        "bottom": found["y"] + found["height"],
    }


@pytest.mark.feature("SHELL-01", "SHELL-02", "SHELL-05")
@pytest.mark.parametrize("size", SIZES)
def test_a_bar_under_the_page_leads_to_inbox_and_approvals(
    hub: HubProcess, ana: Client, browser_as: NewContext, number: str, size: tuple[int, int]
) -> None:
    written(ana, number)
    inbox = Inbox(browser_as(ana, hub.base_url, **phone(size)).new_page()).go()
    page, bar = inbox.page, bar_of(inbox.page)
    links = bar.get_by_role("link")
    expect(links).to_have_count(2)
    expect(links.first).to_have_accessible_name(
        re.compile(r"^Inbox \d+ conv.* with unread messages$")
    )
    expect(links.first).to_have_attribute("aria-current", "page")
    expect(links.last).to_have_accessible_name(re.compile("^Approvals"))
    # The list ends where the bar begins, and the bar where the page does.
    assert box(bar)["bottom"] == size[1]
    assert box(page.get_by_role("main"))["bottom"] == box(bar)["y"]
    for link in links.all():
        assert box(link)["height"] >= 44
        assert box(link)["width"] >= 44
    assert page.evaluate(NO_SIDEWAYS)
    check_in_both_modes(page)

    links.last.tap()
    expect(page).to_have_url(f"{hub.base_url}/approvals")
    expect(links.last).to_have_attribute("aria-current", "page")
    for address in ("/", "/settings", "/account"):
        page.goto(address)
        expect(links).to_have_count(2)
        assert box(page.get_by_role("main"))["bottom"] == box(bar)["y"]
    links.first.tap()

    # A conversation has the page to itself.
    inbox.row(number).tap()
    expect(inbox.message).to_be_visible()
    expect(bar).to_have_count(0)
    assert box(page.get_by_role("main"))["bottom"] == size[1]
    page.get_by_role("button", name="Back to conversations").tap()
    expect(links).to_have_count(2)


@pytest.mark.feature("SHELL-01", "SHELL-05")
def test_it_has_what_somebody_may(hub: HubProcess, browser_as: NewContext) -> None:
    who = ("pam@example.com", "another-good-password")
    added = hub.run(
        "user", "add", who[0], "--name", "Pam", "--role", "User SMS", "--password-stdin",
        input_=f"{who[1]}\n",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    page = browser_as(hub.client(*who), hub.base_url, **phone(SIZES[0])).new_page()
    page.goto("/messages")
    expect(bar_of(page).get_by_role("link")).to_have_count(1)
    expect(bar_of(page).get_by_role("link", name="Inbox")).to_be_visible()


@pytest.mark.feature("SHELL-05")
@pytest.mark.parametrize("size", SIZES)
def test_it_gives_way_to_the_keyboard(
    hub: HubProcess, ana: Client, browser_as: NewContext, number: str, size: tuple[int, int]
) -> None:
    """A phone's keyboard takes its room from the page (``interactive-widget`` in its head)."""
    written(ana, number)
    page = browser_as(ana, hub.base_url, **phone(size)).new_page()
    page.goto("/messages?status=all")
    expect(bar_of(page)).to_be_visible()
    search = page.get_by_role("textbox", name="Search")
    search.tap()
    expect(bar_of(page)).to_be_hidden()
    search.blur()
    expect(bar_of(page)).to_be_visible()
    page.goto("/settings/organisation")
    page.get_by_role("link").last.focus()
    expect(bar_of(page)).to_be_visible()


@pytest.mark.feature("SHELL-05")
@pytest.mark.parametrize("size", SIZES)
def test_a_composer_stays_above_the_keyboard(
    office: Office, browser_as: NewContext, size: tuple[int, int]
) -> None:
    """The highest there is, that of a letter."""
    who = f"phone{next(_numbers)}@example.com"
    thread = office.message("mail", who, "When do you come?", subject="A visit")
    inbox = Inbox(browser_as(office.client, office.hub.base_url, **phone(size)).new_page())
    inbox.go(f"/messages?status=all&conversation={thread['id']}")
    inbox.message.tap()
    keyboard = 300 if size[1] > 600 else 216
    inbox.page.set_viewport_size({"width": size[0], "height": size[1] - keyboard})
    inbox.message.fill("On Thursday at nine. " * 20)
    send = inbox.page.get_by_role("button", name="Send", exact=True)
    for each in (inbox.message, send, inbox.page.get_by_role("button", name="Back to")):
        expect(each).to_be_in_viewport(ratio=0.99)
        assert box(each)["y"] >= 0
        assert box(each)["bottom"] <= size[1] - keyboard
    assert inbox.page.evaluate(NO_SIDEWAYS)
    assert box(inbox.message)["bottom"] <= box(send)["y"]
    inbox.message.press("Control+Enter")
    expect(inbox.entry("On Thursday")).to_be_attached()


@pytest.mark.feature("SHELL-05")
def test_what_is_pressed_stays_clear_of_the_lower_edge(
    hub: HubProcess, ana: Client, browser_as: NewContext, number: str
) -> None:
    written(ana, number)
    page = browser_as(ana, hub.base_url, **phone(SIZES[0])).new_page()
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setSafeAreaInsetsOverride", {"insets": {"bottom": NOTCH}})
    inbox = Inbox(page).go()
    edge = SIZES[0][1] - NOTCH
    expect(bar_of(page)).to_be_visible()
    assert box(bar_of(page))["bottom"] == SIZES[0][1]
    for link in bar_of(page).get_by_role("link").all():
        assert box(link)["bottom"] <= edge
    inbox.row(number).tap()
    expect(inbox.message).to_be_visible()
    assert box(page.get_by_role("button", name="Send", exact=True))["bottom"] <= edge
