"""The network between phones and hub: it tells the hub what is due, when it is due.

What is to be told is kept with the phone, so a restart loses nothing: whatever is overdue is
taken up again, and told twice rather than never.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from hub.plugin import Context, Delivery
from hub_simulator.behaviour import Behaviour
from hub_simulator.medium import Medium
from hub_simulator.phone import Phone, PhoneMessage, Step, next_step, with_log, with_step_done
from hub_simulator.store import PhoneStore

SWEEP = 5.0
"""Seconds between two looks for what nobody carries."""
ABANDONED = 3.0
"""Seconds after which a step that should have been told belongs to nobody any more."""


class Network:
    """Carries messages and receipts to the hub. Belongs to one event loop."""

    def __init__(self, phones: PhoneStore, medium: Medium) -> None:
        self._phones = phones
        self._medium = medium
        self._carriers: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._news: dict[tuple[str, str], asyncio.Event] = {}
        """Set when more has become due of what is being carried."""
        self._sweeper: asyncio.Task[None] | None = None

    def open(self, ctx: Context) -> None:
        """Begin to look for what was left behind."""
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep(ctx))

    def start(self, ctx: Context, number: str, message_id: str) -> None:
        """Carry what is due of a message, in the background."""
        key = (number, message_id)
        running = self._carriers.get(key)
        if running is not None and not running.done():
            # It may have looked already, and found nothing more to do, or rest until later.
            self._news[key].set()
            return
        self._news[key] = asyncio.Event()
        task = asyncio.get_running_loop().create_task(self._carry(ctx, number, message_id))
        self._carriers[key] = task
        task.add_done_callback(lambda done: self._ended(ctx, key, done))

    async def carry_now(self, ctx: Context, number: str, message_id: str) -> None:
        """Tell the hub everything that is planned of a message, without waiting for its time."""
        phone, _ = await self._phones.get(number)
        message = phone.message(message_id)
        for step in message.due if message else ():
            if step.ends is None:
                await self._tell(ctx, number, message_id, step)

    async def stop(self) -> None:
        """Let go of everything; what was not told stays due."""
        tasks = [*self._carriers.values(), *([self._sweeper] if self._sweeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _sweep(self, ctx: Context) -> None:
        """For ever: take up what a stopped process has left behind."""
        while True:
            try:
                await self._take_up(ctx)
            except Exception as error:  # noqa: BLE001 - whatever it was, the next look may work
                ctx.log.warning("simulator.sweep_failed", error=repr(error))
            await asyncio.sleep(SWEEP)

    async def _take_up(self, ctx: Context) -> None:
        overdue = ctx.clock.now() - timedelta(seconds=ABANDONED)
        for number in await self._phones.numbers():
            phone, _ = await self._phones.get(number)
            for message in phone.messages:
                if any(step.at < overdue for step in message.due):
                    self.start(ctx, number, message.id)

    async def _carry(self, ctx: Context, number: str, message_id: str) -> None:
        news = self._news[number, message_id]
        while True:
            news.clear()
            phone, _ = await self._phones.get(number)
            step = next_step(phone, message_id)
            if step is None:
                if not news.is_set():
                    return
                continue
            rest = (step.at - ctx.clock.now()).total_seconds()
            if rest > 0 and await _comes(news, rest):
                continue
            await self._tell(ctx, number, message_id, step)

    async def _tell(self, ctx: Context, number: str, message_id: str, step: Step) -> None:
        phone, _ = await self._phones.get(number)
        message = phone.message(message_id)
        if message is None or step not in message.due:
            return
        body = step.body.encode() or self._medium.body_of(number, message, step)
        await _deliver(ctx, body, phone.behaviour)
        words = _in_words(message, step, phone.behaviour, self._medium.noun)
        now = ctx.clock.now()

        def done(phone: Phone) -> tuple[Phone, None]:
            logged = with_log(phone, now, "to_hub", words, body.decode())
            return with_step_done(logged, message_id, step), None

        await self._phones.change(number, done)

    def _ended(self, ctx: Context, key: tuple[str, str], task: asyncio.Task[None]) -> None:
        if self._carriers.get(key) is task:
            del self._carriers[key]
            self._news.pop(key, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Still due: the next sweep tries again.
            ctx.log.error("simulator.not_told", message=key[1], error=repr(error))


async def _comes(news: asyncio.Event, seconds: float) -> bool:
    """Whether there are news before so many seconds are over."""
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return False
    return True


async def _deliver(ctx: Context, body: bytes, behaviour: Behaviour) -> None:
    copies = [
        Delivery(
            source="listen",
            body=body,
            headers=(("Content-Type", "application/json"),),
            received_at=ctx.clock.now(),
        )
        for _ in range(behaviour.copies)
    ]
    if behaviour.at_once:
        await asyncio.gather(*(ctx.emit(copy) for copy in copies))
        return
    for copy in copies:
        await ctx.emit(copy)


def _in_words(message: PhoneMessage, step: Step, behaviour: Behaviour, noun: str) -> str:
    what = (
        f"{noun} {message.id}" if step.kind == "text" else f"receipt “{step.kind}” of {message.id}"
    )
    if step.kind == "event":
        what = step.words
    times = f", {behaviour.copies} times" if behaviour.copies > 1 else ""
    together = " at once" if times and behaviour.at_once else ""
    return f"{what}{times}{together}"
