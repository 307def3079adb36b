"""What the command line asks for besides serving."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.app.errors import StartupError
from hub.app.hub import Hub
from hub.app.logs import set_up_logs
from hub.app.setup import insert_member, insert_user, new_password
from hub.config import HubConfig
from hub.edge.sessions import SHORTEST_PASSWORD, hash_password
from hub.flow.aside import ApplyFailed, Unknown
from hub.flow.host import InstalledPlugin, check_channel, find, installed
from hub.flow.notices import reaches_phones
from hub.flow.replay import Replayed
from hub.store import tables as t
from hub.store.ids import parse

T = TypeVar("T")


def check(config: HubConfig) -> list[str]:
    """Everything the plugins find wrong with the configuration, a line each."""
    found = [
        problem
        for channel in config.channels
        if channel.enabled
        for problem in check_channel(channel)
    ]
    return [*found, *check_texts(config)]


def check_texts(config: HubConfig) -> Iterator[str]:
    """What ``[[notices.texts]]`` names and cannot send to a phone."""
    plugins = {(channel.organisation, channel.id): channel.plugin for channel in config.channels}
    for texts in config.texts:
        plugin = find(plugins[texts.organisation, texts.channel])
        if not isinstance(plugin, list) and not reaches_phones(plugin.info):
            problem = f'channel "{texts.channel}" cannot send to a phone'
            yield str(texts.origin.error(("channel",), problem))


def list_plugins(config: HubConfig) -> list[InstalledPlugin]:  # noqa: ARG001 — the command's form
    """Every plugin that is installed."""
    return installed()


def add_user(
    config: HubConfig, email: str, name: str, organisation: str, role: str, password: str | None
) -> str:
    """Add a user (or make an existing one a member); the one-time password, or the given one."""
    made, email = _good(password), email.strip()

    def add(connection: Connection, hub: Hub) -> None:
        organisation_id = hub.organisations.get(organisation)
        if organisation_id is None:
            known = ", ".join(sorted(hub.organisations))
            raise StartupError(f'there is no organisation "{organisation}"; there are: {known}')
        user_id = connection.execute(
            sa.select(t.users.c.id).where(t.users.c.email == email.lower())
        ).scalar()
        if user_id is None:
            user_id = insert_user(connection, hub.ids, email, name, made, one_time=password is None)
        elif _is_member(connection, user_id, organisation_id):
            raise StartupError(f"{email} is a member of {organisation} already")
        insert_member(connection, hub.ids, user_id, organisation_id, role)

    run_on(config, lambda hub: hub.writer.execute(lambda connection: add(connection, hub)))
    return made


def set_password(config: HubConfig, email: str, password: str | None) -> str:
    """Give a user a new password and end their sessions; the one-time password, or the given."""
    made = _good(password)

    def change(connection: Connection) -> None:
        user_id = connection.execute(
            sa.select(t.users.c.id).where(t.users.c.email == email.strip().lower())
        ).scalar()
        if user_id is None:
            raise StartupError(f"there is no user {email}")
        connection.execute(
            sa.update(t.users)
            .where(t.users.c.id == user_id)
            .values(password_hash=hash_password(made), must_change_password=password is None)
        )
        connection.execute(sa.delete(t.sessions).where(t.sessions.c.user_id == user_id))

    run_on(config, lambda hub: hub.writer.execute(change))
    return made


class ReplayReport(Struct, frozen=True):
    """What became of the deliveries that were read again."""

    deliveries: list[Replayed]

    @property
    def failed(self) -> int:
        """How many still could not be understood."""
        return sum(one.state in {"quarantined", "unverified"} for one in self.deliveries)

    def __str__(self) -> str:
        if not self.deliveries:
            return "Nothing waits to be replayed."
        lines = [
            f"{one.id}  {one.channel_id}: {one.before} -> {one.state}"
            + (f" ({one.reason})" if one.reason else "")
            for one in self.deliveries
        ]
        done = len(self.deliveries) - self.failed
        return "\n".join([*lines, f"{done} of {len(self.deliveries)} understood."])


def replay(
    config: HubConfig, organisation: str | None, channel: str | None, delivery: str | None
) -> ReplayReport:
    """Read kept deliveries again."""

    async def work(hub: Hub) -> ReplayReport:
        organisation_id = None
        if organisation is not None:
            organisation_id = hub.organisations.get(organisation)
            if organisation_id is None:
                raise StartupError(f'there is no organisation "{organisation}"')
        delivery_id = None if delivery is None else parse(delivery)
        if delivery is not None and delivery_id is None:
            raise StartupError(f"{delivery!r} is no delivery's id")
        await hub.load_channels()
        done = await hub.replay.replay(
            organisation_id=organisation_id, channel_id=channel, delivery_id=delivery_id
        )
        await asyncio.gather(*(one.shutdown() for one in hub.channels))
        return ReplayReport(done)

    return run_on(config, work)


class AsideReport(Struct, frozen=True):
    """What was put aside, or what became of it, a line each."""

    lines: list[str]
    failed: int = 0
    """How many could not be tried again, or dropped."""

    def __str__(self) -> str:
        return "\n".join(self.lines)


def list_aside(config: HubConfig) -> AsideReport:
    """Everything that failed too often and was put aside."""

    async def work(hub: Hub) -> AsideReport:
        slugs = {id_: slug for slug, id_ in hub.organisations.items()}
        found = [
            f"{one.id}  {slugs.get(one.organisation_id or 0, '-')}  {_day(one.at)}  {one.what}: "
            f"{one.reason}"
            for one in await hub.machinery.aside.all()
        ]
        return AsideReport(found or ["Nothing was put aside."])

    return run_on(config, work)


def retry_aside(config: HubConfig, ids: Sequence[str], *, everything: bool) -> AsideReport:
    """Try again what was put aside: these, or everything that was surely not done."""

    async def work(hub: Hub) -> AsideReport:
        aside = hub.machinery.aside
        wanted = list(ids)
        if everything:
            wanted += [one.id for one in await aside.all() if not one.may_be_done]
        return await _each(wanted, aside.retry)

    return run_on(config, work)


def drop_aside(config: HubConfig, ids: Sequence[str]) -> AsideReport:
    """Forget what was put aside."""

    async def work(hub: Hub) -> AsideReport:
        async def drop(id_: str) -> str:
            await hub.machinery.aside.drop(id_)
            return "dropped"

        return await _each(ids, drop)

    return run_on(config, work)


async def _each(ids: Sequence[str], act: Callable[[str], Awaitable[str]]) -> AsideReport:
    lines: list[str] = []
    failed = 0
    for id_ in ids:
        try:
            lines.append(f"{id_}: {await act(id_)}")
        except (Unknown, ApplyFailed) as error:
            lines.append(f"{id_}: {error}")
            failed += 1
    return AsideReport(lines or ["Nothing was put aside."], failed)


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M}"


def openapi() -> bytes:
    """The OpenAPI document."""
    from hub.web import describe  # noqa: PLC0415 — the web is needed by this command only

    document = msgspec.json.format(msgspec.json.encode(describe(), order="sorted"), indent=2)
    return document + b"\n"


def _good(password: str | None) -> str:
    if password is not None and len(password) < SHORTEST_PASSWORD:
        raise StartupError(f"a password has at least {SHORTEST_PASSWORD} characters")
    return password or new_password()


def _is_member(connection: Connection, user_id: int, organisation_id: int) -> bool:
    members = t.members.c
    statement = sa.select(members.id).where(
        members.user_id == user_id, members.organisation_id == organisation_id
    )
    return connection.execute(statement).first() is not None


def run_on(config: HubConfig, work: Callable[[Hub], Awaitable[T]]) -> T:
    """Work on a hub's database, whether or not a hub is running on it."""

    set_up_logs(serving=False)

    async def main() -> T:
        hub = Hub(config, os.environ)
        await hub.open()
        try:
            return await work(hub)
        finally:
            await hub.close()

    return asyncio.run(main())
