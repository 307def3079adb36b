"""What the hub does for plugins on the main loop: the far end of ``ctx``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hub.flow.media import MediaLinks
from hub.flow.writer import Writer
from hub.plugin import Delivery, KvEntry, Permanent
from hub.store import kv, timeline
from hub.store.blobs import Blobs
from hub.store.database import Database
from hub.store.ids import parse

MOST_KEYS = 1_000
LONGEST_VALUE = 64 * 1024
LONGEST_KEY = 200
LONGEST_LINK = 7 * 24 * 3600
"""Seconds for which a plugin may offer a file to the world."""

ChannelKey = tuple[int, str]


class HubServices:
    """Implements ``hub.flow.host.Services``."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        blobs: Blobs,
        links: MediaLinks,
        public_url: Callable[[ChannelKey, str], str],
        emitted: Callable[[ChannelKey, Delivery], Awaitable[None]],
    ) -> None:
        self.main = asyncio.get_running_loop()
        self._database = database
        self._writer = writer
        self._blobs = blobs
        self._links = links
        self._public_url = public_url
        self._emitted = emitted

    async def kv_get(self, channel: ChannelKey, key: str) -> KvEntry | None:
        """A stored value."""
        kept = await self._database.read(lambda connection: kv.get(connection, channel, key))
        return None if kept is None else KvEntry(value=kept.value, version=kept.version)

    async def kv_put(self, channel: ChannelKey, key: str, value: str, version: int | None) -> bool:
        """Store a value, if ``version`` is still the stored one."""
        if len(key) > LONGEST_KEY or len(value.encode()) > LONGEST_VALUE:
            raise Permanent("too_large", f"ctx.kv holds {LONGEST_VALUE:,} bytes under a key")
        try:
            return await self._writer.execute(
                lambda connection: kv.put(connection, channel, key, value, version, most=MOST_KEYS)
            )
        except kv.TooManyKeys as error:
            raise Permanent("too_large", f"ctx.kv holds {MOST_KEYS:,} keys") from error

    async def kv_delete(self, channel: ChannelKey, key: str) -> None:
        """Forget a value."""
        await self._writer.execute(lambda connection: kv.delete(connection, channel, key))

    async def media_open(self, channel: ChannelKey, attachment_id: str) -> bytes:
        """The bytes of one of the channel's files."""
        id_ = parse(attachment_id) or 0
        row = await self._database.read(
            lambda connection: timeline.attachment_by_id(connection, channel[0], id_)
        )
        if row is None or row.channel_id != channel[1] or row.sha256 is None:
            raise Permanent("other", "the file is not one of this channel's")
        try:
            return await self._blobs.get(row.sha256)
        except FileNotFoundError:
            raise Permanent("other", "the file is gone") from None

    def media_url(self, channel: ChannelKey, attachment_id: str, seconds: float) -> str:
        """A public address of one of the channel's files for a time."""
        if not 0 < seconds <= LONGEST_LINK:
            raise Permanent("other", f"a link to a file works for {LONGEST_LINK:,} s at most")
        return self._links.url(channel, attachment_id, seconds)

    async def emitted(self, channel: ChannelKey, delivery: Delivery) -> None:
        """Something a plugin brought in by itself."""
        await self._emitted(channel, delivery)

    def public_url(self, channel: ChannelKey, path: str) -> str:
        """The channel's public address."""
        return self._public_url(channel, path)
