"""The channel: its hooks, and who does the work of each."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from hub_sms_twilio import numbers as phones
from hub_sms_twilio.account import proof

from hub.plugin import (
    Accepted,
    Address,
    CallFacts,
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
    OutcomeUnknown,
    Reconciled,
    Rendered,
    Reply,
    Route,
    Socket,
    Surface,
    Temporary,
    Unverified,
    hookimpl,
    rendering,
)
from hub_voice_twilio import answering, numbers, relay, reports, twiml, webhooks
from hub_voice_twilio.settings import Settings


class TwilioVoice:
    """Calls by Twilio."""

    INFO = Info(
        name="voice-twilio",
        role="channel",
        api="1.0",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"http", "listen"}),
            outbound=True,
            verifies="signature",
            media_in=True,
            reconciles=True,
            calls=True,
            routes=True,
        ),
        emits=frozenset(
            {
                *("call_started", "call_turn", "call_ended", "call_outcome"),
                *("recording", "transcript", "voicemail"),
            }
        ),
        label="Call",
        group="calls",
        icon=Icon(name="phone"),
        tone="purple",
        address_scheme="phone",
    )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        own = (phones.country_of(number) for number in settings.numbers)
        self._country = settings.country or next((country for country in own if country), None)
        self._imported: dict[str, ModuleType] = {}

    async def _module(self, ctx: Context, name: str) -> ModuleType:
        """A module that needs Twilio's client: imported when it is first needed, and not on the
        channel's loop. Whoever comes while it is being imported waits for the whole of it; in
        ``sys.modules`` it is found half done."""
        if name not in self._imported:
            found = await ctx.run_blocking(import_module, f"hub_voice_twilio.{name}")
            self._imported[name] = found
        return self._imported[name]

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        """What Twilio tells of calls, signed by the account's token or a shared key; what another
        voice agent reports, with its own key; and what was said over the relay, which has been
        verified there."""
        if delivery.source == "listen":
            return relay.read(delivery)
        if reports.is_report(delivery):
            if self._settings.reports is None:
                raise Unverified("no voice agent may report here: there are no settings for it")
            known = reports.proof(ctx, self._settings.reports)
            result = reports.read(delivery)
        else:
            known = proof(ctx, self._settings)
            result = webhooks.read(ctx, delivery, self._settings)
        return IngestResult(
            verification=known,
            events=result.events,
            ignored=result.ignored,
            reply=result.reply,
            answer=result.answer,
        )

    @hookimpl
    async def answer(self, ctx: Context, facts: CallFacts) -> Reply:
        """What a caller hears next."""
        return answering.answer(ctx, facts, self._settings)

    @hookimpl
    def routes(self) -> tuple[Route, ...]:
        """Where Twilio's ConversationRelay speaks with the assistant, if that takes calls."""
        if self._settings.agent is None:
            return ()
        return (Route(method="WS", path=twiml.RELAY, auth="public", handler=self._relay),)

    async def _relay(self, ctx: Context, socket: Socket) -> None:
        await relay.hold(ctx, socket, self._settings)

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        """Make a call for a member, by one attempt at the REST API."""
        return await (await self._module(ctx, "calling")).send(ctx, message, self._settings)

    @hookimpl
    async def reconcile(self, ctx: Context, message: Outbound) -> Reconciled:
        """Look for the call at Twilio."""
        return await (await self._module(ctx, "calling")).reconcile(ctx, message, self._settings)

    @hookimpl
    def render(self, item: Item, surface: Surface) -> Rendered:
        """What was said, and the recordings."""
        return rendering.plain_text(item, surface, self.INFO.can)

    @hookimpl
    def compose_rules(self, facts: ComposeFacts) -> ComposeRules:
        """Any phone may be called at any time."""
        if not numbers.can_be_called(facts.address):
            return ComposeRules(may="closed", why="This caller has no number to call back")
        return ComposeRules()

    @hookimpl
    def normalise_address(self, text: str) -> Address:
        """A phone number as it is written in the channel's country."""
        return numbers.typed(text, self._country)

    @hookimpl
    def own_addresses(self) -> tuple[Address, ...]:
        """The numbers of the settings."""
        return tuple(phones.own(number) for number in self._settings.numbers)

    @hookimpl
    async def fetch_media(self, ctx: Context, ref: MediaRef) -> FetchedMedia:
        """A recording or voicemail, with the account's credentials where it is Twilio's."""
        return await (await self._module(ctx, "recordings")).fetch(ctx, ref, self._settings)

    @hookimpl
    async def health(self, ctx: Context) -> Health:
        """Whether the account answers and is open."""
        try:
            return await (await self._module(ctx, "checking")).health(ctx, self._settings)
        except CredentialsInvalid as error:
            return Health(state="needs_attention", reason=error.detail)
        except (Temporary, OutcomeUnknown) as error:
            return Health(state="transient", reason=error.detail)
        except HookError as error:
            return Health(state="degraded", reason=error.detail)

    @hookimpl
    async def check(self, ctx: Context) -> tuple[Finding, ...]:
        """Credentials, numbers and the addresses to which these deliver their calls."""
        return await (await self._module(ctx, "checking")).check(ctx, self._settings)
