"""Who mends a channel finds out in the browser why a delivery failed, and takes it in again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.axe import COLOURS
from tests.browser.conftest import Complaints
from tests.browser.test_accessibility import MODES, RULES, check
from tests.browser.test_sizes import NO_SIDEWAYS
from tests.host.unruly import ENVIRON, TOKEN
from tests.hubs import Client, HubProcess

pytestmark = pytest.mark.feature("ROUT-07")
CONFIG = """\
[[channels]]
id = "shop"
plugin = "unruly"
name = "Shop"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"

[[channels]]
id = "desk"
plugin = "unruly"
name = "Desk"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"

[[channels]]
id = "still"
plugin = "unruly-stillborn"
name = "Still"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
"""
SIZES = {"wide": (1440, 900), "middle": (1100, 800), "narrow": (390, 844)}
THEMES = {"Green": "green", "Sky Blue": "sky", "Gray": "gray", "Coral/Plum": "coral"}
IS_FOCUSED = "element => element === document.activeElement"
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
BEN = ("ben@example.com", "another-good-password")


class Shop:
    """A hub whose channel can be broken and mended."""

    def __init__(self, hub: HubProcess, folder: Path) -> None:
        self.hub = hub
        self.folder = folder

    def deliver(self, **told: Any) -> None:
        """A webhook of the provider's."""
        body = json.dumps({"from": "+15550100002", "text": "hello", **told})
        url = f"{self.hub.base_url}/hooks/main/shop"
        headers = {"X-Token": TOKEN, "X-Shop": f"7 {TOKEN}"}
        assert httpx2.post(url, content=body, headers=headers).status_code == 200


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    folder = tmp_path / "unruly"
    folder.mkdir()
    config = CONFIG.format(folder=folder)
    with HubProcess(tmp_path / "hub", config=config, environ=ENVIRON) as hub:
        yield Shop(hub, folder)


@pytest.fixture
def ana(shop: Shop) -> Iterator[Client]:
    with contextlib.closing(shop.hub.client()) as client:
        yield client


@pytest.fixture(params=SIZES)
def page(
    request: pytest.FixtureRequest,
    shop: Shop,
    ana: Client,
    browser_as: Callable[..., BrowserContext],
) -> Page:
    width, height = SIZES[request.param]
    viewport = {"width": width, "height": height}
    return browser_as(ana, shop.hub.base_url, viewport=viewport).new_page()


def look(page: Page, rules: Any = RULES) -> None:
    """Nothing is wrong with the page as it is."""
    assert page.evaluate(NO_SIDEWAYS)
    check(page, rules)


def look_in(page: Page, themes: dict[str, str]) -> None:
    """Nor in other colours."""
    look(page)
    begun = page.evaluate("({ ...document.documentElement.dataset })")
    for mode in MODES:
        page.emulate_media(color_scheme=mode)
        for theme, name in themes.items():
            page.get_by_role("radio", name=theme).click()
            shown = f"html[data-mode={mode}][data-theme={name}]:not([data-switching])"
            expect(page.locator(shown)).to_be_attached()
            if (mode, name) != (begun["mode"], begun["theme"]):
                look(page, COLOURS)


