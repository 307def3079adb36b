"""Channels that bring things in by themselves: those that poll, and those that listen.

Of several processes one does it for each channel, under a lease. That nothing is taken in twice
does not rest on the lease: a poll moves the cursor from where it began, in the transaction of what
it brought, and what a listener hands over has the provider's ids.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Coroutine
from typing import Any, Literal, TypeVar

import structlog
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.channels import Channels
from hub.flow.host import (
    Channel,
    ChannelResting,
    HookTimeout,
    LoopsExhausted,
    PluginFault,
    now_ms,
)
from hub.flow.intake import Intake
from hub.flow.writer import Unavailable, Writer
from hub.plugin import CredentialsInvalid, HookError, PollResult, Temporary
from hub.rules.sending import backoff
from hub.store import leases
from hub.store import polls as store
from hub.store.database import Database

T = TypeVar("T")
log = structlog.get_logger()

LEASE = 20_000
IDLE = 2.0
"""Seconds between two looks at what another process does, or at a channel that is not ready."""
EVERY = 30.0
"""Seconds between two polls, where the plugin does not say otherwise."""
SOONEST, LATEST = 1.0, 3600.0
CALM = 60.0
"""Seconds after which a listener that ends begins anew as if it had never failed."""
FAILURES = (HookError, HookTimeout, PluginFault, ChannelResting, LoopsExhausted)

Hook = Literal["poll", "listen"]


class LeaseLost(Exception):
    """Another process has it now."""


class Inlets:
    """Keeps the polling and listening channels of this process at work."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        intake: Intake,
        channels: Channels,
        *,
        lease: int = LEASE,
    ) -> None:
        self.database = database
        self.writer = writer
        self.intake = intake
        self.chance = random.SystemRandom()
        self._channels = channels
        self._lease = lease
        self._token = secrets.token_hex(16)
        self._running: dict[tuple[int, str, Hook], _Inlet] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin. Call again when the channels are others: those that are no more end what they do,
        and who follows them begins then."""
        wanted: dict[tuple[int, str, Hook], Channel] = {
            (*channel.key, hook): channel for channel in self._channels for hook in _brings(channel)
        }
        ended: dict[tuple[int, str, Hook], asyncio.Task[None]] = {}
        for key, inlet in list(self._running.items()):
            if wanted.get(key) is not inlet.channel:
                ended[key] = self._end(key)
        for key, channel in wanted.items():
            if key not in self._running:
                name = f"{key[2]}:{key[0]}:{key[1]}"
                lease = _Lease(self.database, self.writer, name, self._token, self._lease)
                inlet = (_Poll if key[2] == "poll" else _Listen)(self, channel, lease)
                inlet.begin(ended.get(key))
                self._running[key] = inlet

    async def stop(self) -> None:
        """End all of it, and leave it to other processes."""
        for key in list(self._running):
            self._end(key)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _end(self, key: tuple[int, str, Hook]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._running.pop(key).end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task


def _brings(channel: Channel) -> list[Hook]:
    hooks: tuple[Hook, ...] = ("poll", "listen")
    return [hook for hook in hooks if channel.has(hook)]


class _Lease:
    """Keeps other processes from what this one does. On SQLite there are none."""

    def __init__(
        self, database: Database, writer: Writer, name: str, token: str, lasts: int
    ) -> None:
        self.name = name
        self.token = token
        self._database = database
        self._writer = writer
        self._lasts = lasts
        self._alone = database.dialect == "sqlite"

    async def wait(self) -> float:
        """Take it, 0; or the seconds after which to look again."""
        if self._alone:
            return 0
        held = await self._database.read(lambda c: leases.get(c, self.name))
        now = now_ms()
        if held is not None and held.bars(self.token, now):
            return max(0.1, min(IDLE, (held.until - now) / 1000))
        return 0 if await self._writer.execute(self.hold) else IDLE

    def hold(self, connection: Connection) -> bool:
        """Hold it, or hold it longer; ``False`` when another process has it."""
        if self._alone:
            return True
        now = now_ms()
        return leases.take(connection, self.name, self.token, now=now, until=now + self._lasts)

    def let_go(self, connection: Connection) -> None:
        """Leave it to others."""
        if not self._alone:
            leases.let_go(connection, self.name, self.token)

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """Hold it as long as ``work`` goes on. Raises ``LeaseLost`` when it is ended before:
        another process has taken over, or may have, because nothing could be written for long."""
        task = asyncio.ensure_future(work)
        until = time.monotonic() + self._lasts / 1000
        try:
            while True:
                done, _ = await asyncio.wait({task}, timeout=self._lasts / 3000)
                if done:
                    return task.result()
                asked = time.monotonic()
                try:
                    async with asyncio.timeout(max(0.0, until - asked)):
                        held = await self._writer.execute(self.hold)
                except (Unavailable, TimeoutError):
                    held = time.monotonic() < until
                else:
                    until = asked + self._lasts / 1000
                if not held:
                    raise LeaseLost(self.name)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


class _Inlet:
    """One channel's hook at work. ``step`` gives the seconds to rest after it."""

    hook: Hook

    def __init__(self, inlets: Inlets, channel: Channel, lease: _Lease) -> None:
        self.channel = channel
        self._inlets = inlets
        self._lease = lease
        self._task: asyncio.Task[None] | None = None

    def begin(self, after: asyncio.Task[None] | None) -> None:
        """Begin, once what was there before has ended."""
        self._task = asyncio.create_task(self._run(after))

    async def end(self) -> None:
        """End, and leave it to others."""
        assert self._task is not None  # noqa: S101 — it was begun
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(Unavailable):
            await self._inlets.writer.execute(self._lease.let_go)

    async def _run(self, after: asyncio.Task[None] | None) -> None:
        if after is not None:
            await asyncio.shield(after)
        while True:
            try:
                rest = await self.step() if self.channel.ready else IDLE
            except LeaseLost:
                self.channel.brings(self.hook, None)  # who has it now knows how it goes
                rest = IDLE
            except Unavailable:
                rest = IDLE
            except Exception:
                log.exception("inlet.failed", channel=self.channel.id, inlet=self._lease.name)
                rest = IDLE
            await asyncio.sleep(rest)

    async def step(self) -> float:
        """See the class."""
        raise NotImplementedError


