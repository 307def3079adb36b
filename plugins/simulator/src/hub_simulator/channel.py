"""What every simulated channel has: its hooks, and who does the work of each."""

from __future__ import annotations

import asyncio
from datetime import datetime

from hub.plugin import (
    Accepted,
    Address,
    Context,
    Delivery,
    FetchedMedia,
    Finding,
    IngestResult,
    Item,
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
from hub_simulator import pictures
from hub_simulator.answers import Verdict, answer, reconciled
from hub_simulator.medium import Medium
from hub_simulator.network import Network
from hub_simulator.people import People
from hub_simulator.phone import Phone, with_log
from hub_simulator.routes import Page
from hub_simulator.store import PhoneStore


class SimulatedChannel:
    """A phone on a page, and a network that carries one medium."""

    def __init__(self, medium: Medium, people: People, receipt_pause: float) -> None:
        self._medium = medium
        self._people = people
        self._receipt_pause = receipt_pause
        self._running: tuple[PhoneStore, Network] | None = None

    # ---- the three

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:  # noqa: ARG002
        if delivery.source == "http":
            raise Unverified("the simulator hears its own network only, and nothing from outside")
        return self._medium.read(delivery.body)

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        now = ctx.clock.now()
        self._check(message, now)
        phones, network = self._live()
        number = message.address.value

        def attempt(phone: Phone) -> tuple[Phone, Verdict]:
            return answer(phone, message, now, self._receipt_pause, self._medium)

        verdict = await phones.change(number, attempt)
        if verdict.receipts == "before":
            await network.carry_now(ctx, number, verdict.external_id)
        if verdict.receipts != "none":
            network.start(ctx, number, verdict.external_id)
        if verdict.hangs:
            await asyncio.Event().wait()
        if verdict.error is not None:
            raise verdict.error
        return Accepted(external_id=verdict.external_id)

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:  # noqa: ARG002
        return self._medium.render(item, surface)

    # ---- addresses

    @hookimpl
    def normalise_address(self, ctx: Context, text: str) -> Address:  # noqa: ARG002
        return self._people.typed(text)

    @hookimpl
    def own_addresses(self, ctx: Context) -> tuple[Address, ...]:  # noqa: ARG002
        return tuple(self._people.address(each) for each in self._people.own)

    # ---- the network

    @hookimpl
    async def startup(self, ctx: Context) -> None:
        phones = PhoneStore(ctx.kv)
        network = Network(phones, self._medium)
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
    async def check(self, ctx: Context) -> tuple[Finding, ...]:  # noqa: ARG002
        words = "It is simulated: there is no account, and what is sent reaches nobody."
        return (Finding(about="provider", detail=words),)

    @hookimpl
    def routes(self, ctx: Context) -> tuple[Route, ...]:  # noqa: ARG002
        return Page(self._medium, self._people, self._live).routes()

    def _live(self) -> tuple[PhoneStore, Network]:
        if self._running is None:
            raise Temporary("the simulator is not running")
        return self._running

    def _check(self, message: Outbound, now: datetime) -> None:
        if message.kind not in self._medium.kinds:
            raise Unsupported(f"the channel sends no {message.kind}")
        if now >= message.deadline:
            raise Temporary("too late to send")
        if not self._people.is_one(message.address.value):
            raise Permanent("bad_address", f"not {self._people.what}")
        if not all(self._people.is_one(each.value) for each in (*message.cc, *message.bcc)):
            raise Permanent("bad_address", f"one in copy is not {self._people.what}")
        member = message.member_address
        if member is not None and not self._people.is_one(member.value):
            raise Permanent("bad_address", "the member's phone is no phone number")
        if message.own_address not in self._people.own:
            detail = f"{message.own_address[:20]} is no address of this channel"
            raise Permanent("configuration", detail)
