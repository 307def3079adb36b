"""From stored rows to what the API and the stream carry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, cast

from hub.flow.channels import Channels
from hub.flow.host import Channel, FailedChannel, PluginFault, now_ms
from hub.flow.views import read, shapes
from hub.plugin import (
    Attachment,
    Buttons,
    Fields,
    File,
    HookError,
    Html,
    Item,
    Quote,
    Rendered,
    SafeHtml,
    Text,
)
from hub.plugin.kit import html
from hub.plugin.types import Address, Block
from hub.rules import approvals, calls, updates
from hub.rules import content as contents
from hub.rules.addresses import shown
from hub.rules.calls import Call
from hub.rules.content import Content
from hub.rules.files import mismatched, shown_in_place
from hub.rules.states import Approval
from hub.rules.statuses import WAITING
from hub.rules.updates import Times, Updates
from hub.store import inbox, people
from hub.store.contacts import AddressRow
from hub.store.timeline import AttachmentRow, EntryRow, Quoted

RENDERINGS = 4_000
_KINDS = ("contact", "member", "automation", "assistant", "system", "api", "elsewhere")


def when(milliseconds: int) -> datetime:
    """A stored time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


class Presenter:
    """Makes shapes of rows. Names of members and channels are the current ones."""

    def __init__(self, channels: Channels) -> None:
        self.channels = channels
        self._rendered = lru_cache(maxsize=RENDERINGS)(self._render)

    # ------------------------------------------------------------------ threads

    def threads(self, found: read.Threads) -> list[shapes.ThreadRow]:
        """Rows of the list."""
        members = {row.id: member(row) for row in found.members}
        return [
            _thread(
                row,
                members,
                found.addresses.get(row.contact_id, []),
                found.channels.get(row.id, []),
                found.due.get(row.id),
            )
            for row in found.rows
        ]

    # ------------------------------------------------------------------ entries

    def entries(self, organisation: people.Organisation, found: read.Entries) -> list[shapes.Entry]:
        """Entries of a timeline."""
        return [
            self._entry(
                organisation,
                row,
                found.files.get(row.id, []),
                found.quoted.get(row.id),
                found.approvals.get(row.id),
            )
            for row in found.rows
        ]

    def _entry(
        self,
        organisation: people.Organisation,
        row: EntryRow,
        files: list[AttachmentRow],
        answers: Quoted | None,
        waits: Approval | None,
    ) -> shapes.Entry:
        content = contents.decode(row.content)
        told = updates.decode(row.updates)
        wordings = _wordings(told)
        outgoing = row.direction == "out" and row.author_kind != "elsewhere"
        return shapes.Entry(
            id=str(row.id),
            thread_id=str(row.thread_id),
            kind=cast("Literal['message', 'note', 'call', 'system']", row.kind),
            group=cast("shapes.Group", row.grouping),
            direction=cast("Literal['in', 'out', 'internal']", row.direction),
            author=_author(row, content),
            channel_id=row.channel_id,
            address=_shown(row.scheme, row.address),
            own_address=_shown(row.scheme, row.own_address),
            text=content.text,
            subject=content.subject,
            blocks=self._blocks(organisation.id, row, content, files),
            attachments=[attachment(organisation.slug, file) for file in files],
            event=_event(content.event),
            status=cast("shapes.EntryStatus | None", row.status),
            status_reason=row.status_reason,
            status_at=None if row.status_at is None else when(row.status_at),
            can_cancel=outgoing and row.status in WAITING,
            can_retry=outgoing and row.status == "failed" and row.kind == "message",
            can_resolve=outgoing and row.status == "unknown",
            occurred_at=when(row.occurred_at),
            sort_at=when(row.sort_at),
            idempotency_key=row.idempotency_key,
            warnings=content.warnings,
            template=None
            if content.template is None
            else shapes.TemplateNamed(
                name=content.template.name, language=content.template.language
            ),
            answers=None if answers is None else _quoted(answers),
            edited_at=wordings[-1].at if wordings else None,
            wordings=wordings[:-1],
            deleted_at=None if told.deleted_at is None else when(told.deleted_at),
            reactions=[
                shapes.ReactionOut(
                    emoji=one.emoji,
                    by=shown(one.scheme, one.value, one.display),
                    at=when(one.at),
                )
                for one in told.reactions
                if one.emoji is not None
            ],
            engagement=_engagement(told),
            call=_call(row, told.call or Call(), content) if row.kind == "call" else None,
            approval=None if waits is None else _approval(waits),
            mentions=[
                shapes.MentionOut(member_id=str(id_), name=name)
                for id_, name in content.mentions.items()
            ],
            cc=[shown(row.scheme or "", one) for one in content.cc],
            bcc=[shown(row.scheme or "", one) for one in content.bcc],
        )

    def _blocks(
        self, organisation_id: int, row: EntryRow, content: Content, files: list[AttachmentRow]
    ) -> list[shapes.Block]:
        if row.kind != "message":
            return [shapes.Block(type="text", text=content.text)] if content.text else []
        ready = tuple(
            Attachment(
                id=str(file.id), name=file.name, content_type=file.content_type, size=file.size or 0
            )
            for file in files
        )
        address = None
        if row.scheme is not None and row.address is not None:
            address = Address(scheme=row.scheme, value=row.address)
        return self._rendered(
            (organisation_id, row.channel_id or ""),
            row.content,
            row.direction,
            address,
            row.own_address,
            ready,
        )

    def _render(
        self,
        channel_key: tuple[int, str],
        content: str,
        direction: str,
        address: Address | None,
        own_address: str | None,
        files: tuple[Attachment, ...],
    ) -> list[shapes.Block]:
        """How its channel's plugin shows an entry; plainly, where that is gone or fails."""
        kept = contents.decode(content)
        item = Item(
            direction="out" if direction == "out" else "in",
            text=kept.text,
            subject=kept.subject,
            html=None if kept.html is None else html.stored_html(kept.html),
            attachments=files,
            facts=kept.facts,
            address=address,
            own_address=own_address,
        )
        channel = self.channels.get(*channel_key)
        if channel is not None:
            try:
                shown_ = rendered_blocks(channel.render(item, "timeline"))
                return [*shown_, *quoted_blocks(kept.below)]
            except (HookError, PluginFault):
                pass  # counted by the channel; the entry is readable all the same
        return [*rendered_blocks(_plain(item)), *quoted_blocks(kept.below)]

    # ------------------------------------------------------------------ channels

    def channel(self, channel: Channel | FailedChannel) -> shapes.ChannelOut:
        """A channel as pages need it."""
        if isinstance(channel, FailedChannel):
            return _failed(channel)
        info = channel.info
        media = info.can.media_out
        health = channel.health
        try:
            own = channel.own_addresses()
        except (HookError, PluginFault):
            own = ()
        page = info.page if info.can.routes else None
        return shapes.ChannelOut(
            id=channel.id,
            plugin=info.name,
            name=channel.name,
            group=info.group,
            icon=shapes.Icon(name=info.icon.name, path=info.icon.path),
            tone=info.tone,
            state=health.state,
            reason=health.reason,
            paused=channel.paused_reason is not None,
            outbound=info.can.outbound,
            own_addresses=[compose_address(address) for address in own],
            address_scheme=info.address_scheme,
            subject=info.can.subject,
            copies=info.can.copies,
            media_out=media is not None,
            media_max_bytes=None if media is None else media.max_bytes,
            media_max_count=None if media is None else media.max_count,
            media_max_total=None if media is None else media.max_total,
            media_types=[] if media is None else list(media.types),
            verified=info.can.verifies != "none" or "http" not in info.can.inbound,
            real=info.real,
            page_url=None if page is None else f"/hooks/{channel.organisation}/{channel.id}/{page}",
            page_label=info.page_label if page is not None else None,
            running=True,
            version=channel.version,
            templates=info.can.templates,
        )


