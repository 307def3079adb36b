"""The simulator's phone and the inbox side by side, on a real hub."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.screen import Inbox
from tests.browser.test_accessibility import check
from tests.hubs import Client, wait_for

CUSTOMER = "+12025550142"
SHOWN = "+1 202-555-0142"


@pytest.fixture
def phone(inbox: Inbox) -> Page:
    """The simulator's page, opened by the link in the inbox."""
    pages = inbox.page.get_by_role("navigation")
    with inbox.page.expect_popup() as opened:
        pages.get_by_role("link", name="Text simulator: Front desk").click()
    expect(opened.value.get_by_label("Customer number")).to_have_value(SHOWN)
    return opened.value


def bubbles(phone: Page) -> Locator:
    return phone.get_by_role("list", name="Messages on the phone").get_by_role("listitem")


def write(page: Page, text: str) -> None:
    page.bring_to_front()
    page.get_by_role("textbox", name="Message").fill(text)
    page.get_by_role("textbox", name="Message").press("Enter")


@pytest.mark.feature("OPER-01", "RT-01")
def test_a_text_shows_in_the_inbox_and_the_reply_on_the_phone_with_its_receipts(
    inbox: Inbox, phone: Page, ana: Client
) -> None:
    write(phone, "Is Thursday still fine?")
    row = inbox.page.get_by_text("Is Thursday still fine?").first
    expect(row).to_be_visible()
    row.click()
    expect(inbox.page.get_by_role("log").get_by_text("Is Thursday still fine?")).to_be_visible()

    # Behind the inbox the phone is not looked at, so the reply is not read yet.
    phone.evaluate(
        "Object.defineProperty(document, 'visibilityState', {value: 'hidden', writable: true})"
    )
    write(inbox.page, "Thursday at nine it is.")
    answer = bubbles(phone).filter(has_text="Thursday at nine it is.")
    expect(answer).to_contain_text("Delivered")
    expect(inbox.page.get_by_role("log").get_by_text("Delivered")).to_be_visible()
    phone.evaluate(
        "document.visibilityState = 'visible';document.dispatchEvent(new Event('visibilitychange'))"
    )
    expect(answer).to_contain_text("Read")
    expect(inbox.page.get_by_role("log").get_by_text("Read", exact=True)).to_be_visible()
    told = ana.phone(CUSTOMER, channel="front")["messages"][-1]["told"]
    assert told == ["sent", "delivered", "read"]


def test_copies_at_once_are_one_message(phone: Page, ana: Client) -> None:
    ana.behave(CUSTOMER, channel="front", copies=5, at_once=True)
    write(phone, "Five times at the same moment")
    expect(bubbles(phone).filter(has_text="Five times")).to_contain_text("Sent")
    ana.behave(CUSTOMER, channel="front")
    assert texts_with(ana, "Five times") == 1


def test_receipts_backwards_end_in_read(phone: Page, ana: Client) -> None:
    ana.behave(CUSTOMER, channel="front", order="backwards")
    thread = wait_for(lambda: ana.thread_of(SHOWN), what="the conversation")
    message = {"channel_id": "front", "contact_id": thread["contact"]["id"], "body": "Mirror"}
    ana.post(f"threads/{thread['id']}/messages", message)
    wait_for(
        lambda: (
            ana.phone(CUSTOMER, channel="front")["messages"][-1]["told"]
            == ["read", "delivered", "sent"]
        ),
        what="all receipts",
    )
    ana.behave(CUSTOMER, channel="front")
    newest = ana.entries(thread["id"])[-1]
    assert (newest["text"], newest["status"]) == ("Mirror", "read")


def test_a_refused_message_is_failed_with_its_reason(
    inbox: Inbox, phone: Page, ana: Client
) -> None:
    phone.get_by_label("When the hub sends").select_option("Refuse")
    phone.get_by_label("Reason for refusing or failing").select_option("A carrier's filter")
    expect(phone.get_by_role("list", name="Log")).to_contain_text("behaves as told")
    inbox.page.get_by_text(SHOWN).first.click()
    write(inbox.page, "This one is filtered")
    expect(inbox.page.get_by_role("log").get_by_text("Failed").first).to_be_visible()
    phone.bring_to_front()
    phone.get_by_role("button", name="Back to normal").click()
    expect(phone.get_by_role("status").filter(has_text="Normal")).to_be_visible()
    expect(bubbles(phone).filter(has_text="This one is filtered")).to_have_count(0)


def test_a_picture_from_the_phone_is_seen_in_the_inbox(inbox: Inbox, phone: Page) -> None:
    phone.bring_to_front()
    phone.get_by_label("Attach a picture").click()
    phone.get_by_role("button", name="A dripping tap").click()
    phone.get_by_role("button", name="Send").click()
    expect(bubbles(phone).last).to_contain_text("Sent")
    inbox.page.bring_to_front()
    inbox.page.get_by_text(SHOWN).first.click()
    picture = inbox.page.get_by_role("button", name="Image dripping-tap.png").locator("img")
    expect(picture).to_be_visible()
    wait_for(
        lambda: picture.evaluate("img => img.naturalWidth > 0"), what="the picture in the inbox"
    )


def test_who_writes_a_channel_sees_what_its_render_gives(inbox: Inbox, phone: Page) -> None:
    long = "Two segments go out where this is sent. " * 5
    write(phone, long)
    expect(bubbles(phone).filter(has_text=long.strip()).last).to_contain_text("Sent")
    page = inbox.page
    page.bring_to_front()
    page.goto("/deliveries?channel=front")
    page.get_by_role("list", name="Deliveries, newest first").get_by_role("link").first.click()
    page.get_by_role("button", name="Try").click()
    tried = page.get_by_role("region", name="Try: what would come of it now")
    tried.get_by_text("How it looks").click()
    looks = tried.get_by_role("listitem")
    expect(looks).to_have_count(5)
    expect(looks.filter(has_text="Below what is being written")).to_contain_text("2 segments")
    at_the_provider = tried.get_by_role("region", name="Parts on the wire: At the provider")
    expect(at_the_provider).to_contain_text(long.strip())
    check(page)


def texts_with(ana: Client, words: str) -> int:
    thread = wait_for(lambda: ana.thread_of(SHOWN), what="the conversation")
    return sum(words in (entry["text"] or "") for entry in ana.entries(thread["id"]))
