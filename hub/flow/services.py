"""What the hub does for plugins on the main loop: the far end of ``ctx``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from hub.flow.host import now_ms
from hub.flow.media import MediaLinks
from hub.flow.writer import Writer
from hub.plugin import CallTask, Delivery, Event, KvEntry, Permanent
from hub.plugin.kit.answers import lasting
from hub.store import kv, timeline
from hub.store.blobs import Blobs
from hub.store.database import Database
from hub.store.ids import parse
from hub.store.sealed import KEPT

MOST_KEYS = 1_000
LONGEST_VALUE = 64 * 1024
LONGEST_KEY = 200
LONGEST_LINK = 7 * 24 * 3600
"""Seconds for which a plugin may offer a file to the world."""

ChannelKey = tuple[int, str]


KV = "kv"
"""The use of the keys that what plugins keep is encrypted with."""


class Vault(Protocol):
    """Encrypts with the hub's key (``hub.edge.keys``)."""

    def encrypt(self, use: str, text: str, about: str) -> str:
        """``text`` as nobody reads it without the key; of no use for another use or ``about``."""
        ...

    def decrypt(self, use: str, sealed: str, about: str) -> str | None:
        """What was encrypted; ``None``: with another key."""
        ...


class HubServices:
    """Implements ``hub.flow.host.Services``."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        blobs: Blobs,
        links: MediaLinks,
        vault: Vault,
        public_url: Callable[[ChannelKey, str], str],
        emitted: Callable[[ChannelKey, Delivery], Awaitable[None]],
        asked: Callable[[ChannelKey, CallTask], Awaitable[tuple[Event, ...]]],
    ) -> None:
        self.main = asyncio.get_running_loop()
        self._database = database
        self._writer = writer
        self._blobs = blobs
        self._links = links
        self._vault = vault
        self._public_url = public_url
        self._emitted = emitted
        self._asked = asked

    async def kv_get(self, channel: ChannelKey, key: str) -> KvEntry | None:
        """A stored value. Raises ``Permanent`` where it was kept with another key."""
        now = now_ms()
        kept = await self._database.read(
            lambda connection: kv.get(connection, channel, key, now=now)
        )
        if kept is None or not kept.value.startswith(KEPT):
            return None if kept is None else KvEntry(value=kept.value, version=kept.version)
        sealed, about = kept.value.removeprefix(KEPT), about_kept(channel, key)
        value = self._vault.decrypt(KV, sealed, about)
        if value is None:
            raise Permanent("other", "what is kept was kept with another secret key of the hub")
        return KvEntry(value=value, version=kept.version)

    async def kv_put(
        self,
        channel: ChannelKey,
        key: str,
        value: str,
        version: int | None,
        expires_in: float | None,
    ) -> bool:
        """Store a value for so many seconds, if ``version`` is still the stored one."""
        now = now_ms()
        until = None if expires_in is None else now + round(lasting(expires_in) * 1000)
        if len(key) > LONGEST_KEY or len(value.encode()) > LONGEST_VALUE:
            raise Permanent("too_large", f"ctx.kv holds {LONGEST_VALUE:,} bytes under a key")
        about = about_kept(channel, key)
        try:
            return await self._writer.execute(
                lambda connection: kv.put(
                    connection,
                    channel,
                    key,
                    lambda: KEPT + self._vault.encrypt(KV, value, about),
                    version,
                    most=MOST_KEYS,
                    now=now,
                    expires_at=until,
                )
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

    async def ask(self, channel: ChannelKey, task: CallTask) -> tuple[Event, ...]:
        """What the channel's assistant says."""
        return await self._asked(channel, task)

    def public_url(self, channel: ChannelKey, path: str) -> str:
        """The channel's public address."""
        return self._public_url(channel, path)


def about_kept(channel: ChannelKey, key: str) -> str:
    """Whose a value is, as it is encrypted with it."""
    return f"{channel[0]}/{channel[1]}/{key}"
