"""What the hub does for plugins on the main loop: the far end of ``ctx``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import sqlalchemy as sa
from sqlalchemy import Connection

from hub.flow.media import MediaLinks
from hub.flow.writer import Writer
from hub.plugin import Delivery, KvEntry, Permanent
from hub.store import tables as t
from hub.store import timeline
from hub.store.blobs import Blobs
from hub.store.database import Database
from hub.store.ids import parse

MOST_KEYS = 1_000
LONGEST_VALUE = 64 * 1024
LONGEST_KEY = 200

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
        own = t.plugin_kv.c
        statement = sa.select(own.value, own.version).where(*_named(channel, key))
        async with self._database.snapshot() as connection:
            row = (await connection.execute(statement)).first()
        return None if row is None else KvEntry(value=row.value, version=row.version)

    async def kv_put(self, channel: ChannelKey, key: str, value: str, version: int | None) -> bool:
        """Store a value, if ``version`` is still the stored one."""
        if len(key) > LONGEST_KEY or len(value.encode()) > LONGEST_VALUE:
            raise Permanent("too_large", f"ctx.kv holds {LONGEST_VALUE:,} bytes under a key")
        return await self._writer.execute(
            lambda connection: _put(connection, channel, key, value, version)
        )

    async def kv_delete(self, channel: ChannelKey, key: str) -> None:
        """Forget a value."""
        await self._writer.execute(lambda connection: _delete(connection, channel, key))

    async def media_open(self, channel: ChannelKey, attachment_id: str) -> bytes:
        """The bytes of one of the channel's files."""
        async with self._database.snapshot() as connection:
            row = await timeline.attachment_by_id(connection, channel[0], parse(attachment_id) or 0)
        if row is None or row.channel_id != channel[1] or row.sha256 is None:
            raise Permanent("other", "the file is not one of this channel's")
        try:
            return await self._blobs.get(row.sha256)
        except FileNotFoundError:
            raise Permanent("other", "the file is gone") from None

    def media_url(self, attachment_id: str, seconds: float) -> str:
        """A public address of a file for a time."""
        return self._links.url(attachment_id, seconds)

    async def emitted(self, channel: ChannelKey, delivery: Delivery) -> None:
        """Something a plugin brought in by itself."""
        await self._emitted(channel, delivery)

    def public_url(self, channel: ChannelKey, path: str) -> str:
        """The channel's public address."""
        return self._public_url(channel, path)


def _named(channel: ChannelKey, key: str) -> list[sa.ColumnElement[bool]]:
    own = t.plugin_kv.c
    return [own.organisation_id == channel[0], own.channel_id == channel[1], own.key == key]


def _put(
    connection: Connection, channel: ChannelKey, key: str, value: str, version: int | None
) -> bool:
    own = t.plugin_kv.c
    known = connection.execute(
        sa.select(own.version).where(*_named(channel, key)).with_for_update()
    ).scalar()
    if version is not None and version != (known or 0):
        return False
    if known is not None:
        connection.execute(
            sa.update(t.plugin_kv)
            .where(*_named(channel, key))
            .values(value=value, version=known + 1)
        )
        return True
    count = connection.execute(
        sa.select(sa.func.count()).where(
            own.organisation_id == channel[0], own.channel_id == channel[1]
        )
    ).scalar_one()
    if count >= MOST_KEYS:
        raise Permanent("too_large", f"ctx.kv holds {MOST_KEYS:,} keys")
    connection.execute(
        sa.insert(t.plugin_kv),
        [
            {
                "organisation_id": channel[0],
                "channel_id": channel[1],
                "key": key,
                "value": value,
                "version": 1,
            }
        ],
    )
    return True


def _delete(connection: Connection, channel: ChannelKey, key: str) -> None:
    connection.execute(sa.delete(t.plugin_kv).where(*_named(channel, key)))
