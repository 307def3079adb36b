"""From the line on the terminal to the page it names."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import Complaints
from tests.hubs import EMAIL, PASSWORD, HubProcess


def test_a_channels_page_is_reached_by_signing_in_first(
    hub: HubProcess, browser_as: Callable[..., BrowserContext], complaints: Complaints
) -> None:
    complaints.allow(r"401 .*/api/v1/me")  # how a page finds out that nobody is signed in
    page = browser_as(None, hub.base_url).new_page()
    page.goto("/hooks/main/front/phone")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()
    # Once it has loaded, the page says in its address whose phone it shows.
    phone = re.escape(f"{hub.base_url}/hooks/main/front/phone")
    expect(page).to_have_url(re.compile(rf"^{phone}(\?|$)"))