def member(row: people.Member) -> shapes.MemberOut:
    """A member."""
    return shapes.MemberOut(id=str(row.id), name=row.name, email=row.email, active=row.active)


def compose_address(address: Address) -> shapes.ComposeAddress:
    """An address to choose."""
    text = shown(address.scheme, address.value, address.display)
    return shapes.ComposeAddress(value=address.value, display=text)


def contact_display(name: str | None, addresses: Sequence[AddressRow]) -> str:
    """What a contact is called: the name, or the most telling address."""
    if name:
        return name
    if not addresses:
        return "Withheld number"
    first = min(addresses, key=lambda one: (not one.verified, one.scheme != "phone", one.id))
    return shown(first.scheme, first.value, first.display)


def attachment(organisation: str, row: AttachmentRow) -> shapes.AttachmentOut:
    """A file of an entry."""
    ready = row.state == "ready"
    return shapes.AttachmentOut(
        id=str(row.id),
        name=row.name,
        content_type=row.content_type,
        size=row.size,
        state=cast("Literal['pending', 'ready', 'failed']", row.state),
        reason=row.reason if row.state == "failed" else None,
        url=f"/api/v1/organisations/{organisation}/attachments/{row.id}" if ready else None,
        inline=ready and shown_in_place(row.content_type, row.name),
        mismatched=ready and mismatched(row.content_type, row.name),
        width=row.width,
        height=row.height,
        content_id=row.content_id,
    )


