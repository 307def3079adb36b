"""The page in a real browser."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hub_simulator import CallSimulator, EmailSimulator, WhatsAppSimulator
from playwright.sync_api import Browser, Locator, Page, Route, expect

from hub.plugin import CallStarted, Message, Permanent
from plugins.simulator.tests.page_server import PageServer, serving
from plugins.simulator.tests.world import World
from tests.axe import look_over


@pytest.fixture
def server() -> Iterator[PageServer]:
    with serving() as running:
        yield running


@pytest.fixture
def phone(page: Page, server: PageServer) -> Page:
    """The page, open."""
    page.goto(server.address)
    expect(page.get_by_label("Customer number")).to_have_value("+1 202-555-0142")
    return page


def bubbles(page: Page) -> Locator:
    return page.get_by_role("list", name="Messages on the phone").get_by_role("listitem")


def log(page: Page) -> Locator:
    return page.get_by_role("list", name="Log")


def write(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message").fill(text)
    page.get_by_role("textbox", name="Message").press("Enter")


def test_a_text_goes_out_by_enter_and_the_field_is_ready_for_the_next(phone: Page) -> None:
    field = phone.get_by_role("textbox", name="Message")
    field.fill("First line")
    field.press("Shift+Enter")
    field.press_sequentially("second line")
    field.press("Enter")
    expect(bubbles(phone)).to_have_count(1)
    expect(bubbles(phone).locator(".bubble")).to_have_text("First line\nsecond line")
    expect(bubbles(phone)).to_contain_text("Sent")
    expect(field).to_have_value("")
    expect(field).to_be_focused()
    field.fill("And one by the button")
    phone.get_by_role("button", name="Send").click()
    expect(bubbles(phone)).to_have_count(2)


def test_an_answer_goes_from_sent_to_delivered_to_read(phone: Page, server: PageServer) -> None:
    def hub_is_told(*expected: str) -> bool:
        return server.do(told) == list(expected)

    async def told(world: World) -> list[str]:
        return [status for message in (await world.phone()).messages for status in message.told]

    phone.evaluate(
        "Object.defineProperty(document, 'visibilityState', {value: 'hidden', writable: true})"
    )
    server.do(lambda world: world.send("t1", "We come at nine"))
    expect(bubbles(phone)).to_contain_text("We come at nine")
    expect(bubbles(phone)).to_contain_text("Delivered")
    assert hub_is_told("sent", "delivered")
    phone.evaluate(
        "document.visibilityState = 'visible';document.dispatchEvent(new Event('visibilitychange'))"
    )
    expect(bubbles(phone)).to_contain_text("Read")
    assert hub_is_told("sent", "delivered", "read")


def test_a_message_that_fails_says_so(phone: Page, server: PageServer) -> None:
    phone.get_by_role("combobox", name="Receipts", exact=True).select_option("Sent, then failed")
    expect(phone.get_by_text("Not normal")).to_be_visible()
    server.do(lambda world: world.send("t1"))
    expect(bubbles(phone)).to_contain_text("Failed")


def test_the_network_behaves_as_chosen_until_it_is_normal_again(
    phone: Page, server: PageServer
) -> None:
    reason = phone.get_by_label("Reason for refusing or failing")
    expect(reason).to_be_disabled()
    phone.get_by_label("When the hub sends").select_option("Refuse")
    expect(reason).to_be_enabled()
    reason.select_option("A carrier's filter")
    expect(log(phone)).to_contain_text("The network behaves as told")

    async def refused(world: World) -> str:
        await world.until(lambda phone: phone.behaviour.reason == "policy")
        with pytest.raises(Permanent) as error:
            await world.send("t1")
        return error.value.reason

    assert server.do(refused) == "policy"
    expect(log(phone)).to_contain_text("send, attempt 1: Permanent")
    phone.get_by_role("button", name="Back to normal").click()
    expect(phone.get_by_role("status").filter(has_text="Normal")).to_be_visible()
    server.do(lambda world: world.send("t2", "Now it goes"))
    expect(bubbles(phone)).to_contain_text("Now it goes")


def test_every_line_of_the_log_opens_to_its_body_and_stays_open(
    phone: Page, server: PageServer
) -> None:
    server.do(lambda world: world.send("t1", "Look inside"))
    line = log(phone).get_by_role("listitem").filter(has_text="send, attempt 1")
    line.get_by_text("send, attempt 1").click()
    expect(line).to_contain_text('"text": "Look inside"')
    write(phone, "Something new")
    expect(log(phone)).to_contain_text("text in-")
    expect(line.locator("pre")).to_be_visible()


def test_each_number_is_a_phone_of_its_own_and_the_last_one_is_remembered(phone: Page) -> None:
    write(phone, "From the first phone")
    expect(bubbles(phone)).to_have_count(1)
    number = phone.get_by_label("Customer number")
    number.fill("(415) 555-0199")
    number.press("Enter")
    expect(number).to_have_value("+1 415-555-0199")
    expect(bubbles(phone)).to_have_count(0)
    write(phone, "From the second")
    expect(bubbles(phone)).to_contain_text("From the second")
    phone.reload()
    expect(number).to_have_value("+1 415-555-0199")
    expect(bubbles(phone)).to_contain_text("From the second")
    chosen = phone.get_by_role("button", name="+1 415-555-0199")
    expect(chosen).to_have_attribute("aria-pressed", "true")
    phone.get_by_role("button", name="+1 202-555-0142").click()
    expect(bubbles(phone)).to_contain_text("From the first phone")


def test_a_number_that_is_none_is_said_beside_the_field(phone: Page) -> None:
    write(phone, "Still here")
    number = phone.get_by_label("Customer number")
    number.fill("twelve")
    number.press("Enter")
    expect(phone.get_by_role("alert").filter(has_text="no phone number")).to_be_visible()
    expect(number).to_have_attribute("aria-invalid", "true")
    expect(bubbles(phone)).to_contain_text("Still here")
    phone.get_by_role("button", name="+1 202-555-0187").click()
    expect(number).to_have_value("+1 202-555-0187")
    expect(number).not_to_have_attribute("aria-invalid", "true")


async def senders(world: World) -> dict[str, str | None]:
    """What each message that the hub was told of says of its sender's name."""
    await world.quiet()
    return {each.text: each.sender_name for each in world.ctx.events if isinstance(each, Message)}


