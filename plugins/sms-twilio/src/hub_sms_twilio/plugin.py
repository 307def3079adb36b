"""The channel: its hooks, and who does the work of each."""

from __future__ import annotations

from hub.plugin import (
    Accepted,
    Address,
    Capabilities,
    ComposeFacts,
    ComposeRules,
    Context,
    Delivery,
    FetchedMedia,
    Finding,
    Health,
    Icon,
    Info,
    IngestResult,
    Item,
    MediaRef,
    Outbound,
    Reconciled,
    Rendered,
    Surface,
    hookimpl,
)
from hub_sms_twilio import account, media, numbers, rendering, webhooks
from hub_sms_twilio.later import Later, health_of
from hub_sms_twilio.settings import Settings

SERVICE = "sms-twilio:service"
"""Scheme of an own address that is a Messaging Service, not a number."""


class TwilioSms:
    """Text and picture messages by Twilio."""

    INFO = Info(
        name="sms-twilio",
        role="channel",
        api="1.0",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"http"}),
            outbound=True,
            verifies="signature",
            receipts=frozenset({"queued", "sent", "delivered", "failed"}),
            media_in=True,
            media_out=media.LIMITS,
            reconciles=True,
            opt_out=True,
            keywords="provider",
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
        own = (numbers.country_of(number) for number in settings.numbers)
        self._country = settings.country or next((country for country in own if country), None)
        self._sending = Later("hub_sms_twilio.sending")
        self._checking = Later("hub_sms_twilio.checking")

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        """Messages and status callbacks, signed by the account's token or a shared key."""
        proof = account.proof(ctx, self._settings)
        result = webhooks.read(delivery, self._settings)
        return IngestResult(
            verification=proof, events=result.events, ignored=result.ignored, reply=result.reply
        )

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        """One attempt by the REST API."""
        return await (await self._sending(ctx)).send(ctx, message, self._settings)

    @hookimpl
    async def reconcile(self, ctx: Context, message: Outbound) -> Reconciled:
        """Look for the message at Twilio."""
        return await (await self._sending(ctx)).reconcile(ctx, message, self._settings)

    @hookimpl
    def render(self, item: Item, surface: Surface) -> Rendered:
        """Text and files as they are."""
        return rendering.render(item, surface, media.LIMITS)

    @hookimpl
    def compose_rules(self, facts: ComposeFacts) -> ComposeRules:
        """A text may be written at any time, to anything but a sender's name."""
        if not numbers.can_receive(facts.address):
            return ComposeRules(may="closed", why="This sender is a name and takes no answers")
        return ComposeRules(max_length=rendering.MAX_LENGTH)

    @hookimpl
    def normalise_address(self, text: str) -> Address:
        """A phone number as it is written in the channel's country, or a short code."""
        return numbers.typed(text, self._country)

    @hookimpl
    def own_addresses(self) -> tuple[Address, ...]:
        """The numbers of the settings; without any, the Messaging Service."""
        service = self._settings.messaging_service_sid
        if not self._settings.numbers and service is not None:
            return (Address(scheme=SERVICE, value=service, display="Messaging Service"),)
        return tuple(numbers.own(number) for number in self._settings.numbers)

    @hookimpl
    async def fetch_media(self, ctx: Context, ref: MediaRef) -> FetchedMedia:
        """A file that came in, with the account's credentials."""
        return await media.fetch(ctx, ref, self._settings)

    @hookimpl
    async def health(self, ctx: Context) -> Health:
        """Whether the account answers and is open."""
        sending = await self._sending(ctx)
        return await health_of(sending.health(ctx, self._settings))

    @hookimpl
    async def check(self, ctx: Context) -> tuple[Finding, ...]:
        """Whether what is written to the channel's numbers is delivered here."""
        return await (await self._checking(ctx)).check(ctx, self._settings)
