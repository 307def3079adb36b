"""An assistant that says what it has heard, and hands over whoever asks for a person."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from hub.plugin import (
    API_VERSION,
    Accepted,
    Context,
    Delivery,
    Handoff,
    Info,
    IngestResult,
    Item,
    Outbound,
    Permanent,
    Rendered,
    Speak,
    Summary,
    Surface,
    Task,
    Unsupported,
    hookimpl,
)


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """``folder``: once there is a file ``go`` in it, what takes time is done."""

    folder: str


class NightDesk:
    """See above."""

    INFO: ClassVar[Info] = Info(
        name="night-desk",
        role="assistant",
        api=API_VERSION,
        settings=Settings,
        emits=frozenset({"speak", "handoff", "summary", "task"}),
        label="Night desk",
    )

    def __init__(self, settings: Settings) -> None:
        self._go = Path(settings.folder) / "go"

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        task = message.task
        if task is None:
            raise Unsupported("it is asked about calls alone")
        said = [words for speaker, words in task.turns if speaker == "customer"]
        if task.wanted == "summary":
            told: tuple[Any, ...] = (
                Summary(request_id=message.id, text=f"Said {len(said)} things: {said[0]}"),
                Task(
                    request_id=message.id,
                    title="Call back",
                    due_at=datetime(2026, 3, 2, 17, tzinfo=UTC),
                ),
            )
        else:
            told = await self._turn(message.id, said[-1])
        answer = Delivery(body=msgspec.json.encode(told), received_at=ctx.clock.now())
        return Accepted(external_id=message.id, answers=(answer,))

    async def _turn(self, request: str, words: str) -> tuple[Any, ...]:
        if "person" in words:
            return (
                Speak(request_id=request, text="Certainly."),
                Handoff(request_id=request, reason="asks for a person"),
            )
        if "nothing" in words:
            return ()
        if "break" in words:
            raise Permanent("other", "it broke")
        if "think" in words:
            while not self._go.exists():  # noqa: ASYNC110 — told by a file
                await asyncio.sleep(0.01)
        return (
            Speak(request_id=request, text="I hear you.", last=False),
            Speak(request_id=request, text=f"You said: {words}"),
        )

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        told = msgspec.json.decode(delivery.body, type=tuple[Speak | Handoff | Summary | Task, ...])
        return IngestResult(events=told)

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:
        return Rendered(preview=item.text)
