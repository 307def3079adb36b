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

from hub.app.configured import tell_configured
from hub.app.errors import StartupError
from hub.app.logs import withhold
from hub.app.ring import secret_keys
from hub.app.setup import (
    FirstAdmin,
    ensure_admin,
    ensure_organisations,
    ensure_super_users,
    take_node,
)
from hub.config import AssistantConfig, ChannelConfig, HubConfig
from hub.edge.guards import Guard
from hub.edge.keys import Keys
from hub.edge.openid import OpenId
from hub.edge.party import relying_party
from hub.edge.rates import Rates
from hub.edge.second import SecondFactors
from hub.edge.sessions import Sessions
from hub.edge.tokens import Tokens
from hub.flow import quiet_calls
from hub.flow.accounts import Accounts
from hub.flow.answers import Answers
from hub.flow.approvals import Approvals
from hub.flow.assist import Assistance
from hub.flow.audited import tell
from hub.flow.channels import Channels
from hub.flow.checkups import EVERY, SOONER, Checkups
from hub.flow.compose import Composer
from hub.flow.dial import Dialler
from hub.flow.host import Channel, FailedChannel, Limits, load_channel, now_ms, role_of
from hub.flow.inlets import LEASE as INLET_LEASE
from hub.flow.inlets import Inlets
from hub.flow.intake import Intake, UnverifiedFull
from hub.flow.machinery import Machinery, Work
from hub.flow.media import Fetcher, MediaLinks
from hub.flow.notices import Texter, TextSender
from hub.flow.outbox import LEASE, Outbox
from hub.flow.people import People
from hub.flow.pictures import Pictures
from hub.flow.presence import Presence
from hub.flow.push import Pushes
from hub.flow.record import Record
from hub.flow.references import LEASE as REFERENCE_LEASE
from hub.flow.references import References
from hub.flow.replay import Replay
from hub.flow.services import ChannelKey, HubServices
from hub.flow.settings import OrganisationSettings
from hub.flow.sights import Sights
from hub.flow.stream import Stream
from hub.flow.sweep import Sweep
from hub.flow.views.present import Presenter
from hub.flow.writer import News, Unavailable, Writer
from hub.plugin import Delivery, Malformed, Temporary, Unsupported, Unverified
from hub.rules.rights import SYSTEM, Actor
from hub.store import tables as t
from hub.store.blobs import Blobs
from hub.store.database import Database
from hub.store.ids import Ids
from hub.store.migrate import NewerDatabaseError, migrate
from hub.store.search import NoTrigramsError
from hub.web import create_web
from hub.web.webhooks import Webhooks

