"""May this be sent, by whom, on what, when: from what a member wrote to a command.

What can be known beforehand is refused here, with the words for the person; what may change until
the moment of sending (consent, a cancel) is decided again where rows are changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.channels import Channels
from hub.flow.host import Channel, PluginFault, now_ms
from hub.flow.views import shapes
from hub.flow.views.present import compose_address
from hub.plugin import (
    Attachment,
    BadAddress,
    ComposeFacts,
    HookError,
    Item,
    MediaLimits,
    Rendered,
)
from hub.plugin.types import Address
from hub.rules import commands as c
from hub.rules.addresses import shown
from hub.rules.content import Content, one_line, storable
from hub.rules.states import Refusal
from hub.store import contacts as contact_store
from hub.store import timeline
from hub.store.contacts import AddressRow, ChannelUse, ConsentRow
from hub.store.database import Database
from hub.store.ids import Ids, parse
from hub.store.scope import Scope
from hub.store.timeline import AttachmentRow

GIVE_UP_AFTER = 4 * 3600 * 1000
"""Milliseconds for which a message that cannot be handed over is tried again."""
LONGEST = 100_000
"""Characters of a message, whatever the channel says."""
MOST_FILES = 50
"""Files of a message, whatever the channel says."""

_encode = msgspec.json.Encoder(order="deterministic").encode


class Wanted(Struct, frozen=True, kw_only=True):
    """What a member wants sent. ``thread_id`` and ``contact_id`` are ``None`` for the first
    message to an address."""

    scope: Scope
    member_id: int
    channel_id: str
    thread_id: int | None
    contact_id: int | None
    to: str | None
    own_address: str | None
    body: str
    subject: str | None
    attachment_ids: Sequence[str]
    idempotency_key: str | None


class Composer:
    """Checks what is to be sent, and makes the command that sends it."""

    def __init__(self, database: Database, channels: Channels, ids: Ids) -> None:
        self._database = database
        self._channels = channels
        self._ids = ids

    async def made_before(self, wanted: Wanted) -> int | None:
        """The entry that the same request under the same key has made. Nothing of it is checked
        again: what was right then, such as its files, may be spoken for by now."""
        if wanted.idempotency_key is None:
            return None
        key = wanted.idempotency_key
        return await self._database.read(
            lambda connection: timeline.entry_of_request(
                connection,
                wanted.scope.organisation_id,
                wanted.member_id,
                key,
                _digest(wanted),
            )
        )

    async def compose(self, wanted: Wanted) -> c.SendMessage:
        """The command for a message. Raises ``Refusal``."""
        org = wanted.scope.organisation_id
        channel = self._sendable(wanted)
        uses, addresses, files = await self._database.read(partial(_known, wanted))
        use = next((one for one in uses if one.channel_id == channel.id), None)
        to = None if wanted.to is None else storable(wanted.to)
        address = self._recipient(channel, to, addresses, use)
        own_address = storable(self._sender(channel, wanted.own_address, use))
        attachments = _attachments(channel.info.can.media_out, files, wanted.member_id)
        if not wanted.body.strip() and not attachments:
            raise Refusal("empty", "There is nothing to send.")
        item = Item(
            direction="out",
            text=storable(wanted.body),
            subject=wanted.subject if channel.info.can.subject else None,
            attachments=attachments,
            address=address,
            own_address=own_address,
        )
        self._check_rules(channel, item, use)
        rendered = self._wire(channel, item)
        now = now_ms()
        return c.SendMessage(
            organisation_id=org,
            at=now,
            entry_id=self._ids.new(),
            transmission_id=self._ids.new(),
            thread_id=wanted.thread_id,
            contact_id=wanted.contact_id,
            channel_id=channel.id,
            grouping=channel.info.group,
            address=c.AddressOf(
                scheme=address.scheme, value=address.value, display=address.display
            ),
            own_address=own_address,
            content=Content(text=item.text, subject=item.subject, warnings=list(rendered.warnings)),
            preview=one_line(item.subject or item.text) or _files_line(len(attachments)),
            wire=_encode(rendered.wire).decode(),
            attachment_ids=tuple(int(attachment.id) for attachment in attachments),
            by_member_id=wanted.member_id,
            due_at=now,
            deadline=now + GIVE_UP_AFTER,
            idempotency_key=wanted.idempotency_key,
            request=_digest(wanted),
        )

    def _sendable(self, wanted: Wanted) -> Channel:
        channel = self._channels.get(wanted.scope.organisation_id, wanted.channel_id)
        if channel is None or not wanted.scope.sees(wanted.channel_id):
            raise Refusal("no_channel", f'There is no channel "{wanted.channel_id[:80]}" here.')
        if not channel.info.can.outbound:
            raise Refusal("no_sending", f"{channel.name} takes in messages only.")
        if len(wanted.body) > LONGEST:
            raise Refusal("too_long", f"A message may hold {LONGEST:,} characters.")
        if len(wanted.attachment_ids) > MOST_FILES:
            raise Refusal("too_many_files", f"A message may carry {MOST_FILES} files.")
        return channel

    def _recipient(
        self,
        channel: Channel,
        to: str | None,
        addresses: Sequence[AddressRow],
        use: ChannelUse | None,
    ) -> Address:
        if to is None:
            fitting = _reachable(channel, addresses, use)
            if not fitting:
                raise Refusal(
                    "no_address", f"This contact has no address that {channel.name} can reach."
                )
            return Address(scheme=fitting[0].scheme, value=fitting[0].value)
        try:
            if channel.has("normalise_address"):
                return channel.normalise(to)
        except BadAddress as error:
            raise Refusal("bad_address", error.detail or f'"{to[:80]}" is no address.') from None
        except (HookError, PluginFault) as error:
            raise Refusal("channel_failed", f"{channel.name} failed: {error}") from None
        return Address(scheme=channel.info.address_scheme, value=to.strip())

    def _sender(self, channel: Channel, wanted: str | None, use: ChannelUse | None) -> str:
        try:
            own = [address.value for address in channel.own_addresses()]
        except (HookError, PluginFault) as error:
            raise Refusal("channel_failed", f"{channel.name} failed: {error}") from None
        if wanted is not None:
            if own and wanted not in own:
                raise Refusal("not_our_address", f"{wanted[:80]} is not one of ours.")
            return wanted
        if use is not None and use.last_inbound_own in own:
            return use.last_inbound_own or ""
        return own[0] if own else ""

    def _check_rules(self, channel: Channel, item: Item, use: ChannelUse | None) -> None:
        assert item.address is not None  # noqa: S101 — made just before
        inbound = None if use is None else use.last_inbound_at
        try:
            rules = channel.compose_rules(
                ComposeFacts(
                    address=item.address,
                    own_address=item.own_address or "",
                    now=datetime.now(UTC),
                    last_inbound_at=None
                    if inbound is None
                    else datetime.fromtimestamp(inbound / 1000, UTC),
                )
            )
        except (HookError, PluginFault) as error:
            raise Refusal("channel_failed", f"{channel.name} failed: {error}") from None
        if rules.may != "free":
            raise Refusal("window_closed", rules.why or "Free text is not possible now.")
        if rules.max_length is not None and len(item.text) > rules.max_length:
            raise Refusal(
                "too_long",
                f"{channel.name} takes {rules.max_length:,} characters; this has "
                f"{len(item.text):,}.",
            )

    def _wire(self, channel: Channel, item: Item) -> Rendered:
        try:
            rendered = channel.render(item, "wire")
        except HookError as error:
            raise Refusal("unsupported", error.detail or "The channel cannot send this.") from None
        except PluginFault as error:
            raise Refusal("channel_failed", f"{channel.name} failed: {error}") from None
        if not rendered.wire:
            raise Refusal("unsupported", f"{channel.name} cannot send this.")
        return rendered

    # ------------------------------------------------------------------ what may be written

    def modes(
        self,
        scope: Scope,
        addresses: Sequence[AddressRow],
        consents: Sequence[ConsentRow],
        uses: Sequence[ChannelUse],
    ) -> list[shapes.ComposeMode]:
        """Every channel that sends, and whether this contact may be written to on it now."""
        used = {use.channel_id: use for use in uses}
        return [
            self._mode(channel, addresses, consents, used.get(channel.id))
            for channel in self._channels.of(scope.organisation_id)
            if channel.info.can.outbound and scope.sees(channel.id)
        ]

    def _mode(
        self,
        channel: Channel,
        addresses: Sequence[AddressRow],
        consents: Sequence[ConsentRow],
        use: ChannelUse | None,
    ) -> shapes.ComposeMode:
        to = _reachable(channel, addresses, use)
        own: list[Address] = []
        reason: str | None = None
        max_length: int | None = None
        try:
            own = list(channel.own_addresses())
            own.sort(key=lambda one: use is None or one.value != use.last_inbound_own)
            if to:
                rules = channel.compose_rules(_facts(to[0], own, use))
                max_length = rules.max_length
                reason = None if rules.may == "free" else rules.why or "Not possible now."
        except (HookError, PluginFault) as error:
            reason = f"{channel.name} failed: {error}"
        if not to:
            reason = f"No address that {channel.name} can reach"
        elif opted_out := _opted_out(channel.id, to[0], consents):
            day = datetime.fromtimestamp(opted_out.at / 1000, UTC)
            reason = f"Opted out on {day.day} {day:%B %Y}"
        elif channel.health.state == "off":
            reason = channel.health.reason or "The channel is off"
        return shapes.ComposeMode(
            channel_id=channel.id,
            can_send=reason is None,
            reason=reason,
            to=[
                shapes.ComposeAddress(
                    value=one.value, display=shown(one.scheme, one.value, one.display)
                )
                for one in to
            ],
            own=[compose_address(one) for one in own],
            max_length=max_length,
            counter=channel.info.counter,
            subject=channel.info.can.subject,
        )


def default_mode(modes: Sequence[shapes.ComposeMode], uses: Sequence[ChannelUse]) -> str | None:
    """The channel the composer opens with: the one the customer used last, if it can be sent on
    now, else the first that can."""
    possible = [mode.channel_id for mode in modes if mode.can_send]
    for use in uses:
        if use.channel_id in possible:
            return use.channel_id
    return possible[0] if possible else None


def _reachable(
    channel: Channel, addresses: Sequence[AddressRow], use: ChannelUse | None
) -> list[AddressRow]:
    """The contact's addresses on a channel, the one last written from first."""
    last = None if use is None else use.last_inbound_address
    fitting = [one for one in addresses if one.scheme == channel.info.address_scheme]
    return sorted(fitting, key=lambda one: (one.value != last, -one.id))


