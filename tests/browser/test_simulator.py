"""The simulator's phone and the inbox side by side, on a real hub."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.hubs import Client, HubProcess, running_hub, wait_for

CUSTOMER = "+12025550142"
SHOWN = "+1 202-555-0142"


@pytest.fixture(scope="module")
def hub() -> Iterator[HubProcess]:
    with running_hub() as running:
        yield running


@pytest.fixture
def client(hub: HubProcess, context: BrowserContext) -> Iterator[Client]:
    """A member's client; the browser is signed in with its session."""
    signed_in = hub.client()
    context.add_cookies(
        [
            {"name": cookie.name, "value": cookie.value or "", "url": hub.base_url}
            for cookie in signed_in.http.cookies.jar
        ]
    )
    yield signed_in
    signed_in.close()


@pytest.fixture
def inbox(hub: HubProcess, client: Client, context: BrowserContext) -> Page:
    page = context.new_page()
    page.goto(f"{hub.base_url}/messages")
    return page


@pytest.fixture
def phone(inbox: Page) -> Page:
    """The simulator's page, opened by the link in the inbox."""
    link = inbox.get_by_role("link", name="Open the simulator phone")
    page = inbox.context.new_page()
    page.goto(str(link.evaluate("link => link.href")))
    expect(page.get_by_label("Customer number")).to_have_value(SHOWN)
    return page


def bubbles(phone: Page) -> Locator:
    return phone.get_by_role("list", name="Messages on the phone").get_by_role("listitem")


def write(page: Page, text: str) -> None:
    page.bring_to_front()
    page.get_by_role("textbox", name="Message").fill(text)
    page.get_by_role("textbox", name="Message").press("Enter")


@pytest.mark.feature("OPER-01", "RT-01")
def test_a_text_shows_in_the_inbox_and_the_reply_on_the_phone_with_its_receipts(
    inbox: Page, phone: Page, client: Client
) -> None:
    write(phone, "Is Thursday still fine?")
    row = inbox.get_by_text("Is Thursday still fine?").first
    expect(row).to_be_visible()
    row.click()
    expect(inbox.get_by_role("log").get_by_text("Is Thursday still fine?")).to_be_visible()

    # Behind the inbox the phone is not looked at, so the reply is not read yet.
    phone.evaluate(
        "Object.defineProperty(document, 'visibilityState', {value: 'hidden', writable: true})"
    )
    write(inbox, "Thursday at nine it is.")
    answer = bubbles(phone).filter(has_text="Thursday at nine it is.")
    expect(answer).to_contain_text("Delivered")
    expect(inbox.get_by_role("log").get_by_text("Delivered")).to_be_visible()
    phone.evaluate(
        "document.visibilityState = 'visible';document.dispatchEvent(new Event('visibilitychange'))"
    )
    expect(answer).to_contain_text("Read")
    expect(inbox.get_by_role("log").get_by_text("Read", exact=True)).to_be_visible()
    told = client.phone(CUSTOMER)["messages"][-1]["told"]
    assert told == ["sent", "delivered", "read"]


def test_copies_at_once_are_one_message(phone: Page, client: Client) -> None:
    client.behave(CUSTOMER, copies=5, at_once=True)
    write(phone, "Five times at the same moment")
    expect(bubbles(phone).filter(has_text="Five times")).to_contain_text("Sent")
    client.behave(CUSTOMER)
    assert texts_with(client, "Five times") == 1


def test_receipts_backwards_end_in_read(phone: Page, client: Client) -> None:
    client.behave(CUSTOMER, order="backwards")
    thread = wait_for(lambda: client.thread_of(SHOWN), what="the conversation")
    message = {"channel_id": "simulator", "contact_id": thread["contact"]["id"], "body": "Mirror"}
    client.post(f"threads/{thread['id']}/messages", message)
    wait_for(
        lambda: client.phone(CUSTOMER)["messages"][-1]["told"] == ["read", "delivered", "sent"],
        what="all receipts",
    )
    client.behave(CUSTOMER)
    newest = client.entries(thread["id"])[-1]
    assert (newest["text"], newest["status"]) == ("Mirror", "read")


def test_a_refused_message_is_failed_with_its_reason(
    inbox: Page, phone: Page, client: Client
) -> None:
    phone.get_by_label("When the hub sends").select_option("Refuse")
    phone.get_by_label("Reason for refusing or failing").select_option("A carrier's filter")
    expect(phone.get_by_role("list", name="Log")).to_contain_text("behaves as told")
    inbox.get_by_text(SHOWN).first.click()
    write(inbox, "This one is filtered")
    expect(inbox.get_by_role("log").get_by_text("Failed").first).to_be_visible()
    phone.bring_to_front()
    phone.get_by_role("button", name="Back to normal").click()
    expect(phone.get_by_role("status").filter(has_text="Normal")).to_be_visible()
    expect(bubbles(phone).filter(has_text="This one is filtered")).to_have_count(0)


def test_a_picture_from_the_phone_is_seen_in_the_inbox(inbox: Page, phone: Page) -> None:
    phone.bring_to_front()
    phone.get_by_label("Attach a picture").click()
    phone.get_by_role("button", name="A dripping tap").click()
    phone.get_by_role("button", name="Send").click()
    expect(bubbles(phone).last).to_contain_text("Sent")
    inbox.bring_to_front()
    inbox.get_by_text(SHOWN).first.click()
    picture = inbox.get_by_role("button", name="Image dripping-tap.png").locator("img")
    expect(picture).to_be_visible()
    wait_for(
        lambda: picture.evaluate("img => img.naturalWidth > 0"), what="the picture in the inbox"
    )


def texts_with(client: Client, words: str) -> int:
    thread = wait_for(lambda: client.thread_of(SHOWN), what="the conversation")
    return sum(words in (entry["text"] or "") for entry in client.entries(thread["id"]))
