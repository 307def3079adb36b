"""The conversation list as it grows: pages, every filter, ranges of time, counts, searches; for who
sees everything and for roles that do not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from itertools import product
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from bench.filling import BRANCH, PHONE, SECOND, fill
from bench.machine import LOAD_CPU, on_cpu
from bench.options import Options
from bench.results import Figure, Samples, Section, percentile
from bench.servers import Hub, empty, postgres, scalar, scratch
from hub.edge.paging import cursor_of
from hub.rules.search import parse
from hub.store.database import LONGEST_READ, Database, ReadTooLong
from hub.store.inbox import FILTERS, STATUSES, Filter, filter_counts, inbox_page
from hub.store.scope import Scope
from hub.store.search import search
from tests.hubs import Client
from tests.services import free_port

LENGTH = 50
SIZES = {"10k": 10_000, "100k": 100_000, "1M": 1_000_000}
METHOD = """\
Conversations of one organisation, a minute apart, three entries each, which lie up to 200 days
apart, filled in by the database itself; a third unassigned, a tenth one's own, one in twenty
unread, one in twelve in need of a response, two in five closed; a tenth has an entry on a
second channel, a tenth came through a number of its own. "store" is the query's function in a
read transaction, in this process; "HTTP" the same through a hub on the other core, which makes
the answer as well. A page has 50 rows; "deep" begins in the middle of the list. The worst
filter is the slowest of all 24 pairs of filter and status. A range "until now" is the worst of
half a day, a week and 30 days; a past one the worst of an hour, a day, a week and 90 days, each
a fiftieth, a fifth, a half and nine tenths back. The worst search is the slowest of: a word of
every entry, of one in 20, of one in 1,000, of one, of none, two frequent words, the beginning
of a word, four words that stand together, a name, the name that all have, the end of a phone
number, three digits. A list is narrowed to the channel of all, the second one, or the rarer number.
Roles that see one channel of two, both by name, the second, or one number alone look at the same
in lists that have been filled. The cache is warm."""
DAY = 24 * 3600 * 1000
NOW = {"half a day": DAY // 2, "a week": 7 * DAY, "30 days": 30 * DAY}
PAST = {"an hour": DAY // 24, "a day": DAY, "a week": 7 * DAY, "90 days": 90 * DAY}
BACK = {"1/50": 0.02, "1/5": 0.2, "1/2": 0.5, "9/10": 0.9}
EYES = {
    "all": None,
    "one channel": frozenset({"sms"}),
    "both channels": frozenset({"sms", SECOND}),
    "a rare channel": frozenset({SECOND}),
    "one number": frozenset({f"sms {BRANCH}"}),
}
SLOW = 1_000.0
"""Milliseconds after which something is not repeated."""
FLAT = 2.0
PAST_GOAL = 60.0
"""Milliseconds for what is over, wherever it lies."""


Ways = dict[str, Callable[[], Awaitable[Any]]]
Worst = dict[tuple[str, str], str]
"""Which of several ways to look was the slowest, by what was looked at and where."""


class Place(Struct):
    """Where the list is looked at."""

    organisation: int
    member: int
    middle: tuple[int, int]
    """``sort_at`` and id of the row in the middle."""
    newest: int
    oldest: int
    """The ``sort_at`` of the first and last row."""

    @property
    def searches(self) -> dict[str, str]:
        """What is typed into the search, by what it looks for."""
        customer = self.middle[1]
        return {
            "a word of all": "drips",
            "a word of one in 20": "today",
            "a word of one in 1,000": "urgent",
            "a word of one": f"job{customer}",
            "a word of none": "umbrella",
            "two frequent words": "today drips",
            "the beginning of a word": "dri",
            "a phrase": '"come to look at"',
            "a name": f"customer {customer}",
            "a name of all": "customer",
            "a number": str(PHONE + customer)[-7:],
            "three digits": str(PHONE + customer)[-3:],
        }

    def past(self) -> dict[str, Filter]:
        """Ranges that are over, by how long they are and where they lie."""
        everything = Filter(status="all", me=self.member)
        found: dict[str, Filter] = {}
        for (name, length), (where, share) in product(PAST.items(), BACK.items()):
            until = int(self.newest - (self.newest - self.oldest) * share)
            found[f"{name}, {where}"] = replace(everything, since=until - length, until=until)
        return found


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
                fill(hub.database, SIZES[size], filter(None, EYES.values()))
                stack.enter_context(hub.start())
                stack.enter_context(on_cpu(LOAD_CPU))
                at = f"{database}, {size}"
                place = place_of(hub.database, SIZES[size])
                rounds = 10 if options.quick else 10 * options.repeat
                asyncio.run(look_at_store(samples, worst, at, hub.database, place, rounds))
                _http(samples, worst, at, hub.client(), place, rounds)
    figures = [] if options.quick else _figures(samples, worst, sizes)
    return Section(
        title="The conversation list", method=METHOD, rows=samples.rows(), figures=figures
    )


def place_of(url: str, count: int) -> Place:
    """Where the list of the only organisation, of ``count`` conversations, is looked at."""
    row = "SELECT {} FROM threads ORDER BY sort_at DESC, id DESC LIMIT 1 OFFSET {}"
    sort_at, id_ = (scalar(url, row.format(column, count // 2)) for column in ("sort_at", "id"))
    return Place(
        organisation=scalar(url, "SELECT id FROM organisations"),
        member=scalar(url, "SELECT id FROM members"),
        middle=(sort_at, id_),
        newest=scalar(url, row.format("sort_at", 0)),
        oldest=scalar(url, row.format("sort_at", count - 1)),
    )


async def look_at_store(
    samples: Samples, worst: Worst, at: str, url: str, place: Place, rounds: int
) -> None:
    """Every way to look, without HTTP."""
    database = Database(url)
    for what, ways in _ways(database, place).items():
        timed = {name: await _timed(way, rounds) for name, way in ways.items()}
        _add(samples, worst, f"store: {what}", at, timed)
    await database.close()


def _ways(database: Database, place: Place) -> dict[str, Ways]:
    def page(scope: Scope, wanted: Filter, after: tuple[int, int] | None = None) -> Any:
        look = partial(inbox_page, scope=scope, wanted=wanted, limit=LENGTH, after=after)
        return partial(database.read, look)

    def counts(scope: Scope, wanted: Filter) -> Any:
        return partial(database.read, partial(filter_counts, scope=scope, wanted=wanted))

    def searches(scope: Scope) -> Ways:
        return {
            name: partial(
                database.read, partial(search, scope=scope, query=parse(typed), limit=LENGTH)
            )
            for name, typed in place.searches.items()
        }

    late = place.newest - DAY // 3
    everything = Filter(status="all", me=place.member, late_since=late)
    filters = {
        f"{status}, {name}": replace(everything, status=status, filter=name)
        for status, name in product(STATUSES, FILTERS)
    }
    ranges = {name: place.newest - length for name, length in NOW.items()}
    eyes = {name: Scope(place.organisation, places) for name, places in EYES.items()}
    whole = eyes.pop("all")
    past = place.past()
    found: dict[str, Ways] = {
        "page": {"": page(whole, everything)},
        "deep page": {"": page(whole, everything, place.middle)},
        "page, worst filter": {name: page(whole, wanted) for name, wanted in filters.items()},
        "page, range until now": {
            f"{name}, {which}": page(whole, replace(wanted, since=since))
            for (name, since), (which, wanted) in product(ranges.items(), filters.items())
        },
        "page, past range": {name: page(whole, wanted) for name, wanted in past.items()},
        "counts": {name: counts(whole, wanted) for name, wanted in filters.items()},
        "counts, range until now": {
            name: counts(whole, replace(everything, since=since)) for name, since in ranges.items()
        },
        "counts, past range": {name: counts(whole, wanted) for name, wanted in past.items()},
        "worst search": searches(whole),
    }
    places = {
        "a channel of all": replace(everything, channels=("sms",)),
        "a rare channel": replace(everything, channels=(SECOND,)),
        "a number": replace(everything, own=(BRANCH,)),
    }
    found["page, narrowed to a place"] = {name: page(whole, one) for name, one in places.items()}
    found["counts, narrowed to a place"] = {
        name: counts(whole, one) for name, one in places.items()
    }
    for name, scope in eyes.items():
        found[f"{name}: page"] = {"": page(scope, everything)}
        found[f"{name}: page, worst filter"] = {
            which: page(scope, wanted) for which, wanted in filters.items()
        }
        found[f"{name}: page, range until now"] = {
            which: page(scope, replace(everything, since=since)) for which, since in ranges.items()
        }
        found[f"{name}: counts"] = {which: counts(scope, one) for which, one in filters.items()}
        found[f"{name}: counts, range until now"] = {
            which: counts(scope, replace(everything, since=since))
            for which, since in ranges.items()
        }
        found[f"{name}: page, past range"] = {
            which: page(scope, one) for which, one in past.items()
        }
        found[f"{name}: counts, past range"] = {
            which: counts(scope, one) for which, one in past.items()
        }
        found[f"{name}: page, narrowed to a place"] = {
            which: page(scope, one) for which, one in places.items()
        }
        found[f"{name}: counts, narrowed to a place"] = {
            which: counts(scope, one) for which, one in places.items()
        }
        found[f"{name}: worst search"] = searches(scope)
    return found


async def _timed(way: Callable[[], Awaitable[Any]], rounds: int) -> list[float]:
    """Milliseconds of each call, after a first one that nobody counts; of one that was ended, how
    long it had been let."""
    times: list[float] = []
    try:
        await way()
        while len(times) < rounds and not (times and times[-1] > SLOW):
            start = time.perf_counter()
            await way()
            times.append((time.perf_counter() - start) * 1000)
    except ReadTooLong:
        times.append(LONGEST_READ * 1000)
    return times


def _http(
    samples: Samples, worst: Worst, at: str, client: Client, place: Place, rounds: int
) -> None:
    everything = {"status": "all", "limit": LENGTH}
    ranges = ("today", "week", "30d")
    requests: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
        "page": {"": ("threads", everything)},
        "deep page": {"": ("threads", {**everything, "cursor": cursor_of(*place.middle)})},
        "page, worst filter": {
            f"{status}, {name}": ("threads", {"status": status, "filter": name, "limit": LENGTH})
            for status, name in product(STATUSES, FILTERS)
        },
        "page, range until now": {
            name: ("threads", {**everything, "range": name}) for name in ranges
        },
        "counts": {"": ("threads/counts", {"status": "all"})},
        "counts, range until now": {
            name: ("threads/counts", {"status": "all", "range": name}) for name in ranges
        },
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
    """Each look, the largest organisation over the smallest."""
    figures: list[Figure] = []
    small, large = sizes[0], sizes[-1]
    for what, database in dict.fromkeys((what, at.partition(",")[0]) for what, at in worst):
        times = [samples.median(what, f"{database}, {size}", "p50 ms") for size in sizes]
        name = worst[what, f"{database}, {large}"]
        beside = f"{' / '.join(f'{ms:.2f}' for ms in times)} ms at {' / '.join(sizes)}"
        beside += f" ({name})" if name else ""
        past = "past range" in what
        figures.append(
            Figure(
                what=f"{database}, {what}, {large}{'' if past else f' over {small}'} conversations",
                values=[times[-1] if past else times[-1] / times[0]],
                unit="ms" if past else "times",
                floor=beside,
                goal=PAST_GOAL if past else FLAT,
                better="less",
            )
        )
    return figures