def _thread(
    row: inbox.ThreadRow,
    members: dict[int, shapes.MemberOut],
    addresses: list[AddressRow],
    channels: list[str],
    due: int | None,
) -> shapes.ThreadRow:
    preview = None
    if row.has_preview:
        preview = shapes.Preview(
            text=row.preview,
            direction=cast("Literal['in', 'out', 'internal']", row.preview_direction),
            channel_id=row.preview_channel_id,
            status=cast("shapes.EntryStatus | None", row.preview_status),
            author=None if row.preview_author_id is None else members.get(row.preview_author_id),
        )
    return shapes.ThreadRow(
        id=str(row.id),
        contact=shapes.ContactBrief(
            id=str(row.contact_id),
            name=row.contact_name,
            display=contact_display(row.contact_name, addresses),
        ),
        status=cast("shapes.ThreadStatus", row.status),
        needs_response=row.needs_response,
        unread=row.unread,
        unresolved=row.unresolved,
        assignee=None if row.assignee_id is None else members.get(row.assignee_id),
        preview=preview,
        channel_id=row.channel_id or (channels[0] if channels else None),
        channel_ids=channels,
        sort_at=when(row.sort_at or row.created_at),
        active_at=when(row.active_at),
        created_at=when(row.created_at),
        reply_due_at=None if due is None else when(due),
    )


def _author(row: EntryRow, content: Content) -> shapes.Author:
    kind = row.author_kind if row.author_kind in _KINDS else "system"
    return shapes.Author(
        kind=cast("Any", kind),
        id=None if row.author_id is None else str(row.author_id),
        name=content.author,
    )


def _quoted(entry: Quoted) -> shapes.QuotedOut:
    return shapes.QuotedOut(
        entry_id=str(entry.id),
        text=entry.preview,
        direction=cast("Literal['in', 'out', 'internal']", entry.direction),
    )


def _wordings(told: Updates) -> list[shapes.WordingOut]:
    """What a message has said one after the other; nothing if it always said the same."""
    found: list[shapes.WordingOut] = []
    for one in told.wordings:
        if not found or found[-1].text != one.text:
            found.append(shapes.WordingOut(text=one.text, at=when(one.at)))
    return found if len(found) > 1 else []


def _engagement(told: Updates) -> shapes.EngagementOut | None:
    if told.opens is None and told.clicks is None:
        return None
    return shapes.EngagementOut(
        opened=_times(told.opens), clicked=_times(told.clicks), clicked_url=told.clicked_url
    )


