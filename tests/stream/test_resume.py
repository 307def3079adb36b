"""The stream: everything once, in order, whatever happens to the connection."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec import Struct

from hub.flow.channels import Channels
from hub.flow.record import Record
from hub.flow.stream import FARTHEST_BACK, QUEUE, Stream, Subscriber
from hub.flow.views.present import Presenter
from hub.flow.writer import Writer
from hub.rules import commands as c
from hub.rules.content import Content
from hub.store import tables as t
from hub.store.database import Database
from hub.store.ids import Ids
from hub.store.people import Organisation
from hub.store.scope import Scope
from tests.patience import PATIENCE

ORGANISATION = Organisation(id=1, slug="main", name="Main", time_zone="UTC")


class Running(Struct):
    """A writer and a stream on one database."""

    database: Database
    writer: Writer
    stream: Stream
    ids: Ids

    def message(self, number: int, channel: str = "sms", phone: str = "+15550100001") -> c.Command:
        return c.ReceiveMessage(
            organisation_id=1,
            at=int(time.time() * 1000),
            entry_id=self.ids.new(),
            channel_id=channel,
            grouping="texts",
            external_id=f"m{number}",
            sender=(c.AddressOf(scheme="phone", value=phone),),
            sender_name=None,
            own_address="",
            content=Content(text=str(number)),
            preview=str(number),
        )


@asynccontextmanager
async def running(url: str) -> AsyncIterator[Running]:
    database = Database(url)
    ids = Ids(7)
    stream = Stream(database, Presenter(Channels()), look_every=0.5)
    writer = Writer(
        database,
        Record(ids),
        lambda news: stream.committed(news.positions),
    )
    await writer.start()
    row = {"id": 1, "slug": "main", "name": "Main", "time_zone": "UTC", "created_at": 0}
    await writer.execute(lambda connection: connection.execute(sa.insert(t.organisations), [row]))
    try:
        yield Running(database, writer, stream, ids)
    finally:
        stream.end()
        await writer.stop()
        await database.close()


class Watcher:
    """A client that loses its connection again and again, and counts what it was told."""

    def __init__(self, running: Running, scope: Scope, chance: random.Random) -> None:
        self.position = 0
        self.added: Counter[str] = Counter()
        self.channels: set[str] = set()
        self._running = running
        self._scope = scope
        self._chance = chance

    def apply(self, message: bytes) -> None:
        frame: dict[str, Any] = json.loads(message)
        if "type" in frame:
            assert frame["type"] != "reload", "told to start again without need"
            return
        assert frame["from"] == self.position, "a gap"
        assert frame["to"] > frame["from"]
        self.position = frame["to"]
        for change in frame["changes"]:
            assert frame["from"] < change["position"] <= frame["to"]
            if change["type"] == "entry.added":
                self.added[change["entry"]["id"]] += 1
                self.channels.add(change["entry"]["channel_id"])

    async def watch(self, upto: int) -> None:
        """Reconnect until everything up to a position has been told."""
        while self.position < upto:
            subscriber = Subscriber(ORGANISATION, self._scope, 1)
            async with self._running.stream.subscribed(subscriber):
                for frame in await self._running.stream.missed(subscriber, self.position):
                    self.apply(frame)
                for _ in range(self._chance.randrange(1, 6)):
                    if self.position >= upto:
                        break
                    message = await asyncio.wait_for(subscriber.queue.get(), PATIENCE)
                    assert message is not None
                    self.apply(message)
            await asyncio.sleep(0)


@pytest.mark.feature("RT-02", "RT-03")
@pytest.mark.parametrize("seed", range(3))
async def test_who_reconnects_gets_exactly_what_was_missed(database_url: str, seed: int) -> None:
    async with running(database_url) as hub:
        chance = random.Random(seed)
        watchers = [Watcher(hub, Scope(1), chance) for _ in range(4)]
        limited = Watcher(hub, Scope(1, frozenset({"chat"})), chance)
        count = 120
        tasks = [asyncio.create_task(one.watch(count)) for one in (*watchers, limited)]
        expected: list[str] = []
        chats: list[str] = []
        number = 0
        while number < count:
            burst = [
                hub.message(number + n, chance.choice(["sms", "chat"]), f"+1555010{n:04d}")
                for n in range(min(chance.randrange(1, 20), count - number))
            ]
            await asyncio.gather(*(hub.writer.carry_out(command) for command in burst))
            expected += [str(one.entry_id) for one in burst]  # type: ignore[attr-defined]
            chats += [str(one.entry_id) for one in burst if one.channel_id == "chat"]  # type: ignore[attr-defined]
            number += len(burst)
        await asyncio.gather(*tasks)
        for watcher in watchers:
            assert watcher.added == Counter(expected)
        assert limited.added == Counter(chats)
        assert limited.channels == {"chat"}


@pytest.mark.feature("RT-02")
async def test_nothing_is_told_that_was_not_committed(database_url: str) -> None:
    async with running(database_url) as hub:
        subscriber = Subscriber(ORGANISATION, Scope(1), 1)
        async with hub.stream.subscribed(subscriber):

            def fails(connection: sa.Connection) -> None:
                connection.execute(sa.update(t.organisations).values(position=99))
                raise ValueError("rolled back")

            with pytest.raises(ValueError, match="rolled back"):
                await hub.writer.execute(fails)
            await hub.writer.carry_out(hub.message(1))
            frame = json.loads(await asyncio.wait_for(subscriber.queue.get(), PATIENCE) or b"")
            assert (frame["from"], frame["to"]) == (0, 1)
            entry = frame["changes"][0]["entry"]
            stored = await hub.database.read(
                lambda connection: connection.execute(sa.select(t.entries.c.id)).scalar_one()
            )
            assert str(stored) == entry["id"]


@pytest.mark.feature("RT-03")
async def test_too_far_back_is_told_to_reload(database_url: str) -> None:
    async with running(database_url) as hub:
        far = FARTHEST_BACK + 10
        await hub.writer.execute(
            lambda connection: connection.execute(sa.update(t.organisations).values(position=far))
        )
        subscriber = Subscriber(ORGANISATION, Scope(1), 1)
        async with hub.stream.subscribed(subscriber):
            (message,) = await hub.stream.missed(subscriber, 1)
            assert json.loads(message) == {"type": "reload", "position": far}
            (message,) = await hub.stream.missed(subscriber, far + 1)
            assert json.loads(message)["type"] == "reload"


@pytest.mark.feature("RT-03")
async def test_a_client_that_does_not_read_is_told_to_reload(database_url: str) -> None:
    async with running(database_url) as hub:
        subscriber = Subscriber(ORGANISATION, Scope(1), 1)
        async with hub.stream.subscribed(subscriber):
            for number in range(QUEUE + 1):
                subscriber.offer(f'{{"n":{number}}}'.encode())
            assert json.loads(subscriber.queue.get_nowait() or b"")["type"] == "reload"
            assert subscriber.queue.empty()
