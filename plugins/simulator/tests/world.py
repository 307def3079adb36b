"""A small hub around one simulator: what is emitted is ingested, ``kv`` keeps what it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
from hub_simulator import Simulator
from hub_simulator.phone import Phone
from hub_simulator.settings import Settings
from hub_simulator.store import PhoneStore

from hub.plugin import (
    Accepted,
    Address,
    Attachment,
    Delivery,
    Event,
    IngestResult,
    Item,
    KvEntry,
    Outbound,
    Permanent,
    RouteHandler,
    RouteReply,
    RouteRequest,
)
from tests.patience import PATIENCE

OWN = "+12025550100"
CUSTOMER = "+12025550142"
PURE: Any = None
"""The context of hooks that are pure, and have no use for one."""


class MemoryKv:
    """The promise of ``Kv``, with its limits."""

    def __init__(self) -> None:
        self.values: dict[str, KvEntry] = {}
        self.before_put: Callable[[str], None] | None = None

    async def get(self, key: str) -> KvEntry | None:
        await asyncio.sleep(0)
        return self.values.get(key)

    async def put(
        self,
        key: str,
        value: str,
        *,
        version: int | None = None,
        expires_in: float | None = None,
    ) -> bool:
        await asyncio.sleep(0)
        assert expires_in is None, "nothing of the simulator's is kept for a time"
        if self.before_put is not None:
            self.before_put(key)
        assert len(value.encode()) <= 64_000, f"{key} is too long"
        stored = self.values.get(key)
        current = stored.version if stored else 0
        if version is not None and version != current:
            return False
        self.values[key] = KvEntry(value=value, version=current + 1)
        assert len(self.values) <= 1_000
        return True

    async def delete(self, key: str) -> None:
        self.values.pop(key, None)


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Files:
    """The files of the hub's messages."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}

    async def open(self, attachment_id: str) -> bytes:
        if attachment_id not in self.bodies:
            raise Permanent("other", "no such file")
        return self.bodies[attachment_id]


class Lines:
    """The channel's log."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, dict[str, Any]]] = []

    def error(self, event: str, **facts: Any) -> None:
        self.errors.append((event, facts))


class HubContext:
    """What the simulator uses of ``Context``."""

    channel_id = "phone-line"
    organisation = "main"

    def __init__(self, plugin: Any, kv: MemoryKv) -> None:
        self.kv = kv
        self.clock = WallClock()
        self.media = Files()
        self.log = Lines()
        self.emitted: list[Delivery] = []
        self.events: list[Event] = []
        self.refuses: list[Exception] = []
        """What ``emit`` raises next, instead of taking what it is given."""
        self._plugin = plugin

    async def emit(self, delivery: Delivery) -> None:
        await asyncio.sleep(0)
        if self.refuses:
            raise self.refuses.pop()
        self.emitted.append(delivery)
        result: IngestResult = await self._plugin.ingest(cast("Any", self), delivery)
        self.events += result.events


class World:
    """One simulator that runs, as a test drives it."""

    def __init__(self, plugin: Any, kv: MemoryKv) -> None:
        self.plugin = plugin
        self.ctx: Any = HubContext(self.plugin, kv)
        self.phones = PhoneStore(kv)
        self.routes = {(route.method, route.path): route for route in self.plugin.routes(self.ctx)}

    async def call(self, method: str, path: str, body: Any = None, /, **query: str) -> RouteReply:
        """A request to one of the channel's routes, as the hub would pass it on."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        request = RouteRequest(
            method=method, path=path, query=query, headers={"content-type": "image/png"}, body=raw
        )
        handler = cast("RouteHandler", self.routes[method, path].handler)
        return await handler(self.ctx, request)

    async def text(self, text: str, number: str = CUSTOMER, **more: Any) -> str:
        """The customer writes; the result is the provider's id."""
        wanted = {"number": number, "own_number": OWN, "text": text, **more}
        reply = await self.call("POST", "texts", wanted)
        assert reply.status == 202, reply.body
        return json.loads(reply.body)["id"]

    async def behave(self, number: str = CUSTOMER, **behaviour: Any) -> None:
        reply = await self.call("POST", "behaviour", {"number": number, "behaviour": behaviour})
        assert reply.status == 204, reply.body

    async def call_them(self, name: str, number: str = CUSTOMER) -> None:
        """What the customer calls themselves from now on."""
        reply = await self.call("POST", "name", {"number": number, "name": name})
        assert reply.status == 204, reply.body

    async def see(self, *message_ids: str, number: str = CUSTOMER) -> None:
        await self.call("POST", "seen", {"number": number, "messages": list(message_ids)})

    async def send(self, transmission: str, text: str = "Hello", **more: Any) -> Accepted:
        return await self.plugin.send(self.ctx, outbound(transmission, text, **more))

    async def phone(self, number: str = CUSTOMER) -> Phone:
        phone, _ = await self.phones.get(number)
        return phone

    async def until(
        self, wanted: Callable[[Phone], bool], number: str = CUSTOMER, seconds: float = PATIENCE
    ) -> Phone:
        """The phone, once it is as wanted."""
        async with asyncio.timeout(seconds):
            while True:
                phone = await self.phone(number)
                if wanted(phone):
                    return phone
                await asyncio.sleep(0.001)

    async def quiet(self, number: str = CUSTOMER) -> Phone:
        """The phone, once the hub has been told everything."""
        return await self.until(lambda phone: not any(m.due for m in phone.messages), number)


@asynccontextmanager
async def running(
    kv: MemoryKv | None = None, kind: Any = Simulator, **settings: Any
) -> AsyncIterator[World]:
    """A simulator between start-up and shutdown; receipts follow each other without a pause."""
    values = msgspec.convert({"receipt_pause": 0.0, **settings}, kind.INFO.settings)
    world = World(kind(values), kv or MemoryKv())
    await world.plugin.startup(world.ctx)
    try:
        yield world
    finally:
        await world.plugin.shutdown(world.ctx)


def outbound(
    transmission: str,
    text: str = "Hello",
    *,
    number: str = CUSTOMER,
    own: str = OWN,
    attempt: int = 1,
    attachments: tuple[Attachment, ...] = (),
    **more: Any,
) -> Outbound:
    """A message of the hub's, with the wire form that ``render`` makes of it."""
    item = Item(direction="out", text=text, attachments=attachments)
    wire = Simulator(Settings()).render(PURE, item, "wire").wire
    values: dict[str, Any] = {
        "id": transmission,
        "address": Address(scheme="phone", value=number),
        "own_address": own,
        "deadline": datetime.now(UTC) + timedelta(minutes=5),
        "attempt": attempt,
        "wire": wire,
        "attachments": attachments,
    }
    return Outbound(**values | more)
