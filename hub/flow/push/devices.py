"""The browsers in which members want to be told while no page of the hub is open, and the key by
which push services know the hub.

A browser's address is as good as the right to write to it, so it is kept encrypted, with the
session in which it was given. The hub's key is made when somebody first asks for it, and kept
encrypted too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection

from hub.flow.host import now_ms
from hub.flow.services import Vault
from hub.flow.writer import Writer
from hub.rules import pushes as rules
from hub.rules.pushes import Subscription
from hub.rules.states import Refusal
from hub.store import pushes as store
from hub.store import sealed
from hub.store.database import Database
from hub.store.pushes import Device

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

SUBSCRIPTIONS = "push subscriptions"
KEY = "push key"
ABOUT_KEY = "hub"
"""The uses of the keys that both are encrypted with, and whose the hub's own is."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Subscription).decode


def about(user_id: int | str, push_key: str) -> str:
    """Whose an encrypted subscription is: it is of no use to anybody else."""
    return f"{user_id}/{push_key}"


class Devices:
    """Keeps them."""

    def __init__(self, database: Database, writer: Writer, vault: Vault) -> None:
        self._database = database
        self._writer = writer
        self._vault = vault
        self._made: tuple[str, EllipticCurvePrivateKey] | None = None
        self.changed: Callable[[], None] = lambda: None
        """Called when a browser has come."""

    async def key(self) -> EllipticCurvePrivateKey:
        """By which push services know the hub."""
        from hub.flow.push import encrypted  # noqa: PLC0415 — its libraries are not needed at start

        kept = await self._database.read(self._kept) or await self._writer.execute(self._make)
        if self._made is None or self._made[0] != kept:
            self._made = (kept, encrypted.private_key(kept))
        return self._made[1]

    async def public_key(self) -> str:
        """The same, as a browser asks its service for a subscription with it."""
        from hub.flow.push.encrypted import public_bytes  # noqa: PLC0415

        return rules.encoded(public_bytes(await self.key()))

    def _kept(self, connection: Connection) -> str | None:
        found = sealed.push_key(connection)
        return None if found is None else self._vault.decrypt(KEY, found, ABOUT_KEY)

    def _make(self, connection: Connection) -> str:
        from hub.flow.push.encrypted import new_key  # noqa: PLC0415

        sealed.hold_push_key(connection)
        if (kept := self._kept(connection)) is not None:
            return kept  # somebody was faster
        made = new_key()
        sealed.set_push_key(connection, self._vault.encrypt(KEY, made, ABOUT_KEY))
        return made

    async def is_told(self, token_hash: str) -> bool:
        """Whether the browser of a session is told."""
        return await self._database.read(lambda found: store.key_of(found, token_hash)) is not None

    async def put(self, user_id: int, token_hash: str, given: Subscription) -> None:
        """The browser of a session is told there from now on. Raises ``Refusal``."""
        from hub.flow.push.encrypted import check_point  # noqa: PLC0415

        rules.check(given)
        try:
            check_point(rules.decoded(given.p256dh))
        except ValueError:
            fields = {"p256dh": "This point is not on the curve."}
            detail = "This browser cannot be told: what it gave is no subscription."
            raise Refusal("bad_subscription", detail, fields=fields) from None
        push_key = rules.key_of(given.endpoint)

        def work(connection: Connection) -> Refusal | None:
            now = now_ms()
            if store.count_others(connection, user_id, token_hash, now) >= rules.MOST_DEVICES:
                return Refusal(
                    "too_many_devices",
                    f"You are told on {rules.MOST_DEVICES} devices already. Switch it off on one, "
                    "or sign out there, first.",
                    kind="conflict",
                )
            # One browser is one person's at a time: the one who has asked last.
            store.remove_device(connection, push_key=push_key, but=token_hash)
            if not store.put_device(connection, token_hash, "", push_key, now):
                return Refusal("session_ended", "You are not signed in any more.", kind="missing")
            text = self._vault.encrypt(
                SUBSCRIPTIONS, _encode(given).decode(), about(user_id, push_key)
            )
            store.put_device(connection, token_hash, text, push_key, now)
            return None

        if (refusal := await self._writer.execute(work)) is not None:
            raise refusal
        self.changed()

    async def remove(self, token_hash: str) -> None:
        """The browser of a session is told no more."""

        def work(connection: Connection) -> None:
            push_key = store.key_of(connection, token_hash)
            if push_key is not None:
                store.remove_device(connection, token_hash=token_hash)
                store.drop(connection, push_key)

        await self._writer.execute(work)

    def opened(self, device: Device) -> Subscription | None:
        """Where it is told; ``None``: no key of the hub's opens it any more."""
        text = self._vault.decrypt(
            SUBSCRIPTIONS, device.push, about(device.user_id, device.push_key)
        )
        return None if text is None else _decode(text)
