"""API tokens: made once and shown once; the database knows their SHA-256."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict

import sqlalchemy as sa
import structlog

from hub.edge.sessions import token_hash
from hub.flow.host import now_ms
from hub.flow.writer import Unavailable, Writer
from hub.store import people
from hub.store import tables as t
from hub.store.database import Database
from hub.store.statements import bound

PREFIX = "hub_"
LONGEST = 200
"""Characters of what may be a token."""
USED_EVERY = 60_000
"""Milliseconds between two notes of a token's use."""
REMEMBERED = 10_000

log = structlog.get_logger()
_USED = (
    sa.update(t.tokens)
    .where(*bound(id_=t.tokens.c.id))
    .values(last_used_at=sa.bindparam("at", type_=t.Time))
)


def new_token() -> str:
    """A token that nobody can guess."""
    return PREFIX + secrets.token_urlsafe(32)


class Tokens:
    """Knows whose a token is, and notes when it was used last."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._noted: OrderedDict[int, int] = OrderedDict()
        self._noting: set[asyncio.Task[None]] = set()

    async def find(self, token: str) -> people.TokenHolder | None:
        """Whose a token is; ``None`` if it is none, or is no longer."""
        if not token.startswith(PREFIX) or len(token) > LONGEST:
            return None
        hashed, now = token_hash(token), now_ms()
        held = await self._database.read(
            lambda connection: people.token_holder(connection, hashed, now)
        )
        if held is not None:
            self._note(held, now)
        return held

    def _note(self, held: people.TokenHolder, now: int) -> None:
        """Nobody waits for it, and that it fails keeps nobody from reading."""
        before = max(held.last_used_at or 0, self._noted.get(held.id, 0))
        if now - before < USED_EVERY:
            return
        self._noted[held.id] = now
        self._noted.move_to_end(held.id)
        while len(self._noted) > REMEMBERED:
            self._noted.popitem(last=False)
        task = asyncio.create_task(self._write(held.id, now))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _write(self, id_: int, at: int) -> None:
        try:
            await self._writer.execute(
                lambda connection: connection.execute(_USED, {"id_": id_, "at": at}), bulk=True
            )
        except Unavailable as error:
            log.warning("token.use_not_noted", reason=str(error))
