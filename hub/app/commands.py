"""What the command line asks for besides serving."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
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
from hub.app.setup import enrol, insert_user, new_password
from hub.config import HubConfig
from hub.edge.sessions import hash_password, token_hash
from hub.edge.tokens import new_token
from hub.flow.accounts import told
from hub.flow.aside import ApplyFailed, Unknown
from hub.flow.audited import tell
from hub.flow.host import InstalledPlugin, check_channel, find, installed, now_ms
from hub.flow.notices import reaches_phones
from hub.flow.people import Asker
from hub.flow.replay import Replayed
from hub.rules.rights import OPERATOR, SUPER_USER
from hub.rules.sign_in import check_password
from hub.rules.states import Refusal
from hub.store import people, sign_in
from hub.store import roles as store
from hub.store import tables as t
from hub.store.ids import parse
from hub.store.people import Organisation

T = TypeVar("T")


def check(config: HubConfig) -> list[str]:
    """Everything the plugins find wrong with the configuration, a line each."""
    found = [
        problem
        for one in (*config.channels, *config.assistants)
        if one.enabled
        for problem in check_channel(one)
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
    config: HubConfig,
    email: str,
    name: str,
    organisation: str | None,
    role: str,
    password: str | None,
) -> str:
    """Add a user (or make an existing one a member); the one-time password, or the given one.
    ``organisation`` is ``None`` for a Super User, who is a member of all of them."""
    made, email = _good(password), email.strip()

    def add(connection: Connection, hub: Hub) -> None:
        user_id = _user_id(connection, email)
        if user_id is None:
            user_id = insert_user(connection, hub.ids, email, name, made, one_time=password is None)
        elif organisation is None:
            raise StartupError(f"{email} is a user already: hub user super {email}")
        if organisation is None:
            hub.people.promote(connection, user_id, OPERATOR)
            return
        place = _organisation(connection, organisation)
        if _member(connection, user_id, place.id) is not None:
            raise StartupError(f"{email} is a member of {organisation} already")
        if role == SUPER_USER:
            raise StartupError("a Super User is one everywhere: use --super-user")
        enrol(connection, hub.ids, place, user_id, email, role, OPERATOR)

    run_on(config, lambda hub: hub.writer.execute(lambda connection: add(connection, hub)))
    return made


class UserLine(Struct, frozen=True):
    """A user, for people to read."""

    email: str
    name: str
    super_user: bool
    places: list[str]

    def __str__(self) -> str:
        more = ["Super User"] if self.super_user else self.places
        return f"{self.email}  {self.name}  {', '.join(more) or 'no member anywhere'}"


def list_users(config: HubConfig) -> list[UserLine]:
    """Everybody, and where they are members."""

    def look(connection: Connection) -> list[UserLine]:
        found: list[UserLine] = []
        for row in connection.execute(sa.select(t.users).order_by(t.users.c.email)).all():
            places = [
                f"{one.organisation.slug} ({one.role})"
                for one in people.memberships(connection, row.id)
            ]
            found.append(UserLine(row.email, row.name, bool(row.super_user), places))
        return found

    return run_on(config, lambda hub: hub.database.read(look))


def make_super_user(config: HubConfig, email: str) -> None:
    """Make a user a Super User."""

    def change(connection: Connection, hub: Hub) -> None:
        hub.people.promote(connection, _known_user(connection, email), OPERATOR)

    run_on(config, lambda hub: hub.writer.execute(lambda connection: change(connection, hub)))


def unmake_super_user(config: HubConfig, email: str, organisation: str, role: str) -> None:
    """They are one no more: a member of ``organisation`` with ``role``, and of no other."""

    async def work(hub: Hub) -> None:
        def look(connection: Connection) -> tuple[Organisation, int, int]:
            place = _organisation(connection, organisation)
            member = _member(connection, _known_user(connection, email), place.id)
            roles = store.roles(connection, place.id).values()
            role_id = next((one.id for one in roles if one.name == role), None)
            if role_id is None:
                known = ", ".join(sorted(one.name for one in roles))
                raise StartupError(f'there is no role "{role}"; there are: {known}')
            if member is None:
                raise StartupError(f"{email} is no member of {organisation}")
            return place, member, role_id

        place, member, role_id = await hub.database.read(look)
        asker = Asker(organisation=place, actor=OPERATOR)
        await _refusing(hub.people.change_member(asker, member, role_id))

    run_on(config, work)


# ---------------------------------------------------------------------- tokens


def make_token(
    config: HubConfig,
    email: str,
    *,
    name: str,
    organisation: str,
    capabilities: Sequence[str],
    days: int | None,
) -> str:
    """An API token of a member's."""
    token = new_token()

    async def work(hub: Hub) -> None:
        def look(connection: Connection) -> tuple[Organisation, int]:
            place = _organisation(connection, organisation)
            member = _member(connection, _known_user(connection, email), place.id)
            if member is None:
                raise StartupError(f"{email} is no member of {organisation}")
            return place, member

        place, member = await hub.database.read(look)
        expires_at = None if days is None else now_ms() + days * 24 * 3600 * 1000
        making = hub.people.make_token(
            Asker(organisation=place, actor=OPERATOR),
            member,
            name=name,
            capabilities=frozenset(capabilities),
            expires_at=expires_at,
            hashed=token_hash(token),
        )
        await _refusing(making)

    run_on(config, work)
    return token


