"""What browsers are to be told: from the journal, and from channels that get into trouble.

The journal is read as it grows, by one process at a time and only where somebody's browser is told
at all: who does not use this does not pay for it. How far it was read is kept nowhere. Who begins
reads what is still fresh, and a push that was queued before is known by its ``version``.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import structlog
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from hub.flow.host import Channel, FailedChannel, now_ms
from hub.flow.loop import Loop
from hub.flow.stream import alerts_of
from hub.flow.writer import Unavailable, Writer
from hub.rules import alerts
from hub.rules import pushes as rules
from hub.rules.alerts import FRESH_MS, AlertKind, Hearer
from hub.rules.rights import CHANNELS, VIEW
from hub.store import inbox, journal, leases, people, timeline
from hub.store import pushes as store
from hub.store.database import Database
from hub.store.ids import Ids
from hub.store.journal import Line
from hub.store.people import Membership
from hub.store.pushes import Listener, Push
from hub.store.scope import Scope
from hub.store.timeline import EntryRow

log = structlog.get_logger()

LOOK = 5.0
"""Seconds between two looks whether there is anybody to be told, and what other processes wrote."""
GATHER = 0.2
"""Seconds in which what is committed is read together."""
LINES = 500
FARTHEST_BACK = 5_000
"""Positions that somebody who begins looks back for what is still fresh."""
LEASE = 20_000
_MINUTE = 60_000

ChannelKey = tuple[int, str]


class _Found(Struct, frozen=True):
    """What a look at an organisation gives. ``at``: how far it has read; ``more``: there is more;
    ``barred``: another process is at it."""

    at: int = 0
    pushes: list[Push] = []
    more: bool = False
    barred: bool = False


class Watch:
    """Queues pushes. ``queued`` is called when there are some."""

    def __init__(
        self, database: Database, writer: Writer, ids: Ids, queued: Callable[[], None]
    ) -> None:
        self._database = database
        self._writer = writer
        self._ids = ids
        self._queued = queued
        self._token = secrets.token_hex(16)
        self._heard_in: set[int] = set()
        self._looked_at = 0
        self._at: dict[int, int] = {}
        self._until: dict[int, int] = {}
        self._fine: dict[ChannelKey, bool] = {}
        self._troubled: set[ChannelKey] = set()
        self._loop = Loop("push.watch", self._step)

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    async def stop(self) -> None:
        """End, and leave it to others."""
        await self._loop.stop()
        names = [_lease_of(organisation_id) for organisation_id in self._until]

        def let_go(connection: Connection) -> None:
            for name in names:
                leases.let_go(connection, name, self._token)

        if names:
            try:
                await self._writer.execute(let_go)
            except Unavailable as error:
                log.info("push.lease_kept", reason=str(error))

    def look(self) -> None:
        """There may be a browser more."""
        self._looked_at = 0
        self._loop.wake()

    def committed(self, positions: Mapping[int, int]) -> None:
        """The journals of these organisations reach so far now. Call on the main loop."""
        if not self._heard_in.isdisjoint(positions):
            self._loop.wake()

    def channel(self, organisation_id: int, channel: Channel | FailedChannel) -> None:
        """How a channel is by now."""
        key = (organisation_id, channel.id)
        fine = isinstance(channel, Channel) and not alerts.in_trouble(
            channel.health.state, paused=channel.paused_reason is not None
        )
        before, self._fine[key] = self._fine.get(key), fine
        if before and not fine:
            self._troubled.add(key)
            self._loop.wake()

    async def _step(self) -> float:
        now = now_ms()
        if now - self._looked_at >= LOOK * 1000:
            self._heard_in = await self._database.read(lambda found: store.heard_in(found, now))
            self._looked_at = now
        for organisation_id in sorted(self._heard_in):
            await self._read(organisation_id)
        if troubled := self._troubled:
            self._troubled = set()
            await self._tell_of_channels(troubled)
        if self._heard_in:
            await asyncio.sleep(GATHER)
        return LOOK

    async def _read(self, organisation_id: int) -> None:
        more = True
        while more:
            found = await self._database.read(partial(self._look, organisation_id, now_ms()))
            if found.barred or not await self._holds(organisation_id):
                self._at.pop(organisation_id, None)
                self._until.pop(organisation_id, None)
                return
            await self._queue(found.pushes)
            self._at[organisation_id], more = found.at, found.more

    async def _holds(self, organisation_id: int) -> bool:
        now, name = now_ms(), _lease_of(organisation_id)
        if self._until.get(organisation_id, 0) - now > LEASE // 2:
            return True
        until = now + LEASE
        held = await self._writer.execute(
            lambda connection: leases.take(connection, name, self._token, now=now, until=until)
        )
        if held:
            self._until[organisation_id] = until
        return held

    def _look(self, organisation_id: int, now: int, connection: Connection) -> _Found:
        lease = leases.get(connection, _lease_of(organisation_id))
        if lease is not None and lease.bars(self._token, now):
            return _Found(barred=True)
        at = self._at.get(organisation_id)
        if at is None:
            at = max(0, inbox.position_of(connection, organisation_id) - FARTHEST_BACK)
        lines = journal.changes_since(connection, organisation_id, at, LINES)
        if not lines:
            return _Found(at=at)
        found = self._due(connection, organisation_id, lines, now)
        return _Found(lines[-1].position, found, len(lines) == LINES)

    def _due(
        self, connection: Connection, organisation_id: int, lines: list[Line], now: int
    ) -> list[Push]:
        """What these lines alert of, for each browser whose owner it concerns."""
        fresh = [
            line
            for line in lines
            if line.type in {"entry.added", "alert"} and now - line.created_at < FRESH_MS
        ]
        if not fresh:
            return []
        ids = sorted({line.entry_id for line in fresh if line.entry_id is not None})
        last = {line.entry_id: line for line in fresh}
        alert_of = alerts_of(fresh)
        due: list[Push] = []
        for scope, hearers in _by_scope(connection, organisation_id, now).items():
            rows: list[tuple[EntryRow, AlertKind]] = [
                (row, kind)
                for row in timeline.entries_by_id(connection, scope, ids)
                if (kind := alert_of(row)) is not None
            ]
            places = sorted({row.thread_id for row, _ in rows})
            threads = {row.id: row for row in inbox.threads_by_id(connection, scope, places)}
            for row, kind in rows:
                thread = threads.get(row.thread_id)
                if thread is None:
                    continue
                # Of a note everybody whom it mentions hears once, whatever becomes of it.
                once = kind == "mention"
                due += [
                    Push(
                        id=self._ids.new(),
                        organisation_id=organisation_id,
                        push_key=listener.push_key,
                        about=f"note:{row.id}" if once else f"thread:{row.thread_id}",
                        kind=kind,
                        thread_id=row.thread_id,
                        entry_id=row.id,
                        version=0 if once else last[row.id].position,
                        due_at=now,
                        created_at=now,
                    )
                    for listener, hearer in hearers
                    if listener.since <= last[row.id].created_at
                    and alerts.concerns(kind, row, thread.assignee_id, hearer)
                    and not alerts.hushed(hearer.choices, now)
                ]
        return due

    async def _tell_of_channels(self, troubled: Iterable[ChannelKey]) -> None:
        now = now_ms()

        def look(connection: Connection) -> list[Push]:
            return [
                Push(
                    id=self._ids.new(),
                    organisation_id=organisation_id,
                    push_key=listener.push_key,
                    about=f"channel:{channel_id}",
                    kind="channel",
                    channel_id=channel_id,
                    # Each process sees its own channels: of what they all see there is one.
                    version=now // _MINUTE,
                    due_at=now,
                    created_at=now,
                )
                for organisation_id, channel_id in sorted(troubled)
                for scope, hearers in _by_scope(connection, organisation_id, now).items()
                if scope.sees(channel_id)
                for listener, hearer in hearers
                if CHANNELS in hearer.capabilities
                and "channel" not in hearer.choices.off
                and not alerts.hushed(hearer.choices, now)
            ]

        await self._queue(await self._database.read(look))

    async def _queue(self, pushes: list[Push]) -> None:
        if not pushes:
            return

        def work(connection: Connection) -> None:
            for push in pushes:
                put(connection, push)

        await self._writer.execute(work)
        self._queued()


def put(connection: Connection, push: Push) -> None:
    """Let it be sent, in place of what waits of the same, and not sooner than it may."""
    before = store.held(connection, push)
    if before is None:
        store.put(connection, push, None)
    elif push.version > before.version:
        waits_until = before.due_at if before.state == "waiting" else None
        at = rules.due_at(push.created_at, before.tried_at, waits_until)
        store.put(connection, replace(push, due_at=at), before)


Heard = dict[Scope, list[tuple[Listener, Hearer]]]


def _by_scope(connection: Connection, organisation_id: int, now: int) -> Heard:
    """Everybody with a browser who may see conversations now, by what they see of them."""
    listening = store.listeners(connection, organisation_id, now)
    if not listening:
        return {}
    hashes = [one.token_hash for one in listening]
    may = people.watching(connection, organisation_id, hashes, now)
    found: Heard = {}
    for one in listening:
        member: Membership | None = may.get(one.token_hash)
        if member is not None and VIEW in member.capabilities:
            hearer = Hearer(member.member_id, member.capabilities, alerts.decode(one.alerts))
            scope = Scope(organisation_id, member.channels)
            found.setdefault(scope, []).append((one, hearer))
    return found


def _lease_of(organisation_id: int) -> str:
    return f"push:{organisation_id}"
