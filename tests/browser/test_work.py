"""Whose a conversation is, and whether it is done; a colleague sees it as it happens."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.screen import Inbox, written
from tests.hubs import Client


@pytest.fixture
def bens(bens_browser: BrowserContext) -> Inbox:
    """Ben's inbox, all conversations."""
    return Inbox(bens_browser.new_page()).go()


def assign(page: Page, name: str | re.Pattern[str]) -> None:
    """Choose an assignee in the head of the conversation."""
    head = page.get_by_role("region", name="Conversation", exact=True)
    head.get_by_role("button", name=re.compile("^Assignee: ")).click()
    page.get_by_role("menuitemcheckbox", name=name).click()


@pytest.mark.feature("ASGN-01", "RT-01")
def test_assigning_is_seen_by_everybody_at_once_and_hides_nothing(
    inbox: Inbox, bens: Inbox, ana: Client, ben: Client, number: str
) -> None:
    written(ana, number)
    written(ana, f"{number[:5]}779{number[8:]}", "Nobody's yet")
    mine = ben.get("threads/counts", status="all")["filter"]["mine"]
    unassigned = ana.get("threads/counts", status="all")["filter"]["unassigned"]
    for tab in (inbox, bens):
        tab.open(number)
    assign(inbox.page, "Ben Okafor")
    for tab in (inbox, bens):
        for place in (tab.conversation, tab.details):
            expect(place.get_by_role("button", name="Assignee: Ben Okafor")).to_be_visible()
        expect(tab.row(number)).to_contain_text("Assigned to Ben Okafor")
        expect(tab.filter("Unassigned")).to_have_text(re.compile(rf"Unassigned\s*{unassigned - 1}"))
        expect(tab.row(number)).to_be_visible()
    expect(bens.filter("Mine")).to_have_text(re.compile(rf"Mine\s*{mine + 1}"))
    bens.filter("Mine").click()
    expect(bens.rows).to_have_count(mine + 1)
    expect(bens.row(number)).to_be_visible()

    assign(inbox.page, "Nobody")
    expect(bens.details.get_by_role("button", name="Assignee: Unassigned")).to_be_visible()
    expect(bens.row(number)).to_contain_text("No longer assigned")
    assert inbox.never_reloaded
    assert bens.never_reloaded


@pytest.mark.feature("ASGN-01")
def test_one_takes_a_conversation_from_the_details(inbox: Inbox, ana: Client, number: str) -> None:
    written(ana, number)
    inbox.open(number)
    inbox.details.get_by_role("button", name="Assignee: Unassigned").click()
    inbox.page.get_by_role("menuitemcheckbox", name=re.compile(r"\(you\)$")).click()
    name = ana.me["name"]
    expect(inbox.conversation.get_by_role("button", name=f"Assignee: {name}")).to_be_visible()
    inbox.filter("Mine").click()
    expect(inbox.row(number)).to_be_visible()
    expect(inbox.log.get_by_text(re.compile("^Assigned to"))).to_be_visible()


@pytest.mark.feature("ASGN-02", "RT-01")
def test_closing_and_reopening_is_seen_by_a_colleague(
    inbox: Inbox, bens: Inbox, ana: Client, number: str
) -> None:
    written(ana, number)
    inbox.open(number)
    bens.tab("Open").click()
    bens.open(number)
    inbox.conversation.get_by_role("button", name="Close conversation").click()
    expect(inbox.details.get_by_text("Closed", exact=True)).to_be_visible()
    expect(bens.row(number)).to_contain_text("Closed")
    expect(bens.row(number)).not_to_contain_text("Needs response")
    expect(bens.rows.filter(has_text=number[-4:])).to_have_count(0)
    bens.tab("Closed").click()
    expect(bens.row(number)).to_be_visible()
    bens.conversation.get_by_role("button", name="Reopen conversation").click()
    expect(inbox.conversation.get_by_role("button", name="Close conversation")).to_be_visible()
    expect(inbox.row(number)).not_to_contain_text("Closed")


@pytest.mark.feature("ASGN-02")
def test_needs_response_is_set_by_them_cleared_by_us_and_set_by_hand(
    inbox: Inbox, bens: Inbox, ana: Client, number: str
) -> None:
    written(ana, number)
    inbox.open(number)
    mine = inbox.details.get_by_role("switch", name="Needs response")
    expect(mine).to_be_checked()
    inbox.send("Here you are")
    expect(mine).not_to_be_checked()
    expect(bens.row(number)).not_to_contain_text("Needs response")
    mine.click()
    expect(mine).to_be_checked()
    expect(bens.row(number)).to_contain_text("Needs response")
    bens.filter("Needs response").click()
    expect(bens.row(number)).to_be_visible()
    inbox.conversation.get_by_role("button", name="Close conversation").click()
    expect(mine).not_to_be_checked()
    expect(bens.row(number)).to_contain_text("No longer needs a response")


def test_what_the_server_refuses_is_taken_back_and_said(
    inbox: Inbox, ana: Client, number: str, complaints
) -> None:
    complaints.allow("Failed to load resource")
    written(ana, number)
    inbox.open(number)
    inbox.page.route(re.compile(r"/threads/\d+$"), lambda route: route.abort())
    inbox.conversation.get_by_role("button", name="Close conversation").click()
    notice = inbox.page.get_by_text("The conversation was not closed.")
    expect(notice).to_be_visible()
    expect(inbox.conversation.get_by_role("button", name="Close conversation")).to_be_visible()
    inbox.page.unroute_all()
    inbox.page.get_by_role("button", name="Retry").click()
    expect(inbox.conversation.get_by_role("button", name="Reopen conversation")).to_be_visible()
