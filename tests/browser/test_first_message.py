"""A conversation that somebody of the team begins, by mail."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import Complaints
from tests.browser.screen import Inbox
from tests.hubs import running_hub


@pytest.mark.feature("COMP-08", "COMP-12")
def test_a_first_mail_goes_to_people_in_copy(
    browser_as: Callable[..., BrowserContext], complaints: Complaints
) -> None:
    """Who is in copy is shown to whoever it goes to; who is in blind copy is not."""
    complaints.allow("422")
    with running_hub() as hub:
        ana = hub.client()
        inbox = Inbox(browser_as(ana, hub.base_url).new_page()).go()
        page = inbox.page
        page.get_by_role("button", name="New conversation").first.click()
        dialog = page.get_by_role("dialog", name="New conversation")
        dialog.get_by_label("Channel").select_option(label="Simulated email")
        dialog.get_by_label("Email address").fill("maya@example.com")
        dialog.get_by_role("button", name="Cc and Bcc").press("Enter")
        copied = dialog.get_by_label("Cc", exact=True)
        expect(copied).to_be_focused()
        copied.fill("kim@example.org, nobody")
        dialog.get_by_label("Bcc").fill("boss@example.org")
        dialog.get_by_label("Subject").fill("Your order")
        dialog.get_by_label("First message").fill("It is ready.")
        dialog.get_by_role("button", name="Send and open").click()
        expect(dialog.get_by_role("alert")).to_contain_text("nobody")
        copied.fill("kim@example.org")
        dialog.get_by_role("button", name="Send and open").click()
        expect(dialog).to_have_count(0)
        letter = inbox.log.get_by_role("article", name="Your order")
        expect(letter).to_contain_text("Cc: kim@example.org")
        expect(letter).to_contain_text("Bcc: boss@example.org")
        expect(letter).to_contain_text("Delivered")
        (mail,) = ana.phone("maya@example.com", channel="simulator-email")["messages"]
        assert mail["content"]["cc"] == ["kim@example.org"]
        assert "boss" not in str(mail)
