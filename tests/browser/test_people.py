"""The settings of people, as who manages them uses them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx2
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from hub.rules.rights import CAPABILITIES
from tests.browser.conftest import CONFIG, Complaints
from tests.browser.screen import Inbox
from tests.browser.test_accessibility import SIZES, check, check_in_both_modes
from tests.hubs import PASSWORD, Client, HubProcess, running_hub, wait_for

NewBrowser = Callable[..., BrowserContext]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def hub() -> Iterator[HubProcess]:
    """One of its own: the members of the others stay as they are."""
    with running_hub(config=CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def ana(hub: HubProcess) -> Iterator[Client]:
    client = hub.client()
    yield client
    client.close()


@pytest.fixture
def settings(browser_as: NewBrowser, hub: HubProcess, ana: Client) -> Page:
    """Ana's page."""
    return browser_as(ana, hub.base_url).new_page()


def somebody(hub: HubProcess, name: str, role: str = "User SMS") -> tuple[str, Client]:
    """A new member, signed in: their id and their client."""
    email = f"{name.split(maxsplit=1)[0].lower()}{next(_numbers)}@example.com"
    words = ("--name", name, "--role", role, "--password-stdin")
    added = hub.run("user", "add", email, *words, input_=PASSWORD + "\n")
    assert added.returncode == 0, added.stderr
    client = hub.client(email)
    return client.me["organisations"][0]["member_id"], client


def row(page: Page, name: str) -> Locator:
    """What a list says of somebody or something."""
    return page.get_by_role("group", name=name, exact=True)


def role_of(page: Page, name: str) -> Locator:
    return page.get_by_label(f"Role of {name}", exact=True)


def listed(ana: Client, member: str) -> dict[str, Any]:
    return next(one for one in ana.get("members") if one["id"] == member)


def do(page: Page, name: str, what: str) -> Locator:
    """Choose from somebody's menu; the dialog that asks."""
    page.get_by_role("button", name=f"More for {name}", exact=True).click()
    page.get_by_role("menuitem", name=what).click()
    return page.get_by_role("dialog")


# ---------------------------------------------------------------------- members


@pytest.mark.feature("PERM-01", "PERM-06")
def test_a_role_is_changed_and_holds_at_once(
    settings: Page, browser_as: NewBrowser, hub: HubProcess, ana: Client
) -> None:
    """The page of whoever is concerned follows without being asked."""
    member, bens = somebody(hub, "Ben Okafor")
    ana.post("roles", {"name": "Reader", "capabilities": ["messages.view"]})
    ana.text("+12025551201", "May I ask something?", channel="front")
    theirs = Inbox(browser_as(bens, hub.base_url).new_page()).go()
    theirs.rows.first.click()
    expect(theirs.message).to_be_visible()
    settings.goto("/settings/members")
    expect(row(settings, "Ben Okafor")).to_contain_text("Two-factor off")
    expect(row(settings, "Ben Okafor")).to_contain_text("Seen just now")
    expect(row(settings, "Admin")).to_contain_text("You")
    role_of(settings, "Ben Okafor").select_option(label="Reader")
    expect(row(settings, "Ben Okafor").get_by_text("Saved")).to_be_visible()
    expect(
        theirs.page.get_by_text("Your role may read here, but not send messages.")
    ).to_be_visible()
    assert theirs.never_reloaded
    assert listed(ana, member)["role"]["name"] == "Reader"
    settings.reload()
    expect(role_of(settings, "Ben Okafor").locator("option:checked")).to_have_text("Reader")


@pytest.mark.feature("PERM-01")
def test_a_channel_taken_from_a_role_leaves_open_pages_at_once(
    browser_as: NewBrowser, hub: HubProcess, ana: Client
) -> None:
    made = ana.post("roles", {"name": "Both", "capabilities": ["messages.view"]})
    _, bo = somebody(hub, "Bo Both", "Both")
    ana.text("+12025551251", "For the workshop", channel="workshop")
    ana.text("+12025551252", "For the front desk", channel="front")
    theirs = Inbox(browser_as(bo, hub.base_url).new_page()).go()
    expect(theirs.rows.filter(has_text="For the workshop")).to_be_visible()
    ana.patch(f"roles/{made['id']}", {"channels": ["front"]})
    expect(theirs.rows.filter(has_text="For the workshop")).to_have_count(0)
    expect(theirs.rows.filter(has_text="For the front desk")).to_be_visible()
    assert theirs.never_reloaded


