"""The inbox in a browser: how soon it shows what was asked for, and whether it stays smooth."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from bench.filling import PHONE, fill
from bench.options import Options
from bench.results import Figure, Samples, Section, percentile
from bench.servers import Hub, scratch
from bench.webhooks import PATH, sign, text
from tests.services import find_chromium, free_port

ROWS = 10_000
A_SECOND = 20
"""Changes that come in meanwhile."""
CONVERSATIONS = 500
SLOWER = 4
"""How many times a phone's processor is slower."""
HELP = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
METHOD = f"""\
Chromium without a window, 1440 x 900, and the hub share the machine's cores; the page is the one
that is served. "Painted" is the first frame after which all of it is there. Cold: nothing in the
browser's cache, from the beginning of the navigation. A cached conversation was open before, one
that is not was never named; both have three entries. Presses are made by the page itself, so no
intent is seen beforehand and nothing is fetched ahead. Changes are signed texts of customers in the
list, {A_SECOND} a second; a long task is one of more than 50 ms on the page's thread. The heap is
looked at after the collector has run. Whoever looks has been shown around before."""


def measure(options: Options) -> Section:
    """All of it, in a hub with as many conversations as the list is given."""
    samples = Samples()
    rows = 500 if options.quick else ROWS
    with ExitStack() as stack:
        hub = stack.enter_context(Hub(stack.enter_context(scratch()), free_port()))
        hub.stop()  # it has made the tables, the organisation and its first member
        fill(hub.database, rows)
        hub.start()
        hub.client().http.patch("/api/v1/me", json={"toured": True}).raise_for_status()
        browser = stack.enter_context(_chromium())
        for _ in range(options.repeat):
            with _signed_in(browser, hub) as page:
                _openings(page, samples, options)
                _live(page, hub, samples, options)
                _memory(page, samples, options)
            with _signed_in(browser, hub) as page:
                _scrolling(page, hub, rows, samples, options)
            _first_paint(browser, hub, samples, options)
    return Section(title="The inbox in a browser", method=METHOD, rows=samples.rows(),
                   figures=_figures(samples))  # fmt: skip


def _figures(samples: Samples) -> list[Figure]:
    def figure(what: str, of: tuple[str, str, str], unit: str, goal: float, more: bool = False):
        return Figure(
            what=what,
            values=samples.values(*of),
            unit=unit,
            goal=goal,
            better="more" if more else "less",
        )

    return [
        figure("First rows painted, cold", ("first rows", "desktop", "p50 ms"), "ms", 400),
        figure("Blocked meanwhile", ("first rows", "desktop", "blocked ms"), "ms", 0),
        figure("Open a cached conversation", ("open", "cached", "p50 ms"), "ms", 50),
        figure("Open a cached conversation, p95", ("open", "cached", "p95 ms"), "ms", 80),
        figure("Open one that is not cached", ("open", "not cached", "p50 ms"), "ms", 150),
        figure("Press a filter", ("press a filter", "desktop", "p50 ms"), "ms", 30),
        figure("Frames while scrolling", ("scroll", "all rows", "frames/s"), "frames/s", 58, True),
        figure("Long tasks while scrolling", ("scroll", "all rows", "long tasks"), "", 0),
        figure("Long tasks, live", ("live", "list and thread", "long tasks"), "", 0),
        figure("Script, live", ("live", "list and thread", "script ms/s"), "ms/s", 60),
        figure("Input delay, live", ("live", "list and thread", "input ms"), "ms", 100),
        figure("Layout shift, live", ("live", "list and thread", "shift"), "", 0.02),
        figure("Heap with all rows", ("heap", "all rows", "MB"), "MB", 30),
        figure("Heap after many conversations over after few", ("heap", "many", "over few"),
               "times", 1.1),
    ]  # fmt: skip


