"""The channel: its hooks, and who does the work of each."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

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
    PollResult,
    Reconciled,
    Rendered,
    Route,
    Surface,
    hookimpl,
)
from hub_email import addresses, composing, incoming, links, mailbox, pop3, rendering
from hub_email.settings import Settings

NOTHING_TO_READ = 3600.0
"""Seconds until a channel that only sends is asked again."""


class Email:
    """A mailbox by IMAP or POP3, and SMTP."""

    INFO = Info(
        name="email",
        role="channel",
        api="1.1",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"poll", "listen"}),
            outbound=True,
            receipts=frozenset({"sent", "delivered", "failed"}),
            media_in=True,
            media_out=rendering.LIMITS,
            formats=frozenset({"text", "html"}),
            subject=True,
            threading=True,
            copies=True,
            reconciles=True,
            opt_out=True,
            routes=True,
        ),
        emits=frozenset(
            {"message", "receipt", "channel_notice", "opened", "clicked", "opt_out", "opt_in"}
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
        if settings.oauth is not None and settings.password is not None:
            raise ValueError("password and oauth: a mailbox is logged in to by one of them")
        if settings.imap_host is not None and settings.pop3_host is not None:
            raise ValueError("imap_host and pop3_host: a mailbox is read by one of them")
        self._settings = settings
        self._mailbox = mailbox.Mailbox(settings)
        self._maildrop = pop3.Maildrop(settings)
        self._pages = links.Pages()
        self._imported: ModuleType | None = None

    async def _sending(self, ctx: Context) -> ModuleType:
        """The module ``sending``, which needs the SMTP client: imported when it is first needed,
        and not on the channel's loop."""
        if self._imported is None:
            self._imported = await ctx.run_blocking(import_module, "hub_email.sending")
        return self._imported

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        """A mail as it lies in the mailbox, or what a link of ours tells."""
        if delivery.header("content-type") == links.TOLD:
            return links.read(delivery)
        return incoming.read(ctx, delivery, self._settings)

    @hookimpl
    async def poll(self, ctx: Context, cursor: str | None) -> PollResult:
        """What has arrived since; waits for the server to tell, where it can."""
        if self._settings.imap_host is not None:
            return await self._mailbox.poll(ctx, cursor)
        if self._settings.pop3_host is not None:
            return await self._maildrop.poll(ctx, cursor)
        return PollResult(next_in=NOTHING_TO_READ)

    @hookimpl
    async def shutdown(self) -> None:
        """End the connection that is kept."""
        self._mailbox.drop()

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        """One attempt by SMTP."""
        return await (await self._sending(ctx)).send(ctx, message, self._settings)

    @hookimpl
    async def reconcile(self, ctx: Context, message: Outbound) -> Reconciled:
        """Look for the mail in the folder of what was sent."""
        if self._settings.imap_host is None:
            return Reconciled(outcome="unknown")
        wanted = await composing.message_id(ctx, message, self._settings)
        return await self._mailbox.reconcile(ctx, wanted)

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
        """The mailbox's address and its aliases."""
        return tuple(incoming.own_addresses(self._settings).values())

    @hookimpl
    async def fetch_media(self, ctx: Context, ref: MediaRef) -> FetchedMedia:
        """A file of a mail that was taken in; of one that was too large, the mail itself."""
        if ref.part is not None and ref.delivery is not None:
            return await ctx.run_blocking(incoming.file, ref.delivery, ref.part)
        if ref.provider_id is None:
            raise Permanent("policy", "this is no file of a mail")
        imap = self._settings.imap_host is not None
        body = await (self._mailbox if imap else self._maildrop).whole(ctx, ref.provider_id)
        return FetchedMedia(body=body, content_type="message/rfc822")

    @hookimpl
    def routes(self) -> tuple[Route, ...]:
        """What the links in our mail lead to."""
        return self._pages.routes()

    @hookimpl
    async def health(self, ctx: Context) -> Health:
        """Whether both servers let the mailbox in."""
        try:
            await (await self._sending(ctx)).look(ctx, self._settings)
            if self._settings.imap_host is not None:
                await mailbox.look(ctx, self._settings)
            elif self._settings.pop3_host is not None:
                await pop3.look(ctx, self._settings)
        except (CredentialsInvalid, Permanent) as error:
            return Health(state="needs_attention", reason=error.detail)
        except HookError as error:
            return Health(state="transient", reason=error.detail)
        return Health(state="ok")

    @hookimpl
    async def check(self, ctx: Context) -> tuple[Finding, ...]:
        """Whether both servers know the mailbox as the settings do."""
        checking = await ctx.run_blocking(import_module, "hub_email.checking")
        return await checking.check(ctx, self._settings)
