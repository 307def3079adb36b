"""``hub keys replace``: another secret key, while the hub runs or not.

The former key is accepted until everything is encrypted with the new one. That goes in steps, each
in a transaction of its own, which look for what does not name the new key: whatever ends the
command, the next one goes on where it stopped.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection

from hub.app import ring
from hub.app.commands import run_on
from hub.app.errors import StartupError
from hub.app.hub import Hub
from hub.config import HubConfig
from hub.edge import recovery
from hub.edge.keys import Keys
from hub.edge.second import TOTP_SECRETS
from hub.flow.audited import tell
from hub.flow.push import devices
from hub.flow.services import KV, about_kept
from hub.rules.rights import OPERATOR
from hub.store import people
from hub.store import sealed as store
from hub.store.sealed import Sealed

STEP = 200
"""What is encrypted anew in one transaction."""


class Kind(Struct, frozen=True):
    """One kind of what is encrypted. ``opened``: the text, or ``None`` where no key opens it;
    ``sealed``: the text with the present key."""

    name: str
    page: store.Page
    put: store.Put
    opened: Callable[[Keys, Sealed], str | None]
    sealed: Callable[[Keys, Sealed, str], str]


class Report(Struct, frozen=True):
    """What came of it. ``lost``: what no key opens, which was left as it was."""

    done: dict[str, int]
    lost: dict[str, int]
    configured: bool

    def __str__(self) -> str:
        lines = [
            "Everything is encrypted with the new key: "
            + ", ".join(f"{count:,} {name}" for name, count in self.done.items())
            + " were not yet."
        ]
        lines += [
            f"Left as they were, for no key opens them: {count:,} {name}."
            for name, count in self.lost.items()
            if count
        ]
        if self.configured:
            lines.append(
                "Take the former key out of accepted_secret_keys, and restart: until then it is "
                "still accepted."
            )
        else:
            lines.append("The former key is accepted no longer.")
        return "\n".join(lines)


def _kept_opened(keys: Keys, one: Sealed) -> str | None:
    if not one.text.startswith(store.KEPT):
        return one.text  # of an older hub
    return keys.decrypt(KV, one.text.removeprefix(store.KEPT), _about_kept(one))


def _kept_sealed(keys: Keys, one: Sealed, text: str) -> str:
    return store.KEPT + keys.encrypt(KV, text, _about_kept(one))


def _about_kept(one: Sealed) -> str:
    organisation_id, channel_id, key = one.at
    return about_kept((int(organisation_id), str(channel_id)), str(key))


def _code_opened(keys: Keys, one: Sealed) -> str | None:
    return keys.decrypt(TOTP_SECRETS, one.text, str(one.at[0]))


def _code_sealed(keys: Keys, one: Sealed, text: str) -> str:
    return keys.encrypt(TOTP_SECRETS, text, str(one.at[0]))


def _subscription_opened(keys: Keys, one: Sealed) -> str | None:
    return keys.decrypt(devices.SUBSCRIPTIONS, one.text, _about_subscription(one))


def _subscription_sealed(keys: Keys, one: Sealed, text: str) -> str:
    return keys.encrypt(devices.SUBSCRIPTIONS, text, _about_subscription(one))


def _about_subscription(one: Sealed) -> str:
    _, user_id, push_key = one.at
    return devices.about(user_id, str(push_key))


def _push_key_opened(keys: Keys, one: Sealed) -> str | None:
    return keys.decrypt(devices.KEY, one.text, devices.ABOUT_KEY)


def _push_key_sealed(keys: Keys, _one: Sealed, text: str) -> str:
    return keys.encrypt(devices.KEY, text, devices.ABOUT_KEY)


KINDS = (
    Kind("values of channels", store.kept, store.put_kept, _kept_opened, _kept_sealed),
    Kind("secrets of codes", store.codes, store.put_codes, _code_opened, _code_sealed),
    Kind(
        "addresses of browsers",
        store.subscriptions,
        store.put_subscriptions,
        _subscription_opened,
        _subscription_sealed,
    ),
    Kind(
        "keys for push services",
        store.push_keys,
        store.put_push_keys,
        _push_key_opened,
        _push_key_sealed,
    ),
)


def replace(config: HubConfig) -> Report:
    """Make another key where it lies in the data folder, and encrypt everything with the present
    one. Raises ``StartupError``."""

    async def work(hub: Hub) -> Report:
        path = None if config.hub.secret_key is not None else config.hub.data / ring.NAME
        if path is None and not config.hub.accepted_secret_keys:
            raise StartupError(
                "secret_key stands in the configuration: put a new one there and the present one "
                "into accepted_secret_keys, restart every process of the hub, and run this again"
            )
        with _alone(config.hub.data):
            if path is not None:
                held = ring.read(path)
                if len(held) == 1:
                    ring.write(path, [ring.new_key(), *held])
            await hub.writer.execute(lambda connection: _begin(connection, hub))
            # Who has begun with the former key ends before anything is looked at.
            await hub.writer.execute(store.hold)
            done, lost = await _encrypt(hub)
            if path is not None:
                ring.write(path, ring.read(path)[:1])
        return Report(done, lost, path is None)

    return run_on(config, work)


@contextmanager
def _alone(data: Path) -> Generator[None]:
    """Of two that make a key only one does."""
    folder = os.open(data, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StartupError("the key is being replaced already") from None
    finally:
        os.close(folder)


def _begin(connection: Connection, hub: Hub) -> None:
    """Tell that there is another key, once for each, and keep what could not be made anew."""
    recovery.keep(connection, hub.keys)
    before, (now, *others) = store.name_of_key(connection), hub.keys.names
    if before == now:
        return
    store.put_name_of_key(connection, now)
    for place in people.organisations(connection):
        tell(
            connection,
            hub.ids,
            place.id,
            OPERATOR,
            "secret_key.replaced",
            ("hub", "secret_key"),
            before={"key": before or others[0]} if before or others else None,
            after={"key": now},
        )


async def _encrypt(hub: Hub) -> tuple[dict[str, int], dict[str, int]]:
    """How much of each kind was encrypted anew, and how much could not be."""
    done, lost = ({kind.name: 0 for kind in KINDS} for _ in range(2))
    for kind in KINDS:
        at: tuple[int | str, ...] | None = None
        while True:

            def step(
                connection: Connection,
                kind: Kind = kind,
                at: tuple[int | str, ...] | None = at,
            ) -> tuple[list[Sealed], int, int]:
                page = kind.page(connection, hub.keys.mark, at, STEP)
                return page, *_anew(connection, hub.keys, kind, page)

            page, renewed, unread = await hub.writer.execute(step)
            done[kind.name] += renewed
            lost[kind.name] += unread
            if len(page) < STEP:
                break
            at = page[-1].at
    return done, lost


def _anew(connection: Connection, keys: Keys, kind: Kind, page: list[Sealed]) -> tuple[int, int]:
    renewed = unread = 0
    for one in page:
        text = kind.opened(keys, one)
        if text is None:
            unread += 1
        else:
            renewed += kind.put(connection, one, kind.sealed(keys, one, text))
    return renewed, unread
