"""What the list is narrowed by, and going back to what it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Locator, Page, Request, expect

from hub.store import inbox_sets
from hub.store import tables as t
from tests.browser.screen import Inbox, shown, written
from tests.hubs import HubProcess, running_hub, wait_for
from tests.patience import PATIENCE

BEN = ("ben@example.com", "another-good-password")
CONFIG = """
[[organisations]]
slug = "main"
name = "Main"
time_zone = "Pacific/Auckland"

[[channels]]
id = "front"
plugin = "simulator"
name = "Front desk"
[channels.settings]
numbers = ["+12025550100"]

[[channels]]
id = "workshop"
plugin = "simulator"
name = "Workshop"
[channels.settings]
numbers = ["+12025550200"]

[[channels]]
id = "yard"
plugin = "simulator"
name = "Yard"
[channels.settings]
numbers = ["+12025550300"]
"""
ZONE = ZoneInfo("Pacific/Auckland")
Browser = Callable[..., BrowserContext]


class Desk:
    """A hub in Auckland that nobody else uses."""

    def __init__(self, hub: HubProcess) -> None:
        self.hub = hub
        added = hub.run("user", "add", BEN[0], "--name", "Ben Okafor", "--password-stdin",
                        input_=BEN[1] + "\n")  # fmt: skip
        assert added.returncode == 0, added.stderr
        self.ana, self.ben = hub.client(), hub.client(*BEN)

    def happened(self, thread: dict[str, Any], ago: int) -> None:
        """Everything in a conversation happened at noon so many days ago."""
        at = round(datetime.fromisoformat(f"{day(ago)}T12:00").replace(tzinfo=ZONE).timestamp())
        path = self.hub.folder / "data" / "hub.db"
        engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": PATIENCE})
        entries, threads = t.entries, t.threads
        with engine.begin() as connection:
            connection.execute(
                sa.update(entries)
                .where(entries.c.thread_id == int(thread["id"]))
                .values(sort_at=at * 1000)
            )
            connection.execute(
                sa.update(threads)
                .where(threads.c.id == int(thread["id"]))
                .values(sort_at=at * 1000, active_at=at * 1000)
            )
            inbox_sets.fill(connection)
        engine.dispose()


def day(ago: int) -> str:
    """The day so many days ago in Auckland."""
    return (datetime.now(ZONE).date() - timedelta(days=ago)).isoformat()


@pytest.fixture(scope="module")
def place() -> Iterator[Desk]:
    with running_hub(config=CONFIG) as hub:
        yield Desk(hub)


def showing(page: Page, words: str) -> None:
    """The line under the tabs says so."""
    expect(page.get_by_text(re.compile("^Showing:"))).to_have_text(f"Showing: {words}")


def date(page: Page) -> Locator:
    """The button that opens the choice of dates."""
    return page.get_by_role("group", name="Date").get_by_role("button")


def asked(page: Page) -> list[str]:
    """The addresses of the list's pages that are asked for from now on."""
    found: list[str] = []

    def note(request: Request) -> None:
        if re.search(r"/threads\?", request.url):
            found.append(request.url)

    page.on("request", note)
    return found


