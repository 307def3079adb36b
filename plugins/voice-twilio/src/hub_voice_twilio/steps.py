"""The addresses at which Twilio tells how a call goes on: all are the channel's own, and the query
says what it is about. Twilio signs them as they are, so nobody else can write one."""

from __future__ import annotations

from typing import Literal, cast, get_args
from urllib.parse import urlencode

from hub_sms_twilio.forms import SID, Form
from msgspec import Struct

from hub.plugin import Context, Delivery

Step = Literal[
    "rang",  # <Dial> of an incoming call is over
    "left",  # <Record> is over
    "voicemail",  # what <Record> has taken can be fetched, or not
    "words",  # the voicemail, written down
    "recording",  # the sound of a conversation can be fetched
    "agent",  # <Connect> is over
    "accept",  # a member has picked up, and has to press a key
    "accepted",  # and has pressed it
    "made",  # how a call of a member's goes on
    "call",  # the member has pressed a key: the contact is called
    "reached",  # <Dial> of a call of a member's is over
    "announce",  # the contact has picked up, and hears that it is recorded
]
STEPS = frozenset[str](get_args(Step))
AGAIN = "#rc=3&rp=all"
"""Twilio asks three more times whatever is wrong; without it, only where nobody was there."""


class At(Struct, frozen=True):
    """What a delivery is about: its ``step`` (``None``: the address that stands at the number),
    the call whose it is where the form may not say, the place in the row of phones, the contact's
    and the own number of a call that a member makes."""

    step: Step | None = None
    call: str = ""
    turn: int = 0
    to: str = ""
    own: str = ""


def at(delivery: Delivery) -> At:
    """What the address says. Raises ``Malformed``."""
    query = Form(delivery.query())
    step, call, turn = query.get("step"), query.get("call"), query.get("turn")
    return At(
        step=cast("Step", step) if step in STEPS else None,
        call=call if SID.fullmatch(call) else "",
        turn=int(turn) if turn.isascii() and turn.isdigit() and len(turn) < 3 else 0,
        to=query.get("to"),
        own=query.get("own"),
    )


def address(ctx: Context, step: Step, **more: str | int) -> str:
    """Where a step is told."""
    return f"{ctx.public_url()}?{urlencode({'step': step, **more})}{AGAIN}"
