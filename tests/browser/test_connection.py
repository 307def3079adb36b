"""When the server or the network goes away: nothing is missed, nothing comes twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, WebSocketRoute, expect

from tests.browser.conftest import CONFIG, Complaints
from tests.browser.office import Office
from tests.browser.screen import Inbox, shown, written
from tests.hubs import Client, HubProcess, running_hub

BANNER = "Real-time updates paused"


class Network:
    """What a tab's stream goes through; a test cuts it."""

    def __init__(self, inbox: Inbox) -> None:
        self.cut = False
        self.refused = 0
        """Sockets that were asked for and not let through."""
        self._sockets: list[WebSocketRoute] = []
        inbox.page.route_web_socket(re.compile("/stream"), self._connect)

    def _connect(self, socket: WebSocketRoute) -> None:
        if self.cut:
            self.refused += 1
            socket.close()
            return
        socket.connect_to_server()
        self._sockets.append(socket)

    def drop(self) -> None:
        """Every socket ends, and no new one is let through."""
        self.cut = True
        for socket in self._sockets:
            socket.close()
        self._sockets.clear()


@pytest.fixture
def cut_off(anas_browser: BrowserContext) -> tuple[Inbox, Network]:
    """A tab whose stream can be cut."""
    inbox = Inbox(anas_browser.new_page())
    return inbox, Network(inbox)


@pytest.mark.feature("RT-03", "SHELL-06")
def test_what_came_while_the_stream_was_away_is_there_exactly_once(
    cut_off: tuple[Inbox, Network], ana: Client, number: str, complaints: Complaints
) -> None:
    inbox, network = cut_off
    complaints.allow("ERR_FAILED")
    written(ana, number, "before")
    inbox.go().open(number)
    expect(inbox.entry("before")).to_be_visible()
    inbox.page.route("**/changes?*", lambda route: route.abort())
    network.drop()
    strangers = [f"{number[:5]}88{digit}{number[8:]}" for digit in range(5)]
    for place, stranger in enumerate(strangers):
        ana.text(stranger, f"stranger {place}", channel="front")
        ana.text(number, f"missed {place}", channel="front")
    banner = inbox.page.get_by_role("status").filter(has_text=BANNER)
    expect(banner).to_be_visible()
    expect(inbox.entry("missed")).to_have_count(0)
    expect(inbox.row(strangers[0])).to_have_count(0)

    network.cut = False
    # At once, before the page tries by itself.
    banner.get_by_role("button", name="Retry now").dispatch_event("click")
    expect(banner).to_have_count(0)
    expect(inbox.entry("missed").locator(".bubble")).to_have_text(
        [f"missed {place}" for place in range(5)]
    )
    for stranger in strangers:
        expect(inbox.row(stranger)).to_have_count(1)
    expect(inbox.page.get_by_text("Back in step")).to_be_visible()
    assert inbox.never_reloaded


@pytest.mark.feature("RT-01", "RT-03")
def test_where_no_socket_is_let_through_the_inbox_is_live_all_the_same(
    cut_off: tuple[Inbox, Network], ana: Client, number: str
) -> None:
    inbox, network = cut_off
    network.cut = True
    written(ana, number)
    with inbox.page.expect_request(re.compile(r"/changes\?since=.*wait=25")):
        inbox.go().open(number)
    expect(inbox.entry("Hello")).to_be_visible()
    for place in range(3):
        ana.text(number, f"by another way {place}", channel="front")
        expect(inbox.entry(f"by another way {place}")).to_have_count(1)
    expect(inbox.page.get_by_text(BANNER)).to_have_count(0)
    assert network.refused >= 1

    # A proxy that is mended meanwhile: what comes from then on comes by the socket.
    network.cut = False
    with inbox.page.expect_websocket(lambda socket: "/stream" in socket.url):
        inbox.page.evaluate("dispatchEvent(new Event('online'))")
    ana.text(number, "by the socket again", channel="front")
    expect(inbox.entry("by the socket again")).to_have_count(1)
    expect(inbox.page.get_by_text(BANNER)).to_have_count(0)
    assert inbox.never_reloaded


