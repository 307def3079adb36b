"""Every page at three widths, in every theme and mode: nothing a program can find is wrong.

What a page is made of has its colours by the same names in every theme, and a test computes all
their pairs (`contrast.test.ts`). So each page is looked at in another look at each width, and those
that have the most on them in all eight.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.axe import COLOURS
from tests.axe import look_over as first_look
from tests.browser.conftest import Complaints
from tests.browser.office import Office
from tests.browser.test_accessibility import RULES

WIDTHS = (1440, 768, 320)
LOOKS = [[theme, mode] for theme in ("green", "sky", "gray", "coral") for mode in ("light", "dark")]
SECTIONS = (
    "organisation", "sign-in", "members", "invitations", "roles", "roles/new", "tokens",
    "quiet-hours", "consent", "approvals", "assignment", "targets", "channels", "channels/mail",
    "templates", "audit",
)  # fmt: skip
"""As in the side list of the settings (`sections.test.ts`), and one of what some of them list."""
PAGES = {
    "signed out": ("/", "/forgot", "/join#nobody", "/reset#nobody"),
    "inbox": ("/", "/messages?status=all", "/messages?conversation=1", "/messages?org=nobodys"),
    "conversation": ("/messages?status=all&conversation={conversation}",),
    "call": ("/messages?status=all&conversation={call}",),
    "others": ("/approvals", "/deliveries?channel=mail", "/account", "/nowhere"),
    "who may what": tuple(f"/settings/{section}" for section in SECTIONS[:7]),
    "what happens": tuple(f"/settings/{section}" for section in SECTIONS[7:]),
}
FULL = ("/messages?status=all&conversation", "/approvals", "/account", "/settings/roles/new")
"""What has the most on it."""

LOOK = """
async ({ rules, colours, own, looks }) => {
  const root = document.documentElement;
  const wrong = [];
  const note = (look, { violations }) => {
    for (const { id, nodes } of violations)
      for (const { html, failureSummary } of nodes)
        wrong.push(`${look}: ${id}: ${html.slice(0, 160)} ${failureSummary ?? ""}`);
  };
  await Promise.allSettled(document.getAnimations().map((each) => each.finished));
  if (root.scrollWidth > root.clientWidth) wrong.push("it scrolls sideways");
  for (const main of document.querySelectorAll("main.scroll"))
    if (main.scrollWidth > main.clientWidth + 1) wrong.push("its main part scrolls sideways");
  const heads = [...document.querySelectorAll("h1")].filter((each) => each.checkVisibility());
  if (heads.length !== 1) wrong.push(`${heads.length} headings of the first level`);
  const options = { resultTypes: ["violations"] };
  const { theme, mode } = root.dataset;
  root.dataset.switching = "";
  Object.assign(root.dataset, { theme: own[0], mode: own[1] });
  note(own.join(" "), await axe.run({ ...options, runOnly: rules }));
  for (const [theme, mode] of looks) {
    Object.assign(root.dataset, { theme, mode });
    note(`${theme} ${mode}`, await axe.run({ ...options, runOnly: colours }));
  }
  Object.assign(root.dataset, { theme, mode });
  delete root.dataset.switching;
  return wrong;
}
"""


_turn = itertools.cycle(LOOKS)


def look(page: Page, name: str) -> list[str]:
    """What is wrong with a page, once it shows what it has, at every width."""
    wrong: list[str] = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.locator("h1").first).to_be_attached()
        expect(page.locator(".bones, [aria-busy=true]")).to_have_count(0)
        if not page.evaluate("'axe' in window"):
            first_look(page, ["document-title"])
        own = next(_turn)
        more = LOOKS if name.startswith(FULL) and width == WIDTHS[0] else []
        looks = [each for each in more if each != own]
        given = {"rules": RULES, "colours": COLOURS, "own": own, "looks": looks}
        said = page.evaluate(LOOK, given)
        wrong += [f"{name}, {width} px, {one}" for one in said]
    return wrong


@pytest.fixture(scope="module")
def conversation(office: Office) -> str:
    """One with an entry of each look."""
    letter = "<h1>Offer</h1><p>" + "Every word of it. " * 60 + "</p>"
    who = "every.page@example.com"
    thread = office.message("mail", who, "Every word of it. " * 60, subject="Offer", html=letter)
    office.client.post(f"threads/{thread['id']}/notes", {"body": "They are a VIP"})
    office.answer(thread, "mail", "Thank you")
    number = "+12025559876"
    office.message("texts", number, "مرحبا، متى تأتون؟")
    office.call(number, "missed")
    office.client.post("tokens", {"name": "Sync" * 20, "capabilities": ["messages.view"]})
    return thread["id"]


@pytest.mark.feature("SHELL-04", "SHELL-05", "SHELL-07")
@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.timeout(300)
def test_every_page_in_every_theme_and_width(
    office: Office,
    conversation: str,
    browser_as: Callable[..., BrowserContext],
    complaints: Complaints,
    kind: str,
) -> None:
    complaints.allow("401|404|422|400")
    client = None if kind == "signed out" else office.client
    page = browser_as(client, office.hub.base_url).new_page()
    ids = {"conversation": conversation, "call": office.newest()["id"]}
    wrong: list[str] = []
    for address in PAGES[kind]:
        page.goto(address.format_map(ids))
        wrong += look(page, address)
    assert wrong == []