def _opted_out(
    channel_id: str, address: AddressRow, consents: Sequence[ConsentRow]
) -> ConsentRow | None:
    return next(
        (
            consent
            for consent in consents
            if consent.channel_id == channel_id
            and (consent.scheme, consent.value) == (address.scheme, address.value)
            and consent.state == "out"
        ),
        None,
    )


def _known(
    wanted: Wanted, connection: Connection
) -> tuple[list[ChannelUse], list[AddressRow], list[AttachmentRow | None]]:
    """How the contact has written, their addresses, and the files to send."""
    uses: list[ChannelUse] = []
    addresses: list[AddressRow] = []
    if wanted.thread_id is not None and wanted.contact_id is not None:
        uses = contact_store.channel_uses(connection, wanted.thread_id)
        found = contact_store.addresses_of(connection, [wanted.contact_id])
        addresses = found.get(wanted.contact_id, [])
    org = wanted.scope.organisation_id
    files = [
        timeline.attachment_by_id(connection, org, parse(id_) or 0) for id_ in wanted.attachment_ids
    ]
    return uses, addresses, files


def _facts(to: AddressRow, own: Sequence[Address], use: ChannelUse | None) -> ComposeFacts:
    inbound = None if use is None else use.last_inbound_at
    return ComposeFacts(
        address=Address(scheme=to.scheme, value=to.value),
        own_address=own[0].value if own else "",
        now=datetime.now(UTC),
        last_inbound_at=None if inbound is None else datetime.fromtimestamp(inbound / 1000, UTC),
    )


