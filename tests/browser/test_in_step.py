"""Browsers stay in step whatever happens: two wide ones and a phone, one of them of a member who
sees some channels only.

Customers write, receipts come in any order, colleagues do what they do in their pages and
elsewhere, and the network fails in every way it can, at random. At each rest every page must show
what the database holds for whoever looks at it. ``HUB_STEPS`` is how many things happen;
``HUB_STEP_SEED`` draws the same ones again, as far as the pages let it: what they show at a moment
is theirs.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Error, Locator, WebSocket, expect

from tests.browser.conftest import Complaints
from tests.browser.eyes import Books, Sight
from tests.browser.network import Network
from tests.browser.screen import Inbox
from tests.host.unruly import PLUGINS, TOKEN
from tests.hubs import PASSWORD, Client, HubProcess, running_hub, wait_for

STEPS = int(os.environ.get("HUB_STEPS", "150"))
CUSTOMERS = [f"+12025550{number}" for number in range(100, 130)]
NAMES = {"texts": "Texts", "chat": "Chat", "second": "Second line"}
LIMITED = frozenset({"texts"})
LATE = 0.15
"""How many messages come later than others that were written after them."""
RESTS_AFTER = (6, 20)
"""So many things happen between two rests."""
SETTLE_LIMIT = 90.0
AT_ONCE = 1_500
"""Milliseconds for what a person can do right now, or not at all."""
CONFIG = "".join(
    f"""