@pytest.mark.feature("PERM-05")
def test_who_is_deactivated_is_out_at_once_and_can_come_back(
    settings: Page,
    browser_as: NewBrowser,
    hub: HubProcess,
    ana: Client,
    complaints: Complaints,
) -> None:
    complaints.allow(r"404|403")  # what the page of who was let out is answered
    member, eve = somebody(hub, "Eve Moreau")
    ana.text("+12025551202", "Whose am I?", channel="front")
    (thread, *_) = ana.threads()
    ana.patch(f"threads/{thread['id']}", {"assignee_id": member})
    theirs = Inbox(browser_as(eve, hub.base_url).new_page()).go()
    expect(theirs.rows.first).to_be_visible()
    settings.goto("/settings/members")
    dialog = do(settings, "Eve Moreau", "Deactivate")
    for said in ("access ends at once", "go back to Unassigned", "Their name stays"):
        expect(dialog).to_contain_text(said)
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    check(settings)
    dialog.get_by_role("button", name="Deactivate").click()
    expect(row(settings, "Eve Moreau")).to_contain_text("Deactivated")
    expect(dialog).not_to_be_visible()
    expect(theirs.rows).to_have_count(0)
    wait_for(
        lambda: all(one["assignee"] is None for one in ana.threads() if one["id"] == thread["id"]),
        what="the conversation to be nobody's",
    )
    row(settings, "Eve Moreau").get_by_role("button", name="Reactivate").click()
    expect(row(settings, "Eve Moreau")).not_to_contain_text("Deactivated")
    assert listed(ana, member)["active"]
    assert eve.threads() is not None


@pytest.mark.feature("PERM-05")
def test_the_last_admin_cannot_go_and_is_told_why(
    browser_as: NewBrowser, complaints: Complaints
) -> None:
    complaints.allow("409")
    with running_hub(config=CONFIG) as alone, closing(alone.client()) as client:
        page = browser_as(client, alone.base_url).new_page()
        page.goto("/settings/members")
        dialog = do(page, "Admin", "Deactivate")
        dialog.get_by_role("button", name="Deactivate").click()
        expect(dialog.get_by_role("alert")).to_contain_text("Nobody could manage the members")
        dialog.get_by_role("button", name="Cancel").click()
        role_of(page, "Admin").select_option(label="User SMS")
        page.get_by_role("button", name="Change my role").click()
        wrong = row(page, "Admin").get_by_role("alert")
        expect(wrong).to_contain_text("Not saved. Nobody could manage the members")
        expect(role_of(page, "Admin")).to_have_attribute("aria-invalid", "true")
        check(page)
        wrong.get_by_role("button", name="Discard my change").click()
        expect(role_of(page, "Admin").locator("option:checked")).to_have_text("Admin")
        expect(wrong).to_be_empty()


@pytest.mark.feature("PERM-02")
def test_super_users_are_made_by_their_like_alone(
    settings: Page, browser_as: NewBrowser, hub: HubProcess, ana: Client
) -> None:
    member, sue = somebody(hub, "Sue Park", "Admin")
    other, _ = somebody(hub, "Otto Lang")
    email = listed(ana, member)["email"]
    assert hub.run("user", "super", email).returncode == 0
    settings.goto("/settings/members")
    expect(row(settings, "Sue Park")).to_contain_text("Super User")
    expect(role_of(settings, "Sue Park")).to_be_disabled()
    options = role_of(settings, "Otto Lang").locator("option")
    expect(options.filter(has_text=re.compile("^Super User$"))).to_have_count(0)
    above = browser_as(sue, hub.base_url).new_page()
    above.goto("/settings/members")
    role_of(above, "Otto Lang").select_option(label="Super User")
    expect(above.get_by_role("dialog")).to_contain_text("every organisation")
    above.get_by_role("button", name="Cancel").click()
    expect(role_of(above, "Otto Lang").locator("option:checked")).to_have_text("User SMS")
    assert not listed(ana, other)["super_user"]
    role_of(above, "Otto Lang").select_option(label="Super User")
    above.route(re.compile(r"/members(\?|$)"), lambda _: None)  # the list is slow to follow
    above.get_by_role("button", name="Make a Super User").click()
    expect(row(settings, "Otto Lang")).to_contain_text("Super User")  # Ana's page follows
    expect(row(above, "Otto Lang").get_by_role("status")).to_have_text("Saved")
    above.unroute_all()
    role_of(above, "Otto Lang").select_option(label="User SMS")
    above.get_by_role("button", name="Make an ordinary member").click()
    expect(role_of(settings, "Otto Lang")).to_be_enabled()
    assert not listed(ana, other)["super_user"]


