"""Opting a contact in and out in the details, on a desk and on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import Complaints
from tests.browser.screen import Inbox, shown, written
from tests.hubs import Client, HubProcess, wait_for

NO_SIDEWAYS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def row(details: Locator) -> Locator:
    return details.get_by_role("listitem").filter(has=details.page.get_by_text("Front desk"))


def color(button: Locator) -> tuple[float, float]:
    """How red and how green a button's words are."""
    said = button.evaluate(
        """one => {
            const paint = document.createElement('canvas').getContext('2d');
            paint.fillStyle = getComputedStyle(one).color;
            paint.fillRect(0, 0, 1, 1);
            return [...paint.getImageData(0, 0, 1, 1).data];
        }"""
    )
    return said[0], said[1]


def opts_out_and_in(page: Page, details: Locator, client: Client, number: str) -> None:
    """From nothing said to out, in, out by themselves, and in again with a reason."""
    name = client.me["name"]
    one = row(details).first
    button = one.get_by_role("button", name=re.compile("^Opt (in|out) "))
    expect(one).to_contain_text("Nothing said")
    expect(button).to_have_text("Opt Out")
    button.click()
    expect(button).to_have_text("Opt In")
    expect(one).to_contain_text("Opted out")
    expect(button).to_have_attribute("title", re.compile(f"by hand, by {name}$"))
    red, green = color(button)
    assert red > green
    button.click()
    expect(button).to_have_text("Opt Out")
    expect(one).to_contain_text("Opted in")
    red, green = color(button)
    assert green > red

    client.text(number, "STOP", channel="front")
    expect(one).to_contain_text("replied STOP")
    button.click()
    dialog = page.get_by_role("dialog", name="Opt in again?")
    # Also where it comes out of a sheet, which has no room at its own edges.
    assert (
        dialog.locator(".body").last.evaluate("body => getComputedStyle(body).paddingLeft") != "0px"
    )
    dialog.get_by_role("button", name="Opt In").click()
    expect(dialog).to_contain_text("Say how they asked for it.")
    dialog.get_by_role("textbox", name="How did they ask for it?").fill("rang us on Monday")
    dialog.get_by_role("button", name="Opt In").click()
    expect(dialog).to_have_count(0)
    expect(one).to_contain_text(f"rang us on Monday, by {name}")

    details.get_by_text("History", exact=True).click()
    told = details.locator("details").get_by_role("listitem")
    expect(told).to_have_count(4)
    expect(told.nth(0)).to_contain_text("rang us on Monday")
    expect(told.nth(1)).to_contain_text("replied STOP")
    assert page.evaluate(NO_SIDEWAYS)


@pytest.mark.feature("CONT-03")
def test_a_contact_is_opted_out_and_in_on_a_desk(inbox: Inbox, ana: Client, number: str) -> None:
    written(ana, number)
    inbox.open(number)
    opts_out_and_in(inbox.page, inbox.details, ana, number)
    expect(inbox.log).to_contain_text(f"{shown(number)} opted out")


@pytest.mark.feature("CONT-03")
def test_a_contact_is_opted_out_and_in_on_a_phone(
    browser_as: Callable[..., BrowserContext], hub: HubProcess, ana: Client, number: str
) -> None:
    written(ana, number)
    inbox = Inbox(browser_as(ana, hub.base_url, **PHONE).new_page()).go()
    inbox.row(number).tap()
    inbox.page.get_by_role("button", name="Show details").tap()
    details = inbox.page.get_by_role("dialog", name="Details")
    opts_out_and_in(inbox.page, details, ana, number)


@pytest.mark.feature("CONT-03")
def test_who_has_opted_out_cannot_be_written_to_and_it_says_so_before(
    inbox: Inbox, ana: Client, number: str, complaints: Complaints
) -> None:
    thread = written(ana, number)
    inbox.open(number)
    expect(inbox.message).to_be_visible()
    ana.text(number, "STOP", channel="front")
    expect(inbox.details).to_contain_text("replied STOP")
    expect(inbox.conversation).to_contain_text("Opted out on")
    complaints.allow("422")
    body = {"channel_id": "front", "contact_id": thread["contact"]["id"], "body": "Hi"}
    refused = ana.call("POST", f"threads/{thread['id']}/messages", body)
    assert refused.json()["code"] == "opted_out"
    wait_for(
        lambda: ana.get(f"threads/{thread['id']}")["needs_response"] is True, what="what was asked"
    )
    assert shown(number) in inbox.details.inner_text()
