"""May this be sent, by whom, on what, when: from what a member wrote to a command.

What can be known beforehand is refused here, with the words for the person; what may change until
the moment of sending (consent, a cancel) is decided again where rows are changed.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from hub.flow import templates
from hub.flow.channels import Channels
from hub.flow.host import Channel, PluginFault, now_ms
from hub.flow.settings import Known as Settings
from hub.flow.settings import OrganisationSettings
from hub.flow.templates import TemplatesAway
from hub.flow.views import shapes
from hub.flow.views.present import (
    compose_address,
    contact_display,
    quoted_blocks,
    rendered_blocks,
    when,
)
from hub.plugin import (
    Attachment,
    BadAddress,
    ComposeFacts,
    ComposeRules,
    HookError,
    Item,
    MediaLimits,
    Rendered,
    Surface,
    TemplateUse,
)
from hub.plugin.types import Address
from hub.rules import approvals, letters
from hub.rules import commands as c
from hub.rules import content as contents
from hub.rules.addresses import canonical, shown, valid_phone
from hub.rules.approvals import Proposal, Source
from hub.rules.consent import in_force
from hub.rules.content import Content, TemplateName, one_line, storable
from hub.rules.rights import Actor
from hub.rules.states import Refusal
from hub.rules.subjects import answer_to
from hub.store import contacts as contact_store
from hub.store import inbox, members, timeline
from hub.store.contacts import AddressRow, ChannelUse, ConsentRow
from hub.store.database import Database
from hub.store.ids import Ids, parse
from hub.store.scope import Scope
from hub.store.timeline import AttachmentRow, EntryRow

GIVE_UP_AFTER = 4 * 3600 * 1000
"""Milliseconds for which a message that cannot be handed over is tried again."""
LONGEST = 100_000
"""Characters of a message, whatever the channel says."""
MOST_COPIES = 50
"""People in copy of a message."""
MOST_FILES = 50
"""Files of a message, whatever the channel says."""
NOT_NOW = {
    "template": "Only a template can be sent now.",
    "closed": "Nothing can be sent now.",
}
"""Where a channel does not say why."""

_encode = msgspec.json.Encoder(order="deterministic").encode


class Wanted(Struct, frozen=True, kw_only=True):
    """What somebody wants sent; ``member_id`` is ``None`` for automations and assistants.
    ``thread_id`` and ``contact_id`` are ``None`` for the first
    message to an address; ``reply_to`` is the id of an entry; ``template`` is a name and a
    language, ``variables`` its values."""

    scope: Scope
    member_id: int | None
    actor: Actor | None = None
    channel_id: str
    thread_id: int | None
    contact_id: int | None
    to: str | None
    own_address: str | None
    body: str
    subject: str | None
    attachment_ids: Sequence[str]
    idempotency_key: str | None = None
    reply_to: str | None = None
    template: tuple[str, str] | None = None
    variables: Mapping[str, str] = MappingProxyType({})
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    source: Source = "member"
    capabilities: frozenset[str] = frozenset()
    """Of the member, or of the token; as of ``rules.approvals.gated``."""


class _Held(Struct, frozen=True, kw_only=True):
    """What waits for approval has its address and its files already."""

    entry_id: int
    address: Address
    below: str | None


class Composer:
    """Checks what is to be sent, and makes the command that sends it."""

    def __init__(
        self, database: Database, channels: Channels, ids: Ids, settings: OrganisationSettings
    ) -> None:
        self._database = database
        self._channels = channels
        self._ids = ids
        self._settings = settings

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
                (wanted.actor and wanted.actor.id) or wanted.member_id or 0,
                key,
                _digest(wanted),
            )
        )

    async def compose(self, wanted: Wanted) -> c.SendMessage:
        """The command for a message: one that sends it, or, where somebody has to approve it first,
        one that lets it wait. Raises ``Refusal``, ``TemplatesAway``."""
        settings = await self._settings.of(wanted.scope.organisation_id)
        policy = settings.settings.approvals.sources
        gated = approvals.gated(wanted.source, wanted.capabilities, policy)
        message = await self._composed(wanted, None, settings)
        return replace(message, proposal=_proposal(wanted, message)) if gated else message

    async def compose_approved(
        self, wanted: Wanted, entry: EntryRow, proposal: Proposal
    ) -> c.SendMessage:
        """The same for what waits for approval as ``entry`` (``wanted`` is its proposal, with the
        words that are to be sent): it is made ready, and checked, as if it were written now."""
        address = Address(scheme=entry.scheme or "", value=entry.address or "")
        settings = await self._settings.of(wanted.scope.organisation_id)
        below = contents.decode(entry.content).below
        held = _Held(entry_id=entry.id, address=address, below=below)
        message = await self._composed(wanted, held, settings)
        due_at = max(proposal.due_at, message.due_at)
        return replace(
            message, due_at=due_at, deadline=due_at + GIVE_UP_AFTER, answers=proposal.answers
        )

    async def _composed(
        self, wanted: Wanted, held: _Held | None, settings: Settings
    ) -> c.SendMessage:
        org = wanted.scope.organisation_id
        channel = self._sendable(wanted)
        template: TemplateUse | None = None
        if wanted.template is not None:
            found = await templates.approved(channel, *wanted.template)
            template = templates.filled(found, wanted.variables)
        to = held.address if held is not None else self._typed(channel, wanted.to)
        known = await self._database.read(partial(_known, wanted, channel, to))
        item = self._item(channel, wanted, known, template, to, held)
        if template is None and not item.text.strip() and not item.attachments:
            raise Refusal("empty", "There is nothing to send.")
        text = item.text
        below = _below(channel, known, item, settings) if held is None else held.below
        cc, bcc = self._copies(channel, wanted, _address(item))
        item = replace(item, text=letters.whole(text, below))
        self._check_rules(channel, item, known.use)
        rendered = self._wire(channel, item)
        if template is not None:
            text = storable("\n".join(part.text for part in rendered.wire if part.text))
        now, address = now_ms(), _address(item)
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
            own_address=item.own_address or "",
            content=Content(
                text=text,
                subject=item.subject,
                reply_to=None if known.answered is None else known.answered.external_id,
                template=_named(template),
                warnings=list(rendered.warnings),
                cc=cc,
                bcc=bcc,
                below=below,
            ),
            preview=one_line(item.subject or text) or _files_line(len(item.attachments)),
            wire=_encode(rendered.wire).decode(),
            kind="message" if template is None else "template",
            attachment_ids=tuple(int(attachment.id) for attachment in item.attachments),
            by_member_id=wanted.member_id,
            author_kind=approvals.AUTHORS[wanted.source],
            answers=wanted.source != "automation",
            actor=wanted.actor,
            due_at=now,
            deadline=now + GIVE_UP_AFTER,
            idempotency_key=wanted.idempotency_key,
            request=_digest(wanted),
        )

    async def preview(self, wanted: Wanted) -> shapes.MessagePreview:
        """What a message would look like; whether it may be sent now is not asked. Raises
        ``Refusal``, ``TemplatesAway``."""
        channel = self._sendable(wanted)
        template, warnings = await _half_filled(channel, wanted)
        to = self._typed(channel, wanted.to)
        known = await self._database.read(partial(_known_of_theirs, wanted, channel))
        item = self._item(channel, wanted, known, template, to)
        self._copies(channel, wanted, _address(item))
        settings = await self._settings.of(wanted.scope.organisation_id)
        below = _below(channel, known, item, settings)
        rendered = self._rendered(channel, item, "composer")
        return shapes.MessagePreview(
            blocks=[*rendered_blocks(rendered), *quoted_blocks(below)],
            preview=rendered.preview,
            warnings=[*warnings, *rendered.warnings],
        )

    async def preview_start(self, wanted: Wanted) -> shapes.StartPreview:
        """The same for the first message to an address; whether it may be sent now is told. Raises
        ``Refusal``, ``TemplatesAway``."""
        channel = self._sendable(wanted)
        template, warnings = await _half_filled(channel, wanted)
        to = self._typed(channel, wanted.to)
        assert to is not None  # noqa: S101 — a conversation begins with an address
        known, theirs = await self._database.read(partial(_known_at, wanted, channel, to))
        item = self._item(channel, wanted, known, template, to)
        try:
            rules = _rules(channel, to, item.own_address or "", known.use)
        except (HookError, PluginFault) as error:
            raise Refusal("channel_failed", f"{channel.name} failed: {error}") from None
        empty = template is None and not item.text.strip()
        rendered = Rendered() if empty else self._rendered(channel, item, "composer")
        return shapes.StartPreview(
            blocks=rendered_blocks(rendered),
            preview=rendered.preview,
            warnings=[*warnings, *rendered.warnings],
            to=compose_address(to),
            may=rules.may,
            reason=None if rules.may == "free" else rules.why or NOT_NOW[rules.may],
            thread_id=None if theirs is None else str(theirs[0]),
            display=None if theirs is None else theirs[1],
        )

    async def check_retry(self, scope: Scope, entry: EntryRow) -> None:
        """Whether what failed may be sent as it is now: a window may have closed since, a template
        may be gone. What cannot be asked now is left to the sending. Raises ``Refusal``."""
        channel = self._channels.get(scope.organisation_id, entry.channel_id or "")
        if channel is None or entry.kind != "message":
            return
        content = contents.decode(entry.content)
        if content.template is not None:
            with contextlib.suppress(TemplatesAway):
                await templates.approved(channel, content.template.name, content.template.language)
        uses = await self._database.read(
            lambda connection: contact_store.channel_uses(connection, entry.thread_id)
        )
        to = Address(scheme=entry.scheme or "", value=entry.address or "")
        use = next((one for one in uses if one.channel_id == channel.id), None)
        with contextlib.suppress(HookError, PluginFault):
            rules = _rules(channel, to, entry.own_address or "", use)
            _check_window(rules, template=content.template is not None)

    def _item(
        self,
        channel: Channel,
        wanted: Wanted,
        known: _Known,
        template: TemplateUse | None,
        to: Address | None,
        held: _Held | None = None,
    ) -> Item:
        """What is to be rendered. Raises ``Refusal``."""
        if template is not None and wanted.body.strip():
            detail = "A template has its own text; leave the body empty."
            raise Refusal("template_and_text", detail, fields={"body": detail})
        subject = None
        if channel.info.can.subject:
            given = (wanted.subject or "").strip()
            subject = storable(given) if given else answer_to(known.subject or "") or None
        return Item(
            direction="out",
            text="" if template is not None else storable(wanted.body),
            subject=subject,
            attachments=_attachments(
                channel.info.can.media_out,
                known.files,
                wanted.member_id,
                None if held is None else held.entry_id,
            ),
            address=to or self._theirs(channel, known.addresses, known.use),
            own_address=storable(
                self._sender(channel, wanted.scope, wanted.own_address, known.use)
            ),
            template=template,
        )

    def _sendable(self, wanted: Wanted) -> Channel:
        channel = self._channels.get(wanted.scope.organisation_id, wanted.channel_id)
        if channel is None or not wanted.scope.sees(wanted.channel_id):
            raise Refusal("no_channel", f'There is no channel "{wanted.channel_id[:80]}" here.')
        if channel.info.group == "calls":
            raise Refusal("no_sending", f"{channel.name} carries calls only.")
        if not channel.info.can.outbound:
            raise Refusal("no_sending", f"{channel.name} takes in messages only.")
        if len(wanted.body) > LONGEST:
            raise Refusal("too_long", f"A message may hold {LONGEST:,} characters.")
        if len(wanted.attachment_ids) > MOST_FILES:
            raise Refusal("too_many_files", f"A message may carry {MOST_FILES} files.")
        if sum(map(len, wanted.variables.values())) > LONGEST:
            raise Refusal("too_long", f"The values of a template may have {LONGEST:,} characters.")
        if wanted.variables and wanted.template is None:
            detail = "Values are of a template; say which one."
            raise Refusal("template_unknown", detail, fields={"template": detail})
        if wanted.reply_to is not None and not channel.info.can.threading:
            raise _bad_reply(f"{channel.name} cannot say which message one answers.")
        return channel

    def _theirs(
        self, channel: Channel, addresses: Sequence[AddressRow], use: ChannelUse | None
    ) -> Address:
        fitting = reachable(channel, addresses, use)
        if not fitting:
            raise Refusal(
                "no_address", f"This contact has no address that {channel.name} can reach."
            )
        return Address(scheme=fitting[0].scheme, value=fitting[0].value)

    def _typed(self, channel: Channel, to: str | None) -> Address | None:
        if to is None:
            return None
        to = storable(to)
        scheme = channel.info.address_scheme
        try:
            if scheme == "phone":
                # Where all our numbers are of one country, its people leave the country code out.
                to = valid_phone(to, (own.value for own in channel.own_addresses())) or to
            if channel.has("normalise_address"):
                found = channel.normalise(to)
                return replace(found, value=canonical(found.scheme, found.value))
        except BadAddress as error:
            raise Refusal("bad_address", error.detail or f'"{to[:80]}" is no address.') from None
        except (HookError, PluginFault) as error:
            raise Refusal("channel_failed", f"{channel.name} failed: {error}") from None
        return Address(scheme=scheme, value=canonical(scheme, to.strip()))

    def _copies(self, channel: Channel, wanted: Wanted, to: Address) -> tuple[list[str], list[str]]:
        """Who else gets it, each once: not who it goes to, nor ourselves. Raises ``Refusal``."""
        if not wanted.cc and not wanted.bcc:
            return [], []
        field = "cc" if wanted.cc else "bcc"
        if not channel.info.can.copies:
            detail = f"{channel.name} has no people in copy."
            raise Refusal("no_copies", detail, fields={field: detail})
        if len(wanted.cc) + len(wanted.bcc) > MOST_COPIES:
            detail = f"A message may have {MOST_COPIES} people in copy."
            raise Refusal("too_many_copies", detail, fields={field: detail})
        known = {to.value, *(one.value for one in channel.own_addresses())}
        found: dict[str, list[str]] = {"cc": [], "bcc": []}
        for name, typed in (("cc", wanted.cc), ("bcc", wanted.bcc)):
            for one in typed:
                try:
                    address = self._typed(channel, one)
                except Refusal as refusal:
                    detail = f"{one[:80]}: {refusal.detail}"
                    raise Refusal(refusal.code, detail, fields={name: detail}) from None
                if address is not None and address.value not in known:
                    known.add(address.value)
                    found[name].append(storable(address.value))
        return found["cc"], found["bcc"]

    def _sender(
        self, channel: Channel, scope: Scope, wanted: str | None, use: ChannelUse | None
    ) -> str:
        try:
            own = [address.value for address in own_seen(channel, scope)]
        except (HookError, PluginFault) as error:
            raise Refusal("channel_failed", f"{channel.name} failed: {error}") from None
        if wanted is not None:
            if (own or not scope.sees_whole(channel.id)) and wanted not in own:
                raise Refusal("not_our_address", f"{wanted[:80]} is not one of ours.")
            return wanted
        if not own and not scope.sees_whole(channel.id):
            raise Refusal("not_our_address", NO_NUMBER)
        if use is not None and use.last_inbound_own in own:
            return use.last_inbound_own or ""
        return own[0] if own else ""

    def _check_rules(self, channel: Channel, item: Item, use: ChannelUse | None) -> None:
        try:
            rules = _rules(channel, _address(item), item.own_address or "", use)
        except (HookError, PluginFault) as error:
            raise Refusal("channel_failed", f"{channel.name} failed: {error}") from None
        _check_window(rules, template=item.template is not None)
        if rules.max_length is not None and len(item.text) > rules.max_length:
            raise Refusal(
                "too_long",
                f"{channel.name} takes {rules.max_length:,} characters; this has "
                f"{len(item.text):,}.",
            )

    def _wire(self, channel: Channel, item: Item) -> Rendered:
        rendered = self._rendered(channel, item, "wire")
        if not rendered.wire:
            raise Refusal("unsupported", f"{channel.name} cannot send this.")
        return rendered

    def _rendered(self, channel: Channel, item: Item, surface: Surface) -> Rendered:
        try:
            return channel.render(item, surface)
        except HookError as error:
            raise Refusal("unsupported", error.detail or "The channel cannot send this.") from None
        except PluginFault as error:
            raise Refusal("channel_failed", f"{channel.name} failed: {error}") from None

    # ------------------------------------------------------------------ what may be written

    def modes(
        self,
        scope: Scope,
        addresses: Sequence[AddressRow],
        consents: Sequence[ConsentRow],
        uses: Sequence[ChannelUse],
        last: Mapping[str, Content],
        signature: str,
    ) -> list[shapes.ComposeMode]:
        """Every channel that sends, and whether this contact may be written to on it now. ``last``:
        what the conversation's last message says, by channel; ``signature``: of who asks."""
        used = {use.channel_id: use for use in uses}
        return [
            self._mode(
                channel,
                scope,
                addresses,
                consents,
                used.get(channel.id),
                last.get(channel.id),
                signature,
            )
            for channel in self._channels.of(scope.organisation_id)
            if channel.info.can.outbound
            and channel.info.group != "calls"
            and scope.sees(channel.id)
        ]

    def _mode(
        self,
        channel: Channel,
        scope: Scope,
        addresses: Sequence[AddressRow],
        consents: Sequence[ConsentRow],
        use: ChannelUse | None,
        last: Content | None,
        signature: str,
    ) -> shapes.ComposeMode:
        to = reachable(channel, addresses, use)
        own: list[Address] = []
        reason: str | None = None
        rules = ComposeRules()
        try:
            own = own_seen(channel, scope)
            own.sort(key=lambda one: use is None or one.value != use.last_inbound_own)
            if to:
                first = Address(scheme=to[0].scheme, value=to[0].value)
                rules = _rules(channel, first, own[0].value if own else "", use)
        except (HookError, PluginFault) as error:
            reason = f"{channel.name} failed: {error}"
        if not addresses:
            reason = "No number is known: no reply is possible"
        elif not to:
            reason = f"No address that {channel.name} can reach"
        elif out := opted_out(channel.id, to[0], own[0].value if own else "", consents):
            day = when(out.at)
            reason = f"Opted out on {day.day} {day:%B %Y}"
        elif not own and not scope.sees_whole(channel.id):
            reason = NO_NUMBER
        elif channel.health.state == "off":
            reason = channel.health.reason or "The channel is off"
        if reason is not None:
            rules = replace(rules, may="closed", until=None)
        elif rules.may != "free":
            reason = rules.why or NOT_NOW[rules.may]
        can = channel.info.can
        subject = None if last is None else last.subject
        return shapes.ComposeMode(
            channel_id=channel.id,
            can_send=reason is None,
            reason=reason,
            may=rules.may,
            until=_with_zone(rules.until),
            templates=channel.has("templates"),
            replies=channel.info.can.threading,
            to=[
                shapes.ComposeAddress(
                    value=one.value, display=shown(one.scheme, one.value, one.display)
                )
                for one in to
            ],
            own=[compose_address(one) for one in own],
            max_length=rules.max_length,
            counter=channel.info.counter,
            subject=can.subject,
            subject_default=answer_to(subject or "") or None if can.subject else None,
            copies=can.copies,
            in_copy=[
                shapes.ComposeAddress(value=one, display=shown(channel.info.address_scheme, one))
                for one in (last.cc if last is not None and can.copies else ())
            ],
            signature=signature or None if can.subject else None,
            quotes=can.subject and last is not None and bool(last.text.strip()),
        )


