"""The channel: its hooks, and what its settings let it do."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from hub.plugin import (
    Accepted,
    Address,
    Capabilities,
    ComposeFacts,
    ComposeRules,
    Context,
    Delivery,
    Health,
    Icon,
    Info,
    IngestResult,
    Item,
    Outbound,
    Rendered,
    Reply,
    Surface,
    hookimpl,
    rendering,
)
from hub.plugin.sms import count
from hub_sms_generic import numbers, sending, webhooks
from hub_sms_generic.settings import (
    ByBasic,
    ByHeader,
    ByHmac,
    ByQuery,
    Settings,
)


def _can(settings: Settings) -> Capabilities:
    """What is left of everything, with these settings."""
    receipts = settings.receipts.statuses.values() if settings.receipts else ()
    match settings.verify:
        case ByHmac():
            verifies = "signature"
        case ByHeader() | ByQuery():
            verifies = "token"
        case ByBasic():
            verifies = "basic"
        case _:
            verifies = "none"
    takes_in = settings.incoming is not None or settings.receipts is not None
    return Capabilities(
        inbound=frozenset({"http"}) if takes_in else frozenset(),
        outbound=settings.send is not None,
        verifies=verifies,
        receipts=frozenset(receipts),
        opt_out=True,
        keywords="hub",
    )


class GenericSms:
    """Text messages by whatever provider the settings describe."""

    INFO = Info(
        name="sms-generic",
        role="channel",
        api="1.0",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"http"}),
            outbound=True,
            verifies="signature",
            receipts=frozenset({"queued", "sent", "delivered", "read", "failed"}),
            opt_out=True,
            keywords="hub",
        ),
        emits=frozenset({"message", "receipt", "opt_out", "opt_in", "channel_notice"}),
        label="Text message",
        group="texts",
        icon=Icon(name="message-circle"),
        tone="blue",
        address_scheme="phone",
        counter="sms",
    )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._numbers = numbers.Numbering(settings)
        self.info = msgspec.structs.replace(GenericSms.INFO, can=_can(settings))

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        """Messages and receipts, proven as the settings say."""
        settings = self._settings
        proof = webhooks.proof(ctx, delivery, settings.verify)
        result = webhooks.read(ctx, delivery, settings, self._numbers)
        reply = Reply(content_type=settings.answer.content_type, body=settings.answer.body.encode())
        return msgspec.structs.replace(result, verification=proof, reply=reply)

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        """One attempt by the request that the settings describe."""
        return await sending.send(ctx, message, self._settings)

    @hookimpl
    def render(self, item: Item, surface: Surface) -> Rendered:
        """The words as they are; for who writes, how many segments they become."""
        shown = rendering.plain_text(item, surface, self.info.can)
        if surface not in {"composer", "wire"}:
            return shown
        more = tuple(self._warnings(item))
        return msgspec.structs.replace(shown, warnings=(*more, *shown.warnings))

    def _warnings(self, item: Item) -> Iterator[str]:
        limit, segments = self._settings.max_length, count(item.text)
        if len(item.text) > limit:
            yield f"Too long: {len(item.text):,} of {limit:,} characters"
        elif segments.segments > 1 and segments.wide:
            yield f"{segments.segments} segments, since “{segments.wide}” is no SMS letter"
        elif segments.segments > 1:
            yield f"{segments.segments} segments"
        if item.address is not None and not numbers.can_receive(item.address):
            yield "This address takes no text messages"

    @hookimpl
    def compose_rules(self, facts: ComposeFacts) -> ComposeRules:
        """A text may be written at any time, to anything but a sender's name."""
        if not numbers.can_receive(facts.address):
            return ComposeRules(may="closed", why="This sender is a name and takes no answers")
        return ComposeRules(max_length=self._settings.max_length)

    @hookimpl
    def normalise_address(self, text: str) -> Address:
        """A phone number as it is written in the channel's country, or a short code."""
        return self._numbers.typed(text)

    @hookimpl
    def own_addresses(self) -> tuple[Address, ...]:
        """The numbers and names of the settings."""
        return tuple(map(numbers.own, self._settings.numbers))

    @hookimpl
    async def health(self, ctx: Context) -> Health:
        """Whether the provider takes the credentials, where the settings say how to ask."""
        return await sending.health(ctx, self._settings)