def test_a_delivery_is_found_tried_and_taken_in(shop: Shop, page: Page) -> None:
    (shop.folder / "broken").touch()
    shop.deliver(id="in-1", text=HOSTILE)
    page.goto("/")
    page.get_by_role("button", name="Account of").click()
    page.get_by_role("menuitem", name="Settings").click()
    page.get_by_role("link", name="Channels").click()
    page.get_by_role("list", name="Channels").get_by_role("link").first.click()
    page.get_by_role("link", name="See deliveries").click()
    rows = page.get_by_role("list", name="Deliveries, newest first").get_by_role("listitem")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("broken for now")
    look(page)
    page.get_by_role("radio", name="Quarantined 1").press("Enter")
    rows.get_by_role("link").press("Enter")

    detail = page.get_by_role("region", name="Delivery", exact=True)
    expect(detail.get_by_text("ingest: RuntimeError: broken for now")).to_be_visible()
    expect(detail.get_by_text("Verified by token")).to_be_visible()
    expect(detail.get_by_role("row", name="X-Token")).to_contain_text("***")
    expect(detail.get_by_role("row", name="X-Shop")).to_contain_text("7 ***")
    expect(detail.get_by_role("region", name="Body")).to_contain_text(HOSTILE)
    assert TOKEN not in page.content()
    look(page)
    with page.expect_download() as download:
        detail.get_by_role("link", name="Download").click()
    assert json.loads(download.value.path().read_text())["text"] == HOSTILE
    assert download.value.suggested_filename.endswith(".bin")

    detail.get_by_role("button", name="Try").press("Enter")
    tried = detail.get_by_role("region", name="Try: what would come of it now")
    expect(tried).to_contain_text("Quarantined")
    expect(tried).to_contain_text("No events.")
    (shop.folder / "broken").unlink()
    detail.get_by_role("button", name="Try").click()
    expect(tried).to_contain_text("Understood")
    expect(tried.get_by_role("region", name="message")).to_contain_text(HOSTILE)
    expect(detail).to_contain_text("It added nothing to a conversation.")
    look(page)

    detail.get_by_role("button", name="Take in", exact=True).press("Enter")
    expect(detail.get_by_role("status")).to_contain_text("Taken in again")
    expect(detail.get_by_role("status")).to_contain_text("Understood")
    detail.get_by_role("link", name=HOSTILE[:20]).click()
    expect(page.get_by_role("log", name="Messages")).to_contain_text(HOSTILE)
    page.go_back()
    expect(detail).to_contain_text("Read 2 times")
    look(page)


def test_all_that_wait_are_taken_in(shop: Shop, page: Page) -> None:
    (shop.folder / "broken").touch()
    for number in range(3):
        shop.deliver(id=f"in-{number}")
    (shop.folder / "broken").unlink()
    shop.deliver(do="malformed")
    page.goto("/deliveries?channel=shop&state=quarantined")
    rows = page.get_by_role("list", name="Deliveries, newest first").get_by_role("listitem")
    expect(rows).to_have_count(4)
    page.get_by_role("button", name="Take in all that wait").click()
    expect(page.get_by_text("deliveries understood.")).to_be_visible()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("it says nothing")
    look(page)


