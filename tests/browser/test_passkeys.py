"""Passkeys, with a device of Chromium's own making."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from tests.browser.conftest import Complaints
from tests.browser.test_accessibility import SIZES, check, check_in_both_modes
from tests.hubs import HubProcess
from tests.services import free_port

PASSWORD = "a-password-of-ones-own"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a hub is that is opened by name."""
    folder, port = tmp_path_factory.mktemp("passkeys"), free_port()
    environ = {"HUB_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    with HubProcess(folder, environ=environ).start(port=port) as hub:
        for number in range(1, 9):
            done = hub.run(
                "user", "add", f"nia{number}@example.com", "--name", "Nia New",
                "--password-stdin", input_=PASSWORD + "\n",
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        yield f"http://localhost:{port}"


class Device:
    """What Chromium takes for somebody's finger and the device that it lies on."""

    def __init__(self, page: Page) -> None:
        self._cdp: CDPSession = page.context.new_cdp_session(page)
        self._cdp.send("WebAuthn.enable")
        self.id = ""

    def plug(self, **options: Any) -> Device:
        """It is there."""
        wanted = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
            **options,
        }
        made = self._cdp.send("WebAuthn.addVirtualAuthenticator", {"options": wanted})
        self.id = made["authenticatorId"]
        return self

    def unplug(self) -> None:
        """It is gone, with what it has kept."""
        self._cdp.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": self.id})

    def refuses(self, refuses: bool = True) -> None:
        """Its user does not give the finger."""
        wanted = {"authenticatorId": self.id, "isUserVerified": not refuses}
        self._cdp.send("WebAuthn.setUserVerified", wanted)

    def keys(self) -> list[dict[str, Any]]:
        """What it keeps."""
        return self._cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.id})[
            "credentials"
        ]


@pytest.fixture(params=SIZES)
def page(
    request: pytest.FixtureRequest,
    home: str,
    browser_as: Callable[..., BrowserContext],
    complaints: Complaints,
) -> Page:
    """A browser in which nobody has signed in, wide and narrow."""
    complaints.allow(r"401 .*/api/v1/me")  # how a page finds out that nobody is signed in
    width, height, mode = SIZES[request.param]
    return browser_as(
        None, home, viewport={"width": width, "height": height}, color_scheme=mode
    ).new_page()


def sign_in(page: Page, email: str) -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def account_of_somebody(page: Page) -> str:
    """Somebody's account; their email."""
    email = f"nia{next(_numbers)}@example.com"
    page.goto("/account")
    sign_in(page, email)
    expect(page.get_by_role("button", name="Add a passkey")).to_be_visible()
    return email


def add(page: Page, name: str | None = None) -> None:
    page.get_by_role("button", name="Add a passkey").click()
    if name is not None:
        page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create the passkey").click()


def sign_out(page: Page) -> None:
    page.wait_for_load_state("networkidle")  # what is asked for still would be refused
    page.get_by_role("button", name="Account of").click()
    page.get_by_role("menuitem", name="Sign out").click()


@pytest.mark.feature("PERM-04")
def test_a_passkey_is_added_and_signs_in(page: Page, complaints: Complaints) -> None:
    complaints.allow(r"401 .*/session/passkey/use")
    device = Device(page).plug()
    email = account_of_somebody(page)
    check_in_both_modes(page)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_label("Name")).to_have_value(re.compile("on Linux"))
    page.get_by_label("Name").fill(" ")
    page.get_by_role("button", name="Create the passkey").click()
    expect(page.get_by_text("Enter a name.")).to_be_visible()
    check(page)
    page.get_by_label("Name").fill("Work laptop")
    page.get_by_role("button", name="Create the passkey").click()
    factor = page.get_by_role("region", name="Two-factor sign-in")
    expect(factor.get_by_role("listitem")).to_have_count(10)
    recovery = factor.get_by_role("listitem").first.inner_text()
    check(page)
    factor.get_by_role("button", name="I have kept them").click()
    mine = factor.get_by_role("list", name="Passkeys").get_by_role("listitem")
    expect(mine).to_contain_text("Work laptop")
    expect(mine).to_contain_text("Not used yet.")
    check_in_both_modes(page)
    assert len(device.keys()) == 1

    sign_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(mine).to_contain_text("Last used")
    expect(page.get_by_text("Signed in with a passkey.")).to_be_visible()

    sign_out(page)
    sign_in(page, email)
    passkey = page.get_by_role("button", name="Use a passkey")
    expect(passkey).to_be_focused()
    check_in_both_modes(page)
    passkey.click()
    expect(page.get_by_text("Signed in with password and a passkey.")).to_be_visible()

    sign_out(page)
    sign_in(page, email)
    page.get_by_label("Recovery code").fill(recovery)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("9 recovery codes left.")).to_be_visible()

    page.get_by_role("button", name="Rename Work laptop").click()
    page.get_by_label("Name").fill("Old laptop")
    factor.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Remove Old laptop").click()
    expect(page.get_by_role("alert")).to_contain_text("will not sign you in any more")
    check(page)
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(mine).to_have_count(0)
    sign_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("This passkey is not known here.")
    check(page)
    sign_in(page, email)
    expect(page.get_by_role("button", name="Add a passkey")).to_be_visible()


def test_what_a_prompt_can_end_with(page: Page, complaints: Complaints) -> None:
    device = Device(page).plug()
    email = account_of_somebody(page)
    device.refuses()
    add(page)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("No passkey was chosen, or it took too long.")
    expect(page.get_by_label("Name")).to_have_value(re.compile("on Linux"))
    check(page)
    device.refuses(False)
    page.get_by_role("button", name="Create the passkey").click()
    page.get_by_role("button", name="I have kept them").click()
    add(page)
    expect(alert).to_contain_text("This device has a passkey for your account already.")
    page.get_by_role("button", name="Cancel").click()

    sign_out(page)
    device.refuses()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(alert).to_contain_text("No passkey was chosen, or it took too long.")
    device.unplug()
    device.plug()
    sign_in(page, email)
    page.get_by_role("button", name="Use a passkey").click()
    expect(alert).to_contain_text("No passkey was chosen, or it took too long.")
    expect(page.get_by_label("Recovery code")).to_be_visible()
    check(page)


def test_where_there_are_none(
    home: str, browser_as: Callable[..., BrowserContext], complaints: Complaints
) -> None:
    complaints.allow(r"401 .*/api/v1/me")
    context = browser_as(None, home)
    context.add_init_script("delete window.PublicKeyCredential")
    page = context.new_page()
    page.goto("/account")
    expect(page.get_by_role("link", name="Forgot your password?")).to_be_visible()
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_have_count(0)
    sign_in(page, "nia8@example.com")
    expect(page.get_by_text("This browser knows no passkeys.")).to_be_visible()
    check(page)

    elsewhere = browser_as(None, home.replace("localhost", "127.0.0.1")).new_page()
    elsewhere.goto("/account")
    expect(elsewhere.get_by_role("link", name="Forgot your password?")).to_be_visible()
    expect(elsewhere.get_by_role("button", name="Sign in with a passkey")).to_have_count(0)
    sign_in(elsewhere, "nia8@example.com")
    expect(elsewhere.get_by_text(f"Passkeys work at {home} alone.")).to_be_visible()
