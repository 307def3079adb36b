"""The inbox by what a person reads and presses."""

from __future__ import annotations

import re
from typing import Self

from playwright.sync_api import Locator, Page, Route, expect

from tests.hubs import Client, wait_for


def shown(number: str) -> str:
    """A number as people read it."""
    return f"+1 {number[2:5]}-{number[5:8]}-{number[8:]}"


class Held:
    """Requests that are kept back until they are let go."""

    def __init__(self) -> None:
        self._routes: list[Route] = []
        self._free = False

    def take(self, route: Route) -> None:
        """Called for each request."""
        if self._free:
            route.continue_()
        else:
            self._routes.append(route)

    def let_go(self) -> None:
        """Everything goes on, now and from now on."""
        self._free = True
        for route in self._routes:
            route.continue_()


class Inbox:
    """One tab with the inbox."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.rows = page.get_by_role("region", name="Conversations").get_by_role("listitem")
        self.conversation = page.get_by_role("region", name="Conversation", exact=True)
        self.log = page.get_by_role("log", name="Messages")
        self.modes = page.get_by_role("group", name="Reply by")
        self.message = page.get_by_role("textbox", name="Message", exact=True)
        self.note = page.get_by_role("textbox", name="Internal note")
        self.details = page.get_by_role("complementary", name="Details")

    def go(self, address: str = "/messages?status=all") -> Self:
        """Open an address; the tab is never loaded again unless this is called."""
        self.page.goto(address)
        self.page.evaluate("window.neverReloaded = true")
        return self

    @property
    def never_reloaded(self) -> bool:
        """Whether the page is still the one that ``go`` opened."""
        return self.page.evaluate("window.neverReloaded === true")

    def tab(self, name: str) -> Locator:
        """A tab above the list."""
        return self.page.get_by_role("tab", name=re.compile(rf"^{name}\b"))

    def filter(self, name: str) -> Locator:
        """A quick filter."""
        group = self.page.get_by_role("group", name="Filters")
        return group.get_by_role("button", name=re.compile(rf"^{name}\b"))

    def row(self, number: str) -> Locator:
        """The row of a customer."""
        return self.rows.filter(has_text=shown(number))

    def watch_highlights(self) -> None:
        """Keep which rows are highlighted from now on: it is over in two seconds, which a slow
        machine may spend on something else."""
        self.page.evaluate(
            """() => {
              window.highlights = [];
              document.addEventListener("animationstart", ({ animationName, target }) =>
                highlights.push(`${animationName} ${target.closest("[role=listitem]")?.innerText}`),
              );
            }"""
        )

    def highlighted(self, number: str, how: str) -> None:
        """The row of a customer has been highlighted since they are watched."""
        self.page.wait_for_function(
            "([who, how]) => highlights.some((each) => each.includes(who) && each.includes(how))",
            arg=[shown(number), how],
        )

    def hold_notices(self) -> None:
        """From now on notices stay, as they do for who points at them: otherwise they are gone in
        six seconds."""
        self.page.evaluate(
            """() => new MutationObserver(() => {
              for (const toast of document.querySelectorAll(".toast"))
                toast.dispatchEvent(new PointerEvent("pointerenter"));
            }).observe(document, { subtree: true, childList: true })"""
        )

    def open(self, number: str) -> Self:
        """Open a customer's conversation with the pointer."""
        self.row(number).click()
        expect(self.conversation.get_by_role("heading", name=shown(number))).to_be_visible()
        return self

    def entry(self, text: str) -> Locator:
        """What the timeline shows of one message or note: bubble and line under it."""
        return self.log.locator("[data-key]").filter(has_text=text)

    def send(self, text: str) -> None:
        """Write in the mode that is open, and press Enter."""
        self.message.fill(text)
        self.message.press("Enter")

    def unread_badge(self, count: int) -> Locator:
        """The link of the top bar with the number of unread conversations."""
        said = rf"\b{count} conversations? with unread messages" if count else r"^Messages$"
        return self.page.get_by_role("link", name=re.compile(said))

    def hold(self, url: str) -> Held:
        """Keep back requests whose address matches."""
        held = Held()
        self.page.route(re.compile(url), held.take)
        return held

    def at_top(self, number: str) -> None:
        """Wait until a customer's row is the first."""
        expect(self.row(number)).to_have_attribute("aria-posinset", "1")


def written(client: Client, number: str, text: str = "Hello", channel: str = "front") -> dict:
    """The conversation of a customer who has just written ``text``."""
    client.text(number, text, channel=channel)

    def arrived() -> dict | None:
        thread = client.thread_of(shown(number))
        return thread if thread and thread["preview"]["text"] == text else None

    return wait_for(arrived, what=f"{text!r} in the list")


def replied(client: Client, thread: dict, text: str) -> dict:
    """A message of the team's, sent through the API."""
    wanted = {"channel_id": "front", "contact_id": thread["contact"]["id"], "body": text}
    return client.post(f"threads/{thread['id']}/messages", wanted)