NO_NUMBER = "The channel has none of the numbers any more that your role sees"


def own_seen(channel: Channel, scope: Scope) -> list[Address]:
    """A channel's own addresses, those that may be seen and so written from."""
    return [one for one in channel.own_addresses() if scope.sees_at(channel.id, one.value)]


def problem(
    channels: Channels,
    organisation_id: int,
    entry: EntryRow,
    consents: Sequence[ConsentRow],
    use: ChannelUse | None,
) -> tuple[str, str] | None:
    """Why what waits for approval could not be sent now, as a code and in words, as far as that
    can be said without asking a provider; ``None`` if nothing is in the way."""
    channel = channels.get(organisation_id, entry.channel_id or "")
    if channel is None:
        return "no_channel", f'There is no channel "{entry.channel_id}" here any more.'
    to = Address(scheme=entry.scheme or "", value=entry.address or "")
    if opted_out(channel.id, to, entry.own_address or "", consents):
        return "opted_out", "They have opted out of messages on this channel."
    template = contents.decode(entry.content).template is not None
    try:
        _check_window(_rules(channel, to, entry.own_address or "", use), template=template)
    except Refusal as refusal:
        return refusal.code, refusal.detail
    except (HookError, PluginFault) as error:
        return "channel_failed", f"{channel.name} failed: {error}"
    return None


