"""Sending notices: lease, start, hand over once, settle.

As in the outbox a crash between any two of these is safe: before *started* is committed nothing
has left and the mail is tried again; after it the outcome is unknown, and the mail is never sent
again by itself.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from hub.flow.host import now_ms
from hub.flow.notices.outcomes import Refused, Unsettled
from hub.flow.waiting import woken
from hub.flow.writer import Unavailable, Writer
from hub.rules.sending import backoff
from hub.store import notices as store
from hub.store.database import Database
from hub.store.notices import Notice, NoticeState

if TYPE_CHECKING:
    from hub.flow.notices.mail import Mailer

log = structlog.get_logger()

LEASE = 300_000
"""Longer than a mail server may take for all its answers."""
AT_ONCE = 4
ENDING = 10.0
"""Seconds that mails under way get to be settled when the hub stops."""
IDLE = 2.0
"""Seconds after which is looked even if nobody woke the sender."""
GIVE_UP = 24 * 3600 * 1000
"""Milliseconds for which a mail is tried."""


class Notices:
    """Sends what is queued. Without a ``mailer`` it waits, and ``trouble`` says so."""

    def __init__(
        self, database: Database, writer: Writer, mailer: Mailer | None, *, lease: int = LEASE
    ) -> None:
        self._database = database
        self._writer = writer
        self._mailer = mailer
        self._lease = lease
        self._chance = random.SystemRandom()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._refused: str | None = None
        self._told = False
        self._stopping = False
        self.outcomes: Counter[str] = Counter()
        """Attempts by what came of them, for the metrics."""

    async def start(self) -> None:
        """Begin. On SQLite this process is the only one: leases of a former one are void."""
        if self._database.dialect == "sqlite":
            await self._writer.execute(store.forget_leases)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Begin nothing more. What is being handed over gets a while to be settled; what is not
        by then is tried again if it had not begun, and shows as unknown if it had."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=ENDING)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def wake(self) -> None:
        """Something may be queued."""
        self._wake.set()

    async def trouble(self) -> str | None:
        """Why notices wait, in words; ``None`` when none does for a reason to be told."""
        if self._mailer is not None and self._refused is None:
            return None
        waiting = await self._database.read(store.count_queued)
        if not waiting:
            return None
        reason = self._refused or "no mail server is configured: set host and from in [notices]"
        return f"{waiting} notices wait to be mailed: {reason}"

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            taken = 0
            try:
                taken = await self._look()
            except Unavailable:
                pass
            except Exception:
                log.exception("notices.failed")
            if not taken and not self._stopping:
                await woken(self._wake, IDLE)

    async def _look(self) -> int:
        """Send what is due; how many were taken up."""
        now = now_ms()
        if not await self._database.read(lambda connection: store.waits(connection, now)):
            return 0
        if self._mailer is None:
            if not self._told:
                self._told = True
                log.warning("notices.not_configured", advice="set host and from in [notices]")
            return 0
        token = secrets.token_hex(16)

        def take(connection: store.Connection) -> list[Notice]:
            store.settle_left_behind(connection, now)
            until = now + self._lease
            return store.lease(connection, token=token, now=now, until=until, limit=AT_ONCE)

        taken = await self._writer.execute(take)
        await asyncio.gather(*(self._send(self._mailer, notice, token) for notice in taken))
        return len(taken)

    async def _send(self, mailer: Mailer, notice: Notice, token: str) -> None:
        async def begin() -> bool:
            return await self._writer.execute(
                lambda connection: store.start(connection, notice.id, token)
            )

        try:
            sent = await mailer.send(notice, begin)
        except Refused as refused:
            await self._refuse(notice, token, refused)
        except Unsettled as unsettled:
            log.warning("notices.unknown", notice=notice.id, reason=str(unsettled))
            await self._settle(notice, token, "unknown", reason=str(unsettled))
        else:
            if sent:
                self._refused = None
                await self._settle(notice, token, "sent")

    async def _refuse(self, notice: Notice, token: str, refused: Refused) -> None:
        now = now_ms()
        reason = str(refused)
        log.warning("notices.refused", notice=notice.id, final=refused.final, reason=reason)
        if refused.final or now - notice.created_at > GIVE_UP:
            await self._settle(notice, token, "failed", reason=reason)
            return
        self._refused = reason
        due_at = now + backoff(notice.attempts, self._chance)
        await self._settle(notice, token, "queued", reason=reason, due_at=due_at)

    async def _settle(
        self,
        notice: Notice,
        token: str,
        state: NoticeState,
        *,
        reason: str | None = None,
        due_at: int | None = None,
    ) -> None:
        """Record an outcome; while the database is away it is held here, and should this process
        die first, the mail shows as unknown."""
        self.outcomes["deferred" if state == "queued" else state] += 1
        delay = 0.2
        while True:
            try:
                await self._writer.execute(
                    lambda connection: store.settle(
                        connection,
                        notice.id,
                        token,
                        state,
                        now=now_ms(),
                        due_at=notice.due_at if due_at is None else due_at,
                        reason=reason,
                    )
                )
            except Unavailable:
                await asyncio.sleep(delay)
                delay = min(delay * 2, 10.0)
                continue
            return
