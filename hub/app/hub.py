"""The one place where the parts are put together."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import IO, TYPE_CHECKING

import sqlalchemy as sa
import structlog
from litestar.types import ASGIApp
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from hub.app.errors import StartupError
from hub.app.logs import withhold
from hub.app.setup import (
    FirstAdmin,
    ensure_admin,
    ensure_organisations,
    secret_key,
    take_node,
)
from hub.config import ChannelConfig, HubConfig
from hub.edge.guards import Guard
from hub.edge.sessions import Sessions
from hub.flow.answers import Answers
from hub.flow.channels import Channels
from hub.flow.checkups import EVERY, SOONER, Checkups
from hub.flow.compose import Composer
from hub.flow.host import Channel, FailedChannel, Limits, load_channel, now_ms
from hub.flow.inlets import LEASE as INLET_LEASE
from hub.flow.inlets import Inlets
from hub.flow.intake import Intake, UnverifiedFull
from hub.flow.machinery import Machinery, Work
from hub.flow.media import Fetcher, MediaLinks
from hub.flow.notices import Texter, TextSender
from hub.flow.outbox import LEASE, Outbox
from hub.flow.record import Record
from hub.flow.references import LEASE as REFERENCE_LEASE
from hub.flow.references import References
from hub.flow.replay import Replay
from hub.flow.services import ChannelKey, HubServices
from hub.flow.stream import Stream
from hub.flow.sweep import Sweep
from hub.flow.views.present import Presenter
from hub.flow.writer import News, Unavailable, Writer
from hub.plugin import Delivery, Malformed, Temporary, Unverified
from hub.store import tables as t
from hub.store.blobs import Blobs
from hub.store.database import Database
from hub.store.ids import Ids
from hub.store.migrate import NewerDatabaseError, migrate
from hub.store.search import NoTrigramsError
from hub.web import create_web
from hub.web.webhooks import Webhooks

if TYPE_CHECKING:
    from hub.flow.relay import Relay

log = structlog.get_logger()

LOOK_EVERY = 2.0
"""Seconds after which a stream looks at the journal even if nobody told of a commit: another
process may have made one."""


class Hub:
    """A running hub. ``start`` it on the loop that serves; ``stop`` it there."""

    def __init__(self, config: HubConfig, environ: Mapping[str, str] = os.environ) -> None:
        self.config = config
        self.public_url = config.hub.public_url
        self.first_admin: FirstAdmin | None = None
        self.stopping = asyncio.Event()
        self._environ = environ
        self._lock: IO[str] | None = None
        self._relay: Relay | None = None
        self.channels = Channels()
        self.work = Work()
        self._paused: dict[ChannelKey, str] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """The database and what writes to it, without anything that moves by itself."""
        self._make_folder()
        self.database = Database(self.config.hub.database)
        self.blobs = Blobs(self.config.hub.data / "blobs")
        await self._migrate()
        self.ids = Ids(0)
        self.writer = Writer(self.database, Record(self.ids), self._committed)
        await self.writer.start()
        try:
            self.ids.node = await self.writer.execute(take_node)
            self.organisations = await self.writer.execute(
                lambda connection: ensure_organisations(connection, self.ids, self.config)
            )
            self.links = MediaLinks(secret_key(self.config), self.public_url)
        except Unavailable as error:
            raise StartupError(f"the database cannot be used: {self.writer.trouble}") from error
        self.presenter = Presenter(self.channels)
        self.stream = Stream(self.database, self.presenter, look_every=LOOK_EVERY)
        answers = Answers(self.database, self.writer)
        self.intake = Intake(self.writer, self.blobs, self.ids, answers)
        self.replay = Replay(self.database, self.blobs, self.channels, self.intake)
        self.composer = Composer(self.database, self.channels, self.ids)
        self.sessions = Sessions(self.database, self.writer)
        mail = self.config.mail
        if mail is not None and mail.password is not None:
            withhold([mail.password.reveal()])
        self.texter = Texter(self.database, self.channels, self.text_senders(self.config))
        lease = self._environ.get("HUB_LEASE_MS")
        self.outbox = Outbox(self.database, self.writer, self.channels, lease=int(lease or LEASE))
        self.sweep = Sweep(self.database, self.blobs, self.ids)
        self.work.timers.append(self.sweep.timer)
        self.work.jobs.append(self.sweep.job)
        self.work.jobs.append(self.replay.job)
        self.machinery = Machinery(
            self.database,
            self.writer,
            self.stream,
            self.work,
            mail,
            self.texter,
            lease=int(lease) if lease else None,
        )
        self.fetcher = Fetcher(self.database, self.writer, self.blobs, self.channels)
        self.references = References(
            self.database,
            self.writer,
            self.intake,
            self.channels,
            lease=int(lease or REFERENCE_LEASE),
        )
        self.intake.named = self.references.wake
        self.inlets = Inlets(
            self.database,
            self.writer,
            self.intake,
            self.channels,
            lease=int(lease or INLET_LEASE),
        )
        often = self._environ.get("HUB_CHECK_SECONDS")
        self.checkups = Checkups(
            self.channels,
            every=float(often or EVERY),
            sooner=min(SOONER, float(often or EVERY)),
        )

    async def start(self, *, greets: bool = True) -> None:
        """Everything: channels, outbox, stream. ``greets``: somebody will be shown the first
        admin's password, so it may be made. Raises ``StartupError``."""
        self._only_one()
        await self.open()
        try:
            await self._start(greets=greets)
        except Unavailable as error:
            raise StartupError(f"the database cannot be used: {self.writer.trouble}") from error

    async def _start(self, *, greets: bool) -> None:
        await self.load_channels()
        if mistakes := Texter.mistakes(self.text_senders(self.config), self.channels):
            raise StartupError("; ".join(mistakes))
        self.intake.unverified = await self.replay.count_unverified()
        if self.config.hub.redis is not None:
            from hub.flow.relay import Relay  # noqa: PLC0415 — a tenth of a second

            self._relay = Relay(self.config.hub.redis, self._heard)
            self._relay.start()
        await self.outbox.start()
        self.fetcher.start()
        self.references.start()
        self.replay.start()
        self.checkups.start()
        await self.writer.execute(self.sweep.ensure)
        await self.machinery.start(self.organisations.values())
        self.inlets.start()
        if not greets:
            return
        # Last of all: a password that was made and not shown would lock everybody out.
        self.first_admin = await self.writer.execute(
            lambda connection: ensure_admin(connection, self.ids, self.organisations, self._environ)
        )

    def release(self) -> None:
        """Let go of everybody who only waits for news, so that stopping need not wait for them."""
        self.stopping.set()
        self.stream.end()

    async def stop(self) -> None:
        """Let what is under way end, and let go of everything."""
        await self.inlets.stop()
        await self.references.stop()
        await self.machinery.stop()
        await self.checkups.stop()
        await self.replay.stop()
        await self.fetcher.stop()
        await self.outbox.stop()
        await asyncio.gather(*(channel.shutdown() for channel in self.channels), *self._leaving)
        if self._relay is not None:
            await self._relay.stop()
        await self.close()

    async def close(self) -> None:
        """What ``open`` opened."""
        await self.writer.stop()
        await self.database.close()
        if self._lock is not None:
            self._lock.close()

    def web(self) -> ASGIApp:
        """The ASGI application."""
        guard = Guard(self.database, self.sessions, self.public_url)
        webhooks = Webhooks(
            self.channels,
            self.organisations,
            self.intake,
            guard,
            self.public_url,
            self.stopping,
        )
        return create_web(self, guard, webhooks)

    # ------------------------------------------------------------------ opening

    def _make_folder(self) -> None:
        data = self.config.hub.data
        try:
            data.mkdir(parents=True, exist_ok=True)
            probe = data / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise StartupError(
                f"the data folder {data} cannot be written to: {error.strerror}; make it "
                "writable, or set another with HUB_DATA or [hub] data"
            ) from error

    def _only_one(self) -> None:
        """One process per SQLite file: it holds leases and notices in memory."""
        path = Database(self.config.hub.database).path
        if path is None:
            return
        self._make_folder()
        self._lock = path.with_suffix(".lock").open("w", encoding="ascii")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartupError(
                f"another hub is running on {path}: stop it, or use PostgreSQL for several "
                "processes"
            ) from error

    async def _migrate(self) -> None:
        try:
            before = await migrate(self.database)
        except (NewerDatabaseError, NoTrigramsError) as error:
            raise StartupError(str(error)) from error
        except (DBAPIError, sqlite3.Error, OSError) as error:
            reason = getattr(error, "orig", None) or error
            raise StartupError(
                f"the database {self.database.url.render_as_string()} cannot be opened: {reason}"
            ) from error
        log.info("database.ready", revision_before=before)

    def _committed(self, news: News) -> None:
        self.stream.committed(news.positions)
        self.machinery.committed(news.positions)
        if t.transmissions.name in news.tables:
            self.outbox.wake()
        if t.attachments.name in news.tables:
            self.fetcher.wake()
        if self._relay is not None:
            self._relay.committed(news.positions)

    def _heard(self, positions: dict[int, int]) -> None:
        """Another process has committed something."""
        self.stream.committed(positions)
        self.machinery.committed(positions)
        self.outbox.wake()
        self.fetcher.wake()

    # ------------------------------------------------------------------ channels

    async def load_channels(self) -> None:
        """Load and start what the configuration switches on."""
        await self._look_at_pauses()
        for config in self.config.channels:
            if config.enabled:
                self.channels.add(self.organisations[config.organisation], self.load(config))
        if self._environ.get("HUB_STRICT_PLUGINS") == "1" and self.channels.all_failed:
            failed = self.channels.all_failed[0]
            raise StartupError(f'channel "{failed.id}": {"; ".join(failed.problems)}')
        self._warn_of_pretence()
        await asyncio.gather(*(channel.startup() for channel in self.channels))

    def load(self, config: ChannelConfig) -> Channel | FailedChannel:
        """An instance of a channel, which has not begun to do anything."""

        async def emitted(_key: ChannelKey, delivery: Delivery) -> None:
            assert isinstance(made, Channel)  # noqa: S101 — a failed one emits nothing
            await self._emitted(made, delivery)

        services = HubServices(
            self.database, self.writer, self.blobs, self.links, self._channel_url, emitted
        )
        made = load_channel(
            config,
            self.organisations[config.organisation],
            services,
            allowed_hosts=config.allow_hosts,
            routes=_routes(self._environ.get("HUB_HTTP_ROUTES", "")),
            limits=Limits(),
        )
        if isinstance(made, FailedChannel):
            log.error("channel.failed", channel=config.id, problems=made.problems)
            return made
        withhold(made.secrets)
        made.pause(self._paused.get(made.key))
        made.changed = self._channel_changed
        return made

    def text_senders(self, config: HubConfig) -> dict[int, TextSender]:
        """From where each organisation's notices go as texts."""
        return {
            self.organisations[one.organisation]: TextSender(one.channel, one.sender)
            for one in config.texts
        }

    def put_in_place(self, channels: Iterable[tuple[int, Channel | FailedChannel]]) -> None:
        """These are the channels from now on. Those that were and are no more finish what they do
        in the background, and let go."""
        before = list(self.channels)
        self.channels.replace(channels)
        kept = set(self.channels)
        for old in before:
            if old not in kept:
                self._replace(old, self.channels.get(*old.key))
        for channel in kept.difference(before):
            channel.pause(self._paused.get(channel.key))  # as it is by now
            self._announce(channel)
        for failed in self.channels.all_failed:
            self._announce(failed)
        self._warn_of_pretence()
        self.inlets.start()
        self.outbox.wake()
        self.fetcher.wake()

    def _replace(self, old: Channel, successor: Channel | None) -> None:
        old.give_way(successor)
        if successor is None:
            self._announce(old)
        task = asyncio.create_task(old.leave())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _announce(self, channel: Channel | FailedChannel) -> None:
        organisation_id = self.organisations[channel.organisation]
        self.stream.announce(organisation_id, lambda: self.presenter.channel(channel))

    def _warn_of_pretence(self) -> None:
        for slug, organisation_id in self.organisations.items():
            real = {channel.info.real for channel in self.channels.of(organisation_id)}
            if real == {True, False}:
                log.warning(
                    "channels.simulator_beside_real",
                    organisation=slug,
                    advice="switch the simulator off before customers are written to",
                )

    def _channel_changed(self, channel: Channel) -> None:
        self._announce(channel)
        reason = channel.paused_reason
        if self._paused.get(channel.key) != reason:
            task = asyncio.ensure_future(self._store_pause(channel.key, reason))
            task.add_done_callback(_log_failure)

    async def pause_channel(
        self, organisation_id: int, channel_id: str, reason: str | None
    ) -> None:
        """Stop a channel's sending, or let it go on; kept over restarts."""
        channel = self.channels.get(organisation_id, channel_id)
        if channel is not None:
            await self._store_pause(channel.key, reason)
            channel.pause(reason)

    async def _store_pause(self, key: ChannelKey, reason: str | None) -> None:
        channel = self.channels.get(*key)
        if channel is None:
            return
        if reason is None:
            self._paused.pop(key, None)
        else:
            self._paused[key] = reason
        await self.writer.execute(lambda connection: _write_channel(connection, channel, reason))

    async def _look_at_pauses(self) -> None:
        own = t.channels.c
        statement = sa.select(own.organisation_id, own.id, own.paused_reason).where(own.paused)
        rows = await self.database.read(lambda connection: connection.execute(statement).all())
        self._paused = {
            (row.organisation_id, row.id): row.paused_reason or "Paused" for row in rows
        }

    def _channel_url(self, channel: ChannelKey, path: str) -> str:
        slug = next(slug for slug, id_ in self.organisations.items() if id_ == channel[0])
        base = f"{self.public_url}/hooks/{slug}/{channel[1]}"
        return f"{base}/{path.lstrip('/')}" if path else base

    async def _emitted(self, channel: Channel, delivery: Delivery) -> None:
        try:
            taken = await self.intake.take(channel, delivery)
        except (Unavailable, UnverifiedFull) as error:
            raise Temporary(f"nothing can be stored now: {error}") from error
        if taken.state == "refused":
            why = taken.reason or "it was refused"
            raise Unverified(why) if taken.status == 403 else Malformed(why)

    # ------------------------------------------------------------------ for routes

    async def warnings(self) -> list[str]:
        """What somebody should look at, though the hub works."""
        found = [await self.machinery.notices.trouble()]
        if self._relay is not None and self._relay.trouble is not None:
            found.append(
                "Redis cannot be reached; what other processes do is seen up to "
                f"{LOOK_EVERY:g} s later ({self._relay.trouble})"
            )
        return [one for one in found if one is not None]

    async def check(self) -> list[str]:
        """What keeps the hub from working."""
        trouble: list[str] = []
        try:
            await self.database.read(lambda connection: connection.execute(sa.select(1)))
        except Exception as error:  # noqa: BLE001 — whatever it is, it is told
            trouble.append(f"the database cannot be read: {type(error).__name__}")
        if self.writer.trouble is not None:
            with contextlib.suppress(Unavailable):
                await self.writer.execute(lambda _connection: None)  # perhaps it can again
        if self.writer.trouble is not None:
            trouble.append("the database cannot be written to")
        return trouble


