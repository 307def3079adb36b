"""The audit log as an admin reads it."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import CONFIG, Complaints
from tests.browser.screen import written
from tests.browser.test_accessibility import SIZES, check
from tests.hubs import Client, HubProcess, running_hub


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[HubProcess, Client]]:
    """A hub in which things have been changed."""
    with running_hub(config=CONFIG) as hub:
        ana = hub.client()
        thread = written(ana, "+12025551001")
        (me,) = [one["id"] for one in ana.get("members")]
        done = hub.run("user", "add", "ben@example.com", "--name", "Ben", "--password-stdin",
                       input_="good-password-1\n")  # fmt: skip
        assert done.returncode == 0, done.stderr
        ana.patch(f"threads/{thread['id']}", {"assignee_id": me})
        role = ana.post("roles", {"name": "Desk", "capabilities": ["messages.view"]})
        ana.patch(f"roles/{role['id']}", {"name": "Front desk", "channels": ["front"]})
        ana.patch("settings", {"approvals": {"sources": ["api"]}})
        yield hub, ana


@pytest.fixture(params=SIZES)
def log(
    request: pytest.FixtureRequest,
    house: tuple[HubProcess, Client],
    browser_as: Callable[..., BrowserContext],
) -> Page:
    """The page, wide and narrow."""
    hub, ana = house
    width, height, _mode = SIZES[request.param]
    context = browser_as(ana, hub.base_url, viewport={"width": width, "height": height})
    page = context.new_page()
    page.goto("/settings/audit")
    expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    return page


@pytest.mark.feature("ASGN-05")
def test_a_line_opens_and_shows_what_differs(log: Page) -> None:
    row = log.get_by_role("button", name=re.compile("^Role changed: Front desk"))
    row.click()
    table = log.get_by_role("table", name="What changed")
    expect(table).to_contain_text("name")
    expect(table).to_contain_text("Desk")
    expect(table).to_contain_text("Front desk")
    expect(log.get_by_text("from 127.0.0.1")).to_be_visible()
    check(log)
    row.click()
    expect(table).to_have_count(0)
    log.get_by_role("button", name=re.compile("^Conversation assigned")).click()
    log.get_by_role("link", name="Open conversation").click()
    expect(log.get_by_role("log", name="Messages")).to_be_visible()


@pytest.mark.feature("ASGN-05")
def test_it_is_filtered(log: Page) -> None:
    rows = log.get_by_role("list", name="Changes").get_by_role("listitem")
    log.get_by_label("What", exact=True).select_option(label="Roles")
    expect(rows).to_have_count(2)
    log.get_by_label("Who", exact=True).select_option(label="The hub itself")
    expect(log.get_by_text("Nothing fits these filters")).to_be_visible()
    check(log)
    log.get_by_label("Who", exact=True).select_option(label="Admin")
    expect(rows).to_have_count(2)
    log.get_by_label("Who", exact=True).select_option(label="Ben")
    expect(log.get_by_text("Nothing fits these filters")).to_be_visible()
    log.get_by_role("button", name="Clear filters").first.click()
    expect(rows.first).to_be_visible()
    log.get_by_label("From", exact=True).fill("2101-01-02")
    expect(log.get_by_text("Nothing fits these filters")).to_be_visible()
    log.get_by_label("From", exact=True).fill("2001-01-02")
    log.get_by_label("To", exact=True).fill("2001-01-01")
    expect(log.get_by_text("The first day is later than the last one.")).to_be_visible()
    check(log)
    log.get_by_label("To", exact=True).fill("2001-01-03")
    expect(log.get_by_text("Nothing fits these filters")).to_be_visible()


@pytest.mark.feature("ASGN-05")
def test_it_is_exported(log: Page, tmp_path: Path) -> None:
    log.get_by_label("What", exact=True).select_option(label="Roles")
    with log.expect_download() as download:
        log.get_by_role("button", name="Export CSV").click()
    assert download.value.suggested_filename == "audit-main.csv"
    download.value.save_as(tmp_path / "log.csv")
    with (tmp_path / "log.csv").open(encoding="utf-8-sig", newline="") as file:
        found = [row["action"] for row in csv.DictReader(file)]
    assert found == ["role.changed", "role.made"]
    log.get_by_label("What", exact=True).select_option(label="Exports")
    row = log.get_by_role("button", name=re.compile("^Audit log exported")).first
    row.click()
    expect(log.get_by_role("table", name="What changed")).to_contain_text("role.")


@pytest.mark.feature("ASGN-05")
def test_more_is_loaded_and_faults_are_told(
    house: tuple[HubProcess, Client],
    browser_as: Callable[..., BrowserContext],
    complaints: Complaints,
) -> None:
    complaints.allow(r"503")
    hub, ana = house
    for number in range(60):
        made = ana.post("roles", {"name": f"Role {number}", "capabilities": []})
        ana.call("DELETE", f"roles/{made['id']}")
    page = browser_as(ana, hub.base_url).new_page()
    failing = {"now": True}

    def answer(route: Route) -> None:
        if failing["now"]:
            route.fulfill(status=503, json={"title": "No", "detail": "Not now.", "status": 503})
        else:
            route.fallback()

    page.route(re.compile(r"/api/v1/.*/audit"), answer)
    page.goto("/settings/audit")
    expect(page.get_by_role("alert")).to_contain_text("The audit log could not be loaded.")
    failing["now"] = False
    page.get_by_role("button", name="Try again").click()
    rows = page.get_by_role("list", name="Changes").get_by_role("listitem")
    expect(rows).to_have_count(50)
    failing["now"] = True
    page.get_by_role("button", name="Load more").click()
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    expect(rows).to_have_count(50)
    failing["now"] = False
    page.get_by_role("button", name="Try again").click()
    expect(rows).to_have_count(100)
    page.get_by_role("button", name="Load more").click()
    expect(page.get_by_text("That is everything.")).to_be_visible()


@pytest.mark.feature("ASGN-05", "PERM-06")
def test_who_lacks_the_right_is_told(
    house: tuple[HubProcess, Client], browser_as: Callable[..., BrowserContext]
) -> None:
    hub, _ = house
    ben = hub.client("ben@example.com", "good-password-1")
    page = browser_as(ben, hub.base_url).new_page()
    page.goto("/settings/audit")
    expect(page.get_by_text("You do not have access to")).to_be_visible()
