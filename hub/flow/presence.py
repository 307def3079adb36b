"""Who else looks at a conversation, or types in it: told as it happens, kept nowhere.

A client says where it is, and again while it is there; what is not said again is over, so whoever
vanishes is gone by themselves. Between processes it goes through Redis, if there is one; without,
colleagues on the same process see each other. Nobody is shown to be, or told who is, where they may
not see anything: that is looked at anew, in one read, each time anybody is told.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.loop import Loop
from hub.flow.stream import Subscriber, still_watching
from hub.flow.views import shapes
from hub.store import inbox, people
from hub.store.database import Database

LOOKS: Final = 50.0
"""Seconds for which somebody is there who does not say so again; pages do every 20."""
TYPES: Final = 6.0
"""Seconds for which somebody types who does not say so again; pages do every 3."""
GATHER: Final = 0.1
"""Seconds between two times that anybody is told."""
LONGEST_REST: Final = 60.0
MOST_HEARD: Final = 1_000
"""So much of other processes waits; what is more is said again anyway."""

Where = tuple[int, int]
"""An organisation and a conversation of it."""


class Beat(Struct, frozen=True, kw_only=True):
    """Where the client at one socket is, for other processes; ``thread_id``: ``None``, it left."""

    socket: str
    organisation_id: int
    member_id: int
    thread_id: int | None
    typing: bool = False


class _Place(Struct):
    where: Where
    member_id: int
    until: float
    typing_until: float
    """0: does not type."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Beat)


