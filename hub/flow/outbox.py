"""Sending: lease, start, ask the provider once, record what it said.

A crash between any two of these is safe. Before *started* is committed nothing has left, and the
lease runs out; after it the outcome is unknown until the provider, or a person, tells. Nothing is
sent twice.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypedDict

import msgspec
import structlog
from msgspec.structs import replace

from hub.flow.channels import Channels
from hub.flow.host import (
    Channel,
    ChannelResting,
    HookTimeout,
    LoopsExhausted,
    PluginFault,
    now_ms,
)
from hub.flow.loop import Loop
from hub.flow.writer import Unavailable, Writer
from hub.plugin import (
    Address,
    Attachment,
    CredentialsInvalid,
    HookError,
    Malformed,
    Outbound,
    OutcomeUnknown,
    Permanent,
    ReceiptStatus,
    Reconciled,
    Temporary,
    Unsupported,
    WirePart,
)
from hub.rules import commands as c
from hub.rules.sending import backoff
from hub.rules.states import Refusal, Transmission
from hub.store import outbox as store
from hub.store.database import Database

log = structlog.get_logger()

SEND_LIMIT = 30.0
"""Seconds a provider may take; the lease outlives it."""
LEASE = 75_000
BATCH = 50
AT_ONCE = 16
"""Sends of one channel under way at a time."""
IDLE = 1.0
"""Seconds after which the outbox looks even if nobody woke it."""
LEAST_PAUSE = 0.05
ASK_FIRST = 10_000
ASK_UNTIL = 24 * 3600 * 1000
NEVER = 1 << 62

_wire = msgspec.json.Decoder(tuple[WirePart, ...])


class _Names(TypedDict):
    """What a step of the outbox is about."""

    organisation_id: int
    transmission_id: int


class _Step(_Names):
    """And under which lease."""

    token: str


class Outbox:
    """Sends what waits. One per process; several may work on one database."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        channels: Channels,
        *,
        lease: int = LEASE,
        chance: random.Random | None = None,
    ) -> None:
        self._database = database
        self._writer = writer
        self._channels = channels
        self._lease = lease
        self._chance = chance or random.SystemRandom()
        self._loop = Loop("outbox", self._step, idle=IDLE)
        self._looked_after = -IDLE
        self._running: set[asyncio.Task[None]] = set()
        self._busy: Counter[tuple[int, str]] = Counter()
        self.sent: Counter[tuple[str, str]] = Counter()
        """Sends by channel and what came of them, for the metrics."""

    async def start(self) -> None:
        """Begin. On SQLite this process is the only one: leases of a former one are void."""
        if self._database.dialect == "sqlite":
            await self._writer.execute(store.forget_leases)
        self._loop.start()

    async def stop(self) -> None:
        """Lease nothing more; let what is under way come to its end."""
        await self._loop.stop()
        if self._running:
            await asyncio.wait(self._running, timeout=SEND_LIMIT + 5)

    def wake(self) -> None:
        """Something may be due."""
        self._loop.wake()

    async def _step(self) -> float:
        pause, taken = IDLE, 0
        if time.monotonic() - self._looked_after >= IDLE:
            self._looked_after = time.monotonic()
            await self._look_after()
        due = await self._database.read(partial(store.next_due, now=now_ms()))
        if due is not None and due <= now_ms():
            taken = await self._take()
        if due is not None:
            # What is due and was not taken waits for something: do not spin.
            pause = min(IDLE, max((due - now_ms()) / 1000, LEAST_PAUSE))
        return 0 if taken == BATCH else pause

    async def _take(self) -> int:
        """Lease what is due and begin to send it; how many."""
        ready = {
            channel.key: channel
            for channel in self._channels
            if channel.can_send and self._busy[channel.key] < AT_ONCE
        }
        if not ready:
            return 0
        now, token = now_ms(), secrets.token_hex(16)
        taken = await self._writer.execute(
            lambda connection: store.lease(
                connection,
                now=now,
                until=now + self._lease,
                token=token,
                limit=BATCH,
                channels=list(ready),
            )
        )
        for transmission in taken:
            channel = ready[transmission.organisation_id, transmission.channel_id]
            self._spawn(self._send(channel, transmission, token), channel)
        return len(taken)

    def _spawn(self, coroutine: Coroutine[None, None, None], channel: Channel) -> None:
        self._busy[channel.key] += 1
        task = asyncio.create_task(coroutine)
        self._running.add(task)

        def done(finished: asyncio.Task[None]) -> None:
            self._running.discard(finished)
            self._busy[channel.key] -= 1
            self.wake()
            if not finished.cancelled() and finished.exception() is not None:
                log.error("outbox.send_failed", exc_info=finished.exception())

        task.add_done_callback(done)

    # ------------------------------------------------------------------ one message

    async def _send(self, channel: Channel, transmission: Transmission, token: str) -> None:
        step = _Step(
            organisation_id=transmission.organisation_id,
            transmission_id=transmission.id,
            token=token,
        )
        try:
            beginning = replace(transmission, started_at=now_ms())
            outbound = await self._outbound(beginning, transmission.attempts + 1)
            started = await self._writer.carry_out(c.StartSending(at=now_ms(), **step))
        except (Refusal, Unavailable) as reason:
            log.info("outbox.not_started", channel=channel.id, reason=str(reason))
            return  # nothing has left; the lease runs out, or somebody canceled
        if not started:
            return  # opted out meanwhile
        command = await self._attempt(channel, outbound, transmission, step)
        self.sent[channel.id, type(command).__name__] += 1
        await self._settle(command)

    async def _settle(self, command: c.Command) -> None:
        """Record an outcome; while the database is away it is held here, and should this process
        die first, the message shows as unconfirmed."""
        delay = 0.2
        while True:
            try:
                await self._writer.carry_out(command)
            except Refusal as refusal:
                log.warning("outbox.late", reason=refusal.detail)
            except Unavailable:
                await asyncio.sleep(delay)
                delay = min(delay * 2, 10.0)
                continue
            return

    async def _attempt(
        self,
        channel: Channel,
        outbound: Outbound,
        transmission: Transmission,
        step: _Step,
    ) -> c.Command:
        """Ask the provider once; what came of it as a command."""
        try:
            accepted = await channel.send(outbound)
        except Exception as error:  # noqa: BLE001 — each kind means something
            return self._outcome(channel, error, transmission, step)
        ids = accepted.parts or (accepted.external_id,)
        if not all(ids):
            nameless = OutcomeUnknown("The channel took the message without naming it.")
            return self._outcome(channel, nameless, transmission, step)
        status = _as_far_as_is_told(channel, accepted.status)
        return c.SendAccepted(at=now_ms(), external_ids=ids, status=status, **step)

    def _outcome(
        self,
        channel: Channel,
        error: Exception,
        transmission: Transmission,
        step: _Step,
    ) -> c.Command:
        now = now_ms()
        detail = error.detail if isinstance(error, HookError) else str(error)
        match error:
            case Permanent():
                return c.SendFailed(
                    at=now,
                    reason=error.reason,
                    detail=detail or error.reason,
                    provider_code=error.provider_code,
                    **step,
                )
            case Unsupported() | Malformed():
                return c.SendFailed(
                    at=now,
                    reason="unsupported_content",
                    detail=detail or "The channel cannot send this.",
                    provider_code=None,
                    **step,
                )
            case Temporary():
                wait = backoff(transmission.attempts + 1, self._chance)
                wait = max(wait, int((error.retry_after or 0) * 1000))
                return c.SendDeferred(at=now, due_at=now + wait, detail=detail, **step)
            case CredentialsInvalid():
                channel.pause(detail or "The provider refuses the channel's credentials.")
                return c.SendReleased(at=now, due_at=now, **step)
            case ChannelResting() | LoopsExhausted():
                return c.SendReleased(at=now, due_at=now + 5_000, **step)
            case _:
                return c.SendUnknown(
                    at=now,
                    detail=_unknown_detail(error),
                    due_at=now + ASK_FIRST,
                    **step,
                )

    async def _outbound(self, transmission: Transmission, attempt: int) -> Outbound:
        files = await self._database.read(
            lambda connection: store.attachments_to_send(connection, transmission.entry_id)
        )
        return Outbound(
            id=str(transmission.id),
            attempt=attempt,
            deadline=datetime.now(UTC) + timedelta(seconds=SEND_LIMIT),
            address=Address(scheme=transmission.scheme, value=transmission.address),
            own_address=transmission.own_address,
            started_at=_moment(transmission.started_at),
            wire=_wire.decode(transmission.wire),
            attachments=tuple(
                Attachment(id=str(id_), name=name, content_type=type_, size=size)
                for id_, name, type_, size in files
            ),
        )

    # ------------------------------------------------------------------ what was left behind

    async def _look_after(self) -> None:
        """Sends whose process died, and those the provider can be asked about."""
        now = now_ms()
        found = await self._database.read(
            lambda connection: store.left_behind(connection, now, BATCH)
        )
        for transmission in found:
            channel = self._channels.get(transmission.organisation_id, transmission.channel_id)
            asks = channel is not None and channel.has("reconcile")
            if transmission.status == "sending" or channel is None or not asks:
                due = now if asks else NEVER
                await self._settle(
                    c.SendUnknown(
                        organisation_id=transmission.organisation_id,
                        at=now,
                        transmission_id=transmission.id,
                        token=None,
                        detail=transmission.detail
                        or "The hub was stopped while the message was being sent.",
                        due_at=due,
                    )
                )
            elif not channel.can_send:  # it is asked when it goes on
                await self._settle(
                    c.SendUnknown(
                        organisation_id=transmission.organisation_id,
                        at=now,
                        transmission_id=transmission.id,
                        token=None,
                        detail="",
                        due_at=now + ASK_FIRST,
                    )
                )
            elif self._busy[channel.key] < AT_ONCE:
                self._spawn(self._reconcile(channel, transmission), channel)

    async def _reconcile(self, channel: Channel, transmission: Transmission) -> None:
        """Ask the provider whether a message of unknown outcome went out."""
        now = now_ms()
        waited = now - transmission.status_at
        again = NEVER if waited > ASK_UNTIL else now + ASK_FIRST + waited
        names = _Names(
            organisation_id=transmission.organisation_id, transmission_id=transmission.id
        )
        # First of all the next time is set, so that no crash and no second process asks at once.
        await self._settle(c.SendUnknown(at=now, token=None, detail="", due_at=again, **names))
        attempt = transmission.attempts
        try:
            answer = await channel.reconcile(await self._outbound(transmission, attempt))
        except (HookError, HookTimeout, PluginFault, ChannelResting, LoopsExhausted) as error:
            log.info("outbox.not_reconciled", channel=channel.id, reason=str(error))
            return
        await self._reconciled(answer, attempt, names)

    async def _reconciled(self, answer: Reconciled, attempt: int, names: _Names) -> None:
        if answer.outcome == "found" and answer.external_id:
            await self._settle(
                c.SendAccepted(
                    at=now_ms(),
                    token="",
                    external_ids=(answer.external_id,),
                    status=answer.status,
                    **names,
                )
            )
        elif answer.outcome == "absent":
            await self._settle(c.SendAbsent(at=now_ms(), attempt=attempt, **names))


def _as_far_as_is_told(channel: Channel, status: ReceiptStatus) -> ReceiptStatus:
    """What the provider has taken is sent, where no receipt will ever say more: it would look as if
    it were under way for good."""
    more = channel.info.can.receipts & {"sent", "delivered", "read"}
    return "sent" if status == "queued" and not more else status


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def _unknown_detail(error: Exception) -> str:
    match error:
        case OutcomeUnknown():
            return error.detail or "The provider did not answer."
        case HookTimeout():
            return "The provider did not answer in time."
        case _:
            return "The channel's plugin failed while the message was being sent."
