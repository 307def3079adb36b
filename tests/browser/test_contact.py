"""Who a contact is: said in the details, seen by everybody who looks, found by it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import Complaints
from tests.browser.screen import Inbox, written
from tests.hubs import Client, HubProcess


@pytest.mark.feature("FILT-08")
def test_what_is_said_of_a_contact_is_seen_elsewhere_and_found(
    inbox: Inbox,
    browser_as: Callable[..., BrowserContext],
    hub: HubProcess,
    ana: Client,
    number: str,
    complaints: Complaints,
) -> None:
    page, lead = inbox.page, f"LD-{number[-7:]}"
    written(ana, number)
    inbox.open(number)
    other = Inbox(browser_as(ana, hub.base_url).new_page()).go().open(number)
    edit = inbox.details.get_by_role("button", name="Edit contact")
    edit.click()
    dialog = page.get_by_role("dialog", name="Edit contact")
    expect(dialog.get_by_label("Name")).to_be_focused()
    dialog.get_by_label("Name").fill(f"Ines {number[-4:]}")
    address = "12 Rue de la Très-Longue-Allée-des-Tilleuls, Bâtiment C, Appartement 40, Montréal"
    dialog.get_by_label("Property address").fill(address)
    dialog.get_by_label("Account").fill("Otero Ltd")
    dialog.get_by_label("Lead").fill(lead)

    complaints.allow("503")
    page.route("**/contacts/*", lambda route: route.fulfill(status=503, json={"detail": "Busy."}))
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("could not be changed")
    expect(dialog.get_by_label("Account")).to_have_value("Otero Ltd")
    page.unroute("**/contacts/*")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    expect(edit).to_be_focused()
    for each in (inbox, other):
        expect(each.details.get_by_role("heading", level=2)).to_have_text(f"Ines {number[-4:]}")
        for fact in (address, "Otero Ltd", lead):
            expect(each.details).to_contain_text(fact)

    edit.click()
    dialog.get_by_label("Account").fill("")
    dialog.get_by_role("button", name="Save").click()
    expect(other.details).not_to_contain_text("Otero Ltd")
    expect(other.details).to_contain_text(lead)

    page.get_by_role("textbox", name="Search conversations").fill(lead)
    expect(inbox.rows).to_have_count(1)
    expect(inbox.rows.locator("mark")).to_have_text([lead])
    expect(inbox.rows).to_contain_text(f"Ines {number[-4:]}")
