"""Signed webhooks to a durable commit, through a real ``hub serve`` and through floors.

Every answer is counted against the rows that are there: a request answered and not stored is a
lost message, whatever its speed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from msgspec import Struct

from bench.machine import LOAD_CPU, SERVER_CPU, cpu_seconds
from bench.options import Options
from bench.results import Figure, Samples, Section
from bench.servers import Floor, Hub, create_floor_tables, empty, postgres, scalar, scratch
from bench.webhooks import FASTEST, PATH, PHONES, Poster, write_webhooks
from tests.services import PostgresServer, free_port

HUB = "hub, SQLite"
COMMIT = "floor: bare ASGI, sqlite3, a commit a request"
GROUP = "floor: Litestar, sqlite3, group commit"
CORE = "floor: Litestar, SQLAlchemy on aiosqlite, a commit a request"
HUB_POSTGRES = "hub, PostgreSQL"
TWO_HUBS = "two hubs, PostgreSQL"
POSTGRES = "floor: Litestar, PostgreSQL, set-wise batches"
FLOORS = {COMMIT: ("commit", "bare"), GROUP: ("group", "litestar"), CORE: ("core", "litestar")}
CONNECTIONS = (64, 16, 1)
WARM_UP = 1
METHOD = """\
`wrk` on one core posts signed texts of 5,000 customers, each text once, to a server on the other
core. A request is answered when its message is committed: SQLite with `synchronous=FULL`,
PostgreSQL with `fsync`. The hub is `hub serve` with the channel `sms-twilio`; a floor checks the
same signature and writes contact, thread, message and journal. In every repetition every server
starts with an empty database, and takes a first text of each customer before it is measured. CPU
is the server process's own. On PostgreSQL its server and the load share what is left of the
machine; two hubs have a core each, and share both with everything else."""


class Target(Struct):
    """Servers that share a database, ready to be posted to."""

    urls: list[str]
    pids: list[int]
    database: str
    table: str

    def stored(self) -> int:
        """The messages there are."""
        return scalar(self.database, f"SELECT count(*) FROM {self.table}")

    def cpu(self) -> float:
        """Seconds the servers have used so far."""
        return sum(map(cpu_seconds, self.pids))


Opened = Callable[[], AbstractContextManager[Target]]


def measure(options: Options) -> Section:
    """Every server at every number of connections, repetition by repetition."""
    samples = Samples()
    with scratch() as folder, ExitStack() as stack:
        port = free_port()
        webhooks = folder / "webhooks.tsv"
        count = PHONES + FASTEST * (WARM_UP + len(CONNECTIONS) * options.seconds)
        write_webhooks(webhooks, f"http://127.0.0.1:{port}{PATH}", count)
        server = stack.enter_context(postgres())
        for _ in range(options.repeat):
            for name, opened in _targets(port, server).items():
                options.say(f"ingest: {name}")
                with opened() as target:
                    _post(samples, name, target, Poster(webhooks), options.seconds)
    return Section(
        title="Webhooks in", method=METHOD, rows=samples.rows(), figures=_figures(samples)
    )


def _targets(port: int, server: PostgresServer) -> dict[str, Opened]:
    """What is measured, in order: each beside what it is compared with."""
    return {
        GROUP: lambda: _floor(port, *FLOORS[GROUP]),
        HUB: lambda: _hub(port),
        CORE: lambda: _floor(port, *FLOORS[CORE]),
        COMMIT: lambda: _floor(port, *FLOORS[COMMIT]),
        POSTGRES: lambda: _postgres_floor(server, port),
        HUB_POSTGRES: lambda: _hubs(server, [port]),
        TWO_HUBS: lambda: _hubs(server, [port, free_port()]),
    }


@contextmanager
def _floor(port: int, store: str, frame: str) -> Generator[Target]:
    with scratch() as folder:
        path = str(folder / "floor.db")
        create_floor_tables(f"sqlite:///{path}")
        with Floor("bench.floors.ingest", store, frame, path, port=port) as floor:
            yield Target([floor.base_url], [floor.pid], f"sqlite:///{path}", "messages")


@contextmanager
def _postgres_floor(server: PostgresServer, port: int) -> Generator[Target]:
    with empty(server) as url:
        create_floor_tables(url)
        with Floor("bench.floors.ingest", "postgres", "litestar", url, port=port) as floor:
            yield Target([floor.base_url], [floor.pid], url, "messages")


@contextmanager
def _hub(port: int) -> Generator[Target]:
    with scratch() as folder, Hub(folder, port) as hub:
        yield Target([hub.base_url], [hub.pid], hub.database, "entries")


@contextmanager
def _hubs(server: PostgresServer, ports: list[int]) -> Generator[Target]:
    """Hubs on one database; webhooks are signed for the address of the first."""
    with ExitStack() as stack:
        url = stack.enter_context(empty(server))
        hubs: list[Hub] = []
        for port, cpu in zip(ports, (SERVER_CPU, LOAD_CPU), strict=False):
            folder = stack.enter_context(scratch())
            hub = Hub(folder, port, public_port=ports[0], database=url, cpu=cpu)
            hubs.append(stack.enter_context(hub))
        yield Target([hub.base_url for hub in hubs], [hub.pid for hub in hubs], url, "entries")


def _post(samples: Samples, name: str, target: Target, poster: Poster, seconds: int) -> None:
    while poster.used < PHONES:
        poster.post(target.urls, 16, WARM_UP)
    for connections in CONNECTIONS:
        if connections < len(target.urls):
            continue
        before, cpu = target.stored(), target.cpu()
        loads = poster.post(target.urls, connections, seconds)
        cpu = target.cpu() - cpu
        answered = sum(load.answered for load in loads)
        samples.add(
            name,
            f"{connections} connections" if connections > 1 else "a lone request",
            {
                "requests/s": sum(load.answered / load.seconds for load in loads),
                "p50 ms": max(load.p50 for load in loads),
                "p99 ms": max(load.p99 for load in loads),
                "CPU µs": cpu / answered * 1e6,
                "lost": max(0, answered - (target.stored() - before)),
                "not 2xx": sum(load.failed for load in loads),
            },
        )


def _figures(samples: Samples) -> list[Figure]:
    busy, lone = "64 connections", "a lone request"

    def beside(what: str, floor: str) -> str:
        ours, theirs = (samples.median(one, busy, "requests/s") for one in (what, floor))
        return f"{ours:,.0f} beside {theirs:,.0f} requests/s"

    def ratio(title: str, what: str, floor: str, goal: float | None = None) -> Figure:
        return Figure(
            what=title,
            values=samples.ratios(what, floor, busy, "requests/s"),
            unit="times",
            floor=beside(what, floor),
            goal=goal,
        )

    ours, theirs = (samples.median(one, busy, "CPU µs") for one in (HUB, GROUP))
    return [
        ratio("Webhooks a second over Litestar with group commit", HUB, GROUP, 0.5),
        ratio("… over SQLAlchemy on aiosqlite, a commit a request", HUB, CORE, 4.0),
        ratio("… over bare ASGI and sqlite3, a commit a request", HUB, COMMIT),
        Figure(
            what="CPU for a webhook over Litestar with group commit",
            values=samples.ratios(HUB, GROUP, busy, "CPU µs"),
            unit="times",
            floor=f"{ours:,.0f} beside {theirs:,.0f} µs",
            goal=2.5,
            better="less",
        ),
        Figure(
            what="A lone webhook, p50",
            values=samples.values(HUB, lone, "p50 ms"),
            unit="ms",
            floor=f"{samples.median(GROUP, lone, 'p50 ms'):.2f} ms with group commit",
            goal=4.0,
            better="less",
        ),
        ratio("PostgreSQL: webhooks a second over set-wise batches", HUB_POSTGRES, POSTGRES, 0.5),
        ratio("PostgreSQL: two hubs over one", TWO_HUBS, HUB_POSTGRES, 1.0),
        Figure(
            what="Webhooks answered and not stored, or not answered with success",
            values=[samples.total("lost") + samples.total("not 2xx")],
            goal=0.0,
            better="less",
        ),
    ]
