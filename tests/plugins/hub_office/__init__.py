"""Channels of every kind, for tests of the pages: letters, calls, a chat with a window and
templates, texts. Each tells what a delivery says: events, as JSON."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from hub.plugin import (
    Accepted,
    Address,
    Block,
    Buttons,
    Capabilities,
    ComposeFacts,
    ComposeRules,
    Context,
    Delivery,
    Fields,
    File,
    Html,
    Icon,
    Info,
    IngestResult,
    Item,
    MediaLimits,
    Outbound,
    Quote,
    Rendered,
    Secret,
    Surface,
    TemplateInfo,
    Text,
    WirePart,
    hookimpl,
)
from hub.plugin.rendering import shortened
from hub.plugin.types import Event, ReceiptStatus

TOLD = frozenset(
    {
        "message",
        "receipt",
        "opened",
        "clicked",
        "call_started",
        "call_turn",
        "call_ended",
        "recording",
        "transcript",
        "voicemail",
        "call_outcome",
        "contact_changed",
        "template_changed",
    }
)
RECEIPTS: frozenset[ReceiptStatus] = frozenset({"queued", "sent", "delivered", "read", "failed"})
FILES = MediaLimits(max_bytes=1_000_000, max_count=3)
WINDOW = 24 * 3600.0
TEMPLATES = (
    TemplateInfo(
        name="appointment",
        language="en",
        body="Hello {{1}}, we come on {{2}}.",
        parameters=("1", "2"),
        examples=("Elif", "Thursday at nine"),
        header="Your appointment",
        footer="Reply STOP to opt out",
        buttons=("Confirm", "Move it"),
    ),
    TemplateInfo(name="appointment", language="de", body="Hallo {{1}}.", parameters=("1",)),
    TemplateInfo(name="greeting", language="en", body="Hello from all of us."),
    TemplateInfo(
        name="offer",
        language="en",
        body="Ten percent off.",
        state="rejected",
        reason="It reads like advertising.",
    ),
    TemplateInfo(name="survey", language="en", body="How was it?", state="pending"),
)


class Settings(Struct, forbid_unknown_fields=True):
    token: Secret
    own: tuple[str, ...] = ("+15550100001",)


class _Channel:
    INFO: ClassVar[Info]

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        ctx.verify.token(keys=[self.settings.token], header="X-Token")
        return IngestResult(
            events=tuple(_event(ctx, told) for told in json.loads(delivery.body)["events"])
        )

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        said = message.wire[0].text.partition("\n\n")[0] if message.wire else ""
        return Accepted(external_id=f"o-{said or message.address.value}", status="sent")

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:
        text = _filled(item)
        blocks: list[Block] = []
        new, _, quoted = text.partition("\n> ")
        used = None if item.template is None else item.template.template
        blocks += [Text(text=used.header)] if used and used.header else []
        blocks += [Text(text=new)] if new else []
        blocks += [Text(text=used.footer)] if used and used.footer else []
        blocks += [Buttons(labels=used.buttons)] if used and used.buttons else []
        blocks += [Quote(text=quoted)] if quoted else []
        blocks += [Html(html=item.html)] if item.html is not None else []
        blocks += [File(attachment_id=file.id) for file in item.attachments]
        blocks += [Fields(fields=tuple(item.facts.items()))] if item.facts else []
        line = shortened(f"{item.subject} - {new}" if item.subject else new)
        if surface != "wire":
            return Rendered(blocks=tuple(blocks), preview=line)
        files = tuple(file.id for file in item.attachments)
        part = WirePart(text=text, subject=item.subject, attachment_ids=files)
        return Rendered(blocks=tuple(blocks), preview=line, wire=(part,))

    @hookimpl
    def own_addresses(self, ctx: Context) -> tuple[Address, ...]:
        scheme = self.INFO.address_scheme
        return tuple(Address(scheme=scheme, value=own) for own in self.settings.own)


def _event(ctx: Context, told: dict[str, Any]) -> Event:
    html = told.pop("html", None)
    event = msgspec.convert(told, Event)
    return event if html is None else msgspec.structs.replace(event, html=ctx.clean_html(html))


def _filled(item: Item) -> str:
    if item.template is None:
        return item.text
    text = item.template.template.body
    for name, value in item.template.values.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


class Letters(_Channel):
    INFO = Info(
        name="office-letters",
        role="channel",
        api="1.1",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"http"}),
            outbound=True,
            verifies="token",
            receipts=RECEIPTS,
            media_in=True,
            media_out=FILES,
            subject=True,
            threading=True,
            copies=True,
            formats=frozenset({"text", "html"}),
        ),
        emits=TOLD & {"message", "receipt", "opened", "clicked"},
        label="Letters",
        group="emails",
        icon=Icon(name="mail"),
        tone="teal",
        address_scheme="email",
    )


class Calls(_Channel):
    INFO = Info(
        name="office-calls",
        role="channel",
        api="1.0",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"http"}), outbound=True, verifies="token", media_in=True, calls=True
        ),
        emits=frozenset(tag for tag in TOLD if tag.startswith("call_"))
        | {"recording", "transcript", "voicemail"},
        label="Calls",
        group="calls",
        icon=Icon(name="phone"),
        tone="purple",
        address_scheme="phone",
    )


class Chat(_Channel):
    INFO = Info(
        name="office-chat",
        role="channel",
        api="1.0",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"http"}),
            outbound=True,
            verifies="token",
            receipts=RECEIPTS,
            media_in=True,
            media_out=FILES,
            threading=True,
            templates=True,
            reply_window=WINDOW,
        ),
        emits=TOLD & {"message", "receipt", "template_changed"},
        label="Chat",
        icon=Icon(name="message-circle"),
        tone="green",
        address_scheme="phone",
    )

    @hookimpl
    def compose_rules(self, ctx: Context, facts: ComposeFacts) -> ComposeRules:
        last = facts.last_inbound_at
        until = None if last is None else last + timedelta(seconds=WINDOW)
        if until is not None and facts.now < until:
            return ComposeRules(until=until)
        why = "The 24-hour window is closed. An approved template may go out."
        return ComposeRules(may="template", why=why)

    @hookimpl
    async def templates(self, ctx: Context) -> tuple[TemplateInfo, ...]:
        return TEMPLATES


class Texts(_Channel):
    INFO = Info(
        name="office-texts",
        role="channel",
        api="1.0",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"http"}), outbound=True, verifies="token", receipts=RECEIPTS
        ),
        emits=TOLD & {"message", "receipt"},
        label="Texts",
        icon=Icon(name="smartphone"),
        tone="blue",
        address_scheme="phone",
        counter="sms",
    )