@contextmanager
def _chromium() -> Generator[Browser]:
    program = find_chromium()
    if program is None:
        raise SystemExit("Chromium is missing; Debian, Ubuntu: sudo apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def _context(browser: Browser, hub: Hub) -> Generator[BrowserContext]:
    context = browser.new_context(
        base_url=hub.base_url, viewport={"width": 1440, "height": 900}, locale="en-US"
    )
    context.add_init_script(HELP)
    cookies = hub.client().http.cookies.jar
    context.add_cookies(
        [{"name": each.name, "value": each.value or "", "url": hub.base_url} for each in cookies]
    )
    try:
        yield context
    finally:
        context.close()


@contextmanager
def _signed_in(browser: Browser, hub: Hub) -> Generator[Page]:
    with _context(browser, hub) as context:
        page = context.new_page()
        page.goto("/messages?status=all&range=all")
        page.evaluate("bench.firstRow()")
        page.wait_for_load_state("networkidle")
        yield page


def _first_paint(browser: Browser, hub: Hub, samples: Samples, options: Options) -> None:
    for at, slower in (("desktop", 1), (f"{SLOWER} times slower", SLOWER)):
        options.say(f"page: first rows, {at}")
        painted: list[float] = []
        blocked: list[float] = []
        for _ in range(2 if options.quick else 7):
            with _context(browser, hub) as context:
                page = context.new_page()
                if slower > 1:
                    devtools = context.new_cdp_session(page)
                    devtools.send("Emulation.setCPUThrottlingRate", {"rate": slower})
                page.goto("/messages?status=all&range=all")
                painted.append(page.evaluate("bench.firstRow()"))
                page.wait_for_load_state("networkidle")
                blocked.append(page.evaluate("bench.seen()")["blocking"])
        samples.add("first rows", at, {"p50 ms": percentile(painted, 0.5),
                                       "blocked ms": percentile(blocked, 0.5)})  # fmt: skip


def _openings(page: Page, samples: Samples, options: Options) -> None:
    options.say("page: conversations opened")
    rows: list[str] = page.evaluate("bench.rows()")[:12]
    first = [page.evaluate("(row) => bench.open(row)", row) for row in rows]
    again = [
        page.evaluate("(row) => bench.open(row)", row)
        for _ in range(2 if options.quick else 5)
        for row in rows
    ]
    for at, took in (("not cached", first), ("cached", again)):
        samples.add("open", at, {"p50 ms": percentile(took, 0.5), "p95 ms": percentile(took, 0.95)})
    options.say("page: filters and search")
    names = ["Mine", "Unassigned", "Needs response", "Unread", "All"]
    filters = page.get_by_role("group", name="Filters")
    took = []
    for name in names * (1 if options.quick else 4):
        button = filters.get_by_role("button", name=name).first.element_handle()
        took.append(page.evaluate("(button) => bench.press(button)", button))
        page.wait_for_load_state("networkidle")
    _spread(samples, "press a filter", took)


def _spread(samples: Samples, what: str, took: Sequence[float]) -> None:
    samples.add(
        what, "desktop", {"p50 ms": percentile(took, 0.5), "p95 ms": percentile(took, 0.95)}
    )


def _live(page: Page, hub: Hub, samples: Samples, options: Options) -> None:
    """List and thread open while changes come; a key is pressed every second."""
    seconds = 5 if options.quick else 60
    options.say(f"page: {A_SECOND} changes a second for {seconds} s")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    page.evaluate("(row) => bench.open(row)", page.evaluate("bench.rows()")[3])
    composer = page.get_by_role("textbox", name="Message", exact=True)
    composer.click()
    page.evaluate("bench.forget()")
    before = _script(devtools)
    with _changes(hub, 40):
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            page.keyboard.press("x")
            page.wait_for_timeout(1_000)
    seen = page.evaluate("bench.seen()")
    samples.add(
        "live",
        "list and thread",
        {
            "script ms/s": (_script(devtools) - before) * 1000 / seconds,
            "long tasks": seen["longTasks"],
            "longest ms": seen["longest"],
            "input ms": seen["input"],
            "shift": seen["shift"],
        },
    )
    composer.fill("")


def _scrolling(page: Page, hub: Hub, rows: int, samples: Samples, options: Options) -> None:
    options.say(f"page: {rows:,} rows scrolled")
    page.evaluate("(count) => bench.fill(count)", rows - 50)
    samples.add("heap", "all rows", {"MB": _heap(page)})
    page.evaluate("bench.forget()")
    with _changes(hub, rows):
        frames = page.evaluate("(seconds) => bench.scroll(seconds)", 2 if options.quick else 5)
    seen = page.evaluate("bench.seen()")
    samples.add(
        "scroll",
        "all rows",
        {"frames/s": frames, "long tasks": seen["longTasks"], "longest ms": seen["longest"]},
    )


def _memory(page: Page, samples: Samples, options: Options) -> None:
    """The heap must not grow with what was opened. As often the same few are opened before: the
    browser keeps what it has compiled of scripts that run often."""
    many = 40 if options.quick else CONVERSATIONS
    few = many // 5
    options.say(f"page: {many} conversations opened")
    page.evaluate("(count) => bench.fill(count)", many + 50)
    heaps: list[float] = []
    for number, times in ((few, many // few), (many, 1)):
        for _ in range(times):
            page.evaluate("(count) => bench.openAll(count)", number)
        heaps.append(_heap(page))
    samples.add("heap", "few", {"MB": heaps[0]})
    samples.add("heap", "many", {"MB": heaps[1], "over few": heaps[1] / heaps[0]})


def _heap(page: Page) -> float:
    devtools = page.context.new_cdp_session(page)
    for _ in range(2):
        devtools.send("HeapProfiler.collectGarbage")
    return devtools.send("Runtime.getHeapUsage")["usedSize"] / 1e6


def _script(devtools: Any) -> float:
    """Seconds that scripts have run so far."""
    found = devtools.send("Performance.getMetrics")["metrics"]
    return next(each["value"] for each in found if each["name"] == "ScriptDuration")


@contextmanager
def _changes(hub: Hub, customers: int) -> Generator[None]:
    """Texts of customers in turn, as long as the block lasts."""
    ended = threading.Event()
    numbers = itertools.count(int(time.time() * 1000))

    def post() -> None:
        url = f"{hub.base_url}{PATH}"
        with httpx2.Client() as client:
            while not ended.wait(1 / A_SECOND):
                number = next(numbers)
                phone = f"+1{PHONE + 1 + number * 7 % customers}"
                fields = text(number, phone, f"It drips again, {number}")
                headers = {
                    "X-Twilio-Signature": sign(url, fields),
                    "Content-Type": "application/x-www-form-urlencoded",
                }
                client.post(url, content=urlencode(fields), headers=headers).raise_for_status()

    work = threading.Thread(target=post)
    work.start()
    try:
        yield
    finally:
        ended.set()
        work.join()
