"""The settings' pages: fields that save themselves, by the right that each section needs."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, Literal

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from tests.browser.conftest import BEN, Complaints
from tests.browser.office import CONFIG, Office, Pictures
from tests.browser.screen import shown
from tests.browser.test_accessibility import check
from tests.browser.test_sizes import NO_SIDEWAYS
from tests.host.unruly import ENVIRON, TOKEN
from tests.hubs import Client, HubProcess, running_hub, wait_for

SIZES: dict[str, tuple[int, int, Literal["light", "dark"]]] = {
    "wide": (1440, 900, "light"),
    "middle": (1100, 800, "dark"),
    "phone": (390, 844, "dark"),
    "narrow": (320, 700, "light"),
}
SECTIONS = {
    "organisation": "Organisation",
    "sign-in": "Sign-in",
    "quiet-hours": "Quiet hours",
    "consent": "Consent",
    "approvals": "Approvals",
    "channels": "Channels",
    "channels/chat": "Channels",
    "channels/still": "Channels",
    "templates": "Templates",
}
MORE = """
[[channels]]
id = "front"
plugin = "simulator"
name = "Front desk"
settings = { numbers = ["+12025550109"] }

[[channels]]
id = "still"
plugin = "unruly-stillborn"
name = "Still"
settings = { token = { env = "UNRULY_TOKEN" } }
"""
WIDE_ENOUGH = """() => [...document.querySelectorAll('main *')].every(
    each => getComputedStyle(each).overflowX !== 'auto' || each.scrollWidth <= each.clientWidth)"""
"""Nothing inside of the page can be scrolled sideways either."""
CHANGED = "**/api/v1/organisations/main/settings"


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    """A hub with a channel of each kind, a simulator, and one that cannot be loaded."""
    pictures = Pictures()
    try:
        environ = {**ENVIRON, "OFFICE_TOKEN": TOKEN}
        with running_hub(config=CONFIG + MORE, environ=environ) as hub:
            email, password = BEN
            hub.run("user", "add", email, "--name", "Ben Okafor", "--password-stdin",
                    input_=f"{password}\n")  # fmt: skip
            yield Office(hub, pictures)
    finally:
        pictures.close()


@pytest.fixture
def ana(office: Office) -> Client:
    """The admin. Every test begins with nothing set."""
    office.client.patch(
        "settings", {"hours": {}, "quiet_hours": {}, "consent": {}, "approvals": {}, "sign_in": {}}
    )
    return office.client


@pytest.fixture
def ben(office: Office, ana: Client) -> Callable[..., Client]:
    """A colleague with the rights that are named."""

    def made(*capabilities: str) -> Client:
        rights = {"capabilities": list(capabilities)}
        known = [role["id"] for role in ana.get("roles") if role["name"] == "Of Ben"]
        role = (
            ana.patch(f"roles/{known[0]}", rights)
            if known
            else ana.post("roles", {"name": "Of Ben", **rights})
        )
        (member,) = [one for one in ana.get("members") if one["email"] == BEN[0]]
        ana.patch(f"members/{member['id']}", {"role_id": role["id"]})
        return office.hub.client(*BEN)

    return made


Tab = Callable[..., Page]


@pytest.fixture
def tab(office: Office, ana: Client, browser_as: Callable[..., BrowserContext]) -> Tab:
    """A page of somebody's, of the admin's if nobody else is named."""

    def opened(member: Client | None = None, **options: Any) -> Page:
        return browser_as(member or ana, office.hub.base_url, **options).new_page()

    return opened


def last_audit(hub: HubProcess) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Who changed the settings last, what they were and what they became."""
    with closing(sqlite3.connect(hub.folder / "data" / "hub.db")) as database:
        kind, before, after = database.execute(
            "SELECT actor_kind, before, after FROM audit WHERE action = 'settings.changed' "
            "ORDER BY id DESC LIMIT 1"
        ).fetchone()
    return kind, json.loads(before), json.loads(after)