def default_mode(modes: Sequence[shapes.ComposeMode], uses: Sequence[ChannelUse]) -> str | None:
    """The channel the composer opens with: the one the customer used last, if it can be sent on
    now, else the first that can; where none can, those that take a template."""
    possible = [mode.channel_id for mode in modes if mode.can_send] or [
        mode.channel_id for mode in modes if mode.may == "template" and mode.templates
    ]
    for use in uses:
        if use.channel_id in possible:
            return use.channel_id
    return possible[0] if possible else None


def reachable(
    channel: Channel, addresses: Sequence[AddressRow], use: ChannelUse | None
) -> list[AddressRow]:
    """The contact's addresses on a channel, the one last written from first."""
    last = None if use is None else use.last_inbound_address
    schemes = {channel.info.address_scheme, *channel.info.further_schemes}
    fitting = [one for one in addresses if one.scheme in schemes]
    return sorted(fitting, key=lambda one: (one.value != last, -one.id))


def opted_out(
    channel_id: str, address: AddressRow | Address, own: str, consents: Sequence[ConsentRow]
) -> ConsentRow | None:
    """What says that an address wants nothing from a channel, from our address ``own``."""
    held = in_force(
        (
            consent
            for consent in consents
            if consent.channel_id == channel_id
            and (consent.scheme, consent.value) == (address.scheme, address.value)
        ),
        own,
    )
    return held if held is not None and held.state == "out" else None


