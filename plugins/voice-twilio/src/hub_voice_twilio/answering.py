"""What a caller hears next: asked once for each step of a call, and said again when Twilio asks
again."""

from __future__ import annotations

from typing import Literal

from hub.plugin import CallFacts, CallStarted, Context, Permanent, Reply
from hub_voice_twilio import numbers, twiml
from hub_voice_twilio.settings import Settings, Takes
from hub_voice_twilio.webhooks import AGENT, OVER, RANG, START

Next = Literal["ring", "agent", "mailbox"]


def answer(ctx: Context, facts: CallFacts, settings: Settings) -> Reply:
    """What Twilio is to do; the question is a call's id, the step, and whose turn it is."""
    call, _, question = facts.external_id.partition("/")
    step, _, turn = question.partition("/")
    if step == OVER:
        return twiml.over(settings)
    if step not in {START, RANG, AGENT}:
        raise Permanent("other", "there is no such step of a call")
    now = ctx.clock.now()
    open_ = facts.in_hours and (settings.hours is None or settings.hours.includes(now))
    phones = _phones(facts, settings)
    number = int(turn) if step == RANG else 0
    agent = settings.agent if facts.assistant else None
    takes = None if agent is None else agent.takes
    then = following(step, settings, takes, open_=open_, phones=len(phones), turn=number)
    if then == "agent" and settings.agent is not None:
        return twiml.converse(ctx, settings, settings.agent)
    if then == "ring":
        words = {START: settings.greeting, AGENT: settings.agent and settings.agent.transfer}
        return twiml.ring(
            ctx,
            settings,
            call,
            phones,
            turn=number,
            caller_id=_shown(facts, settings),
            welcome=words.get(step) or "",
        )
    return twiml.mailbox(ctx, settings, call, closed=not open_)


def following(
    step: str, settings: Settings, takes: Takes | None, *, open_: bool, phones: int, turn: int = 0
) -> Next:
    """What comes now: the assistant first where there is one and it ``takes`` such calls, then the
    phones, then the voicemail; each at most once."""
    reachable = open_ and phones > 0
    if step == START:
        if takes == "all" or (takes == "closed" and not open_):
            return "agent"
        if reachable:
            return "ring"
    if step == RANG and settings.ring_order == "in_turn" and turn < phones:
        return "ring"
    if step == AGENT and reachable and takes != "unanswered":
        return "ring"
    return "agent" if takes == "unanswered" and step != AGENT else "mailbox"


def _phones(facts: CallFacts, settings: Settings) -> tuple[str, ...]:
    """Who takes calls now, where the hub knows that, else whom the settings name."""
    on_duty = tuple(one.value for one in facts.on_duty if numbers.can_be_called(one))
    return on_duty or settings.ring


def _shown(facts: CallFacts, settings: Settings) -> str | None:
    """What the staff's phones show: who calls; of who withholds that, which number was called."""
    started = next((one for one in facts.events if isinstance(one, CallStarted)), None)
    if started is not None and any(map(numbers.can_be_called, started.caller)):
        return None
    called = started.own_address if started is not None else ""
    return called if called in settings.numbers else settings.numbers[0]
