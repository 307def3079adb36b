"""What somebody sees who has started a hub without a configuration."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Locator, ViewportSize, expect

from tests.browser.conftest import Complaints
from tests.browser.screen import Inbox, shown
from tests.hubs import Client, HubProcess, running_hub

MIDDLE: ViewportSize = {"width": 1100, "height": 800}
NewBrowser = Callable[..., BrowserContext]
BROKEN = """
[[channels]]
id = "front"
plugin = "simulator"

[[channels]]
id = "broken"
plugin = "sms-twilio"
name = "Our number"
settings = { account_sid = "wrong", auth_token = "0123456789abcdef0123456789abcdef" }
"""


@pytest.fixture(scope="module")
def first() -> Iterator[HubProcess]:
    """A hub with the channels that it has by itself."""
    with running_hub() as running:
        yield running


@pytest.fixture(scope="module")
def admin(first: HubProcess) -> Iterator[Client]:
    client = first.client()
    yield client
    client.close()


def is_whole(place: Locator) -> bool:
    """Whether nothing of the words is cut off."""
    return place.evaluate("each => each.scrollWidth <= each.clientWidth")


@pytest.mark.feature("OPER-01")
def test_the_links_to_the_simulators_have_room_for_their_words(
    browser_as: NewBrowser, first: HubProcess, admin: Client
) -> None:
    page = browser_as(admin, first.base_url).new_page()
    page.goto("/messages")
    bar = page.get_by_role("navigation", name="Main")
    links = bar.locator(".words")
    names = ["Text simulator", "WhatsApp simulator", "Call simulator", "Email simulator"]
    expect(links).to_have_text(names)
    assert all(is_whole(link) for link in links.all())
    # With less room icons speak for them, so that the settings stay in sight.
    page.set_viewport_size(MIDDLE)
    for name in (*names, "Settings"):
        expect(bar.get_by_role("link", name=name)).to_be_in_viewport(ratio=1)
    assert is_whole(bar.get_by_role("link", name="Settings"))


def test_an_unknown_address_shows_a_page_with_a_way_back(
    browser_as: NewBrowser,
    first: HubProcess,
    admin: Client,
    complaints: Complaints,
) -> None:
    complaints.allow("404.*/nowhere$")
    page = browser_as(admin, first.base_url).new_page()
    answer = page.goto("/nowhere")
    assert answer is not None
    assert answer.status == 404
    page.get_by_role("link", name="Go to Messages").click()
    expect(page.get_by_role("region", name="Conversations")).to_be_visible()


def test_a_number_is_read_whole_and_modes_that_are_of_no_use_take_little_room(
    browser_as: NewBrowser, first: HubProcess, admin: Client, number: str
) -> None:
    admin.text(number, "Hello", channel="simulator")
    inbox = Inbox(browser_as(admin, first.base_url).new_page()).go().open(number)
    assert is_whole(inbox.conversation.get_by_role("heading", name=shown(number)))
    email = inbox.modes.get_by_role("button", name="Simulated email")
    expect(email).to_have_attribute("aria-disabled", "true")
    whatsapp = inbox.modes.get_by_role("button", name="Simulated WhatsApp")
    assert email.evaluate("each => each.offsetWidth") < 40
    assert whatsapp.evaluate("each => each.offsetWidth") > 100
    expect(inbox.conversation.get_by_text(f"To {shown(number)}")).to_be_in_viewport()


def test_home_names_a_channel_that_needs_attention(browser_as: NewBrowser) -> None:
    with running_hub(config=BROKEN) as hub, contextlib.closing(hub.client()) as client:
        page = browser_as(client, hub.base_url).new_page()
        page.goto("/")
        expect(page.get_by_role("heading", name="Channels that need attention")).to_be_visible()
        expect(page.get_by_text("settings.account_sid")).to_be_visible()
        page.get_by_role("link", name="Look at Our number").click()
        chosen = page.get_by_role("combobox", name="Channel").locator("option:checked")
        expect(chosen).to_have_text("Our number")
