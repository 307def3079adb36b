"""Somebody who works for two organisations of one hub."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Complaints
from tests.browser.screen import Inbox, shown, written
from tests.hubs import Client, HubProcess, running_hub

CONFIG = """
[[organisations]]
slug = "main"
name = "Main Street"

[[organisations]]
slug = "branch"
name = "Harbour Branch"

[[channels]]
id = "front"
organisation = "main"
plugin = "simulator"
settings = { numbers = ["+12025550100"], receipt_pause = 0.2 }

[[channels]]
id = "front"
organisation = "branch"
plugin = "simulator"
settings = { numbers = ["+12025550300"], receipt_pause = 0.2 }
"""
HERE, THERE = "+12025551001", "+12025551002"


@pytest.fixture(scope="module")
def house() -> Iterator[HubProcess]:
    with running_hub(config=CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def ana(house: HubProcess) -> Client:
    """A member of both: the first account is."""
    return house.client()


@pytest.fixture(scope="module")
def branch(house: HubProcess) -> Client:
    """The same person, asking the branch."""
    client = house.client()
    client.org = "branch"
    return client


def switch(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile("^Organisation:")).click()
    page.get_by_role("menuitemcheckbox", name=name).click()


@pytest.mark.feature("SHELL-10")
def test_two_tabs_show_two_organisations_and_links_open_in_theirs(
    house: HubProcess,
    ana: Client,
    branch: Client,
    browser_as: Callable[..., BrowserContext],
    complaints: Complaints,
) -> None:
    complaints.allow("404")
    here, there = written(ana, HERE), written(branch, THERE)
    browser = browser_as(ana, house.base_url)
    one = Inbox(browser.new_page()).go("/messages?status=all&org=main")
    expect(one.row(HERE)).to_be_visible()
    expect(one.row(THERE)).to_have_count(0)

    # Another tab begins where the last one is and goes elsewhere; the first one stays, live.
    two = Inbox(browser.new_page()).go()
    switch(two.page, "Harbour Branch")
    expect(two.row(THERE)).to_be_visible()
    expect(two.row(HERE)).to_have_count(0)
    expect(two.page).to_have_title(re.compile("Harbour Branch"))
    expect(one.page).to_have_title(re.compile("Main Street"))
    written(branch, THERE, "Only for the branch")
    expect(two.row(THERE)).to_contain_text("Only for the branch")
    expect(one.rows).to_have_count(1)

    # What is written in one goes out from it, and the address says which it is.
    two.open(THERE).send("From the branch")
    expect(two.entry("From the branch")).to_contain_text("Delivered")
    assert "org=branch" in two.page.url
    address = two.row(THERE).get_by_role("link").get_attribute("href")
    assert "org=branch" in (address or "")
    two.page.reload()
    expect(two.entry("From the branch")).to_be_visible()
    expect(two.page).to_have_title(re.compile("Harbour Branch"))

    # A link that names none, as in a mail, opens where its conversation is.
    mailed = Inbox(browser.new_page()).go(f"/messages?conversation={here['id']}")
    heading = mailed.conversation.get_by_role("heading", name=shown(HERE))
    expect(heading).to_be_visible()
    mailed.page.goto(f"/messages?conversation={there['id']}")
    expect(mailed.conversation.get_by_role("heading", name=shown(THERE))).to_be_visible()
    expect(mailed.page).to_have_url(re.compile("org=branch"))
    # Back leads to the organisation one came from.
    mailed.page.go_back()
    expect(heading).to_be_visible()

    # One that leads nowhere can still be read, and mended.
    mailed.page.goto("/mesages?range=all")
    expect(mailed.page.get_by_role("heading", name="There is no page here")).to_be_visible()
    expect(mailed.page).to_have_title(re.compile("Harbour Branch|Main Street"))
    expect(mailed.page).to_have_url(re.compile(r"/mesages\?range=all$"))


@pytest.mark.feature("SHELL-10", "SHELL-09")
def test_a_link_into_an_organisation_that_is_not_ones_own_says_so(
    house: HubProcess, branch: Client, browser_as: Callable[..., BrowserContext]
) -> None:
    email, password = "cleo@example.com", "another-good-password"
    added = house.run(
        "user", "add", email, "--name", "Cleo", "--organisation", "main", "--password-stdin",
        input_=password + "\n",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    there = written(branch, THERE, "Secret")
    page = browser_as(house.client(email, password), house.base_url).new_page()
    page.goto(f"/messages?conversation={there['id']}&org=branch")
    expect(page.get_by_role("heading", name="This page is out of your reach")).to_be_visible()
    expect(page.get_by_text("Secret")).to_have_count(0)
    page.get_by_role("button", name="Go to Main Street").click()
    expect(page.get_by_role("heading", name="Hello, Cleo")).to_be_visible()
    # In one organisation alone, addresses need not name it.
    expect(page).not_to_have_url(re.compile("org="))
