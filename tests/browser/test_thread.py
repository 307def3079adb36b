"""The open conversation: its head, its window on however many entries, who else is there."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Response, expect

from tests.browser.conftest import Complaints
from tests.browser.screen import Inbox, replied, shown, written
from tests.hubs import Client, HubProcess, running_hub, wait_for

MINUTE = 60_000
MANY = 50_000
PAGE = 50
WINDOW = 300

WATCH = """
([id]) => {
  const entry = document.querySelector(`[data-id="${id}"]`);
  const began = entry.getBoundingClientRect().top;
  window.moved = 0;
  window.frames = 0;
  const look = () => {
    const now = entry.isConnected ? entry.getBoundingClientRect().top : Infinity;
    window.moved = Math.max(window.moved, Math.abs(now - began));
    window.frames += 1;
    window.watching = requestAnimationFrame(look);
  };
  look();
}
"""
COUNT_CHANGES = """
log => {
  window.changes = 0;
  new MutationObserver(seen => { window.changes += seen.length; }).observe(
    log, { subtree: true, childList: true, characterData: true, attributes: true });
}
"""
IN_VIEW = """
log => {
  const top = log.getBoundingClientRect().top;
  return [...log.querySelectorAll("[data-id]")].find(
    each => each.getBoundingClientRect().bottom > top)?.dataset.id ?? null;
}
"""
KEPT = """
line => {
  window.shown = [];
  new MutationObserver(() => {
    shown.push([line.textContent.trim(), line.getBoundingClientRect().height]);
  }).observe(line, { subtree: true, childList: true, characterData: true });
}
"""
"""What a line has said, and how high it was, for what is there for a few seconds only."""


def fill(hub: HubProcess, thread: dict[str, Any], count: int) -> list[str]:
    """``count`` texts before the one there is, a minute after each other, written in bulk; the ids,
    the oldest first."""
    with closing(sqlite3.connect(hub.folder / "data" / "hub.db", timeout=60)) as database:
        database.row_factory = sqlite3.Row
        of = (int(thread["id"]),)
        first = dict(database.execute("SELECT * FROM entries WHERE thread_id = ?", of).fetchone())
        rows = [
            {
                **first,
                "id": first["id"] - number,
                "seq": first["seq"] + number,
                "direction": "in" if number % 3 else "out",
                "status": None if number % 3 else "delivered",
                "author_kind": "contact" if number % 3 else "automation",
                "content": json.dumps({"text": f"Text {number} " + "and so on " * (number % 40)}),
                "preview": f"Text {number}",
                "external_id": None,
                "idempotency_key": None,
                "delivery_id": None,
                "occurred_at": first["occurred_at"] - number * MINUTE,
                "sort_at": first["sort_at"] - number * MINUTE,
            }
            for number in range(1, count + 1)
        ]
        names = ", ".join(first)
        places = ", ".join(f":{name}" for name in first)
        with database:
            database.executemany(f"INSERT INTO entries ({names}) VALUES ({places})", rows)
            last = first["seq"] + count
            database.execute(
                "UPDATE threads SET seq = ?, read_through = ?, unread = 0 WHERE id = ?",
                (last, last, *of),
            )
            database.execute("UPDATE thread_channels SET unread = 0 WHERE thread_id = ?", of)
    return [str(row["id"]) for row in reversed(rows)]


class Asked:
    """What a page asked for of timelines."""

    def __init__(self, page: Page) -> None:
        self.pages: list[int] = []
        page.on("response", self._seen)

    def _seen(self, response: Response) -> None:
        if "/entries?" in response.url or response.url.endswith("/entries"):
            self.pages.append(len(response.json()["items"]))


def drawn(inbox: Inbox) -> int:
    return inbox.log.locator("[data-id]").count()


def in_view(inbox: Inbox) -> str:
    return inbox.log.evaluate(IN_VIEW)


def largest_move(inbox: Inbox) -> float:
    """By how many pixels the entry that is watched was elsewhere in any frame, up to a few frames
    from now."""
    inbox.page.evaluate("frames = 0")
    wait_for(lambda: inbox.page.evaluate("frames > 5"), what="a few frames")
    return inbox.page.evaluate("cancelAnimationFrame(watching), moved")


@pytest.fixture(scope="module")
def long() -> Iterator[tuple[HubProcess, Client, dict[str, Any], list[str]]]:
    """A hub with one conversation of 50,001 entries."""
    with running_hub() as hub:
        client = hub.client()
        client.text("+12025550199", "The newest")
        (thread,) = wait_for(client.threads, what="the conversation")
        yield hub, client, thread, fill(hub, thread, MANY)


@pytest.mark.feature("THRD-08", "THRD-15")
def test_a_conversation_of_50_000_entries_opens_anywhere_at_the_same_cost(
    long: tuple[HubProcess, Client, dict[str, Any], list[str]],
    browser_as: Callable[..., BrowserContext],
) -> None:
    hub, client, thread, ids = long
    page = browser_as(client, hub.base_url).new_page()
    asked = Asked(page)
    inbox = Inbox(page)
    address = f"/messages?status=all&conversation={thread['id']}"
    inbox.go(address)
    expect(inbox.entry("The newest")).to_be_in_viewport()
    assert (asked.pages, drawn(inbox)) == ([PAGE], PAGE)

    places = {"the middle": MANY // 2, "the beginning": 0, "nearly the end": MANY - 60}
    for place, number in places.items():
        asked.pages.clear()
        inbox.go(f"{address}&entry={ids[number]}")
        entry = inbox.log.locator(f'[data-id="{ids[number]}"]')
        expect(entry).to_be_in_viewport()
        expect(entry).to_have_class(re.compile("linked"))
        assert len(asked.pages) == 1, place
        assert asked.pages[0] <= PAGE, place
        assert drawn(inbox) == asked.pages[0], place

    inbox.go(f"{address}&entry={ids[0]}")
    expect(inbox.log.locator(f'[data-id="{ids[0]}"]')).to_be_visible()
    expect(inbox.log.get_by_role("button", name="Load earlier messages")).to_have_count(0)
    inbox.page.get_by_role("button", name="Jump to newest").click()
    expect(inbox.entry("The newest")).to_be_in_viewport()
    assert drawn(inbox) == PAGE


@pytest.mark.feature("THRD-15", "SHELL-09")
@pytest.mark.parametrize("entry", ["nonsense", "1"])
def test_a_link_to_an_entry_that_is_not_there_opens_the_conversation_and_says_so(
    inbox: Inbox, ana: Client, number: str, entry: str, complaints: Complaints
) -> None:
    complaints.allow(f"status of 40[04].*around={entry}")
    thread = written(ana, number, "Is anybody there?")
    inbox.go(f"/messages?status=all&conversation={thread['id']}&entry={entry}")
    expect(inbox.entry("Is anybody there?")).to_be_visible()
    expect(
        inbox.page.get_by_text("What the link is to is not in this conversation")
    ).to_be_visible()


@pytest.mark.feature("THRD-15")
def test_the_day_stands_over_what_is_read_while_one_scrolls_and_not_otherwise(
    long: tuple[HubProcess, Client, dict[str, Any], list[str]],
    browser_as: Callable[..., BrowserContext],
) -> None:
    hub, client, thread, ids = long
    inbox = Inbox(browser_as(client, hub.base_url).new_page())
    now = datetime.now(UTC)
    noon = ids[-1 - (now.hour - 12) % 24 * 60 - now.minute]
    inbox.go(f"/messages?status=all&conversation={thread['id']}&entry={noon}")
    expect(inbox.log.locator(f'[data-id="{noon}"]')).to_be_in_viewport()
    day = inbox.log.locator(f'.day:has([data-id="{noon}"]) h3 span')
    expect(day).to_have_css("opacity", "0")
    day.evaluate(
        "(day) => { window.seen = 0; day.addEventListener('transitionend', () => {"
        " seen = Math.max(seen, Number(getComputedStyle(day).opacity)) }) }"
    )
    inbox.log.hover()
    inbox.page.mouse.wheel(0, -100)
    wait_for(lambda: inbox.page.evaluate("seen") == 1, what="the day is in sight")
    expect(day).to_have_css("opacity", "0")


@pytest.mark.feature("THRD-08", "THRD-15")
def test_earlier_messages_come_above_and_what_is_read_stays_where_it_is(
    long: tuple[HubProcess, Client, dict[str, Any], list[str]],
    browser_as: Callable[..., BrowserContext],
) -> None:
    hub, client, thread, ids = long
    inbox = Inbox(browser_as(client, hub.base_url).new_page())
    inbox.go(f"/messages?status=all&conversation={thread['id']}")
    expect(inbox.entry("The newest")).to_be_in_viewport()
    earlier = inbox.log.get_by_role("button", name="Load earlier messages")
    newest = inbox.page.get_by_role("button", name="Jump to newest")
    expect(newest).to_have_count(0)
    inbox.log.focus()
    for pages in range(2, 9):
        first = inbox.log.locator("[data-id]").first.get_attribute("data-id")
        inbox.log.evaluate("log => { log.scrollTop = 450; }")
        reading = in_view(inbox)
        inbox.page.evaluate(WATCH, [reading])
        if pages % 2:
            inbox.log.press("b")
        else:
            earlier.evaluate("button => button.click()")
        expect(inbox.log.locator("[data-id]").first).not_to_have_attribute("data-id", first or "")
        assert largest_move(inbox) < 2, f"page {pages}"
        assert drawn(inbox) == min(pages * PAGE, WINDOW)
    assert inbox.log.locator("[data-id]").first.get_attribute("data-id") == ids[MANY + 1 - 8 * PAGE]
    expect(inbox.entry("The newest")).to_have_count(0)
    expect(newest).to_be_visible()

    day = inbox.log.locator("h3")
    top = inbox.log.bounding_box()
    assert top is not None
    stuck = [one.bounding_box() for one in day.all()]
    assert any(one and abs(one["y"] - top["y"] - 8) < 2 for one in stuck), "a day's name stays"

    later = inbox.log.get_by_role("button", name="Load later messages")
    reading = inbox.log.locator("[data-id]").last.get_attribute("data-id")
    inbox.log.evaluate("log => { log.scrollTop = log.scrollHeight - log.clientHeight - 450; }")
    inbox.page.evaluate(WATCH, [reading])
    later.evaluate("button => button.click()")
    expect(inbox.log.locator("[data-id]").last).not_to_have_attribute("data-id", reading or "")
    assert largest_move(inbox) < 2
    assert drawn(inbox) == WINDOW
    client.text("+12025550199", "Newer still")
    expect(inbox.row("+12025550199")).to_contain_text("Newer still")
    expect(inbox.entry("Newer still")).to_have_count(0)
    inbox.log.press("End")
    expect(inbox.entry("Newer still")).to_be_in_viewport()
    expect(newest).to_have_count(0)


@pytest.mark.feature("THRD-15")
def test_a_conversation_is_come_back_to_where_it_was_left_and_opened_at_an_entry_of_late(
    inbox: Inbox, ana: Client, number: str
) -> None:
    thread = written(ana, number)
    for line in range(30):
        ana.post(f"threads/{thread['id']}/notes", {"body": f"Line {line}\n" + "more\n" * 3})
    entries = ana.entries(thread["id"])
    ana.post(f"threads/{thread['id']}/read", {"up_to": entries[-1]["id"]})
    other = f"{number[:5]}65{number[7:]}"
    written(ana, other)
    inbox.open(number)
    expect(inbox.entry("Line 29")).to_be_in_viewport()
    inbox.log.hover()
    inbox.page.mouse.wheel(0, -1600)
    expect(inbox.entry("Line 29")).not_to_be_in_viewport()
    reading = in_view(inbox)
    inbox.open(other)
    expect(inbox.entry("Hello")).to_be_visible()
    inbox.open(number)
    inbox.page.evaluate(WATCH, [reading])
    assert largest_move(inbox) < 2
    assert in_view(inbox) == reading

    linked = entries[15]["id"]
    inbox.go(f"/messages?status=all&conversation={thread['id']}&entry={linked}")
    entry = inbox.log.locator(f'[data-id="{linked}"]')
    expect(entry).to_have_class(re.compile("linked"))
    inbox.page.evaluate(WATCH, [linked])
    assert largest_move(inbox) < 2
    expect(entry).to_be_in_viewport(ratio=1)


@pytest.mark.feature("THRD-13")
def test_what_happens_elsewhere_never_touches_the_open_conversation(
    inbox: Inbox, ana: Client, ben: Client, number: str
) -> None:
    thread = written(ana, number, "The one that is read")
    for line in range(30):
        ana.post(f"threads/{thread['id']}/notes", {"body": f"Line {line}\n" + "more\n" * 3})
    ana.post(f"threads/{thread['id']}/read", {"up_to": ana.entries(thread["id"])[-1]["id"]})
    others = [f"{number[:5]}66{digit}{number[8:]}" for digit in range(3)]
    elsewhere = [written(ana, one) for one in others]
    inbox.open(number)
    expect(inbox.entry("Line 29")).to_be_in_viewport()
    inbox.log.hover()
    inbox.page.mouse.wheel(0, -1600)
    expect(inbox.entry("Line 29")).not_to_be_in_viewport()
    reading = in_view(inbox)
    place = inbox.log.evaluate("log => log.scrollTop")
    expect(inbox.page.get_by_role("button", name="Jump to newest")).to_be_visible()
    asked: list[str] = []
    inbox.page.on("request", lambda request: asked.append(request.url))
    inbox.log.evaluate(COUNT_CHANGES)

    for one, other in zip(others, elsewhere, strict=True):
        ana.text(one, "Something else", channel="front")
        replied(ben, other, "An answer elsewhere")
        ben.patch(f"threads/{other['id']}", {"status": "closed"})
        ben.post(f"threads/{other['id']}/notes", {"body": "Done here"})
        expect(inbox.row(one)).to_contain_text("Done here")
        expect(inbox.row(one)).to_contain_text("Closed")
    assert inbox.page.evaluate("changes") == 0
    assert in_view(inbox) == reading
    assert inbox.log.evaluate("log => log.scrollTop") == place
    assert [url for url in asked if f"/threads/{thread['id']}" in url] == []

    ana.text(number, "And here", channel="front")
    pill = inbox.page.get_by_role("button", name="1 new message")
    expect(pill).to_be_visible()
    assert inbox.log.evaluate("log => log.scrollTop") == place
    pill.click()
    expect(inbox.entry("And here")).to_be_in_viewport()


@pytest.mark.feature("THRD-14")
def test_who_else_is_there_or_types_is_shown_under_the_conversation(
    inbox: Inbox, bens_browser: BrowserContext, ana: Client, number: str
) -> None:
    written(ana, number)
    other = f"{number[:5]}67{number[7:]}"
    written(ana, other)
    inbox.open(number)
    line = inbox.conversation.locator("[data-presence]")
    expect(line).to_have_text("")
    height = line.bounding_box()
    assert height is not None
    assert height["height"] == 24

    bens = Inbox(bens_browser.new_page()).go().open(number)
    expect(line).to_have_text("Ben Okafor is also here")
    expect(bens.conversation.locator("[data-presence]")).to_have_text(re.compile("is also here"))
    line.evaluate(KEPT)
    bens.message.press_sequentially("On my w")
    typing = ["Ben Okafor is typing a reply", height["height"]]
    inbox.page.wait_for_function(
        "([text, height]) => shown.some((each) => each[0] === text && each[1] === height)",
        arg=typing,
    )
    bens.send("On my way")
    expect(inbox.entry("On my way")).to_be_visible()
    expect(line).to_have_text("Ben Okafor is also here")
    bens.modes.get_by_role("button", name="Note").click()
    bens.note.press_sequentially("For us")
    bens.open(other)
    expect(line).to_have_text("")
    bens.open(number)
    expect(line).to_have_text("Ben Okafor is also here")
    bens.page.close()
    expect(line).to_have_text("")


@pytest.mark.feature("THRD-05")
def test_a_colleague_is_mentioned_told_and_reads_what_the_note_said_before(
    inbox: Inbox, bens_browser: BrowserContext, ana: Client, number: str
) -> None:
    written(ana, number)
    bens = Inbox(bens_browser.new_page()).go()
    bens.hold_notices()
    inbox.open(number)
    inbox.modes.get_by_role("button", name="Note").click()
    inbox.note.press_sequentially("Ask @be")
    names = inbox.page.get_by_role("listbox", name="Colleagues")
    expect(names.get_by_role("option")).to_have_text(["Ben Okafor"])
    inbox.note.press("Enter")
    expect(names).to_have_count(0)
    expect(inbox.note).to_have_value("Ask @Ben Okafor ")
    expect(inbox.note).to_be_focused()
    inbox.note.press_sequentially("for 100")
    inbox.note.press("Enter")
    note = inbox.entry("for 100")
    expect(note.locator("mark")).to_have_text("@Ben Okafor")

    toast = bens.page.get_by_text(f"mentioned you in the conversation with {shown(number)}")
    expect(toast).to_be_visible()
    bens.page.get_by_role("button", name="Open", exact=True).click()
    theirs = bens.entry("for 100")
    expect(theirs).to_be_visible()

    def actions(of: Inbox, on: Any) -> list[str]:
        on.hover()
        on.get_by_role("button", name="Message actions").click()
        return of.page.get_by_role("menu").get_by_role("menuitem").all_inner_texts()

    assert actions(bens, theirs) == ["Copy link"]
    bens.page.keyboard.press("Escape")
    assert actions(inbox, note) == ["Correct", "Copy link"]
    inbox.page.get_by_role("menuitem", name="Correct").click()
    dialog = inbox.page.get_by_role("dialog", name="Correct your note")
    dialog.get_by_role("textbox").fill("Ask @Ben Okafor for 120")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    for of in (inbox, bens):
        corrected = of.entry("for 120")
        expect(corrected.locator(".bubble")).to_contain_text("Ask @Ben Okafor for 120")
        corrected.get_by_text("Edited").click()
        expect(corrected.get_by_text("Ask @Ben Okafor for 100")).to_be_visible()
    expect(toast).to_have_count(0)
    sent = [one["text"] for one in ana.phone(number, channel="front")["messages"]]
    assert sent == ["Hello"]


@pytest.mark.feature("THRD-01")
def test_the_head_says_who_it_is_and_changes_whose_it_is_in_place(
    inbox: Inbox, ana: Client, ben: Client, number: str
) -> None:
    written(ana, number, channel="workshop")
    thread = written(ana, number, "And the front desk")
    ana.patch(f"threads/{thread['id']}", {"needs_response": False})
    inbox.page.set_viewport_size({"width": 1600, "height": 900})
    inbox.open(number)
    head = inbox.conversation.locator("header.head")
    heading = head.get_by_role("heading", name=shown(number))
    assert heading.evaluate("h => getComputedStyle(h).fontWeight") == "600"
    expect(head.locator(".avatar")).to_be_visible()
    badges = head.get_by_role("list", name="Channels").get_by_role("listitem")
    assert sorted(badges.all_inner_texts()) == ["Front desk", "Workshop"]
    assignee = head.get_by_role("button", name="Assignee: Unassigned")
    assignee.click()
    inbox.page.get_by_role("menuitemcheckbox", name=re.compile("Ben Okafor")).click()
    expect(head.get_by_role("button", name="Assignee: Ben Okafor")).to_be_visible()
    needs = head.get_by_role("switch", name="Needs response")
    expect(needs).not_to_be_checked()
    needs.click()
    expect(needs).to_be_checked()
    head.get_by_role("button", name="Close conversation").click()
    expect(head.locator(".status")).to_have_text("Closed")
    expect(head.get_by_role("button", name="Reopen conversation")).to_be_visible()
    inbox.page.set_viewport_size({"width": 1440, "height": 900})
    expect(needs).to_be_visible()

    def as_asked() -> bool:
        now = ana.get(f"threads/{thread['id']}")
        return now["status"] == "closed" and now["assignee"]["name"] == "Ben Okafor"

    wait_for(as_asked, what="both changes")
    head.get_by_role("button", name="Reopen conversation").click()
    expect(head.get_by_role("button", name="Close conversation")).to_be_visible()
    ben.patch(f"threads/{thread['id']}", {"assignee_id": None})
    expect(assignee).to_be_visible()
    expect(inbox.entry("And the front desk")).to_be_visible()
    assert inbox.never_reloaded

    inbox.page.set_viewport_size({"width": 390, "height": 844})
    more = head.get_by_role("button", name="More about this conversation")
    more.click()
    inbox.page.get_by_role("menuitemcheckbox", name="Needs response").click()
    wait_for(
        lambda: ana.get(f"threads/{thread['id']}")["needs_response"], what="the response needed"
    )


@pytest.mark.feature("THRD-15", "THRD-11")
def test_unread_from_here_links_to_entries_and_folded_events(
    inbox: Inbox, ana: Client, ben: Client, number: str
) -> None:
    thread = written(ana, number, "Read long ago")
    (first,) = ana.entries(thread["id"])
    ana.post(f"threads/{thread['id']}/read", {"up_to": first["id"]})
    for line in range(12):
        ana.post(f"threads/{thread['id']}/notes", {"body": f"Line {line}\n" + "more\n" * 3})
    written(ana, number, "The first unread")
    written(ana, number, "The second unread")
    inbox.open(number)
    line = inbox.log.get_by_role("separator", name="Unread from here")
    expect(line).to_be_in_viewport()
    box, first_unread = line.bounding_box(), inbox.entry("The first unread").bounding_box()
    assert box is not None
    assert first_unread is not None
    assert box["y"] < first_unread["y"]
    expect(inbox.log.get_by_role("heading", name="Today")).to_have_count(1)

    for status in ("closed", "open", "closed", "open"):
        ben.patch(f"threads/{thread['id']}", {"status": status})
    events = inbox.log.locator(".events")
    expect(events).to_contain_text(re.compile("Closed.*Reopened.* more"))
    button = events.get_by_role("button")
    expect(button).to_have_attribute("aria-expanded", "false")
    before = events.locator("span[title]").count()
    assert before == 2
    button.click()
    assert events.locator("span[title]").count() > before
    expect(line).to_have_count(1)

    inbox.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    entry = inbox.entry("The first unread")
    entry.hover()
    entry.get_by_role("button", name="Message actions").click()
    inbox.page.get_by_role("menuitem", name="Copy link").click()
    expect(inbox.page.get_by_text("The link was copied.")).to_be_visible()
    link = inbox.page.evaluate("navigator.clipboard.readText()")
    entry.focus()
    inbox.page.keyboard.press("Alt+ArrowUp")
    inbox.page.keyboard.press("y")
    wait_for(
        lambda: inbox.page.evaluate("navigator.clipboard.readText()") != link,
        what="the link of the entry above",
    )
    colleague = inbox.page.context.new_page()
    colleague.goto(link)
    there = Inbox(colleague).entry("The first unread")
    expect(there).to_be_in_viewport()
    expect(there).to_have_class(re.compile("linked"))


@pytest.mark.feature("THRD-02")
def test_a_filter_of_the_timeline_keeps_what_was_in_view_in_view(
    inbox: Inbox, ana: Client, number: str
) -> None:
    thread = written(ana, number)
    for line in range(14):
        ana.post(f"threads/{thread['id']}/notes", {"body": f"Note {line}\n" + "more\n" * 3})
        replied(ana, thread, f"Answer {line}")
    ana.patch(f"threads/{thread['id']}", {"status": "closed"})
    ana.post(f"threads/{thread['id']}/read", {"up_to": ana.entries(thread["id"])[-1]["id"]})
    inbox.open(number)
    expect(inbox.entry("Answer 13")).to_be_in_viewport()
    inbox.entry("Note 5").evaluate("entry => entry.scrollIntoView({ block: 'start' })")
    kinds = inbox.conversation.get_by_role("radiogroup", name="Show")
    kinds.get_by_role("radio", name="Notes").click()
    expect(inbox.log.locator("[data-key]")).to_have_count(14)
    expect(inbox.entry("Note 5")).to_be_in_viewport()
    kinds.get_by_role("radio", name="Texts").click()
    expect(inbox.log.locator("[data-key]")).to_have_count(15)
    kinds.get_by_role("radio", name="System").click()
    expect(inbox.log).to_contain_text("Closed")
    expect(inbox.entry("Note 5")).to_have_count(0)
    kinds.get_by_role("radio", name="Emails").click()
    expect(inbox.log).to_contain_text("Nothing of this kind")
    inbox.log.get_by_role("button", name="Show all").click()
    expect(inbox.entry("Answer 13")).to_be_visible()
