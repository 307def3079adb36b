"""From the journal to the sockets.

One pump for each organisation that somebody watches reads the journal as it grows, makes one
frame for each way of seeing it (the channels a role may see, and whether it may approve), and hands
the bytes to everybody who sees it so. The first change goes out at once, what follows within a few
milliseconds goes together. A client says where it was and gets what it missed; nothing is skipped,
nothing comes twice.

Rights are read together with what is shown, so nothing is shown that was committed after a right
was withdrawn, whoever withdrew it and in whichever process; the stream of who lost one ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Final

import msgspec
import structlog
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.host import now_ms
from hub.flow.targets import as_of_now
from hub.flow.views import read, shapes
from hub.flow.views.present import Presenter
from hub.flow.views.queue import queued
from hub.flow.waiting import woken
from hub.rules import alerts
from hub.rules.rights import APPROVE
from hub.store import approvals, inbox, journal, people, timeline
from hub.store.database import Database
from hub.store.inbox import Filter
from hub.store.journal import Line
from hub.store.people import Membership, Organisation
from hub.store.scope import Scope
from hub.store.timeline import EntryRow

log = structlog.get_logger()

GATHER = 0.005
"""Seconds to gather for while changes keep coming."""
FRAME_LINES = 500
FARTHEST_BACK = 5_000
"""Positions a client may be behind and still be given what it missed."""
QUEUE = 512
"""Frames a slow client may be behind before it is told to read everything again."""
COUNT_EVERY = 1.0
ANEW: Final = ("settings.changed", "members.changed")
"""What is told without saying what: whoever shows it reads it anew."""

_encoder = msgspec.json.Encoder()


Way = tuple[Scope, bool]
"""A way of seeing: with whose eyes, and whether the approval queue too."""


class Pass(Struct, frozen=True):
    """By what somebody watches: a session or API token, and what they might when they came."""

    token_hash: str
    membership: Membership


class Subscriber:
    """One client: how it sees, what it shows, and what it has not been sent yet."""

    def __init__(
        self,
        organisation: Organisation,
        scope: Scope,
        member_id: int,
        *,
        only_frames: bool = False,
        by: Pass | None = None,
    ) -> None:
        self.organisation = organisation
        self.scope = scope
        self.member_id = member_id
        self.only_frames = only_frames
        """It is sent nothing that has no position."""
        self.by = by
        """The stream ends when this is no longer so; ``None``: the hub itself watches."""
        self.ended = False
        self.shows: Filter | None = None
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE)
        """Messages to send; ``None`` ends the stream."""
        self.approves = by is None or APPROVE in by.membership.capabilities
        """Whether it is shown the approval queue."""
        self.start = 0
        """The position from which on frames come through the queue."""
        self.latest = 0
        """Where the last frame that was queued ends."""

    @property
    def way(self) -> Way:
        """How it sees."""
        return self.scope, self.approves

    def offer(self, message: bytes) -> None:
        """Queue a message; a client that is too slow starts again."""
        if self.ended:
            return
        if self.queue.full():
            self._drop()
            message = _reload(self.latest)
        self.queue.put_nowait(message)

    def end(self) -> None:
        """Nothing more comes."""
        self.ended = True
        self._drop()
        self.queue.put_nowait(None)

    def _drop(self) -> None:
        while not self.queue.empty():
            self.queue.get_nowait()


class Stream:
    """Realtime for this process."""

    def __init__(
        self, database: Database, presenter: Presenter, *, look_every: float | None = None
    ) -> None:
        self._database = database
        self._presenter = presenter
        self._look_every = look_every
        self._pumps: dict[int, _Pump] = {}

    def committed(self, positions: dict[int, int]) -> None:
        """The journals of these organisations reach so far now. Call on the main loop."""
        for organisation_id in positions:
            pump = self._pumps.get(organisation_id)
            if pump is not None:
                pump.wake()

    def look(self) -> None:
        """Rights may have changed: end the streams of who lost theirs."""
        for pump in self._pumps.values():
            pump.wake()

    def announce(self, organisation_id: int, make: Callable[[], shapes.ChannelOut]) -> None:
        """Tell everybody of a channel's state; it is no line of the journal."""
        pump = self._pumps.get(organisation_id)
        if pump is not None:
            pump.announce(make())

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return bool(self._pumps)

    def tell(self, organisation_id: int, member_id: int, message: bytes) -> None:
        """Send a message without a position to one member, wherever they watch."""
        pump = self._pumps.get(organisation_id)
        if pump is not None:
            pump.tell(member_id, message)

    def show(self, subscriber: Subscriber, shows: Filter) -> None:
        """It shows that scope from now on, and is sent the counts of it."""
        subscriber.shows = shows
        pump = self._pumps.get(subscriber.organisation.id)
        if pump is not None:
            pump.count(subscriber)

    @contextlib.asynccontextmanager
    async def subscribed(self, subscriber: Subscriber) -> AsyncGenerator[Subscriber]:
        """A place among the watchers, as long as the context lasts. ``ended`` says that a right
        was withdrawn meanwhile."""
        organisation = subscriber.organisation
        pump = self._pumps.get(organisation.id)
        if pump is None:
            pump = _Pump(self._database, self._presenter, organisation, self._look_every)
            self._pumps[organisation.id] = pump
        pump.users += 1
        try:
            await pump.join(subscriber)
            yield subscriber
        finally:
            pump.leave(subscriber)
            pump.users -= 1
            if pump.users == 0 and self._pumps.get(organisation.id) is pump:
                del self._pumps[organisation.id]
                pump.stop()

    async def missed(self, subscriber: Subscriber, since: int) -> list[bytes]:
        """What lies between ``since`` and where the live frames begin; or the word to reload.
        Nothing for who has lost the right to it."""
        upto = subscriber.start
        if since > upto or upto - since > FARTHEST_BACK:
            return [_encoder.encode(shapes.Reload(position=upto))]
        organisation, way = subscriber.organisation, subscriber.way

        def look(connection: Connection) -> list[Changes] | None:
            found: list[Changes] = []
            if not still_watching(connection, organisation.id, [subscriber]):
                return found
            at = since
            while at < upto:
                lines = journal.changes_since(connection, organisation.id, at, FRAME_LINES)
                lines = [line for line in lines if line.position <= upto]
                if not lines:
                    return None
                found.append(read_changes(connection, way, at, lines))
                at = lines[-1].position
            return found

        found = await self._database.read(look)
        if found is None:
            return [_encoder.encode(shapes.Reload(position=upto))]
        return [make_frame(self._presenter, organisation, changes) for changes in found]

    def end(self) -> None:
        """Tell every watcher that nothing more comes: the hub stops."""
        for pump in self._pumps.values():
            pump.end()


