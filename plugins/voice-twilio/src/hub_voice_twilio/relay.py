"""A call that the channel's assistant takes: Twilio hears and speaks, over a WebSocket.

Whatever is said is stored while the call lasts. A caller who cuts in is listened to: what the
assistant was about to say is dropped. Where it cannot answer, the call goes to the staff.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Literal

import msgspec
from hub_sms_twilio.account import proof
from msgspec.structs import replace

from hub.plugin import (
    CallEnded,
    CallOutcome,
    CallStarted,
    CallTask,
    CallTurn,
    Context,
    Delivery,
    Event,
    Handoff,
    HookError,
    IngestResult,
    Socket,
    Speak,
    Summary,
    Task,
)
from hub.plugin.reading import read_json
from hub_voice_twilio import frames, numbers
from hub_voice_twilio.settings import Settings

TURNS = 200
"""The last so many things said are what the assistant is told."""
KEYS_SECONDS = 2.0
"""Keys that are pressed within so long of one another are one thing said."""
POLICY = 1008
LONGEST = 10_000
"""Characters of one thing that is said."""

Speaker = Literal["customer", "assistant"]
Told = CallStarted | CallTurn | CallEnded | CallOutcome


def read(delivery: Delivery) -> IngestResult:
    """What ``hold`` has emitted. Raises ``Malformed``."""
    return IngestResult(events=read_json(delivery, tuple[Told, ...]))


async def hold(ctx: Context, socket: Socket, settings: Settings) -> None:
    """One call. Raises ``Unverified`` for a handshake that is not Twilio's."""
    proof(ctx, settings)
    message = await socket.receive()
    setup = frames.read(message) if message is not None else None
    if not isinstance(setup, frames.Setup) or setup.account_sid != settings.account_sid:
        await socket.close(POLICY, "no setup of this account's")
        return
    talk = _Talk(ctx, socket, setup)
    await talk.begin()
    try:
        await talk.listen()
    finally:
        await talk.end()


