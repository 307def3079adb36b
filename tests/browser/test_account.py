"""One's own account: joining, a forgotten password, where one is signed in, the second factor."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect
from pyotp.totp import TOTP

from tests.browser.conftest import Complaints
from tests.browser.test_accessibility import SIZES, check
from tests.hubs import EMAIL, Client, HubProcess, running_hub
from tests.hubs import PASSWORD as FIRST_PASSWORD

PASSWORD = "a-password-of-ones-own"
_numbers = itertools.count(1)


@pytest.fixture(params=SIZES)
def stranger(
    request: pytest.FixtureRequest,
    hub: HubProcess,
    browser_as: Callable[..., BrowserContext],
    complaints: Complaints,
) -> Page:
    """A browser in which nobody has signed in, wide and narrow."""
    complaints.allow(r"401 .*/api/v1/me")  # how a page finds out that nobody is signed in
    width, height, _mode = SIZES[request.param]
    context = browser_as(None, hub.base_url, viewport={"width": width, "height": height})
    return context.new_page()


def invited(ana: Client) -> tuple[str, str]:
    """Somebody new: their email, and their link."""
    email = f"new{next(_numbers)}@example.com"
    (role,) = [one["id"] for one in ana.get("roles") if one["name"] == "User SMS"]
    made = ana.post("members/invitations", {"email": email, "role_id": role, "name": "Nia New"})
    return email, made["link"]


def local(hub: HubProcess, link: str) -> str:
    """A link as this test's hub is reached."""
    return re.sub(r"^http://[^/]+", hub.base_url, link)


def join(page: Page, hub: HubProcess, ana: Client) -> str:
    """Somebody new accepts; their email."""
    email, link = invited(ana)
    page.goto(local(hub, link))
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Accept the invitation").click()
    expect(page.get_by_role("heading", name="Hello")).to_be_visible()
    return email


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_an_invitation_is_accepted(
    stranger: Page, hub: HubProcess, ana: Client, complaints: Complaints
) -> None:
    complaints.allow(r"404 .*/invitations/")
    email, link = invited(ana)
    requests: list[Request] = []

    def asked(request: Request) -> None:
        requests.append(request)

    stranger.on("request", asked)
    stranger.goto(local(hub, link))
    expect(stranger.get_by_role("heading", name=re.compile("^Join "))).to_be_visible()
    expect(stranger.get_by_text(f"You are invited as {email}.")).to_be_visible()
    expect(stranger.get_by_label("Your name")).to_have_value("Nia New")
    stranger.get_by_role("button", name="Accept the invitation").click()
    expect(stranger.get_by_text("The password needs at least 10 characters.")).to_be_visible()
    check(stranger)
    stranger.get_by_label("Password", exact=True).fill(PASSWORD)
    stranger.get_by_role("button", name="Accept the invitation").click()
    expect(stranger.get_by_role("heading", name="Hello")).to_be_visible()
    token = link.partition("#")[2]
    assert not any(token in one.url.partition("#")[0] for one in requests)
    assert not any(token in one.headers.get("referer", "") for one in requests)
    stranger.goto("about:blank")
    stranger.goto(local(hub, link))
    expect(stranger.get_by_role("alert")).to_contain_text("was used already")
    check(stranger)


def test_a_forgotten_password(
    stranger: Page, hub: HubProcess, ana: Client, complaints: Complaints
) -> None:
    # Whatever the page asks once its session has been taken from under it.
    complaints.allow(r"401 .*/api/v1/")
    email = join(stranger, hub, ana)
    stranger.context.clear_cookies()
    stranger.goto("/")
    stranger.get_by_role("link", name="Forgot your password?").click()
    expect(stranger.get_by_text("This hub sends no mail. Ask your admin")).to_be_visible()
    check(stranger)
    stranger.get_by_role("link", name="Back to sign-in").click()
    expect(stranger.get_by_role("button", name="Sign in")).to_be_visible()
    (member,) = [one["id"] for one in ana.get("members") if one["email"] == email]
    link = ana.post(f"members/{member}/password-reset")["link"]
    stranger.goto(local(hub, link))
    expect(stranger.get_by_text(f"The new password of {email}.")).to_be_visible()
    check(stranger)
    stranger.get_by_label("New password").fill("another one entirely")
    stranger.get_by_role("button", name="Save the password").click()
    expect(stranger.get_by_role("status")).to_have_text(
        "Your password is changed. Sign in with it."
    )
    stranger.get_by_role("link", name="Go to sign-in").click()
    sign_in(stranger, email)
    expect(stranger.get_by_role("alert")).to_contain_text("is not right")
    sign_in(stranger, email, "another one entirely")
    expect(stranger.get_by_role("heading", name="Hello")).to_be_visible()


