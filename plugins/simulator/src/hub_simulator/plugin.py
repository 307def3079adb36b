"""The channel: its hooks, and who does the work of each."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime

from hub.plugin import (
    Accepted,
    Address,
    Capabilities,
    ComposeFacts,
    ComposeRules,
    Context,
    Delivery,
    FetchedMedia,
    Icon,
    Info,
    IngestResult,
    Item,
    MediaLimits,
    MediaRef,
    Outbound,
    Permanent,
    Reconciled,
    Rendered,
    Route,
    Surface,
    Temporary,
    Unsupported,
    Unverified,
    hookimpl,
)
from hub_simulator import pictures, sms
from hub_simulator.answers import Verdict, answer, reconciled
from hub_simulator.network import Network
from hub_simulator.numbers import display, normalise
from hub_simulator.phone import Phone, with_log
from hub_simulator.render import render
from hub_simulator.routes import MAX_PICTURES, Page
from hub_simulator.settings import E164, Settings
from hub_simulator.store import PhoneStore


class Simulator:
    """Text messages to and from a phone on a page; nothing reaches a real one."""

    INFO = Info(
        name="simulator",
        role="channel",
        api="0.9",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"listen"}),
            outbound=True,
            receipts=frozenset({"sent", "delivered", "read", "failed"}),
            media_in=True,
            media_out=MediaLimits(max_bytes=5_000_000, max_count=MAX_PICTURES),
            # It does send once for one id, yet does not claim so: as with most text providers, an
            # answer that was lost must be looked up, and can be seen as unknown.
            provider_idempotency=False,
            reconciles=True,
            opt_out=True,
            routes=True,
        ),
        emits=frozenset({"message", "receipt", "opt_out", "opt_in"}),
        label="Simulated text",
        group="texts",
        icon=Icon(name="smartphone"),
        tone="amber",
        address_scheme="phone",
        counter="sms",
        real=False,
        page="phone",
        page_label="Open the simulator phone",
    )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: tuple[PhoneStore, Network] | None = None

    # ---- the three

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:  # noqa: ARG002
        if delivery.source == "http":
            raise Unverified("the simulator hears its own network only, and nothing from outside")
        return sms.read(delivery.body)

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        now = ctx.clock.now()
        self._check(message, now)
        phones, network = self._live()
        number = message.address.value

        def attempt(phone: Phone) -> tuple[Phone, Verdict]:
            return answer(phone, message, now, self._settings.receipt_pause)

        verdict = await phones.change(number, attempt)
        if verdict.receipts == "before":
            await network.carry_now(ctx, number, verdict.external_id)
        elif verdict.receipts == "after":
            network.start(ctx, number, verdict.external_id)
        if verdict.hangs:
            await asyncio.Event().wait()
        if verdict.error is not None:
            raise verdict.error
        return Accepted(external_id=verdict.external_id)

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:  # noqa: ARG002
        return render(item, surface)

    # ---- addresses and rules

    @hookimpl
    def normalise_address(self, ctx: Context, text: str) -> Address:  # noqa: ARG002
        return normalise(text, self._settings.region)

    @hookimpl
    def own_addresses(self, ctx: Context) -> tuple[Address, ...]:  # noqa: ARG002
        return tuple(
            Address(scheme="phone", value=number, display=display(number), verified=True)
            for number in self._settings.numbers
        )

    @hookimpl
    def compose_rules(self, ctx: Context, facts: ComposeFacts) -> ComposeRules:  # noqa: ARG002
        return ComposeRules(max_length=sms.MAX_LENGTH)

    # ---- the network

    @hookimpl
    async def startup(self, ctx: Context) -> None:
        phones = PhoneStore(ctx.kv)
        network = Network(phones)
        network.open(ctx)
        self._running = phones, network

    @hookimpl
    async def shutdown(self, ctx: Context) -> None:  # noqa: ARG002
        if self._running is None:
            return
        phones, network = self._running
        self._running = None
        await phones.close()
        await network.stop()

    @hookimpl
    async def reconcile(self, ctx: Context, message: Outbound) -> Reconciled:
        now = ctx.clock.now()

        def look(phone: Phone) -> tuple[Phone, Reconciled]:
            found = reconciled(phone, message.id)
            words = f"what became of {message.id}: {found.outcome}"
            return with_log(phone, now, "from_hub", words), found

        phones, _ = self._live()
        return await phones.change(message.address.value, look)

    @hookimpl
    async def fetch_media(self, ctx: Context, ref: MediaRef) -> FetchedMedia:
        if ref.provider_id is None:
            raise Unsupported("the phone's pictures are known by their id")
        return await pictures.fetch(ctx.kv, ref.provider_id)

    @hookimpl
    def routes(self, ctx: Context) -> tuple[Route, ...]:  # noqa: ARG002
        return Page(self._settings, self._live).routes()

    def _live(self) -> tuple[PhoneStore, Network]:
        if self._running is None:
            raise Temporary("the simulator is not running")
        return self._running

    def _check(self, message: Outbound, now: datetime) -> None:
        if message.kind != "message":
            raise Unsupported(f"a text message has no {message.kind}")
        if now >= message.deadline:
            raise Temporary("too late to send")
        if re.fullmatch(E164, message.address.value) is None:
            raise Permanent("bad_address", "not a phone number")
        if message.own_address not in self._settings.numbers:
            detail = f"{message.own_address[:20]} is no number of this channel"
            raise Permanent("configuration", detail)