def test_many_members_are_searched(settings: Page, hub: HubProcess) -> None:
    for name in ("Ada Byron", "Grace Hopper", "Mary Somerville", "Émilie Châtelet"):
        somebody(hub, name)
    settings.goto("/settings/members")
    search = settings.get_by_role("searchbox", name="Search members")
    search.fill("emilie chat")
    expect(settings.get_by_role("heading", name="1 member")).to_be_visible()
    expect(row(settings, "Émilie Châtelet")).to_be_visible()
    search.fill("nobody at all")
    settings.get_by_role("button", name="Show all").click()
    expect(row(settings, "Ada Byron")).to_be_visible()


def test_a_password_and_a_second_factor_are_reset(
    settings: Page, browser_as: NewBrowser, hub: HubProcess, complaints: Complaints
) -> None:
    complaints.allow(r"401 .*/api/v1/me")
    somebody(hub, "Pia Reset")
    settings.goto("/settings/members")
    dialog = do(settings, "Pia Reset", "Reset the password")
    link = dialog.get_by_role("textbox", name="Link").input_value()
    check(settings)
    dialog.get_by_role("button", name="Done").click()
    stranger = browser_as(None, hub.base_url).new_page()
    stranger.goto(re.sub(r"^http://[^/]+", hub.base_url, link))
    expect(stranger.get_by_role("heading", name="Choose a new password")).to_be_visible()


# ---------------------------------------------------------------------- invitations


@pytest.mark.feature("PERM-05")
def test_somebody_is_invited_and_joins(
    settings: Page,
    browser_as: NewBrowser,
    hub: HubProcess,
    ana: Client,
    complaints: Complaints,
) -> None:
    complaints.allow(r"401 .*/api/v1/me|404 .*/invitations/look|409|422")
    settings.context.grant_permissions(["clipboard-read", "clipboard-write"])
    settings.goto("/settings/invitations")
    invite = settings.get_by_role("button", name="Invite", exact=True)
    invite.click()
    expect(settings.get_by_text("Enter an email address.")).to_be_visible()
    email = settings.get_by_label("Email")
    email.fill("no address")
    invite.click()
    expect(email).to_have_attribute("aria-invalid", "true")
    check(settings)
    email.fill("nia@example.com")
    settings.get_by_label("Name").fill("Nia New")
    settings.get_by_label("Role").select_option(label="Approver")
    invite.click()
    expect(settings.get_by_text("hand this link to nia@example.com")).to_be_visible()
    settings.get_by_role("button", name="Copy").click()
    expect(settings.get_by_role("button", name="Copied")).to_be_visible()
    first = settings.evaluate("navigator.clipboard.readText()")
    assert first == settings.get_by_role("textbox", name="Link").input_value()
    expect(row(settings, "Nia New")).to_contain_text("Expires in 7 days")
    email.fill("nia@example.com")
    invite.click()
    expect(settings.get_by_role("alert")).to_contain_text("is invited already")
    settings.get_by_role("button", name="A new link for nia@example.com").click()
    expect(settings.get_by_role("textbox", name="Link")).not_to_have_value(first)
    second = settings.get_by_role("textbox", name="Link").input_value()
    stranger = browser_as(None, hub.base_url).new_page()
    stranger.goto(re.sub(r"^http://[^/]+", hub.base_url, first))
    expect(stranger.get_by_role("alert")).to_contain_text("was used already")
    stranger.goto("about:blank")
    stranger.goto(re.sub(r"^http://[^/]+", hub.base_url, second))
    stranger.get_by_label("Password", exact=True).fill("a-password-of-ones-own")
    stranger.get_by_role("button", name="Accept the invitation").click()
    expect(stranger.get_by_role("heading", name="Hello")).to_be_visible()
    expect(row(settings, "Nia New")).to_have_count(0)  # the page follows
    (joined,) = [one for one in ana.get("members") if one["email"] == "nia@example.com"]
    assert joined["role"]["name"] == "Approver"


