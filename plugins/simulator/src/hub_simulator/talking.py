"""What happens in a call: somebody answers or nobody does, speaks, hangs up. Pure.

A call is a message of the phone, with a ``Talk`` as its content. One that rings has the end of the
ringing among what is due: the hub is told of a missed call unless something else happens before.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from hub.plugin import Outbound, Permanent
from hub_simulator.calling import (
    Ended,
    LeftVoicemail,
    Recorded,
    Reported,
    Started,
    Told,
    Transcribed,
    step,
)
from hub_simulator.phone import CallEnding, Phone, PhoneMessage, Step, Talk, with_log, with_message
from hub_simulator.sounds import sound

Act = Literal[
    "answer", "hang_up", "decline", "busy", "nobody", "voicemail", "agent", "agent_hands_over"
]
WORDS: dict[Act, str] = {
    "answer": "Somebody answers",
    "hang_up": "The caller hangs up",
    "decline": "The customer declines the call",
    "busy": "The line is busy",
    "nobody": "Nobody answers",
    "voicemail": "The caller leaves a voicemail",
    "agent": "A voice agent takes the call",
    "agent_hands_over": "A voice agent takes the call, and leaves it to a person",
}
ENDS: dict[Act, CallEnding] = {
    "hang_up": "canceled",
    "decline": "busy",
    "busy": "busy",
    "nobody": "missed",
    "voicemail": "voicemail",
    "agent": "answered",
    "agent_hands_over": "answered",
}
SPEECH = 13.0
"""Characters that somebody speaks in a second."""
SAID = "Hello, my tap is dripping again. Could somebody come and look at it?"


def called(
    phone: Phone, call_id: str, own_number: str, now: datetime, ring: float, *, withheld: bool
) -> Phone:
    """The customer calls the business. Raises ``Permanent`` while another call lasts."""
    if any(isinstance(m.content, Talk) and m.content.state != "ended" for m in phone.messages):
        raise Permanent("other", "the phone is in a call already")
    talk = Talk(direction="in", withheld=withheld)
    message = PhoneMessage(
        id=call_id,
        author="customer",
        own_number=own_number,
        at=now,
        name="" if withheld else phone.name,
        content=talk,
    )
    phone = with_message(phone, replace(message, due=ringing(phone.number, message, talk, ring)))
    return with_log(phone, now, "on_phone", "The customer calls")


def dressed(message: PhoneMessage, outbound: Outbound, ring: float) -> PhoneMessage:
    """A call that the hub has made, as it rings on the customer's phone."""
    member = outbound.member_address
    talk = Talk(direction="out", member=member.value if member else "")
    call = replace(message, content=talk, reads=False)
    if not message.arrived:
        return replace(call, due=())
    return replace(call, due=ringing(outbound.address.value, call, talk, ring))


def ringing(number: str, call: PhoneMessage, talk: Talk, ring: float) -> tuple[Step, ...]:
    """What the hub is told of a call that rings until nobody answers."""
    now = call.at
    started = Started(
        id=call.id,
        direction=talk.direction,
        business=call.own_number,
        customer=None if talk.withheld else number,
        caller_name=call.name or None,
        occurred_at=now,
    )
    gives_up = now + timedelta(seconds=ring)
    missed = Ended(id=call.id, outcome="missed", occurred_at=gives_up)
    return (
        step(f"{call.id} rings", started, now),
        step(f"nobody answers {call.id}", missed, gives_up, ends="missed"),
    )


def acted(phone: Phone, call_id: str, act: Act, said: str, now: datetime) -> Phone:
    """Something happens in a call. Raises ``Permanent`` when it cannot happen now."""
    call = phone.message(call_id)
    talk = call.content if call is not None else None
    if call is None or not isinstance(talk, Talk) or not _may(talk, act):
        raise Permanent("other", "that cannot happen in this call now")
    rings_on = tuple(each for each in call.due if each.ends is None)
    if act == "answer":
        talking = replace(talk, state="talking", answered_at=now)
        phone = with_message(phone, replace(call, content=talking, due=rings_on))
        return with_log(phone, now, "on_phone", WORDS[act])
    outcome: CallEnding = "answered" if talk.state == "talking" else ENDS[act]
    ended = replace(talk, state="ended", outcome=outcome)
    told = _told(call, talk, act, said.strip() or SAID, now)
    due = (*rings_on, *(step(words, each, now) for words, each in told))
    phone = with_message(phone, replace(call, content=ended, text=said.strip(), due=due))
    return with_log(phone, now, "on_phone", WORDS[act])


def _may(talk: Talk, act: Act) -> bool:
    if talk.state == "talking":
        return act == "hang_up"
    if talk.state == "ended":
        return False
    return act in {"answer", "decline"} if talk.direction == "out" else act != "decline"


def _told(
    call: PhoneMessage, talk: Talk, act: Act, said: str, now: datetime
) -> list[tuple[str, Told]]:
    """What the hub is told of the end of a call, in words and as a delivery."""
    speech = seconds_of_speech(said)
    if talk.state == "talking":
        length = max(1.0, round((now - (talk.answered_at or now)).total_seconds(), 1))
        return [_ended(call, "answered", length, now), *_kept(call, said, length)]
    match act:
        case "voicemail":
            left = LeftVoicemail(id=call.id, media=sound(speech), duration=speech, text=said)
            end = _ended(call, "voicemail", None, now)
            return [end, (f"voicemail of {call.id}", left)]
        case "agent" | "agent_hands_over":
            length = agent_seconds(said)
            end = _ended(call, "answered", length, now)
            report = _report(call, said, now, handed_over=act == "agent_hands_over")
            kept = _kept(call, said, length, speaker="assistant")
            return [end, *kept, (f"report of {call.id}", report)]
        case _:
            return [_ended(call, ENDS[act], None, now)]


def seconds_of_speech(said: str) -> float:
    """How long it takes to say so."""
    return float(max(2, round(len(said) / SPEECH)))


def agent_seconds(said: str) -> float:
    """How long a voice agent's call lasts in which a customer says so."""
    return seconds_of_speech(said) + 30


def _ended(
    call: PhoneMessage, outcome: CallEnding, length: float | None, now: datetime
) -> tuple[str, Told]:
    told = Ended(id=call.id, outcome=outcome, duration=length, occurred_at=now)
    return f"{call.id} ended: {outcome}", told


def _kept(
    call: PhoneMessage, said: str, length: float, *, speaker: str = "member"
) -> list[tuple[str, Told]]:
    turns = (
        (0.0, speaker, "Good morning, how can I help you?"),
        (3.0, "customer", said),
        (None, speaker, "Thank you, we will see to it."),
    )
    return [
        (f"recording of {call.id}", Recorded(id=call.id, media=sound(length), duration=length)),
        (f"transcript of {call.id}", Transcribed(id=call.id, turns=turns)),
    ]


def _report(call: PhoneMessage, said: str, now: datetime, *, handed_over: bool) -> Reported:
    return Reported(
        id=call.id,
        summary=f"The customer said: {said}",
        facts={"Urgency": "This week", "Address": "12 High Street"},
        outcome="Wants to talk to a person" if handed_over else "Asked to be called back",
        follow_up="Call the customer back",
        due_at=now + timedelta(hours=1 if handed_over else 24),
        handed_over=handed_over,
    )
