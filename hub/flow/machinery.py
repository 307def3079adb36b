"""What works in the background for whoever needs it, put together: consumers, jobs, clock,
notices.

Who wants something done there adds it to ``Work`` before the hub starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from hub.config import MailConfig
from hub.flow.aside import Aside
from hub.flow.clock import Clock, Timer
from hub.flow.consumers import LEASE, Consumer, Consumers
from hub.flow.jobs import JobFeed, JobKind, Jobs
from hub.flow.jobs.runner import LEASE as JOB_LEASE
from hub.flow.notices import Notices, Texter
from hub.flow.notices.sender import LEASE as NOTICE_LEASE
from hub.flow.stream import Stream
from hub.flow.writer import Writer
from hub.store import leases
from hub.store.database import Database

if TYPE_CHECKING:
    from hub.flow.notices.mail import Mailer


class Work(Struct, kw_only=True):
    """What is to be done in the background, by those who do it."""

    consumers: list[Consumer] = field(default_factory=list[Consumer])
    jobs: list[JobKind[Any, Any]] = field(default_factory=list[JobKind[Any, Any]])
    timers: list[Timer[Any]] = field(default_factory=list[Timer[Any]])


class Machinery:
    """The background parts of one process. ``lease`` (milliseconds) is for tests."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        stream: Stream,
        work: Work,
        mail: MailConfig | None,
        texter: Texter,
        *,
        lease: int | None = None,
    ) -> None:
        self._database = database
        self._writer = writer
        self.consumers = Consumers(database, writer, work.consumers, lease=lease or LEASE)
        self.aside = Aside(database, writer, self.consumers)
        self.clock = Clock(database, writer, work.timers)
        self.feed = JobFeed(database, stream)
        self.jobs = Jobs(database, writer, work.jobs, self.feed.changed, lease=lease or JOB_LEASE)
        self.notices = Notices(database, writer, _mailer(mail), texter, lease=lease or NOTICE_LEASE)

    async def start(self, organisation_ids: Iterable[int]) -> None:
        """Begin. On SQLite this process is the only one: leases of a former one are void."""
        if self._database.dialect == "sqlite":
            await self._writer.execute(leases.forget)
        await self.consumers.start(organisation_ids)
        await self.jobs.start()
        self.clock.start()
        self.feed.start()
        await self.notices.start()

    async def stop(self) -> None:
        """End."""
        await self.notices.stop()
        await self.feed.stop()
        await self.clock.stop()
        await self.jobs.stop()
        await self.consumers.stop()

    def committed(self, positions: Mapping[int, int]) -> None:
        """The journals of these organisations reach so far now. Call on the main loop. The others
        look often enough by themselves, and a look for each commit would cost more than it tells.
        """
        self.consumers.committed(positions)


def _mailer(config: MailConfig | None) -> Mailer | None:
    if config is None:
        return None
    from hub.flow.notices.mail import Mailer  # noqa: PLC0415 — not needed by every hub

    return Mailer(config)
