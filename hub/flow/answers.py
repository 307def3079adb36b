"""What a provider that waits is told: asked of the plugin once, kept, and said again."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from hub.flow.host import (
    Channel,
    ChannelResting,
    HookTimeout,
    LoopsExhausted,
    PluginFault,
    now_ms,
)
from hub.flow.settings import OrganisationSettings
from hub.flow.writer import Writer
from hub.plugin import CallFacts, HookError, IngestResult, Reply
from hub.rules.hours import in_hours
from hub.store import replies as store
from hub.store.database import Database

log = structlog.get_logger()


class NoAnswer(Exception):
    """The plugin has none; as text, why."""


class Answers:
    """Asks plugins what to say. ``assistant``: whether a channel, by its key, has one."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        settings: OrganisationSettings,
        assistant: Callable[[tuple[int, str]], bool],
    ) -> None:
        self._database = database
        self._writer = writer
        self._settings = settings
        self._assistant = assistant

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
        known = await self._settings.of(channel.organisation_id)
        # The hub keeps no duty yet: it knows nobody to be reached.
        facts = CallFacts(
            external_id=question,
            in_hours=in_hours(known.settings.hours, now_ms(), known.zone),
            on_duty=(),
            assistant=self._assistant(channel.key),
            events=result.events,
        )
        try:
            return await channel.answer(facts)
        except (HookError, HookTimeout, PluginFault, ChannelResting, LoopsExhausted) as error:
            why = str(error) or type(error).__name__
            log.warning("answer.none", channel=channel.id, reason=why)
            raise NoAnswer(why) from error