def _attachments(
    limits: MediaLimits | None, files: Sequence[AttachmentRow | None], member_id: int
) -> tuple[Attachment, ...]:
    """The files, if the member uploaded them and the channel carries them."""
    found: list[Attachment] = []
    for file in files:
        sendable = file is not None and file.state == "ready" and file.entry_id is None
        if file is None or not sendable or file.uploaded_by != member_id:
            raise Refusal("attachment_used", "A file is not there, or was sent before.")
        found.append(
            Attachment(
                id=str(file.id),
                name=file.name,
                content_type=file.content_type,
                size=file.size or 0,
            )
        )
    if found and limits is None:
        raise Refusal("no_attachments", "This channel carries no files.")
    if limits is not None:
        _check_limits(limits, found)
    return tuple(found)


def _check_limits(limits: MediaLimits, files: Sequence[Attachment]) -> None:
    if len(files) > limits.max_count:
        raise Refusal("too_many_files", f"This channel carries {limits.max_count} files at most.")
    if limits.max_total is not None and sum(file.size for file in files) > limits.max_total:
        megabytes = limits.max_total / 1_000_000
        raise Refusal("files_too_large", f"The files of a message may have {megabytes:g} MB.")
    for file in files:
        if file.size > limits.max_bytes:
            megabytes = limits.max_bytes / 1_000_000
            raise Refusal("file_too_large", f"{file.name} is larger than {megabytes:g} MB.")
        if limits.types and not any(_fits(file.content_type, type_) for type_ in limits.types):
            raise Refusal(
                "file_type", f"This channel does not carry {file.content_type} ({file.name})."
            )


def _fits(content_type: str, pattern: str) -> bool:
    if pattern.endswith("/*"):
        return content_type.startswith(pattern[:-1])
    return content_type == pattern


def _files_line(count: int) -> str:
    return "Attachment" if count == 1 else f"{count} attachments"


def _digest(wanted: Wanted) -> str:
    asked = (
        wanted.channel_id,
        wanted.thread_id,
        wanted.contact_id,
        wanted.to,
        wanted.own_address,
        wanted.body,
        wanted.subject,
        list(wanted.attachment_ids),
    )
    return hashlib.sha256(_encode(asked)).hexdigest()
