"""May this contact be called, on what, from which number: from a member's wish to a command.

The provider rings the member's phone first and then connects the contact. A call that cannot be
made within a minute is not made at all: nobody waits for it any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.channels import Channels
from hub.flow.compose import NO_NUMBER, opted_out, own_seen, reachable
from hub.flow.host import Channel, PluginFault, now_ms
from hub.flow.views import shapes
from hub.flow.views.present import compose_address
from hub.plugin import HookError
from hub.plugin.types import Address
from hub.rules import commands as c
from hub.rules.addresses import shown
from hub.rules.rights import Actor
from hub.rules.states import Refusal
from hub.store import contacts, timeline
from hub.store.contacts import AddressRow, ChannelUse, ConsentRow
from hub.store.database import Database
from hub.store.ids import Ids
from hub.store.scope import Scope

GIVE_UP_AFTER = 60 * 1000
"""Milliseconds within which the provider is asked to make a call."""

_encode = msgspec.json.Encoder().encode


class Wanted(Struct, frozen=True, kw_only=True):
    """Whom a member wants to call; ``phone``: where the member is rung."""

    scope: Scope
    member_id: int
    actor: Actor | None = None
    phone: str | None
    channel_id: str
    thread_id: int
    contact_id: int
    to: str | None
    own_address: str | None
    idempotency_key: str | None

    @property
    def digest(self) -> str:
        """Tells a repeated request from another under the same key."""
        asked = (self.channel_id, self.thread_id, self.contact_id, self.to, self.own_address)
        return hashlib.sha256(_encode(("call", *asked))).hexdigest()


class Dialler:
    """Checks who is to be called, and makes the command that calls them."""

    def __init__(self, database: Database, channels: Channels, ids: Ids) -> None:
        self._database = database
        self._channels = channels
        self._ids = ids

    async def made_before(self, wanted: Wanted) -> int | None:
        """The call that the same request under the same key has made."""
        key = wanted.idempotency_key
        if key is None:
            return None
        return await self._database.read(
            lambda connection: timeline.entry_of_request(
                connection,
                wanted.scope.organisation_id,
                (wanted.actor and wanted.actor.id) or wanted.member_id,
                key,
                wanted.digest,
            )
        )

    async def dial(self, wanted: Wanted) -> c.PlaceCall:
        """The command for a call. Raises ``Refusal``."""
        channel = self._channels.get(wanted.scope.organisation_id, wanted.channel_id)
        if channel is None or not wanted.scope.sees(wanted.channel_id):
            raise Refusal("no_channel", f'There is no channel "{wanted.channel_id[:80]}" here.')
        if not _calls(channel):
            raise Refusal("no_calls", f"{channel.name} makes no calls.")

        def look(
            connection: Connection,
        ) -> tuple[list[AddressRow], list[ConsentRow], list[ChannelUse]]:
            found = contacts.addresses_of(connection, [wanted.contact_id])
            addresses = found.get(wanted.contact_id, [])
            org = wanted.scope.organisation_id
            consents = contacts.consents_of(connection, org, addresses)
            return addresses, consents, contacts.channel_uses(connection, wanted.thread_id)

        addresses, consents, uses = await self._database.read(look)
        use = next((one for one in uses if one.channel_id == channel.id), None)
        to = reachable(channel, addresses, use)
        if wanted.to is not None:
            to = [one for one in to if one.value == wanted.to]
            if not to:
                raise Refusal("not_their_address", "The number is not one of this contact's.")
        own = _own_address(channel, wanted.scope, wanted.own_address, use)
        if why := _why_not(channel, addresses, to, own, consents):
            raise Refusal(*why)
        if wanted.phone is None:
            raise Refusal("no_phone", "Say in your account first at which number you are rung.")
        now = now_ms()
        return c.PlaceCall(
            organisation_id=wanted.scope.organisation_id,
            at=now,
            entry_id=self._ids.new(),
            transmission_id=self._ids.new(),
            thread_id=wanted.thread_id,
            contact_id=wanted.contact_id,
            channel_id=channel.id,
            address=c.AddressOf(scheme=to[0].scheme, value=to[0].value, display=to[0].display),
            own_address=own,
            member_address=wanted.phone,
            by_member_id=wanted.member_id,
            actor=wanted.actor,
            deadline=now + GIVE_UP_AFTER,
            idempotency_key=wanted.idempotency_key,
            request=wanted.digest,
        )

    def modes(
        self,
        scope: Scope,
        addresses: Sequence[AddressRow],
        consents: Sequence[ConsentRow],
        uses: Sequence[ChannelUse],
        *,
        may: bool,
    ) -> list[shapes.CallMode]:
        """Every channel that makes calls, and whether this contact may be called on it now.
        ``may``: whether who asks has the right to."""
        used = {use.channel_id: use for use in uses}
        return [
            _mode(channel, scope, addresses, consents, used.get(channel.id), may=may)
            for channel in self._channels.of(scope.organisation_id)
            if _calls(channel) and scope.sees(channel.id)
        ]


NO_CALLS = "A call cannot wait for approval, and your role may not call by itself"
"""To who may write with approval alone, or not at all."""


def _calls(channel: Channel) -> bool:
    return channel.info.can.calls and channel.info.can.outbound


def _mode(
    channel: Channel,
    scope: Scope,
    addresses: Sequence[AddressRow],
    consents: Sequence[ConsentRow],
    use: ChannelUse | None,
    *,
    may: bool,
) -> shapes.CallMode:
    to = reachable(channel, addresses, use)
    own: list[Address] = []
    failed: str | None = None
    try:
        own = _own_addresses(channel, scope, use)
    except Refusal as refusal:
        failed = refusal.detail
    why = _why_not(channel, addresses, to, own[0].value if own else "", consents)
    reason = failed or (None if why is None else why[1])
    if not may:
        reason = NO_CALLS
    return shapes.CallMode(
        channel_id=channel.id,
        can_call=reason is None,
        reason=reason,
        to=[
            shapes.ComposeAddress(
                value=one.value, display=shown(one.scheme, one.value, one.display)
            )
            for one in to
        ],
        own=[compose_address(one) for one in own],
    )


def _why_not(
    channel: Channel,
    addresses: Sequence[AddressRow],
    to: Sequence[AddressRow],
    own: str,
    consents: Sequence[ConsentRow],
) -> tuple[str, str] | None:
    """Why nobody can be called, as a code and in words; ``None`` if they can."""
    if not addresses:
        return "no_address", "No number is known"
    if not to:
        return "no_address", f"No number that {channel.name} can call"
    if out := opted_out(channel.id, to[0], own, consents):
        day = datetime.fromtimestamp(out.at / 1000, UTC)
        return "opted_out", f"Opted out on {day.day} {day:%B %Y}"
    if not channel.can_send:
        return "channel_off", channel.health.reason or f"{channel.name} makes no calls now"
    return None


def _own_addresses(channel: Channel, scope: Scope, use: ChannelUse | None) -> list[Address]:
    """The organisation's own addresses that are seen, the one the customer last called first."""
    try:
        own = own_seen(channel, scope)
    except (HookError, PluginFault) as error:
        raise Refusal("channel_failed", f"{channel.name} failed: {error}") from None
    if not own and not scope.sees_whole(channel.id):
        raise Refusal("not_our_address", NO_NUMBER)
    return sorted(own, key=lambda one: use is None or one.value != use.last_inbound_own)


def _own_address(channel: Channel, scope: Scope, wanted: str | None, use: ChannelUse | None) -> str:
    own = [one.value for one in _own_addresses(channel, scope, use)]
    if wanted is None:
        return own[0] if own else ""
    if wanted not in own:
        raise Refusal("not_our_address", f"{wanted[:80]} is not one of ours.")
    return wanted