class _Pump:
    """Reads one organisation's journal and feeds its watchers."""

    def __init__(
        self,
        database: Database,
        presenter: Presenter,
        organisation: Organisation,
        look_every: float | None,
    ) -> None:
        self.users = 0
        self._database = database
        self._presenter = presenter
        self._organisation = organisation
        self._look_every = look_every
        self._position: int | None = None
        self._subscribers: set[Subscriber] = set()
        self._wake = asyncio.Event()
        self._ready = asyncio.Lock()
        self._uncounted: set[Subscriber] = set()
        self._said: list[tuple[Callable[[Subscriber], bool], Callable[[], bytes]]] = []
        self._task: asyncio.Task[None] | None = None
        self._counter: asyncio.Task[None] | None = None

    async def join(self, subscriber: Subscriber) -> None:
        async with self._ready:
            if self._position is None:
                self._position = await self._database.read(
                    lambda connection: inbox.position_of(connection, self._organisation.id)
                )
                self._task = asyncio.create_task(self._run())
                self._counter = asyncio.create_task(self._count())
        subscriber.start = self._position
        self._subscribers.add(subscriber)
        organisation_id = self._organisation.id
        self._keep(
            [subscriber],
            await self._database.read(
                lambda connection: still_watching(connection, organisation_id, [subscriber])
            ),
        )

    def leave(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)
        self._uncounted.discard(subscriber)

    def stop(self) -> None:
        for task in (self._task, self._counter):
            if task is not None:
                task.cancel()

    def wake(self) -> None:
        self._wake.set()

    def count(self, subscriber: Subscriber) -> None:
        self._uncounted.add(subscriber)

    def end(self) -> None:
        self.stop()
        for subscriber in self._subscribers:
            subscriber.end()

    def announce(self, channel: shapes.ChannelOut) -> None:
        def make() -> bytes:
            at = self._position or 0
            change = shapes.StreamChange(type="channel.changed", position=at, channel=channel)
            return _encoder.encode(shapes.StreamFrame(from_=at, to=at, changes=[change]))

        self._said.append((lambda subscriber: subscriber.scope.sees(channel.id), make))
        self._wake.set()

    def tell(self, member_id: int, message: bytes) -> None:
        def concerns(subscriber: Subscriber) -> bool:
            return subscriber.member_id == member_id and not subscriber.only_frames

        self._said.append((concerns, lambda: message))
        self._wake.set()

    def _keep(self, subscribers: Iterable[Subscriber], still: set[Subscriber]) -> None:
        """End the streams of those who may no longer watch."""
        for subscriber in subscribers:
            if subscriber not in still:
                log.info("stream.ended", member=subscriber.member_id)
                subscriber.end()
                self.leave(subscriber)

    async def _run(self) -> None:
        while True:
            await woken(self._wake, self._look_every)
            self._wake.clear()
            try:
                more = True
                while more:
                    more = await self._push()
                    await asyncio.sleep(GATHER if more else 0)
            except Exception:
                log.exception("stream.failed", organisation=self._organisation.slug)
                await asyncio.sleep(1)
                self._wake.set()

    async def _push(self) -> bool:
        """Send what is new; whether there was anything."""
        assert self._position is not None  # noqa: S101 — set before the task began
        since = self._position
        organisation = self._organisation
        watchers = list(self._subscribers)

        def look(connection: Connection) -> tuple[list[Line], set[Subscriber]]:
            lines = journal.changes_since(connection, organisation.id, since, FRAME_LINES)
            # Where there are lines, rights are read once more, with what the lines are about.
            return lines, set() if lines else still_watching(connection, organisation.id, watchers)

        said = len(self._said)
        lines, still = await self._database.read(look)
        if not lines:
            self._keep(watchers, still)
            self._say(said)
            return False
        ways: dict[Way, bytes] = {}
        checked: set[Subscriber] = set()
        # Who joins while the frames are made begins where they begin, and may see otherwise.
        while unread := self._subscribers - checked:
            watchers = list(unread)
            new = {subscriber.way for subscriber in watchers} - ways.keys()
            found, still = await self._database.read(
                lambda connection, new=new, watchers=watchers: (
                    [read_changes(connection, way, since, lines) for way in new],
                    still_watching(connection, organisation.id, watchers),
                )
            )
            for changes in found:
                ways[changes.way] = make_frame(self._presenter, organisation, changes)
            self._keep(watchers, still)
            checked.update(watchers)
        self._position = lines[-1].position
        for subscriber in self._subscribers:
            subscriber.latest = self._position
            subscriber.offer(ways[subscriber.way])
        self._say(said)
        self._uncounted |= self._subscribers
        return True

    def _say(self, count: int) -> None:
        """The first messages without a position, to those whose rights were just looked at."""
        for concerns, make in self._said[:count]:
            message = make()
            for subscriber in self._subscribers:
                if concerns(subscriber):
                    subscriber.offer(message)
        del self._said[:count]

    async def _count(self) -> None:
        """Send counts for the scopes shown, when something changed, once for all who share one."""
        organisation_id = self._organisation.id
        while True:
            groups: dict[tuple[Way, Filter], list[Subscriber]] = defaultdict(list)
            for subscriber in list(self._uncounted):
                if subscriber.shows is not None:
                    groups[subscriber.way, subscriber.shows].append(subscriber)
            self._uncounted.clear()
            for (way, shows), subscribers in groups.items():
                try:
                    position, counts, still = await self._database.read(
                        lambda connection, way=way, shows=shows, subscribers=subscribers: (
                            inbox.position_of(connection, organisation_id),
                            count(connection, way, shows),
                            still_watching(connection, organisation_id, subscribers),
                        )
                    )
                except Exception:
                    log.exception("stream.count_failed", organisation=self._organisation.slug)
                    self._uncounted.update(self._subscribers.intersection(subscribers))
                    continue
                self._keep(subscribers, still)
                # Also where they are as before: who asks besides may have been told otherwise.
                message = _encoder.encode(shapes.CountsMessage(counts=counts, position=position))
                for subscriber in subscribers:
                    subscriber.offer(message)
            await asyncio.sleep(COUNT_EVERY)