class Presence:
    """Who is where, as far as this process knows. Everything on the main loop."""

    def __init__(self, database: Database, *, looks: float = LOOKS, types: float = TYPES) -> None:
        self.relay: Callable[[bytes], None] | None = None
        """Tells other processes, if there are any."""
        self._database = database
        self._looks, self._types = looks, types
        self._process = secrets.token_hex(8)
        self._count = 0
        self._sockets: dict[Subscriber, str] = {}
        self._at: dict[Subscriber, Where] = {}
        self._told: dict[Subscriber, bytes] = {}
        self._claims: dict[Subscriber, tuple[int | None, bool]] = {}
        self._places: dict[str, _Place] = {}
        self._changed: set[Where] = set()
        self._heard: list[bytes] = []
        self._loop = Loop("presence", self._step)

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    async def stop(self) -> None:
        """End."""
        await self._loop.stop()

    def say(self, subscriber: Subscriber, thread_id: int | None, *, typing: bool = False) -> None:
        """A client shows a conversation, or none."""
        self._claims[subscriber] = (thread_id, typing)
        self._loop.wake()

    def gone(self, subscriber: Subscriber) -> None:
        """A client's stream has ended."""
        if subscriber in self._at or subscriber in self._claims:
            self.say(subscriber, None)

    def is_there(self, organisation_id: int, member_id: int, thread_id: int) -> bool:
        """Whether a member looks at a conversation, wherever."""
        now, where = time.monotonic(), (organisation_id, thread_id)
        return any(
            place.member_id == member_id and place.where == where and place.until > now
            for place in self._places.values()
        )

    def heard(self, message: bytes) -> None:
        """What another process has told."""
        if len(self._heard) < MOST_HEARD:
            self._heard.append(message)
            self._loop.wake()

    async def _step(self) -> float:
        heard, self._heard = self._heard, []
        for message in heard:
            self._hear(message)
        self._let_go()
        if not (self._claims or self._changed):
            return self._rest()
        await self._tell()
        await asyncio.sleep(GATHER)
        return self._rest()

    def _rest(self) -> float:
        """Seconds until something is over by itself."""
        now = time.monotonic()
        ends = (place.typing_until or place.until for place in self._places.values())
        return min(max(min(ends, default=now + LONGEST_REST) - now, GATHER), LONGEST_REST)

    def _hear(self, message: bytes) -> None:
        try:
            beat = _decoder.decode(message)
        except msgspec.MsgspecError:
            return  # of another version of the hub
        if not beat.socket.startswith(self._process):
            self._take(beat)

    def _take(self, beat: Beat) -> None:
        before = self._places.pop(beat.socket, None)
        if before is not None:
            self._changed.add(before.where)
        if beat.thread_id is None:
            return
        now = time.monotonic()
        where = (beat.organisation_id, beat.thread_id)
        typing_until = now + self._types if beat.typing else 0.0
        self._places[beat.socket] = _Place(where, beat.member_id, now + self._looks, typing_until)
        self._changed.add(where)

    def _let_go(self) -> None:
        """What was not said again is over."""
        now = time.monotonic()
        for socket, place in list(self._places.items()):
            if place.until <= now:
                del self._places[socket]
                self._changed.add(place.where)
            elif 0 < place.typing_until <= now:
                place.typing_until = 0.0
                self._changed.add(place.where)

    async def _tell(self) -> None:
        claims = self._claims.copy()
        for subscriber, (thread_id, _) in claims.items():
            before = self._at.pop(subscriber, None)
            if before is not None:
                self._changed.add(before)
            if thread_id is not None:
                where = (subscriber.organisation.id, thread_id)
                self._at[subscriber] = where
                self._changed.add(where)
        watchers = {one: where for one, where in self._at.items() if where in self._changed}
        seen, names = set[Subscriber](), dict[int, str]()
        if watchers:
            found = await self._database.read(lambda connection: _look(connection, watchers))
            seen, names = found
        # Who said something else meanwhile is heard next.
        for subscriber, claim in claims.items():
            if self._claims[subscriber] is claim:
                del self._claims[subscriber]
        for subscriber in watchers.keys() - seen:
            del self._at[subscriber]
        for subscriber in claims.keys() | (watchers.keys() - seen):
            self._move(subscriber, typing=claims.get(subscriber, (None, False))[1])
        changed, self._changed = self._changed, set()
        for subscriber in seen:
            where = watchers[subscriber]
            if where in changed:
                self._offer(subscriber, where, names, anew=subscriber in claims)

    def _move(self, subscriber: Subscriber, *, typing: bool) -> None:
        """Somebody is where ``_at`` has them; here and for the other processes."""
        socket = self._sockets.get(subscriber)
        where = self._at.get(subscriber)
        if socket is None:
            if where is None:
                return
            self._count += 1
            socket = self._sockets[subscriber] = f"{self._process}.{self._count}"
        if where is None:
            del self._sockets[subscriber]
            self._told.pop(subscriber, None)
        beat = Beat(
            socket=socket,
            organisation_id=subscriber.organisation.id,
            member_id=subscriber.member_id,
            thread_id=None if where is None else where[1],
            typing=typing,
        )
        self._take(beat)
        if self.relay is not None:
            self.relay(_encoder.encode(beat))

    def _offer(
        self, subscriber: Subscriber, where: Where, names: Mapping[int, str], *, anew: bool
    ) -> None:
        """Tell one client who else is there: what it has just asked for, or what is new to it."""
        others: dict[int, bool] = {}
        for place in self._places.values():
            if place.where == where and place.member_id != subscriber.member_id:
                typing = place.typing_until > 0
                others[place.member_id] = others.get(place.member_id, False) or typing
        message = _encoder.encode(
            shapes.PresenceMessage(
                thread_id=str(where[1]),
                people=[
                    shapes.PersonThere(member_id=str(id_), name=names[id_], typing=typing)
                    for id_, typing in sorted(others.items())
                    if id_ in names
                ],
            )
        )
        if anew or self._told.get(subscriber) != message:
            self._told[subscriber] = message
            subscriber.offer(message)


def _look(
    connection: Connection, watchers: Mapping[Subscriber, Where]
) -> tuple[set[Subscriber], dict[int, str]]:
    """Who of them may see where they are, and the names of who is a member there."""
    seen: set[Subscriber] = set()
    names: dict[int, str] = {}
    there: defaultdict[int, set[Subscriber]] = defaultdict(set)
    for subscriber, (organisation_id, _) in watchers.items():
        there[organisation_id].add(subscriber)
    for organisation_id, subscribers in there.items():
        still = still_watching(connection, organisation_id, subscribers)
        for scope in {subscriber.scope for subscriber in still}:
            alike = {subscriber for subscriber in still if subscriber.scope == scope}
            ids = {watchers[subscriber][1] for subscriber in alike}
            visible = {row.id for row in inbox.threads_by_id(connection, scope, sorted(ids))}
            seen |= {one for one in alike if watchers[one][1] in visible}
        names |= {
            one.id: one.name for one in people.members_of(connection, organisation_id) if one.active
        }
    return seen, names
