"""The approval queue: one writes, two decide, each in a browser of their own."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Locator, Page, expect
from sqlalchemy import Connection

from hub.store import tables as t
from tests.browser.conftest import BEN
from tests.browser.conftest import CONFIG as CHANNELS
from tests.browser.screen import Inbox, shown, written
from tests.browser.test_accessibility import check_in_both_modes
from tests.hubs import Client, HubProcess, running_hub

NewContext = Callable[..., BrowserContext]
GIL = ("gil@example.com", "another-good-password")
VIEW, SEND, GATED, APPROVE = (
    "messages.view", "messages.send", "messages.send_gated", "messages.approve",
)  # fmt: skip


def rule(hub: HubProcess, email: str, *capabilities: str) -> None:
    """What a member may from now on."""

    def change(connection: Connection) -> None:
        org = connection.execute(sa.select(t.organisations.c.id)).scalar_one()
        user = sa.select(t.users.c.id).where(t.users.c.email == email).scalar_subquery()
        name = f"Of {email}"
        connection.execute(sa.delete(t.roles).where(t.roles.c.name == name))
        role = {
            "id": 7_000 + [BEN[0], GIL[0]].index(email), "organisation_id": org, "name": name,
            "created_at": 0, "capabilities": json.dumps(sorted(capabilities)),
        }  # fmt: skip
        connection.execute(sa.insert(t.roles), [role])
        mine = t.members.c.user_id == user
        connection.execute(sa.update(t.members).where(mine).values(role_id=role["id"]))

    # Playwright runs a loop of its own in this thread.
    engine = sa.create_engine(f"sqlite:///{hub.folder / 'data' / 'hub.db'}")
    with engine.begin() as connection:
        change(connection)
    engine.dispose()


@pytest.fixture(scope="module")
def desk_hub() -> Iterator[HubProcess]:
    """A hub with Ana and Ben, who approve, and Gil, who writes for them."""
    with running_hub(config=CHANNELS) as hub:
        for (email, password), name in ((BEN, "Ben Okafor"), (GIL, "Gil")):
            hub.run("user", "add", email, "--name", name, "--password-stdin",
                    input_=f"{password}\n")  # fmt: skip
        rule(hub, BEN[0], VIEW, SEND, APPROVE)
        rule(hub, GIL[0], VIEW, GATED)
        yield hub


@pytest.fixture
def ana(desk_hub: HubProcess) -> Client:
    return desk_hub.client()


@pytest.fixture
def gil(desk_hub: HubProcess) -> Client:
    return desk_hub.client(*GIL)


def tab(browser_as: NewContext, hub: HubProcess, client: Client, **options: Any) -> Page:
    return browser_as(client, hub.base_url, **options).new_page()


def propose(gil: Client, ana: Client, number: str, text: str) -> dict[str, Any]:
    """Gil answers a customer who has just written."""
    thread = written(ana, number)
    wanted = {"channel_id": "front", "contact_id": thread["contact"]["id"], "body": text}
    return gil.post(f"threads/{thread['id']}/messages", wanted)


def row(page: Page, number: str) -> Locator:
    listed = page.get_by_role("list", name="Messages that wait, the longest first")
    return listed.get_by_role("link").filter(has_text=shown(number))


@pytest.mark.feature("APPR-01")
def test_the_composer_says_so_and_the_bubble_waits(
    browser_as: NewContext, desk_hub: HubProcess, ana: Client, gil: Client, number: str
) -> None:
    written(ana, number)
    inbox = Inbox(tab(browser_as, desk_hub, gil)).go().open(number)
    expect(inbox.page.get_by_text("Will be sent after approval")).to_be_visible()
    expect(inbox.page.get_by_role("button", name="Send for approval")).to_be_visible()
    inbox.send(f"For {number}")
    entry = inbox.entry(f"For {number}")
    expect(entry).to_contain_text("Waiting for approval")
    entry.get_by_role("button", name="Withdraw").click()
    expect(entry).to_contain_text("Canceled")
    expect(entry.get_by_role("button", name="Withdraw")).to_have_count(0)


@pytest.mark.feature("APPR-02")
def test_approved_changed_rejected_and_the_next_opens(
    browser_as: NewContext, desk_hub: HubProcess, ana: Client, gil: Client,
    number: str, complaints: Any,
) -> None:  # fmt: skip
    numbers = [number, *(f"+1303555{int(number[-4:]) + add}" for add in (1, 2))]
    author = Inbox(tab(browser_as, desk_hub, gil)).go()
    page = tab(browser_as, desk_hub, ana)
    page.goto("/approvals")
    expect(page.get_by_text("Nothing waits for approval.")).to_be_visible()
    for each in numbers:
        propose(gil, ana, each, f"helo from {each}")
    badge = page.get_by_role("link", name=re.compile("3 messages wait for approval"))
    expect(badge).to_be_visible()

    row(page, numbers[0]).click()
    region = page.get_by_role("region", name="Message", exact=True)
    expect(region.get_by_role("heading", name=f"To {shown(numbers[0])}")).to_be_visible()
    expect(region.get_by_role("region", name="What came before")).to_contain_text("Hello")
    region.get_by_role("button", name="Approve and send").click()
    expect(region.get_by_role("heading", name=f"To {shown(numbers[1])}")).to_be_visible()
    expect(row(page, numbers[0])).to_have_count(0)

    region.get_by_role("button", name="Edit").click()
    region.get_by_role("textbox", name="Proposed message").fill(f"Hello from {numbers[1]}")
    changes = region.get_by_role("group", name="Changes")
    expect(changes.locator("del")).to_have_text("helo")
    expect(changes.locator("ins")).to_have_text("Hello")
    page.keyboard.press("Control+Enter")
    expect(region.get_by_role("heading", name=f"To {shown(numbers[2])}")).to_be_visible()

    region.get_by_role("button", name="Reject", exact=True).click()
    region.get_by_role("button", name="Reject the message").click()
    expect(region.get_by_text("Say why, so that its author knows.")).to_be_visible()
    region.get_by_role("button", name="Please change the tone").click()
    region.get_by_role("button", name="Reject the message").click()
    expect(page.get_by_text("Nothing waits for approval.")).to_be_visible()
    expect(page.get_by_role("link", name="Approval Queue", exact=True)).to_be_visible()

    told = f"Admin rejected your message to {shown(numbers[2])}: Please change the tone"
    expect(author.page.get_by_text(told)).to_be_visible()
    author.open(numbers[2])
    expect(author.entry(f"helo from {numbers[2]}")).to_contain_text(
        "Rejected by Admin: Please change the tone"
    )
    author.open(numbers[1])
    entry = author.entry(f"Hello from {numbers[1]}")
    entry.get_by_text("Changed by Admin").click()
    expect(entry).to_contain_text(f"helo from {numbers[1]}")


@pytest.mark.feature("APPR-02")
def test_two_people_at_once(
    browser_as: NewContext, desk_hub: HubProcess, ana: Client, gil: Client, number: str,
    complaints: Any,
) -> None:  # fmt: skip
    complaints.allow("409")
    entry = propose(gil, ana, number, f"Race to {number}")
    first = tab(browser_as, desk_hub, ana)
    second = tab(browser_as, desk_hub, desk_hub.client(*BEN))
    for page in (first, second):
        page.goto(f"/approvals?approval={entry['id']}")
        expect(page.get_by_role("button", name="Approve and send")).to_be_visible()
    held = Inbox(second).hold(r"/approvals/\d+/approve$")
    second.get_by_role("button", name="Approve and send").click()
    first.get_by_role("button", name="Approve and send").click()
    expect(first.get_by_text("Nothing waits for approval.")).to_be_visible()
    expect(second.get_by_role("status").filter(has_text="Admin approved this")).to_be_visible()
    held.let_go()
    expect(second.get_by_text(re.compile(r"Admin approved this \d+ s ago")).first).to_be_visible()
    expect(second.get_by_role("alert")).to_have_count(0)
    texts = ana.entries(entry["thread_id"], kind="texts")
    assert [one["text"] for one in texts].count(f"Race to {number}") == 1


@pytest.mark.feature("APPR-03")
def test_what_cannot_be_sent_says_why_to_both(
    browser_as: NewContext, desk_hub: HubProcess, ana: Client, gil: Client, number: str,
    complaints: Any,
) -> None:  # fmt: skip
    complaints.allow("422")
    entry = propose(gil, ana, number, f"Late for {number}")
    page = tab(browser_as, desk_hub, ana)
    page.goto(f"/approvals?approval={entry['id']}")
    expect(page.get_by_role("button", name="Approve and send")).to_be_visible()
    ana.text(number, "STOP", channel="front")
    page.get_by_role("button", name="Approve and send").click()
    expect(page.get_by_text(re.compile("It cannot be sent now: .*opted out"))).to_be_visible()
    inbox = Inbox(tab(browser_as, desk_hub, gil)).go().open(number)
    expect(inbox.entry(f"Late for {number}")).to_contain_text(
        re.compile("It could not be sent: .*opted out")
    )
    page.get_by_role("button", name="Reject", exact=True).click()
    page.get_by_label("Why?").fill("They want nothing")
    page.get_by_role("button", name="Reject the message").click()
    expect(page.get_by_text("Nothing waits for approval.")).to_be_visible()


@pytest.mark.feature("PERM-01")
def test_rights_that_are_missing_show(
    browser_as: NewContext, desk_hub: HubProcess, ana: Client, gil: Client, number: str,
    complaints: Any,
) -> None:  # fmt: skip
    complaints.allow("403")
    complaints.allow("WebSocket")
    entry = propose(gil, ana, number, f"Soon gone {number}")
    page = tab(browser_as, desk_hub, desk_hub.client(*BEN))
    page.goto(f"/approvals?approval={entry['id']}")
    expect(page.get_by_text(f"Soon gone {number}").first).to_be_visible()
    rule(desk_hub, BEN[0], VIEW)
    try:
        expect(page.get_by_text(f"Soon gone {number}")).to_have_count(0)
        inbox = Inbox(tab(browser_as, desk_hub, desk_hub.client(*BEN))).go().open(number)
        said = "Your role may read here, but not send messages."
        expect(inbox.page.get_by_text(said)).to_be_visible()
        expect(inbox.page.get_by_role("link", name="Approval Queue")).to_have_count(0)
        expect(inbox.page.get_by_role("button", name="New conversation")).to_have_count(0)
        expect(inbox.note).to_be_visible()
    finally:
        rule(desk_hub, BEN[0], VIEW, SEND, APPROVE)
        gil.post(f"approvals/{entry['id']}/withdraw")


@pytest.mark.feature("APPR-02")
def test_on_a_phone_and_by_key(
    browser_as: NewContext, desk_hub: HubProcess, ana: Client, gil: Client, number: str
) -> None:
    entry = propose(gil, ana, number, f"Small {number}")
    page = tab(browser_as, desk_hub, ana, viewport={"width": 390, "height": 844})
    page.goto("/approvals")
    expect(row(page, number)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    check_in_both_modes(page)
    row(page, number).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Approve and send")).to_be_visible()
    expect(row(page, number)).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    check_in_both_modes(page)
    page.keyboard.press("Escape")
    expect(row(page, number)).to_be_focused()
    gil.post(f"approvals/{entry['id']}/withdraw")
    expect(page.get_by_text("Nothing waits for approval.")).to_be_visible()


@pytest.mark.parametrize("width", [768, 479, 390, 360, 320])
def test_nothing_in_the_bars_covers_another_thing(
    desk_hub: HubProcess, ana: Client, gil: Client, browser_as: NewContext, width: int
) -> None:
    """With both badges there, each thing to press answers in its middle and keeps to itself."""
    propose(gil, ana, f"+12025557{width}", "May I?")
    page = tab(browser_as, desk_hub, ana, viewport={"width": width, "height": 800})
    page.goto("/approvals")
    links = page.get_by_role("navigation", name="Main")
    expect(links.locator(".badge")).to_have_count(2)
    for bar in (page.get_by_role("banner"), links):
        places = bar.locator("a:visible, button:visible").evaluate_all(
            "all => all.map((one) => one.getBoundingClientRect().toJSON())"
        )
        for one, following in itertools.pairwise(sorted(places, key=lambda place: place["left"])):
            assert one["right"] <= following["left"] + 0.5, (one, following)
        assert min(place["left"] for place in places) >= 0
        assert max(place["right"] for place in places) <= width
    badges = links.locator(".badge").evaluate_all(
        "all => all.map((one) => { const box = one.getBoundingClientRect();"
        " const at = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);"
        " return one.contains(at); })"
    )
    assert badges == [True, True]