class _Known(Struct, frozen=True, kw_only=True):
    """What is read before a message is made: how the contact used the channel, their addresses,
    the files to send, what the message answers, what the conversation was last about, and of a
    letter what it quotes, and the signature of who writes it."""

    use: ChannelUse | None
    addresses: Sequence[AddressRow]
    files: Sequence[AttachmentRow | None]
    answered: timeline.Answered | None
    subject: str | None
    quoted: timeline.Answered | None = None
    name: str | None = None
    """The contact's."""
    signature: str = ""


def _known(wanted: Wanted, channel: Channel, to: Address | None, connection: Connection) -> _Known:
    org, thread_id = wanted.scope.organisation_id, wanted.thread_id
    addresses: list[AddressRow] = []
    if thread_id is None and to is not None:  # who is written to as if anew may have written
        thread_id = contact_store.thread_at(connection, org, to.scheme, to.value)
    elif wanted.contact_id is not None:
        found = contact_store.addresses_of(connection, [wanted.contact_id])
        addresses = found.get(wanted.contact_id, [])
    uses = [] if thread_id is None else contact_store.channel_uses(connection, thread_id)
    answered: timeline.Answered | None = None
    if wanted.reply_to is not None:
        answered = timeline.answered(connection, org, parse(wanted.reply_to) or 0)
        if answered is not None and not wanted.scope.sees_at(channel.id, answered.own_address):
            answered = None
        _check_answered(wanted, channel, answered)
    subject: str | None = None
    quoted: timeline.Answered | None = None
    signature, name = "", None
    if channel.info.can.subject:
        quoted = answered
        if quoted is None and wanted.thread_id is not None:
            quoted = timeline.last_of_channel(
                connection, wanted.scope, wanted.thread_id, channel.id
            )
        if quoted is not None:
            subject = contents.decode(quoted.content).subject
            given = (wanted.subject or "").strip()
            if answered is None and given and given != answer_to(subject or ""):
                quoted = None  # a letter about something else begins anew
        contact = contact_store.contact_by_id(connection, org, wanted.contact_id or 0)
        name = None if contact is None else contact.name
        if wanted.source == "member" and wanted.member_id is not None:
            signature = members.choice_of(connection, wanted.member_id).signature
    files = [
        timeline.attachment_by_id(connection, org, parse(id_) or 0) for id_ in wanted.attachment_ids
    ]
    use = next((one for one in uses if one.channel_id == channel.id), None)
    return _Known(
        use=use,
        addresses=addresses,
        files=files,
        answered=answered,
        subject=subject,
        quoted=quoted,
        name=name,
        signature=signature,
    )


