"""A real hub, members signed in to it, and pages that are not allowed to complain."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, WebError

from tests.browser.office import Office, running_office
from tests.browser.screen import Inbox
from tests.hubs import Client, HubProcess, running_hub
from tests.services import find_chromium

NewContext = Callable[..., BrowserContext]
BEN = ("ben@example.com", "another-good-password")
CONFIG = """
[[channels]]
id = "front"
plugin = "simulator"
name = "Front desk"
{settings}
numbers = ["+12025550100"]
receipt_pause = 0.2

[[channels]]
id = "workshop"
plugin = "simulator"
name = "Workshop"
{settings}
numbers = ["+12025550200"]
receipt_pause = 1
""".format(settings="[channels.settings]")

_numbers = itertools.count(1000)


@pytest.fixture(scope="module")
def windowed(launch_browser: Callable[..., Browser]) -> Iterator[Browser]:
    """A browser with all that people's have. A module that needs it has it in place of
    ``browser``."""
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("Chromium is not installed")
    launched = launch_browser(executable_path=str(chromium))
    yield launched
    launched.close()


@pytest.fixture(scope="package")
def hub() -> Iterator[HubProcess]:
    """One hub with two channels, for every test that leaves it running.

    The front desk's receipts come fast; the workshop's so slowly that each is seen.
    """
    with running_hub(config=CONFIG) as running:
        email, password = BEN
        added = running.run(
            "user", "add", email, "--name", "Ben Okafor", "--password-stdin", input_=password + "\n"
        )
        assert added.returncode == 0, added.stderr
        yield running


@pytest.fixture(scope="package")
def ana(hub: HubProcess) -> Iterator[Client]:
    """The first member, signed in."""
    client = hub.client()
    yield client
    client.close()


@pytest.fixture(scope="package")
def ben(hub: HubProcess) -> Iterator[Client]:
    """A colleague, signed in."""
    client = hub.client(*BEN)
    yield client
    client.close()


@pytest.fixture(scope="package")
def office() -> Iterator[Office]:
    """A hub with a channel of each kind."""
    with running_office() as running:
        yield running


@pytest.fixture
def desk(browser_as: Callable[..., BrowserContext], office: Office) -> Inbox:
    """Ana's inbox in that hub."""
    return Inbox(browser_as(office.client, office.hub.base_url).new_page()).go()


@pytest.fixture
def number() -> str:
    """A customer's number that nobody has used yet, E.164."""
    return f"+1202555{next(_numbers)}"


class Complaints:
    """What pages wrote to their consoles, and errors that nobody caught.

    Chromium writes refused requests and breaches of the content policy there as well.
    """

    def __init__(self) -> None:
        # Chromium warns of whoever goes on to another page sooner than a socket is open.
        self._allowed = [re.compile("WebSocket is closed before the connection is established")]
        self._seen: list[str] = []

    def allow(self, pattern: str) -> None:
        """What this test provokes."""
        self._allowed.append(re.compile(pattern))

    def watch(self, context: BrowserContext) -> None:
        """Listen to every page of ``context``."""
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._seen.append(f"{message.type}: {message.text} {message.location['url']}")

    def _on_error(self, error: WebError) -> None:
        self._seen.append(f"uncaught: {error.error}")

    @property
    def unexpected(self) -> list[str]:
        """Whatever was not provoked."""
        return [said for said in self._seen if not any(each.search(said) for each in self._allowed)]


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    heard = Complaints()
    yield heard
    assert heard.unexpected == []


@pytest.fixture
def browser_as(new_context: NewContext, complaints: Complaints) -> Callable[..., BrowserContext]:
    """A browser that is signed in as a member: cookies and storage of its own. ``tour``: whoever
    is new here is shown around."""

    def made(
        member: Client | None, base_url: str, *, tour: bool = False, **options: object
    ) -> BrowserContext:
        context = new_context(**{"base_url": base_url, "viewport": WIDE, **options})
        complaints.watch(context)
        if member is not None:
            if not tour:
                member.http.patch("/api/v1/me", json={"toured": True})
            context.add_cookies(
                [
                    {"name": cookie.name, "value": cookie.value or "", "url": base_url}
                    for cookie in member.http.cookies.jar
                ]
            )
        return context

    return made


WIDE = {"width": 1440, "height": 900}


@pytest.fixture
def anas_browser(
    browser_as: Callable[..., BrowserContext], hub: HubProcess, ana: Client
) -> BrowserContext:
    return browser_as(ana, hub.base_url)


@pytest.fixture
def bens_browser(
    browser_as: Callable[..., BrowserContext], hub: HubProcess, ben: Client
) -> BrowserContext:
    return browser_as(ben, hub.base_url)


@pytest.fixture
def inbox(anas_browser: BrowserContext) -> Inbox:
    """Ana's inbox, all conversations."""
    return Inbox(anas_browser.new_page()).go()


@pytest.fixture
def page(inbox: Inbox) -> Page:
    """The page of Ana's inbox."""
    return inbox.page
