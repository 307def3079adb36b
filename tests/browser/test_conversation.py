"""Reading and writing in one conversation."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.browser.conftest import Complaints
from tests.browser.screen import Inbox, replied, written
from tests.hubs import Client, HubProcess, wait_for

STATUSES_SEEN = """
window.statusesSeen = [];
new MutationObserver(() => {
  const entry = [...document.querySelectorAll("[data-key]")].find((each) =>
    each.textContent.includes("Thursday at nine."));
  const status = entry?.querySelector(".status")?.textContent ?? null;
  if (status && status !== window.statusesSeen.at(-1)) window.statusesSeen.push(status);
}).observe(document.body, { subtree: true, childList: true, characterData: true });
"""


def sides(of: Locator) -> tuple[float, float]:
    """Where it begins and ends from left to right, in pixels of the page."""
    found = of.bounding_box()
    assert found is not None
    return found["x"], found["x"] + found["width"]


@pytest.mark.feature("THRD-03", "RT-01")
def test_a_reply_is_there_at_once_and_its_receipts_go_forward_on_both_sides(
    inbox: Inbox, anas_browser: BrowserContext, ana: Client, number: str
) -> None:
    written(ana, number, "When do you come?", channel="workshop")
    inbox.open(number)
    phone = anas_browser.new_page()
    phone.goto(f"/hooks/main/workshop/phone?number={number}")
    phone.evaluate(
        "Object.defineProperty(document, 'visibilityState', {value: 'hidden', writable: true})"
    )
    expect(phone.get_by_text("When do you come?", exact=True)).to_be_visible()
    inbox.page.evaluate(STATUSES_SEEN)

    held = inbox.hold(r"/threads/\d+/messages$")
    inbox.send("Thursday at nine.")
    expect(inbox.entry("Thursday at nine.")).to_be_visible()
    expect(inbox.message).to_have_value("")
    expect(inbox.message).to_be_focused()
    expect(inbox.entry("Thursday at nine.")).to_contain_text("Sending")
    assert ana.phone(number, channel="workshop")["messages"][-1]["text"] == "When do you come?"
    held.let_go()

    answer = inbox.entry("Thursday at nine.")
    bubbles = phone.get_by_role("list", name="Messages on the phone").get_by_role("listitem")
    on_phone = bubbles.filter(has_text="Thursday at nine.")
    expect(answer).to_contain_text("Delivered")
    expect(on_phone).to_contain_text("Delivered")
    phone.evaluate(
        "document.visibilityState = 'visible';document.dispatchEvent(new Event('visibilitychange'))"
    )
    expect(on_phone).to_contain_text("Read")
    expect(answer).to_contain_text("Read")
    expect(inbox.entry("Thursday at nine.")).to_have_count(1)
    assert inbox.page.evaluate("statusesSeen") == ["Sending", "Sent", "Delivered", "Read"]

    question = inbox.entry("When do you come?")
    expect(question.locator(".meta")).to_have_text(re.compile(r"555.*Workshop.*\d:\d\d"))
    expect(answer.locator(".meta")).to_have_text(re.compile(r"You.*Workshop.*\d:\d\d.*Read"))
    start, end = sides(inbox.log)
    assert sides(question.locator(".bubble"))[0] - start < 40, "theirs stands at the left"
    assert end - sides(answer.locator(".bubble"))[1] < 40, "ours at the right"
    assert inbox.never_reloaded


@pytest.mark.feature("THRD-03")
def test_receipts_that_come_backwards_never_go_back_on_screen(
    inbox: Inbox, ana: Client, number: str
) -> None:
    written(ana, number)
    ana.behave(number, channel="front", order="backwards")
    inbox.open(number)
    inbox.page.evaluate(STATUSES_SEEN)
    inbox.send("Thursday at nine.")
    wait_for(
        lambda: (
            ana.phone(number, channel="front")["messages"][-1]["told"]
            == ["read", "delivered", "sent"]
        ),
        what="all receipts",
    )
    ana.text(number, "Noted", channel="front")
    expect(inbox.entry("Noted")).to_be_visible()
    seen = inbox.page.evaluate("statusesSeen")
    order = ["Sending", "Sent", "Delivered", "Read"]
    assert seen == sorted(seen, key=order.index)
    assert seen[-1] == "Read"


@pytest.mark.feature("THRD-03", "THRD-12")
def test_a_failed_message_says_why_and_is_retried(inbox: Inbox, ana: Client, number: str) -> None:
    written(ana, number)
    ana.behave(number, channel="front", answer="refuse", reason="policy")
    inbox.open(number)
    inbox.send("Open https://example.com/win now")
    failed = inbox.entry("example.com/win")
    expect(failed).to_contain_text(re.compile(r"Failed: \w+"))
    expect(inbox.row(number)).to_contain_text("Failed")
    ana.behave(number, channel="front")
    failed.get_by_role("button", name="Retry").click()
    expect(failed).to_contain_text("Delivered")
    expect(failed.get_by_role("button", name="Retry")).to_have_count(0)
    on_phone = [one["text"] for one in ana.phone(number, channel="front")["messages"]]
    assert on_phone.count("Open https://example.com/win now") == 1


@pytest.mark.feature("THRD-03", "THRD-12")
def test_a_failed_message_is_written_anew_and_its_neighbours_say_how_they_are(
    inbox: Inbox, ana: Client, number: str
) -> None:
    written(ana, number)
    inbox.open(number)
    inbox.send("Good morning!")
    expect(inbox.entry("Good morning!")).to_contain_text(re.compile("Delivered|Read"))
    ana.behave(number, channel="front", answer="refuse", reason="policy")
    inbox.send("We come at nein.")
    failed = inbox.entry("We come at nein.")
    expect(failed).to_contain_text("Failed")
    expect(inbox.entry("Good morning!")).to_contain_text(re.compile("Delivered|Read"))
    ana.behave(number, channel="front")
    inbox.message.fill("And bring a ladder.")
    failed.get_by_role("button", name="Edit and send again").click()
    expect(inbox.message).to_be_focused()
    expect(inbox.message).to_have_value("We come at nein.\nAnd bring a ladder.")
    inbox.send("We come at nine.\nAnd bring a ladder.")
    expect(inbox.entry("We come at nine.")).to_contain_text(re.compile("Delivered|Read"))
    expect(failed).to_contain_text("Failed")
    on_phone = [one["text"] for one in ana.phone(number, channel="front")["messages"]]
    assert on_phone == ["Hello", "Good morning!", "We come at nine.\nAnd bring a ladder."]


@pytest.fixture
def paused(ana: Client) -> Iterator[None]:
    """The channel sends nothing until the test is over, or resumes it."""
    ana.post("channels/front/pause")
    yield
    ana.post("channels/front/resume")


@pytest.mark.feature("THRD-12")
def test_a_waiting_message_is_canceled_and_never_goes_out(
    inbox: Inbox, ana: Client, number: str, paused: None
) -> None:
    thread = written(ana, number)
    replied(ana, thread, "never mind")
    inbox.open(number)
    waiting = inbox.entry("never mind")
    expect(waiting).to_contain_text("Sending")
    waiting.get_by_role("button", name="Cancel").click()
    expect(waiting).to_contain_text("Canceled")
    expect(waiting.get_by_role("button", name="Cancel")).to_have_count(0)
    ana.post("channels/front/resume")
    inbox.send("This one goes")
    expect(inbox.entry("This one goes")).to_contain_text("Delivered")
    on_phone = [one["text"] for one in ana.phone(number, channel="front")["messages"]]
    assert on_phone == ["Hello", "This one goes"]


@pytest.mark.feature("THRD-12")
def test_a_cancel_that_comes_too_late_says_so(
    inbox: Inbox, ana: Client, number: str, paused: None, complaints: Complaints
) -> None:
    complaints.allow("409")
    thread = written(ana, number)
    replied(ana, thread, "on its way")
    inbox.open(number)
    held = inbox.hold("/cancel$")
    inbox.entry("on its way").get_by_role("button", name="Cancel").click()
    ana.post("channels/front/resume")
    expect(inbox.entry("on its way")).to_contain_text("Delivered")
    held.let_go()
    expect(inbox.page.get_by_text("The message was not canceled.")).to_be_visible()
    expect(inbox.entry("on its way")).to_contain_text("Delivered")


def test_a_message_nobody_knows_of_is_looked_up_by_a_person(
    inbox: Inbox, ana: Client, number: str
) -> None:
    written(ana, number)
    ana.behave(number, channel="front", answer="lost_arrived", lookup=False)
    inbox.open(number)
    inbox.send("Did this go?")
    entry = inbox.entry("Did this go?")
    expect(entry).to_contain_text("Not confirmed by the provider")
    expect(inbox.row(number)).to_contain_text("Not confirmed")
    entry.get_by_role("button", name="Check").click()
    dialog = inbox.page.get_by_role("dialog", name="Did it go out?")
    dialog.get_by_role("button", name="Mark as sent").click()
    expect(dialog).to_have_count(0)
    expect(entry).to_contain_text(re.compile("Sent|Delivered|Read"))


@pytest.mark.feature("THRD-05")
def test_a_note_looks_different_and_never_reaches_the_customer(
    inbox: Inbox, ana: Client, number: str
) -> None:
    written(ana, number)
    inbox.open(number)
    inbox.modes.get_by_role("button", name="Note").click()
    expect(inbox.note).to_be_focused()
    ground = "el => getComputedStyle(el).backgroundColor"
    note_ground = inbox.note.evaluate(ground)
    inbox.note.fill("They are a VIP")
    inbox.page.get_by_role("button", name="Add note").click()
    note = inbox.entry("They are a VIP")
    expect(note).to_contain_text("Internal note")
    expect(note.locator(".status")).to_have_count(0)
    inbox.modes.get_by_role("button", name="Front desk").click()
    expect(inbox.message).to_be_focused()
    inbox.send("Good morning!")
    message = inbox.entry("Good morning!")
    expect(message).to_contain_text("Delivered")
    grounds = [entry.locator(".bubble").evaluate(ground) for entry in (note, message)]
    assert grounds[0] == note_ground
    assert grounds[0] != grounds[1] != inbox.message.evaluate(ground)
    on_phone = [one["text"] for one in ana.phone(number, channel="front")["messages"]]
    assert on_phone == ["Hello", "Good morning!"]

    inbox.page.get_by_role("radio", name="Notes").click()
    expect(inbox.log.locator("[data-key]")).to_have_count(1)
    expect(note).to_be_visible()


@pytest.mark.feature("COMP-03")
def test_a_draft_never_goes_to_somebody_else_on_a_slow_network(
    inbox: Inbox, ana: Client, number: str
) -> None:
    others = [f"{number[:5]}78{digit}{number[8:]}" for digit in range(3)]
    for each in (number, *others):
        written(ana, each)
    slow = inbox.hold(r"/threads/\d+(/entries.*)?$")
    inbox.at_top(others[-1])
    inbox.row(number).click()
    inbox.message.fill("Only for the first")
    for each in others:
        inbox.row(each).click()
        expect(inbox.message).to_have_value("")
        inbox.message.press("Enter")
    inbox.row(number).click()
    expect(inbox.message).to_have_value("Only for the first")
    inbox.row(others[0]).click()
    slow.let_go()
    expect(inbox.entry("Hello")).to_be_visible()
    expect(inbox.message).to_have_value("")
    inbox.send("For the second")
    expect(inbox.entry("For the second")).to_contain_text("Delivered")
    expect(inbox.row(number)).to_contain_text("Draft Only for the first")
    inbox.row(number).click()
    expect(inbox.message).to_have_value("Only for the first")
    for each in (number, *others):
        sent = [
            one["text"]
            for one in ana.phone(each, channel="front")["messages"]
            if one["author"] == "business"
        ]
        assert sent == (["For the second"] if each == others[0] else [])
    inbox.go()
    inbox.open(number)
    expect(inbox.message).to_have_value("Only for the first")


@pytest.mark.feature("COMP-03")
def test_a_session_that_ends_while_one_writes_costs_nothing(
    browser_as, hub: HubProcess, ana: Client, number: str, complaints: Complaints
) -> None:
    complaints.allow("401|WebSocket")
    written(ana, number)
    mine = hub.client()
    inbox = Inbox(browser_as(mine, hub.base_url).new_page()).go().open(number)
    inbox.message.press_sequentially("Half a sentence,")
    # Somebody who goes on pressing keys, however slow the machine.
    inbox.page.evaluate(
        """() => {
          window.pressing = setInterval(() => document.activeElement.dispatchEvent(
            new KeyboardEvent("keydown", { key: "Shift", bubbles: true })), 100);
        }"""
    )
    with inbox.page.expect_response(lambda answer: answer.status == 401):
        assert mine.http.delete("/api/v1/session").is_success
    inbox.message.press_sequentially(" and the other half")
    dialog = inbox.page.get_by_role("dialog", name="Your session has ended")
    expect(dialog).to_have_count(0)
    inbox.page.evaluate("clearInterval(window.pressing)")
    expect(dialog.get_by_label("Email")).to_have_value("ana@example.com")
    dialog.get_by_role("textbox", name="Password").fill("correct-horse-battery")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_have_count(0)
    expect(inbox.message).to_have_value("Half a sentence, and the other half")
    inbox.message.press("Enter")
    expect(inbox.entry("and the other half")).to_contain_text("Delivered")
    assert inbox.never_reloaded
    ana.text(number, "Live again", channel="front")
    expect(inbox.entry("Live again")).to_be_visible()
    mine.close()


def test_a_conversation_that_cannot_be_fetched_says_so(
    ana: Client, anas_browser: BrowserContext, number: str, complaints: Complaints
) -> None:
    thread = written(ana, number, "Is anybody there?")
    complaints.allow("opened")
    inbox = Inbox(anas_browser.new_page())
    inbox.page.route("**/opened*.js", lambda route: route.abort())
    inbox.go(f"/messages?status=all&conversation={thread['id']}")
    failed = inbox.conversation.get_by_role("heading", name="This page could not be loaded")
    expect(failed).to_be_visible()
    expect(inbox.row(number)).to_be_visible()
    expect(inbox.page.get_by_role("group", name="Assignee")).to_be_visible()
    inbox.page.unroute("**/opened*.js")
    inbox.conversation.get_by_role("button", name="Try again").click()
    expect(inbox.entry("Is anybody there?")).to_be_visible()