class _Outcome(Struct, frozen=True):
    """How a poll went: where to go on, and what it brought or why not."""

    cursor: str | None
    failures: int
    wait: float
    result: PollResult | None


class _Poll(_Inlet):
    hook = "poll"

    async def step(self) -> float:
        key = self.channel.key
        stand = await self._inlets.database.read(lambda c: store.get(c, key))
        if not stand.failures:
            self.channel.brings("poll", None)  # another process may have had better luck
        if (wait := (stand.due_at - now_ms()) / 1000) > 0:
            return min(wait, EVERY)  # what another process does may change it
        return await self._lease.wait() or await self._lease.during(self._poll())

    async def _poll(self) -> float:
        key = self.channel.key
        since = await self._inlets.database.read(lambda c: store.get(c, key))
        if since.due_at > now_ms():
            return 0  # another process has polled between our two looks
        outcome = await self._ask(since)
        due_at = now_ms() + int(outcome.wait * 1000)

        def along(connection: Connection) -> bool:
            held = self._lease.hold(connection)
            self._lease.let_go(connection)
            return held and store.move(
                connection,
                key,
                since,
                cursor=outcome.cursor,
                failures=outcome.failures,
                due_at=due_at,
            )

        deliveries = () if outcome.result is None else outcome.result.deliveries
        await self._inlets.intake.take_together(self.channel, deliveries, "poll", along)
        return outcome.wait

    async def _ask(self, since: store.Stand) -> _Outcome:
        try:
            result = await self.channel.poll(since.cursor)
        except FAILURES as error:
            self.channel.brings("poll", error)
            failures = since.failures + 1
            wait = _rest(self._inlets.chance, error, failures)
            return _Outcome(since.cursor, failures, wait, None)
        self.channel.brings("poll", None)
        cursor = since.cursor if result.cursor is None else result.cursor
        if result.more:
            return _Outcome(cursor, 0, 0, result)
        wait = EVERY if result.next_in is None else result.next_in
        return _Outcome(cursor, 0, min(LATEST, max(SOONEST, wait)), result)


class _Listen(_Inlet):
    hook = "listen"

    async def step(self) -> float:
        return await self._lease.wait() or await self._lease.during(self._listen())

    async def _listen(self) -> float:
        """For ever, with the rests between."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self.channel.listen()
                error: Exception = Temporary("the connection ended")
            except FAILURES as caught:
                error = caught
            failures = 1 if time.monotonic() - began > CALM else failures + 1
            if failures > 1 or not isinstance(error, Temporary):  # connections do end now and then
                self.channel.brings("listen", error)
            await asyncio.sleep(_rest(self._inlets.chance, error, failures))


def _rest(chance: random.Random, error: Exception, failures: int) -> float:
    """Seconds to the next try."""
    if isinstance(error, CredentialsInvalid):
        failures += 5  # a person has to do something first
    rest = backoff(failures, chance) / 1000
    if isinstance(error, Temporary) and error.retry_after is not None:
        rest = max(rest, min(LATEST, error.retry_after))
    return rest
