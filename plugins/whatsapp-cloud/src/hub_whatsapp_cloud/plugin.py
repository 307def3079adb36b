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
    Rendered,
    Reply,
    Surface,
    TemplateInfo,
    Unverified,
    hookimpl,
)
from hub_whatsapp_cloud import (
    asking,
    media,
    people,
    sending,
    showing,
    templates,
    webhooks,
    window,
)
from hub_whatsapp_cloud.limits import CARRIES
from hub_whatsapp_cloud.settings import Settings

LONGEST_CHALLENGE = 500


class WhatsAppCloud:
    """WhatsApp by Meta's Cloud API."""

    INFO = Info(
        name="whatsapp-cloud",
        role="channel",
        api="1.0",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"http"}),
            outbound=True,
            verifies="signature",
            receipts=frozenset({"sent", "delivered", "read", "failed"}),
            media_in=True,
            media_out=CARRIES.limits,
            threading=True,
            splits=True,
            templates=True,
            reply_window=window.WINDOW,
            edits=True,
            deletes=True,
            reactions=True,
        ),
        emits=frozenset(
            {
                "message",
                "receipt",
                "edited",
                "deleted",
                "reaction",
                "contact_changed",
                "template_changed",
                "channel_notice",
            }
        ),
        label="WhatsApp",
        group="texts",
        icon=Icon(name="message-circle"),
        tone="green",
        address_scheme="phone",
        further_schemes=frozenset({people.USER}),
    )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._country = settings.country or people.country_of(settings.number)

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        """Everything that Meta posts, signed with the app secret; and its question whether the
        address is ours."""
        if delivery.method == "GET":
            return self._challenged(ctx, delivery)
        proof = ctx.verify.hmac(
            keys=self._settings.signing_secrets, header="X-Hub-Signature-256", prefix="sha256="
        )
        result = webhooks.read(delivery, self._settings)
        return IngestResult(verification=proof, events=result.events, ignored=result.ignored)

    def _challenged(self, ctx: Context, delivery: Delivery) -> IngestResult:
        proof = ctx.verify.token(keys=[self._settings.verify_token], query="hub.verify_token")
        asked = dict(delivery.query())
        if asked.get("hub.mode") != "subscribe":
            raise Unverified("Meta asks with hub.mode=subscribe")
        reply = Reply(body=asked.get("hub.challenge", "")[:LONGEST_CHALLENGE].encode())
        return IngestResult(verification=proof, ignored="Meta asks for the address", reply=reply)

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        """One attempt by the Graph API."""
        return await sending.send(ctx, message, self._settings)

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
        """The number of the settings."""
        return (people.own(self._settings.number),)

    @hookimpl
    async def templates(self, ctx: Context) -> tuple[TemplateInfo, ...]:
        """The account's templates."""
        return await templates.listed(ctx, self._settings)

    @hookimpl
    async def fetch_media(self, ctx: Context, ref: MediaRef) -> FetchedMedia:
        """A file that came in, in two steps."""
        return await media.fetch(ctx, ref, self._settings)

    @hookimpl
    async def health(self, ctx: Context) -> Health:
        """How the number is."""
        return await asking.health(ctx, self._settings)

    @hookimpl
    async def check(self, ctx: Context) -> tuple[Finding, ...]:
        """Token, number, app secret, account, webhook."""
        return await asking.findings(ctx, self._settings)