def test_an_invitation_is_revoked(settings: Page, ana: Client) -> None:
    (role,) = [one["id"] for one in ana.get("roles") if one["name"] == "User SMS"]
    settings.goto("/settings/invitations")
    expect(settings.get_by_text("Nobody is invited at the moment.")).to_be_visible()
    ana.post("members/invitations", {"email": "rob@example.com", "role_id": role})
    settings.get_by_role("button", name="Revoke the invitation of rob@example.com").click()
    expect(settings.get_by_text("Nobody is invited at the moment.")).to_be_visible()
    assert ana.get("members/invitations") == []


# ---------------------------------------------------------------------- roles


@pytest.mark.feature("PERM-01", "PERM-06")
def test_a_role_is_made_changed_and_deleted(
    settings: Page, hub: HubProcess, ana: Client, complaints: Complaints
) -> None:
    complaints.allow("409")
    settings.goto("/settings/roles")
    for ready in ("Admin", "Super User", "User SMS", "User SMS Limited", "Approver"):
        expect(
            settings.get_by_role("link", name=re.compile(f"^{ready} Ready-made"))
        ).to_be_visible()
    settings.get_by_role("button", name="New role").click()
    may = settings.get_by_role("group", name="What they may do")
    expect(may.get_by_role("checkbox")).to_have_count(len(CAPABILITIES))
    settings.get_by_role("button", name="Make the role").click()
    expect(settings.get_by_text("Give the role a name.")).to_be_visible()
    settings.get_by_label("Name").fill("approver")
    settings.get_by_role("button", name="Make the role").click()
    expect(settings.get_by_role("alert")).to_contain_text('There is a role "Approver" already.')
    check(settings)
    settings.get_by_label("Name").fill("Night shift")
    may.get_by_label("See conversations").check()
    settings.get_by_label("Only these").check()
    settings.get_by_label("Workshop").check()
    settings.get_by_role("button", name="Make the role").click()
    expect(settings.get_by_role("heading", name="Night shift")).to_be_visible()

    def now() -> dict[str, Any]:
        return next(one for one in ana.get("roles") if one["id"] == settings.url.split("/")[-1])

    assert (now()["capabilities"], now()["channels"]) == (["messages.view"], ["workshop"])
    may.get_by_label("Send with approval").check()
    expect(may.get_by_text("Saved")).to_be_visible()
    assert now()["capabilities"] == ["messages.send_gated", "messages.view"]
    settings.get_by_label("Workshop").uncheck()
    sees = settings.get_by_role("group", name="Channels")
    expect(sees.get_by_role("alert")).to_contain_text("Choose at least one channel")
    assert now()["channels"] == ["workshop"], "nothing is saved that means nothing"
    sees.get_by_label("Front desk").check()
    expect(sees.get_by_text("Saved")).to_be_visible()
    assert now()["channels"] == ["front"]
    name = settings.get_by_label("Name")
    name.fill("Late shift")
    name.press("Tab")
    expect(settings.get_by_role("heading", name="Late shift")).to_be_visible()
    member, _ = somebody(hub, "Lou Late", "Late shift")
    expect(settings.get_by_text("Lou Late has this role.")).to_be_visible()
    settings.get_by_role("button", name="Delete the role").click()
    dialog = settings.get_by_role("dialog")
    expect(dialog).to_contain_text("Lou Late has this role.")
    check(settings)
    dialog.get_by_label("Give them instead").select_option(label="Approver")
    dialog.get_by_role("button", name="Delete").click()
    expect(settings.get_by_role("button", name="New role")).to_be_visible()
    expect(settings.get_by_role("link", name=re.compile("^Late shift"))).to_have_count(0)
    assert listed(ana, member)["role"]["name"] == "Approver"