def count(connection: Connection, way: Way, shows: Filter) -> shapes.ThreadCounts:
    """Absolute numbers for a scope."""
    scope, approves = way
    wanted = as_of_now(connection, scope.organisation_id, shows)
    by_filter, by_status, unread = inbox.filter_counts(connection, scope, wanted)
    if wanted.late_since is None:
        del by_filter["late"]
    waiting = approvals.waiting_for(connection, scope, shows.me or 0) if approves else 0
    return shapes.ThreadCounts(
        filter=by_filter, status=by_status, unread_total=unread, approvals=waiting
    )


def still_watching(
    connection: Connection, organisation_id: int, watchers: Iterable[Subscriber]
) -> set[Subscriber]:
    """Those of them who may watch as they did when they came."""
    passes = {watcher: watcher.by for watcher in watchers}
    hashes = {by.token_hash for by in passes.values() if by is not None}
    if not hashes:
        return set(passes)
    now = people.watching(connection, organisation_id, hashes, now_ms())
    return {
        watcher
        for watcher, by in passes.items()
        if by is None or now.get(by.token_hash) == by.membership
    }


class Changes(Struct, frozen=True):
    """Lines of the journal after ``since``, and what they are about as one way of seeing has it."""

    way: Way
    since: int
    lines: list[Line]
    entries: read.Entries
    threads: read.Threads
    queue: read.Queue

    @property
    def scope(self) -> Scope:
        """With whose eyes they are read."""
        return self.way[0]