def saved(where: Page | Locator) -> Locator:
    """What says so beside a field."""
    return where.get_by_role("status").get_by_text("Saved", exact=True)


@pytest.mark.feature("PERM-06")
def test_a_change_is_saved_said_audited_and_holds_at_once(
    office: Office, ana: Client, tab: Tab, number: str
) -> None:
    page = tab()
    page.goto("/settings/consent")
    words = page.get_by_label("More words that opt out")
    words.fill("halt,  no more")
    words.press("Tab")
    expect(saved(page)).to_have_count(1)
    expect(words).to_have_value("halt, no more")
    assert ana.get("settings")["consent"]["stop_words"] == ["halt", "no more"]
    kind, before, after = last_audit(office.hub)
    assert kind == "member"
    assert before["consent"]["stop_words"] == []
    assert after["consent"]["stop_words"] == ["halt", "no more"]

    ana.text(number, "Halt", channel="front")
    thread = wait_for(lambda: ana.thread_of(shown(number)), what="the text in the list")
    said = ana.get(f"contacts/{thread['contact']['id']}/consent")["items"]
    assert [one["state"] for one in said] == ["out"], "without a restart"

    page.reload()
    expect(words).to_have_value("halt, no more")
    words.fill("")
    words.press("Enter")
    expect(saved(page)).to_have_count(1)
    assert ana.get("settings")["consent"]["stop_words"] == []


@pytest.mark.feature("PERM-06")
def test_what_is_wrong_is_said_beside_the_field_and_what_was_typed_stays(
    ana: Client, tab: Tab, complaints: Complaints
) -> None:
    complaints.allow("400")
    page = tab()
    page.goto("/settings/quiet-hours")
    start, until = page.get_by_label("From"), page.get_by_label("Until")
    expect(start).to_have_value("21:00")
    start.fill("08:00")
    start.press("Tab")
    expect(start).to_have_attribute("aria-invalid", "true")
    expect(start).to_have_accessible_description(
        "Not saved. start and end are the same; switch quiet hours off instead"
    )
    expect(start).to_have_value("08:00")
    expect(until).to_have_attribute("aria-invalid", "false")
    check(page)
    assert ana.get("settings")["quiet_hours"]["start"] == "21:00"
    page.get_by_role("button", name="Discard my change").click()
    expect(start).to_have_value("21:00")
    expect(start).to_have_attribute("aria-invalid", "false")
    start.fill("22:30")
    start.press("Tab")
    expect(saved(page)).to_have_count(1)
    page.get_by_role("switch", name="Keep quiet hours").click()
    expect(saved(page)).to_have_count(2)
    assert ana.get("settings")["quiet_hours"] == {"on": True, "start": "22:30", "end": "08:00"}


@pytest.mark.feature("PERM-06")
def test_what_cannot_be_saved_stays_until_it_can(
    ana: Client, tab: Tab, complaints: Complaints
) -> None:
    complaints.allow("503")
    page = tab()
    page.goto("/settings/consent")
    answer = page.get_by_label("When asked for help")
    expect(answer).to_be_visible()
    page.route(CHANGED, lambda route: route.fulfill(status=503))
    answer.fill("Call us.")
    answer.press("Tab")
    expect(page.get_by_role("alert").get_by_text("Not saved.")).to_be_visible()
    expect(answer).to_have_value("Call us.")
    page.unroute(CHANGED)
    page.get_by_role("button", name="Retry").click()
    expect(saved(page)).to_have_count(1)
    assert ana.get("settings")["consent"]["help_answer"] == "Call us."


