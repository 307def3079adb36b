"""How the pages lie at every width, in every theme, and to whom they open."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import BrowserContext, Error, Locator, Page, expect

from tests.browser.conftest import Complaints
from tests.browser.screen import Inbox, shown, written
from tests.browser.test_sizes import NO_SIDEWAYS
from tests.hubs import Client, HubProcess, wait_for

WIDTHS = (320, 360, 479, 480, 600, 767, 768, 900, 1023, 1024, 1100, 1279, 1280, 1440, 1920, 2560)
OVERLAPS = """
() => {
  const boxes = [...document.querySelectorAll("[data-column]:not([data-column=write])")]
    .filter((each) => each.checkVisibility() && getComputedStyle(each).position !== "absolute")
    .map((each) => ({ name: each.dataset.column, box: each.getBoundingClientRect() }));
  const wrong = boxes
    .filter(({ box }) => box.left < 0 || box.right > innerWidth + 0.5 || box.width < 200)
    .map(({ name, box }) => `${name}: ${box.left} to ${box.right}`);
  for (const [at, one] of boxes.entries())
    for (const other of boxes.slice(at + 1))
      if (one.box.left < other.box.right - 0.5 && other.box.left < one.box.right - 0.5)
        wrong.push(`${one.name} over ${other.name}`);
  const bar = [...document.querySelectorAll("header.top a, header.top button")]
    .filter((each) => each.checkVisibility())
    .map((each) => each.getBoundingClientRect())
    .filter(({ width }) => width > 1);
  for (const { left, right } of bar)
    if (left < 0 || right > innerWidth + 0.5) wrong.push(`top bar: ${left} to ${right}`);
  return wrong;
}
"""


@pytest.mark.feature("SHELL-05")
def test_nothing_overlaps_at_any_width(inbox: Inbox, page: Page, ana: Client, number: str) -> None:
    written(ana, number, "A" * 40 + " https://example.com/" + "b" * 40)
    inbox.open(number)
    wrong: list[str] = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        expect(inbox.message).to_be_in_viewport()
        columns = page.locator("[data-column=filters]")
        expect(columns).to_have_count(1 if width >= 1024 else 0)
        expect(inbox.details).to_have_count(1 if width >= 1280 else 0)
        expect(inbox.rows.first).to_be_visible(visible=width >= 768)
        if not page.evaluate(NO_SIDEWAYS):
            wrong.append(f"{width}: sideways")
        wrong += [f"{width}: {one}" for one in page.evaluate(OVERLAPS)]
    assert wrong == []

    # Letters twice as large, and the spaces between them that somebody may need.
    page.set_viewport_size({"width": 1280, "height": 800})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    page.evaluate("document.body.style.cssText = 'letter-spacing: .12em; word-spacing: .16em'")
    expect(inbox.message).to_be_visible()
    assert page.evaluate(NO_SIDEWAYS)


@pytest.mark.feature("SHELL-05")
def test_columns_are_resized_by_hand_and_by_key_and_stay_so(
    inbox: Inbox, page: Page, ana: Client, number: str
) -> None:
    written(ana, number)
    inbox.open(number)
    line = page.get_by_role("separator", name="Conversations width")
    column = page.get_by_role("region", name="Conversations")

    def width() -> int:
        box = column.bounding_box()
        assert box
        return round(box["width"])

    assert width() == 368
    box = line.bounding_box()
    assert box
    page.mouse.move(box["x"], 400)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, 400)
    page.mouse.up()
    expect(line).to_have_attribute("aria-valuenow", "428")
    assert width() == 428
    line.press("ArrowLeft")
    line.press("Shift+ArrowRight")
    expect(line).to_have_attribute("aria-valuenow", str(428 - 16 + 64))
    line.press("End")
    expect(line).to_have_attribute("aria-valuenow", "560")
    details = page.get_by_role("separator", name="Details width")
    details.press("ArrowLeft")
    expect(details).to_have_attribute("aria-valuenow", "316")
    page.reload()
    expect(line).to_have_attribute("aria-valuenow", "560")
    expect(details).to_have_attribute("aria-valuenow", "316")
    assert width() == 560
    line.dblclick()
    expect(line).to_have_attribute("aria-valuenow", "368")


@pytest.mark.feature("SHELL-04")
def test_four_dots_choose_the_theme_and_the_browser_keeps_it(
    hub: HubProcess, ana: Client, browser_as: Callable[..., BrowserContext]
) -> None:
    context = browser_as(ana, hub.base_url, color_scheme="dark")
    page = context.new_page()
    page.goto("/")
    html = page.locator("html")
    expect(html).to_have_attribute("data-theme", "green")
    expect(html).to_have_attribute("data-mode", "dark")
    dots = page.get_by_role("radiogroup", name="Colour theme").get_by_role("radio")
    expect(dots).to_have_count(4)
    names = [dot.get_attribute("aria-label") for dot in dots.all()]
    assert names == ["Green", "Sky Blue", "Gray", "Coral/Plum"]
    dots.first.focus()
    page.keyboard.press("ArrowLeft")
    expect(dots.last).to_be_focused()
    expect(html).to_have_attribute("data-theme", "coral")
    # The system is followed until the mode is set.
    page.emulate_media(color_scheme="light")
    expect(html).to_have_attribute("data-mode", "light")
    page.get_by_role("button", name="Switch to dark mode").click()
    expect(html).to_have_attribute("data-mode", "dark")
    page.emulate_media(color_scheme="dark")
    page.emulate_media(color_scheme="light")
    page.reload()
    expect(html).to_have_attribute("data-mode", "dark")
    expect(html).to_have_attribute("data-theme", "coral")
    expect(dots.last).to_be_checked()
    # Another browser has its own.
    other = browser_as(ana, hub.base_url).new_page()
    other.goto("/")
    expect(other.locator("html")).to_have_attribute("data-theme", "green")


@pytest.mark.feature("SHELL-01", "SHELL-03")
def test_messages_open_to_who_may_see_them(
    hub: HubProcess, ana: Client, browser_as: Callable[..., BrowserContext]
) -> None:
    role = ana.post("roles", {"name": "Auditors", "capabilities": ["audit.view"]})
    email, password = "odd@example.com", "another-good-password"
    added = hub.run(
        "user", "add", email, "--name", "Odd", "--role", role["name"], "--password-stdin",
        input_=password + "\n",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    page = browser_as(hub.client(email, password), hub.base_url).new_page()
    page.goto("/messages")
    expect(page).to_have_url(f"{hub.base_url}/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("messages")
    expect(page.get_by_role("navigation").get_by_role("link", name="Messages")).to_have_count(0)
    expect(page.get_by_role("link", name="Approval Queue")).to_have_count(0)

    own = browser_as(ana, hub.base_url).new_page()
    own.goto("/messages")
    expect(own.get_by_role("heading", name="Messages", level=2)).to_be_visible()
    expect(own.get_by_text("Customer conversations")).to_be_visible()
    expect(own.get_by_role("link", name="Approval Queue")).to_be_visible()


@pytest.mark.feature("SHELL-09")
def test_what_cannot_load_says_why_in_place_and_is_tried_again(
    hub: HubProcess,
    ana: Client,
    browser_as: Callable[..., BrowserContext],
    complaints: Complaints,
    number: str,
) -> None:
    complaints.allow("500|Failed to load|404")
    thread = written(ana, number)
    inbox = Inbox(browser_as(ana, hub.base_url).new_page())
    page = inbox.page

    def broken(path: str, *, cut: bool = False) -> None:
        page.route(
            path, lambda route: route.abort() if cut else route.fulfill(status=500, body="{}")
        )

    def try_again(alert: Locator) -> None:
        def gone() -> bool:
            # Another try may have been on its way, and takes the button with it.
            with suppress(Error):
                alert.get_by_role("button", name="Try again").click(timeout=1_000)
            return alert.count() == 0

        wait_for(gone, what="another try")

    broken("**/threads?*")
    inbox.go()
    alert = page.get_by_role("alert").filter(has_text="Conversations could not be loaded.")
    expect(alert).to_contain_text("The server answered with an error (500).")
    page.unroute("**/threads?*")
    try_again(alert)
    expect(inbox.row(number)).to_be_visible()
    expect(alert).to_have_count(0)

    # What is shown stays while another page of it cannot be had.
    broken("**/threads?*", cut=True)
    inbox.tab("Open").click()
    expect(alert).to_contain_text("The server cannot be reached.")
    expect(inbox.row(number)).to_be_visible()
    page.unroute("**/threads?*")
    try_again(alert)
    expect(alert).to_have_count(0)

    broken("**/entries?*")
    page.goto(f"/messages?status=all&conversation={thread['id']}")
    alert = page.get_by_role("alert").filter(has_text="error (500)")
    expect(alert).to_be_visible()
    page.unroute("**/entries?*")

    def tried_again() -> bool:
        # Another try may have been on its way to the same end.
        with suppress(Error):
            alert.get_by_role("button", name="Try again").click(timeout=1_000)
        return inbox.entry("Hello").is_visible()

    wait_for(tried_again, what="the entries")
    expect(inbox.conversation.get_by_role("heading", name=shown(number))).to_be_visible()

    # What is known of it besides, though its messages are there.
    broken("**/main/threads/*")
    page.goto(f"/messages?status=all&conversation={thread['id']}")
    expect(inbox.entry("Hello")).to_be_visible()
    alert = inbox.details.get_by_role("alert")
    expect(alert).to_contain_text("These details could not be loaded.")
    page.unroute("**/main/threads/*")
    try_again(alert)
    expect(alert).to_have_count(0)
    expect(inbox.modes.get_by_role("button", name="Front desk")).to_be_visible()
    expect(inbox.details.get_by_role("button", name="Opt out").first).to_be_visible()

    # The figures of the home page, and the channels that a first message goes out on.
    broken("**/threads/counts*")
    broken("**/main/channels")
    page.goto("/")
    alert = page.get_by_role("alert").filter(has_text="Not everything here could be loaded.")
    expect(alert).to_be_visible()
    page.get_by_role("link", name="All open").click()
    page.get_by_role("button", name="New conversation").click()
    dialog = page.get_by_role("dialog", name="New conversation")
    expect(dialog.get_by_role("alert")).to_contain_text("The channels could not be loaded.")
    page.unroute("**/main/channels")
    dialog.get_by_role("button", name="Try again").click()
    expect(dialog.get_by_label("First message")).to_be_visible()
    page.keyboard.press("Escape")
    page.go_back()
    expect(alert).to_be_visible()
    page.unroute("**/threads/counts*")
    try_again(alert)
    expect(alert).to_have_count(0)
    expect(page.get_by_role("link", name="All open")).to_have_text(re.compile(r"\d"))

    # A link to one that is gone or out of reach.
    page.goto("/messages?conversation=382000000000000000")
    expect(page.get_by_text("This conversation is gone or out of your reach.")).to_be_visible()


@pytest.mark.feature("SHELL-08")
def test_times_are_the_organisations_as_the_browser_writes_them(
    hub: HubProcess,
    browser_as: Callable[..., BrowserContext],
    ana: Client,
    number: str,
) -> None:
    """That no word stands outside of the catalogues is looked at by `webui/tests/words.test.ts`."""
    thread = written(ana, number, "Guten Tag")
    (entry,) = ana.entries(thread["id"])
    zone = ZoneInfo(ana.me["organisations"][0]["time_zone"])
    at = datetime.fromisoformat(entry["occurred_at"]).astimezone(zone)
    weekday = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag")
    german = browser_as(ana, hub.base_url, locale="de-DE", timezone_id="Pacific/Auckland")
    inbox = Inbox(german.new_page()).go().open(number)
    told = inbox.entry("Guten Tag").locator("time")
    expect(told).to_have_text(f"{at:%H:%M}")
    expect(told).to_have_attribute("title", re.compile(f"{weekday[at.weekday()]}.*{at:%H:%M}"))
