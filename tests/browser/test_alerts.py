"""What people are told of while they look elsewhere: popups, a sound, notifications."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.axe import look_over
from tests.browser.conftest import NewContext
from tests.browser.office import Office
from tests.browser.screen import Inbox, replied, shown, written
from tests.host.test_served import deliver
from tests.host.unruly import ENVIRON
from tests.hubs import Client, running_hub, wait_for

HEARD = """
  window.heard = 0;
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    return play.call(this).then(() => { window.heard += 1; });
  };
"""
"""Counts the sounds that a tab makes."""
HIDDEN = """
  Object.defineProperty(document, "visibilityState", { get: () => window.seen ?? "visible" });
"""
TROUBLE = """
[[channels]]
id = "odd"
plugin = "unruly"
name = "Hotline"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"
"""
NOTES = """async () => {
  const worker = await navigator.serviceWorker.getRegistration();
  const notes = await worker.getNotifications();
  return notes.map(({ title, body, tag }) => ({ title, body, tag }));
}"""


@pytest.fixture(scope="module")
def browser(windowed: Browser) -> Browser:
    """One that shows notifications."""
    return windowed


def popup(page: Page, text: str) -> Locator:
    """A popup that says ``text``."""
    return page.get_by_role("region", name="Notices").locator(".toast").filter(has_text=text)


def hide(page: Page, *, hidden: bool = True) -> None:
    """The tab goes to the background, or comes back."""
    state = "hidden" if hidden else "visible"
    page.evaluate(
        "state => { window.seen = state; document.dispatchEvent(new Event('visibilitychange')) }",
        state,
    )


@pytest.mark.feature("ALRT-01")
def test_every_kind_pops_up_where_it_is_not_seen_and_leads_there(
    desk: Inbox, office: Office
) -> None:
    page = desk.page
    texter, caller = "+12025557701", "+12025557702"
    page.goto("/account")
    expect(page.get_by_role("switch", name="Play a sound")).to_be_checked()
    office.message("texts", texter, "Is my boiler ready?")
    expect(popup(page, f"New message from {shown(texter)}")).to_contain_text("Is my boiler ready?")
    popup(page, "New message").get_by_role("button", name="Open", exact=True).click()
    expect(desk.conversation.get_by_role("heading", name=shown(texter))).to_be_visible()
    expect(popup(page, "New message")).to_have_count(0)

    # What is looked at needs no popup; what comes of others meanwhile does.
    office.message("texts", texter, "Or tomorrow?")
    expect(desk.entry("Or tomorrow?")).to_be_visible()
    office.message("mail", "elif@alerts.example", "The tap drips", subject="About my tap")
    email = popup(page, "New email from elif@alerts.example")
    expect(email).to_contain_text("About my tap")
    expect(popup(page, "New message")).to_have_count(0)
    email.get_by_role("button", name="Open", exact=True).click()
    expect(desk.conversation.get_by_text("About my tap").first).to_be_visible()

    call = office.call(caller, None)
    expect(popup(page, f"Call from {shown(caller)}")).to_be_visible()
    office.tell(
        "calls",
        {"type": "call_ended", "external_id": call, "outcome": "missed", "duration": None},
        {"type": "voicemail", "external_id": call, "media": None, "duration": 3, "text": "Hi"},
    )
    voicemail = popup(page, f"New voicemail from {shown(caller)}")
    expect(voicemail).to_be_visible()
    expect(popup(page, "Call from")).to_have_count(0)
    voicemail.get_by_role("button", name="Open", exact=True).click()
    expect(desk.conversation.get_by_role("heading", name=shown(caller), exact=True)).to_be_visible()


@pytest.mark.feature("ALRT-01")
def test_nobody_is_told_of_what_they_may_not_see(
    browser_as: Callable[..., BrowserContext], office: Office
) -> None:
    email, password = "mail.only@example.com", "another-good-password"
    added = office.hub.run("user", "add", email, "--name", "Mel", "--password-stdin",
                           input_=password + "\n")  # fmt: skip
    assert added.returncode == 0, added.stderr
    role = office.client.post(
        "roles",
        {"name": "Mail only", "capabilities": ["messages.view"], "channels": ["mail"]},
    )
    member = next(one for one in office.client.get("members") if one["email"] == email)
    office.client.patch(f"members/{member['id']}", {"role_id": role["id"]})
    with contextlib.closing(office.hub.client(email, password)) as mel:
        page = browser_as(mel, office.hub.base_url).new_page()
        page.goto("/account")
        expect(page.get_by_role("switch", name="Play a sound")).to_be_checked()
        office.message("texts", "+12025557711", "Not for Mel")
        office.message("mail", "for.mel@alerts.example", "For Mel")
        expect(popup(page, "New email from for.mel@alerts.example")).to_be_visible()
        expect(popup(page, "New message")).to_have_count(0)


@pytest.mark.feature("ALRT-01")
def test_one_tab_makes_one_sound_for_what_comes_together(
    browser_as: Callable[..., BrowserContext], office: Office
) -> None:
    context = browser_as(office.client, office.hub.base_url)
    context.add_init_script(HEARD)
    tabs = [Inbox(context.new_page()).go() for _ in range(2)]
    for tab in tabs:
        tab.tab("All").click()
    senders = [f"+1202555772{place}" for place in range(5)]
    office.tell(
        "texts",
        *(
            {
                "type": "message",
                "text": "All at once",
                "sender": [{"scheme": "phone", "value": sender}],
                "external_id": f"together-{sender}",
            }
            for sender in senders
        ),
    )
    told = popup(tabs[0].page, "5 new messages")
    told.get_by_role("button", name="Show unread", exact=True).click()
    expect(tabs[0].page).to_have_url(re.compile("status=unread"))
    expect(told).to_have_count(0)
    wait_for(lambda: sum(tab.page.evaluate("window.heard") for tab in tabs) == 1)
    for tab in tabs:
        tab.page.evaluate("navigator.locks.request('channel-hub-sound', () => null)")
    assert sum(tab.page.evaluate("window.heard") for tab in tabs) == 1


@pytest.mark.feature("ALRT-01")
def test_a_message_that_was_not_sent_is_told_and_leads_to_it(
    inbox: Inbox, ana: Client, number: str
) -> None:
    thread = written(ana, number)
    ana.behave(number, channel="front", answer="refuse", reason="policy")
    inbox.page.goto("/account")
    expect(inbox.page.get_by_role("switch", name="Play a sound")).to_be_visible()
    replied(ana, thread, "This is refused")
    told = popup(inbox.page, f"A message to {shown(number)} was not sent")
    told.get_by_role("button", name="Open", exact=True).click()
    expect(inbox.entry("This is refused")).to_be_in_viewport()
    expect(inbox.page).to_have_url(re.compile("entry="))


@pytest.mark.feature("ALRT-01")
def test_a_channel_in_trouble_is_told_to_who_mends_it(
    browser_as: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    config = TROUBLE.format(folder=tmp_path)
    with (
        running_hub(config=config, environ=ENVIRON) as hub,
        contextlib.closing(hub.client()) as admin,
    ):
        page = browser_as(admin, hub.base_url).new_page()
        page.goto("/account")
        expect(page.get_by_role("switch", name="Play a sound")).to_be_visible()
        said = {"text": "Register the sender", "state": "needs_attention"}
        assert deliver(hub, "notice", **said).status_code == 200
        told = popup(page, "needs attention")
        expect(told).to_contain_text("Register the sender")
        told.get_by_role("button", name="Open", exact=True).click()
        expect(page).to_have_url(re.compile("/settings/channels/odd"))
        expect(page.get_by_text("Register the sender").first).to_be_visible()


@pytest.fixture
def bens_choices(ben: Client) -> Iterator[None]:
    """Ben's own, and afterwards what everybody begins with."""
    yield
    ben.patch("membership", {"alerts": {}})