@pytest.mark.feature("PERM-06")
def test_what_a_colleague_changes_meanwhile_is_not_undone(
    ana: Client, tab: Tab, complaints: Complaints
) -> None:
    complaints.allow("412")
    page = tab()
    page.goto("/settings/organisation")
    monday = page.get_by_role("group", name="Monday")
    expect(monday.get_by_role("radio", name="All day")).to_be_checked()

    def meanwhile(patch: dict[str, Any]) -> Callable[[Route], None]:
        """A colleague is faster by as much as the first request takes."""
        waiting = [patch]

        def handle(route: Route) -> None:
            if route.request.method == "PATCH" and waiting:
                ana.patch("settings", waiting.pop())
            route.continue_()

        return handle

    page.route(CHANGED, meanwhile({"hours": {"friday": []}}))
    monday.get_by_role("radio", name="Hours").click()
    expect(saved(monday)).to_be_visible()
    hours = ana.get("settings")["hours"]
    assert (hours["monday"], hours["friday"]) == ([{"opens": "09:00", "closes": "17:00"}], [])
    friday = page.get_by_role("group", name="Friday")
    expect(friday.get_by_role("radio", name="Closed")).to_be_checked()

    theirs = [{"opens": "07:00", "closes": "08:00"}]
    page.route(CHANGED, meanwhile({"hours": {**hours, "monday": theirs}}))
    monday.get_by_role("radio", name="Closed").click()
    expect(monday.get_by_role("alert")).to_contain_text("Somebody else has changed this")
    assert ana.get("settings")["hours"]["monday"] == theirs
    monday.get_by_role("button", name="Retry").click()
    expect(saved(monday)).to_be_visible()
    assert ana.get("settings")["hours"]["monday"] == []


@pytest.mark.feature("PERM-06")
def test_a_page_that_is_open_shows_what_others_change(ana: Client, tab: Tab) -> None:
    page = tab()
    page.goto("/settings/approvals")
    programs = page.get_by_role("switch", name="Programs with an API token")
    expect(programs).not_to_be_checked()
    ana.patch("settings", {"approvals": {"sources": ["api", "assistant"]}})
    expect(programs).to_be_checked()
    programs.click()
    expect(saved(page)).to_have_count(1)
    assert ana.get("settings")["approvals"]["sources"] == ["assistant"], "not shown, and kept"


@pytest.mark.feature("PERM-06")
def test_hours_and_holidays(ana: Client, tab: Tab) -> None:
    page = tab()
    page.goto("/settings/organisation")
    expect(page.get_by_role("definition").get_by_text("UTC")).to_be_visible()
    monday = page.get_by_role("group", name="Monday")
    monday.get_by_role("radio", name="Hours").click()
    monday.get_by_label("Monday: closes, 1").fill("12:30")
    monday.get_by_role("button", name="Monday: add hours").click()
    opens = monday.get_by_label("Monday: opens, 2")
    expect(opens).to_be_focused()
    opens.fill("13:30")
    monday.get_by_label("Monday: closes, 2").fill("00:00")
    expect(saved(monday)).to_be_visible()
    split = [{"opens": "09:00", "closes": "12:30"}, {"opens": "13:30", "closes": "24:00"}]
    wait_for(lambda: ana.get("settings")["hours"]["monday"] == split, what="the second hours")
    monday.get_by_role("button", name="Same from Tuesday to Friday").click()
    expect(saved(page)).to_have_count(5)
    hours = ana.get("settings")["hours"]
    assert [hours[day] == split for day in ("tuesday", "friday", "saturday")] == [True, True, False]
    monday.get_by_role("button", name="Monday: remove hours 1").click()
    wait_for(lambda: ana.get("settings")["hours"]["monday"] == split[1:], what="hours removed")

    for date, name in (("2026-12-26", "Boxing Day"), ("2026-12-25", "Christmas")):
        page.get_by_label("Date", exact=True).fill(date)
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_role("button", name="Add holiday").click()
        expect(page.get_by_label(f"Name of {date}")).to_have_value(name)
    page.get_by_label("Date", exact=True).fill("2026-12-25")
    page.get_by_role("button", name="Add holiday").click()
    expect(page.get_by_text("That day stands there already.")).to_be_visible()
    page.get_by_label("Name of 2026-12-26").fill("St Stephen's Day")
    page.get_by_role("button", name="Remove Christmas").click()
    kept = [{"date": "2026-12-26", "name": "St Stephen's Day"}]
    wait_for(lambda: ana.get("settings")["hours"]["holidays"] == kept, what="the holidays")


