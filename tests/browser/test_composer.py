"""Writing: nothing typed is lost, nothing goes to the wrong person, and it says what happened."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, FilePayload, Locator, Page, expect

from tests.browser.conftest import CONFIG, Complaints
from tests.browser.office import MAIL, PNG, Office
from tests.browser.screen import Inbox, shown, written
from tests.hubs import PASSWORD, Client, HubProcess, running_hub, wait_for

NewBrowser = Callable[..., BrowserContext]
DASH = "\N{EN DASH}"
KEPT = "What you have written is kept."
DROP = """
({ name, type, text }) => {
  const files = new DataTransfer();
  files.items.add(new File([text], name, { type }));
  const target = document.querySelector(".conversation");
  for (const kind of ["dragenter", "dragover", "drop"])
    target.dispatchEvent(new DragEvent(kind, { dataTransfer: files, bubbles: true }));
}
"""
DRAG = """
(element) => {
  const files = new DataTransfer();
  files.items.add(new File(["text"], "beside.txt"));
  const shared = { dataTransfer: files, bubbles: true, cancelable: true };
  const event = new DragEvent("dragover", shared);
  element.dispatchEvent(event);
  return event.defaultPrevented ? event.dataTransfer.dropEffect : "left to the browser";
}
"""
PASTE = """
(field) => {
  const files = new DataTransfer();
  files.items.add(new File(["pasted"], "pasted.txt", { type: "text/plain" }));
  const event = { clipboardData: files, bubbles: true, cancelable: true };
  field.dispatchEvent(new ClipboardEvent("paste", event));
}
"""
IN_THE_SAME_FRAME = """
async (field) => {
  const press = { key: "Enter", bubbles: true, cancelable: true };
  const composing = new KeyboardEvent("keydown", { ...press, isComposing: true });
  field.dispatchEvent(composing);
  const whileComposing = field.value;
  field.dispatchEvent(new KeyboardEvent("keydown", press));
  await new Promise(requestAnimationFrame);
  const log = document.querySelector("[role=log]").textContent;
  return { whileComposing, left: field.value, there: log.includes("In the same frame") };
}
"""


def open_(desk: Inbox, thread: dict[str, Any]) -> None:
    desk.page.goto(f"/messages?status=all&conversation={thread['id']}")
    expect(desk.log).to_be_visible()


def files_of(page: Page) -> Locator:
    return page.get_by_role("list", name="Attached files").get_by_role("listitem")


def a_file(name: str, text: str = "text", type_: str = "text/plain") -> FilePayload:
    return {"name": name, "mimeType": type_, "buffer": text.encode()}


def sent_texts(client: Client, number: str, channel: str = "front") -> list[str]:
    """What went out to a phone."""
    messages = client.phone(number, channel=channel)["messages"]
    return [one["text"] for one in messages if one["author"] == "business"]


# ---------------------------------------------------------------------- modes, keys, counting


@pytest.mark.feature("COMP-01")
def test_every_mode_is_there_and_one_that_cannot_be_used_says_why(
    desk: Inbox, office: Office, number: str
) -> None:
    other = f"+1303{number[5:]}"
    both = [{"scheme": "phone", "value": one} for one in (number, other)]
    asked = {"type": "message", "external_id": f"modes-{number}", "text": "Modes", "sender": both}
    office.tell("texts", asked)
    thread = office.newest()
    open_(desk, thread)
    names = desk.modes.get_by_role("button")
    expect(names).to_have_text([re.compile(each) for each in ("Email", "Chat", "Texts", "Note")])
    mail = desk.modes.get_by_role("button", name="Email")
    expect(mail).to_have_attribute("aria-disabled", "true")
    mail.focus()
    why = desk.conversation.get_by_text("No address that Email can reach").last
    expect(why).to_be_visible()
    mail.press("Enter")
    texts = desk.modes.get_by_role("button", name="Texts")
    expect(texts).to_have_attribute("aria-pressed", "true")

    to = desk.conversation.get_by_role("combobox", name="To")
    expect(to.get_by_role("option")).to_have_text([shown(number), shown(other)])
    to.select_option(shown(other))
    desk.send(f"To the other number of {number}")
    expect(desk.entry(f"To the other number of {number}")).to_contain_text("Sent")
    assert office.client.entries(thread["id"])[-1]["address"] == shown(other)

    desk.modes.get_by_role("button", name="Note").click()
    expect(desk.note).to_be_focused()
    desk.note.fill("For us alone")
    desk.page.get_by_role("button", name="Add note").click()
    expect(desk.entry("For us alone")).to_contain_text("Internal note")


@pytest.mark.feature("COMP-04")
def test_enter_sends_in_the_same_frame_and_never_while_a_word_is_composed(
    inbox: Inbox, ana: Client, number: str
) -> None:
    written(ana, number)
    inbox.open(number)
    inbox.message.press_sequentially("One line")
    inbox.message.press("Shift+Enter")
    inbox.message.press_sequentially("and another")
    expect(inbox.message).to_have_value("One line\nand another")
    inbox.page.get_by_role("button", name="Send", exact=True).click()
    expect(inbox.entry("and another")).to_contain_text(re.compile("Sent|Delivered|Read"))
    expect(inbox.message).to_be_focused()

    inbox.hold(r"/threads/\d+/messages$")
    inbox.message.fill("In the same frame")
    found = inbox.message.evaluate(IN_THE_SAME_FRAME)
    assert found == {"whileComposing": "In the same frame", "left": "", "there": True}


@pytest.mark.feature("COMP-04")
def test_enter_begins_a_new_line_for_who_wants_that(inbox: Inbox, ana: Client, number: str) -> None:
    written(ana, number)
    inbox.page.goto("/account")
    switch = inbox.page.get_by_role("switch", name="Send with Ctrl+Enter")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    inbox.go().open(number)
    inbox.message.press_sequentially("First")
    inbox.message.press("Enter")
    inbox.message.press_sequentially("Second")
    expect(inbox.message).to_have_value("First\nSecond")
    inbox.message.press("Control+Enter")
    expect(inbox.entry("First")).to_contain_text(re.compile("Sent|Delivered|Read"))
    assert sent_texts(ana, number) == ["First\nSecond"]


@pytest.mark.feature("COMP-04")
def test_segments_are_counted_and_what_costs_more_is_named_and_replaced(
    inbox: Inbox, ana: Client, number: str
) -> None:
    written(ana, number)
    inbox.open(number)
    inbox.message.fill("a" * 150)
    counter = inbox.conversation.locator(".counter")
    expect(counter).to_have_text("GSM-7 · 10 left · 1 segment")
    inbox.message.fill(f"It is nine {DASH} not ten")
    expect(counter).to_contain_text("UCS-2 · 50 left · 1 segment")
    expect(counter).to_contain_text(f"{DASH} makes this 70 a segment.")
    counter.get_by_role("button", name="Replace").click()
    expect(inbox.message).to_have_value("It is nine - not ten")
    expect(counter).to_have_text("GSM-7 · 140 left · 1 segment")
    # Each is named by itself: quotes need none around them, and spaces are not seen.
    inbox.message.fill("“Nine”\u00a0")
    expect(counter.locator("kbd")).to_have_text(["“", "”", "no-break space"])
    expect(counter).to_contain_text("make this 70 a segment.")
    inbox.message.fill("Ж" * 210)
    expect(counter).to_contain_text("4 segments")
    expect(counter.get_by_role("button")).to_have_count(0)


# ---------------------------------------------------------------------- drafts and files


@pytest.mark.feature("COMP-03", "COMP-09")
def test_files_and_words_stay_with_whom_they_were_meant_for(
    inbox: Inbox, ana: Client, number: str
) -> None:
    other = f"{number[:5]}79{number[7:]}"
    for each in (other, number):
        written(ana, each)
    inbox.at_top(number)
    slow = inbox.hold(r"/threads/\d+(/entries.*)?$|/attachments$")
    inbox.row(number).click()
    inbox.message.fill("With a picture")
    inbox.page.locator("input[type=file]").set_input_files(
        {"name": "roof.png", "mimeType": "image/png", "buffer": PNG}
    )
    expect(files_of(inbox.page)).to_contain_text("roof.png")
    expect(inbox.page.get_by_role("progressbar", name="Uploading roof.png")).to_be_visible()
    inbox.modes.get_by_role("button", name="Note").click()
    expect(inbox.note).to_have_value("")
    inbox.row(other).click()
    expect(inbox.conversation.get_by_role("heading", name=shown(other))).to_be_visible()
    expect(inbox.message).to_have_value("")
    expect(files_of(inbox.page)).to_have_count(0)
    slow.let_go()
    inbox.send("Nothing of the other")
    expect(inbox.entry("Nothing of the other")).to_contain_text(re.compile("Delivered|Read"))
    expect(files_of(inbox.page)).to_have_count(0)

    inbox.page.evaluate("dispatchEvent(new Event('pagehide'))")
    inbox.go()
    expect(inbox.row(number)).to_contain_text("Draft With a picture")
    inbox.row(number).click()
    expect(inbox.message).to_have_value("With a picture")
    expect(files_of(inbox.page)).to_contain_text("roof.png")
    inbox.message.press("Enter")
    expect(inbox.entry("With a picture").get_by_role("button", name="roof.png")).to_be_visible()
    expect(inbox.entry("With a picture")).to_contain_text(re.compile("Delivered|Read"))
    assert sent_texts(ana, other) == ["Nothing of the other"]
    assert sent_texts(ana, number) == ["With a picture"]


@pytest.mark.feature("COMP-03")
def test_what_one_tab_sends_does_not_wait_to_be_sent_in_another(
    inbox: Inbox, ana: Client, number: str
) -> None:
    written(ana, number)
    inbox.open(number)
    other = Inbox(inbox.page.context.new_page()).go().open(number)
    inbox.message.fill("Written in one tab")
    expect(other.message).to_have_value("Written in one tab")
    other.message.press_sequentially("!")
    expect(inbox.message).to_have_value("Written in one tab!")
    other.message.press("Enter")
    expect(other.message).to_have_value("")
    expect(inbox.entry("Written in one tab!")).to_contain_text(re.compile("Delivered|Read"))
    expect(inbox.message).to_have_value("")
    expect(inbox.row(number)).not_to_contain_text("Draft")
    inbox.message.press("Enter")
    inbox.send("And the next")
    expect(inbox.entry("And the next")).to_contain_text(re.compile("Delivered|Read"))
    assert sent_texts(ana, number) == ["Written in one tab!", "And the next"]


@pytest.mark.feature("COMP-09")
def test_files_come_by_button_paste_and_drop_and_are_called_off_and_tried_again(
    desk: Inbox, office: Office, number: str, complaints: Complaints
) -> None:
    complaints.allow("ERR_FAILED")
    thread = office.message("chat", number, f"Files of {number}")
    open_(desk, thread)
    button = desk.page.get_by_role("button", name="Attach files")
    expect(button).to_have_attribute("title", "Attach files, at most 3, up to 1 MB")
    desk.page.route("**/attachments", lambda route: route.abort())
    desk.page.locator("input[type=file]").set_input_files(a_file("by-button.txt"))
    chip = files_of(desk.page).filter(has_text="by-button.txt")
    expect(chip.get_by_role("button", name="Retry")).to_be_visible()
    desk.message.fill(f"Three files of {number}")
    expect(desk.page.get_by_role("button", name="Send", exact=True)).to_have_attribute(
        "aria-disabled", "true"
    )
    desk.page.unroute("**/attachments")
    chip.get_by_role("button", name="Retry").click()
    expect(chip).to_contain_text("4 bytes")
    desk.message.evaluate(PASTE)
    desk.page.evaluate(DROP, {"name": "dropped.txt", "type": "text/plain", "text": "dropped"})
    expect(files_of(desk.page)).to_have_count(3)
    desk.page.evaluate(DROP, {"name": "fourth.txt", "type": "text/plain", "text": "x"})
    expect(desk.page.get_by_text("One message carries at most 3 files.")).to_be_visible()
    desk.page.get_by_role("button", name="Remove pasted.txt").click()
    beside = desk.page.get_by_role("region", name="Conversations")
    assert beside.evaluate(DRAG) == "none", "the browser would leave the page for the file"
    large = {"name": "large.bin", "type": "application/zip", "text": "x" * 1_000_001}
    desk.page.evaluate(DROP, large)
    expect(desk.page.get_by_text("large.bin is larger than the 1 MB")).to_be_visible()
    desk.message.press("Enter")
    sent = desk.entry(f"Three files of {number}")
    expect(sent.get_by_text("dropped.txt")).to_be_visible()
    expect(sent).to_contain_text("Sent")
    expect(files_of(desk.page)).to_have_count(0)
    entry = office.client.entries(thread["id"])[-1]
    assert [one["name"] for one in entry["attachments"]] == ["by-button.txt", "dropped.txt"]
    # The server looks for itself.
    upload = {"file": ("large.bin", b"x" * 1_000_001, "application/zip")}
    too_large = office.client.http.post(office.client.path("attachments"), files=upload).json()
    wanted = {
        "channel_id": "chat",
        "contact_id": thread["contact"]["id"],
        "attachment_ids": [too_large["id"]],
    }
    refused = office.client.call("POST", f"threads/{thread['id']}/messages", wanted)
    assert refused.json()["code"] == "file_too_large"


# ---------------------------------------------------------------------- letters


@pytest.mark.feature("COMP-12")
def test_a_letter_goes_to_all_with_signatures_and_what_it_answers(
    desk: Inbox, office: Office, number: str
) -> None:
    sender, partner = f"copy{number[-4:]}@example.com", f"omar{number[-4:]}@example.com"
    subject = f"Roof {number[-4:]}"
    page = desk.page
    try:
        page.goto("/settings/letters")
        page.get_by_label("Signature", exact=True).fill("Acme Ltd, 12 High Street")
        page.get_by_label("Signature", exact=True).blur()
        expect(page.get_by_text("Saved")).to_be_visible()
        page.goto("/account")
        page.get_by_label("Your signature").fill("Ana, roofs and gutters")
        page.get_by_role("button", name="Save the signature").click()
        expect(page.get_by_text("Your signature is saved.")).to_be_visible()

        copied = [{"scheme": "email", "value": partner}]
        thread = office.message(
            "mail", sender, "Can you come?", subject=subject, own_address=MAIL, cc=copied
        )
        open_(desk, thread)
        asked = desk.log.get_by_role("article", name=subject, exact=True)
        expect(asked).to_contain_text(f"Cc: {partner}")
        expect(page.get_by_label("Cc", exact=True)).to_have_count(0)
        page.get_by_role("button", name=f"Reply to all: {partner}").click()
        expect(page.get_by_label("Cc", exact=True)).to_have_value(partner)
        page.get_by_label("Bcc").fill("no address")
        page.get_by_text("Signature and quoted history").click()
        below = page.get_by_role("group", name="Goes out below your words")
        expect(below).to_contain_text("Ana, roofs and gutters\nAcme Ltd, 12 High Street")
        expect(below).to_contain_text("wrote:\n> Can you come?")
        page.get_by_label("Bcc").fill(f"boss{number[-4:]}@example.com")
        desk.message.fill(f"On Friday, {number}")
        desk.message.blur()
        page.reload()
        expect(page.get_by_label("Cc", exact=True)).to_have_value(partner)
        desk.message.press("Enter")
        answer = desk.log.get_by_role("article", name=f"Re: {subject}")
        expect(answer).to_contain_text(f"Cc: {partner}")
        expect(answer).to_contain_text(f"Bcc: boss{number[-4:]}@example.com")
        expect(page.get_by_label("Cc", exact=True)).to_have_count(0)
        quoted = answer.get_by_text("> Can you come?")
        expect(quoted).to_be_hidden()
        answer.locator("summary").filter(has_text="•••").click()
        expect(quoted).to_be_visible()
        expect(answer).to_contain_text("Acme Ltd, 12 High Street")
        # The conversation stays the contact's.
        assert office.client.thread_of(partner) is None
        entry = office.client.entries(thread["id"])[-1]
        assert entry["cc"] == [partner]

        # An answer to one message by name goes to its people.
        asked.hover()
        asked.get_by_role("button", name="Message actions").click()
        page.get_by_role("menuitem", name="Reply to all").click()
        expect(page.get_by_label("Cc", exact=True)).to_have_value(partner)
    finally:
        office.client.patch("membership", {"signature": ""})
        office.client.patch("settings", {"letters": {}})


# ---------------------------------------------------------------------- what goes wrong


@pytest.mark.feature("COMP-03", "CONT-03")
def test_who_opts_out_while_one_writes_is_not_written_to_and_the_words_stay(
    inbox: Inbox, ana: Client, number: str, complaints: Complaints
) -> None:
    complaints.allow("422")
    thread = written(ana, number)
    inbox.open(number)
    inbox.message.fill("Half a sentence")
    inbox.hold(r"/threads/\d+$")  # the page has not heard of it
    ana.text(number, "STOP", channel="front")
    wait_for(lambda: not ana.get(f"threads/{thread['id']}")["compose"][0]["can_send"])
    inbox.message.press("Enter")
    notice = inbox.conversation.get_by_role("alert")
    expect(notice).to_contain_text("Not sent: They have opted out of messages on this channel.")
    expect(inbox.message).to_have_value("Half a sentence")
    inbox.page.unroute_all(behavior="ignoreErrors")
    inbox.go().open(number)
    expect(inbox.conversation.get_by_text(f"{KEPT}").first).to_be_visible()
    expect(inbox.conversation.get_by_role("status").filter(has_text="Opted out on")).to_be_visible()
    expect(inbox.conversation.locator(".reason")).to_have_count(0)  # said once
    expect(inbox.message).to_have_value("Half a sentence")
    expect(inbox.message).to_have_attribute("readonly", "")
    assert sent_texts(ana, number) in ([], sent_texts(ana, number)[:1])


@pytest.mark.feature("COMP-03", "COMP-06")
def test_a_window_that_closes_while_one_writes_keeps_the_words_and_offers_templates(
    desk: Inbox, office: Office, number: str, complaints: Complaints
) -> None:
    complaints.allow("422")
    closes = datetime.now(UTC) + timedelta(seconds=6)
    asked = (closes - timedelta(days=1)).isoformat()
    thread = office.message("chat", number, f"A day ago {number}", occurred_at=asked)
    open_(desk, thread)
    chat = desk.modes.get_by_role("button", name="Chat")
    desk.message.fill("Too late by a second")

    def closed() -> bool:
        modes = office.client.get(f"threads/{thread['id']}")["compose"]
        return any(one["channel_id"] == "chat" and one["may"] == "template" for one in modes)

    wait_for(closed, what="the window to close")
    if desk.message.count():
        desk.message.press("Enter")
    expect(desk.page.get_by_role("list", name="Templates")).to_be_visible()
    expect(desk.conversation.get_by_text("The 24-hour window is closed.").first).to_be_visible()
    expect(desk.conversation.get_by_text(KEPT)).to_be_visible()
    expect(chat).to_have_attribute("aria-pressed", "true")
    office.message("chat", number, "Here I am again")
    expect(desk.message).to_have_value("Too late by a second")
    desk.message.press("Enter")
    expect(desk.entry("Too late by a second")).to_contain_text("Sent")


@pytest.fixture(scope="module")
def own_hub() -> Iterator[HubProcess]:
    """One of the module's own: members come and go, and it is killed."""
    with running_hub(config=CONFIG) as running:
        yield running


