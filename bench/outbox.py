"""Messages out: from pending to accepted by a provider that answers at once."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import httpx2

from bench.filling import fill_sent
from bench.floors.provider import Taken
from bench.machine import LOAD_CPU, cpu_seconds, on_cpu
from bench.options import Options
from bench.results import Figure, Samples, Section
from bench.servers import Floor, Hub, empty, postgres, scalar, scratch
from tests.hubs import Client, wait_for
from tests.services import free_port

CUSTOMERS = 50
HISTORY = 100_000
METHOD = """\
Messages to 50 customers are written through the API while the channel is paused; then the channel
is let go, and the time counts from the first to the last that reach a local stand-in for Twilio's
API on the other core. Each is leased, marked as started, sent by the plugin through Twilio's own
client, and recorded as accepted, one after another for each customer. CPU is the hub's own for all
of that. What was sent long ago must not matter."""


def measure(options: Options) -> Section:
    """The rate on both databases, and how many came out of order."""
    each = 5 if options.quick else 20
    samples = Samples()
    with postgres() as server:
        for _ in range(options.repeat):
            for name, history in product(("SQLite", "PostgreSQL"), (0, HISTORY)):
                at = f"{name}, {history:,} sent before" if history else name
                options.say(f"outbox: {at}")
                with empty(server) as url:
                    _send(samples, at, url if name == "PostgreSQL" else None, each, history)
    rates = {row.at: row.measures["sends/s"] for row in samples.rows()}
    wrong = samples.total("out of order") + samples.total("lost or twice")
    return Section(
        title="Messages out",
        method=METHOD,
        rows=samples.rows(),
        figures=[
            *(
                Figure(what=f"Sends to a local provider, {at}", values=rate, unit="/s", goal=100.0)
                for at, rate in rates.items()
            ),
            Figure(
                what="Customers who got a message out of order, twice or not",
                values=[wrong],
                goal=0.0,
                better="less",
            ),
        ],
    )


def _send(samples: Samples, at: str, database: str | None, each: int, history: int) -> None:
    port = free_port()
    routes = {"HUB_HTTP_ROUTES": f"api.twilio.com=http://127.0.0.1:{port}"}
    with (
        scratch() as folder,
        Floor("bench.floors.provider", port=port, cpu=LOAD_CPU) as provider,
        Hub(folder, free_port(), database=database, environ=routes) as hub,
        on_cpu(LOAD_CPU),
    ):
        if history:
            fill_sent(hub.database, history)
        client = hub.client()
        _write(client, 1)
        _settle(hub)
        client.post("channels/sms/pause")
        before = cpu_seconds(hub.pid)
        _write(client, each)
        written = cpu_seconds(hub.pid)
        client.post("channels/sms/resume")
        _settle(hub)
        sent = cpu_seconds(hub.pid)
        taken: list[Taken] = httpx2.get(f"{provider.base_url}/taken").json()[CUSTOMERS:]
    texts: dict[str, list[int]] = defaultdict(list)
    for to, text, _ in taken:
        texts[to].append(int(text.rpartition(" ")[2]))
    samples.add(
        "hub",
        at,
        {
            "sends/s": (len(taken) - 1) / (taken[-1][2] - taken[0][2]) * 1000,
            "CPU µs a send": (sent - written) / len(taken) * 1e6,
            "CPU µs to write one": (written - before) / len(taken) * 1e6,
            "out of order": sum(numbers != sorted(numbers) for numbers in texts.values()),
            "lost or twice": sum(
                sorted(texts[to]) != list(range(each)) for to in map(_phone, range(CUSTOMERS))
            ),
        },
    )


def _write(client: Client, each: int) -> None:
    """The messages of each customer in order, those of different customers at once."""

    def write(customer: int) -> None:
        for number in range(each):
            wanted = {"channel_id": "sms", "to": _phone(customer), "body": f"Number {number}"}
            client.post("messages", wanted)

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(write, range(CUSTOMERS)))


def _phone(customer: int) -> str:
    return f"+1510555{customer:04d}"


def _settle(hub: Hub) -> None:
    """Wait until the provider has taken everything, and that is recorded."""
    waiting = "SELECT count(*) FROM transmissions WHERE status IN ('pending', 'sending')"
    wait_for(lambda: not scalar(hub.database, waiting), what="all to be sent", limit=300)