def test_what_roles_keep_cannot_be_taken(settings: Page, ana: Client) -> None:
    roles = {one["name"]: one["id"] for one in ana.get("roles")}
    settings.goto(f"/settings/roles/{roles['Admin']}")
    may = settings.get_by_role("group", name="What they may do")
    for kept in ("Manage members", "Change settings"):
        expect(may.get_by_label(kept)).to_be_disabled()
    expect(may.get_by_label("Send messages")).to_be_enabled()
    expect(settings.get_by_text("This role is always there: it cannot be deleted.")).to_be_visible()
    settings.goto(f"/settings/roles/{roles['Super User']}")
    for box in may.get_by_role("checkbox").all():
        expect(box).to_be_disabled()
    settings.goto("/settings/roles/42")
    expect(settings.get_by_text("There is no such role")).to_be_visible()


def test_nobody_is_offered_to_give_what_they_do_not_have(
    browser_as: NewBrowser, hub: HubProcess, ana: Client
) -> None:
    ana.post("roles", {"name": "Clerk", "capabilities": ["members.manage", "messages.view"]})
    _, clerk = somebody(hub, "Cleo Clerk", "Clerk")
    page = browser_as(clerk, hub.base_url).new_page()
    page.goto("/settings/roles/new")
    may = page.get_by_role("group", name="What they may do")
    expect(may.get_by_label("See conversations")).to_be_enabled()
    expect(may.get_by_label("Approve messages")).to_be_disabled()
    check(page)
    page.goto("/settings/invitations")
    expect(page.get_by_label("Role").locator("option")).to_contain_text(["Clerk"])
    expect(page.get_by_label("Role").locator("option", has_text="Admin")).to_have_count(0)


# ---------------------------------------------------------------------- tokens


@pytest.mark.feature("PERM-04", "PERM-06")
def test_a_token_is_made_shown_once_and_revoked(
    settings: Page, hub: HubProcess, ana: Client
) -> None:
    settings.context.grant_permissions(["clipboard-read", "clipboard-write"])
    settings.goto("/settings/tokens")
    settings.get_by_role("button", name="New token").click()
    expect(settings.get_by_label("Name")).to_be_focused()
    settings.get_by_role("button", name="Make the token").click()
    expect(settings.get_by_text("Give the token a name.")).to_be_visible()
    expect(settings.get_by_text("Choose at least one.")).to_be_visible()
    check(settings)
    settings.get_by_label("Name").fill("Warehouse")
    settings.get_by_label("See conversations").check()
    settings.get_by_label("Expires").select_option(label="In 30 days")
    settings.get_by_role("button", name="Make the token").click()
    settings.get_by_role("button", name="Copy").click()
    expect(settings.get_by_role("button", name="Copied")).to_be_visible()
    token = settings.evaluate("navigator.clipboard.readText()")
    check(settings)
    settings.get_by_role("button", name="Done").click()
    assert token not in settings.content()
    mine = row(settings, "Warehouse")
    expect(mine).to_contain_text("May see conversations")
    expect(mine).to_contain_text("Expires in 30 days")
    expect(mine).to_contain_text("Never used")
    with httpx2.Client(base_url=hub.base_url) as script:
        script.headers["Authorization"] = f"Bearer {token}"
        assert script.get(ana.path("threads")).status_code == 200
        wait_for(lambda: ana.get("tokens")[0]["last_used_at"], what="the note of its use")
        settings.reload()
        expect(mine).to_contain_text("Last used")
        mine.get_by_role("button", name="Revoke Warehouse").click()
        dialog = settings.get_by_role("dialog")
        expect(dialog).to_contain_text("is refused from now on")
        dialog.get_by_role("button", name="Revoke").click()
        expect(mine).to_have_count(0)
        assert script.get(ana.path("threads")).status_code == 401


