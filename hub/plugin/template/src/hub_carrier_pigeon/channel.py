"""The channel: its settings, what it can do, and the three hooks."""

import msgspec

from hub import plugin as hub
from hub.plugin import reading, rendering, sending


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str  # where the provider takes messages
    key: hub.Secret  # shared with the provider: it signs with it, and knows us by it


class Incoming(msgspec.Struct, frozen=True):  # what the provider posts
    id: reading.Id
    sender: reading.Id = msgspec.field(name="from")
    text: str = ""


class CarrierPigeon:
    INFO = hub.Info(
        name="carrier-pigeon",
        role="channel",
        api="1.1",
        label="Carrier Pigeon",
        settings=Settings,
        can=hub.Capabilities(inbound=frozenset({"http"}), outbound=True, verifies="signature"),
        emits=frozenset({"message"}),
        address_scheme="carrier-pigeon:user",
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @hub.hookimpl  # outside to hub: verify, then understand
    async def ingest(self, ctx: hub.Context, delivery: hub.Delivery) -> hub.IngestResult:
        proof = ctx.verify.hmac(keys=[self.settings.key], header="X-Carrier-Pigeon-Signature")
        came = reading.read_json(delivery, Incoming)
        sender = hub.Address(scheme="carrier-pigeon:user", value=came.sender)
        message = hub.Message(external_id=came.id, sender=(sender,), text=came.text)
        return hub.IngestResult(verification=proof, events=(message,))

    @hub.hookimpl  # hub to outside: one attempt, and the truth about it
    async def send(self, ctx: hub.Context, message: hub.Outbound) -> hub.Accepted:
        text, url = sending.text_of(ctx, message), f"{self.settings.url}/messages"
        wanted = {"key": message.id, "to": message.address.value, "text": text}
        answer = await ctx.http.request("POST", url, json=wanted, auth=("hub", self.settings.key))
        return sending.accepted(ctx, answer, "id")

    @hub.hookimpl  # how it looks, and what goes on the wire
    def render(self, ctx: hub.Context, item: hub.Item, surface: hub.Surface) -> hub.Rendered:
        return rendering.plain_text(item, surface, self.INFO.can)