@pytest.mark.feature("FILT-03", "LIST-07")
def test_a_new_person_sees_the_last_30_days_is_told_so_once_and_chooses_others(
    place: Desk, browser_as: Browser
) -> None:
    context = browser_as(place.ana, place.hub.base_url)
    page = context.new_page()
    inbox = Inbox(page).go("/messages")
    expect(page.get_by_text("No conversations yet.")).to_be_visible()
    column = page.get_by_role("region", name="Conversations")
    expect(column.get_by_role("button", name="New conversation")).to_have_count(2)
    expect(column.get_by_role("link", name="Text simulator")).not_to_have_count(0)
    column.get_by_role("link", name="Channel settings").click()
    expect(page).to_have_url(re.compile("/settings/channels$"))
    page.go_back()

    old, new = "+12025551001", "+12025551002"
    place.happened(written(place.ana, old), 40)
    inbox.go("/messages")
    expect(page.get_by_text("No conversations match.")).to_be_visible()
    showing(page, "Last 30 days")
    written(place.ana, new)
    expect(inbox.rows).to_have_count(1)
    note = page.get_by_text("Showing the last 30 days. Change it under Date.")
    expect(note).to_be_visible()
    with page.expect_response(re.compile("/api/v1/me$")):
        page.get_by_role("button", name="Hide this note").click()
    expect(note).to_have_count(0)
    elsewhere = Inbox(browser_as(place.ana, place.hub.base_url).new_page()).go("/messages")
    expect(elsewhere.rows).to_have_count(1)
    expect(elsewhere.page.get_by_text("Showing the last 30 days")).to_have_count(0)

    # What happened 40 days ago is 40 days ago in Auckland, wherever the reader is.
    date(page).click()
    dates = page.get_by_role("dialog", name="Date")
    expect(dates.get_by_role("button", name="Last 30 days")).to_be_focused()
    dates.get_by_role("button", name="All time").click()
    expect(dates).to_be_hidden()
    showing(page, "All time")
    expect(inbox.rows).to_have_count(2)
    expect(page).to_have_url(re.compile(r"range=all"))

    date(page).click()
    dates.get_by_role("button", name="Custom…").click()
    requests = asked(page)
    wanted = datetime.fromisoformat(day(40))
    while (shown_month := dates.get_by_role("grid").get_attribute("aria-labelledby")) and not (
        page.locator(f"[id='{shown_month}']").get_by_text(wanted.strftime("%B %Y")).is_visible()
    ):
        dates.get_by_role("button", name="Previous month").click()
    days = dates.get_by_role("gridcell").get_by_role(
        "button", name=wanted.strftime("%A, %B %-d, %Y")
    )
    days.click()
    expect(dates.get_by_label("From", exact=True)).to_have_value(day(40))
    expect(dates.get_by_label("To", exact=True)).to_have_value("")
    assert requests == [], "one end is no range yet"
    days.click()
    expect(dates).to_be_hidden()
    expect(inbox.row(old)).to_be_visible()
    expect(inbox.row(new)).to_have_count(0)
    assert [f"from={day(40)}&to={day(40)}" in url for url in requests] == [True]
    showing(page, wanted.strftime("%b %-d"))

    # By the keyboard alone: the days are typed, and the last custom range is remembered.
    date(page).press("Enter")
    dates.get_by_role("button", name="Today").click()
    showing(page, "Today")
    expect(inbox.rows).to_have_count(1)
    date(page).click()
    dates.get_by_role("button", name="Custom…").click()
    expect(inbox.row(old)).to_be_visible()
    dates.get_by_label("To", exact=True).fill(day(0))
    expect(inbox.rows).to_have_count(2)
    dates.get_by_label("To", exact=True).fill(day(50))
    expect(dates.get_by_text("The first day is after the last.")).to_be_visible()
    expect(inbox.rows).to_have_count(2)
    page.keyboard.press("Escape")
    expect(dates).to_be_hidden()

    # The browser remembers it; what an address says wins.
    date(page).click()
    dates.get_by_role("button", name="This month").click()
    showing(page, "This month")
    again = Inbox(context.new_page()).go("/messages")
    showing(again.page, "This month")
    again.go("/messages?range=all")
    showing(again.page, "All time")
    again.go("/messages")
    showing(again.page, "This month")


@pytest.mark.feature("FILT-01", "FILT-02", "FILT-05", "FILT-06", "FILT-07", "LIST-07")
def test_tabs_filters_people_and_numbers_narrow_together_and_stand_in_the_address(
    place: Desk, browser_as: Browser
) -> None:
    ana = place.ana
    ben_id = place.ben.me["organisations"][0]["member_id"]
    one, two, three, four = (f"+1202555110{n}" for n in range(4))
    written(ana, one, "to the yard", channel="yard")
    taken = written(ana, two, "to the workshop", channel="workshop")
    ana.patch(f"threads/{taken['id']}", {"assignee_id": ben_id})
    closed = written(ana, three, "to the yard", channel="yard")
    ana.patch(f"threads/{closed['id']}", {"status": "closed"})
    page = browser_as(ana, place.hub.base_url).new_page()
    inbox = Inbox(page).go("/messages?own=%2B12025550200&own=%2B12025550300")
    mine = page.get_by_role("group", name="Own number")
    yard = mine.get_by_role("button", name="+1 202-555-0300")
    workshop = mine.get_by_role("button", name="+1 202-555-0200")
    for button in (yard, workshop):
        expect(button).to_have_attribute("aria-pressed", "true")
    expect(inbox.rows).to_have_count(2)
    expect(inbox.tab("Open")).to_contain_text("2")
    expect(inbox.tab("Closed")).to_contain_text("1")
    expect(inbox.filter("Unassigned")).to_contain_text("1")
    expect(inbox.filter("Late")).to_have_count(0)

    # What goes through one of the numbers joins the list, whatever else happens.
    ana.text("+12025551109", "to the front desk", channel="front")
    ana.text(four, "to the yard too", channel="yard")
    expect(inbox.row(four)).to_be_visible()
    expect(inbox.row("+12025551109")).to_have_count(0)
    expect(inbox.tab("Open")).to_contain_text("3")

    yard.click()
    expect(inbox.rows).to_have_count(1)
    expect(page).to_have_url(re.compile(r"own=%2B12025550200$"))
    assignee = page.get_by_role("group", name="Assignee").get_by_role("button")
    expect(assignee).to_have_accessible_name("Assignee: Anyone")
    assignee.click()
    page.get_by_role("menu").get_by_text("Ben Okafor").click()
    expect(inbox.row(two)).to_be_visible()
    inbox.filter("Unassigned").click()
    expect(page.get_by_text("No conversations match.")).to_be_visible()
    drops = [
        "Remove “Unassigned”", "Remove “Ben Okafor”", "Remove “+1 202-555-0200”",
        "Remove “Open”", "Show all time",
    ]  # fmt: skip
    for name in drops:
        expect(page.get_by_role("button", name=name)).to_be_visible()
    address = page.url
    page.get_by_role("button", name="Remove “Ben Okafor”").click()
    expect(page.get_by_text("No conversations match.")).to_be_visible()
    page.get_by_role("button", name="Remove “Unassigned”").click()
    expect(inbox.row(two)).to_be_visible()
    page.go_back()
    page.go_back()
    expect(page).to_have_url(address)
    expect(inbox.filter("Unassigned")).to_have_attribute("aria-pressed", "true")

    # Somebody who is sent the address sees the same.
    other = Inbox(browser_as(place.ben, place.hub.base_url).new_page()).go(address)
    expect(other.page.get_by_text("No conversations match.")).to_be_visible()
    other.page.get_by_role("button", name="Remove “Unassigned”").click()
    expect(other.row(two)).to_be_visible()
    other.page.set_viewport_size({"width": 700, "height": 800})
    other.page.get_by_role("button", name="Remove “Ben Okafor”").click()
    other.page.get_by_role("button", name="Show filters").click()
    sheet = other.page.get_by_role("dialog", name="Filters")
    sheet.get_by_role("button", name="+1 202-555-0300").click()
    sheet.get_by_role("button", name="Close").click()
    expect(other.rows).to_have_count(3)

    # A filter for late ones is there as long as answers have a target.
    ana.patch("settings", {"targets": {"on": True, "minutes": 60}})
    expect(inbox.filter("Late")).to_be_visible()
    ana.patch("settings", {"targets": {"on": False}})
    expect(inbox.filter("Late")).to_have_count(0)