@pytest.mark.usefixtures("bens_choices")
def test_what_alerts_is_ones_own_choice(
    bens_browser: BrowserContext, ana: Client, ben: Client, number: str
) -> None:
    page = bens_browser.new_page()
    page.goto("/account")
    page.get_by_role("radio", name="Mine, and those that nobody has").check()
    page.get_by_role("checkbox", name="Emails", exact=True).uncheck()
    page.get_by_role("switch", name="Play a sound").click()
    page.get_by_role("switch", name="Quiet hours").click()
    page.get_by_label("From", exact=True).fill("20:30")
    page.get_by_label("Time zone").select_option("Europe/Istanbul")
    wait_for(
        lambda: (
            ben.get("membership")["alerts"]
            == {
                "off": ["email"],
                "whose": "own",
                "sound": False,
                "text": False,
                "quiet": {"on": True, "start": "20:30", "end": "08:00", "zone": "Europe/Istanbul"},
            }
        )
    )
    page.reload()
    expect(page.get_by_role("checkbox", name="Emails", exact=True)).not_to_be_checked()
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Istanbul")
    assert look_over(page).violations_count == 0

    thread = written(ana, number)
    expect(popup(page, f"New message from {shown(number)}")).to_be_visible()
    popup(page, "New message").get_by_role("button", name="Dismiss").click()
    ana.patch(f"threads/{thread['id']}", {"assignee_id": ana.me["organisations"][0]["member_id"]})
    written(ana, number, "For Ana alone")
    ana.patch(f"threads/{thread['id']}", {"assignee_id": ben.me["organisations"][0]["member_id"]})
    expect(popup(page, "assigned you a conversation")).to_be_visible()
    expect(popup(page, "New message")).to_have_count(0)
    refused = ben.call("PATCH", "membership", {"alerts": {"quiet": {"on": True, "zone": "Mars"}}})
    assert refused.status_code == 400
    assert "Mars" in refused.text


