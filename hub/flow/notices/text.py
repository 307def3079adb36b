"""One text through a channel of the organisation's, that is no conversation: no thread, no entry.

As with a mail it is known what an error means: until the channel was asked to send, nothing has
been sent; after that only its answer tells.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.channels import Channels
from hub.flow.host import Channel, ChannelResting, LoopsExhausted, PluginFault
from hub.flow.notices.outcomes import Refused, Unsettled
from hub.plugin import (
    Address,
    BadAddress,
    ComposeFacts,
    CredentialsInvalid,
    HookError,
    Info,
    Item,
    Malformed,
    Outbound,
    Permanent,
    Temporary,
    Unsupported,
    WirePart,
)
from hub.rules.consent import in_force
from hub.store import contacts
from hub.store.database import Database
from hub.store.notices import Notice

SEND_LIMIT = 30.0
"""Seconds a provider may take."""
PHONE = "phone"
ADVICE = "set channel in [[notices.texts]]"


class TextSender(Struct, frozen=True):
    """From where an organisation's notices go; ``own_address`` ``None``: the channel's first."""

    channel_id: str
    own_address: str | None


class _Text(Struct, frozen=True):
    """What is ready to be sent."""

    address: Address
    own_address: str
    wire: tuple[WirePart, ...]


def reaches_phones(info: Info) -> bool:
    """Whether a channel's plugin can send to a phone number."""
    return info.can.outbound and info.address_scheme == PHONE


class Texter:
    """Hands texts to channels. ``senders`` by the organisation's id."""

    def __init__(
        self, database: Database, channels: Channels, senders: Mapping[int, TextSender]
    ) -> None:
        self._database = database
        self._channels = channels
        self._senders = senders

    def use(self, senders: Mapping[int, TextSender]) -> None:
        """From now on these."""
        self._senders = senders

    @staticmethod
    def mistakes(senders: Mapping[int, TextSender], channels: Channels) -> list[str]:
        """What in the configuration cannot be so, as far as the channels run."""
        found: list[str] = []
        for organisation_id, sender in senders.items():
            channel = channels.get(organisation_id, sender.channel_id)
            if channel is None:
                continue
            if not reaches_phones(channel.info):
                found.append(f'channel "{channel.id}" cannot send to a phone')
            elif sender.own_address is not None and sender.own_address not in _own(channel):
                found.append(f'{sender.own_address} is no own address of channel "{channel.id}"')
        return [f"[[notices.texts]]: {problem}" for problem in found]

    def problem(self, organisation_id: int | None) -> str | None:
        """Why nothing can be sent for an organisation as it is configured."""
        sender = self._senders.get(organisation_id or 0)
        if sender is None:
            return f"no channel is set that sends its texts: {ADVICE}"
        if self._channels.get(organisation_id or 0, sender.channel_id) is None:
            return f'channel "{sender.channel_id}", which sends its texts, is not running'
        return None

    async def send(self, notice: Notice, begin: Callable[[], Awaitable[bool]]) -> bool:
        """Send one text; ``begin`` is asked right before it is handed over, and may say no.
        Raises ``Refused``, ``Unsettled``."""
        organisation_id = notice.organisation_id or 0
        if problem := self.problem(organisation_id):
            raise Refused(f"Of this organisation {problem}", final=False)
        sender = self._senders[organisation_id]
        channel = self._channels.get(organisation_id, sender.channel_id)
        if channel is None or not channel.can_send:
            reason = "" if channel is None else channel.health.reason or ""
            raise Refused(f"The channel does not send now. {reason}".strip(), final=False)
        text = _prepared(channel, notice, sender)
        if await self._opted_out(channel, text):
            raise Refused("This number has opted out.", final=True)
        if not await begin():
            return False
        await _hand_over(channel, notice, text)
        return True

    async def _opted_out(self, channel: Channel, text: _Text) -> bool:
        def look(connection: Connection) -> bool:
            found = contacts.consents_at(
                connection, channel.organisation_id, text.address.scheme, text.address.value
            )
            of_channel = (one for one in found if one.channel_id == channel.id)
            held = in_force(of_channel, text.own_address)
            return held is not None and held.state == "out"

        return await self._database.read(look)


def _own(channel: Channel) -> list[str]:
    try:
        return [address.value for address in channel.own_addresses()]
    except (HookError, PluginFault):
        return []


def _prepared(channel: Channel, notice: Notice, sender: TextSender) -> _Text:
    """The text as it goes out. Raises ``Refused``."""
    try:
        address = Address(scheme=PHONE, value=notice.recipient)
        if channel.has("normalise_address"):
            address = channel.normalise(notice.recipient)
        own = sender.own_address or next(iter(_own(channel)), "")
        now = datetime.now(UTC)
        rules = channel.compose_rules(
            ComposeFacts(address=address, own_address=own, now=now, last_inbound_at=None)
        )
        if rules.may != "free":
            raise Refused(rules.why or "The channel takes no free text now.", final=True)
        item = Item(direction="out", text=notice.text, address=address, own_address=own)
        wire = tuple(channel.render(item, "wire").wire)
    except BadAddress as error:
        raise Refused(error.detail or "This is no phone number.", final=True) from error
    except HookError as error:
        raise Refused(error.detail or "The channel cannot send this.", final=True) from error
    except PluginFault as error:
        raise Refused(f"The channel failed: {error}", final=False) from error
    if not wire:
        raise Refused("The channel cannot send this.", final=True)
    return _Text(address, own, wire)


async def _hand_over(channel: Channel, notice: Notice, text: _Text) -> None:
    now = datetime.now(UTC)
    outbound = Outbound(
        id=str(notice.id),
        attempt=notice.attempts,
        deadline=now + timedelta(seconds=SEND_LIMIT),
        address=text.address,
        own_address=text.own_address,
        started_at=now,
        wire=text.wire,
        attachments=(),
    )
    try:
        await channel.send(outbound)
    except (Permanent, Unsupported, Malformed, BadAddress) as error:
        raise Refused(error.detail or "The channel cannot send this.", final=True) from error
    except CredentialsInvalid as error:
        channel.pause(error.detail or "The provider refuses the channel's credentials.")
        raise Refused(error.detail or "The provider refuses us.", final=False) from error
    except (Temporary, ChannelResting, LoopsExhausted) as error:
        raise Refused(str(error) or "The provider takes nothing now.", final=False) from error
    except Exception as error:  # a time-out, a lost answer, a plugin that broke
        reason = str(error) or type(error).__name__
        raise Unsettled(f"The provider did not answer: {reason}"[:500]) from error