class _Talk:
    """The conversation: what was said, and the answer that is being made."""

    def __init__(self, ctx: Context, socket: Socket, setup: frames.Setup) -> None:
        self._ctx = ctx
        self._socket = socket
        self._setup = setup
        self._call = setup.call_sid
        self._said: list[CallTurn] = []
        self._answering: asyncio.Task[None] | None = None
        self._saying = False
        self._handed_over = False
        self._began = ctx.clock.now()

    async def begin(self) -> None:
        """The call, told again: nobody knows whether the first webhook was taken in."""
        inbound = not self._setup.direction.startswith("outbound")
        customer, own = self._setup.from_, self._setup.to
        if not inbound:
            customer, own = own, customer
        started = CallStarted(
            external_id=self._call,
            direction="in" if inbound else "out",
            caller=numbers.caller(customer),
            own_address=numbers.own(own),
        )
        await self._tell(started)

    async def listen(self) -> None:
        """Until the caller has gone, or was put through."""
        words, keys = "", ""
        while True:
            try:
                message = await asyncio.wait_for(
                    self._socket.receive(), KEYS_SECONDS if keys else None
                )
            except TimeoutError:
                pressed, keys = keys, ""
                await self._heard(f"[{pressed}]")
                continue
            if message is None:
                return
            match frames.read(message):
                case frames.Prompt(voice_prompt=said, last=last):
                    words = f"{words}{said}"[:LONGEST]
                    if last and words.strip():
                        said, words = words.strip(), ""
                        await self._heard(said)
                case frames.Dtmf(digit=digit):
                    keys = f"{keys}{digit}"[:40]
                case frames.Interrupt(utterance_until_interrupt=heard):
                    await self._cut_off(heard)
                case frames.Error(description=why):
                    self._ctx.log.warning("relay.not_understood", why=why[:300])
                case _:
                    pass

    async def end(self) -> None:
        """The caller has gone: what is left is told, and summed up."""
        await self._stop()
        if not self._said:
            return
        if not self._handed_over:
            now = self._ctx.clock.now()
            talk = (now - self._began).total_seconds()
            ended = CallEnded(
                external_id=self._call, outcome="answered", duration=talk, occurred_at=now
            )
            await self._tell(ended)
        await self._sum_up()

    # ---- what is said

    async def _heard(self, words: str) -> None:
        """The caller has said something: what the assistant was about to say is out of date."""
        await self._stop()
        if self._handed_over:
            return
        await self._turn("customer", words)
        self._answering = asyncio.create_task(self._answer())

    async def _answer(self) -> None:
        try:
            told = await self._ask("turn")
        except HookError as error:  # somebody waits on the line: a person is to speak with them
            self._ctx.log.warning("relay.no_answer", error=error.detail)
            await self._hand_over("The assistant did not answer")
            return
        self._saying = True
        try:
            await self._say(told)
        finally:
            self._saying = False

    async def _say(self, told: tuple[Event, ...]) -> None:
        spoken = [one for one in told if isinstance(one, Speak) and one.text.strip()]
        handoff = next((one for one in told if isinstance(one, Handoff)), None)
        for place, one in enumerate(spoken, 1):
            await self._socket.send(frames.words(one.text[:LONGEST], last=place == len(spoken)))
        if spoken:
            await self._turn("assistant", " ".join(one.text.strip() for one in spoken)[:LONGEST])
        if handoff is not None:
            await self._hand_over(handoff.reason)
        elif not spoken:
            await self._hand_over("The assistant had nothing to say")

    async def _hand_over(self, reason: str) -> None:
        """Twilio asks at ``<Connect action>`` what is next, and is told to ring the staff."""
        self._handed_over = True
        await self._socket.send(frames.end({"reason": reason[:300]}))

    async def _cut_off(self, heard: str) -> None:
        """Of what the assistant said last the caller has heard only so much."""
        await self._stop()
        last = self._said[-1] if self._said else None
        if last is None or last.speaker != "assistant" or not heard.strip():
            return
        now = self._ctx.clock.now()
        self._said[-1] = replace(last, text=f"{heard.strip()[:LONGEST]} …", occurred_at=now)
        await self._tell(self._said[-1])

    async def _stop(self) -> None:
        """Drop an answer that is still being made; one that is being said is said."""
        task, self._answering = self._answering, None
        if task is None:
            return
        if not self._saying:
            task.cancel()
        with suppress(asyncio.CancelledError, ConnectionResetError):
            await task

    async def _ask(self, wanted: Literal["turn", "summary"]) -> tuple[Event, ...]:
        turns = tuple((one.speaker, one.text) for one in self._said[-TURNS:])
        return await self._ctx.ask(CallTask(external_id=self._call, turns=turns, wanted=wanted))

    async def _sum_up(self) -> None:
        """What it was about, and what was promised."""
        try:
            told = await self._ask("summary")
        except HookError as error:
            self._ctx.log.warning("relay.no_summary", error=error.detail)
            return
        summary = next((one for one in told if isinstance(one, Summary)), None)
        task = next((one for one in told if isinstance(one, Task)), None)
        if summary is None and task is None:
            return
        outcome = CallOutcome(
            external_id=self._call,
            summary="" if summary is None else summary.text,
            follow_up=None if task is None else task.title,
            due_at=None if task is None else task.due_at,
        )
        await self._tell(outcome)

    async def _turn(self, speaker: Speaker, words: str) -> None:
        turn = CallTurn(
            external_id=self._call,
            number=len(self._said) + 1,
            speaker=speaker,
            text=words,
            occurred_at=self._ctx.clock.now(),
        )
        self._said.append(turn)
        await self._tell(turn)

    async def _tell(self, *events: Told) -> None:
        """Have the hub take it in; it is stored when this returns."""
        body = msgspec.json.encode(events)
        now = self._ctx.clock.now()
        await self._ctx.emit(Delivery(source="listen", body=body, received_at=now))
