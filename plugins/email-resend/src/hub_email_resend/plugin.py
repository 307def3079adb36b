"""The channel: its hooks, and who does the work of each."""

from __future__ import annotations

from hub_email import addresses, rendering
from hub_email.settings import Settings as Account
from hub_email_inbound import answers, mails
from hub_email_inbound.findings import credentials, webhook
from msgspec.structs import replace

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
    Reconciled,
    Rendered,
    Surface,
    hookimpl,
)
from hub_email_resend import api, receiving, sending, webhooks
from hub_email_resend.settings import Settings

REPLAY_WINDOW = 300.0
"""Seconds for which Svix, whose signatures Resend uses, advises to take a delivery."""
WANTED = ("email.received", "email.delivered", "email.bounced", "email.complained")
"""What a webhook has to be subscribed to at least."""


class EmailResend:
    """Email by Resend's webhooks and API."""

    INFO = Info(
        name="email-resend",
        role="channel",
        api="1.1",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"http"}),
            outbound=True,
            verifies="signature",
            replay_window=REPLAY_WINDOW,
            receipts=frozenset({"queued", "sent", "delivered", "failed"}),
            media_in=True,
            media_out=rendering.LIMITS,
            formats=frozenset({"text", "html"}),
            subject=True,
            threading=True,
            copies=True,
            provider_idempotency=True,
            reconciles=True,
            opt_out=True,
        ),
        emits=frozenset({"message", "receipt", "opened", "clicked", "opt_out", "channel_notice"}),
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
        self._account = Account(
            address=settings.address,
            aliases=settings.aliases,
            name=settings.name,
            smtp_host="localhost",  # mail goes out by Resend's API
            plus_replies=settings.plus_replies,
            trusted_authserv=settings.trusted_authserv,
            forms=settings.forms,
            automatic=settings.automatic,
            unsubscribe="none",  # Resend has a way of its own
        )

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        """What became of a mail; that one has come in; and that one, when it was fetched."""
        if delivery.source == "fetch":
            return mails.read(ctx, delivery.body, delivery, self._account)
        proof = ctx.verify.standard_webhooks(
            secrets=self._settings.signing_secrets, tolerance=REPLAY_WINDOW
        )
        return replace(webhooks.read(delivery), verification=proof)

    @hookimpl
    async def fetch(self, ctx: Context, ref: FetchRef) -> Delivery:
        """A mail that has come in."""
        return await receiving.fetch(ctx, ref, self._settings)

    @hookimpl
    async def fetch_media(self, ref: MediaRef) -> FetchedMedia:
        """A file of a mail, out of the delivery that brought it."""
        if ref.part is None or ref.delivery is None:
            raise Permanent("other", "this is no part of a mail")
        return mails.file_of(ref.delivery.body, ref.delivery, ref.part)

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        """One attempt by Resend's API."""
        return await sending.send(ctx, message, self._settings, self._account)

    @hookimpl
    async def reconcile(self, ctx: Context, message: Outbound) -> Reconciled:
        """Look for the mail among those that Resend has taken."""
        return await sending.reconcile(ctx, message, self._settings, self._account)

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
        """Whether Resend takes the key, and for everything."""
        try:
            answer = await api.request(ctx, self._settings, "GET", "/domains")
            if answer.status != 200:
                raise api.refusal(ctx, answer)
        except (CredentialsInvalid, Permanent) as error:
            return Health(state="needs_attention", reason=error.detail)
        except HookError as error:
            return Health(state="transient", reason=error.detail)
        return Health(state="ok")

    @hookimpl
    async def check(self, ctx: Context) -> tuple[Finding, ...]:
        """The key, the senders' domains, and the webhook with what it is told."""
        settings = self._settings
        answer = await api.request(ctx, settings, "GET", "/domains", params={"limit": "100"})
        advice = "Make an API key with full access"
        found = [credentials("Resend", answer.status, advice)]
        if answer.status != 200:
            return tuple(found)
        domains = {
            str(each.get("name", "")).lower(): each
            for each in answers.objects(answers.told(answer).get("data"))
        }
        own = {each.value.rpartition("@")[2] for each in self._addresses()}
        for domain in sorted(own):
            said = domains.get(domain)
            state = str(said.get("status")) if said else "not there"
            about = f"sender {domain}"
            if state == "verified":
                found.append(Finding(about=about, detail="it is verified"))
                continue
            found.append(
                Finding(
                    about=about,
                    state="wrong",
                    detail=f"Resend says of the domain: {state}",
                    advice="Add the domain in Resend, and the records that it shows to the DNS",
                )
            )
        return (*found, *await self._webhooks(ctx))

    def _addresses(self) -> tuple[Address, ...]:
        found = map(addresses.of, (self._settings.address, *self._settings.aliases))
        return tuple(each for each in found if each is not None)

    async def _webhooks(self, ctx: Context) -> list[Finding]:
        answer = await api.request(ctx, self._settings, "GET", "/webhooks", params={"limit": "100"})
        if answer.status != 200:
            words = f"Resend answered HTTP {answer.status}"
            return [Finding(about="webhook", state="unknown", detail=words)]
        hooks = answers.objects(answers.told(answer).get("data"))
        found = [webhook(ctx, "webhook", [each.get("endpoint") for each in hooks])]
        if found[0].state != "ok":
            return found
        url = ctx.public_url()
        (ours, *_) = [each for each in hooks if str(each.get("endpoint", "")).rstrip("/") == url]
        if ours.get("status") != "enabled":
            found.append(
                Finding(
                    about="webhook",
                    state="wrong",
                    detail="it is not enabled",
                    advice="Enable it in Resend",
                )
            )
        events = ours.get("events")
        missing = [each for each in WANTED if isinstance(events, list) and each not in events]
        if missing:
            found.append(
                Finding(
                    about="webhook events",
                    state="wrong",
                    detail=f"it is not told of {', '.join(missing)}",
                    advice="Subscribe it to all events of emails",
                )
            )
        return found
