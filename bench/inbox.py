"""The conversation list as it grows: a page, one far down, every filter, the counts, searches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from itertools import product
from typing import Any

from msgspec import Struct

from bench.filling import PHONE, fill
from bench.machine import LOAD_CPU, on_cpu
from bench.options import Options
from bench.results import Figure, Samples, Section, percentile
from bench.servers import Hub, empty, postgres, scalar, scratch
from hub.edge.paging import cursor_of
from hub.rules.search import parse
from hub.store.database import Database
from hub.store.inbox import FILTERS, STATUSES, Filter, filter_counts, inbox_page
from hub.store.scope import Scope
from hub.store.search import search
from tests.hubs import Client
from tests.services import free_port

LENGTH = 50
SIZES = {"10k": 10_000, "100k": 100_000, "1M": 1_000_000}
METHOD = """\
Conversations of one organisation, three entries each, filled in by the database itself; a third
unassigned, a tenth one's own, one in twenty unread, one in twelve in need of a response, two in
five closed. "store" is the query's function in a read transaction, in this process; "HTTP" the same
through a hub on the other core, which makes the answer as well. A page has 50 rows; "deep" begins
in the middle of the list. The worst filter is the slowest of all twenty pairs of filter and status,
the worst search the slowest of five: a word of every entry, a word of one, four words that stand
together, a name, the end of a phone number. The cache is warm."""
LOOKS = ("page", "deep page", "page, worst filter", "counts", "worst search")


Worst = dict[tuple[str, str], str]
"""Which of several ways to look was the slowest, by what was looked at and where."""


class Place(Struct):
    """Where the list is looked at."""

    organisation: int
    member: int
    middle: tuple[int, int]
    """``sort_at`` and id of the row in the middle."""

    @property
    def searches(self) -> dict[str, str]:
        """What is typed into the search, by what it looks for."""
        customer = self.middle[1]
        return {
            "a word of all": "drips",
            "a word of one": f"job{customer}",
            "a phrase": '"come to look at"',
            "a name": f"customer {customer}",
            "a number": str(PHONE + customer)[-7:],
        }


def measure(options: Options) -> Section:
    """Both databases, smaller to larger."""
    samples, worst = Samples(), Worst()
    sizes = ["10k"] if options.quick else ["10k", "100k", *(["1M"] if options.large else [])]
    with postgres() as server:
        for database, size in product(("SQLite", "PostgreSQL"), sizes):
            options.say(f"inbox: {database}, {size}")
            with ExitStack() as stack:
                url = stack.enter_context(empty(server)) if database == "PostgreSQL" else None
                folder = stack.enter_context(scratch())
                hub = Hub(folder, free_port(), database=url)
                with hub:
                    pass  # it has made the tables, the organisation and its first member
                fill(hub.database, SIZES[size])
                stack.enter_context(hub.start())
                stack.enter_context(on_cpu(LOAD_CPU))
                at = f"{database}, {size}"
                place = _place(hub.database, SIZES[size])
                rounds = 10 if options.quick else 10 * options.repeat
                asyncio.run(_store(samples, worst, at, hub.database, place, rounds))
                _http(samples, worst, at, hub.client(), place, rounds)
    figures = [] if options.quick else _figures(samples, worst, sizes)
    return Section(
        title="The conversation list", method=METHOD, rows=samples.rows(), figures=figures
    )


def _place(url: str, count: int) -> Place:
    newest = "SELECT {} FROM threads ORDER BY sort_at DESC, id DESC LIMIT 1 OFFSET {}"
    sort_at, id_ = (scalar(url, newest.format(column, count // 2)) for column in ("sort_at", "id"))
    return Place(
        organisation=scalar(url, "SELECT id FROM organisations"),
        member=scalar(url, "SELECT id FROM members"),
        middle=(sort_at, id_),
    )


async def _store(
    samples: Samples, worst: Worst, at: str, url: str, place: Place, rounds: int
) -> None:
    database = Database(url)
    scope = Scope(place.organisation)

    def page(wanted: Filter, after: tuple[int, int] | None = None) -> Callable[[], Awaitable[Any]]:
        look = partial(inbox_page, scope=scope, wanted=wanted, limit=LENGTH, after=after)
        return partial(database.read, look)

    def counts(wanted: Filter) -> Callable[[], Awaitable[Any]]:
        return partial(database.read, partial(filter_counts, scope=scope, wanted=wanted))

    def found(typed: str) -> Callable[[], Awaitable[Any]]:
        look = partial(search, scope=scope, query=parse(typed), limit=LENGTH)
        return partial(database.read, look)

    everything = Filter(status="all", me=place.member)
    filters = {
        f"{status}, {name}": Filter(status=status, filter=name, me=place.member)
        for status, name in product(STATUSES, FILTERS)
    }
    looks = {
        "page": {"": page(everything)},
        "deep page": {"": page(everything, place.middle)},
        "page, worst filter": {name: page(wanted) for name, wanted in filters.items()},
        "counts": {"": counts(everything)},
        "worst search": {name: found(typed) for name, typed in place.searches.items()},
    }
    for what, ways in looks.items():
        timed = {name: await _timed(way, rounds) for name, way in ways.items()}
        _add(samples, worst, f"store: {what}", at, timed)
    await database.close()


async def _timed(way: Callable[[], Awaitable[Any]], rounds: int) -> list[float]:
    """Milliseconds of each call, after a first one that nobody counts."""
    await way()
    times: list[float] = []
    for _ in range(rounds):
        start = time.perf_counter()
        await way()
        times.append((time.perf_counter() - start) * 1000)
    return times


def _http(
    samples: Samples, worst: Worst, at: str, client: Client, place: Place, rounds: int
) -> None:
    everything = {"status": "all", "limit": LENGTH}
    requests: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
        "page": {"": ("threads", everything)},
        "deep page": {"": ("threads", {**everything, "cursor": cursor_of(*place.middle)})},
        "page, worst filter": {
            f"{status}, {name}": ("threads", {"status": status, "filter": name, "limit": LENGTH})
            for status, name in product(STATUSES, FILTERS)
        },
        "counts": {"": ("threads/counts", {"status": "all"})},
        "worst search": {
            name: ("threads", {"q": typed, "limit": LENGTH})
            for name, typed in place.searches.items()
        },
    }
    for what, ways in requests.items():
        timed = {name: _requested(client, *way, rounds) for name, way in ways.items()}
        _add(samples, worst, f"HTTP: {what}", at, timed)


def _requested(client: Client, path: str, query: dict[str, Any], rounds: int) -> list[float]:
    client.get(path, **query)
    times: list[float] = []
    for _ in range(rounds):
        start = time.perf_counter()
        client.get(path, **query)
        times.append((time.perf_counter() - start) * 1000)
    return times


def _add(samples: Samples, worst: Worst, what: str, at: str, timed: dict[str, list[float]]) -> None:
    name, times = max(timed.items(), key=lambda one: percentile(one[1], 0.5))
    worst[what, at] = name
    samples.add(what, at, {"p50 ms": percentile(times, 0.5), "p99 ms": percentile(times, 0.99)})


def _figures(samples: Samples, worst: Worst, sizes: list[str]) -> list[Figure]:
    figures: list[Figure] = []
    for database, way in product(("SQLite", "PostgreSQL"), ("store", "HTTP")):
        for what in LOOKS:
            times = [
                samples.median(f"{way}: {what}", f"{database}, {size}", "p50 ms") for size in sizes
            ]
            name = worst[f"{way}: {what}", f"{database}, 100k"]
            figures.append(
                Figure(
                    what=f"{database}, {way}: {what}, 100k over 10k conversations",
                    values=[times[1] / times[0]],
                    unit="times",
                    floor=f"{' / '.join(f'{ms:.2f}' for ms in times)} ms at {' / '.join(sizes)}"
                    + (f" ({name})" if name else ""),
                    goal=2.0 if "page" in what else None,
                    better="less",
                )
            )
    return figures