[[channels]]
id = "{id_}"
plugin = "{plugin}"
name = "{NAMES[id_]}"
settings = {{ token = {{ env = "OFFICE_TOKEN" }}, own = ["{own}"] }}
"""
    for id_, plugin, own in (
        ("texts", "office-texts", "+12025550001"),
        ("chat", "office-chat", "+12025550002"),
        ("second", "office-texts", "+12025550003"),
    )
)
FAILURES = (
    *("cut", "cut", "torn", "torn", "stream", "down", "offline", "lost", "lost"),
    *("late answers", "late answers", "late stream", "up", "up"),
)
WIDE = {"width": 1440, "height": 2600}
PHONE = {"width": 390, "height": 2900}
# As high as every row, so that all of them are drawn.

_said = itertools.count(1)


def said() -> str:
    """A text that nobody has used."""
    return f"said-{next(_said)}"


class Person:
    """A member in front of a page, behind a network of their own."""

    def __init__(
        self,
        name: str,
        client: Client,
        channels: frozenset[str] | None,
        context: BrowserContext,
        network: Network,
    ) -> None:
        self.name = name
        self.member_id = int(client.me["organisations"][0]["member_id"])
        self.channels = channels
        self.network = network
        self.context = context
        self.page = context.new_page()
        self.inbox = Inbox(self.page)
        self.position = 0
        """How far the page has been told of the journal."""
        self.offline = False
        self.wrote: list[str] = []
        self.page.on("websocket", self._listen)

    @property
    def phone(self) -> bool:
        return self.page.viewport_size == PHONE

    def sight(self, books: Books) -> Sight:
        """What they may see."""
        return Sight(books, self.member_id, self.channels, NAMES)

    def _listen(self, socket: WebSocket) -> None:
        since = socket.url.partition("since=")[2]
        self.position = max(self.position, int(since or 0))
        socket.on("framereceived", self._hear)

    def _hear(self, text: str | bytes) -> None:
        message = json.loads(text)
        if self.channels is not None:
            for change in message.get("changes", ()):
                self._check_seen(change)
        self.position = max(self.position, message.get("to", 0))
        if message.get("type") == "reload" or self.position == 0:
            self.position = message["position"]

    def _check_seen(self, change: dict[str, Any]) -> None:
        entry, thread = change.get("entry"), change.get("thread")
        assert self.channels is not None
        if entry is not None and entry["channel_id"] is not None:
            assert entry["channel_id"] in self.channels, entry
        if thread is not None:
            assert set(thread["channel_ids"]) <= self.channels, thread

    def online(self) -> None:
        """Everything gets through again, and they look at the page."""
        self.network.come_up()
        if self.offline:
            self.context.set_offline(False)
            self.offline = False
        self.page.mouse.move(2, 2)
        self.page.evaluate("dispatchEvent(new Event('focus'))")

    def try_again(self) -> None:
        """What failed while the stream was there waits for the person."""
        for button in self.page.get_by_role("button", name="Try again").all():
            self.press(button)

    def press(self, target: Locator) -> bool:
        """Press what is there; whether it was."""
        try:
            if not target.is_visible():
                return False
            target.click(timeout=AT_ONCE)
        except Error:  # it went away, or something lies over it
            return False
        return True


class World:
    """The hub, everybody who uses it, and what they may do."""

    def __init__(self, hub: HubProcess, people: list[Person], chance: random.Random) -> None:
        self.hub = hub
        self.people = people
        self.chance = chance
        self.client = hub.client()
        self.sent: list[tuple[str, str]] = []
        """Channel and text of what went out."""
        self.happened: deque[str] = deque(maxlen=60)
        self.left = STEPS
        self._ids = itertools.count(1)
        self._restarts_at = chance.randint(STEPS // 3, 2 * STEPS // 3)
        self._members = [str(person.member_id) for person in people]

    # ------------------------------------------------------------------ customers and providers

    def tell(self, channel: str, event: dict[str, Any]) -> None:
        answer = self.client.http.post(
            f"/hooks/main/{channel}",
            content=json.dumps({"events": [event]}),
            headers={"X-Token": TOKEN},
        )
        assert answer.status_code == 200, answer.text

    def customer_writes(self) -> str:
        channel = self.chance.choice(list(NAMES))
        # Some come again and again, some seldom; what comes late says when it was written.
        number = CUSTOMERS[int(self.chance.random() ** 2 * len(CUSTOMERS))]
        text = said()
        late = self.chance.random() < LATE
        before = datetime.now(UTC) - timedelta(seconds=self.chance.randint(1, 300))
        self.tell(
            channel,
            {
                "type": "message",
                "text": text,
                "sender": [{"scheme": "phone", "value": number}],
                "external_id": f"in-{next(self._ids)}",
                **({"occurred_at": before.isoformat()} if late else {}),
            },
        )
        return f"{number} writes {text} on {channel}{' late' if late else ''}"

    def receipt(self) -> str | None:
        if not self.sent:
            return None
        channel, text = self.chance.choice(self.sent[-8:])
        status = self.chance.choice(["queued", "sent", "delivered", "read", "failed"])
        self.tell(channel, {"type": "receipt", "external_id": f"o-{text}", "status": status})
        return f"{text} is {status}"

    # ------------------------------------------------------------------ colleagues elsewhere

    def _thread(self) -> dict[str, Any]:
        return self.chance.choice(self.client.threads())

    def elsewhere(self) -> str:
        thread = self._thread()
        path = f"threads/{thread['id']}"
        kind = self.chance.choice(["status", "assign", "needs", "read", "note", "send"])
        if kind == "status":
            wanted = {"status": self.chance.choice(["open", "closed"])}
            self.client.call("PATCH", path, wanted)
        elif kind == "assign":
            wanted = {"assignee_id": self.chance.choice([None, *self._members])}
            self.client.patch(path, wanted)
        elif kind == "needs":
            wanted = {"needs_response": self.chance.random() < 0.5}
            self.client.call("PATCH", path, wanted)
        elif kind == "read":
            self.client.call("POST", f"{path}/unread")
            wanted = {}
        else:
            text = said()
            wanted = {"body": text}
            if kind == "note":
                self.client.post(f"{path}/notes", wanted)
            else:
                channel = self.chance.choice(thread["channel_ids"])
                self.sent.append((channel, text))
                more = {"channel_id": channel, "contact_id": thread["contact"]["id"]}
                self.client.call("POST", f"{path}/messages", {**wanted, **more})
        return f"elsewhere {kind} {wanted} in {thread['contact']['display']}"

    # ------------------------------------------------------------------ what people do in pages

    def page_acts(self) -> str | None:
        person = self.chance.choice(self.people)
        acts = [
            *[self.open_one] * 6,
            *[self.write] * 5,
            *[self.change] * 5,
            self.tab,
            self.tab,
            self.filter,
            self.narrow,
            self.more,
            self.earlier,
            self.back,
        ]
        did = self.chance.choice(acts)(person)
        return None if did is None else f"{person.name} {did}"

    def open_one(self, person: Person) -> str | None:
        if person.phone:
            person.press(person.page.get_by_role("button", name="Back to conversations"))
        links = person.page.locator("[data-row]").all()
        if not links:
            return None
        link = self.chance.choice(links)
        try:
            name = link.locator("b").inner_text(timeout=AT_ONCE)
        except Error:
            return None
        return f"opens {name}" if person.press(link) else None

    def write(self, person: Person) -> str | None:
        modes = person.inbox.modes.get_by_role("button").all()
        if not modes or not person.press(mode := self.chance.choice(modes)):
            return None
        field = person.page.get_by_role("textbox", name="Message", exact=True)
        field = field.or_(person.inbox.note)
        text = said()
        try:
            channel = mode.inner_text(timeout=AT_ONCE).strip()
            field.fill(text, timeout=AT_ONCE)
            field.press("Control+Enter", timeout=AT_ONCE)
            if field.input_value(timeout=AT_ONCE):  # it cannot be sent now
                field.fill("", timeout=AT_ONCE)
                return None
        except Error:
            return None
        person.wrote.append(text)
        self.sent += [(id_, text) for id_, name in NAMES.items() if name == channel]
        return f"writes {text} by {channel}"

    def change(self, person: Person) -> str | None:
        page = person.page
        if person.phone or self.chance.random() < 0.5:
            if self.chance.random() < 0.5:
                close = page.get_by_role("button", name="Close conversation")
                reopen = page.get_by_role("button", name="Reopen conversation")
                return "closes or reopens" if person.press(close.or_(reopen)) else None
            if not person.press(page.locator("[data-opens=assignee]")):
                return None
            items = page.get_by_role("menuitemcheckbox").all()
            if not items:
                return None
            item = self.chance.randrange(len(items))
            return f"assigns the {item}th" if person.press(items[item]) else None
        key = self.chance.choice(["e", "u", "u", "n", "i"])
        page.evaluate("document.activeElement?.blur()")
        page.keyboard.press(key)
        return f"presses {key}"

    def tab(self, person: Person) -> str | None:
        name = self.chance.choice(["Open", "Open", "Unread", "Closed", "All"])
        return f"goes to tab {name}" if person.press(person.inbox.tab(name)) else None

    def filter(self, person: Person) -> str | None:
        name = self.chance.choice(["All", "All", "Unread", "Unassigned", "Mine", "Needs response"])
        if person.phone:
            person.press(person.page.get_by_role("button", name="Show filters"))
        chosen = person.press(person.inbox.filter(name))
        return f"filters {name}" if chosen else None

    def narrow(self, person: Person) -> str | None:
        page = person.page
        if person.phone:
            person.press(page.get_by_role("button", name="Show filters"))
        if self.chance.random() < 0.5:
            group = page.get_by_role("group", name="Channel", exact=True)
            buttons = group.get_by_role("button").all()
            chosen = person.press(self.chance.choice(buttons)) if buttons else False
            what = "another channel"
        else:
            person.press(page.get_by_role("group", name="Date", exact=True).get_by_role("button"))
            what = self.chance.choice(["All time", "Today", "Last 30 days", "Last 30 days"])
            dates = page.get_by_role("dialog", name="Date", exact=True)
            chosen = person.press(dates.get_by_role("button", name=what, exact=True))
        page.keyboard.press("Escape")
        return f"narrows to {what}" if chosen else None

    def more(self, person: Person) -> str | None:
        button = person.page.get_by_role("button", name="Load more")
        return "loads more" if person.press(button) else None

    def earlier(self, person: Person) -> str | None:
        button = person.page.get_by_role("button", name="Load earlier messages")
        return "loads earlier" if person.press(button) else None

    def back(self, person: Person) -> str | None:
        if person.page.evaluate("history.length") < 3 or "/messages?" not in person.page.url:
            return None
        before = person.page.url
        person.page.evaluate("history.back()")
        if not person.page.url.startswith(person.network.base_url + "/messages"):
            person.page.go_forward()
        return f"goes back from {before}"

    # ------------------------------------------------------------------ the network

    def network_fails(self) -> str:
        person = self.chance.choice(self.people)
        network = person.network
        kind = self.chance.choice(FAILURES)
        if kind in {"cut", "torn"}:
            network.cut(within_a_frame=kind == "torn")
        elif kind == "stream":
            network.drop_stream()
        elif kind == "down":
            network.go_down()
        elif kind == "offline":
            person.context.set_offline(True)
            person.offline = True
        elif kind == "lost":
            network.lose_an_answer()
        elif kind.startswith("late"):
            network.hold("answers" if kind.endswith("answers") else "stream")
        else:
            person.online()
        return f"network of {person.name}: {kind}"

    def restart(self) -> str:
        port = self.hub.port
        self.hub.kill()
        self.hub.start(port=port)
        return "the hub is killed and started again"

    # ------------------------------------------------------------------ and rests

    def act(self) -> None:
        """One thing happens."""
        if self.left == self._restarts_at:
            did: str | None = self.restart()
        else:
            kinds: list[Callable[[], str | None]] = [
                *[self.customer_writes] * 6,
                *[self.receipt] * 3,
                *[self.elsewhere] * 4,
                *[self.page_acts] * 14,
                *[self.network_fails] * 3,
            ]
            did = self.chance.choice(kinds)()
        if did is None:
            return
        self.left -= 1
        self.happened.append(f"{STEPS - self.left}. {did}")

    def rest(self) -> None:
        """Nothing happens; every page comes to show what the database holds."""
        for person in self.people:
            person.online()
        self._compare()
        for person in self.people:
            if person.phone and person.press(
                person.page.get_by_role("button", name="Back to conversations")
            ):
                self._compare()

    def _compare(self) -> None:
        path = self.hub.folder / "data" / "hub.db"
        found: list[str] = []

        def agree() -> bool:
            found.clear()
            books = Books(path)
            for person in self.people:
                differences = person.sight(books).differences(person.page)
                if any("Try again" in difference for difference in differences):
                    person.try_again()
                if person.position < books.position:
                    differences.append(f"is at {person.position} of {books.position}")
                found.extend(f"{person.name} {difference}" for difference in differences)
            return not found

        with contextlib.suppress(AssertionError):
            wait_for(agree, limit=SETTLE_LIMIT)
        assert not found, "\n".join(["out of step:", *found, "after:", *self.happened])


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("HUB_STEP_SEED") or random.SystemRandom().getrandbits(32))
    print(f"HUB_STEP_SEED={seed}")  # shown when the test fails
    return random.Random(seed)


@pytest.fixture
def world(
    browser_as: Callable[..., BrowserContext], complaints: Complaints, chance: random.Random
) -> Iterator[World]:
    # What a browser says of requests that the network has lost.
    complaints.allow(r"net::ERR_|WebSocket connection")
    environ = {"PYTHONPATH": str(PLUGINS), "OFFICE_TOKEN": TOKEN}
    with ExitStack() as stack:
        hub = stack.enter_context(running_hub(config=CONFIG, environ=environ))
        admin = hub.client()
        admin.post(
            "roles",
            {"name": "Texts only", "capabilities": ["messages.view", "messages.send"]}
            | {"channels": sorted(LIMITED)},
        )
        people: list[Person] = []
        for name, role, channels, size in (
            ("Ana", None, None, WIDE),
            ("Lena", "Texts only", LIMITED, WIDE),
            ("Ben", "User SMS", None, PHONE),
        ):
            client = admin if role is None else hub.client(_added(hub, name, role), PASSWORD)
            network = stack.enter_context(Network(hub.port, chance))
            context = browser_as(client, network.base_url, viewport=size)
            people.append(Person(name, client, channels, context, network))
        yield World(hub, people, chance)


def _added(hub: HubProcess, name: str, role: str) -> str:
    email = f"{name.lower()}@example.com"
    words = ("--name", name, "--role", role, "--password-stdin")
    added = hub.run("user", "add", email, *words, input_=PASSWORD + "\n")
    assert added.returncode == 0, added.stderr
    return email


@pytest.mark.timeout(300 + STEPS * 4)
@pytest.mark.feature("RT-03")
def test_pages_stay_in_step_with_the_database_whatever_happens(world: World) -> None:
    for _ in CUSTOMERS:
        world.customer_writes()
    for person in world.people:
        person.inbox.go("/messages")
        expect(person.inbox.rows.first).to_be_visible()
    world.rest()
    while world.left > 0:
        for _ in range(world.chance.randint(*RESTS_AFTER)):
            world.act()
        world.rest()
    assert all(person.inbox.never_reloaded for person in world.people)
    times = Counter(Books(Path(world.hub.folder) / "data" / "hub.db").texts())
    assert [text for text, often in times.items() if often > 1] == [], "twice"
    wrote = {text for person in world.people for text in person.wrote}
    assert wrote - times.keys() == set(), "written and lost"
