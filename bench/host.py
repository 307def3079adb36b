"""What the host costs, and what it is good for: a hook that blocks holds nobody else up."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import uvloop

from bench.floors.provider import Taken
from bench.machine import LOAD_CPU, SERVER_CPU, on_cpu
from bench.options import Options
from bench.results import Figure, Samples, Section, percentile
from bench.servers import Floor, Hub, scratch
from hub.config import ChannelConfig, Origin
from hub.flow.host import Channel, load_channel
from hub.plugin import Delivery, Item
from tests.hubs import Client
from tests.services import free_port

PLUGINS = Path(__file__).parent / "plugins"
BLOCK = "x-block"
LOOKS = 5
"""Pages asked for between two sends."""
METHOD = """\
A plugin whose hooks make a message of a text, and a rendering, and do nothing else. What a call
through the host costs over the hook itself is CPU time of the whole process on one core, `render`
inline, `ingest` on the channel's own loop, one after another and 64 at once. Then a hub with that
plugin and with `sms-twilio`: pages of the list are asked for, and texts sent to a local provider,
ten a second, while nothing else happens, and while the plugin's `ingest` blocks its thread."""


def measure(options: Options) -> Section:
    """Both."""
    sys.path.insert(0, str(PLUGINS))
    samples = Samples()
    seconds = 5 if options.quick else 30
    for _ in range(options.repeat):
        options.say("host: calls")
        with on_cpu(SERVER_CPU):
            uvloop.run(_calls(samples, 2_000 if options.quick else 10_000))
    for _ in range(1 if options.quick else min(options.repeat, 2)):
        options.say(f"host: a channel blocked for {seconds} s")
        _blocked(samples, seconds)

    def overhead(what: str, hook: str, goal: float | None) -> Figure:
        pairs = zip(
            samples.values("through the host", hook, "CPU µs"),
            samples.values("the hook itself", hook, "CPU µs"),
            strict=True,
        )
        values = [one - other for one, other in pairs]
        return Figure(what=what, values=values, unit="µs", goal=goal, better="less")

    def while_blocked(what: str, name: str) -> Figure:
        medians = [samples.median(one, name, "p99 ms") for one in ("blocked", "idle")]
        return Figure(
            what=what,
            values=samples.ratios("blocked", "idle", name, "p99 ms"),
            unit="times",
            floor=f"{medians[0]:.1f} beside {medians[1]:.1f} ms",
            goal=2.0,
            better="less",
        )

    return Section(
        title="The host of the plugins",
        method=METHOD,
        rows=samples.rows(),
        figures=[
            overhead("A hook called inline over the hook itself", "render", 15.0),
            overhead("A hook on the channel's loop over the hook itself", "ingest", 150.0),
            overhead("… 64 of them at once", "ingest, 64 at once", None),
            while_blocked("Inbox p99 while a channel blocks over idle", "inbox page"),
            while_blocked("Another channel's sends, p99, over idle", "send"),
        ],
    )


async def _calls(samples: Samples, times: int) -> None:
    services = SimpleNamespace(main=asyncio.get_running_loop())
    config = ChannelConfig(
        id="probe",
        organisation="main",
        plugin="probe",
        enabled=True,
        name=None,
        settings={},
        origin=Origin(),
    )
    channel = load_channel(config, 1, cast("Any", services))
    assert isinstance(channel, Channel), channel
    probe: Any = import_module("hub_probe")
    hooks, nothing = probe.Probe(probe.Settings()), None
    delivery = Delivery(body=b"When will you come?", received_at=datetime.now(UTC))
    item = Item(kind="message", direction="in", text="When will you come?")

    async def itself() -> None:
        hooks.render(nothing, item, "timeline")

    async def inline() -> None:
        channel.render(item, "timeline")

    async def hook() -> None:
        await hooks.ingest(nothing, delivery)

    async def on_its_loop() -> None:
        await channel.ingest(delivery)

    async def at_once() -> None:
        await asyncio.gather(*(on_its_loop() for _ in range(64)))

    async def hooks_at_once() -> None:
        await asyncio.gather(*(hook() for _ in range(64)))

    for name, at, call, each in (
        ("the hook itself", "render", itself, 1),
        ("through the host", "render", inline, 1),
        ("the hook itself", "ingest", hook, 1),
        ("through the host", "ingest", on_its_loop, 1),
        ("the hook itself", "ingest, 64 at once", hooks_at_once, 64),
        ("through the host", "ingest, 64 at once", at_once, 64),
    ):
        samples.add(name, at, await _cost(call, times // each, each))
    await channel.shutdown()


async def _cost(call: Callable[[], Awaitable[None]], times: int, each: int) -> dict[str, float]:
    """Microseconds of one call, a tenth of them beforehand."""
    for _ in range(times // 10):
        await call()
    cpu, clock = time.process_time(), time.perf_counter()
    for _ in range(times):
        await call()
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    return {"CPU µs": cpu / times / each * 1e6, "µs": clock / times / each * 1e6}


def _blocked(samples: Samples, seconds: int) -> None:
    port = free_port()
    probe = '[[channels]]\nid = "probe"\norganisation = "main"\nplugin = "probe"\n'
    environ = {
        "HUB_HTTP_ROUTES": f"api.twilio.com=http://127.0.0.1:{port}",
        "PYTHONPATH": str(PLUGINS),
    }
    with (
        scratch() as folder,
        Floor("bench.floors.provider", port=port, cpu=LOAD_CPU) as provider,
        Hub(folder, free_port(), channels=probe, environ=environ) as hub,
        on_cpu(LOAD_CPU),
    ):
        client = hub.client()
        _use(client, provider.base_url, 2)
        idle = _use(client, provider.base_url, seconds)
        blocking = threading.Thread(target=_block, args=(hub.base_url, seconds + 1))
        blocking.start()
        blocked = _use(client, provider.base_url, seconds)
        blocking.join()
    for name, (pages, sends) in (("idle", idle), ("blocked", blocked)):
        for at, late in (("inbox page", pages), ("send", sends)):
            found = {"p50 ms": percentile(late, 0.5), "p99 ms": percentile(late, 0.99)}
            samples.add(name, at, found)


def _block(base_url: str, seconds: int) -> None:
    """Ask the probe's ``ingest`` to block; the hub gives it up long before it comes back."""
    headers = {BLOCK: str(seconds)}
    httpx2.post(f"{base_url}/hooks/main/probe", content=b"block", headers=headers, timeout=60)


def _use(client: Client, provider: str, seconds: int) -> tuple[list[float], list[float]]:
    """Milliseconds each page took, and each text from the click to the provider."""
    before = len(_taken(provider))
    pages: list[float] = []
    clicked: list[float] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        round_ends = time.monotonic() + 0.1
        body = f"Number {len(clicked)}"
        clicked.append(time.time() * 1000)
        to = f"+1510555{len(clicked) % 100:04d}"
        client.post("messages", {"channel_id": "sms", "to": to, "body": body})
        for _ in range(LOOKS):
            start = time.perf_counter()
            client.get("threads", status="all")
            pages.append((time.perf_counter() - start) * 1000)
        time.sleep(max(0.0, round_ends - time.monotonic()))
    time.sleep(1)
    taken = _taken(provider)[before:]
    if len(taken) != len(clicked):
        raise RuntimeError(f"{len(clicked)} texts were sent, the provider took {len(taken)}")
    late = [at - clicked[int(text.rpartition(" ")[2])] for _, text, at in taken]
    return pages, late


def _taken(provider: str) -> list[Taken]:
    return httpx2.get(f"{provider}/taken").json()