def _call(row: EntryRow, call: Call, content: Content) -> shapes.CallOut:
    report, done = call.report, call.resolution
    outcome = calls.outcome_of(call)
    over = outcome is not None or row.status in {"failed", "canceled"}
    heard_at = max(row.occurred_at, calls.heard_at(call) or 0)
    return shapes.CallOut(
        outcome=cast("Any", outcome),
        duration=call.duration if outcome != "voicemail" else call.message or call.duration,
        ended_at=None if call.ended_at is None else when(call.ended_at),
        lines=[
            shapes.CallLine(at=at, speaker=speaker, text=text)
            for at, speaker, text in calls.lines(call)
        ],
        voicemail=call.voicemail,
        summary=None if report is None else report.summary,
        facts=[] if report is None else list(report.facts.items()),
        result=None if report is None else report.outcome,
        follow_up=None if report is None else report.follow_up,
        due_at=None if report is None or report.due_at is None else when(report.due_at),
        follow_up_done_at=None if call.followed_up_at is None else when(call.followed_up_at),
        handed_over=call.handed_over,
        unresolved=calls.unresolved(row.direction, call),
        resolved_at=None if done is None else when(done.at),
        resolved_by=None if done is None else done.by,
        member=content.author if row.author_kind == "member" else None,
        live=not over and now_ms() - heard_at < calls.QUIET_MS,
    )


def _approval(row: Approval) -> shapes.ApprovalOut:
    original = None if row.original is None else approvals.words_of(row.original)
    return shapes.ApprovalOut(
        state=cast("shapes.ApprovalState", row.state),
        member_id=None if row.member_id is None else str(row.member_id),
        submitted_at=when(row.submitted_at),
        original_text=None if original is None else original.text,
        original_subject=None if original is None else original.subject,
        decided_by=row.decided_name,
        decided_by_id=None if row.decided_by is None else str(row.decided_by),
        decided_at=None if row.decided_at is None else when(row.decided_at),
        reason=row.reason,
    )


def _times(times: Times | None) -> shapes.TimesOut | None:
    if times is None:
        return None
    return shapes.TimesOut(
        count=times.count, first_at=when(times.first_at), last_at=when(times.last_at)
    )


def _shown(scheme: str | None, value: str | None) -> str | None:
    return None if not value else shown(scheme or "", value)


def _event(event: dict[str, Any] | None) -> dict[str, Any] | None:
    """As it was stored, but for whose consent it tells of: that address as people read it."""
    if event is None or event.get("type") not in {"opted_in", "opted_out"}:
        return event
    value = str(event["address"])
    return {**event, "address": shown("phone" if value.startswith("+") else "", value)}


def quoted_blocks(below: str | None) -> list[shapes.Block]:
    """What stands below the words of a letter, folded away."""
    return [shapes.Block(type="quote", text=below)] if below else []


def _plain(item: Item) -> Rendered:
    """The hub's own form of a message."""
    blocks: list[Block] = []
    if item.text:
        blocks.append(Text(text=item.text))
    if item.facts:
        blocks.append(Fields(fields=tuple(item.facts.items())))
    if item.html is not None:
        blocks.append(Html(html=item.html))
    blocks.extend(File(attachment_id=file.id) for file in item.attachments)
    return Rendered(blocks=tuple(blocks))


def rendered_blocks(rendered: Rendered) -> list[shapes.Block]:
    """What a plugin has rendered, as pages show it."""
    return [_block(block) for block in rendered.blocks]


def _block(block: Block) -> shapes.Block:
    match block:
        case Text(text=text):
            return shapes.Block(type="text", text=text)
        case Quote(text=text):
            return shapes.Block(type="quote", text=text)
        case Fields(fields=fields):
            return shapes.Block(type="fields", fields=list(fields))
        case Buttons(labels=labels):
            return shapes.Block(type="buttons", labels=list(labels))
        case Html(html=SafeHtml() as safe):
            return shapes.Block(type="html", html=safe.html)
        case File(attachment_id=id_):
            return shapes.Block(type="attachment", attachment_id=id_)


def _failed(channel: FailedChannel) -> shapes.ChannelOut:
    return shapes.ChannelOut(
        id=channel.id,
        plugin=channel.plugin,
        name=channel.name,
        group="texts",
        icon=shapes.Icon(name="message-circle"),
        tone="gray",
        state="needs_attention",
        reason="; ".join(channel.problems),
        paused=False,
        outbound=False,
        own_addresses=[],
        address_scheme="",
        subject=False,
        copies=False,
        media_out=False,
        media_max_bytes=None,
        media_max_total=None,
        media_max_count=None,
        media_types=[],
        verified=True,
        real=True,
        page_url=None,
        page_label=None,
        running=False,
        version=None,
        templates=False,
    )