@pytest.mark.feature("PERM-06")
def test_each_section_is_for_who_has_its_right(ben: Callable[..., Client], tab: Tab) -> None:
    page = tab(ben("messages.view", "channels.manage"))
    page.goto("/")
    page.get_by_role("link", name="Settings").click()
    sections = page.get_by_role("navigation", name="Sections of the settings")
    expect(sections.get_by_role("link")).to_have_text(["Channels", "Templates"])
    expect(page.get_by_role("heading", name="Channels", level=1)).to_be_visible()
    page.goto("/settings/organisation")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "You do not have access to Organisation"
    )
    expect(page.get_by_text("The right is called settings.manage.")).to_be_visible()
    page.goto("/settings/elsewhere")
    expect(page.get_by_role("heading", name="There is no such section")).to_be_visible()

    ben("messages.view")
    page.goto("/settings/channels")
    expect(page.get_by_role("heading", level=1)).to_have_text("You do not have access to Channels")
    expect(page.get_by_text("The right is called channels.manage.")).to_be_visible()
    expect(page.get_by_role("link", name="Settings")).to_have_count(0)
    check(page)


@pytest.mark.feature("PERM-06")
def test_settings_without_messages(ana: Client, ben: Callable[..., Client], tab: Tab) -> None:
    page = tab(ben("settings.manage", "channels.manage"))
    page.goto("/settings/quiet-hours")
    page.get_by_role("switch", name="Keep quiet hours").click()
    expect(saved(page)).to_have_count(1)
    assert ana.get("settings")["quiet_hours"]["on"] is True
    page.goto("/settings/channels")
    expect(page.get_by_role("link", name="Chat")).to_be_visible()


@pytest.mark.feature("PERM-06")
def test_keys_and_phones(tab: Tab) -> None:
    page = tab()
    page.goto("/messages")
    page.get_by_role("heading", name="Messages").first.wait_for()
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page).to_have_url(re.compile(r"/settings$"))
    expect(page.get_by_role("heading", name="Organisation", level=1)).to_be_visible()

    phone = tab(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    phone.goto("/")
    phone.get_by_role("button", name="Account of").tap()
    phone.get_by_role("menuitem", name="Settings").tap()
    expect(phone.get_by_role("heading", name="Settings", level=1)).to_be_visible()
    consent = phone.get_by_role("link", name="Consent")
    consent.tap()
    expect(phone.get_by_role("heading", name="Consent", level=1)).to_be_visible()
    expect(consent).to_be_hidden()
    phone.get_by_role("button", name="All settings").tap()
    expect(consent).to_be_focused()
    phone.go_back()
    expect(phone.get_by_role("heading", name="Consent", level=1)).to_be_visible()


@pytest.mark.feature("PLUG-02", "PERM-06")
def test_how_channels_are(office: Office, ana: Client, tab: Tab, number: str) -> None:
    page, other = tab(), tab()
    for each in (page, other):
        each.goto("/settings/channels")
    rows = page.get_by_role("list", name="Channels").get_by_role("listitem")
    expect(rows).to_have_count(6)
    chat = rows.filter(has_text="Chat")
    expect(chat).to_contain_text("office-chat")
    expect(chat).to_contain_text("Working")
    expect(rows.filter(has_text="Still")).to_contain_text("Needs attention")
    assert TOKEN not in page.content()

    chat.get_by_role("link").press("Enter")
    expect(page).to_have_url(re.compile(r"/settings/channels/chat$"))
    expect(page.get_by_role("link", name="All channels")).to_be_focused()
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("Checked at")).to_be_visible()
    page.get_by_role("button", name="Pause Chat").click()
    state = page.get_by_role("group", name="State of the channel")
    expect(state).to_contain_text("Paused by")
    theirs = other.get_by_role("list", name="Channels").get_by_role("listitem")
    expect(theirs.filter(has_text="Chat")).to_contain_text("Paused by")
    assert next(one for one in ana.get("channels") if one["id"] == "chat")["paused"]
    page.get_by_role("button", name="Resume Chat").click()
    expect(state).to_contain_text("Working")
    expect(theirs.filter(has_text="Chat")).to_contain_text("Working")

    page.get_by_role("link", name="All channels").click()
    expect(chat.get_by_role("link")).to_be_focused()
    page.goto("/settings/channels/still")
    expect(page.get_by_text('below [[channels]] with id = "still"')).to_be_visible()
    expect(page.get_by_role("button", name="Check now")).to_have_count(0)
    page.get_by_role("link", name="See deliveries").click()
    expect(page).to_have_url(re.compile(r"/deliveries\?channel=still$"))
    page.goto("/settings/channels/nowhere")
    expect(page.get_by_role("heading", name="There is no such channel")).to_be_visible()


