"""WhatsApp: the channel ``simulator-whatsapp``, with its window and its templates."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from hub.plugin import (
    Block,
    Buttons,
    Capabilities,
    ComposeFacts,
    ComposeRules,
    Context,
    Fields,
    File,
    HookError,
    Icon,
    Info,
    Item,
    MediaLimits,
    Outbound,
    Permanent,
    Rendered,
    Surface,
    TemplateInfo,
    Text,
    Unsupported,
    WirePart,
    hookimpl,
)
from hub.plugin.rendering import shortened
from hub_simulator import templates, whatsapp
from hub_simulator.channel import SimulatedChannel
from hub_simulator.medium import Medium
from hub_simulator.people import by_phone
from hub_simulator.phone import Card, Filled, Odd, Phone, PhoneMessage, Place, Pressed
from hub_simulator.settings import MessengerSettings

WINDOW = 86_400.0
MAX_FILES = 10


def medium(window: float) -> Medium:
    """WhatsApp with a window of so many seconds."""

    def refusal(phone: Phone, outbound: Outbound, now: datetime) -> HookError | None:
        return _refusal(phone, outbound, now, window)

    return Medium(
        name="whatsapp",
        title="WhatsApp simulator",
        noun="message",
        read=whatsapp.read,
        body_of=whatsapp.body_of,
        render=render,
        refusal=refusal,
        dressed=_dressed,
        kinds=frozenset({"message", "template"}),
        max_length=whatsapp.MAX_LENGTH,
        max_pictures=MAX_FILES,
        contents=(Place, Card, Pressed, Odd),
        features=frozenset({"replies", "reactions", "contents", "names"}),
    )


def render(item: Item, surface: Surface) -> Rendered:
    """Words, files, what else was sent, or a template; the same wherever it is shown."""
    use = item.template
    words = templates.paragraphs(use) if use else ((item.text,) if item.text else ())
    blocks: list[Block] = [Text(text=text) for text in words]
    blocks += [File(attachment_id=each.id) for each in item.attachments]
    if item.facts:
        blocks.append(Fields(fields=tuple(item.facts.items())))
    if use and use.template.buttons:
        blocks.append(Buttons(labels=use.template.buttons))
    preview = _preview(item, " ".join(" ".join(words).split()))
    if surface == "notification":
        return Rendered(preview=shortened(preview))
    shown = Rendered(blocks=tuple(blocks), preview=preview)
    if surface == "composer":
        return replace(shown, warnings=_warnings(item))
    return replace(shown, wire=(_wire(item, words),)) if surface == "wire" else shown


class WhatsAppSimulator(SimulatedChannel):
    """WhatsApp to and from a phone on a page; nothing reaches a real one."""

    INFO = Info(
        name="simulator-whatsapp",
        role="channel",
        api="1.0",
        settings=MessengerSettings,
        can=Capabilities(
            inbound=frozenset({"listen"}),
            outbound=True,
            receipts=frozenset({"sent", "delivered", "read", "failed"}),
            media_in=True,
            media_out=MediaLimits(max_bytes=5_000_000, max_count=MAX_FILES),
            threading=True,
            templates=True,
            reply_window=WINDOW,
            reactions=True,
            reconciles=True,
            routes=True,
        ),
        emits=frozenset({"message", "receipt", "reaction"}),
        label="Simulated WhatsApp",
        group="texts",
        icon=Icon(name="message-circle"),
        tone="green",
        address_scheme="phone",
        real=False,
        page="phone",
        page_label="WhatsApp simulator",
    )

    def __init__(self, settings: MessengerSettings) -> None:
        super().__init__(medium(settings.window), by_phone(settings), settings.receipt_pause)
        self._window = timedelta(seconds=settings.window)

    @hookimpl
    def compose_rules(self, ctx: Context, facts: ComposeFacts) -> ComposeRules:  # noqa: ARG002
        most, last = whatsapp.MAX_LENGTH, facts.last_inbound_at
        if last is None:
            why = "They have not written on WhatsApp yet: only an approved template can go out"
            return ComposeRules(may="template", why=why, max_length=most)
        until = last + self._window
        if facts.now < until:
            return ComposeRules(until=until, max_length=most)
        why = "Their last message is too long ago: only an approved template can go out"
        return ComposeRules(may="template", why=why, max_length=most)

    @hookimpl
    async def templates(self, ctx: Context) -> tuple[TemplateInfo, ...]:  # noqa: ARG002
        return templates.TEMPLATES


def _refusal(phone: Phone, outbound: Outbound, now: datetime, window: float) -> HookError | None:
    """The provider looks for itself when the customer last wrote, and at what it has approved."""
    if outbound.kind == "template":
        data = outbound.wire[0].data if outbound.wire else {}
        if templates.approved(str(data.get("template")), str(data.get("language"))) is None:
            detail = "there is no such approved template"
            return Permanent("unsupported_content", detail, provider_code="sim-template")
        return None
    wrote = phone.wrote.get(outbound.own_address)
    if wrote is not None and now < wrote + timedelta(seconds=window):
        return None
    detail = "the customer's last message is too long ago"
    return Permanent("window_closed", detail, provider_code="sim-window")


def _dressed(message: PhoneMessage, outbound: Outbound) -> PhoneMessage:
    if outbound.kind != "template":
        return message
    data = outbound.wire[0].data
    template = templates.approved(data["template"], data["language"])
    buttons = template.buttons if template else ()
    return replace(message, content=Filled(name=data["template"], buttons=buttons))


def _wire(item: Item, words: tuple[str, ...]) -> WirePart:
    if item.template is None:
        return WirePart(text=item.text, attachment_ids=tuple(a.id for a in item.attachments))
    use = item.template
    missing = [name for name in use.template.parameters if name not in use.values]
    if missing:
        raise Unsupported(f"the template has no value for {missing[0]}")
    data = {"template": use.template.name, "language": use.template.language, "values": use.values}
    return WirePart(text="\n\n".join(words), data=data)


def _preview(item: Item, words: str) -> str:
    """One line: the words, else what came instead of words."""
    if words:
        return words
    if item.attachments:
        pictures = all(each.content_type.startswith("image/") for each in item.attachments)
        what = "Picture" if pictures else "File"
        return what if len(item.attachments) == 1 else f"{len(item.attachments)} {what.lower()}s"
    return next((f"{label}: {value}" for label, value in item.facts.items()), "")


def _warnings(item: Item) -> tuple[str, ...]:
    if len(item.text) > whatsapp.MAX_LENGTH:
        return (f"Too long: {len(item.text):,} of {whatsapp.MAX_LENGTH:,} characters",)
    left_out = {
        "The subject will be left out": bool(item.subject),
        "The formatting will be left out": item.html is not None,
    }
    return tuple(words for words, is_there in left_out.items() if is_there)
