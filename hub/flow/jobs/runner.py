"""Running jobs: lease, take a step, commit it with its progress, and so on to the end.

A process that dies leaves a job where its last committed step left it; whoever leases it next
goes on from there. A step that raises is tried again, later each time, before its job fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from hub.flow.host import now_ms
from hub.flow.jobs.kinds import Commit, JobFailed, JobKind
from hub.flow.loop import Loop
from hub.flow.writer import Transaction, Unavailable, Writer
from hub.rules.sending import backoff
from hub.rules.states import Refusal
from hub.store import jobs as store
from hub.store.database import Database

log = structlog.get_logger()

AT_ONCE = 4
"""Jobs of one process under way at a time."""
STEP_LIMIT = 60.0
"""Seconds a step may prepare; the lease outlives it."""
LEASE = 90_000
IDLE = 1.0
"""Seconds after which the runner looks even if nobody woke it."""
TRIES = 5
ENDING = 10.0
"""Seconds that steps under way get to end when the hub stops."""


class _StepFailed(Exception):
    """A step raised in its transaction; the cause is why."""


class Jobs:
    """Runs jobs. One per process; several may work on one database."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        kinds: Sequence[JobKind[Any, Any]],
        changed: Callable[[], None],
        *,
        lease: int = LEASE,
    ) -> None:
        self._database = database
        self._writer = writer
        self._kinds = {kind.name: kind for kind in kinds}
        self._changed = changed
        self._lease = lease
        self._chance = random.SystemRandom()
        self._loop = Loop("jobs", self._look)
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.ended: Counter[tuple[str, str]] = Counter()
        """By kind and what came of it (done, failed, canceled), for the metrics."""

    async def start(self) -> None:
        """Begin. On SQLite this process is the only one: leases of a former one are void."""
        if self._database.dialect == "sqlite":
            await self._writer.execute(store.forget_leases)
        self._loop.start()

    async def stop(self) -> None:
        """Begin no step; those under way are committed whole, or taken again later."""
        self._stopping = True
        await self._loop.stop(ENDING)
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=ENDING)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def wake(self) -> None:
        """A job may wait."""
        self._loop.wake()
        self._changed()

    async def cancel(self, organisation_id: int, member_id: int, id_: int) -> store.Job | None:
        """Cancel a member's own job: at once, or before its next step; ``None`` when there is no
        such job. Raises ``Refusal`` when it has ended."""
        now = now_ms()

        def work(connection: Connection) -> tuple[bool, store.Job | None]:
            canceled = store.cancel(connection, organisation_id, member_id, id_, now)
            return canceled, store.one(connection, organisation_id, member_id, id_)

        canceled, job = await self._writer.execute(work)
        if job is not None and not canceled:
            raise Refusal("job_ended", f"The job is {job.state} already.", kind="conflict")
        self._changed()
        return job

    async def _look(self) -> float:
        await self._take()
        return IDLE

    async def _take(self) -> None:
        """Lease what waits and begin to run it."""
        room = AT_ONCE - len(self._running)
        now = now_ms()
        if not self._kinds or room <= 0 or not await self._any(now):
            return
        token = secrets.token_hex(16)
        taken = await self._writer.execute(
            lambda connection: store.lease(
                connection,
                kinds=sorted(self._kinds),
                token=token,
                now=now,
                until=now + self._lease,
                limit=room,
            )
        )
        for job in taken:
            task = asyncio.create_task(self._work(job, token))
            self._running.add(task)
            task.add_done_callback(self._ended)
        if taken:
            self._changed()

    async def _any(self, now: int) -> bool:
        """Whether a job can be leased: a look is cheaper than a write."""
        return await self._database.read(lambda connection: store.waits(connection, now))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.wake()
        if not task.cancelled() and task.exception() is not None:
            log.error("jobs.step_not_recorded", exc_info=task.exception())

    async def _work(self, leased: store.Job, token: str) -> None:
        """Take steps until the job ends, or is left to another process."""
        job: store.Job | None = leased
        kind = self._kinds[leased.kind]
        while job is not None:
            if self._stopping:
                await self._release(job, token)
                return
            try:
                job = await self._step(kind, job, token)
            except Unavailable:
                return  # the lease runs out, and the step is taken again
            except JobFailed as failed:
                await self._end(job, token, "failed", reason=str(failed))
                return
            except Exception as error:  # noqa: BLE001 — whatever it is, it is tried again
                await self._put_off(job, token, error.__cause__ or error)
                return
            finally:
                self._changed()

    async def _step(self, kind: JobKind[Any, Any], job: store.Job, token: str) -> store.Job | None:
        """One step; the job as it is then, if it goes on."""
        commit: Commit[Any] | None = None
        if not job.cancel:
            async with asyncio.timeout(STEP_LIMIT):
                commit = await kind.step(kind.task(job))
        now = now_ms()
        state, after = await self._writer.transact(
            lambda transaction: self._commit(transaction, commit, job, token, now)
        )
        if after is None and state is not None:
            self.ended[job.kind, state] += 1
        return after

    def _commit(
        self,
        transaction: Transaction,
        commit: Commit[Any] | None,
        job: store.Job,
        token: str,
        now: int,
    ) -> tuple[str | None, store.Job | None]:
        """How the job ended, if it did; and the job, if it goes on here."""
        connection = transaction.connection
        cancel = store.renew(connection, job.id, token, until=now + self._lease)
        if cancel is None:
            return None, None
        if cancel or commit is None:
            store.finish(connection, job.id, token, "canceled", now=now)
            return "canceled", None
        try:
            progress = commit(transaction)
        except JobFailed:
            raise
        except Exception as error:
            if isinstance(error, DBAPIError) and not isinstance(error, IntegrityError):
                raise
            raise _StepFailed from error
        saved = msgspec.json.encode(progress.saved).decode()
        after = store.save(
            connection, job.id, token, saved=saved, done=progress.done, total=progress.total
        )
        if not progress.finished:
            return None, after
        result = None if progress.result is None else msgspec.json.encode(progress.result).decode()
        store.finish(connection, job.id, token, "done", now=now, result=result)
        return "done", None

    async def _end(self, job: store.Job, token: str, state: store.JobState, *, reason: str) -> None:
        now = now_ms()
        await self._writer.execute(
            lambda connection: store.finish(
                connection, job.id, token, state, now=now, reason=reason
            )
        )
        self.ended[job.kind, state] += 1

    async def _put_off(self, job: store.Job, token: str, error: BaseException) -> None:
        """A step raised: try again later, or let the job fail."""
        name = type(error).__name__
        attempts = job.attempts + 1
        log.warning("jobs.raised", job=job.id, kind=job.kind, attempts=attempts, exc_info=error)
        if attempts >= TRIES:
            reason = f"A step failed {TRIES} times ({name}); the hub's log says more."
            await self._end(job, token, "failed", reason=reason)
            return
        due_at = now_ms() + backoff(attempts, self._chance)
        await self._writer.execute(
            lambda connection: store.release(
                connection,
                job.id,
                token,
                due_at=due_at,
                attempts=attempts,
                reason=f"A step failed ({name}) and is tried again.",
            )
        )

    async def _release(self, job: store.Job, token: str) -> None:
        with contextlib.suppress(Unavailable):
            await self._writer.execute(
                lambda connection: store.release(
                    connection, job.id, token, due_at=job.due_at, attempts=job.attempts
                )
            )
