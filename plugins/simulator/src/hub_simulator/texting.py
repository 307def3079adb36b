"""What a person does with the phone on the page."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from hub_simulator.medium import Medium
from hub_simulator.numbers import display
from hub_simulator.phone import (
    Phone,
    PhoneMessage,
    Step,
    with_log,
    with_message,
)
from hub_simulator.sms import KEYWORD_ANSWERS, keyword_of


def text(phone: Phone, written: PhoneMessage, medium: Medium) -> Phone:
    """The customer writes; where the medium has keywords, the network acts on them by itself."""
    own_number, now = written.own_number, written.at
    keyword = None
    if medium.keywords:
        keyword = keyword_of(written.text, opted_out=own_number in phone.opted_out)
    told = Step(kind="text", at=now + timedelta(seconds=phone.behaviour.delay))
    message = replace(written, name=phone.name, keyword=keyword, due=(told,))
    phone = replace(with_message(phone, message), wrote=phone.wrote | {own_number: now})
    verb = "texts" if medium.noun == "text" else "writes to"
    phone = with_log(phone, now, "on_phone", f"The customer {verb} {display(own_number)}")
    if keyword is None:
        return phone
    phone = with_message(
        phone,
        PhoneMessage(
            id=f"{message.id}-answer",
            author="network",
            own_number=own_number,
            at=now,
            text=KEYWORD_ANSWERS[keyword],
        ),
    )
    phone = with_log(phone, now, "on_phone", f"The network answers {keyword} by itself")
    others = tuple(number for number in phone.opted_out if number != own_number)
    match keyword:
        case "STOP":
            return replace(phone, opted_out=(*others, own_number))
        case "START":
            return replace(phone, opted_out=others)
        case "HELP":
            return phone
