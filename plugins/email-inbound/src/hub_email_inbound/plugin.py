"""The channel: its hooks, and whose provider's module does the work of each."""

from __future__ import annotations

from types import ModuleType

import msgspec
from hub_email import addresses, rendering
from hub_email.settings import Settings as Account

from hub.plugin import (
    Accepted,
    Address,
    Capabilities,
    ComposeFacts,
    ComposeRules,
    Context,
    CredentialsInvalid,
    Delivery,
    FetchedMedia,
    FetchRef,
    Finding,
    Health,
    HookError,
    Icon,
    Info,
    IngestResult,
    Item,
    MediaRef,
    Outbound,
    Permanent,
    Rendered,
    Surface,
    Unsupported,
    hookimpl,
)
from hub_email_inbound import mailgun, mails, postmark, sendgrid, ses
from hub_email_inbound.settings import Settings

PROVIDERS: dict[str, ModuleType] = {
    "postmark": postmark,
    "mailgun": mailgun,
    "sendgrid": sendgrid,
    "ses": ses,
}
PROOFS = {"postmark": "basic", "mailgun": "signature", "sendgrid": "token", "ses": "signature"}
"""How webhooks prove where they come from; of SendGrid's two, the weaker."""


class EmailInbound:
    """Email by a provider's webhooks, and by its API."""

    INFO = Info(
        name="email-inbound",
        role="channel",
        api="1.1",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"http"}),
            outbound=True,
            verifies="signature",
            receipts=frozenset({"sent", "delivered", "failed"}),
            media_in=True,
            media_out=rendering.LIMITS,
            formats=frozenset({"text", "html"}),
            subject=True,
            threading=True,
            copies=True,
            opt_out=True,
        ),
        emits=frozenset(
            {"message", "receipt", "opened", "clicked", "opt_out", "opt_in", "channel_notice"}
        ),
        label="Email",
        group="emails",
        icon=Icon(name="mail"),
        tone="amber",
        address_scheme=addresses.SCHEME,
    )

    def __init__(self, settings: Settings) -> None:
        for given in (settings.address, *settings.aliases, *settings.forms):
            if addresses.of(given) is None:
                raise ValueError(f"{given}: this is no email address")
        self._settings = settings
        self._provider = PROVIDERS[settings.provider]
        self._account = Account(
            address=settings.address,
            aliases=settings.aliases,
            name=settings.name,
            smtp_host="localhost",  # mail goes out by the provider's API
            plus_replies=settings.plus_replies,
            trusted_authserv=(mails.OURSELVES, *settings.trusted_authserv),
            forms=settings.forms,
            automatic=settings.automatic,
            unsubscribe="none",  # the providers have ways of their own
        )
        whole = EmailInbound.INFO.can
        sends = self._provider.sends(settings)
        can = msgspec.structs.replace(
            whole,
            outbound=sends,
            verifies=PROOFS[settings.provider],
            media_out=whole.media_out if sends else None,
        )
        self.info = msgspec.structs.replace(EmailInbound.INFO, can=can)

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        """A mail, or what became of one that went out."""
        proof = self._provider.proof(ctx, delivery, self._settings)
        result = self._provider.read(ctx, delivery, self._settings, self._account)
        return msgspec.structs.replace(result, verification=proof)

    @hookimpl
    async def fetch(self, ctx: Context, ref: FetchRef) -> Delivery:
        """A mail that lies in S3, or the confirmation of a subscription."""
        if self._settings.ses is None:
            raise Permanent("configuration", "this provider names nothing to fetch")
        return await ses.fetch(ctx, ref, self._settings)

    @hookimpl
    async def fetch_media(self, ref: MediaRef) -> FetchedMedia:
        """A file of a mail, out of the delivery that brought it."""
        if ref.part is None or ref.delivery is None:
            raise Permanent("other", "this is no part of a mail")
        return mails.file_of(self._provider.raw(ref.delivery), ref.delivery, ref.part)

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        """One attempt by the provider's API."""
        if not self._provider.sends(self._settings):
            raise Unsupported("the settings have nothing to send with: this channel only takes in")
        if self._settings.ses is not None:
            message = ses.named(message, self._settings)
        letter = await mails.letter(ctx, message, self._account)
        return await self._provider.send(ctx, letter, self._settings)

    @hookimpl
    def render(self, item: Item, surface: Surface) -> Rendered:
        """Words, what they quote, formatting, files."""
        return rendering.render(item, surface)

    @hookimpl
    def compose_rules(self, facts: ComposeFacts) -> ComposeRules:
        """One may write at any time, to anything that is an address."""
        if addresses.of(facts.address.value) is None:
            return ComposeRules(may="closed", why="This is no email address")
        return ComposeRules(max_length=rendering.MAX_LENGTH)

    @hookimpl
    def normalise_address(self, text: str) -> Address:
        """An address as it is typed or copied."""
        return addresses.typed(text)

    @hookimpl
    def own_addresses(self) -> tuple[Address, ...]:
        """The channel's address and its aliases."""
        found = map(addresses.of, (self._settings.address, *self._settings.aliases))
        return tuple(each for each in found if each is not None)

    @hookimpl
    async def health(self, ctx: Context) -> Health:
        """Whether the provider takes the credentials, where there are any."""
        if not self._provider.sends(self._settings):
            return Health(state="ok")
        try:
            await self._provider.look(ctx, self._settings)
        except (CredentialsInvalid, Permanent) as error:
            return Health(state="needs_attention", reason=error.detail)
        except HookError as error:
            return Health(state="transient", reason=error.detail)
        return Health(state="ok")

    @hookimpl
    async def check(self, ctx: Context) -> tuple[Finding, ...]:
        """What the provider says of credentials, sender and webhooks."""
        if not self._provider.sends(self._settings):
            words = "there are none: this channel only takes in"
            return (Finding(about="credentials", state="unknown", detail=words),)
        return tuple([each async for each in self._provider.check(ctx, self._settings)])
