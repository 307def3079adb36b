"""Calls: in the conversation, on a page of their own, resolved, moved and made."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import Complaints
from tests.browser.office import PHONE, PICTURES, SECOND, Office
from tests.browser.screen import Inbox, shown
from tests.browser.test_accessibility import check_in_both_modes, options
from tests.hubs import wait_for

__all__ = ["options"]

WORDS = [
    [1, "assistant", "Good morning, how can I help?"],
    [4, "customer", "My boiler leaks."],
    [8, "assistant", "I am sorry to hear that."],
    [10, "customer", "It began last night."],
]
RECORDED = {"type": "recording", "media": {"url": f"https://{PICTURES}/call.wav"}, "duration": 12}
REPORTED = {
    "type": "call_outcome",
    "summary": "The boiler leaks, somebody has to come.",
    "facts": {"Address": "12 High Street"},
    "outcome": "Callback promised",
    "follow_up": "Call back before noon",
    "due_at": "2026-05-04T12:00:00Z",
}


def open_(desk: Inbox, thread: dict[str, Any]) -> None:
    desk.page.goto(f"/messages?status=all&conversation={thread['id']}")
    expect(desk.log).to_be_visible()


def card(desk: Inbox, name: str) -> Locator:
    return desk.page.get_by_role("article", name=name)


def badge(page: Page) -> int:
    """What the badge on Messages says."""
    link = page.get_by_role("navigation").get_by_role("link", name=re.compile("^Messages"))
    found = re.search(r"(\d+) conversation", link.inner_text())
    return int(found[1]) if found else 0


def choose(desk: Inbox, item: str, on: Locator) -> None:
    on.get_by_role("button", name="Call actions").click()
    desk.page.get_by_role("menuitem", name=item).click()


@pytest.mark.feature("THRD-07", "VOIC-01", "VOIC-04")
def test_a_call_shows_how_it_went_with_its_recording_and_words(
    desk: Inbox, office: Office, number: str
) -> None:
    told = ({"type": "transcript", "turns": WORDS}, RECORDED, REPORTED)
    office.call(number, "answered", *told, caller_name="Elif Kaya", duration=252)
    thread = office.newest()
    open_(desk, thread)
    call = card(desk, "Call with Elif Kaya")
    expect(call).to_contain_text("Incoming · answered · 4 min 12 s")
    for words in ("My boiler leaks.", "12 High Street", "Callback promised", REPORTED["summary"]):
        expect(call.get_by_text(words)).to_be_visible()
    expect(call.get_by_text("It began last night.")).to_have_count(0)
    call.get_by_role("button", name="Show transcript (4 lines)").click()
    expect(call.get_by_text("It began last night.")).to_be_visible()

    player = call.get_by_role("group").filter(has=desk.page.get_by_role("slider"))
    position = player.get_by_role("slider", name="Position")
    position.press("ArrowRight")
    expect(position).to_have_attribute("aria-valuetext", re.compile("^0:05 of "))
    said = call.get_by_role("list", name="Transcript").get_by_role("listitem")
    expect(said.nth(1)).to_have_attribute("aria-current", "true")
    call.get_by_role("button", name="Play from 0:08").click()
    expect(said.nth(2)).to_have_attribute("aria-current", "true")
    expect(player.get_by_role("button", name="Pause")).to_be_visible()
    player.get_by_role("button", name="Pause").click()
    expect(player.get_by_role("button", name="Play")).to_be_visible()
    player.get_by_role("button", name="Speed 1×").click()  # noqa: RUF001
    expect(player.get_by_role("button", name="Speed 1.25×")).to_be_visible()  # noqa: RUF001


@pytest.mark.feature("VOIC-04")
def test_what_an_agent_promised_is_marked_done(desk: Inbox, office: Office, number: str) -> None:
    office.call(number, "answered", REPORTED, caller_name="Omar Haddad")
    open_(desk, office.newest())
    call = card(desk, "Call with Omar Haddad")
    expect(call.get_by_text("Was due Mon, May 4")).to_be_visible()
    call.get_by_role("button", name="Mark done").click()
    expect(call.get_by_text(re.compile("^Done "))).to_be_visible()
    desk.page.reload()
    call.get_by_role("button", name="Not done yet").click()
    expect(call.get_by_role("button", name="Mark done")).to_be_visible()


@pytest.mark.feature("THRD-07")
@pytest.mark.parametrize("width", [1440, 390])
def test_a_call_has_a_page_of_its_own(
    office: Office,
    browser_as: Callable[..., BrowserContext],
    number: str,
    width: int,
    complaints: Complaints,
) -> None:
    complaints.allow("404.*/entries/1$")
    size = {"width": width, "height": 844}
    desk = Inbox(browser_as(office.client, office.hub.base_url, viewport=size).new_page())
    office.call(
        number, "answered", {"type": "transcript", "turns": WORDS}, REPORTED, caller_name="Ida"
    )
    open_(desk, office.newest())
    card(desk, "Call with Ida").get_by_role("link", name="Call with Ida").click()
    expect(desk.page).to_have_url(re.compile(r"[?&]call=\d+"))
    for _ in range(2):
        page = card(desk, "Call with Ida")
        expect(page.get_by_text("It began last night.")).to_be_visible()
        expect(page.get_by_text(shown(PHONE))).to_be_visible()
        expect(desk.log).to_have_count(0)
        desk.page.reload()
    assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    desk.page.go_back()
    expect(desk.log).to_be_visible()
    desk.page.go_forward()
    desk.page.get_by_role("button", name="Back to the conversation").click()
    expect(desk.log.get_by_role("article", name="Call with Ida")).to_be_visible()
    desk.page.goto(re.sub(r"call=\d+", "call=1", desk.page.url.replace("entry=", "call=")))
    expect(desk.page.get_by_text("This call is gone or out of your reach.")).to_be_visible()


@pytest.mark.feature("VOIC-01", "VOIC-02")
def test_a_missed_call_stays_unread_until_it_is_resolved(
    desk: Inbox, office: Office, number: str, browser_as: Callable[..., BrowserContext]
) -> None:
    other = Inbox(browser_as(office.client, office.hub.base_url).new_page()).go()
    before = office.client.get("threads/counts")["unread_total"]
    voicemail = {"type": "voicemail", "media": None, "duration": 38, "text": "Call me back"}
    office.call(number, "missed", voicemail)
    wait_for(lambda: badge(other.page) == before + 1, what="the badge to rise")
    open_(desk, office.newest())
    call = card(desk, f"Voicemail from {shown(number)}")
    expect(call.get_by_text("Call me back")).to_be_visible()
    expect(call.get_by_text("Unresolved")).to_be_visible()
    desk.tab("Unread").click()
    expect(desk.row(number)).to_be_visible()
    assert badge(other.page) == before + 1, "reading alone resolves nothing"
    call.get_by_role("button", name="Mark resolved").click()
    expect(call.get_by_text(re.compile("^Resolved by "))).to_be_visible()
    wait_for(lambda: badge(other.page) == before, what="the badge to fall")
    other.tab("Unread").click()
    expect(other.row(number)).to_have_count(0)
    assert other.never_reloaded


@pytest.mark.feature("THRD-07")
def test_a_voicemail_without_a_recording_says_so(desk: Inbox, office: Office, number: str) -> None:
    voicemail = {"type": "voicemail", "media": None, "duration": 38, "text": None}
    call_id = office.call(number, "missed", voicemail)
    open_(desk, office.newest())
    call = card(desk, f"Voicemail from {shown(number)}")
    missing = call.get_by_text("No recording of it has arrived.")
    expect(missing).to_be_visible()
    office.tell("calls", {**RECORDED, "external_id": call_id})
    expect(call.get_by_role("button", name="Play")).to_be_visible()
    expect(missing).to_have_count(0)


@pytest.mark.feature("VOIC-01", "VOIC-02")
def test_a_call_whose_end_was_never_told_is_shown_and_resolved(
    desk: Inbox, office: Office, number: str
) -> None:
    office.call(number, None, caller_name="Ines Duarte")
    thread = office.newest()
    open_(desk, thread)
    call = card(desk, "Call with Ines Duarte")
    expect(call.get_by_text(re.compile("^Live, "))).to_be_visible()
    (entry,) = office.client.entries(thread["id"])
    with sqlite3.connect(office.hub.folder / "data" / "hub.db") as database:
        # As if four hours had passed.
        passed = database.execute("UPDATE due SET look_at = 1 WHERE key = ?", (entry["id"],))
        assert passed.rowcount == 1
    expect(call).to_contain_text("Incoming · nobody was told how it ended")
    expect(call.get_by_text("Unresolved")).to_be_visible()
    row = desk.rows.filter(has_text="Ines Duarte")
    expect(row).to_contain_text("Voice call - end unknown")
    call.get_by_role("button", name="Mark resolved").click()
    expect(call.get_by_text(re.compile("^Resolved by "))).to_be_visible()


@pytest.mark.feature("VOIC-03", "LIST-01")
@pytest.mark.parametrize("width", [1440, 390])
def test_where_nothing_is_left_says_so_and_leaves_the_list(
    office: Office, browser_as: Callable[..., BrowserContext], number: str, width: int
) -> None:
    office.message("texts", number.replace("555", "557"), "Hello", sender_name="Sol Ibarra")
    sol = office.newest()
    office.call(number, "answered", caller_name=f"Paul {width}")
    wrong = office.newest()
    (entry,) = office.client.entries(wrong["id"])
    size = {"width": width, "height": 844}
    desk = Inbox(browser_as(office.client, office.hub.base_url, viewport=size).new_page())
    listed = Inbox(browser_as(office.client, office.hub.base_url, viewport=size).new_page()).go()
    row = listed.rows.filter(has_text=f"Paul {width}")
    expect(row).to_be_visible()
    open_(desk, wrong)
    to = {"contact_id": sol["contact"]["id"]}
    office.client.post(f"entries/{entry['id']}/reassign", to)
    nothing = "Nothing is left in this conversation: its only call was moved to another one."
    for _ in range(2):
        expect(desk.page.get_by_text(nothing)).to_be_visible()
        assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        desk.page.reload()
    expect(row).to_have_count(0)  # it stays for a while, and says why
    assert listed.never_reloaded
    office.client.post(f"threads/{wrong['id']}/notes", {"body": "Wrong number"})
    expect(row).to_be_visible()
    expect(desk.page.get_by_text(nothing)).to_have_count(0)


@pytest.mark.feature("VOIC-03")
def test_a_call_moves_to_whom_it_belongs(
    desk: Inbox, office: Office, number: str, browser_as: Callable[..., BrowserContext]
) -> None:
    office.message("texts", number.replace("555", "557"), "Hello", sender_name="Rosa Silva")
    rosa = office.newest()
    office.call(number, "answered", caller_name="Wrong Name")
    wrong = office.newest()
    colleague = Inbox(browser_as(office.client, office.hub.base_url).new_page())
    open_(colleague, wrong)
    expect(card(colleague, "Call with Wrong Name")).to_be_visible()

    open_(desk, wrong)
    choose(desk, "Move or detach", card(desk, "Call with Wrong Name"))
    dialog = desk.page.get_by_role("dialog", name="Whose call is it?")
    dialog.get_by_role("button", name="Confirm").click()
    expect(dialog.get_by_text("Choose a customer.")).to_be_visible()
    dialog.get_by_label("Find a customer").fill("Rosa")
    dialog.get_by_role("radio", name="Rosa Silva").check()
    dialog.get_by_label("Reason (optional)").fill("She called from her sister's phone")
    dialog.get_by_role("button", name="Confirm").click()
    expect(desk.page.get_by_text("The call was moved to Rosa Silva.")).to_be_visible()
    expect(desk.page).to_have_url(re.compile(f"conversation={rosa['id']}"))
    expect(card(desk, "Call with Rosa Silva")).to_be_visible()
    expect(card(colleague, "Call with Wrong Name")).to_have_count(0)
    expect(colleague.log.get_by_text("A call was moved to another conversation")).to_be_visible()
    desk.page.get_by_role("button", name="Go back").click()
    expect(desk.page).to_have_url(re.compile(f"conversation={wrong['id']}"))


@pytest.mark.feature("VOIC-03")
def test_a_call_is_detached_from_its_page(desk: Inbox, office: Office, number: str) -> None:
    office.call(number, "missed", caller_name="Nobody We Know")
    before = office.newest()
    (entry,) = office.client.entries(before["id"])
    desk.page.goto(f"/messages?status=all&conversation={before['id']}&call={entry['id']}")
    choose(desk, "Move or detach", card(desk, "Missed call from Nobody We Know"))
    dialog = desk.page.get_by_role("dialog", name="Whose call is it?")
    dialog.get_by_role("radio", name="Detach to anonymous").check()
    dialog.get_by_role("button", name="Confirm").click()
    expect(desk.page.get_by_text("The call was detached and stands alone now.")).to_be_visible()
    expect(desk.page).to_have_url(re.compile(f"call={entry['id']}"))
    expect(desk.page).not_to_have_url(re.compile(f"conversation={before['id']}"))
    expect(desk.page.get_by_role("article").get_by_text("Unresolved")).to_be_visible()


@pytest.mark.feature("VOIC-03")
def test_who_leaves_a_call_that_a_colleague_moves_is_not_brought_back(
    desk: Inbox, office: Office, number: str, complaints: Complaints
) -> None:
    complaints.allow(r"404.*/entries\?around=")  # where it was, nothing is to be shown any more
    office.call(number, "missed", caller_name="Somebody Else")
    before = office.newest()
    (entry,) = office.client.entries(before["id"])
    desk.page.goto(f"/messages?status=all&conversation={before['id']}&call={entry['id']}")
    expect(card(desk, "Missed call from Somebody Else")).to_be_visible()
    place = rf"/entries/{entry['id']}$"
    looked = desk.hold(place)
    with desk.page.expect_request(re.compile(place)):
        office.client.post(f"entries/{entry['id']}/reassign", {"contact_id": None, "reason": None})
    desk.page.get_by_role("button", name="Back to the conversation").click()
    expect(desk.page).not_to_have_url(re.compile("call="))
    left = desk.page.url
    with desk.page.expect_response(re.compile(place)) as answer:
        looked.let_go()
    answer.value.finished()
    desk.page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    assert desk.page.url == left


@pytest.mark.feature("VOIC-05")
def test_a_contact_is_called_from_the_conversation(
    desk: Inbox, office: Office, number: str
) -> None:
    office.client.http.patch("/api/v1/me", json={"phone": None})
    office.message("texts", number, "Call me", sender_name="Sven Larsen")
    open_(desk, office.newest())
    desk.conversation.get_by_role("button", name="Call", exact=True).click()
    dialog = desk.page.get_by_role("dialog", name="Call Sven Larsen")
    expect(dialog.get_by_text("this phone rings first")).to_be_visible()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("Enter a number with its country code")).to_be_visible()
    dialog.get_by_label("Phone number").fill("+1 202 555 0199")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("rings first. When you pick up, Sven Larsen")).to_be_visible()
    dialog.get_by_label("Shown as").select_option(SECOND)
    dialog.get_by_role("button", name="Call", exact=True).click()
    expect(dialog).to_have_count(0)
    call = card(desk, "Call with Sven Larsen")
    expect(call).to_contain_text("Outgoing")
    expect(call.get_by_text(re.compile(r"^Live, \d+:\d\d$"))).to_be_visible()
    thread = office.client.threads()[0]
    entry = office.client.entries(thread["id"])[-1]
    assert (entry["kind"], entry["own_address"]) == ("call", shown(SECOND))
    turn = {"type": "call_turn", "number": 1, "speaker": "customer", "text": "Hello there"}
    ended = {"type": "call_ended", "outcome": "answered", "duration": 65}
    office.tell("calls", {**turn, "external_id": f"o-{number}"})
    expect(call.get_by_text("Hello there")).to_be_visible()
    office.tell("calls", {**ended, "external_id": f"o-{number}"})
    expect(call).to_contain_text("Outgoing · answered · 1 min 5 s")
    expect(call.get_by_text(re.compile("^Live"))).to_have_count(0)


@pytest.mark.feature("VOIC-05")
def test_the_phone_that_rings_is_set_in_the_account_menu(desk: Inbox, office: Office) -> None:
    def dialog() -> Locator:
        desk.page.get_by_role("button", name="Account of").click()
        desk.page.get_by_role("menuitem", name="Your phone number").click()
        return desk.page.get_by_role("dialog", name="Your phone number")

    field = dialog().get_by_label("Phone number")
    field.fill("+1 202 555 0177")
    desk.page.get_by_role("button", name="Save").click()
    expect(desk.page.get_by_text("Your phone number was saved.")).to_be_visible()
    assert office.client.http.get("/api/v1/me").json()["phone"] == "+12025550177"
    expect(dialog().get_by_label("Phone number")).to_have_value("+12025550177")
    desk.page.get_by_role("button", name="Remove").click()
    expect(desk.page.get_by_text("Your phone number was removed.")).to_be_visible()


@pytest.mark.feature("COMP-02")
def test_who_only_called_is_answered_by_text_if_that_is_possible(
    desk: Inbox, office: Office, number: str
) -> None:
    office.call(number, "missed")
    open_(desk, office.newest())
    call = card(desk, f"Missed call from {shown(number)}")
    desk.modes.get_by_role("button", name="Note").click()
    call.get_by_role("button", name="Reply by Texts").click()
    expect(desk.message).to_be_focused()
    expect(desk.modes.get_by_role("button", name="Texts")).to_have_attribute("aria-pressed", "true")
    desk.send("Sorry that we missed you")
    expect(desk.entry("Sorry that we missed you")).to_contain_text("Sent")

    office.call(None, "missed")
    open_(desk, office.newest())
    withheld = card(desk, "Missed call")
    expect(withheld.get_by_text("The caller’s number was withheld.")).to_be_visible()  # noqa: RUF001
    expect(withheld.get_by_role("button", name="Reply by Texts")).to_have_count(0)
    expect(desk.conversation.get_by_text("No reply is possible: the caller")).to_be_visible()
    expect(desk.note).to_be_visible()


@pytest.mark.feature("LIST-03", "LIST-06")
def test_rows_say_and_show_what_kind_of_thing_came_last(
    desk: Inbox, office: Office, number: str
) -> None:
    numbers = [f"{number[:-2]}{n}" for n in range(51, 55)]
    office.call(numbers[0], "answered", duration=41)
    voicemail = {"type": "voicemail", "media": None, "duration": 38, "text": None}
    office.call(numbers[1], "missed", voicemail)
    office.message("chat", numbers[2], "From a chat")
    office.message("texts", numbers[3], "From a text")
    expected = (
        (numbers[0], "Voice call - 41s - ended", "Voice", "phone", "purple"),
        (numbers[1], "Voicemail - 0:38", "Voice", "phone", "purple"),
        (numbers[2], "From a chat", "Chat", "message-circle", "green"),
        (numbers[3], "From a text", "Texts", "smartphone", "blue"),
    )
    for width in (1440, 1100, 390):
        desk.page.set_viewport_size({"width": width, "height": 844})
        for caller, preview, channel, icon, tone in expected:
            row = desk.row(caller)
            expect(row).to_contain_text(preview)
            expect(row).to_contain_text(channel)
            drawn = row.locator("svg.icon").first
            expect(drawn.locator("use")).to_have_attribute("href", f"#i-{icon}")
            assert tone in (drawn.get_attribute("class") or "")


def test_calls_are_accessible(
    office: Office,
    browser_as: Callable[..., BrowserContext],
    options: dict[str, Any],
    number: str,
) -> None:
    told = ({"type": "transcript", "turns": WORDS}, RECORDED, REPORTED)
    office.call(number, "missed", *told, caller_name="Axe Person")
    desk = Inbox(browser_as(office.client, office.hub.base_url, **options).new_page())
    open_(desk, office.newest())
    call = card(desk, "Missed call from Axe Person")
    expect(call).to_be_visible()
    check_in_both_modes(desk.page)
    choose(desk, "Move or detach", call)
    dialog = desk.page.get_by_role("dialog", name="Whose call is it?")
    dialog.get_by_label("Find a customer").fill("a")
    expect(dialog).to_be_visible()
    check_in_both_modes(desk.page)
    dialog.get_by_role("button", name="Cancel").click()
    button = desk.conversation.get_by_role("button", name="Call", exact=True)
    if options["viewport"]["width"] < 500:  # there it is in the menu
        expect(button).to_have_count(0)
        desk.conversation.get_by_role("button", name="More about this conversation").click()
        button = desk.page.get_by_role("menuitem", name="Call")
    button.click()
    expect(desk.page.get_by_role("dialog", name="Call Axe Person")).to_be_visible()
    check_in_both_modes(desk.page)
    desk.page.keyboard.press("Escape")
    choose(desk, "Open call", call)
    expect(desk.page.get_by_role("button", name="Back to the conversation")).to_be_visible()
    expect(call).to_be_visible()
    check_in_both_modes(desk.page)