def test_the_customer_has_a_name_that_goes_with_what_is_sent_from_then_on(page: Page) -> None:
    with serving(kind=WhatsAppSimulator) as server:
        page.goto(server.address)
        name = page.get_by_role("textbox", name="Profile name")
        expect(name).to_be_enabled()
        expect(name).to_have_value("")
        expect(name).to_have_accessible_description("The name goes with each message from now on.")
        write(page, "Who am I?")
        expect(bubbles(page)).to_contain_text("Sent")
        name.fill("  Zoë Winter ")
        name.press("Enter")
        expect(log(page)).to_contain_text("The customer is now called Zoë Winter")
        expect(name).to_have_value("Zoë Winter")
        expect(name).to_be_focused()
        write(page, "I am Zoë")
        expect(bubbles(page).filter(has_text="Sent")).to_have_count(2)
        assert server.do(senders) == {"Who am I?": None, "I am Zoë": "Zoë Winter"}
        page.get_by_role("button", name="+1 202-555-0187").click()
        expect(page.get_by_label("Customer number")).to_have_value("+1 202-555-0187")
        expect(name).to_have_value("")
        page.get_by_role("button", name="+1 202-555-0142").click()
        expect(name).to_have_value("Zoë Winter")
        page.reload()
        expect(name).to_have_value("Zoë Winter")
        name.fill("")
        name.press("Tab")
        expect(log(page)).to_contain_text("The customer has no name any more")