def test_templates(tab: Tab, complaints: Complaints) -> None:
    complaints.allow("502")
    page = tab()
    asked = "**/channels/chat/templates"
    page.route(asked, lambda route: route.fulfill(status=502))
    page.goto("/settings/templates")
    expect(page.get_by_role("alert").get_by_text("They could not be loaded.")).to_be_visible()
    check(page)
    page.unroute(asked)
    page.get_by_role("button", name="Try again").click()
    listed = page.get_by_role("list", name="Templates of Chat").get_by_role("listitem")
    expect(listed.filter(has_text="we come on")).to_contain_text("1, for example Elif")
    expect(listed.filter(has_text="offer")).to_contain_text("It reads like advertising.")
    expect(listed.filter(has_text="survey")).to_contain_text("Waits for approval")
    before = listed.count()
    page.route(asked, lambda route: route.fulfill(status=502))
    page.get_by_role("button", name="Refresh the templates of Chat").click()
    expect(page.get_by_role("alert").get_by_text("They could not be loaded.")).to_be_visible()
    expect(listed).to_have_count(before)
    page.unroute(asked)
    page.route(asked, lambda route: route.fulfill(json={"items": []}))
    page.get_by_role("button", name="Refresh the templates of Chat").click()
    expect(page.get_by_text("The provider has none.")).to_be_visible()
    check(page)


@pytest.mark.feature("PERM-06")
def test_requiring_a_second_factor_leads_to_it(
    browser_as: Callable[..., BrowserContext], complaints: Complaints
) -> None:
    complaints.allow("403")
    with running_hub() as hub, closing(hub.client()) as ana:
        page = browser_as(ana, hub.base_url).new_page()
        page.goto("/settings/sign-in")
        expect(page.get_by_text("You have no second factor yourself.")).to_be_visible()
        page.get_by_role("switch", name="Require two-factor sign-in").click()
        expect(page.get_by_role("button", name="Set up")).to_be_visible()
        assert last_audit(hub)[2] == {"sign_in": {"require_two_factor": True}}


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_wrong_at_any_size(ana: Client, tab: Tab, size: str) -> None:
    span = [{"opens": "09:00", "closes": "12:30"}, {"opens": "13:30", "closes": "17:00"}]
    holiday = {"date": "2026-12-25", "name": "Christmas Day"}
    ana.patch("settings", {"hours": {"tuesday": span, "holidays": [holiday]}})
    width, height, mode = SIZES[size]
    page = tab(viewport={"width": width, "height": height}, color_scheme=mode)
    page.goto("/settings")
    expect(page.get_by_role("link", name="Quiet hours")).to_be_visible()
    check(page)
    for section, title in SECTIONS.items():
        page.goto(f"/settings/{section}")
        expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
        expect(page.get_by_role("heading", level=2).last).to_be_visible()
        assert page.evaluate(NO_SIDEWAYS), section
        assert page.evaluate(WIDE_ENOUGH), section
        check(page)