@pytest.mark.feature("COMP-03")
def test_a_conversation_taken_away_while_one_writes_leaves_the_words(
    own_hub: HubProcess, browser_as: NewBrowser, number: str, complaints: Complaints
) -> None:
    complaints.allow("404|WebSocket|403")
    ana = own_hub.client()
    added = own_hub.run(
        "user", "add", "cleo@example.com", "--name", "Cleo Ito", "--password-stdin",
        input_=PASSWORD + "\n",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    written(ana, number)
    cleo = own_hub.client("cleo@example.com")
    inbox = Inbox(browser_as(cleo, own_hub.base_url).new_page()).go().open(number)
    inbox.message.fill("Written before it was taken away")
    rights = ["messages.view", "messages.send"]
    limited = {"name": "Workshop alone", "capabilities": rights, "channels": ["workshop"]}
    role = ana.post("roles", limited)["id"]
    member = cleo.me["organisations"][0]["member_id"]
    ana.patch(f"members/{member}", {"role_id": role})
    gone = inbox.conversation.get_by_role("heading", name="gone or out of your reach")
    expect(gone).to_be_visible()
    kept = inbox.conversation.get_by_label(re.compile("What you have written is kept"))
    expect(kept).to_have_value("Written before it was taken away")
    inbox.page.reload()
    expect(gone).to_be_visible()
    expect(kept).to_have_value("Written before it was taken away")
    assert sent_texts(ana, number) == []


@pytest.mark.feature("COMP-03", "COMP-04")
def test_a_server_that_restarts_during_a_send_sends_it_once(
    own_hub: HubProcess, browser_as: NewBrowser, number: str, complaints: Complaints
) -> None:
    complaints.allow("ERR_|WebSocket|503")
    ana = own_hub.client()
    written(ana, number)
    inbox = Inbox(browser_as(ana, own_hub.base_url).new_page()).go().open(number)
    held = inbox.hold(r"/threads/\d+/messages$")
    inbox.send("During the restart")
    port = own_hub.port
    own_hub.kill()
    held.let_go()
    expect(inbox.entry("During the restart")).to_contain_text("Sending")
    expect(inbox.message).to_have_value("")
    inbox.message.fill("And the next thought")
    own_hub.start(port=port)
    expect(inbox.entry("During the restart")).to_contain_text(
        re.compile("Sent|Delivered|Read"), timeout=60_000
    )
    expect(inbox.message).to_have_value("And the next thought")
    assert sent_texts(ana, number) == ["During the restart"]
    assert inbox.never_reloaded


# ---------------------------------------------------------------------- new conversations


@pytest.mark.feature("COMP-08")
@pytest.mark.parametrize("width", [1440, 390])
def test_a_conversation_begins_as_its_channel_lets_it(
    office: Office,
    browser_as: NewBrowser,
    number: str,
    width: int,
    complaints: Complaints,
) -> None:
    complaints.allow("422|404|502")
    size = {"width": width, "height": 844}
    desk = Inbox(browser_as(office.client, office.hub.base_url, viewport=size).new_page()).go()
    names = {one["id"]: one["name"] for one in office.client.get("channels")}
    who = f"Elif {number[-4:]}"
    begin = desk.page.get_by_role("button", name="New conversation").first
    begin.click()
    dialog = desk.page.get_by_role("dialog", name="New conversation")
    dialog.get_by_label("Channel").select_option(names["chat"])
    dialog.get_by_label("Phone number").fill(number)
    expect(dialog.get_by_text(f"It goes to {shown(number)}")).to_be_visible()
    # Who has never written is sent a template, and nothing else.
    expect(dialog.get_by_text("The 24-hour window is closed.")).to_be_visible()
    expect(dialog.get_by_label("First message")).to_have_count(0)
    listed = dialog.get_by_role("list", name="Templates").get_by_role("button")
    listed.filter(has_text="Hallo").click()
    send = dialog.get_by_role("button", name="Send and open")
    send.click()
    expect(dialog.get_by_text("A value is missing.")).to_be_visible()
    dialog.get_by_label("Value 1").fill(who)
    expect(
        dialog.get_by_role("region", name="Preview").get_by_text(f"Hallo {who}.")
    ).to_be_visible()
    assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    send.click()
    expect(desk.entry(f"Hallo {who}.")).to_contain_text("Sent")
    thread = office.newest()
    assert office.client.entries(thread["id"])[0]["template"]["name"] == "appointment"

    # Another message to them is written where they are.
    desk.go()
    begin.click()
    dialog.get_by_label("Channel").select_option(names["texts"])
    dialog.get_by_label("Phone number").fill(number)
    expect(dialog.get_by_text("There is a conversation with")).to_contain_text(shown(number))
    dialog.get_by_role("button", name="Open it").click()
    expect(dialog).to_have_count(0)
    expect(desk.entry(f"Hallo {who}.")).to_be_visible()

    # What was written goes along to another channel, and a refused message leaves nothing behind.
    desk.go()
    begin.click()
    stranger, kept = f"+1404{number[5:]}", f"Kept, whatever happens to {number}"
    before = len(office.client.threads())
    dialog.get_by_label("Channel").select_option(names["texts"])
    dialog.get_by_label("Phone number").fill(stranger)
    dialog.get_by_label("First message").fill(kept)
    dialog.get_by_label("Channel").select_option(names["mail"])
    expect(dialog.get_by_label("First message")).to_have_value(kept)
    send.click()
    expect(dialog.get_by_text("Enter an email address")).to_be_visible()
    dialog.get_by_label("Email address").fill(f"new{number[-4:]}@example.com")
    dialog.locator("input[type=file]").set_input_files(a_file("plan.txt"))
    expect(files_of(desk.page)).to_contain_text("4 bytes")
    desk.page.route(
        "**/messages",
        lambda route: route.fulfill(
            status=422,
            content_type="application/problem+json",
            json={"title": "No", "status": 422, "detail": "The provider takes none today."},
        ),
    )
    send.click()
    expect(dialog.get_by_role("alert")).to_contain_text("Not sent: The provider takes none today.")
    assert len(office.client.threads()) == before
    desk.page.unroute("**/messages")
    expect(dialog.get_by_label("First message")).to_have_value(kept)
    send.click()
    expect(desk.log.get_by_text(kept)).to_be_visible()
    expect(desk.log.get_by_text("plan.txt")).to_be_visible()
