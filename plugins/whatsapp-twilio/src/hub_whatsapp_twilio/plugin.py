"""The channel: its hooks, and who does the work of each."""

from __future__ import annotations

from hub_sms_twilio import account, media
from hub_sms_twilio.later import Later, health_of
from hub_whatsapp_cloud import people, showing, window

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
    TemplateInfo,
    hookimpl,
)
from hub_whatsapp_twilio import webhooks
from hub_whatsapp_twilio.limits import CARRIES
from hub_whatsapp_twilio.settings import Settings


class TwilioWhatsApp:
    """WhatsApp by Twilio."""

    INFO = Info(
        name="whatsapp-twilio",
        role="channel",
        api="1.0",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"http"}),
            outbound=True,
            verifies="signature",
            receipts=frozenset({"queued", "sent", "delivered", "read", "failed"}),
            media_in=True,
            media_out=CARRIES.limits,
            threading=True,
            splits=True,
            templates=True,
            reply_window=window.WINDOW,
            reconciles=True,
            opt_out=True,
        ),
        emits=frozenset({"message", "receipt", "opt_out", "opt_in", "channel_notice"}),
        label="WhatsApp",
        group="texts",
        icon=Icon(name="message-circle"),
        tone="green",
        address_scheme="phone",
        further_schemes=frozenset({people.USER}),
    )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._country = settings.country or people.country_of(settings.numbers[0])
        self._sending = Later("hub_whatsapp_twilio.sending")

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
        """Words, files and templates as they look on a phone."""
        return showing.render(item, surface, CARRIES)

    @hookimpl
    def compose_rules(self, facts: ComposeFacts) -> ComposeRules:
        """Anything for a day after their last message, else templates."""
        return window.rules(facts, CARRIES.max_length)

    @hookimpl
    def normalise_address(self, text: str) -> Address:
        """A phone number as it is written in the channel's country, or a user id."""
        return people.typed(text, self._country)

    @hookimpl
    def own_addresses(self) -> tuple[Address, ...]:
        """The senders of the settings."""
        return tuple(people.own(number) for number in self._settings.numbers)

    @hookimpl
    async def templates(self, ctx: Context) -> tuple[TemplateInfo, ...]:
        """The account's contents, with WhatsApp's approval."""
        return await (await self._sending(ctx)).templates(ctx, self._settings)

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
        """Account, key, senders and webhook addresses."""
        return await (await self._sending(ctx)).findings(ctx, self._settings)
