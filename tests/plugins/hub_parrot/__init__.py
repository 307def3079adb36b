"""An assistant whose model repeats what was said last, and errs when it is told to."""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from hub.plugin import (
    API_VERSION,
    Accepted,
    Context,
    CredentialsInvalid,
    Delivery,
    Info,
    IngestResult,
    Item,
    Malformed,
    Message,
    Outbound,
    Rendered,
    Secret,
    Speak,
    Summary,
    Surface,
    Temporary,
    Unsupported,
    hookimpl,
)
from hub.plugin.types import Address, Event


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """``says``: what it begins with."""

    key: Secret
    says: str = "parrot"


class Parrot:
    """See above."""

    INFO: ClassVar[Info] = Info(
        name="parrot",
        role="assistant",
        api=API_VERSION,
        settings=Settings,
        emits=frozenset({"speak", "summary", "handoff"}),
        label="Parrot",
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        if message.kind != "assist" or message.task is None:
            raise Unsupported("it only assists")
        task = message.task
        last = task.turns[-1][1] if task.turns else ""
        match last:
            case "busy":
                raise Temporary("the model is busy")
            case "revoked":
                raise CredentialsInvalid(f"{self.settings.key.reveal()} was revoked")
            case "raise":
                raise RuntimeError(f"near {self.settings.key.reveal()}")
            case "emit":
                await ctx.emit(Delivery(body=b"{}", received_at=ctx.clock.now()))
            case "hang":
                await asyncio.Event().wait()
            case _:
                pass
        told: dict[str, Any] = {"request": message.id, "said": last, "wanted": task.wanted}
        told["count"] = len(task.turns)
        answer = Delivery(body=json.dumps(told).encode(), received_at=ctx.clock.now())
        return Accepted(external_id=message.id, answers=(answer,))

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        told = delivery.json()
        request = told["request"]
        if told["wanted"] == "summary":
            text = f"{told['count']} turns"
            return IngestResult(events=(Summary(request_id=request, text=text),))
        match told["said"]:
            case "broken":
                raise Malformed("the model said what nobody understands")
            case "nothing":
                return IngestResult(ignored="it has nothing to say")
            case "another":
                return IngestResult(events=(Speak(request_id="another", text="hello"),))
            case "customer":
                sender = (Address(scheme="phone", value="+15550100002"),)
                return IngestResult(events=(Message(external_id="1", sender=sender),))
            case "undeclared":
                return IngestResult(events=(draft(request),))
            case said:
                words = f"{self.settings.says}: {said}"
                return IngestResult(events=(Speak(request_id=request, text=words),))

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:
        return Rendered(preview=item.text)


def draft(request: str) -> Event:
    """What it does not say that it emits."""
    told = {"type": "draft", "request_id": request, "text": "hello"}
    return msgspec.convert(told, Event)
