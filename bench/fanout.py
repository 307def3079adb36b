"""From a webhook to the frames of everybody who watches."""

from __future__ import annotations

import asyncio
import itertools
import resource
import time
from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlencode

import httpx2
import uvloop
from msgspec import Struct

from bench.machine import LOAD_CPU, cpu_seconds, on_cpu
from bench.options import Options
from bench.results import Figure, Samples, Section, percentile
from bench.servers import Floor, Hub, scratch
from bench.sockets import Crowd
from bench.webhooks import PATH, sign, text
from tests.services import free_port

HUB = "hub"
FLOOR = "floor: Litestar's ChannelsPlugin in memory"
SOCKETS = (200, 1_000)
A_SECOND = 10
AT_ONCE = 32
METHOD = """\
Signed texts are posted to a server on one core; sockets in one process on the other note when each
hears of each text. Paced: ten texts a second, from the beginning of the post to the frame. Burst:
200 texts as fast as 32 connections bring them, from the first post until every socket has heard of
all; the hub stores each durably first, the floor stores nothing. Reading costs the client as much
as sending costs the server, so at 1,000 sockets both are measured at their limit."""


class Server(Struct):
    """Something that tells sockets of webhooks."""

    port: int
    pid: int
    stream: str
    cookie: str


def measure(options: Options) -> Section:
    """The hub beside the floor, at each number of sockets."""
    _allow_files()
    samples = Samples()
    for _ in range(options.repeat):
        for name, opened in ((FLOOR, _floor), (HUB, _hub)):
            for sockets in SOCKETS:
                options.say(f"fanout: {name}, {sockets} sockets")
                with opened() as server, on_cpu(LOAD_CPU):
                    work = _measure(server, sockets, options)
                    samples.add(name, f"{sockets:,} sockets", uvloop.run(work))
    few, many = (f"{sockets:,} sockets" for sockets in SOCKETS)
    return Section(
        title="Webhook to frame",
        method=METHOD,
        rows=samples.rows(),
        figures=[
            Figure(
                what="Webhook to frame at 200 sockets, p99",
                values=samples.values(HUB, few, "p99 ms"),
                unit="ms",
                floor=f"{samples.median(FLOOR, few, 'p99 ms'):.1f} ms, nothing stored",
                goal=50.0,
                better="less",
            ),
            Figure(
                what="Burst to 1,000 sockets over Litestar's ChannelsPlugin in memory",
                values=samples.ratios(HUB, FLOOR, many, "burst texts/s"),
                unit="times",
                floor=" beside ".join(
                    f"{samples.median(one, many, 'burst texts/s'):,.0f}" for one in (HUB, FLOOR)
                )
                + " texts/s",
            ),
        ],
    )


@contextmanager
def _floor() -> Generator[Server]:
    port = free_port()
    with Floor("bench.floors.fanout", port=port) as floor:
        yield Server(port, floor.pid, "/stream", "")


@contextmanager
def _hub() -> Generator[Server]:
    with scratch() as folder, Hub(folder, free_port()) as hub:
        client = hub.client()
        cookie = "; ".join(f"{name}={value}" for name, value in client.http.cookies.items())
        yield Server(hub.port, hub.pid, client.path("stream"), cookie)


async def _measure(server: Server, sockets: int, options: Options) -> dict[str, float]:
    paced, burst = (10, 50) if options.quick else (30, 200)
    numbers = itertools.count(1)
    crowd = Crowd()
    base_url = f"http://127.0.0.1:{server.port}"
    limits = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx2.AsyncClient(base_url=base_url, limits=limits, timeout=60) as client:
        await crowd.join("127.0.0.1", server.port, server.stream, server.cookie, sockets)
        await _post_all(client, numbers, 10)
        await asyncio.sleep(1)
        crowd.forget()
        cpu = cpu_seconds(server.pid)
        started: dict[int, float] = {}
        for _ in range(paced):
            started[number := next(numbers)] = time.perf_counter()
            await _post(client, number)
            await asyncio.sleep(max(0.0, started[number] + 1 / A_SECOND - time.perf_counter()))
        await crowd.until_heard(paced, 60)
        cpu = cpu_seconds(server.pid) - cpu
        late = [
            (at - started[number]) * 1000 for number, heard in crowd.heard.items() for at in heard
        ]
        size = crowd.bytes / crowd.frames
        crowd.forget()
        begun = time.perf_counter()
        await asyncio.gather(_post_all(client, numbers, burst), crowd.until_heard(burst, 120))
        took = time.perf_counter() - begun
    crowd.close()
    return {
        "p50 ms": percentile(late, 0.5),
        "p99 ms": percentile(late, 0.99),
        "CPU µs a socket and text": cpu / paced / sockets * 1e6,
        "bytes a frame": size,
        "burst texts/s": burst / took,
        "burst frames a socket": crowd.frames / sockets,
    }


async def _post_all(client: httpx2.AsyncClient, numbers: itertools.count[int], count: int) -> None:
    await asyncio.gather(*(_post(client, next(numbers)) for _ in range(count)))


async def _post(client: httpx2.AsyncClient, number: int) -> None:
    url = str(client.base_url).rstrip("/") + PATH
    fields = text(number, f"+1510555{number % 100:04d}", f"bench {number}.")
    headers = {
        "X-Twilio-Signature": sign(url, fields),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    answer = await client.post(url, content=urlencode(fields), headers=headers)
    answer.raise_for_status()


def _allow_files() -> None:
    """Each socket is a file."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8_192, most), most))