async def _half_filled(channel: Channel, wanted: Wanted) -> tuple[TemplateUse | None, list[str]]:
    """The template that a message is made of, with the values there are, and a word on each that
    is missing. Raises ``TemplatesAway``."""
    if wanted.template is None:
        return None, []
    found = await templates.approved(channel, *wanted.template)
    missing = templates.missing(found, wanted.variables)
    warnings = [f"There is no value for {name}." for name in missing]
    return templates.half_filled(found, wanted.variables), warnings


def _below(channel: Channel, known: _Known, item: Item, settings: Settings) -> str | None:
    """What stands below the words of a letter."""
    if not channel.info.can.subject or item.template is not None:
        return None
    parts = [letters.signed(known.signature, settings.settings.letters.signature)]
    if known.quoted is not None:
        said = contents.decode(known.quoted.content)
        who = _display(known.quoted.address)
        if known.quoted.direction == "out":
            who = said.author or _display(known.quoted.own_address)
        elif known.name:
            who = known.name
        text = letters.whole(said.text, said.below)
        parts.append(letters.quoted(text, who=who, at=known.quoted.occurred_at, zone=settings.zone))
    return storable("\n\n".join(part for part in parts if part)) or None


def _display(address: str | None) -> str:
    return address or "the sender"


def _known_of_theirs(wanted: Wanted, channel: Channel, connection: Connection) -> _Known:
    """The same for what is only shown: where rows are changed, the contact is looked at there."""
    rows = inbox.threads_by_id(connection, wanted.scope, [wanted.thread_id or 0])
    if not rows or rows[0].contact_id != wanted.contact_id:
        raise Refusal(
            "contact_mismatch",
            "The message was written to another contact than this conversation's.",
        )
    return _known(wanted, channel, None, connection)


