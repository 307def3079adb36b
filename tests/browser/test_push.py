"""Alerts while the hub is closed, as far as a browser without its maker's push service can show it:
the subscription is a stand-in's, everything else is real."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from tests.axe import look_over
from tests.browser.screen import shown
from tests.hubs import HubProcess, running_hub, wait_for
from tests.standins.push import Browser, PushService, push_service

SUBSCRIBE = """subscription => {
  const held = { ...subscription, options: {}, unsubscribe: async () => { delete window.held; } };
  held.toJSON = () => subscription;
  PushManager.prototype.subscribe = async function ({ userVisibleOnly, applicationServerKey }) {
    window.asked = { userVisibleOnly, applicationServerKey };
    return held;
  };
}"""
NOTES = """async () => {
  const worker = await navigator.serviceWorker.getRegistration();
  const notes = await worker.getNotifications();
  return notes.map(({ title, body, tag, data }) => ({ title, body, tag, path: data.path }));
}"""
CLOSED = "Also when the hub is closed"


@pytest.fixture(scope="module")
def browser(windowed: Chromium) -> Chromium:
    """One that shows notifications."""
    return windowed


@pytest.fixture(scope="module")
def service() -> Iterator[PushService]:
    with push_service() as service:
        yield service


@pytest.fixture(scope="module")
def hub(service: PushService) -> Iterator[HubProcess]:
    with running_hub(environ={"HUB_HTTP_ROUTES": service.route}) as hub:
        yield hub


def deliver(session: CDPSession, origin: str, page: Page, data: str) -> None:
    """The browser's own push service brings this to the worker."""
    versions: list[str] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda found: versions.extend(
            one["registrationId"] for one in found["registrations"] if not one["isDeleted"]
        ),
    )
    session.send("ServiceWorker.enable")
    while not versions:
        page.evaluate("() => new Promise(requestAnimationFrame)")
    message = {"origin": origin, "registrationId": versions[-1], "data": data}
    session.send("ServiceWorker.deliverPushMessage", message)
    session.send("ServiceWorker.disable")


@pytest.mark.feature("ALRT-03")
def test_a_browser_is_told_while_the_hub_is_closed(
    hub: HubProcess, service: PushService, browser_as: Callable[..., BrowserContext]
) -> None:
    browser = Browser()
    ana = hub.client()
    context = browser_as(ana, hub.base_url)
    context.grant_permissions(["notifications"])
    context.add_init_script(f"({SUBSCRIBE})({json.dumps(browser.subscription)})")
    page = context.new_page()
    page.goto("/account")
    closed = page.get_by_role("switch", name=CLOSED)
    expect(closed).to_be_disabled()
    expect(page.get_by_text("Switch on notifications on this device first.")).to_be_visible()
    page.get_by_role("switch", name="Show notifications on this device").click()
    expect(closed).to_be_enabled()
    closed.click()
    expect(closed).to_be_checked()
    key = ana.http.get("/api/v1/me/push").json()["public_key"]
    wait_for(lambda: ana.http.get("/api/v1/me/push").json()["on"])
    assert page.evaluate("window.asked") == {
        "userVisibleOnly": True,
        "applicationServerKey": key,
    }
    assert look_over(page).violations_count == 0
    page.reload()
    expect(page.get_by_text("Notifications on this device", exact=True)).to_be_visible()
    expect(closed).to_be_checked()

    # What the hub sends, the worker shows where no page in view does.
    number = "+12025556601"
    page.goto("about:blank")
    ana.text(number, "Anybody there?")
    (note,) = service.wait(browser)
    page.goto("/messages?status=all")
    expect(page.get_by_text(shown(number)).first).to_be_visible()
    session = context.new_cdp_session(page)
    origin = f"{hub.base_url}/"
    wait_for(lambda: page.evaluate("navigator.serviceWorker.controller !== null"))
    deliver(session, origin, page, json.dumps(note))
    elsewhere = {**note, "tag": "elsewhere", "organisation": "elsewhere"}
    deliver(session, origin, page, json.dumps(elsewhere))
    told = {"title": f"New message from {shown(number)}", "body": "", "path": note["path"]}
    wait_for(lambda: page.evaluate(NOTES) == [{**told, "tag": "elsewhere"}])

    page.goto("about:blank")
    other = context.new_page()
    other.goto("/worker.js")
    deliver(context.new_cdp_session(other), origin, other, json.dumps(note))
    wait_for(lambda: {**told, "tag": note["tag"]} in other.evaluate(NOTES))

    # Switched off, nobody is told any more.
    other.close()
    page.goto("/account")
    expect(closed).to_be_checked()
    closed.click()
    expect(closed).not_to_be_checked()
    wait_for(lambda: not ana.http.get("/api/v1/me/push").json()["on"])
    page.reload()
    expect(page.get_by_text("This browser", exact=True)).to_be_visible()
    expect(page.get_by_text("Notifications on this device", exact=True)).to_have_count(0)


@pytest.mark.feature("ALRT-03")
def test_a_browser_that_cannot_says_why(
    hub: HubProcess, browser_as: Callable[..., BrowserContext]
) -> None:
    ana = hub.client()
    # On a home screen it is a page of its own: only so phones tell it anything.
    link = re.search(r'rel="manifest" href="(/[^"]+)"', ana.http.get("/account").text)
    assert link
    assert ana.http.get(link[1]).json()["display"] == "standalone"
    for script, said in (
        ("delete window.PushManager", "This browser cannot do this."),
        (
            "delete window.PushManager; navigator.standalone = false",
            "Add this page to your home screen first",
        ),
        (
            "Object.defineProperty(window, 'isSecureContext', { value: false })",
            "Browsers show notifications only of pages that are loaded by https.",
        ),
    ):
        context = browser_as(ana, hub.base_url)
        context.grant_permissions(["notifications"])
        context.add_init_script(script)
        page = context.new_page()
        page.goto("/account")
        expect(page.get_by_role("switch", name=CLOSED)).to_be_disabled()
        expect(page.get_by_text(said)).to_be_visible()

    # A push service that gives nothing.
    context = browser_as(ana, hub.base_url)
    context.grant_permissions(["notifications"])
    page = context.new_page()
    page.goto("/account")
    page.get_by_role("switch", name="Show notifications on this device").click()
    page.evaluate(
        "() => { PushManager.prototype.subscribe = async () => {"
        " throw new DOMException('Registration failed', 'AbortError'); } }"
    )
    closed = page.get_by_role("switch", name=CLOSED)
    expect(closed).to_be_enabled()
    closed.click()
    expect(page.get_by_role("alert")).to_contain_text("could not be switched on")
    expect(closed).not_to_be_checked()
    assert ana.http.get("/api/v1/me/push").json()["on"] is False