@contextmanager
def a_name_on_its_way(page: Page, server: PageServer, label: str, name: str) -> Iterator[None]:
    """What is done meanwhile is done before the network has the name."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/name", hold)
    page.goto(server.address)
    page.get_by_role("textbox", name=label).fill(name)
    with page.expect_request("**/name"):
        page.keyboard.press("Tab")
    yield
    held[0].continue_()


def test_a_message_waits_for_the_name_that_was_typed_before_it(page: Page) -> None:
    with serving(kind=WhatsAppSimulator) as server:
        with a_name_on_its_way(page, server, "Profile name", "Zoë"):
            write(page, "Me already?")
        expect(bubbles(page)).to_contain_text("Sent")
        assert server.do(senders) == {"Me already?": "Zoë"}


def test_a_call_waits_for_the_name_that_was_typed_before_it(page: Page) -> None:
    async def callers(world: World) -> list[str | None]:
        return [e.caller_name for e in world.ctx.events if isinstance(e, CallStarted)]

    with serving(kind=CallSimulator) as server:
        with a_name_on_its_way(page, server, "Caller name", "Zoë"):
            page.get_by_role("button", name="Call").click()
        expect(log(page)).to_contain_text("rings")
        assert server.do(callers) == ["Zoë"]


def test_a_name_being_typed_stays_whatever_comes_meanwhile(page: Page) -> None:
    with serving(kind=WhatsAppSimulator) as server:
        page.goto(server.address)
        write(page, "Hello")
        expect(bubbles(page)).to_contain_text("Sent")
        name = page.get_by_role("textbox", name="Profile name")
        name.press_sequentially("Zoë Win")
        server.do(lambda world: world.send("t1", "Good morning"))
        expect(bubbles(page).nth(1)).to_contain_text("Good morning")
        name.press_sequentially("ter")
        expect(name).to_have_value("Zoë Winter")


def test_a_name_that_was_not_kept_is_said_beside_the_field(page: Page) -> None:
    with serving(kind=WhatsAppSimulator) as server:
        page.route("**/name", lambda route: route.fulfill(status=503, json={"title": "Full"}))
        page.goto(server.address)
        name = page.get_by_role("textbox", name="Profile name")
        name.fill("Zoë")
        name.press("Tab")
        problem = page.get_by_role("alert").filter(has_text="Full")
        expect(problem).to_be_visible()
        expect(name).to_have_accessible_description(re.compile("Full"))
        page.unroute("**/name")
        name.fill("Zoë Winter")
        name.press("Tab")
        expect(problem).to_be_hidden()
        expect(log(page)).to_contain_text("The customer is now called Zoë Winter")


@pytest.mark.parametrize(
    ("kind", "label", "what"),
    [
        (EmailSimulator, "Name in From", "The name goes with each mail from now on."),
        (
            CallSimulator,
            "Caller name",
            "The name goes with each call that shows the number.",
        ),
    ],
)
def test_the_name_is_called_what_the_medium_calls_it(
    page: Page, kind: Any, label: str, what: str
) -> None:
    with serving(kind=kind) as server:
        page.goto(server.address)
        name = page.get_by_role("textbox", name=label)
        expect(name).to_have_accessible_description(what)
        name.fill("Zoë Winter")
        name.press("Enter")
        expect(log(page)).to_contain_text("The customer is now called Zoë Winter")


def test_texts_have_no_field_for_a_name(phone: Page) -> None:
    write(phone, "Hello")
    expect(bubbles(phone)).to_contain_text("Sent")
    expect(phone.get_by_label("Profile name")).to_be_hidden()
    expect(phone.get_by_text("The name goes with")).to_be_hidden()


def test_a_sample_picture_is_chosen_and_sent(phone: Page, server: PageServer) -> None:
    phone.get_by_label("Attach a picture").click()
    phone.get_by_role("button", name="A cracked window").click()
    chosen = phone.get_by_role("list", name="Pictures to send")
    expect(chosen).to_contain_text("A cracked window")
    phone.get_by_role("button", name="Remove A cracked window").click()
    expect(chosen).to_be_hidden()
    phone.get_by_label("Attach a picture").click()
    phone.get_by_role("button", name="A dripping tap").click()
    phone.get_by_role("button", name="Send").click()
    picture = bubbles(phone).get_by_role("img", name="dripping-tap.png")
    expect(picture).to_be_visible()
    assert picture.evaluate("img => img.decode().then(() => img.naturalWidth)") == 480
    expect(chosen).to_be_hidden()


def test_a_large_picture_is_made_small_enough_first(phone: Page, server: PageServer) -> None:
    phone.get_by_label("Attach a picture").click()
    phone.get_by_label("Picture from this computer").set_input_files(
        {"name": "roof.bmp", "mimeType": "image/bmp", "buffer": bitmap(2000, 1000)}
    )
    expect(phone.get_by_role("list", name="Pictures to send")).to_contain_text("roof.bmp")
    phone.get_by_role("button", name="Send").click()
    expect(bubbles(phone).get_by_role("img")).to_be_visible()

    async def sent(world: World) -> Message:
        await world.quiet()
        return world.ctx.events[-1]

    (media,) = server.do(sent).media
    assert media.content_type == "image/jpeg"
    assert 1_000 < (media.size or 0) <= 600_000
    picture = bubbles(phone).get_by_role("img")
    assert picture.evaluate("img => img.decode().then(() => img.naturalWidth)") == 1600


def test_a_refused_text_comes_back_into_the_field(phone: Page) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=503, json={"title": "The hub is full"})

    phone.route("**/texts", refuse)
    write(phone, "Keep me")
    expect(phone.get_by_role("alert").filter(has_text="The hub is full")).to_be_visible()
    expect(phone.get_by_role("textbox", name="Message")).to_have_value("Keep me")
    phone.unroute("**/texts")
    phone.get_by_role("button", name="Send").click()
    expect(bubbles(phone)).to_contain_text("Keep me")
    expect(phone.get_by_role("alert").filter(has_text="The hub is full")).to_be_hidden()


def test_a_lost_hub_is_said_and_found_again(phone: Page, server: PageServer) -> None:
    phone.route("**/events?*", lambda route: route.abort())
    phone.get_by_role("button", name="+1 202-555-0187").click()
    trouble = phone.get_by_role("status").filter(has_text="cannot be reached")
    expect(trouble).to_be_visible()
    phone.unroute("**/events?*")
    expect(trouble).to_be_hidden()
    server.do(lambda world: world.send("t1", "Back again", number="+12025550187"))
    expect(bubbles(phone)).to_contain_text("Back again")


def test_with_several_numbers_the_customer_chooses_whom_to_text(page: Page) -> None:
    with serving(numbers=["+12025550100", "+12025550101"]) as server:
        page.goto(server.address)
        page.get_by_label("Business number").select_option("+1 202-555-0101")
        write(page, "To the second line")
        expect(log(page)).to_contain_text("The customer texts +1 202-555-0101")
        page.reload()
        server.do(lambda world: world.send("t1", own="+12025550101"))
        page.reload()
        expect(bubbles(page)).to_have_count(2)
        expect(page.get_by_label("Business number")).to_have_value("+12025550101")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it_at_every_width(
    browser: Browser, server: PageServer, scheme: str
) -> None:
    server.do(lambda world: world.send("t1", "Good morning"))
    with browser.new_context(color_scheme="dark" if scheme == "dark" else "light") as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(server.address)
        expect(page.get_by_text("nothing reaches real people")).to_be_visible()
        expect(bubbles(page)).to_contain_text("Read")
        page.get_by_label("Attach a picture").click()
        for width in (320, 390, 768, 1440):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
            violations = look_over(page).response["violations"]
            assert [(each["id"], each["nodes"]) for each in violations] == []
        assert errors == []


def bitmap(width: int, height: int) -> bytes:
    """An uncompressed picture, as large as its pixels."""
    row = b"".join(struct.pack("BBB", x % 256, (x // 7) % 256, 90) for x in range(width))
    pixels = row * height
    size = 54 + len(pixels)
    head = struct.pack("<2sIHHI", b"BM", size, 0, 0, 54)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 2835, 2835, 0, 0)
    return head + info + pixels