@pytest.mark.feature("LIST-05", "FILT-05")
def test_pages_follow_while_messages_arrive_and_back_leads_to_the_very_place(
    place: Desk, browser_as: Browser
) -> None:
    ana = place.ana
    numbers = [f"+1202555{2000 + n}" for n in range(70)]
    for number in numbers:
        ana.text(number, "Hello", channel="front")
    page = browser_as(ana, place.hub.base_url, reduced_motion="reduce").new_page()
    inbox = Inbox(page).go("/messages?channel=front&range=today")
    inbox.at_top(numbers[-1])
    expect(inbox.rows.first).to_have_attribute("aria-setsize", "-1")
    requests = asked(page)
    ana.text("+12025552900", "in between", channel="front")
    ana.text(numbers[3], "again", channel="front")
    inbox.at_top(numbers[3])
    scroller = page.locator(".rows.scroll")
    seen: dict[str, int] = {}

    def look() -> None:
        rows = inbox.rows.evaluate_all(
            "rows => rows.map(row => [row.querySelector('b').textContent,"
            " Number(row.getAttribute('aria-posinset'))])"
        )
        for name, position in rows:
            assert seen.setdefault(name, position) == position, "no row twice"

    for top in range(0, 64 * 75, 400):
        scroller.evaluate("(rows, top) => rows.scrollTo(0, top)", top)
        if top > 2400:
            expect(inbox.rows.first).not_to_have_attribute("aria-setsize", "-1")
        look()
    assert len(requests) == 1, "the second page comes before the end is reached"
    assert sorted(seen.values()) == list(range(1, len(seen) + 1)), "none is left out"
    assert {shown(number) for number in [*numbers, "+12025552900"]} <= seen.keys()

    scroller.evaluate("rows => rows.scrollTo(0, 2000)")
    row = inbox.row(numbers[30])
    row.get_by_role("link").focus()
    top = scroller.evaluate("rows => rows.scrollTop")
    page.keyboard.press("Enter")
    expect(inbox.log).to_be_focused()
    inbox.filter("Unassigned").click()
    expect(page).to_have_url(re.compile("filter=unassigned"))
    assert scroller.evaluate("rows => rows.scrollTop") == 0
    page.go_back()
    expect(inbox.filter("All")).to_have_attribute("aria-pressed", "true")
    wait_for(lambda: scroller.evaluate("rows => rows.scrollTop") == top, what="the place")
    page.go_back()
    expect(row.get_by_role("link")).to_be_focused()
    assert scroller.evaluate("rows => rows.scrollTop") == top
    assert inbox.never_reloaded


@pytest.mark.feature("LIST-04")
def test_a_row_is_closed_and_assigned_with_the_pointer_and_says_who_did(
    place: Desk, browser_as: Browser
) -> None:
    number = "+12025553001"
    written(place.ana, number)
    page = browser_as(place.ana, place.hub.base_url).new_page()
    theirs = browser_as(place.ben, place.hub.base_url).new_page()
    inbox, other = Inbox(page).go("/messages"), Inbox(theirs).go("/messages")
    expect(other.row(number)).to_be_visible()
    inbox.row(number).hover()
    inbox.row(number).get_by_role("button", name="Assignee: Unassigned").click()
    page.get_by_role("menu").get_by_text("Ben Okafor").click()
    expect(inbox.row(number).get_by_title("Assigned to Ben Okafor")).to_have_count(0)
    expect(inbox.row(number).get_by_role("link")).to_have_accessible_name(
        re.compile("Assigned to Ben Okafor")
    )
    inbox.row(number).hover()
    inbox.row(number).get_by_role("button", name="Close conversation").click()
    expect(other.row(number)).to_contain_text("Closed by Admin")
    expect(other.row(number)).to_have_count(0)
