"""What people ask of every page: their system's colours, no movement, other scripts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.browser.screen import Inbox, replied, written
from tests.hubs import Client, HubProcess

Browser = Callable[..., BrowserContext]


def style(of: Locator, name: str) -> str:
    """How something is drawn."""
    return of.evaluate("(each, name) => getComputedStyle(each)[name]", name)


@pytest.mark.feature("SHELL-07", "SHELL-04")
def test_in_forced_colours_what_is_chosen_is_still_told_apart(
    hub: HubProcess, ana: Client, browser_as: Browser, number: str
) -> None:
    replied(ana, written(ana, number), "An answer")
    inbox = Inbox(browser_as(ana, hub.base_url, forced_colors="active").new_page()).go()
    page = inbox.page
    inbox.open(number)
    edged = [
        inbox.filter("All"), inbox.tab("All"), inbox.row(number).get_by_role("link"),
        inbox.modes.get_by_role("button", name="Front desk"),
        page.get_by_role("navigation").get_by_role("link", name="Messages"),
    ]  # fmt: skip
    for chosen in edged:
        expect(chosen).to_be_visible()
        assert style(chosen, "outlineStyle") == "solid"
    for other in (inbox.filter("Unread"), inbox.tab("Closed")):
        assert style(other, "outlineStyle") == "none"
    inbox.filter("Unread").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert style(inbox.filter("Unread"), "outlineWidth") == "4px"
    dots = page.get_by_role("radiogroup", name="Colour theme").locator("i").all()
    assert len({style(dot, "backgroundColor") for dot in dots}) == 4
    knob = inbox.details.get_by_role("switch", name="Needs response").locator(".knob")
    ground = knob.locator("xpath=..")
    assert style(knob, "backgroundColor") != style(ground, "backgroundColor")
    assert style(inbox.entry("An answer").locator(".bubble"), "borderTopStyle") == "solid"


WATCH = """
() => {
  window.movement = 0;
  const still = new Set(["offset", "easing", "composite", "computedOffset", "boxShadow"]);
  const moves = ({ effect }) =>
    effect.getKeyframes().some((frame) => Object.keys(frame).some((key) => !still.has(key)));
  const look = () => {
    for (const each of document.getAnimations().filter(moves))
      window.movement = Math.max(movement, Number(each.effect.getComputedTiming().duration));
    requestAnimationFrame(look);
  };
  look();
}
"""
"""Keeps how long anything has moved or faded; an edge that comes and goes does neither."""


@pytest.mark.feature("SHELL-07", "LIST-04")
def test_who_wants_no_movement_sees_none_and_what_is_new_all_the_same(
    hub: HubProcess, ana: Client, browser_as: Browser, number: str
) -> None:
    """A row with news has an edge for a while in place of a ground that fades."""
    written(ana, number)
    inbox = Inbox(browser_as(ana, hub.base_url, reduced_motion="reduce").new_page()).go()
    page = inbox.page
    expect(inbox.row(number)).to_be_visible()
    page.evaluate(WATCH)
    inbox.watch_highlights()
    ana.text(number, "Something new", channel="front")
    inbox.highlighted(number, "edge")
    expect(inbox.row(number)).to_contain_text("Something new")
    page.get_by_role("button", name="New conversation").click()
    expect(page.get_by_role("dialog", name="New conversation")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Account of").click()
    expect(page.get_by_role("menu")).to_be_visible()
    page.keyboard.press("Escape")
    inbox.open(number)
    assert page.evaluate("window.movement") < 1


@pytest.mark.feature("THRD-03", "COMP-04")
def test_what_is_written_from_right_to_left_stands_so_and_nothing_else_does(
    hub: HubProcess, ana: Client, browser_as: Browser, number: str
) -> None:
    arabic, hebrew = "مرحبا، متى تأتون؟ 5 مساءً", "שלום https://example.com/a?b=c"
    thread = written(ana, number, arabic)
    replied(ana, thread, hebrew)
    replied(ana, thread, "From left to right")
    inbox = Inbox(browser_as(ana, hub.base_url).new_page()).go()
    inbox.open(number)

    def direction(text: str) -> str:
        return style(inbox.entry(text).locator(".bubble .text"), "direction")

    assert direction(arabic) == direction(hebrew) == "rtl"
    assert direction("From left to right") == "ltr"
    link = inbox.entry(hebrew).get_by_role("link", name="https://example.com/a?b=c")
    bubble = inbox.entry(hebrew).locator(".bubble")
    box, around = link.bounding_box(), bubble.bounding_box()
    assert box
    assert around
    assert box["x"] - around["x"] < 20, "what comes last stands at the left"
    inbox.message.fill(arabic)
    assert style(inbox.message, "direction") == "rtl"
    inbox.message.press("Enter")
    expect(inbox.entry(arabic).last).to_be_visible()
    expect(inbox.row(number)).to_contain_text(arabic)
    for part in (inbox.conversation, inbox.page.get_by_role("region", name="Conversations")):
        assert style(part, "direction") == "ltr"
