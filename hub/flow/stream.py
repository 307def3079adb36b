"""From the journal to the sockets.

One pump for each organisation that somebody watches reads the journal as it grows, makes one
frame for each way of seeing it (the channels a role may see), and hands the bytes to everybody
who sees it so. The first change goes out at once, what follows within a few milliseconds goes
together. A client says where it was and gets what it missed; nothing is skipped, nothing comes
twice.

Rights are read together with what is shown, so nothing is shown that was committed after a right
was withdrawn, whoever withdrew it and in whichever process; the stream of who lost one ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable

import msgspec
import structlog
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.host import now_ms
from hub.flow.views import read, shapes
from hub.flow.views.present import Presenter
from hub.flow.waiting import woken
from hub.store import inbox, journal, people, timeline
from hub.store.database import Database
from hub.store.inbox import Filter
from hub.store.journal import Line
from hub.store.people import Membership, Organisation
from hub.store.scope import Scope

log = structlog.get_logger()

GATHER = 0.005
"""Seconds to gather for while changes keep coming."""
FRAME_LINES = 500
FARTHEST_BACK = 5_000
"""Positions a client may be behind and still be given what it missed."""
QUEUE = 512
"""Frames a slow client may be behind before it is told to read everything again."""
COUNT_EVERY = 1.0

_encoder = msgspec.json.Encoder()


class Pass(Struct, frozen=True):
    """By what somebody watches: a session, and what they might when they came."""

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
        self.start = 0
        """The position from which on frames come through the queue."""
        self.latest = 0
        """Where the last frame that was queued ends."""
        self.counted: shapes.ThreadCounts | None = None

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
        organisation, scope = subscriber.organisation, subscriber.scope

        def look(connection: Connection) -> list[Changes] | None:
            found: list[Changes] = []
            if not _still(connection, organisation.id, [subscriber]):
                return found
            at = since
            while at < upto:
                lines = journal.changes_since(connection, organisation.id, at, FRAME_LINES)
                lines = [line for line in lines if line.position <= upto]
                if not lines:
                    return None
                found.append(read_changes(connection, scope, at, lines))
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
                lambda connection: _still(connection, organisation_id, [subscriber])
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
            return lines, set() if lines else _still(connection, organisation.id, watchers)

        said = len(self._said)
        lines, still = await self._database.read(look)
        if not lines:
            self._keep(watchers, still)
            self._say(said)
            return False
        ways: dict[Scope, bytes] = {}
        checked: set[Subscriber] = set()
        # Who joins while the frames are made begins where they begin, and may see otherwise.
        while unread := self._subscribers - checked:
            watchers = list(unread)
            scopes = {subscriber.scope for subscriber in watchers} - ways.keys()
            found, still = await self._database.read(
                lambda connection, scopes=scopes, watchers=watchers: (
                    [read_changes(connection, scope, since, lines) for scope in scopes],
                    _still(connection, organisation.id, watchers),
                )
            )
            for changes in found:
                ways[changes.scope] = make_frame(self._presenter, organisation, changes)
            self._keep(watchers, still)
            checked.update(watchers)
        self._position = lines[-1].position
        for subscriber in self._subscribers:
            subscriber.latest = self._position
            subscriber.offer(ways[subscriber.scope])
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
            groups: dict[tuple[Scope, Filter], list[Subscriber]] = defaultdict(list)
            for subscriber in list(self._uncounted):
                if subscriber.shows is not None:
                    groups[subscriber.scope, subscriber.shows].append(subscriber)
            self._uncounted.clear()
            for (scope, shows), subscribers in groups.items():
                try:
                    counts, still = await self._database.read(
                        lambda connection, scope=scope, shows=shows, subscribers=subscribers: (
                            count(connection, scope, shows),
                            _still(connection, organisation_id, subscribers),
                        )
                    )
                except Exception:
                    log.exception("stream.count_failed", organisation=self._organisation.slug)
                    continue
                self._keep(subscribers, still)
                message = _encoder.encode(shapes.CountsMessage(counts=counts))
                for subscriber in subscribers:
                    if subscriber.counted != counts:
                        subscriber.counted = counts
                        subscriber.offer(message)
            await asyncio.sleep(COUNT_EVERY)


def count(connection: Connection, scope: Scope, shows: Filter) -> shapes.ThreadCounts:
    """Absolute numbers for a scope."""
    by_filter, by_status, unread = inbox.filter_counts(connection, scope, shows)
    return shapes.ThreadCounts(filter=by_filter, status=by_status, unread_total=unread)


def _still(
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
    """Lines of the journal after ``since``, and what they are about as one scope sees it."""

    scope: Scope
    since: int
    lines: list[Line]
    entries: read.Entries
    threads: read.Threads


def read_changes(connection: Connection, scope: Scope, since: int, lines: list[Line]) -> Changes:
    """Entries and threads as they are now: a client replaces, so the last state is enough."""
    changed = {line.entry_id for line in lines}
    moved = {line.thread_id for line in lines if scope.sees(line.channel_id)}
    entries = timeline.entries_by_id(connection, scope, list(_known(changed)))
    threads = inbox.threads_by_id(connection, scope, list(_known(moved)))
    return Changes(
        scope,
        since,
        lines,
        read.entries(connection, entries),
        read.threads(connection, scope, threads),
    )


def make_frame(presenter: Presenter, organisation: Organisation, found: Changes) -> bytes:
    """The changes as one way of seeing shows them, each thing once."""
    lines = found.lines
    added = {line.entry_id for line in lines if line.type == "entry.added"}
    last = {line.entry_id: line.position for line in lines}
    moved = {line.thread_id: line.position for line in lines if found.scope.sees(line.channel_id)}
    rows = found.entries.rows
    entries = presenter.entries(organisation, found.entries)
    changes: list[shapes.StreamChange] = []
    for row, entry in sorted(zip(rows, entries, strict=True), key=lambda pair: pair[0].seq):
        changes.append(
            shapes.StreamChange(
                type="entry.added" if row.id in added else "entry.changed",
                position=last[row.id],
                entry=entry,
            )
        )
    threads = presenter.threads(found.threads)
    for row, thread in zip(found.threads.rows, threads, strict=True):
        changes.append(
            shapes.StreamChange(type="thread.changed", position=moved[row.id], thread=thread)
        )
    changes.sort(key=lambda change: change.position)
    return _encoder.encode(
        shapes.StreamFrame(from_=found.since, to=lines[-1].position, changes=changes)
    )


def _known(ids: Iterable[int | None]) -> Iterable[int]:
    return (id_ for id_ in ids if id_ is not None)


def _reload(position: int) -> bytes:
    return _encoder.encode(shapes.Reload(position=position))