if TYPE_CHECKING:
    from hub.edge.passkeys import Passkeys
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
        self.rates = Rates(config.hub.requests_a_minute)
        self.channels = Channels()
        self.assistants = Channels()
        """The hosts of assistants: plugins called as channels are."""
        self.assistance = Assistance(self.assistants)
        self.work = Work()
        self._paused: dict[ChannelKey, str] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._opened = contextlib.AsyncExitStack()

    async def _open_store(self) -> None:
        """The database, and what writes to it."""
        self._make_folder()
        self.database = Database(self.config.hub.database)
        self._opened.push_async_callback(self.database.close)
        self.blobs = Blobs(self.config.hub.data / "blobs")
        self.pictures = Pictures(_routes(self._environ.get("HUB_HTTP_ROUTES", "")))
        self._opened.push_async_callback(self.pictures.close)
        await self._migrate()
        self.ids = Ids(0)
        record = Record(self.ids, None if self.config.mail is None else self._conversation_url)
        self.writer = Writer(self.database, record, self._committed)
        self._opened.push_async_callback(self.writer.stop)
        await self.writer.start()

    async def open(self) -> None:
        """The database and what writes to it, without anything that moves by itself."""
        await self._open_store()
        try:
            self.ids.node = await self.writer.execute(take_node)
            self.organisations = await self.writer.execute(
                lambda connection: ensure_organisations(connection, self.ids, self.config)
            )
            self.people = People(self.writer, self.ids)
            await self.writer.execute(
                lambda connection: ensure_super_users(connection, self.ids, self.people)
            )
            self.keys = Keys(secret_keys(self.config))
            self.links = MediaLinks(self.keys, self.public_url)
        except Unavailable as error:
            raise StartupError(f"the database cannot be used: {self.writer.trouble}") from error
        self.presenter = Presenter(self.channels)
        self.stream = Stream(self.database, self.presenter, look_every=LOOK_EVERY)
        self.presence = Presence(self.database)
        self.pushes = Pushes(
            self.database,
            self.writer,
            self.ids,
            self.keys,
            self.presenter,
            self.presence,
            public_url=self.public_url,
            routes=_routes(self._environ.get("HUB_HTTP_ROUTES", "")),
        )
        self.settings = OrganisationSettings(self.database, self.writer, self.ids)
        answers = Answers(self.database, self.writer, self.settings, self.assistance.ready)
        self.intake = Intake(self.writer, self.blobs, self.ids, answers, self.settings)
        self.replay = Replay(self.database, self.blobs, self.channels, self.intake)
        self.composer = Composer(self.database, self.channels, self.ids, self.settings)
        self.approvals = Approvals(self.database, self.writer, self.composer)
        self.dialler = Dialler(self.database, self.channels, self.ids)
        self._open_accounts(self.keys)
        self.tokens = Tokens(self.database, self.writer)
        self.sights = Sights(self.database, self.writer, self.ids)
        self.people.changed = self._people_changed
        self.work.timers.append(self.people.left)
        mail = self.config.mail
        if mail is not None and mail.password is not None:
            withhold([mail.password.reveal()])
        self.texter = Texter(self.database, self.channels, self.text_senders(self.config))
        lease = self._environ.get("HUB_LEASE_MS")
        self.outbox = Outbox(
            self.database, self.writer, self.channels, self.settings, lease=int(lease or LEASE)
        )
        self.sweep = Sweep(self.database, self.blobs, self.ids)
        self.work.timers += [self.sweep.timer, quiet_calls.TIMER]
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

    def _open_accounts(self, keys: Keys) -> None:
        """What signs people in."""
        self.accounts = Accounts(
            self.writer,
            self.ids,
            self.people,
            public_url=self.public_url,
            mails=self.config.mail is not None,
        )
        self.sessions = Sessions(self.database, self.writer, self.ids, keys, self.accounts)
        withhold(one.client_secret.reveal() for one in self.config.sign_in)
        self.openid = OpenId(
            self.config.sign_in, self.writer, self.sessions, self.accounts, self.public_url
        )
        self._opened.push_async_callback(self.openid.close)
        self.second_factors = SecondFactors(
            self.database, self.writer, self.ids, keys, self.sessions, self.accounts
        )
        self.party = relying_party(self.public_url)
        self._passkeys: Passkeys | None = None

    @property
    def passkeys(self) -> Passkeys:
        """Made when somebody first comes with one: its libraries are a tenth of a second."""
        if self._passkeys is None:
            from hub.edge.passkeys import Passkeys  # noqa: PLC0415

            self._passkeys = Passkeys(
                self.database,
                self.writer,
                self.ids,
                self.sessions,
                self.second_factors,
                self.accounts,
                self.party,
            )
        return self._passkeys

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

            self._relay = Relay(self.config.hub.redis, self._heard, self.presence.heard)
            self._relay.start()
            self.presence.relay = self._relay.presence
            self.rates.start(self.config.hub.redis)
        self.presence.start()
        await self.outbox.start()
        self.fetcher.start()
        self.references.start()
        self.replay.start()
        self.checkups.start()
        self.sights.start()
        await self.writer.execute(self.sweep.ensure)
        await self.machinery.start(self.organisations.values())
        await self.pushes.start()
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
        for channel in self.channels:
            channel.end_sockets()

    async def stop(self) -> None:
        """Let what is under way end, and let go of everything."""
        await self.presence.stop()
        await self.inlets.stop()
        await self.references.stop()
        await self.pushes.stop()
        await self.machinery.stop()
        await self.checkups.stop()
        await self.sights.stop()
        await self.replay.stop()
        await self.fetcher.stop()
        await self.outbox.stop()
        loaded = (*self.channels, *self.assistants)
        await asyncio.gather(*(one.shutdown() for one in loaded), *self._leaving)
        if self._relay is not None:
            await self._relay.stop()
        await self.rates.stop()
        await self.close()

    async def close(self) -> None:
        """What ``open`` opened, as far as it came."""
        await self._opened.aclose()
        if self._lock is not None:
            self._lock.close()

    def web(self) -> ASGIApp:
        """The ASGI application."""
        guard = Guard(self.database, self.sessions, self.tokens, self.public_url, self.rates)
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
        self.pushes.watch.committed(news.positions)
        if t.transmissions.name in news.tables:
            self.outbox.wake()
        if t.attachments.name in news.tables:
            self.fetcher.wake()
        if self._relay is not None:
            self._relay.committed(news.positions)

    def _people_changed(self) -> None:
        """What somebody sees may be another thing now."""
        self.stream.look()
        self.sights.wake()

    def _heard(self, positions: dict[int, int]) -> None:
        """Another process has committed something."""
        self.stream.committed(positions)
        self.machinery.committed(positions)
        self.pushes.watch.committed(positions)
        self.outbox.wake()
        self.fetcher.wake()

    # ------------------------------------------------------------------ channels

    async def load_channels(self) -> None:
        """Load and start what the configuration switches on."""
        await self._look_at_pauses()
        for config in self.config.assistants:
            if config.enabled:
                self.assistants.add(self.organisations[config.organisation], self.load(config))
        for config in self.config.channels:
            if config.enabled:
                self.channels.add(self.organisations[config.organisation], self.load(config))
        self.name_assistants()
        failed = [*self.assistants.all_failed, *self.channels.all_failed]
        if self._environ.get("HUB_STRICT_PLUGINS") == "1" and failed:
            first = failed[0]
            raise StartupError(f'{first.role} "{first.id}": {"; ".join(first.problems)}')
        self._warn_of_pretence()
        loaded = {
            (one.organisation, one.id): one for one in (*failed, *self.assistants, *self.channels)
        }
        await self.audit_configuration(self.config, loaded)
        await asyncio.gather(*(one.startup() for one in (*self.assistants, *self.channels)))

    async def audit_configuration(
        self, config: HubConfig, loaded: Mapping[tuple[str, str], Channel | FailedChannel]
    ) -> None:
        """What ``config`` switches on is audited as far as it is news, before it is in effect.
        ``loaded``: by the organisation's slug and the id."""
        enabled = [one for one in (*config.assistants, *config.channels) if one.enabled]

        def write(connection: Connection) -> None:
            for slug, id_ in self.organisations.items():
                of_it = [(one, loaded[slug, one.id]) for one in enabled if one.organisation == slug]
                tell_configured(connection, self.ids, self.keys, id_, of_it)

        await self.writer.execute(write)

    def name_assistants(self) -> None:
        """Which channel asks which assistant is as the configuration says."""
        self.assistance.named = {
            (self.organisations[one.organisation], one.id): one.assistant
            for one in self.config.channels
            if one.assistant is not None and one.enabled
        }

    def load(self, config: ChannelConfig | AssistantConfig) -> Channel | FailedChannel:
        """An instance of a channel or assistant, which has not begun to do anything."""
        role = role_of(config)

        async def emitted(_key: ChannelKey, delivery: Delivery) -> None:
            assert isinstance(made, Channel)  # noqa: S101 — a failed one emits nothing
            if role == "assistant":
                raise Unsupported("an assistant takes in what it is asked for, and nothing else")
            await self._emitted(made, delivery)

        services = HubServices(
            self.database,
            self.writer,
            self.blobs,
            self.links,
            self.keys,
            self._channel_url,
            emitted,
            self.assistance.ask,
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
            log.error("channel.failed", channel=config.id, role=role, problems=made.problems)
            return made
        withhold(made.secrets)
        if role == "assistant":
            return made
        made.pause(self._paused.get(made.key))
        made.changed = self._channel_changed
        return made

    def text_senders(self, config: HubConfig) -> dict[int, TextSender]:
        """From where each organisation's notices go as texts."""
        return {
            self.organisations[one.organisation]: TextSender(one.channel, one.sender)
            for one in config.texts
        }

    def put_in_place(
        self,
        channels: Iterable[tuple[int, Channel | FailedChannel]],
        assistants: Iterable[tuple[int, Channel | FailedChannel]],
    ) -> None:
        """These are the channels and assistants from now on. Those that were and are no more finish
        what they do in the background, and let go."""
        helped = list(self.assistants)
        self.assistants.replace(assistants)
        for old in set(helped).difference(self.assistants):
            self._let_go(old, self.assistants.get(*old.key))
        before = list(self.channels)
        self.channels.replace(channels)
        kept = set(self.channels)
        for old in before:
            if old not in kept:
                successor = self.channels.get(*old.key)
                self._let_go(old, successor)
                if successor is None:
                    self._announce(old)
        for channel in kept.difference(before):
            channel.pause(self._paused.get(channel.key))  # as it is by now
            self._announce(channel)
        for failed in self.channels.all_failed:
            self._announce(failed)
        self._warn_of_pretence()
        self.inlets.start()
        self.outbox.wake()
        self.fetcher.wake()

    def _let_go(self, old: Channel, successor: Channel | None) -> None:
        old.give_way(successor)
        task = asyncio.create_task(old.leave())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _announce(self, channel: Channel | FailedChannel) -> None:
        organisation_id = self.organisations[channel.organisation]
        self.stream.announce(organisation_id, lambda: self.presenter.channel(channel))
        self.pushes.watch.channel(organisation_id, channel)

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
            task = asyncio.ensure_future(self._store_pause(channel.key, reason, SYSTEM))
            task.add_done_callback(_log_failure)

    async def pause_channel(
        self, organisation_id: int, channel_id: str, reason: str | None, actor: Actor
    ) -> None:
        """Stop a channel's sending, or let it go on; kept over restarts."""
        channel = self.channels.get(organisation_id, channel_id)
        if channel is not None:
            await self._store_pause(channel.key, reason, actor)
            channel.pause(reason)

    async def _store_pause(self, key: ChannelKey, reason: str | None, actor: Actor) -> None:
        channel = self.channels.get(*key)
        if channel is None:
            return
        if reason is None:
            self._paused.pop(key, None)
        else:
            self._paused[key] = reason

        def write(connection: Connection) -> None:
            before = _write_channel(connection, channel, reason)
            if before != reason:
                tell(
                    connection,
                    self.ids,
                    key[0],
                    actor,
                    "channel.resumed" if reason is None else "channel.paused",
                    ("channel", key[1]),
                    before=before,
                    after=reason,
                )

        await self.writer.execute(write)

    async def _look_at_pauses(self) -> None:
        own = t.channels.c
        statement = sa.select(own.organisation_id, own.id, own.paused_reason).where(own.paused)
        rows = await self.database.read(lambda connection: connection.execute(statement).all())
        self._paused = {
            (row.organisation_id, row.id): row.paused_reason or "Paused" for row in rows
        }

    def _conversation_url(self, thread_id: int) -> str:
        return f"{self.public_url}/messages?conversation={thread_id}"

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


def _write_channel(connection: Connection, channel: Channel, reason: str | None) -> str | None:
    """Why the channel does not send from now on; why it did not before."""
    own = t.channels.c
    named = (own.organisation_id == channel.organisation_id, own.id == channel.id)
    values = {"paused": reason is not None, "paused_reason": reason}
    known = connection.execute(sa.select(own.paused_reason).where(*named)).first()
    if known is not None:
        connection.execute(sa.update(t.channels).where(*named).values(**values))
        return known.paused_reason
    row = {
        "organisation_id": channel.organisation_id,
        "id": channel.id,
        "plugin": channel.info.name,
        "shown": "{}",
        "created_at": now_ms(),
        **values,
    }
    connection.execute(sa.insert(t.channels), [row])
    return None


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