@pytest.mark.feature("SHELL-06")
@pytest.mark.usefixtures("bens_choices")
def test_a_tab_in_the_background_shows_a_notification_for_each_conversation(
    new_context: NewContext,
    browser_as: Callable[..., BrowserContext],
    hub: object,
    ana: Client,
    ben: Client,
    number: str,
) -> None:
    context = browser_as(ben, str(ana.http.base_url))
    context.add_init_script(HIDDEN)
    page = context.new_page()
    page.goto("/messages?status=all")
    assert page.evaluate("Notification.permission") != "granted", "nobody has been asked yet"
    context.grant_permissions(["notifications"])
    page.goto("/account")
    device = page.get_by_role("switch", name="Show notifications on this device")
    expect(device).not_to_be_checked()
    device.click()
    expect(device).to_be_checked()
    wait_for(lambda: page.evaluate("navigator.serviceWorker.controller !== null"))

    thread = written(ana, number, "While it is seen")
    expect(popup(page, "New message")).to_be_visible()
    assert page.evaluate(NOTES) == []
    hide(page)
    for text in ("First", "Second"):
        written(ana, number, text)
    note = {"title": f"New message from {shown(number)}", "body": "", "tag": thread["id"]}
    wait_for(lambda: page.evaluate(NOTES) == [note])
    expect(page).to_have_title(re.compile(r"^\(\d+\) "))

    # What was written is shown where that is wanted, and nothing at all in quiet hours.
    hide(page, hidden=False)
    page.get_by_role("switch", name="Notifications show what was written").click()
    wait_for(lambda: ben.get("membership")["alerts"]["text"])
    hide(page)
    written(ana, number, "With its words")
    wait_for(lambda: page.evaluate(NOTES) == [{**note, "body": "With its words"}])
    hide(page, hidden=False)
    device.click()
    expect(device).not_to_be_checked()
    hide(page)
    written(ana, number, "Not on this device")
    expect(popup(page, "Not on this device")).to_be_visible()
    assert page.evaluate(NOTES) == [{**note, "body": "With its words"}]
