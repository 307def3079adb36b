"""Reading kept deliveries again: by a person's word, or by itself after a passing fault."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.channels import Channels
from hub.flow.host import now_ms
from hub.flow.intake import Intake
from hub.flow.loop import Loop
from hub.plugin import Delivery
from hub.plugin.kit.verify import stored_proof
from hub.store import tables as t
from hub.store.blobs import Blobs
from hub.store.database import Database
from hub.store.rows import Row
from hub.store.statements import fixed

WAITING = fixed(t.deliveries.c.state, "quarantined", "unverified")
BATCH = 100
LOOK_EVERY = 2.0

_headers = msgspec.json.Decoder(tuple[tuple[str, str], ...])
_proof = msgspec.json.Decoder(tuple[str, str])


class Replayed(Struct, kw_only=True, frozen=True):
    """What became of one delivery that was read again."""

    id: str
    channel_id: str
    before: str
    state: str
    reason: str | None


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
            reason = "the channel is not running"
            return Replayed(
                id=str(row.id),
                channel_id=row.channel_id,
                before=row.state,
                state=row.state,
                reason=reason,
            )
        proof: Any = None if row.proof is None else stored_proof(*_proof.decode(row.proof))
        body = row.body if row.body_blob is None else await self._blobs.get(row.body_blob)
        delivery = Delivery(
            body=body or b"",
            source=row.source,
            method=row.method,
            url=row.url,
            headers=_headers.decode(row.headers),
            remote=row.remote,
            received_at=datetime.fromtimestamp(row.received_at / 1000, UTC),
        )
        taken = await self._intake.take(
            channel, delivery, proof=proof, delivery_id=row.id, attempts=row.attempts + 1
        )
        if row.state == "unverified" and taken.state != "unverified":
            count, size = self._intake.unverified.get(channel.key, (1, row.size))
            self._intake.unverified[channel.key] = (max(0, count - 1), max(0, size - row.size))
        return Replayed(
            id=str(row.id),
            channel_id=row.channel_id,
            before=row.state,
            state=taken.state,
            reason=taken.reason,
        )


def _batch(
    conditions: Sequence[sa.ColumnElement[bool]], after: int, connection: Connection
) -> Sequence[Row]:
    own = t.deliveries.c
    statement = sa.select(t.deliveries).where(*conditions, own.id > after)
    return connection.execute(statement.order_by(own.id).limit(BATCH)).all()
