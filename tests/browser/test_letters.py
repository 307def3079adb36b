"""Email in the conversation: folded, safe, and with what became of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Request, expect

from tests.browser.conftest import Complaints
from tests.browser.office import MAIL, PICTURES, Office
from tests.browser.screen import Inbox
from tests.browser.test_accessibility import check_in_both_modes, options
from tests.hubs import Client, wait_for

__all__ = ["options"]

HTML = f"""
<h2>Your boiler</h2><p onclick="alert(1)">Could you come on <b>Thursday</b>?</p>
<script>document.title = "taken over"</script>
<img src="https://{PICTURES}/open.png?of=%s&amp;n=1" alt="Logo" onload="alert(2)">
<a href="https://shop.example/77">The order</a>
<blockquote>Earlier words</blockquote>
"""


@pytest.fixture
def sender(number: str) -> str:
    """Somebody who has not written yet."""
    return f"elif{number[-4:]}@example.com"


def letter_of(desk: Inbox, thread: dict[str, Any], subject: str) -> Locator:
    """The card of a letter in its conversation."""
    desk.page.goto(f"/messages?status=all&conversation={thread['id']}")
    return desk.log.get_by_role("article", name=subject)


@pytest.mark.feature("THRD-04")
def test_a_letter_is_folded_until_somebody_asks(desk: Inbox, office: Office, sender: str) -> None:
    lines = "\n".join(f"Line {n} of the letter" for n in range(1, 9))
    more = {"sender_name": "Elif Kaya", "own_address": MAIL}
    facts = {"Copy to": "omar@example.com", "Warning": "The sender may not be who it says"}
    text = f"{lines}\n> what was written before"
    thread = office.message("mail", sender, text, subject="Boiler", facts=facts, **more)
    letter = letter_of(desk, thread, "Boiler")
    expect(letter).to_contain_text(f"Elif Kaya {sender} to {MAIL}")
    expect(letter.get_by_text("omar@example.com")).to_be_visible()
    expect(letter.get_by_text("The sender may not be who it says")).to_be_visible()
    words = letter.get_by_text("Line 1 of the letter")
    folded = words.evaluate("p => [p.clientHeight, p.scrollHeight]")
    assert folded[0] < folded[1]
    letter.get_by_role("button", name="Show full message").click()
    assert words.evaluate("p => p.clientHeight") > folded[0]
    expect(letter.get_by_text("what was written before")).to_be_hidden()
    letter.get_by_label("Show quoted text").click()
    expect(letter.get_by_text("what was written before")).to_be_visible()
    letter.get_by_role("button", name="Show less").click()
    assert words.evaluate("p => p.clientHeight") == folded[0]


@pytest.mark.feature("THRD-04", "THRD-05")
def test_addresses_of_pages_can_be_followed_in_letters_and_notes(
    desk: Inbox, office: Office, sender: str
) -> None:
    text = "The plans are at https://plans.example/7. Thank you"
    thread = office.message("mail", sender, text, subject="Plans", own_address=MAIL)
    office.client.post(f"threads/{thread['id']}/notes", {"body": "See https://crm.example/elif"})
    letter = letter_of(desk, thread, "Plans")
    link = letter.get_by_role("link", name="https://plans.example/7", exact=True)
    expect(link).to_have_attribute("href", "https://plans.example/7")
    expect(link).to_have_attribute("target", "_blank")
    noted = desk.entry("See https://crm.example/elif").get_by_role("link")
    expect(noted).to_have_attribute("href", "https://crm.example/elif")


@pytest.mark.feature("THRD-04")
def test_formatted_text_does_nothing_but_show(
    desk: Inbox, office: Office, sender: str, complaints: Complaints
) -> None:
    complaints.allow("sandboxed")
    html = HTML % sender
    thread = office.message("mail", sender, "Plain words", subject="Formatted", html=html)
    letter = letter_of(desk, thread, "Formatted")
    expect(letter.locator("iframe")).to_have_count(0)
    letter.get_by_role("button", name="Show full message").click()
    frame = letter.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Your boiler")).to_be_visible()
    element = letter.locator("iframe")
    assert "allow-scripts" not in (element.get_attribute("sandbox") or "allow-scripts")
    expect(frame.get_by_text("Earlier words")).to_be_hidden()

    def height() -> int:
        return element.evaluate("frame => frame.clientHeight")

    before = height()
    frame.get_by_text("•••").click()
    expect(frame.get_by_text("Earlier words")).to_be_visible()
    wait_for(lambda: height() > before, what="the frame to grow with what is in it")
    inside = element.evaluate("frame => frame.contentDocument.documentElement.scrollHeight")
    assert abs(height() - inside) <= 1
    assert "taken over" not in desk.page.title()
    link = frame.get_by_role("link", name="The order")
    assert "noopener" in (link.get_attribute("rel") or "")
    with desk.page.expect_popup() as opened:
        desk.page.context.route("**/shop.example/**", lambda route: route.fulfill(body="shop"))
        link.click()
    expect(opened.value.get_by_text("shop")).to_be_visible()


@pytest.mark.feature("THRD-04")
def test_a_letter_unfolds_downwards_and_folds_under_the_pointer(
    desk: Inbox, office: Office, sender: str, complaints: Complaints
) -> None:
    complaints.allow("sandboxed")
    html = "".join(f"<p>Line {line} of many</p>" for line in range(60))
    thread = office.message("mail", sender, "May I ask something?", subject="A question")
    for line in range(8):
        note = {"body": f"Note {line}\n" + "more\n" * 3}
        office.client.post(f"threads/{thread['id']}/notes", note)
    office.message("mail", sender, "Line 0 of many", subject="Long", html=html)
    office.message("mail", sender, "Line 0 of many", subject="The last", html=html)
    last = office.client.entries(thread["id"])[-1]["id"]
    office.client.post(f"threads/{thread['id']}/read", {"up_to": last})
    letter = letter_of(desk, thread, "The last")
    letter.get_by_role("button", name="Show full message").hover()
    head = letter.get_by_role("heading", name="The last")

    def top(of: Locator) -> float:
        box = of.bounding_box()
        assert box is not None
        return box["y"]

    def height(of: Locator) -> float:
        box = of.bounding_box()
        assert box is not None
        return box["height"]

    before = top(head)
    letter.get_by_role("button", name="Show full message").click()
    wait_for(lambda: height(letter) > 1_000, what="the letter to unfold")
    assert abs(top(head) - before) < 2
    office.message("mail", sender, "And one more", subject="Another")
    expect(desk.page.get_by_role("button", name="1 new message")).to_be_visible()
    assert abs(top(head) - before) < 2

    first = desk.log.get_by_role("article", name="Long")
    first.get_by_role("button", name="Show full message").click()
    wait_for(lambda: height(first) > 1_000, what="the letter to unfold")
    less = first.get_by_role("button", name="Show less")
    less.scroll_into_view_if_needed()
    before = top(less)
    less.click()
    shown = first.get_by_role("button", name="Show full message")
    wait_for(lambda: height(first) < 500, what="the letter to fold")
    wait_for(lambda: abs(top(shown) - before) < 2, what="the button where it was")


@pytest.mark.feature("THRD-04")
def test_a_letter_as_high_as_its_window_is_as_high_as_its_words(
    desk: Inbox, office: Office, sender: str, complaints: Complaints
) -> None:
    complaints.allow("sandboxed")
    html = '<div style="min-height: 100vh"><div style="height:100vh">One line</div></div>'
    thread = office.message("mail", sender, "One line", subject="High", html=html)
    letter = letter_of(desk, thread, "High")
    letter.get_by_role("button", name="Show full message").click()
    line = letter.frame_locator("iframe").get_by_text("One line")
    expect(line).to_be_visible()
    wait_for(lambda: letter.locator("iframe").evaluate("frame => frame.clientHeight") < 80)


@pytest.mark.feature("THRD-04")
def test_linked_pictures_are_fetched_by_the_hub_once_asked_for(
    desk: Inbox, office: Office, sender: str, complaints: Complaints
) -> None:
    complaints.allow("sandboxed")
    path = f"/open.png?of={sender}&n=1"
    thread = office.message("mail", sender, "Look", subject="Pictures", html=HTML % sender)
    letter = letter_of(desk, thread, "Pictures")
    letter.get_by_role("button", name="Show full message").click()
    frame = letter.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Your boiler")).to_be_visible()
    expect(letter.get_by_text("1 linked picture is not shown.")).to_be_visible()
    assert path not in office.pictures.asked
    strangers: list[str] = []

    def note(request: Request) -> None:
        if PICTURES in request.url.split("?")[0]:
            strangers.append(request.url)

    desk.page.on("request", note)
    letter.get_by_role("button", name="Show images").click()
    picture = letter.frame_locator("iframe").locator("img")
    wait_for(lambda: picture.evaluate("img => img.naturalWidth > 0"), what="the picture")
    assert office.pictures.asked.count(path) == 1
    assert strangers == [], "the browser itself asks the hub alone"
    expect(letter.get_by_role("button", name="Show images")).to_have_count(0)


@pytest.mark.feature("THRD-04")
def test_pictures_that_came_with_a_letter_stand_in_it(
    desk: Inbox, office: Office, sender: str, complaints: Complaints
) -> None:
    complaints.allow("sandboxed")
    html = (
        '<h2>The pump</h2><img src="cid:pump%40phone" alt="Pump" width="40"><p>It leaks.</p>'
        '<img src="cid:lost@phone" alt="Lost">'
    )
    media = [
        {"url": f"https://{PICTURES}/{name}.png", "name": f"{name}.png", "content_id": id_}
        for name, id_ in (("pump", "pump@phone"), ("other", "other@phone"), ("plan", None))
    ]
    thread = office.message("mail", sender, "It leaks.", subject="Pump", html=html, media=media)
    letter = letter_of(desk, thread, "Pump")
    expect(letter.locator(".images img")).to_have_count(3)
    letter.get_by_role("button", name="Show full message").click()
    picture = letter.frame_locator("iframe").get_by_alt_text("Pump")
    wait_for(lambda: picture.evaluate("img => img.naturalWidth > 0"), what="the picture")
    expect(letter.locator(".images img")).to_have_count(2)
    expect(letter.get_by_role("button", name="Show images")).to_have_count(0)
    lost = letter.frame_locator("iframe").get_by_alt_text("Lost")
    assert lost.get_attribute("src") is None
    letter.get_by_role("button", name="Show less").click()
    expect(letter.locator(".images img")).to_have_count(3)


@pytest.mark.feature("COMP-01")
@pytest.mark.parametrize("width", [1440, 390])
def test_an_answer_has_the_subject_that_somebody_wrote(
    office: Office, browser_as: Callable[..., BrowserContext], number: str, width: int
) -> None:
    sender = f"sub{number[-4:]}@example.com"
    thread = office.message("mail", sender, "When?", subject="Boiler", own_address=MAIL)
    size = {"width": width, "height": 844}
    page = browser_as(office.client, office.hub.base_url, viewport=size).new_page()
    desk = Inbox(page)
    letter_of(desk, thread, "Boiler")
    subject = page.get_by_role("textbox", name="Subject")
    expect(subject).to_have_attribute("placeholder", "Re: Boiler")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    subject.fill("Thursday, at nine")
    desk.message.fill("It will be Thursday")
    desk.message.blur()
    page.reload()
    expect(subject).to_have_value("Thursday, at nine")
    desk.message.press("Enter")
    answer = desk.log.get_by_role("article", name="Thursday, at nine")
    expect(answer).to_contain_text("It will be Thursday")
    expect(subject).to_have_value("")
    expect(subject).to_have_attribute("placeholder", "Re: Thursday, at nine")
    desk.message.fill("Or Friday")
    desk.message.press("Enter")
    expect(desk.log.get_by_role("article", name="Re: Thursday, at nine")).to_be_visible()
    wanted = ["Boiler", "Re: Thursday, at nine", "Thursday, at nine"]

    def kept() -> bool:
        entries = office.client.entries(thread["id"])
        return sorted(one["subject"] for one in entries) == wanted

    wait_for(kept, what="the answers with their subjects")


@pytest.mark.feature("THRD-04")
def test_what_became_of_a_letter(desk: Inbox, office: Office, sender: str) -> None:
    thread = office.message("mail", sender, "When?", subject="Question", own_address=MAIL)
    letter_of(desk, thread, "Question")
    sent = office.answer(thread, "mail", f"Thursday, {sender}", subject="Answer")
    letter = desk.log.get_by_role("article", name="Answer")
    steps = letter.get_by_role("list", name="Delivery").get_by_role("listitem")
    expect(steps).to_have_text(["Sent"])
    times = [f"2026-05-04T0{hour}:30:00Z" for hour in (7, 8, 9)]
    office.tell("mail", {"type": "receipt", "status": "delivered", "external_id": sent})
    expect(steps).to_have_text(["Sent", "Delivered"])
    office.tell(
        "mail",
        *({"type": "opened", "external_id": sent, "occurred_at": at} for at in times),
        {"type": "clicked", "external_id": sent, "url": "https://a.example/77",
         "occurred_at": times[1]},
    )  # fmt: skip
    expect(steps).to_have_text(["Sent", "Delivered", re.compile("^Opened 3"), "Clicked"])
    letter.get_by_text("Engagement").click()
    facts = letter.locator("dl[aria-label=Engagement]")
    expect(facts.locator("dt")).to_have_text(
        ["Last opened", "Times opened", "Last clicked", "Link"]
    )
    values = facts.locator("dd")
    expect(values.nth(1)).to_have_text("3")
    expect(values.nth(3)).to_have_text("https://a.example/77")
    assert values.nth(0).inner_text() != values.nth(2).inner_text()


def test_letters_are_accessible(
    office: Office,
    browser_as: Callable[..., BrowserContext],
    options: dict[str, Any],
    number: str,
    complaints: Complaints,
) -> None:
    complaints.allow("sandboxed")
    sender = f"axe{number[-4:]}@example.com"
    facts = {"Copy to": "omar@example.com", "Warning": "The sender may not be who it says"}
    thread = office.message("mail", sender, "x\n" * 9, subject="Boiler", html=HTML, facts=facts)
    sent = office.answer(thread, "mail", f"Yes, {sender}", subject="Re: Boiler")
    office.tell("mail", {"type": "opened", "external_id": sent})
    page = browser_as(office.client, office.hub.base_url, **options).new_page()
    desk = Inbox(page)
    letter = letter_of(desk, thread, "Re: Boiler")
    letter.get_by_text("Engagement").click()
    first = desk.log.get_by_role("article", name="Boiler", exact=True)
    first.get_by_role("button", name="Show full message").click()
    expect(first.frame_locator("iframe").get_by_role("heading")).to_be_visible()
    check_in_both_modes(page)


def picture(client: Client, entry: str, url: str) -> Any:
    return client.http.get(client.path(f"entries/{entry}/picture"), params={"url": url})


@pytest.mark.feature("THRD-04")
def test_the_hub_fetches_the_pictures_of_the_message_and_no_others(
    office: Office, sender: str
) -> None:
    base = f"https://{PICTURES}"
    html = "".join(f'<img src="{base}/{name}">' for name in ("a.png", "page", "gone"))
    html += '<img src="http://127.0.0.1:1/inside"><img src="cid:x">'
    thread = office.message("mail", sender, "Look", subject="Pictures", html=html)
    (entry,) = office.client.entries(thread["id"])
    shown = picture(office.client, entry["id"], f"{base}/a.png")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png")
    assert shown.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert shown.headers["x-content-type-options"] == "nosniff"
    for url, why in (
        (f"{base}/page", "it is no picture"),
        (f"{base}/gone", "answered 404"),
        ("http://127.0.0.1:1/inside", "cannot be shown"),
    ):
        refused = picture(office.client, entry["id"], url)
        assert refused.status_code == 404, url
        assert why in refused.json()["detail"]
    for url in (f"{base}/other.png", "cid:x", "file:///etc/passwd"):
        assert picture(office.client, entry["id"], url).json()["detail"] != ""
        assert picture(office.client, entry["id"], url).status_code == 404
    assert "/other.png" not in office.pictures.asked


@pytest.mark.feature("COMP-08")
@pytest.mark.parametrize("width", [1440, 390])
def test_a_conversation_begins_with_a_subject_where_there_are_any(
    office: Office, browser_as: Callable[..., BrowserContext], sender: str, width: int
) -> None:
    size = {"width": width, "height": 844}
    desk = Inbox(browser_as(office.client, office.hub.base_url, viewport=size).new_page()).go()
    desk.page.get_by_role("button", name="New conversation").click()
    dialog = desk.page.get_by_role("dialog", name="New conversation")
    names = {one["id"]: one["name"] for one in office.client.get("channels")}
    dialog.get_by_label("Channel").select_option(names["texts"])
    expect(dialog.get_by_label("Subject")).to_have_count(0)
    dialog.get_by_label("Channel").select_option(names["mail"])
    dialog.get_by_label("Subject").fill("Your boiler")
    dialog.get_by_label("Email address").fill(sender)
    dialog.get_by_label("First message").fill("We could come on Thursday.")
    assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    dialog.get_by_role("button", name="Send and open").click()
    expect(desk.log.get_by_role("article", name="Your boiler")).to_be_visible()
    thread = office.newest()
    (entry,) = office.client.entries(thread["id"])
    assert (entry["subject"], entry["text"]) == ("Your boiler", "We could come on Thursday.")