def list_tokens(config: HubConfig) -> list[str]:
    """Every token that was not revoked, a line each."""

    def look(connection: Connection) -> list[str]:
        return [
            f"{one.id}  {place.slug}  {one.member_name}  {one.name}: "
            f"{', '.join(sorted(one.capabilities))}"
            + ("" if one.expires_at is None else f"; until {_day(one.expires_at)}")
            + ("" if one.last_used_at is None else f"; used {_day(one.last_used_at)}")
            for place in people.organisations(connection)
            for one in store.tokens(connection, place.id, None)
        ]

    return run_on(config, lambda hub: hub.database.read(look)) or ["There are no tokens."]


def revoke_token(config: HubConfig, token_id: str) -> None:
    """End a token."""

    async def work(hub: Hub) -> None:
        def look(connection: Connection) -> Organisation:
            for place in people.organisations(connection):
                if any(str(one.id) == token_id for one in store.tokens(connection, place.id, None)):
                    return place
            raise StartupError(f"there is no token {token_id}")

        place = await hub.database.read(look)
        asker = Asker(organisation=place, actor=OPERATOR)
        await _refusing(hub.people.revoke_token(asker, int(token_id)))

    run_on(config, work)


async def _refusing(change: Awaitable[T]) -> T:
    try:
        return await change
    except Refusal as refusal:
        raise StartupError(refusal.detail) from None


def _user_id(connection: Connection, email: str) -> int | None:
    statement = sa.select(t.users.c.id).where(t.users.c.email == email.strip().lower())
    return connection.execute(statement).scalar()


def _known_user(connection: Connection, email: str) -> int:
    if (user_id := _user_id(connection, email)) is None:
        raise StartupError(f"there is no user {email}")
    return user_id


def _organisation(connection: Connection, slug: str) -> Organisation:
    known = {one.slug: one for one in people.organisations(connection)}
    if slug not in known:
        raise StartupError(
            f'there is no organisation "{slug}"; there are: {", ".join(sorted(known))}'
        )
    return known[slug]


def _member(connection: Connection, user_id: int, organisation_id: int) -> int | None:
    members = t.members.c
    statement = sa.select(members.id).where(
        members.user_id == user_id, members.organisation_id == organisation_id
    )
    return connection.execute(statement).scalar()


def set_password(config: HubConfig, email: str, password: str | None) -> str:
    """Give a user a new password and end their sessions; the one-time password, or the given."""
    made = _good(password)

    def change(connection: Connection, hub: Hub) -> None:
        user_id = _known_user(connection, email)
        connection.execute(
            sa.update(t.users)
            .where(t.users.c.id == user_id)
            .values(password_hash=hash_password(made), must_change_password=password is None)
        )
        sign_in.end_sessions(connection, user_id)
        sign_in.drop_steps(connection, user_id)
        sign_in.drop_resets(connection, user_id)
        told(connection, hub.ids, user_id, "password.changed", actor=OPERATOR)

    run_on(config, lambda hub: hub.writer.execute(lambda connection: change(connection, hub)))
    return made


def reset_user(config: HubConfig, email: str, *, second_factor: bool) -> str:
    """A link with which a user chooses a new password, within an hour. ``second_factor``: theirs
    is taken away as well, and they are signed out."""

    def change(connection: Connection, hub: Hub) -> str:
        user = sign_in.person(connection, _known_user(connection, email))
        if user is None or not user.active:
            raise StartupError(f"{email} was deactivated")
        if second_factor:
            hub.accounts.remove_second_factors(connection, user)
            told(connection, hub.ids, user.id, "second_factor.reset", actor=OPERATOR)
        told(connection, hub.ids, user.id, "password.reset_made", actor=OPERATOR)
        return hub.accounts.make_reset(connection, user)

    return run_on(config, lambda hub: hub.writer.execute(lambda one: change(one, hub)))


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
        counts = Counter((one.organisation_id, one.channel_id) for one in done)

        def note(connection: Connection) -> None:
            for (org, name), count in sorted(counts.items()):
                after = {"count": count}
                object_ = ("channel", name)
                tell(
                    connection, hub.ids, org, OPERATOR, "deliveries.replayed", object_, after=after
                )

        await hub.writer.execute(note)
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
    if password is None:
        return new_password()
    try:
        check_password(password, "password")
    except Refusal as refusal:
        raise StartupError(refusal.detail) from None
    return password


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
