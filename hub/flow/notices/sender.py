"""Sending notices: lease, start, hand over once, settle.

As in the outbox a crash between any two of these is safe: before *started* is committed nothing
has left and it is tried again; after it the outcome is unknown, and it is never sent again by
itself.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

import structlog

from hub.flow.host import now_ms
from hub.flow.loop import Loop
from hub.flow.notices.outcomes import Refused, Unsettled
from hub.flow.notices.text import Texter
from hub.flow.writer import Unavailable, Writer
from hub.rules.sending import backoff
from hub.rules.states import Refusal
from hub.store import notices as store
from hub.store.database import Database
from hub.store.notices import Medium, Notice, NoticeState

if TYPE_CHECKING:
    from hub.flow.notices.mail import Mailer

log = structlog.get_logger()

LEASE = 300_000
"""Longer than a mail server may take for all its answers."""
AT_ONCE = 4
ENDING = 10.0
"""Seconds that notices under way get to be settled when the hub stops."""
IDLE = 2.0
"""Seconds after which is looked even if nobody woke the sender."""
GIVE_UP: Mapping[Medium, int] = {"mail": 24 * 3600 * 1000, "text": 15 * 60 * 1000}
"""Milliseconds for which one is tried: a text, such as a code, is of no use much later."""
_SENT_AS: Mapping[Medium, str] = {"mail": "mailed", "text": "texted"}


class Notices:
    """Sends what is queued. Without a ``mailer`` mails wait, and ``trouble`` says so."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        mailer: Mailer | None,
        texter: Texter,
        *,
        lease: int = LEASE,
    ) -> None:
        self._database = database
        self._writer = writer
        self._texter = texter
        self._carriers: dict[Medium, Mailer | Texter] = {"text": texter}
        if mailer is not None:
            self._carriers["mail"] = mailer
        self._lease = lease
        self._chance = random.SystemRandom()
        self._loop = Loop("notices", self._step)
        self._refused: dict[Medium, str] = {}
        self._told = False
        self.outcomes: Counter[str] = Counter()
        """Attempts by what came of them, for the metrics."""

    async def start(self) -> None:
        """Begin. On SQLite this process is the only one: leases of a former one are void."""
        if self._database.dialect == "sqlite":
            await self._writer.execute(store.forget_leases)
        self._loop.start()

    async def stop(self) -> None:
        """Begin nothing more. What is being handed over gets a while to be settled; what is not
        by then is tried again if it had not begun, and shows as unknown if it had."""
        await self._loop.stop(ENDING)

    def wake(self) -> None:
        """Something may be queued."""
        self._loop.wake()

    def queue_text(
        self,
        connection: store.Connection,
        id_: int,
        *,
        organisation_id: int,
        recipient: str,
        text: str,
        now: int,
    ) -> None:
        """Let a text be sent to a phone once the caller's transaction is committed. Raises
        ``Refusal`` when no channel is set, or runs, that could send it."""
        if problem := self._texter.problem(organisation_id):
            raise Refusal("no_texts", f"Texts cannot be sent: {problem}.")
        store.queue_text(
            connection,
            id_,
            organisation_id=organisation_id,
            recipient=recipient,
            text=text,
            now=now,
        )

    async def trouble(self) -> str | None:
        """Why notices wait, in words; ``None`` when none does for a reason to be told."""
        told = [await self._trouble(medium) for medium in get_args(Medium)]
        return "; ".join(one for one in told if one) or None

    async def _trouble(self, medium: Medium) -> str | None:
        reason = self._refused.get(medium)
        if medium not in self._carriers:
            reason = "no mail server is configured: set host and from in [notices]"
        if reason is None:
            return None
        waiting = await self._database.read(
            lambda connection: store.count_queued(connection, medium)
        )
        return f"{waiting} notices wait to be {_SENT_AS[medium]}: {reason}" if waiting else None

    async def _step(self) -> float:
        return 0 if await self._look() else IDLE

    async def _look(self) -> int:
        """Send what is due; how many were taken up."""
        now, media = now_ms(), sorted(self._carriers)
        await self._tell(now)
        if not await self._database.read(lambda connection: store.waits(connection, now, media)):
            return 0
        token = secrets.token_hex(16)

        def take(connection: store.Connection) -> list[Notice]:
            store.settle_left_behind(connection, now)
            until = now + self._lease
            return store.lease(
                connection, token=token, now=now, until=until, limit=AT_ONCE, media=media
            )

        taken = await self._writer.execute(take)
        await asyncio.gather(*(self._send(notice, token) for notice in taken))
        return len(taken)

    async def _tell(self, now: int) -> None:
        """Say once that mail waits which nobody can send."""
        if "mail" in self._carriers or self._told:
            return
        look = self._database.read(lambda connection: store.waits(connection, now, ["mail"]))
        if await look:
            self._told = True
            log.warning("notices.not_configured", advice="set host and from in [notices]")

    async def _send(self, notice: Notice, token: str) -> None:
        async def begin() -> bool:
            return await self._writer.execute(
                lambda connection: store.start(connection, notice.id, token)
            )

        try:
            sent = await self._carriers[notice.medium].send(notice, begin)
        except Refused as refused:
            await self._refuse(notice, token, refused)
        except Unsettled as unsettled:
            log.warning("notices.unknown", notice=notice.id, reason=str(unsettled))
            await self._settle(notice, token, "unknown", reason=str(unsettled))
        else:
            if sent:
                self._refused.pop(notice.medium, None)
                await self._settle(notice, token, "sent")

    async def _refuse(self, notice: Notice, token: str, refused: Refused) -> None:
        now = now_ms()
        reason = str(refused)
        log.warning("notices.refused", notice=notice.id, final=refused.final, reason=reason)
        if refused.final or now - notice.created_at > GIVE_UP[notice.medium]:
            await self._settle(notice, token, "failed", reason=reason)
            return
        self._refused[notice.medium] = reason
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
        die first, it shows as unknown."""
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
