"""Reading kept deliveries again: by a person's word, or by itself after a passing fault."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.channels import Channels
from hub.flow.host import Channel, now_ms
from hub.flow.intake import DryRun, Intake
from hub.flow.jobs import Commit, JobFailed, JobKind, Progress, Task
from hub.flow.kept import delivery_of
from hub.flow.loop import Loop
from hub.flow.writer import Transaction
from hub.plugin import Verification
from hub.plugin.kit.verify import stored_proof
from hub.store import deliveries as store
from hub.store import tables as t
from hub.store.blobs import Blobs
from hub.store.database import Database
from hub.store.deliveries import WAITING
from hub.store.rows import Row

BATCH = 100
STEP = 20.0
"""Seconds after which a step of the job begins no further delivery."""
LOOK_EVERY = 2.0
UNDERSTOOD = frozenset({"done", "ignored"})

_proof = msgspec.json.Decoder(tuple[str, str])


class Replayed(Struct, kw_only=True, frozen=True):
    """What became of one delivery that was read again."""

    id: str
    organisation_id: int
    channel_id: str
    before: str
    state: str
    reason: str | None


class ReplayAll(Struct, frozen=True, kw_only=True):
    """The job: everything of a channel that waits."""

    channel_id: str


class ReplayedSoFar(Struct, frozen=True, kw_only=True):
    """How far the job is."""

    last: int | None = None
    """The newest delivery that waited when it began: what comes later is not its business."""
    total: int = 0
    after: int = 0
    read: int = 0
    understood: int = 0


class Replay:
    """Reads kept deliveries again."""

    def __init__(
        self, database: Database, blobs: Blobs, channels: Channels, intake: Intake
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._channels = channels
        self._intake = intake
        self._loop = Loop("replay", self._step)
        self.job = JobKind(
            name="replay_deliveries",
            request=ReplayAll,
            saved=ReplayedSoFar,
            begin=lambda _: ReplayedSoFar(),
            step=self._job_step,
        )

    def start(self) -> None:
        """Begin to look for what is due."""
        self._loop.start()

    async def stop(self) -> None:
        """End."""
        await self._loop.stop()

    async def _step(self) -> float:
        await self._each([WAITING, t.deliveries.c.due_at <= now_ms()])
        if self._intake.unverified:  # another process may have replayed some
            self._intake.unverified = await self.count_unverified()
        return LOOK_EVERY

    async def count_unverified(self) -> dict[tuple[int, str], tuple[int, int]]:
        """What each channel keeps unverified: how many deliveries, how many bytes."""
        own = t.deliveries.c
        statement = (
            sa.select(own.organisation_id, own.channel_id, sa.func.count(), sa.func.sum(own.size))
            .where(WAITING, own.state == "unverified")
            .group_by(own.organisation_id, own.channel_id)
        )
        rows = await self._database.read(lambda connection: connection.execute(statement).all())
        return {(row[0], row[1]): (int(row[2]), int(row[3] or 0)) for row in rows}

    async def replay(
        self,
        *,
        organisation_id: int | None = None,
        channel_id: str | None = None,
        delivery_id: int | None = None,
    ) -> list[Replayed]:
        """Read again what waits, all of it or of one organisation or channel; or one delivery
        whatever became of it. Oldest first."""
        own = t.deliveries.c
        conditions: list[sa.ColumnElement[bool]] = []
        if organisation_id is not None:
            conditions.append(own.organisation_id == organisation_id)
        if channel_id is not None:
            conditions.append(own.channel_id == channel_id)
        if delivery_id is not None:
            return await self._each([*conditions, own.id == delivery_id])
        return await self._each([*conditions, WAITING])

    async def dry_run(self, channel: Channel, row: Row) -> DryRun:
        """What would come of a kept delivery if it were read again now. Nothing is stored."""
        delivery = await delivery_of(row, self._blobs)
        return await self._intake.dry_run(
            channel, delivery, proof=proof_of(row), delivery_id=row.id
        )

    async def _job_step(self, task: Task[ReplayAll, ReplayedSoFar]) -> Commit[ReplayedSoFar]:
        org, channel_id, saved = task.organisation_id, task.request.channel_id, task.saved
        if self._channels.get(org, channel_id) is None:
            raise JobFailed(f'The channel "{channel_id}" is not running.')
        if saved.last is None:
            last, total = await self._database.read(
                lambda connection: store.span(connection, org, channel_id)
            )
            saved = msgspec.structs.replace(saved, last=last, total=total)
        rows = await self._database.read(
            lambda connection: store.that_wait(
                connection, org, channel_id, after=saved.after, last=saved.last or 0, limit=BATCH
            )
        )
        ends = time.monotonic() + STEP
        after, read, understood = saved.after, saved.read, saved.understood
        for row in rows:
            replayed = await self._one(row)
            after, read = row.id, read + 1
            understood += replayed.state in UNDERSTOOD
            if time.monotonic() > ends:
                break
        finished = len(rows) < BATCH and (not rows or after == rows[-1].id)
        saved = msgspec.structs.replace(saved, after=after, read=read, understood=understood)
        return partial(_progress, saved, finished)

    async def _each(self, conditions: Sequence[sa.ColumnElement[bool]]) -> list[Replayed]:
        done: list[Replayed] = []
        after = 0
        while True:
            rows = await self._database.read(partial(_batch, conditions, after))
            done.extend([await self._one(row) for row in rows])
            if len(rows) < BATCH:
                return done
            after = rows[-1].id

    async def _one(self, row: Row) -> Replayed:
        channel = self._channels.get(row.organisation_id, row.channel_id)
        if channel is None:
            return _replayed(row, row.state, "the channel is not running")
        try:
            delivery = await delivery_of(row, self._blobs)
        except FileNotFoundError:
            return _replayed(row, row.state, "the file with its body is gone")
        taken = await self._intake.take(
            channel, delivery, proof=proof_of(row), delivery_id=row.id, attempts=row.attempts + 1
        )
        if row.state == "unverified" and taken.state != "unverified":
            count, size = self._intake.unverified.get(channel.key, (1, row.size))
            self._intake.unverified[channel.key] = (max(0, count - 1), max(0, size - row.size))
        return _replayed(row, taken.state, taken.reason)


def _replayed(row: Row, state: str, reason: str | None) -> Replayed:
    return Replayed(
        id=str(row.id),
        organisation_id=row.organisation_id,
        channel_id=row.channel_id,
        before=row.state,
        state=state,
        reason=reason,
    )


def proof_of(row: Row) -> Verification | None:
    """The proof that was stored with a delivery."""
    return None if row.proof is None else stored_proof(*_proof.decode(row.proof))


def _progress(saved: ReplayedSoFar, finished: bool, _: Transaction) -> Progress[ReplayedSoFar]:
    result = {"read": saved.read, "understood": saved.understood} if finished else None
    return Progress(
        saved=saved,
        done=saved.read,
        total=max(saved.total, saved.read),
        finished=finished,
        result=result,
    )


def _batch(
    conditions: Sequence[sa.ColumnElement[bool]], after: int, connection: Connection
) -> Sequence[Row]:
    own = t.deliveries.c
    statement = sa.select(t.deliveries).where(*conditions, own.id > after)
    return connection.execute(statement.order_by(own.id).limit(BATCH)).all()