def test_the_second_factor_and_where_one_is_signed_in(
    stranger: Page, hub: HubProcess, ana: Client, complaints: Complaints
) -> None:
    complaints.allow(r"422 .*/(totp|session)/")
    email = join(stranger, hub, ana)
    other = hub.client(email, PASSWORD)
    stranger.get_by_role("button", name="Account of").click()
    stranger.get_by_role("menuitem", name="Your account").click()
    sessions = stranger.get_by_role("region", name="Where you are signed in")
    expect(sessions.get_by_role("listitem")).to_have_count(2)
    expect(sessions.get_by_text("This browser")).to_have_count(1)
    check(stranger)
    sessions.get_by_role("button", name=re.compile("^Sign out python")).click()
    expect(sessions.get_by_role("listitem")).to_have_count(1)
    assert other.http.get("/api/v1/me").status_code == 401

    factor = stranger.get_by_role("region", name="Two-factor sign-in")
    factor.get_by_role("button", name="Set up").click()
    expect(factor.get_by_role("img", name="QR code")).to_be_visible()
    secret = factor.locator("dd").inner_text().replace(" ", "")
    check(stranger)
    factor.get_by_label("Code").fill("000000")
    factor.get_by_role("button", name="Turn on").click()
    expect(factor.get_by_role("alert")).to_contain_text("This code is wrong")
    factor.get_by_label("Code").fill(TOTP(secret).now())
    factor.get_by_role("button", name="Turn on").click()
    codes = factor.get_by_role("listitem")
    expect(codes).to_have_count(10)
    check(stranger)
    recovery = codes.first.inner_text()
    factor.get_by_role("button", name="I have kept them").click()
    expect(factor.get_by_text("10 recovery codes left.")).to_be_visible()

    stranger.get_by_role("button", name="Account of").click()
    stranger.get_by_role("menuitem", name="Sign out").click()
    sign_in(stranger, email)
    code = stranger.get_by_label("Code")
    expect(code).to_be_focused()
    check(stranger)
    code.fill("nonsense")
    stranger.get_by_role("button", name="Continue").click()
    expect(stranger.get_by_role("alert")).to_contain_text("This code is wrong")
    code.fill(recovery)
    stranger.get_by_role("button", name="Continue").click()
    expect(stranger.get_by_text("9 recovery codes left.")).to_be_visible()
    stranger.get_by_role("button", name="Turn off two-factor sign-in").click()
    expect(stranger.get_by_role("button", name="Set up")).to_be_visible()


def test_who_has_to_sets_one_up_first(
    browser_as: Callable[..., BrowserContext], complaints: Complaints
) -> None:
    complaints.allow(r"401 .*/api/v1/me")
    with running_hub() as hub:
        ana = hub.client()
        ana.patch("settings", {"sign_in": {"require_two_factor": True}})
        page = browser_as(None, hub.base_url).new_page()
        page.goto("/messages")
        sign_in(page, EMAIL, FIRST_PASSWORD)
        expect(page.get_by_text("Your organisation asks for it.")).to_be_visible()
        page.get_by_role("button", name="Set up").click()
        secret = page.locator("dd").inner_text().replace(" ", "")
        page.get_by_label("Code").fill(TOTP(secret).now())
        page.get_by_role("button", name="Turn on").click()
        check(page)
        page.get_by_role("button", name="I have kept them").click()
        expect(page.get_by_role("region", name="Conversations")).to_be_visible()
