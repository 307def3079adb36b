"""Handing pushes to the push services of browsers: lease, make its words, hand over, settle.

A push may go out twice where a process dies between the last two: it says the same and takes the
place of the first, so nobody sees two. What is not handed over within a quarter of an hour is given
up; nobody is served by an alert that old.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from typing import Final, Literal
from urllib.parse import urlsplit

import structlog
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.host import now_ms
from hub.flow.loop import Loop
from hub.flow.push import notes
from hub.flow.push.devices import Devices
from hub.flow.push.notes import ChannelOf, IsThere, Note
from hub.flow.writer import Unavailable, Writer
from hub.plugin import HookError, HttpResponse, Permanent
from hub.plugin.kit.http import PluginHttp
from hub.rules import pushes as rules
from hub.rules.pushes import Subscription
from hub.rules.sending import backoff
from hub.store import pushes as store
from hub.store.database import Database
from hub.store.pushes import Device, Push

log = structlog.get_logger()

LEASE = 60_000
AT_ONCE = 32
SECONDS = 10.0
"""For which a push service may take to answer."""
LARGEST_ANSWER = 20_000
IDLE = 5.0
ENDING = 5.0
"""Seconds that pushes under way get to be settled when the hub stops."""
GONE: Final = frozenset({404, 410})
LATER: Final = frozenset({408, 429})

Verdict = Literal["sent", "unwanted", "gone", "refused", "given_up", "deferred"]


class Outcome(Struct, frozen=True):
    """What came of a push. ``due_at``: when it is tried again."""

    push: Push
    verdict: Verdict
    due_at: int = 0


class Sender:
    """Sends what is due. ``contact``: where push services reach whoever runs the hub."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        devices: Devices,
        http: PluginHttp,
        contact: str,
        channel_of: ChannelOf,
        is_there: IsThere,
    ) -> None:
        self._database = database
        self._writer = writer
        self._devices = devices
        self._http = http
        self._contact = contact
        self._channel_of = channel_of
        self._is_there = is_there
        self._chance = random.SystemRandom()
        self._loop = Loop("push.send", self._step)
        self.outcomes: Counter[str] = Counter()
        """Attempts by what came of them, for the metrics."""

    async def start(self) -> None:
        """Begin. On SQLite this process is the only one: leases of a former one are void."""
        if self._database.dialect == "sqlite":
            await self._writer.execute(store.forget_leases)
        self._loop.start()

    async def stop(self) -> None:
        """Begin nothing more."""
        await self._loop.stop(ENDING)

    def wake(self) -> None:
        """Something may be queued."""
        self._loop.wake()

    async def _step(self) -> float:
        now = now_ms()

        def look(connection: Connection) -> int | None:
            return now if store.waits(connection, now) else store.next_due(connection, now)

        due = await self._database.read(look)
        if due is None or due > now:
            return IDLE if due is None else min(IDLE, (due - now) / 1000)
        token = secrets.token_hex(16)
        taken = await self._writer.execute(
            lambda connection: store.lease(
                connection, token=token, now=now, until=now + LEASE, limit=AT_ONCE
            )
        )
        made = await self._database.read(lambda connection: self._make(connection, taken))
        done = await asyncio.gather(*(self._send(*one) for one in made))
        await self._settle(token, done)
        return 0

    def _make(
        self, connection: Connection, taken: list[Push]
    ) -> list[tuple[Push, Device | None, Note | None]]:
        """What each of them says now. Of who has ended their session, or may not see it any more,
        nothing."""
        now = now_ms()
        devices = store.devices(connection, sorted({push.push_key for push in taken}), now)
        found: list[tuple[Push, Device | None, Note | None]] = []
        for push in taken:
            device, note = devices.get(push.push_key), None
            if device is not None:
                note = notes.made(connection, push, device, now, self._channel_of, self._is_there)
            found.append((push, device, note))
        return found

    async def _send(self, push: Push, device: Device | None, note: Note | None) -> Outcome:
        if device is None or note is None:
            return Outcome(push, "unwanted")
        to = self._devices.opened(device)
        if to is None:
            return Outcome(push, "gone")  # no key of the hub's opens it any more
        try:
            answer = await self._post(push, to, note)
        except (Permanent, ValueError) as error:
            return self._refused(push, to.endpoint, str(error))
        except HookError as error:
            return self._later(push, to.endpoint, error.detail, None)
        return self._of(push, to.endpoint, answer)

    async def _post(self, push: Push, to: Subscription, note: Note) -> HttpResponse:
        """Hand it over. Raises ``HookError``, and ``ValueError`` for what cannot be encrypted."""
        from hub.flow.push import encrypted  # noqa: PLC0415 — its libraries are not needed at start

        key = await self._devices.key()
        headers = {
            "Authorization": encrypted.authorization(to.endpoint, key, self._contact, now_ms()),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(rules.TTL),
            "Topic": rules.topic(push.organisation_id, note.tag),
            "Urgency": "high",
        }
        body = encrypted.encrypt(notes.encode(note), to)
        return await self._http.request(
            "POST",
            to.endpoint,
            headers=headers,
            content=body,
            timeout=SECONDS,
            max_bytes=LARGEST_ANSWER,
        )

    def _of(self, push: Push, endpoint: str, answer: HttpResponse) -> Outcome:
        """What a push service's answer means."""
        status = answer.status
        if 200 <= status < 300:
            return Outcome(push, "sent")
        if status in GONE:
            log.info("push.gone", service=urlsplit(endpoint).hostname)
            return Outcome(push, "gone")
        if status in LATER or status >= 500:
            wait = rules.retry_after(answer.headers.get("retry-after"), now_ms())
            return self._later(push, endpoint, f"status {status}", wait)
        return self._refused(push, endpoint, f"status {status}")

    def _refused(self, push: Push, endpoint: str, reason: str) -> Outcome:
        # The rest of the address is as good as the right to write to the browser.
        log.warning("push.refused", service=urlsplit(endpoint).hostname, reason=reason)
        return Outcome(push, "refused")

    def _later(self, push: Push, endpoint: str, reason: str, wait: int | None) -> Outcome:
        now = now_ms()
        due_at = now + max(wait or 0, backoff(push.attempts, self._chance))
        given_up = due_at - push.created_at > rules.GIVE_UP
        log.info(
            "push.deferred", service=urlsplit(endpoint).hostname, reason=reason, given_up=given_up
        )
        return Outcome(push, "given_up") if given_up else Outcome(push, "deferred", due_at)

    async def _settle(self, token: str, done: list[Outcome]) -> None:
        """Record what came of them. Where the database is away, they are sent once more."""
        self.outcomes.update(one.verdict for one in done)

        def work(connection: Connection) -> None:
            for one in done:
                if one.verdict == "deferred":
                    store.defer(connection, one.push.id, token, one.due_at)
                elif one.verdict == "gone":
                    store.remove_device(connection, push_key=one.push.push_key)
                    store.drop(connection, one.push.push_key)
                else:
                    store.end(connection, one.push.id, token)

        delay = 0.2
        while True:
            try:
                return await self._writer.execute(work)
            except Unavailable:
                await asyncio.sleep(delay)
                delay = min(delay * 2, 10.0)