@pytest.mark.feature("SHELL-06")
def test_who_comes_back_to_the_page_is_in_step_at_once(
    cut_off: tuple[Inbox, Network], ana: Client, number: str, complaints: Complaints
) -> None:
    inbox, network = cut_off
    complaints.allow("ERR_FAILED")
    written(ana, number, "before")
    inbox.go().open(number)
    expect(inbox.entry("before")).to_be_visible()
    inbox.page.route("**/changes?*", lambda route: route.abort())
    banner = inbox.page.get_by_role("status").filter(has_text=BANNER)
    for event in ("online", "focus"):
        network.drop()
        expect(banner).to_be_visible()
        ana.text(number, f"missed until {event}", channel="front")
        network.cut = False
        inbox.page.evaluate("event => dispatchEvent(new Event(event))", event)
        expect(banner).to_have_count(0)
        expect(inbox.entry(f"missed until {event}")).to_have_count(1)
    assert inbox.never_reloaded


@pytest.fixture
def mortal() -> Iterator[HubProcess]:
    """A hub of the test's own, to be killed."""
    with running_hub(config=CONFIG) as running:
        yield running


@pytest.mark.feature("RT-03")
def test_a_killed_server_comes_back_and_nothing_is_missed_or_doubled(
    mortal: HubProcess,
    browser_as: Callable[..., BrowserContext],
    number: str,
    complaints: Complaints,
) -> None:
    complaints.allow(r"net::ERR_|WebSocket")
    ana = mortal.client()
    written(ana, number, "text 0")
    inbox = Inbox(browser_as(ana, mortal.base_url).new_page()).go().open(number)
    expect(inbox.entry("text 0")).to_be_visible()
    for place in range(1, 8):
        ana.text(number, f"text {place}", channel="front")
    port = mortal.port
    mortal.kill()

    banner = inbox.page.get_by_role("status").filter(has_text=BANNER)
    expect(banner).to_be_visible()
    inbox.send("Written while nobody was there")
    expect(inbox.entry("Written while")).to_contain_text("Sending")
    mortal.start(port=port)
    ana.text(number, "text 8", channel="front")
    expect(banner).to_have_count(0, timeout=60_000)
    expect(inbox.entry("text 8")).to_be_visible()
    expect(inbox.entry("Written while")).to_contain_text(re.compile("Delivered|Read"))
    texts = [f"text {place}" for place in range(9)]
    bubbles = inbox.log.locator(".bubble").filter(has_text="text ")
    expect(bubbles).to_have_count(9)
    assert sorted(bubbles.all_inner_texts()) == texts
    expect(inbox.entry("Written while")).to_have_count(1)
    on_phone = [one["text"] for one in ana.phone(number, channel="front")["messages"]]
    assert on_phone.count("Written while nobody was there") == 1
    expect(inbox.rows.filter(has_text=shown(number))).to_have_count(1)
    assert inbox.never_reloaded
    ana.close()


@pytest.mark.feature("RT-04")
def test_whoever_comes_in_another_form_is_the_same_row(desk: Inbox, office: Office) -> None:
    forms = {
        "texts": ("+12025558801", "+1 (202) 555-8801", "tel:+1-202-555-8801"),
        "mail": ("Elif.Kaya@Forms.example", "elif.kaya@forms.example", "ELIF.KAYA@forms.example"),
    }
    for channel, senders in forms.items():
        rows = desk.rows.filter(has_text=re.compile("202-?.?555-?.?8801|elif.kaya@forms"))
        before = rows.count()
        for place, sender in enumerate(senders):
            text = f"{channel} form {place}"
            office.message(channel, sender, text)
            row = desk.rows.filter(has_text=text)
            expect(row).to_have_count(1)
            expect(row.locator(".badge")).to_have_text(str(place + 1))
            assert rows.count() == before + 1
    assert desk.never_reloaded