def test_empty_failed_and_another_channel(shop: Shop, page: Page, complaints: Complaints) -> None:
    complaints.allow("503|404")
    page.goto("/deliveries")
    expect(page.get_by_text("Nothing has arrived for this channel.")).to_be_visible()
    look(page)
    page.get_by_role("radio", name="Ignored").click()
    expect(page.get_by_text("No delivery is in this state.")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    page.get_by_role("combobox", name="Channel").select_option("Desk")
    expect(page).to_have_url(f"{shop.hub.base_url}/deliveries?channel=desk")
    page.route("**/deliveries?limit*", lambda route: route.fulfill(status=503))
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    look(page)
    page.unroute("**/deliveries?limit*")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.goto("/deliveries?channel=shop&delivery=42")
    expect(page.get_by_role("alert")).to_contain_text("The delivery could not be loaded.")
    look(page)


@pytest.mark.feature("PLUG-04")
def test_how_a_channel_is_and_asking_it_now(shop: Shop, page: Page, complaints: Complaints) -> None:
    complaints.allow("409")
    page.goto("/deliveries?channel=shop")
    state = page.get_by_role("group", name="State of the channel")
    expect(state).to_contain_text("Working")
    expect(state).not_to_contain_text("Checked at")
    state.get_by_role("button", name="Check now").click()
    expect(state).to_contain_text("Needs attention")
    expect(state).to_contain_text("*** expires")
    expect(state).to_contain_text("Checked at")
    look(page)
    (shop.folder / "health-temporary").touch()
    state.get_by_role("button", name="Check now").press("Enter")
    expect(state).to_contain_text("Passing trouble")
    expect(state).to_contain_text("could not be checked: the provider is away")
    # What is said of it meanwhile shows without asking.
    shop.deliver(do="notice", id="1", text="Register the sender", state="degraded")
    expect(state).to_contain_text("Degraded")
    expect(state).to_contain_text("Register the sender")
    look(page)
    shop.deliver(do="notice", id="2", text="Registered", state="ok")
    (shop.folder / "well").touch()
    state.get_by_role("button", name="Check now").click()
    expect(state).to_contain_text("Working")

    page.get_by_role("combobox", name="Channel").select_option("Still")
    expect(state).to_contain_text("Needs attention")
    expect(state).not_to_contain_text("Checked at")
    state.get_by_role("button", name="Check now").click()
    expect(state).to_contain_text("It could not be checked. The channel could not be loaded")
    look(page)
    assert TOKEN not in page.content()


def test_it_is_worked_by_keys_alone(shop: Shop, page: Page) -> None:
    for number in range(3):
        shop.deliver(do="malformed", id=f"in-{number}")
    page.goto("/deliveries")
    rows = page.get_by_role("list", name="Deliveries, newest first").get_by_role("link")
    expect(rows).to_have_count(3)
    while not rows.first.evaluate(IS_FOCUSED):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    detail = page.get_by_role("region", name="Delivery", exact=True)
    expect(detail).to_be_focused()
    expect(detail.get_by_text("it says nothing")).to_be_visible()
    while not detail.get_by_role("button", name="Try").evaluate(IS_FOCUSED):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(detail.get_by_role("region", name="Try: what would come of it now")).to_be_visible()
    page.keyboard.press("Escape")
    expect(rows.nth(1)).to_be_focused()
    expect(page).to_have_url(f"{shop.hub.base_url}/deliveries?channel=shop")


@pytest.mark.parametrize("width", [1440, 320])
def test_it_is_readable_in_every_theme(
    shop: Shop, ana: Client, browser_as: Callable[..., BrowserContext], width: int
) -> None:
    shop.deliver(id="in-1")
    shop.deliver(do="malformed", id="in-2")
    viewport = {"width": width, "height": 900}
    # What is narrow shows nothing that has other colours where it is wide.
    themes = THEMES if width == 1440 else {"Sky Blue": "sky"}
    page = browser_as(ana, shop.hub.base_url, viewport=viewport).new_page()
    page.goto("/deliveries")
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("Needs attention", exact=True)).to_be_visible()
    look_in(page, themes)
    page.get_by_role("list", name="Deliveries, newest first").get_by_role("link").last.click()
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_role("region", name="message", exact=True)).to_be_visible()
    look_in(page, themes)


def test_a_page_that_cannot_be_fetched_says_so(
    shop: Shop, ana: Client, browser_as: Callable[..., BrowserContext], complaints: Complaints
) -> None:
    complaints.allow("DeliveriesPage")
    page = browser_as(ana, shop.hub.base_url).new_page()
    page.route("**/DeliveriesPage*.js", lambda route: route.abort())
    page.goto("/deliveries")
    expect(page.get_by_role("heading", name="This page could not be loaded")).to_be_visible()
    look(page)
    page.unroute("**/DeliveriesPage*.js")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Nothing has arrived for this channel.")).to_be_visible()


def test_who_may_not_manage_channels_does_not_find_it(
    shop: Shop, browser_as: Callable[..., BrowserContext]
) -> None:
    email, password = BEN
    added = shop.hub.run(
        "user", "add", email, "--name", "Ben", "--role", "User SMS", "--password-stdin",
        input_=password + "\n",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    with contextlib.closing(shop.hub.client(email, password)) as ben:
        page = browser_as(ben, shop.hub.base_url).new_page()
        page.goto("/")
        page.get_by_role("button", name="Account of").click()
        expect(page.get_by_role("menuitem", name="Sign out")).to_be_visible()
        expect(page.get_by_role("menuitem", name="Settings")).to_have_count(0)
        page.goto("/deliveries")
        expect(page.get_by_text("There is no page here")).to_be_visible()
