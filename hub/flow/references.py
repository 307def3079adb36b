"""What deliveries only name, fetched by their channels and taken in as deliveries of their own.

A reference is stored with the delivery that names it. Who fetches it claims the next attempt for a
time; what was fetched is committed together with the note that it is done, if nobody has taken the
attempt over meanwhile. So a process that dies loses nothing, and one that is slow brings nothing
twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import random

import msgspec
import structlog

from hub.flow.channels import Channels
from hub.flow.host import (
    ChannelResting,
    HookTimeout,
    LoopsExhausted,
    PluginFault,
    now_ms,
)
from hub.flow.intake import Intake
from hub.flow.loop import Loop
from hub.flow.writer import Unavailable, Writer
from hub.plugin import CredentialsInvalid, FetchRef, HookError, Permanent, Temporary
from hub.rules.sending import backoff
from hub.store import fetches as store
from hub.store.database import Database

log = structlog.get_logger()

TRIES = 8
AT_ONCE = 4
IDLE = 2.0
LEASE = 90_000
"""Milliseconds for one attempt, somewhat more than the hook may take."""
ENDING = 2.0
"""Seconds that an attempt has to end when the hub stops."""
OFF = 60_000
"""Milliseconds to the next look at what a channel that does not run is to fetch."""

_data = msgspec.json.Decoder(dict[str, str])


class References:
    """Fetches them. ``lease``, in milliseconds, is for tests."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        intake: Intake,
        channels: Channels,
        *,
        lease: int = LEASE,
    ) -> None:
        self._database = database
        self._writer = writer
        self._intake = intake
        self._channels = channels
        self._lease = lease
        self._loop = Loop("references", self._step, idle=IDLE)
        self._chance = random.SystemRandom()

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    async def stop(self) -> None:
        """End. What is under way has a moment to come to its end; else whoever looks next begins
        it anew."""
        await self._loop.stop(ENDING)

    def wake(self) -> None:
        """There may be something to fetch."""
        self._loop.wake()

    async def _step(self) -> float:
        now = now_ms()
        due = await self._database.read(lambda connection: store.due(connection, now, AT_ONCE))
        await asyncio.gather(*(self._attempt(one) for one in due))
        return 0 if due else IDLE

    async def _attempt(self, found: store.Fetch) -> None:
        until = now_ms() + self._lease
        fetch = await self._writer.execute(lambda c: store.claim(c, found, until))
        if fetch is None:
            return  # another process was faster
        channel = self._channels.get(fetch.organisation_id, fetch.channel_id)
        if channel is None:
            await self._writer.execute(lambda c: store.later(c, fetch, now_ms() + OFF, None))
            return
        ref = FetchRef(id=fetch.ref_id, data=_data.decode(fetch.data))
        try:
            delivery = await channel.fetch(ref)
        except asyncio.CancelledError:
            with contextlib.suppress(Unavailable):
                await self._writer.execute(lambda c: store.later(c, fetch, now_ms(), None))
            raise
        except Permanent as error:
            await self._give_up(fetch, error.detail or "the provider does not have it")
        except CredentialsInvalid as error:
            channel.pause(error.detail or "The provider refuses the channel's credentials.")
            await self._failed(fetch, error)
        except (HookError, HookTimeout, PluginFault, ChannelResting, LoopsExhausted) as error:
            await self._failed(fetch, error)
        else:
            await self._intake.take_together(
                channel, [delivery], "fetch", lambda connection: store.done(connection, fetch)
            )

    async def _failed(self, fetch: store.Fetch, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        if fetch.attempts >= TRIES:
            await self._give_up(fetch, reason)
            return
        wait = backoff(fetch.attempts, self._chance)
        if isinstance(error, Temporary) and error.retry_after is not None:
            wait = max(wait, int(error.retry_after * 1000))
        due_at = now_ms() + wait
        await self._writer.execute(lambda c: store.later(c, fetch, due_at, reason))

    async def _give_up(self, fetch: store.Fetch, why: str) -> None:
        reason = f"{fetch.ref_id[:200]} could not be fetched: {why}"[:500]
        if await self._writer.execute(lambda c: store.give_up(c, fetch, reason)):
            log.warning("references.given_up", channel=fetch.channel_id, reason=reason)