@pytest.mark.feature("PERM-04")
def test_everybodys_tokens_are_for_who_manages_members(
    settings: Page, browser_as: NewBrowser, hub: HubProcess, ana: Client
) -> None:
    _, toni = somebody(hub, "Toni Brandt")
    theirs = browser_as(toni, hub.base_url).new_page()
    theirs.goto("/account")
    settings.goto("/settings/tokens")
    theirs.get_by_role("button", name="New token").click()
    expect(theirs.get_by_label("Manage members")).to_have_count(0)  # what one has not
    theirs.get_by_label("Name").fill("Toni's report")
    theirs.get_by_label("See conversations").check()
    theirs.get_by_role("button", name="Make the token").click()
    theirs.get_by_role("button", name="Done").click()
    expect(theirs.get_by_role("heading", name="Everybody else's")).to_have_count(0)
    seen = row(settings, "Toni's report")
    expect(seen).to_contain_text("Toni Brandt")
    seen.get_by_role("button", name="Revoke Toni's report").click()
    settings.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(theirs.get_by_text("You have no tokens.")).to_be_visible()
    theirs.goto("/settings/members")
    expect(theirs.get_by_text("You do not have access")).to_be_visible()


# ---------------------------------------------------------------------- for everybody


@pytest.fixture(params=[*SIZES, "small", "middle"])
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each width, and each mode as the one that the page begins in."""
    sizes = {**SIZES, "small": (320, 640, "light"), "middle": (1100, 800, "dark")}
    width, height, mode = sizes[request.param]
    return {"viewport": {"width": width, "height": height}, "color_scheme": mode}


def test_the_pages_are_for_everybody(
    browser_as: NewBrowser, hub: HubProcess, ana: Client, options: dict[str, Any]
) -> None:
    roles = {one["name"]: one["id"] for one in ana.get("roles")}
    name = f"Long{next(_numbers)} " + "Wolfeschlegelsteinhausenbergerdorff" * 2
    _, long = somebody(hub, name)
    made = ana.post("roles", {"name": name[:60], "capabilities": [], "channels": ["front"]})
    ana.post(
        "members/invitations",
        {"email": f"{name.split(maxsplit=1)[0]}@example.com", "role_id": made["id"]},
    )
    long.post("tokens", {"name": name, "capabilities": ["messages.view"]})
    page = browser_as(ana, hub.base_url, **options).new_page()
    for place, there in (
        ("members", page.get_by_role("group", name=name)),
        ("invitations", page.get_by_role("heading", name="Waiting to be accepted")),
        ("roles", page.get_by_role("link", name=name[:60])),
        (f"roles/{roles['Approver']}", page.get_by_role("heading", name="Approver")),
        ("roles/new", page.get_by_role("button", name="Make the role")),
        ("tokens", page.get_by_role("group", name=name)),
    ):
        page.goto(f"/settings/{place}")
        expect(there.first).to_be_visible()
        check_in_both_modes(page)
        wide = "document.scrollingElement.scrollWidth > innerWidth"
        assert not page.evaluate(wide), place


TWO_NUMBERS = """\
[[channels]]
id = "front"
plugin = "simulator"
name = "Front desk"
[channels.settings]
numbers = ["+12025550100", "+12025550101"]
"""


@pytest.mark.feature("PERM-03")
def test_a_role_can_be_given_single_numbers(browser_as: Callable[..., BrowserContext]) -> None:
    with running_hub(config=TWO_NUMBERS) as hub:
        client = hub.client()
        page = browser_as(client, hub.base_url).new_page()
        page.goto("/settings/roles/new")
        page.get_by_label("Name").fill("Second line")
        page.get_by_label("See conversations").check()
        page.get_by_label("Only these").check()
        single = page.get_by_role("list", name="Single numbers of Front desk")
        second = single.get_by_label("+1 202-555-0101")
        second.check()
        check(page)
        page.get_by_role("button", name="Make the role").click()
        expect(page.get_by_role("heading", name="Second line")).to_be_visible()

        def now() -> tuple[Any, Any]:
            (role,) = [one for one in client.get("roles") if one["name"] == "Second line"]
            return role["channels"], role["own_addresses"]

        number = {"channel_id": "front", "address": "+12025550101"}
        assert now() == ([], [number])
        expect(second).to_be_checked()
        sees = page.get_by_role("group", name="Channels")
        sees.get_by_label("Front desk", exact=True).check()
        expect(sees.get_by_text("Saved")).to_be_visible()
        assert now() == (["front"], []), "the whole channel has its numbers"
        expect(single).to_have_count(0)