def _write_channel(connection: Connection, channel: Channel, reason: str | None) -> None:
    own = t.channels.c
    named = (own.organisation_id == channel.organisation_id, own.id == channel.id)
    values = {"paused": reason is not None, "paused_reason": reason}
    if connection.execute(sa.select(own.id).where(*named)).first() is not None:
        connection.execute(sa.update(t.channels).where(*named).values(**values))
        return
    row = {
        "organisation_id": channel.organisation_id,
        "id": channel.id,
        "plugin": channel.info.name,
        "shown": "{}",
        "created_at": now_ms(),
        **values,
    }
    connection.execute(sa.insert(t.channels), [row])


def _routes(text: str) -> dict[str, str]:
    """``host=base,host=base``: where requests for a host are sent instead, to try a channel
    against a stand-in of its provider."""
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return {host.strip(): base.strip() for host, _, base in pairs}


def _log_failure(task: asyncio.Future[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("channel.not_stored", exc_info=task.exception())


@asynccontextmanager
async def running(
    config: HubConfig, environ: Mapping[str, str] = os.environ
) -> AsyncGenerator[Hub]:
    """A hub from start to stop."""
    hub = Hub(config, environ)
    try:
        await hub.start()
        yield hub
    finally:
        if hasattr(hub, "writer"):
            await hub.stop()
