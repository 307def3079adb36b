"""Channels of one provider that bring their messages in in every way there is but the plainest."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from msgspec import Struct

from hub.plugin import (
    API_VERSION,
    Accepted,
    Address,
    CallFacts,
    Capabilities,
    Context,
    CredentialsInvalid,
    Delivery,
    FetchRef,
    Info,
    IngestResult,
    Item,
    Message,
    Outbound,
    Permanent,
    PollResult,
    Rendered,
    Reply,
    Surface,
    TemplateChanged,
    TemplateInfo,
    Temporary,
    Text,
    Unverified,
    hookimpl,
)


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``url``: the provider's; ``port``: where it lets one listen. ``folder``: tests put files
    there that make the plugin misbehave."""

    url: str = "http://127.0.0.1"
    port: int = 0
    every: float = 1.0
    folder: str = "/nonexistent"


def info(name: str, *inbound: str, **can: Any) -> Info:
    """As all of them are."""
    return Info(
        name=name,
        role="channel",
        api=API_VERSION,
        settings=Settings,
        can=Capabilities(inbound=frozenset(inbound), outbound=True, **can),  # type: ignore[arg-type]
        emits=frozenset({"message", *(["template_changed"] if can.get("templates") else [])}),
        label="Courier",
        address_scheme="phone",
    )


class Courier:
    """What they have in common: a delivery is a JSON object."""

    INFO: Info

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def told(self, name: str) -> bool:
        """Whether the test has put this file there."""
        return (Path(self.settings.folder) / name).exists()

    def block(self) -> None:
        """The whole thread, as long as the test wants."""
        while self.told("block"):
            time.sleep(0.02)

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        told = delivery.json()
        if told.get("forged"):
            raise Unverified("it is not from the provider")
        if "reference" in told:
            ref = FetchRef(id=told["reference"], data={"path": f"/bodies/{told['reference']}"})
            return IngestResult(fetch=(ref,))
        return IngestResult(
            events=(
                Message(
                    external_id=told["id"],
                    sender=(Address(scheme="phone", value=told.get("from", "+15550100009")),),
                    own_address="+15550100001",
                    text=told["text"],
                ),
            ),
            answer=told.get("question"),
            reply=Reply(body=told["reply"].encode()) if "reply" in told else None,
        )

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        return Accepted(external_id=f"out-{message.id}")

    @hookimpl
    def render(self, item: Item, surface: Surface) -> Rendered:
        return Rendered(blocks=(Text(text=item.text),), preview=item.text[:100])


class Polling(Courier):
    INFO = info("courier-poll", "poll")

    @hookimpl
    async def poll(self, ctx: Context, cursor: str | None) -> PollResult:
        self.block()
        response = await ctx.http.request(
            "GET", f"{self.settings.url}/messages", params={"after": cursor or "0"}
        )
        if response.status == 401:
            raise CredentialsInvalid("the key was revoked")
        if response.status != 200:
            wait = response.headers.get("retry-after")
            raise Temporary(f"answered {response.status}", retry_after=float(wait or 0) or None)
        page = response.json()
        return PollResult(
            deliveries=tuple(
                Delivery(body=json.dumps(each).encode(), received_at=ctx.clock.now())
                for each in page["messages"]
            ),
            cursor=page["cursor"],
            more=page["more"],
            next_in=self.settings.every,
        )


class Listening(Courier):
    """A line for each message; the same number goes back when it is stored."""

    INFO = info("courier-listen", "listen")

    @hookimpl
    async def listen(self, ctx: Context) -> None:
        reader, writer = await ctx.connect("127.0.0.1", self.settings.port, tls=False)
        try:
            while line := await reader.readline():
                self.block()
                number, _, body = line.partition(b" ")
                await ctx.emit(
                    Delivery(body=body.strip(), source="listen", received_at=ctx.clock.now())
                )
                writer.write(number + b"\n")
                await writer.drain()
        except asyncio.CancelledError:
            if self.told("swallow"):
                await asyncio.sleep(3600)
            raise
        finally:
            writer.close()


class Fetching(Courier):
    INFO = info("courier-fetch", "http")

    @hookimpl
    async def fetch(self, ctx: Context, ref: FetchRef) -> Delivery:
        response = await ctx.http.request("GET", self.settings.url + ref.data["path"])
        if response.status == 404:
            raise Permanent("other", "it was deleted")
        if response.status != 200:
            raise Temporary(f"answered {response.status}")
        return Delivery(body=response.body, received_at=ctx.clock.now())


class Voice(Courier):
    INFO = info("courier-voice", "http", calls=True)

    @hookimpl
    async def answer(self, ctx: Context, facts: CallFacts) -> Reply:
        if self.told("mute"):
            raise RuntimeError("no words")
        if self.told("slow"):
            await asyncio.sleep(3600)
        (event,) = facts.events
        assert isinstance(event, Message)
        entry = await ctx.kv.get("asked")
        count = 1 if entry is None else int(entry.value) + 1
        await ctx.kv.put("asked", str(count))
        if self.told("nonsense"):
            return Reply(status=99)
        said = f"<Response>{facts.external_id} {event.text} {count} {facts.in_hours}</Response>"
        return Reply(content_type="application/xml", body=said.encode())


TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"


class Notified(Courier):
    """Its webhooks come by way of Amazon SNS, or with a token of the provider's own."""

    INFO = info("courier-sns", "http", verifies="signature", templates=True)

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        if delivery.header("authorization"):
            url = f"{self.settings.url}/keys"
            ctx.verify.jwt(algorithms=["RS256"], jwks_url=url, body_hash="payload_hash")
            told = delivery.json()
        else:
            ctx.verify.sns(topics=[TOPIC])
            told = json.loads(delivery.json()["Message"])
        if "template" in told:
            event = TemplateChanged(name=told["template"], state="approved")
            return IngestResult(events=(event,))
        inner = Delivery(body=json.dumps(told).encode(), received_at=delivery.received_at)
        return await Courier.ingest(self, ctx, inner)

    @hookimpl
    async def templates(self, ctx: Context) -> tuple[TemplateInfo, ...]:
        response = await ctx.http.request("GET", f"{self.settings.url}/templates")
        if response.status != 200:
            raise Temporary(f"answered {response.status}")
        return tuple(TemplateInfo(**each) for each in response.json())
