"""The page in a real browser, with the media besides texts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hub_simulator import CallSimulator, EmailSimulator, WhatsAppSimulator
from hub_simulator.templates import TEMPLATES
from playwright.sync_api import Locator, Page, expect

from hub.plugin import Address, Item, TemplateUse, WirePart
from plugins.simulator.tests.page_server import PageServer, serving
from plugins.simulator.tests.world import PURE, World
from tests.axe import look_over


@contextmanager
def opened(page: Page, kind: Any, **settings: Any) -> Iterator[PageServer]:
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    with serving(kind=kind, **settings) as server:
        page.goto(server.address)
        yield server
        assert errors == []


def bubbles(page: Page) -> Locator:
    return page.get_by_role("list", name="Messages on the phone").get_by_role("listitem")


def everybody_can_use_it(page: Page) -> None:
    for width in (320, 768, 1440):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        violations = look_over(page).response["violations"]
        assert [(each["id"], each["nodes"]) for each in violations] == []


async def _template(world: World) -> None:
    use = TemplateUse(template=TEMPLATES[3])
    wire = world.plugin.render(PURE, Item(direction="out", template=use), "wire").wire
    await world.send("t1", kind="template", wire=wire)


@pytest.mark.feature("OPER-01")
def test_whatsapp_answers_reacts_and_presses(page: Page) -> None:
    with opened(page, WhatsAppSimulator) as server:
        expect(page.get_by_role("heading", name="WhatsApp simulator")).to_be_visible()
        server.do(_template)
        page.get_by_role("button", name="Yes, please").click()
        expect(bubbles(page).nth(1)).to_contain_text("Button")
        page.get_by_label("React to: Sorry that it took us").select_option("👍")
        expect(bubbles(page).first.get_by_text("Reaction: 👍")).to_be_visible()
        page.get_by_role("button", name="Reply to: Sorry that it took us").click()
        field = page.get_by_role("textbox", name="Message")
        expect(field).to_be_focused()
        field.fill("Gladly")
        field.press("Enter")
        expect(bubbles(page).nth(2).locator("blockquote")).to_contain_text("Sorry that it took")
        expect(page.get_by_text("Answers:")).to_be_hidden()
        page.get_by_label("Attach a picture").click()
        page.get_by_role("button", name="A location").click()
        expect(bubbles(page).nth(3)).to_contain_text("12 High Street")
        everybody_can_use_it(page)


async def _mail(world: World) -> None:
    wire = (WirePart(text="Look: https://business.example/offer", subject="An offer"),)
    maya = Address(scheme="email", value="maya@example.com")
    await world.send("t1", wire=wire, address=maya, own="hello@business.example")


@pytest.mark.feature("OPER-01")
def test_mail_is_opened_clicked_and_answered(page: Page) -> None:
    with opened(page, EmailSimulator) as server:
        expect(page.get_by_label("Customer address")).to_have_value("maya@example.com")
        receipts = page.locator("[name=receipts] option:not([hidden])")
        expect(receipts).to_have_text(
            ["Sent, delivered", "Sent", "None", "Sent, then failed (a bounce)"]
        )
        server.do(_mail)
        page.get_by_role("button", name="Open: An offer").click()
        expect(bubbles(page).first).to_contain_text("Opened")
        page.get_by_role("button", name="Click https://business.example/offer").click()
        log = page.get_by_role("list", name="Log")
        expect(log).to_contain_text("The customer follows a link")
        page.get_by_role("button", name="Reply to: Look").click()
        expect(page.get_by_label("Subject", exact=True)).to_have_value("Re: An offer")
        page.get_by_role("textbox", name="Message").fill("No, thank you")
        everybody_can_use_it(page)
        page.get_by_role("button", name="Send").click()
        expect(bubbles(page).nth(1)).to_contain_text("Re: An offer")
        expect(page.get_by_label("Subject", exact=True)).to_have_value("")
        page.get_by_role("button", name="Unsubscribe: An offer").click()
        expect(log).to_contain_text("The customer has unsubscribed")


@pytest.mark.feature("OPER-01")
def test_calls_ring_are_answered_and_end(page: Page) -> None:
    with opened(page, CallSimulator) as server:
        expect(page.get_by_role("heading", name="Call simulator")).to_be_visible()
        expect(page.get_by_role("textbox", name="Message")).to_be_hidden()
        expect(page.locator("[name=receipts]")).to_be_hidden()
        page.get_by_label("What the customer says").fill("Please call me back")
        page.get_by_role("button", name="Call").click()
        page.get_by_role("button", name="Leave a voicemail").click()
        expect(bubbles(page).first).to_contain_text("Voicemail left")
        member = Address(scheme="phone", value="+12025550177")
        server.do(lambda world: world.send("t1", kind="call", wire=(), member_address=member))
        expect(bubbles(page).nth(1)).to_contain_text("Rings first: +12025550177")
        everybody_can_use_it(page)
        page.get_by_role("button", name="Answer", exact=True).click()
        expect(bubbles(page).nth(1)).to_contain_text("Talking")
        page.get_by_role("button", name="Hang up").click()
        expect(bubbles(page).nth(1)).to_contain_text("Answered, and over")
