"""On a phone, and with more conversations than fit on any screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.screen import Inbox, shown, written
from tests.hubs import Client, HubProcess, running_hub

MANY = 300
NO_SIDEWAYS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


def test_on_a_phone_the_conversation_takes_the_place_of_the_list(
    browser_as: Callable[..., BrowserContext], hub: HubProcess, ana: Client, number: str
) -> None:
    written(ana, number)
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    inbox = Inbox(browser_as(ana, hub.base_url, **phone).new_page()).go()
    page = inbox.page
    inbox.at_top(number)
    assert page.evaluate(NO_SIDEWAYS)
    inbox.row(number).tap()
    expect(inbox.entry("Hello")).to_be_visible()
    expect(inbox.rows).to_have_count(0)
    assert page.evaluate(NO_SIDEWAYS)
    inbox.message.fill("From the road")
    page.get_by_role("button", name="Send", exact=True).tap()
    expect(inbox.entry("From the road")).to_contain_text("Delivered")

    page.get_by_role("button", name="Show details").tap()
    details = page.get_by_role("dialog", name="Details")
    details.get_by_role("switch", name="Needs response").tap()
    expect(details.get_by_role("switch", name="Needs response")).to_be_checked()
    details.get_by_role("button", name="Close", exact=True).tap()

    page.get_by_role("button", name="Back to conversations").tap()
    expect(inbox.row(number)).to_contain_text("You: From the road")
    expect(inbox.row(number).get_by_role("link")).to_be_focused()
    inbox.row(number).tap()
    expect(inbox.message).to_be_visible()
    page.go_back()
    expect(inbox.row(number).get_by_role("link")).to_be_focused()
    page.get_by_role("button", name="Show filters").tap()
    page.get_by_role("dialog", name="Filters").get_by_role("button", name="Mine").tap()
    expect(inbox.row(number)).to_have_count(0)
    page.go_back()
    expect(inbox.row(number)).to_be_visible()


@pytest.fixture(scope="module")
def busy() -> Iterator[HubProcess]:
    """A hub with many conversations, all begun by the team."""
    with running_hub() as running:
        client = running.client()
        client.post("channels/simulator/pause")

        def begin(place: int) -> None:
            wanted = {"channel_id": "simulator", "to": customer(place), "body": "Hello"}
            client.post("messages", wanted)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(begin, range(MANY)))
        client.close()
        yield running


def customer(place: int) -> str:
    return f"+1202557{place:04d}"


@pytest.mark.feature("LIST-04")
def test_a_long_list_loads_as_one_scrolls_and_keeps_its_place(
    busy: HubProcess, browser_as: Callable[..., BrowserContext]
) -> None:
    client = busy.client()
    inbox = Inbox(browser_as(client, busy.base_url).new_page()).go()
    expect(inbox.rows.first).to_be_visible()
    assert inbox.rows.count() < 40, "rows out of sight are not drawn"

    seen: set[str] = set()
    inbox.page.mouse.move(400, 500)
    for _ in range(MANY):
        seen |= set(inbox.rows.locator(".name").all_inner_texts())
        if len(seen) == MANY:
            break
        inbox.page.mouse.wheel(0, 600)
        inbox.page.evaluate("new Promise(requestAnimationFrame)")
    assert seen == {shown(customer(place)) for place in range(MANY)}
    assert inbox.rows.count() < 40

    name = inbox.rows.nth(inbox.rows.count() // 2).locator(".name").inner_text()
    place = inbox.rows.filter(has_text=name)
    inbox.page.mouse.move(900, 500)
    before = place.bounding_box()
    client.text("+12025580000", "Somebody new")
    pill = inbox.page.get_by_role("button", name="1 new")
    expect(pill).to_be_visible()
    assert place.bounding_box() == before, "what is in view stays where it is"
    pill.click()
    expect(inbox.rows.filter(has_text="Somebody new")).to_be_in_viewport()
    client.close()


@pytest.mark.feature("SHELL-07")
def test_keys_reach_rows_that_are_not_drawn_yet(
    busy: HubProcess, browser_as: Callable[..., BrowserContext]
) -> None:
    client = busy.client()
    page = Inbox(browser_as(client, busy.base_url).new_page()).go().page
    rows = page.get_by_role("region", name="Conversations").get_by_role("listitem")
    focused = page.locator("[role=listitem]:focus-within")
    expect(rows.first).to_be_visible()
    for key, place in (("j", "1"), ("End", "50"), ("k", "49"), ("Home", "1")):
        page.keyboard.press(key)
        expect(focused).to_have_attribute("aria-posinset", place)
        expect(focused).to_be_in_viewport()
    client.close()