def read_changes(connection: Connection, way: Way, since: int, lines: list[Line]) -> Changes:
    """Entries and threads as they are now: a client replaces, so the last state is enough."""
    scope, approves = way
    decided = {line.entry_id for line in lines if approves and line.type == "approval.changed"}
    changed = {line.entry_id for line in lines}
    # Of conversations that they see also what happened where they see nothing: it may have reopened
    # them, or answered.
    moved = {line.thread_id for line in lines}
    entries = timeline.entries_by_id(connection, scope, list(_known(changed)))
    threads = inbox.threads_by_id(connection, scope, list(_known(moved)))
    waiting = approvals.queued_by_id(connection, scope, list(_known(decided)))
    return Changes(
        way,
        since,
        lines,
        read.entries(connection, scope, entries),
        read.threads(connection, scope, threads),
        read.queue(connection, scope, waiting),
    )


def make_frame(presenter: Presenter, organisation: Organisation, found: Changes) -> bytes:
    """The changes as one way of seeing shows them, each thing once."""
    lines = found.lines
    added = {line.entry_id for line in lines if line.type == "entry.added"}
    last = {line.entry_id: line.position for line in lines}
    moved = {line.thread_id: line.position for line in lines}
    rows = found.entries.rows
    entries = presenter.entries(organisation, found.entries)
    alert_of = alerts_of(lines)
    changes: list[shapes.StreamChange] = []
    for row, entry in sorted(zip(rows, entries, strict=True), key=lambda pair: pair[0].seq):
        changes.append(
            shapes.StreamChange(
                type="entry.added" if row.id in added else "entry.changed",
                position=last[row.id],
                entry=entry,
                alert=alert_of(row),
            )
        )
    place = {row.id: row.thread_id for row in rows}
    for line in lines:
        gone = line.type == "entry.removed" and place.get(line.entry_id or 0) != line.thread_id
        if gone and found.scope.sees(line.channel_id):
            changes.append(
                shapes.StreamChange(
                    type="entry.removed",
                    position=line.position,
                    entry_id=str(line.entry_id),
                    thread_id=str(line.thread_id),
                )
            )
    threads = presenter.threads(found.threads)
    for row, thread in zip(found.threads.rows, threads, strict=True):
        changes.append(
            shapes.StreamChange(type="thread.changed", position=moved[row.id], thread=thread)
        )
    decided = {line.entry_id: line.position for line in lines if line.type == "approval.changed"}
    for row, one in zip(
        found.queue.rows, queued(presenter, organisation, found.queue), strict=True
    ):
        changes.append(
            shapes.StreamChange(
                type="approval.changed", position=decided[row.entry.id], approval=one
            )
        )
    there = {row.id for row in found.threads.rows}
    # Whoever sees some channels only sees no more of a thread when its last call on them is gone.
    lost = {
        line.thread_id: line.position
        for line in lines
        if line.type == "entry.removed" and found.scope.sees(line.channel_id)
    }
    for thread_id, position in lost.items():
        if thread_id is not None and thread_id not in there:
            changes.append(
                shapes.StreamChange(
                    type="thread.changed", position=position, thread_id=str(thread_id)
                )
            )
    told = {line.type: line.position for line in lines}
    changes += [
        shapes.StreamChange(type=type_, position=told[type_]) for type_ in ANEW if type_ in told
    ]
    changes.sort(key=lambda change: change.position)
    return _encoder.encode(
        shapes.StreamFrame(from_=found.since, to=lines[-1].position, changes=changes)
    )


def alerts_of(lines: Iterable[Line]) -> Callable[[EntryRow], alerts.AlertKind | None]:
    """What each entry that the lines are about alerts of."""
    now = now_ms()
    fresh = [line for line in lines if now - line.created_at < alerts.FRESH_MS]
    new = {line.entry_id: line.created_at for line in fresh if line.type == "entry.added"}
    later = {line.entry_id: line.created_at for line in fresh if line.type == "alert"}

    def alert_of(row: EntryRow) -> alerts.AlertKind | None:
        at = new.get(row.id, later.get(row.id))
        return None if at is None else alerts.kind_of(row, at, new=row.id in new)

    return alert_of


def _known(ids: Iterable[int | None]) -> Iterable[int]:
    return (id_ for id_ in ids if id_ is not None)


def _reload(position: int) -> bytes:
    return _encoder.encode(shapes.Reload(position=position))