def _known_at(
    wanted: Wanted, channel: Channel, to: Address, connection: Connection
) -> tuple[_Known, tuple[int, str] | None]:
    """The same for an address, and the conversation that is seen with whoever has it."""
    org = wanted.scope.organisation_id
    thread_id = contact_store.thread_at(connection, org, to.scheme, to.value)
    rows = inbox.threads_by_id(connection, wanted.scope, [thread_id or 0])
    theirs: tuple[int, str] | None = None
    if rows:
        found = contact_store.addresses_of(connection, [rows[0].contact_id])
        known = found.get(rows[0].contact_id, [])
        theirs = rows[0].id, contact_display(rows[0].contact_name, known)
    return _known(wanted, channel, to, connection), theirs


def _check_answered(wanted: Wanted, channel: Channel, answered: timeline.Answered | None) -> None:
    if answered is None or answered.thread_id != wanted.thread_id:
        raise _bad_reply("There is no such message in this conversation.")
    if answered.kind != "message" or answered.channel_id != channel.id:
        raise _bad_reply(f"Only a message of {channel.name} can be answered on it.")
    if answered.external_id is None:
        raise _bad_reply("The provider has not named that message, so that none can answer it.")


def _bad_reply(detail: str) -> Refusal:
    return Refusal("bad_reply_to", detail, fields={"reply_to": detail})


