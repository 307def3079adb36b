"""From the line on the terminal to the page it names."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Complaints
from tests.hubs import EMAIL, PASSWORD, running_hub


def test_a_channels_page_is_reached_by_signing_in_first(
    page: Page, complaints: Complaints
) -> None:
    complaints.allow(r"401 .*/api/v1/me")  # how a page finds out that nobody is signed in
    with running_hub() as hub:
        page.goto(f"{hub.base_url}/hooks/main/simulator/phone")
        page.get_by_label("Email").fill(EMAIL)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("textbox", name="Message")).to_be_visible()
        assert page.url == f"{hub.base_url}/hooks/main/simulator/phone"
