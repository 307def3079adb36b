"""What a provider that waits is told: asked of the plugin once, kept, and said again."""

from __future__ import annotations

import structlog

from hub.flow.host import (
    Channel,
    ChannelResting,
    HookTimeout,
    LoopsExhausted,
    PluginFault,
    now_ms,
)
from hub.flow.writer import Writer
from hub.plugin import CallFacts, HookError, IngestResult, Reply
from hub.store import replies as store
from hub.store.database import Database

log = structlog.get_logger()


class NoAnswer(Exception):
    """The plugin has none; as text, why."""


class Answers:
    """Asks plugins what to say."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def to(self, channel: Channel, question: str, result: IngestResult) -> Reply:
        """What to say to a question that came with ``result``, which is stored by now. Raises
        ``NoAnswer``, ``Unavailable``."""
        key = channel.key
        known = await self._database.read(lambda connection: store.get(connection, key, question))
        if known is None:
            reply = await self._ask(channel, question, result)
            told = store.Told(reply.status, reply.content_type, reply.body)
            known = await self._writer.execute(
                lambda connection: store.keep(connection, key, question, told, now=now_ms())
            )
        return Reply(status=known.status, content_type=known.content_type, body=known.body)

    async def _ask(self, channel: Channel, question: str, result: IngestResult) -> Reply:
        # The hub keeps no hours and no duty yet: it is open, and knows nobody to be reached.
        facts = CallFacts(
            external_id=question, in_hours=True, on_duty=(), assistant=False, events=result.events
        )
        try:
            return await channel.answer(facts)
        except (HookError, HookTimeout, PluginFault, ChannelResting, LoopsExhausted) as error:
            why = str(error) or type(error).__name__
            log.warning("answer.none", channel=channel.id, reason=why)
            raise NoAnswer(why) from error
