"""Sending: lease, start, ask the provider once, record what it said.

A crash between any two of these is safe. Before *started* is committed nothing has left, and the
lease runs out; after it the outcome is unknown until the provider, or a person, tells. Nothing is
sent twice: a message of unknown outcome is given to its provider again only where that sends once
however often it is given it (``can.provider_idempotency``), with back-off until the deadline.
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
from typing import TypedDict, cast

import msgspec
import structlog
from msgspec.structs import replace

from hub.flow.automatic import due_at
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
from hub.flow.settings import OrganisationSettings
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
from hub.plugin.types import Kind
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
PEOPLE = frozenset({"member", "api"})
"""Kinds of authors; what others write is automatic."""

_LATER = (Temporary, CredentialsInvalid, ChannelResting, LoopsExhausted)
"""After these a message is sent all the same, when it can be."""
_NEVER_TAKEN = (Permanent, Unsupported, Malformed)
"""After these it is of no use to ask again."""

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
        settings: OrganisationSettings,
        *,
        lease: int = LEASE,
        chance: random.Random | None = None,
    ) -> None:
        self._database = database
        self._writer = writer
        self._channels = channels
        self._settings = settings
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
        again = transmission.status == "unknown"
        try:
            beginning = transmission if again else replace(transmission, started_at=now_ms())
            outbound = await self._outbound(channel, beginning, transmission.attempts + 1)
            if outbound.automatic and not again and (later := await self._held_until(transmission)):
                await self._writer.carry_out(c.SendHeld(at=now_ms(), due_at=later, **step))
                return
            now = now_ms()
            started = await self._writer.carry_out(
                c.SendAgain(at=now, lease_until=now + self._lease, **step)
                if again
                else c.StartSending(
                    at=now,
                    copies=tuple(one.value for one in (*outbound.cc, *outbound.bcc)),
                    **step,
                )
            )
        except (Refusal, Unavailable) as reason:
            log.info("outbox.not_started", channel=channel.id, reason=str(reason))
            return  # nothing has left; the lease runs out, or somebody canceled
        if not started:
            return  # opted out meanwhile
        command = await self._attempt(channel, outbound, transmission, step)
        self.sent[channel.id, type(command).__name__] += 1
        await self._settle(command)

    async def _held_until(self, transmission: Transmission) -> int | None:
        """Until when an automatic message is held back; ``None``: it may go. A confirmation of an
        opt-out always may."""
        if transmission.confirms:
            return None
        known, now = await self._settings.of(transmission.organisation_id), now_ms()
        due = due_at(known, transmission.scheme, transmission.address, now)
        return None if due == now else due

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
        status = _as_far_as_is_told(channel, transmission, accepted.status)
        threads = channel.info.can.threading
        return c.SendAccepted(at=now_ms(), external_ids=ids, status=status, threads=threads, **step)

    def _outcome(
        self,
        channel: Channel,
        error: Exception,
        transmission: Transmission,
        step: _Step,
    ) -> c.Command:
        now = now_ms()
        detail = _detail(error, transmission)
        if isinstance(error, CredentialsInvalid):
            channel.pause(error.detail or "The provider refuses the channel's credentials.")
        if transmission.status == "unknown":
            wait = self._wait(error, transmission)
            return c.SendUnknown(
                at=now,
                detail=transmission.detail or _unknown_detail(error),
                due_at=max(transmission.deadline + 1, now + wait)
                if isinstance(error, _NEVER_TAKEN)
                else now + wait,
                **step,
            )
        if transmission.kind == "call" and isinstance(error, _LATER):
            # Whoever wanted to call may be elsewhere by then: it is they who try again.
            return c.SendFailed(
                at=now,
                reason="other",
                detail=detail or "The call could not be made now.",
                provider_code=None,
                **step,
            )
        match error:
            case Permanent():
                if transmission.kind == "template":
                    channel.forget_templates()  # it may be gone, or paused
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
                wait = self._wait(error, transmission)
                return c.SendDeferred(at=now, due_at=now + wait, detail=detail, **step)
            case CredentialsInvalid():
                return c.SendReleased(at=now, due_at=now, **step)
            case ChannelResting() | LoopsExhausted():
                return c.SendReleased(at=now, due_at=now + 5_000, **step)
            case _:
                return c.SendUnknown(
                    at=now,
                    detail=_halfway(error, transmission) + _unknown_detail(error),
                    due_at=now
                    + (
                        self._wait(error, transmission)
                        if _may_be_repeated(channel, transmission, now)
                        else ASK_FIRST
                    ),
                    **step,
                )

    def _wait(self, error: Exception, transmission: Transmission) -> int:
        """Milliseconds until the next attempt."""
        wait = backoff(transmission.attempts + 1, self._chance)
        asked = error.retry_after if isinstance(error, Temporary) else None
        return max(wait, int((asked or 0) * 1000))

    async def _outbound(
        self, channel: Channel, transmission: Transmission, attempt: int
    ) -> Outbound:
        can = channel.info.can
        found = await self._database.read(
            lambda connection: store.to_send(
                connection, transmission, threads=can.threading, copies=can.copies
            )
        )
        return Outbound(
            id=str(transmission.id),
            attempt=attempt,
            deadline=datetime.now(UTC) + timedelta(seconds=SEND_LIMIT),
            address=Address(scheme=transmission.scheme, value=transmission.address),
            own_address=transmission.own_address,
            started_at=_moment(transmission.started_at),
            kind=cast("Kind", transmission.kind),
            member_address=None
            if transmission.member_address is None
            else Address(scheme="phone", value=transmission.member_address),
            wire=_wire.decode(transmission.wire),
            attachments=tuple(
                Attachment(id=str(id_), name=name, content_type=type_, size=size)
                for id_, name, type_, size in found.files
            ),
            reply_to=found.reply_to,
            earlier=found.earlier,
            cc=tuple(Address(scheme=transmission.scheme, value=one) for one in found.cc),
            bcc=tuple(Address(scheme=transmission.scheme, value=one) for one in found.bcc),
            automatic=found.author_kind not in PEOPLE,
        )

    # ------------------------------------------------------------------ what was left behind

    async def _look_after(self) -> None:
        """Sends whose process died, and those the provider can be asked about, or given again."""
        now = now_ms()
        found = await self._database.read(
            lambda connection: store.left_behind(connection, now, BATCH)
        )
        for transmission in found:
            channel = self._channels.get(transmission.organisation_id, transmission.channel_id)
            again = channel is not None and _may_be_repeated(channel, transmission, now)
            asks = again or (channel is not None and channel.has("reconcile"))
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
                finding_out = (
                    self._send(channel, transmission, secrets.token_hex(16))
                    if again
                    else self._reconcile(channel, transmission)
                )
                self._spawn(finding_out, channel)

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
            outbound = await self._outbound(channel, transmission, attempt)
            answer = await channel.reconcile(outbound)
        except (HookError, HookTimeout, PluginFault, ChannelResting, LoopsExhausted) as error:
            log.info("outbox.not_reconciled", channel=channel.id, reason=str(error))
            return
        await self._reconciled(channel, answer, attempt, names)

    async def _reconciled(
        self, channel: Channel, answer: Reconciled, attempt: int, names: _Names
    ) -> None:
        if answer.outcome == "found" and answer.external_id:
            await self._settle(
                c.SendAccepted(
                    at=now_ms(),
                    token="",
                    external_ids=(answer.external_id,),
                    status=answer.status,
                    threads=channel.info.can.threading,
                    **names,
                )
            )
        elif answer.outcome == "absent":
            await self._settle(c.SendAbsent(at=now_ms(), attempt=attempt, **names))


def _as_far_as_is_told(
    channel: Channel, transmission: Transmission, status: ReceiptStatus
) -> ReceiptStatus:
    """What the provider has taken is sent, where no receipt will ever say more: it would look as if
    it were under way for good. What becomes of a call is told as news of the call."""
    more = transmission.kind != "call" and channel.info.can.receipts & {"sent", "delivered", "read"}
    return "sent" if status == "queued" and not more else status


def _may_be_repeated(channel: Channel, transmission: Transmission, now: int) -> bool:
    """Whether the provider may be given a message again of which nobody knows whether it has it. A
    call is not: whoever wanted it may be elsewhere by then."""
    once = channel.info.can.provider_idempotency and transmission.kind != "call"
    return once and now <= transmission.deadline


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def _detail(error: Exception, transmission: Transmission) -> str:
    """What staff read of a failure."""
    said = error.detail if isinstance(error, HookError) else str(error)
    return f"{_halfway(error, transmission)}{said}".strip()


def _halfway(error: Exception, transmission: Transmission) -> str:
    """Of a message that goes out as several: how many of them the recipient has."""
    out = len(error.accepted) if isinstance(error, HookError) else 0
    return f"{out} of {len(_wire.decode(transmission.wire))} parts went out. " if out else ""


def _unknown_detail(error: Exception) -> str:
    match error:
        case OutcomeUnknown():
            return error.detail or "The provider did not answer."
        case HookTimeout():
            return "The provider did not answer in time."
        case _:
            return "The channel's plugin failed while the message was being sent."