def _rules(channel: Channel, to: Address, own_address: str, use: ChannelUse | None) -> ComposeRules:
    wrote = None if use is None else use.wrote_at
    return channel.compose_rules(
        ComposeFacts(
            address=to,
            own_address=own_address,
            now=datetime.now(UTC),
            last_inbound_at=None if wrote is None else when(wrote),
        )
    )


def _check_window(rules: ComposeRules, *, template: bool) -> None:
    if rules.may == "free" or (template and rules.may == "template"):
        return
    raise Refusal("window_closed", rules.why or NOT_NOW[rules.may])


def _proposal(wanted: Wanted, message: c.SendMessage) -> str:
    return approvals.encode(
        Proposal(
            text="" if message.content.template is not None else message.content.text,
            subject=message.content.subject,
            own_address=message.own_address,
            attachment_ids=message.attachment_ids,
            reply_to=None if wanted.reply_to is None else parse(wanted.reply_to),
            template=message.content.template,
            variables=dict(wanted.variables),
            answers=message.answers,
            due_at=message.due_at,
            cc=tuple(message.content.cc),
            bcc=tuple(message.content.bcc),
        )
    )


def _with_zone(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _address(item: Item) -> Address:
    assert item.address is not None  # noqa: S101 — items that go out have one
    return item.address


def _named(use: TemplateUse | None) -> TemplateName | None:
    if use is None:
        return None
    return TemplateName(name=storable(use.template.name), language=storable(use.template.language))


def _attachments(
    limits: MediaLimits | None,
    files: Sequence[AttachmentRow | None],
    member_id: int | None,
    entry_id: int | None,
) -> tuple[Attachment, ...]:
    """The files, if the member uploaded them, or ``entry_id`` has them, and the channel carries
    them."""
    found: list[Attachment] = []
    for file in files:
        sendable = file is not None and file.state == "ready" and file.entry_id == entry_id
        if file is None or not sendable or (entry_id is None and file.uploaded_by != member_id):
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
        wanted.reply_to,
        wanted.template,
        dict(wanted.variables),
        list(wanted.cc),
        list(wanted.bcc),
    )
    return hashlib.sha256(_encode(asked)).hexdigest()
